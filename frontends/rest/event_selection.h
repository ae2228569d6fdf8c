/* Which packets become events: the modes of readers, shared by all that ask for the same.
 *
 * A selection is one rule with its readers. Each packet is held against all selections; the answer
 * is a set of bits, and it becomes an event once if any bit is set. Rules that thin (interval,
 * rssi) tell the first packet at once, hold the newest back and tell it when its time comes. A
 * selection goes on for SELECTION_LINGER after its last reader has left, so that one who comes
 * back finds what it missed. Pure: now is an argument. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/gateway.h"

#define SELECTIONS_MAX   64 /* bits of a set */
#define SELECTION_LINGER (300 * USEC_PER_SEC)
#define SELECTION_OWN    (60 * USEC_PER_SEC) /* octets that nobody brought for so long are news */

enum selection_mode {
    SELECTION_CHANGE,   /* the payload differs */
    SELECTION_ALL,      /* every packet */
    SELECTION_INTERVAL, /* per device the newest, each span */
    SELECTION_REAPPEAR, /* the first after a silence of span, whoever brings it */
    SELECTION_RSSI,     /* per device and proxy the newest loudness, each span; every proxy */
};

struct selection_rule {
    enum selection_mode mode;
    usec_t span;
    bool only_owner; /* packets of the owner, and news whoever brings them */
};
/* Packets of noise (gateway.h) pass SELECTION_ALL and SELECTION_RSSI alone. */

/* A packet that was held back, as it was heard. Its device may have changed since. */
struct selection_packet {
    uint64_t address;
    const char *address_type; /* static */
    usec_t time;
    uint32_t proxy_id;
    int rssi;
    double rssi_smoothed;
    bool is_owner, is_parsed;
    size_t size;
    uint8_t data[];
};

struct selections;

/* Tells a packet whose time has come, to these selections (all of one mode). */
typedef void selection_due_fn(void *user, uint64_t bits, bool is_rssi,
                              const struct selection_packet *packet);

/* devices_max: how many devices each selection remembers; of more, the one that is due first is
 * told early and forgotten. on_due is called from hear and advance. */
struct selections *selections_new(size_t devices_max, uint64_t seed, selection_due_fn *on_due,
                                  void *user);
void selections_free(struct selections *s); /* accepts NULL */

/* A reader comes: the index of its selection, which is its bit in the sets. next: the number of the
 * next event. E_OVERLOADED when there are too many different rules. */
int selections_join(struct selections *s, const struct selection_rule *rule, uint64_t next,
                    size_t *ret_index);
void selections_leave(struct selections *s, size_t index, usec_t now);

/* The number of the first event that this selection has judged. */
uint64_t selections_since(const struct selections *s, size_t index);

/* True when somebody has to be told of packets. */
bool selections_any(const struct selections *s);

/* One packet: the selections that it passes now, for advertisement and for rssi events. */
void selections_hear(struct selections *s, const struct gateway_hearing *hearing,
                     uint64_t *ret_advertisement, uint64_t *ret_rssi);

/* Tells what is due, and ends what nobody wants any more. */
void selections_advance(struct selections *s, usec_t now);
