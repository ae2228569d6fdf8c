/* The devices[] of one configuration, found by their addresses, and how two of them differ. For
 * gateway.c alone. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct configured;

/* config is borrowed and outlives it. */
struct configured *configured_new(const struct config *config);
void configured_free(struct configured *c); /* accepts NULL */

/* NULL: not configured. */
const struct config_device *configured_find(const struct configured *c, uint64_t address);

/* Calls back for each device whose settings are not the same in both, in order of the addresses.
 * before NULL: it has an entry now; after NULL: no longer. An older of NULL has no devices. */
typedef void configured_difference_fn(void *user, const struct config_device *before,
                                      const struct config_device *after);
void configured_compare(const struct configured *older, const struct configured *newer,
                        configured_difference_fn *on_difference, void *user);
