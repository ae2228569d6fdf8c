/* When which topic of a device is due. Pure: time comes in, "send this now" comes out.
 *
 * A device that is published has a state and an availability, both retained. What waits is a mark
 * and a time per device, never a payload: the caller writes the newest state at the moment of
 * sending, so that a dead or slow broker costs no memory beyond these rows. A changed state is due
 * at once, but not earlier than min_interval after the last one; for RSSI alone a device is looked
 * at each rssi_interval. A name that is no longer in use (device forgotten, renamed, not published
 * any more, or left behind by an earlier run) stays as a grave until its topics are cleared.
 * Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct states_settings {
    usec_t min_interval;  /* between two states of a device */
    usec_t rssi_interval; /* 0: never for RSSI alone */
    size_t graves_max;    /* beyond, a name stays uncleared until it is adopted again */
};

enum states_what {
    STATES_STATE,              /* the newest state, now */
    STATES_RSSI,               /* the newest state, if its RSSI is not the one last sent */
    STATES_AVAILABILITY,       /* the newest availability */
    STATES_CLEAR_AVAILABILITY, /* an empty payload */
    STATES_CLEAR_STATE,        /* the same; always after the former */
};

struct states_item {
    enum states_what what;
    uint64_t address; /* not when a name is cleared */
    const char *name; /* level of the topic; valid until the next call that is not const */
    int rssi;         /* last sent, with STATES_RSSI */
};

struct states;

struct states *states_new(const struct states_settings *settings);
void states_free(struct states *s); /* accepts NULL */

/* The device is published under this name: its first time everything is due, and under a new name
 * the old one is cleared. */
void states_publish(struct states *s, uint64_t address, const char *name, usec_t now);

/* The device is forgotten or no longer published: its topics are cleared. */
void states_withdraw(struct states *s, uint64_t address, usec_t now);

/* False: not published. */
bool states_is_published(const struct states *s, uint64_t address);
/* NULL: not published. */
const char *states_name(const struct states *s, uint64_t address);

/* All names become graves that are due now, those of earlier runs too. */
void states_clear_all(struct states *s, usec_t now);

/* Something worth a state changed. No effect on devices that are not published. */
void states_changed(struct states *s, uint64_t address, usec_t now);
void states_availability_changed(struct states *s, uint64_t address, usec_t now);

/* The broker has a topic of this name: unless a device has that name by `due`, it is cleared. */
void states_adopt(struct states *s, const char *name, usec_t due);

/* Everything is due again, spread evenly over this span. */
void states_republish(struct states *s, usec_t now, usec_t spread);

/* What is due now; false: nothing. It stays due until states_done(). */
bool states_next(const struct states *s, usec_t now, struct states_item *ret_item);

/* Whether a change of now could be told now: the device is published and said to be available or
 * not, and the interval is over. For who has the state's text at hand already; then states_done().
 */
bool states_may_tell(const struct states *s, uint64_t address, usec_t now,
                     struct states_item *ret_item);

/* The item was sent, or (STATES_RSSI) found not worth it; rssi is what the state said. With
 * STATES_CLEAR_STATE the name is gone. */
void states_done(struct states *s, const struct states_item *item, int rssi, usec_t now);

/* When the next item is due; USEC_NEVER: none. */
usec_t states_deadline(const struct states *s);

/* Devices published, names to be cleared, and how many graves were refused. */
size_t states_count(const struct states *s);
size_t states_graves_count(const struct states *s);
uint64_t states_graves_refused(const struct states *s);
/* Devices of which something is due now. */
size_t states_waiting_count(const struct states *s);
