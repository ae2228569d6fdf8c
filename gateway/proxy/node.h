/* What an ESPHome device said of itself when it was greeted. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "esphome/message.h"

#define NODE_TEXT_SIZE 64 /* of its texts, with the NUL; longer ones are cut */

/* Valid when zeroed: nothing was told. */
struct node {
    bool has_mac, has_bluetooth_mac, has_deep_sleep;
    uint64_t mac, bluetooth_mac;
    char model[NODE_TEXT_SIZE], version[NODE_TEXT_SIZE]; /* printable ASCII */
    uint32_t api_major, api_minor, features;
};

/* Replaces all of it. Without a Bluetooth address of its own (older firmware) the Wi-Fi address
 * stands for that too. */
void node_learn(struct node *n, const struct message_device_info *info, uint32_t api_major,
                uint32_t api_minor);

/* The features that DeviceInfo stands for: the flags, or what API versions before 1.9 said with a
 * single number (1 passive, 2 connections, 3 remote caching, 4 pairing, 5 cache clearing). */
uint32_t node_features(uint32_t api_major, uint32_t api_minor, uint32_t flags, uint32_t legacy);
