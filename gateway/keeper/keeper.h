/* The keeper: carries devices from the table to the store as they change, and back at the start.
 *
 * It introduces two rooms that do not know each other: the table counts sources and monotonic time,
 * the store proxies by their MAC and wall clock. What a device says, who owns it and whether it is
 * here go to the store with the next flush; that it was merely heard again goes with the next
 * sweep. Thread: the loop's. */
#pragma once

#include <stdint.h>

#include "base/clock.h"

#define KEEPER_SWEEP_MS 60000 /* how far last_seen in the file may lag */

struct device_change;
struct device_restored;
struct device_table;
struct store;

/* How sources and proxies go together. */
struct keeper_proxies {
    uint64_t (*mac_of)(void *user, uint16_t source); /* 0: not known */
    uint16_t (*source_of)(void *user, uint64_t mac); /* SOURCE_NONE: nobody has it now */
    void *user;
};

struct keeper;

/* Borrows table and store, which outlive it; from now on the store asks it for devices. */
struct keeper *keeper_new(struct device_table *table, struct store *store,
                          const struct keeper_proxies *proxies);
/* When the store is closed. NULL is allowed. */
void keeper_free(struct keeper *k);

/* A device that the table is about to take back. */
typedef void keeper_restored_fn(void *user, const struct device_restored *device, usec_t now);

/* Fills the table from the store, blocking: once, at the start; on_restored may be NULL. A device
 * whose last time lies in the future was written by a clock that we cannot compare with: it comes
 * back as not available. 0, or a negative errno: the file could not be read to its end. */
int keeper_restore(struct keeper *k, keeper_restored_fn *on_restored, void *user);

/* The table told this: to be called from its on_change. */
void keeper_changed(struct keeper *k, const struct device_change *change);

/* Every KEEPER_SWEEP_MS, and before the store is closed. Walks the table. */
void keeper_sweep(struct keeper *k);
