/* The world of the simulation: rooms with walls, devices that advertise, listeners that hear them.
 *
 * Loudness is log-distance path loss from the power at 1 m, less so many dB for each wall and floor
 * between, plus normal noise for each reception. Near the sensitivity limit hearing becomes a
 * matter of luck. Lengths are metres; floors are whole numbers; rooms are rectangles of one floor,
 * and walls stand where rooms end (one wall where two meet). Everything random comes from the seed,
 * and every device has dice of its own: adding one does not change what the others do. Pure: time
 * goes in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "payload.h"
#include "peripheral.h"

#define WORLD_ROOMS_MAX     64
#define WORLD_LISTENERS_MAX 1000
#define WORLD_DEVICES_MAX   20000
#define WORLD_NAME_SIZE     64

struct world_place {
    double x, y;
    int floor;
};

struct world_room {
    char name[WORLD_NAME_SIZE];
    double left, bottom, right, top;
    int floor;
};

struct world_radio {
    double exponent; /* of the path loss; 2 is free space */
    double noise_db; /* standard deviation of one reception */
    double wall_db, floor_db;
    double sensitivity_dbm; /* heard every second time */
    double floor_height;
};

struct world_device_options {
    uint64_t address;
    uint8_t address_type;
    char label[WORLD_NAME_SIZE]; /* for people; may be empty */
    struct world_place place;
    usec_t interval, jitter;        /* an event comes interval + [0, jitter] after the one before */
    double tx_power_dbm;            /* as received at 1 m */
    const struct payload *payloads; /* at least one; copied */
    size_t payloads_count;
    unsigned payload_events; /* each payload is sent so many times before the next; at least 1 */
    const struct world_place *path; /* copied; walked in a circle, or none */
    size_t path_count;
    double speed; /* metres a second */
    usec_t pause; /* rest at each point of the path */
    struct peripheral_options peripheral;
};

/* One advertising event as one listener heard it. payload is borrowed for the call. */
struct world_reception {
    size_t listener;
    uint64_t address;
    uint8_t address_type;
    int8_t rssi; /* dBm, never 0 */
    const struct payload *payload;
};
typedef void world_heard_fn(void *user, const struct world_reception *reception, usec_t now);

struct world;

struct world *world_new(const struct world_radio *radio, uint64_t seed);
/* Accepts NULL. */
void world_free(struct world *w);

/* Rooms and listeners first, then devices. The listener's number is returned (0, 1, …). duty is the
 * share of events that the listener's scan windows catch, 1 for all. */
void world_add_room(struct world *w, const struct world_room *room);
size_t world_add_listener(struct world *w, const struct world_place *place, double duty);

/* -EEXIST when the address is there already, -ENOSPC at the limit. */
int world_add_device(struct world *w, const struct world_device_options *options, usec_t now);

/* Each -ENOENT when there is no such device. A moved device leaves its path. */
int world_remove_device(struct world *w, uint64_t address);
int world_move_device(struct world *w, uint64_t address, const struct world_place *place);
int world_set_payloads(struct world *w, uint64_t address, const struct payload *payloads,
                       size_t count);
int world_set_interval(struct world *w, uint64_t address, usec_t interval, usec_t now);

/* ---- links ---- */

/* A listener tries to reach a device; unanswered too where it is not there, cannot be heard or has
 * another type of address. */
struct peripheral_attempt world_attempt(struct world *w, size_t listener, uint64_t address,
                                        uint8_t address_type);
/* false when the device is gone or holds as many links as it can. */
bool world_open_link(struct world *w, uint64_t address, struct peripheral_link *ret_link);
void world_close_link(struct world *w, uint64_t address);
/* Whether a link of the two would last: the device is there and loud enough. */
bool world_reaches(const struct world *w, size_t listener, uint64_t address);
/* NULL when the device is gone. */
struct gatt_server *world_gatt_server(struct world *w, uint64_t address);
/* The next attempts that would be answered fail. -ENOENT. */
int world_fail_next(struct world *w, uint64_t address, unsigned attempts, int32_t error);

/* Plays every advertising event that is due, in the order of their times. Events that are more than
 * a second late are skipped: after a stop the world does not catch up. Returns the events played.
 */
size_t world_advance(struct world *w, usec_t now, world_heard_fn *on_heard, void *user);

/* When the next event is due; USEC_NEVER in an empty world. */
usec_t world_deadline(const struct world *w);

/* NULL when there is no room of that name. */
const struct world_room *world_find_room(const struct world *w, const char *name);
struct world_place world_room_centre(const struct world_room *room);

/* Walls on the straight line between two places. */
unsigned world_walls_between(const struct world *w, const struct world_place *a,
                             const struct world_place *b);

/* Without noise. */
double world_mean_rssi(const struct world *w, const struct world_place *from,
                       const struct world_place *to, double tx_power_dbm);

/* Devices by number, 0 … count - 1; numbers change when a device is removed. */
struct world_device_view {
    uint64_t address;
    uint8_t address_type;
    const char *label; /* borrowed */
    struct world_place place;
    usec_t interval;
    uint64_t events;
    bool is_connectable;
    unsigned links; /* that it holds */
};
size_t world_device_count(const struct world *w);
struct world_device_view world_device(const struct world *w, size_t number);

/* The truth that the listener's measurements scatter about. */
double world_device_mean_rssi(const struct world *w, size_t number, size_t listener);
