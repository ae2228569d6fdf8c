/* The slot ledger: what each connection slot of each proxy is used for, by whom, since when.
 *
 * Two accounts meet here: what we asked a proxy for, and what the proxy says (message 81,
 * esphome-protocol 5.4). Where they differ for too long, the ledger says what is to be done about
 * it: links of ours that the proxy does not have any more, and slots that nobody holds (orphans).
 * Firmware that tells numbers but no addresses is reckoned by counting. A proxy that never told its
 * slots may be tried (0 means unknown, not exhausted), one link at a time.
 *
 * Entries of ours go reserved -> establishing (-> discovering) -> open -> closing -> gone. At most
 * one entry of a proxy is establishing. Pure: `now` comes in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define LEDGER_ADDRESSES_MAX 16                  /* that a proxy may list, or we may hold there */
#define LEDGER_HOLD_OFF      (10 * USEC_PER_SEC) /* longest, after a failure, while listed */
#define LEDGER_SETTLE        (2 * USEC_PER_SEC)  /* the same for what is not listed then */
#define LEDGER_ORPHAN_AFTER  (5 * USEC_PER_SEC)  /* listed, and nobody's, for so long */
#define LEDGER_ORPHAN_AGAIN  (10 * USEC_PER_SEC) /* then told again, as long as it stays */

enum slot_holder { SLOT_OURS, SLOT_FOREIGN, SLOT_ORPHAN };
enum slot_phase { SLOT_RESERVED, SLOT_ESTABLISHING, SLOT_DISCOVERING, SLOT_OPEN, SLOT_CLOSING };

/* "ours", "foreign", "orphan". Static storage. */
const char *slot_holder_name(enum slot_holder holder);

struct ledger_slot {
    uint64_t address;
    enum slot_holder holder;
    enum slot_phase phase; /* of ours */
    bool is_listed;        /* in the proxy's last list */
    usec_t since;          /* held so */
};

struct ledger_proxy {
    bool is_online;
    bool has_slots;     /* limit and told_free are known */
    bool tells_list;    /* it named addresses in this conversation */
    bool is_consistent; /* its last list is as long as its numbers say, and names each once */
    uint32_t limit, told_free; /* told_free is at most limit */
    uint32_t free; /* that may be reserved now; UINT32_MAX: not known, none is forbidden */
    unsigned ours, foreign, orphans;
    unsigned in_progress; /* ours, reserved or establishing */
    bool is_establishing;
    unsigned discovering; /* ours, whose link stands on the radio; "connected" is still to come */
};

struct ledger;

struct ledger *ledger_new(void);
void ledger_free(struct ledger *l); /* accepts NULL */

/* A conversation begins: nothing of an earlier one is true any more (esphome-protocol 5.5: all
 * links end with the conversation). */
void ledger_online(struct ledger *l, uint16_t source, usec_t now);
/* It ended: its slots are gone; nothing can be reserved. */
void ledger_offline(struct ledger *l, uint16_t source);

/* Message 81. Addresses beyond LEDGER_ADDRESSES_MAX are left out, repeated ones count once; a list
 * with either is not consistent. Ignored without a conversation. */
void ledger_told(struct ledger *l, uint16_t source, uint32_t limit, uint32_t free,
                 const uint64_t *addresses, size_t count, usec_t now);

/* Takes a slot for an attempt. 0, E_PROXY_OFFLINE, E_NO_FREE_SLOT, or E_CONFLICT: the address has
 * an entry of ours there already, or is held off. An address that the proxy lists already shares
 * the slot that it has. */
int ledger_reserve(struct ledger *l, uint16_t source, uint64_t address, usec_t now);
/* The request to connect is sent. false: another one is establishing there, or the address is not
 * reserved (any more). */
bool ledger_establish(struct ledger *l, uint16_t source, uint64_t address, usec_t now);
/* The radio of the proxy is free again, although it has not said connected: it asks the device for
 * its services meanwhile, and another one may establish. Nothing if none is establishing. */
void ledger_discovering(struct ledger *l, uint16_t source, usec_t now);
/* The proxy said connected. Ignored unless the address is establishing or
 * discovering. */
void ledger_opened(struct ledger *l, uint16_t source, uint64_t address, usec_t now);
/* A disconnect was sent: it still counts as taken, and does not count as establishing. */
void ledger_closing(struct ledger *l, uint16_t source, uint64_t address, usec_t now);
/* The proxy said that it is not connected, or nothing was ever sent: our entry goes. If the proxy
 * still lists the address it counts as taken until it left the list. is_failure: it was an attempt
 * that failed, so that the address is held off there. Unknown ones are ignored. */
void ledger_released(struct ledger *l, uint16_t source, uint64_t address, bool is_failure,
                     usec_t now);

/* Until when the address may not be tried there; 0: it may. For one that was listed when it failed,
 * or came into the list since, it ends as soon as a consistent list is without it; for any other
 * after LEDGER_SETTLE. Of the addresses asked for, the newest 64 of a proxy are remembered. */
usec_t ledger_held_off(const struct ledger *l, uint16_t source, uint64_t address, usec_t now);

void ledger_get_proxy(const struct ledger *l, uint16_t source, usec_t now,
                      struct ledger_proxy *ret_proxy);
/* All slots of a proxy that are taken; index from 0, false at the end. Ours first. Orphans are
 * those that were ones at the last moment that the ledger was told. */
bool ledger_get_slot(const struct ledger *l, uint16_t source, size_t index,
                     struct ledger_slot *ret_slot);

/* What the accounts differ in, one thing a call; to be asked after ledger_told() and when
 * ledger_deadline() has come, until it returns false. */
enum ledger_finding {
    LEDGER_LOST,         /* ours and open, and a consistent list does not have it: end it (X05) */
    LEDGER_ORPHANED,     /* nobody's, or its device has its link elsewhere (X06): disconnect it.
                            Told again every 10 s while it stays. */
    LEDGER_INCONSISTENT, /* list and numbers do not fit; once a conversation; nothing to do, and
                            no address (0). What it lists is not judged until they fit again. */
};
bool ledger_find(struct ledger *l, usec_t now, enum ledger_finding *ret_finding,
                 uint16_t *ret_source, uint64_t *ret_address);
/* When something may become free, orphaned or allowed without a message (it is past while there are
 * findings that were not asked for); USEC_NEVER: nothing. Cheap. */
usec_t ledger_deadline(const struct ledger *l);
