/* What our topics are called, and which devices have one. Pure.
 *
 * Names that come from outside (requests, retained topics of an earlier run, response topics) are
 * checked here and nowhere else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "gateway/gateway.h"

#define TOPICS_NAME_SIZE 257 /* an alias has 64 characters, of 4 octets at most, and a NUL */
#define TOPICS_VERB_SIZE 65
#define TOPICS_SIZE_MAX  1024 /* octets of a topic that somebody else names */

/* True when mqtt.devices, or the device's own setting, has this device published. */
bool topics_is_published(const struct config *config, const struct gateway_device *device);

/* The level that stands for the device: "A4C13812AB56", or its alias where mqtt.topic_names wants
 * that and there is one. */
void topics_name(char ret_name[TOPICS_NAME_SIZE], const struct config *config,
                 const struct gateway_device *device);
void topics_address_name(char ret_name[TOPICS_NAME_SIZE], uint64_t address);

/* "BASE/FIRST", or with a second part "BASE/FIRST/SECOND"; to be freed. */
char *topics_join(const char *base, const char *first, const char *second);

/* The verb of "BASE/bridge/request/VERB", where VERB is 1 to 64 of letters, digits, "_" and "/".
 * False for every other topic. */
bool topics_read_request(const char *base, const char *topic, char ret_verb[TOPICS_VERB_SIZE]);

/* The name of "BASE/NAME/availability" when a device could have it. */
bool topics_read_availability(const char *base, const char *topic, char ret_name[TOPICS_NAME_SIZE]);

/* True when an answer may go where the asker wants it: a topic without wildcards that is none of
 * the broker's and, below BASE, one of the responses; else an asker could speak in our name. */
bool topics_may_answer_to(const char *base, const char *topic);
