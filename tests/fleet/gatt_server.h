/* The device's side of GATT: what its attributes hold, who has subscribed to what, and how each
 * operation ends.
 *
 * A device has one database at a time, of one or several that it goes round: at set times, by a
 * write, or when it is told to. Those who subscribed to Service Changed are told so; the handles of
 * the others are simply wrong from then on. Each link has its own CCCDs, which end with it.
 *
 * Pure: time goes in. Databases are borrowed and outlive the server. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "bonds.h"
#include "gatt.h"

#define GATT_DATABASES_MAX 8

/* Errors of the Attribute Protocol that come from here. */
enum gatt_error {
    GATT_INVALID_HANDLE = 0x01,
    GATT_READ_NOT_PERMITTED = 0x02,
    GATT_WRITE_NOT_PERMITTED = 0x03,
    GATT_NOT_SUPPORTED = 0x06,
    GATT_INVALID_LENGTH = 0x0d,
    GATT_VALUE_NOT_ALLOWED = 0x13,
};

struct gatt_server;
struct gatt_link; /* of a device and somebody */

struct gatt_server_options {
    const struct gatt *databases[GATT_DATABASES_MAX]; /* none: gatt_generic() */
    size_t count;
    usec_t change_period; /* 0: does not change by itself */
};

struct gatt_server *gatt_server_new(const struct gatt_server_options *options, uint64_t seed);
/* The device is gone; links that are still there go on until they are closed. Accepts NULL. */
void gatt_server_free(struct gatt_server *s);

/* ---- the device itself ---- */

/* The next database is in force. */
void gatt_server_change(struct gatt_server *s);
size_t gatt_server_database(const struct gatt_server *s); /* its number */
const struct gatt *gatt_server_gatt(const struct gatt_server *s);

/* Sets a value and notifies it. -ENOENT without such a value, -E2BIG. */
int gatt_server_set(struct gatt_server *s, uint32_t handle, struct bytes value, usec_t now);
/* The next operations on the handle fail with the error; 0: are never answered. -ENOENT. */
int gatt_server_fail_next(struct gatt_server *s, uint32_t handle, unsigned times, int32_t error);

/* Whom the device is bonded with, by numbers of the caller's; to be changed by whoever wants. */
struct bonds *gatt_server_bonds(struct gatt_server *s);

/* What was done to the attribute at an index of the database. */
struct gatt_server_view {
    struct bytes value; /* borrowed; as it was written or set last */
    unsigned reads, writes, notifications;
    unsigned subscribers; /* of a CCCD */
};
struct gatt_server_view gatt_server_view(const struct gatt_server *s, size_t index);

/* ---- a link ---- */

/* The link must be closed; mtu is that of its ATT. */
struct gatt_link *gatt_link_open(struct gatt_server *s, uint32_t mtu, usec_t now);
/* Accepts NULL. */
void gatt_link_close(struct gatt_link *l);

void gatt_link_encrypt(struct gatt_link *l);
uint32_t gatt_link_mtu(const struct gatt_link *l);
/* The database that is in force now. */
const struct gatt *gatt_link_gatt(const struct gatt_link *l);

/* How long an operation takes, by its number of exchanges (long reads and writes need several);
 * USEC_NEVER when it is never answered. size: of what is written, 0 for reads. */
usec_t gatt_link_delay(struct gatt_link *l, uint32_t handle, size_t size);

/* 0, or the error of the Attribute Protocol. ret_value has room for GATT_VALUE_MAX. */
int32_t gatt_link_read(struct gatt_link *l, uint32_t handle, usec_t now, uint8_t *ret_value,
                       size_t *ret_size);
int32_t gatt_link_write(struct gatt_link *l, uint32_t handle, struct bytes value, usec_t now);
/* Without response: what is not allowed is ignored. */
void gatt_link_command(struct gatt_link *l, uint32_t handle, struct bytes value, usec_t now);

struct gatt_notification {
    uint16_t handle;
    uint8_t value[GATT_VALUE_MAX];
    size_t size; /* at most the MTU - 3 */
};
/* Takes one that is due; false when none is. Several of one value that fell due between two calls
 * are one, with the latest value. */
bool gatt_link_take(struct gatt_link *l, usec_t now, struct gatt_notification *ret_notification);
/* When the next is due, or the database changes by itself. */
usec_t gatt_link_deadline(const struct gatt_link *l);
