/* A scenario: the house, its proxies and devices, and what goes wrong when, read from a JSON file.
 *
 * The format is described in tests/fleet/README.md. All faults of a file are found at once, each
 * with its JSON pointer. What the file leaves to chance (places, keys, addresses) comes from the
 * seed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "corpus.h"
#include "fault.h"
#include "gatt_library.h"
#include "key.h"
#include "proxy_model.h"
#include "reader.h"
#include "world.h"

#define SCENARIO_NAME_SIZE    32 /* of a proxy: 31 octets and NUL */
#define SCENARIO_FAULTS_MAX   1000
#define SCENARIO_PAYLOADS_MAX 1000 /* of one device */
#define SCENARIO_PATH_MAX     64
#define SCENARIO_TICK_MSEC    10
#define SCENARIO_ALL          SIZE_MAX

struct scenario_proxy {
    char name[SCENARIO_NAME_SIZE];
    char friendly_name[WORLD_NAME_SIZE];
    char room[WORLD_NAME_SIZE]; /* empty: in none */
    struct world_place place;
    double duty;
    struct proxy_model_options model;
    uint16_t port; /* 0: any */
    uint64_t mac;  /* the Bluetooth address is mac + 2 */
    bool is_encrypted;
    uint8_t key[KEY_SIZE];
    char password[64]; /* empty: none */
};

struct scenario_fault {
    size_t proxy; /* number, or SCENARIO_ALL */
    enum fault_kind kind;
    usec_t at;     /* after the start */
    usec_t every;  /* 0: once */
    usec_t span;   /* of a lasting fault */
    size_t octets; /* of garbage */
};

/* A device to be added; its payloads and path belong to the scenario. */
struct scenario_device {
    struct world_device_options options;
    struct payload *payloads;
    struct world_place *path;
};

struct scenario {
    uint64_t seed;
    usec_t tick; /* how often the fleet looks what is due */
    struct world_radio radio;
    struct world_room *rooms;
    size_t rooms_count;
    struct scenario_proxy *proxies;
    size_t proxies_count, proxies_capacity;
    struct scenario_device *devices;
    size_t devices_count, devices_capacity;
    struct scenario_fault *faults;
    size_t faults_count;
    struct corpus *corpus; /* NULL when the file names none */
    struct gatt_library *gatts;
};

/* folder is where a relative path of the payload file starts. seed: NULL for the file's own. NULL
 * when there was a fault; reader then holds them. */
struct scenario *scenario_read(json_t *document, const char *folder, const uint64_t *seed,
                               struct reader *reader);

/* The same from a file; a file that cannot be read or is no JSON is a fault too. */
struct scenario *scenario_load(const char *path, const uint64_t *seed, struct reader *reader);

/* Accepts NULL. */
void scenario_free(struct scenario *s);

/* Parts of the format, for the control port. Each notes its faults at the spot and returns false.
 */
bool scenario_read_device(const struct scenario *s, const struct spot *spot,
                          struct scenario_device *ret_device);
void scenario_device_done(struct scenario_device *device);
bool scenario_read_place(const struct scenario *s, const struct spot *spot,
                         struct world_place *ret_place);
bool scenario_read_payload(const struct scenario *s, const struct spot *spot,
                           struct payload *ret_payload);

/* SIZE_MAX when there is none. */
size_t scenario_find_proxy(const struct scenario *s, const char *name);
