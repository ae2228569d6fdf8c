/* The radio of one source, as far as scanning goes: what it shall do, what it was told, what it
 * says of itself, and whether it still brings packets. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/heap.h"
#include "scan/airtime.h"
#include "scan/windows.h"

#define RADIO_SETTLE  (1 * USEC_PER_SEC)  /* packets of the former mode may still be on their way */
#define RADIO_SILENCE (10 * USEC_PER_SEC) /* none for so long after a change of mode is a fault */

enum radio_ability {
    RADIO_ABLE,   /* a window can open here */
    RADIO_COVERS, /* scans actively all the time, and does so now */
    RADIO_OFFLINE,
    RADIO_CONNECTING,
    RADIO_CANNOT,    /* its firmware cannot change the mode */
    RADIO_FORBIDDEN, /* it is set to passive */
    RADIO_NOT_YET,   /* set to active, but does not say that it scans so */
};

struct radio {
    uint16_t source;
    enum scan_mode wanted;
    bool can_set_mode, is_online, is_connecting;
    enum scan_reported reported; /* UNKNOWN as well when a command shall change it */
    bool is_running;
    usec_t reported_since;        /* the mode */
    enum scan_reported commanded; /* last, in this conversation; UNKNOWN: nothing */
    usec_t commanded_at;
    usec_t heard_at; /* packets of any device; 0: none yet */
    usec_t check_at; /* whether packets come; 0: no check is due */
    usec_t sweep_at; /* USEC_NEVER: none is due */
    usec_t stagger;  /* of the first sweep */
    bool has_swept;
    bool is_warned;             /* that it cannot serve a need */
    const char *told;           /* the last reason for a refusal that was told; static storage */
    struct open_window *window; /* ours; NULL: none is open */
    struct airtime airtime;
    struct heap_node node; /* among all radios, by deadline */
};

enum radio_ability radio_ability(const struct radio *r);
/* Why no window can open here; NULL for RADIO_ABLE and RADIO_COVERS. Static storage. */
const char *radio_ability_sentence(enum radio_ability ability);

/* It scans actively and says so. */
bool radio_is_active(const struct radio *r);
/* What it brings now was heard passively, for sure. */
bool radio_is_passive(const struct radio *r, usec_t now);

/* The mode that it has outside of windows. */
bool radio_wants_active(const struct radio *r);
/* Commands, if it can be commanded. */
void radio_command(struct radio *r, bool is_active, const struct windows_calls *calls, void *user,
                   usec_t now);
/* Commands the wanted mode unless that was the last command. When that ends active scanning, and
 * the radio brought packets (since `before`), it must go on bringing some. */
void radio_restore(struct radio *r, usec_t before, const struct windows_calls *calls, void *user,
                   usec_t now);

/* It came or went: what was said and commanded before is void. */
void radio_set_online(struct radio *r, bool is_online);
void radio_set_connecting(struct radio *r, bool is_connecting, usec_t now);
void radio_report(struct radio *r, enum scan_reported mode, bool is_running, usec_t now);
void radio_hear(struct radio *r, usec_t now);
/* The check is due. True: it is silent, for no reason that is known. */
bool radio_check(struct radio *r, usec_t now);
