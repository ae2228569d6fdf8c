/* The connection slots of a proxy's firmware: what is asked for a device (message 68 and those of
 * its link), the life of each slot, and what is told of it (esphome-protocol 5.4 to 5.7).
 *
 * A slot is free, or held (it has an address and does nothing), waiting for the scanner to stop,
 * connecting (one of all slots at a time), discovering, connected, disconnecting (the air is being
 * closed) or closing (the controller is). Generations of firmware differ in their options. What is
 * done on a link is the gatt_client's; bonds are kept here and survive everything.
 *
 * Pure: time goes in, messages come out, the devices are those of a world. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "bonds.h"
#include "esphome/message.h"
#include "gatt_client.h"
#include "luck.h"
#include "world.h"

#define SLOTS_MAX      9
#define SLOTS_GIVE_UP  (20 * USEC_PER_SEC) /* of the Bluetooth stack, where nobody answers */
#define SLOTS_KEPT_MAX 16                  /* lists of services that a proxy keeps */

/* The addresses of message 81. */
enum slots_list {
    SLOTS_LIST_RIGHT,
    SLOTS_LIST_ABSENT,  /* numbers alone, as old firmware */
    SLOTS_LIST_LONGER,  /* one that has no slot besides */
    SLOTS_LIST_SHORTER, /* the last is left out */
    SLOTS_LIST_OTHER,   /* another instead of the last */
};
/* "right", "absent", "longer", "shorter", "other". */
bool slots_list_from_name(const char *name, enum slots_list *ret_list);

struct slots_options {
    uint32_t limit; /* at most SLOTS_MAX */
    enum slots_list list;
    bool is_early_release;     /* a slot is free at DISCONNECT, while the controller still closes:
                                  who reconnects before it has is refused with 0x0d */
    bool is_double_disconnect; /* message 69 at DISCONNECT and again at CLOSE, with another error */
    bool is_silent_connecting; /* an attempt that fails is not told, and lasts until DISCONNECT */
    bool is_leaking;           /* a slot that was connected is free after DISCONNECT alone */
    bool is_mtu_stale;         /* with cache: the MTU of the slot's last link instead of 23 */
    bool is_pair_silent;       /* no answer to PAIR where there is no link */
    bool has_first_version;    /* of connecting: the proxy writes CCCDs itself */
    bool keeps_services;       /* of a device, from the first discovery until CLEAR_CACHE */
    struct gatt_client_options gatt;
    struct luck_span close; /* from DISCONNECT to CLOSE */
    usec_t give_up;         /* 0: SLOTS_GIVE_UP */
    double refusal;         /* share of requests that are answered as if no slot were free */
    double failure;         /* share of attempts that fail at this proxy */
    struct luck_errors failures;
};

/* Hands out a message, for whoever is to get what the proxy says: 0, or negative when it was not
 * taken. Must not call the slots. */
typedef int slots_send_fn(void *user, const struct message *message);

struct slots;

/* world is borrowed, outlives the slots and knows the proxy as listener; NULL: nobody is there. */
struct slots *slots_new(const struct slots_options *options, struct world *world, size_t listener,
                        uint64_t seed, slots_send_fn *on_send, void *user);
/* Accepts NULL. */
void slots_free(struct slots *s);

/* Power on: links end without a word, all slots are free, bonds and kept services are still there.
 */
void slots_restart(struct slots *s);
/* The client that owned the proxy is gone: all links end within 100 ms, and nobody is told. */
void slots_abandon(struct slots *s, usec_t now);

/* Messages 68, 70, 73, 75 to 78 and 145; others are ignored. */
void slots_receive(struct slots *s, const struct message *message, usec_t now);

/* Message 81 as it is now; borrows from ret_addresses. */
struct message slots_message(const struct slots *s, uint64_t ret_addresses[SLOTS_MAX + 1]);

/* Whether the scanner has to pause: somebody waits or is connecting. slots_begin() tells that it
 * does; the first in line begins, if nobody is connecting. */
bool slots_need_silence(const struct slots *s);
void slots_begin(struct slots *s, usec_t now);

void slots_tick(struct slots *s, usec_t now);
usec_t slots_deadline(const struct slots *s);

/* ---- what goes wrong ---- */

/* The link to the device breaks. -ENOENT when there is none. */
int slots_drop(struct slots *s, uint64_t address, int32_t error, usec_t now);
/* A slot is held for an address, by nobody (it leaked) or by somebody else's link. -ENOSPC,
 * -EEXIST. */
int slots_leak(struct slots *s, uint64_t address);
int slots_occupy(struct slots *s, uint64_t address, usec_t now);

/* ---- for those who watch ---- */

struct slots_view {
    uint64_t address;
    const char *state; /* "held", "waiting", "connecting" …; static storage */
    bool is_foreign;   /* made by slots_occupy() */
    bool is_paired;
    size_t waiting; /* operations that the device has not answered */
};
/* The devices that the proxy is bonded with, by address. */
const struct bonds *slots_bonds(const struct slots *s);

/* index from 0; false at the end. Free slots are left out; at the end stand those that were freed
 * early and that the controller has not closed ("released"). */
bool slots_view(const struct slots *s, size_t index, struct slots_view *ret_view);
