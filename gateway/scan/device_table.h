/* The device table: who was heard, by whom, how loud, saying what; who speaks for it.
 *
 * Reports come in batches from sources (a source is one proxy, known here by a small number that
 * the caller gives out). The table keeps, per (device, source), the last and the smoothed RSSI,
 * when and how often; per device a merged view of all advertising data, in which each element has
 * the time and the source it was last heard from, and the last packet alone; and decides which
 * source owns the device (ownership.h) and whether it is still there (deadlines). Ownership is a
 * published preference and never a filter on data.
 *
 * Pure: `now` comes in, changes go out through one callback. No allocation per report in steady
 * state. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ble/report.h"
#include "ble/uuid.h"
#include "scan/ownership.h"

#define DEVICE_TABLE_SOURCES_MAX 4096 /* source numbers are below it */
#define SOURCE_NONE              UINT16_MAX
#define DEVICE_SCAN_RESPONSE_AGE (25 * 3600 * USEC_PER_SEC) /* two sweeps and an hour */
#define DEVICE_HOLDERS_AGE       (195 * USEC_PER_SEC) /* a source "hears" a device for so long */

struct device_table_settings {
    uint32_t devices_max;        /* beyond, the least recently heard unconfigured one goes */
    usec_t forget_after;         /* after the last packet, never before it is not available; a
                                    value goes so long after the last packet that contained it */
    usec_t forget_private_after; /* unresolved private addresses */
    usec_t stale_after;          /* availability and ownership when no interval is known, and the
                                    longest silence of an owner; 900 s */
    usec_t quiet_after;          /* a source silent for longer owns nothing; 90 s */
    usec_t tell_after;           /* DEVICE_PAYLOAD of one device is told once in this time; 0: each
                                    change */
    double margin_db;            /* of ownership, as the next five (ownership.h); 16 */
    double reclaim_db;           /* 6 */
    double ewma_alpha;           /* 0.3 */
    double strong_dbm;           /* -70 */
    double roam_factor;          /* 1.5 */
    double gone_factor;          /* 2.5 */
    uint64_t hash_seed;          /* drawn at random, so that nobody can make up addresses that
                                    collide; any value works */
};

/* Bits; several may come in one change. */
enum device_change_kind {
    DEVICE_FIRST_SEEN = 1 << 0,
    DEVICE_PAYLOAD = 1 << 1, /* an element of the merged view is new, has another value, or went;
                                the first change at once, those that follow soon together, after
                                tell_after. Every packet for itself: device_table_listen() */
    DEVICE_OWNER = 1 << 2,
    DEVICE_AVAILABILITY = 1 << 3,
    DEVICE_FORGOTTEN = 1 << 4, /* the last sight of it: gone when the callback returns */
};

struct device; /* a row; the pointer is valid until the table is called to change something */

struct device_change {
    unsigned kinds;
    const struct device *device;
    uint16_t source;        /* whose packet caused it; SOURCE_NONE: time did */
    unsigned payload_kinds; /* with DEVICE_PAYLOAD: 1 << enum ad_kind of what is new or went */
    /* with DEVICE_OWNER: */
    uint16_t owner_from; /* SOURCE_NONE: nobody */
    enum owner_why why;
    double rssi_from, rssi_to; /* smoothed, dBm; NAN: unknown */
};

/* One packet, as somebody sees it who wants all of them. */
struct device_hearing {
    const struct device *device; /* the row after the packet was taken in */
    const struct ble_report *report;
    uint16_t source;
    bool is_owner; /* the source owns the device, after this packet */
    unsigned
            payload_kinds; /* 1 << enum ad_kind of what it changed in the merged view; 0: nothing */
    usec_t heard_before;   /* the same octets from anybody; 0: not lately */
    usec_t silent_since;   /* the packet of this device before it; 0: the first one */
};

struct device_table;

typedef void device_table_change_fn(void *user, const struct device_change *change);

/* on_change is called from observe, advance and forget; it must not change the table. */
struct device_table *device_table_new(const struct device_table_settings *settings,
                                      device_table_change_fn *on_change, void *user);
void device_table_free(struct device_table *t);

/* Also calls on_hearing for every packet, after on_change; NULL ends it. For those who ask: it
 * costs. */
typedef void device_table_hearing_fn(void *user, const struct device_hearing *hearing);
void device_table_listen(struct device_table *t, device_table_hearing_fn *on_hearing);

/* What one source heard of a device within one slot of time; slots begin at multiples of
 * DEVICE_SLOT. Packets that do not say how loud they were are not in it. */
#define DEVICE_SLOT (10 * USEC_PER_SEC)
struct device_slot {
    usec_t start;
    uint32_t packets;
    double rssi; /* mean, dBm; NAN without packets */
};

/* A slot is told when its source hears the device for the first time after it, so perhaps never;
 * the last one is in struct device_source. NULL ends it. */
typedef void device_table_slot_fn(void *user, uint64_t address, uint16_t source,
                                  const struct device_slot *slot);
void device_table_on_slot(struct device_table *t, device_table_slot_fn *on_slot);

/* Calls on_watched for every packet of those devices that were chosen by device_table_watch(),
 * which may be called from on_change as well; a device stays so until it is forgotten. */
typedef void device_table_watched_fn(void *user, uint16_t source, const struct ble_report *report);
void device_table_on_watched(struct device_table *t, device_table_watched_fn *on_watched);
void device_table_watch(struct device_table *t, uint64_t address);

/* New settings from now on (devices_max and hash_seed excepted). */
void device_table_configure(struct device_table *t, const struct device_table_settings *settings);

/* A source is offline until said otherwise. Taking one offline moves nothing at once: the next
 * packet from elsewhere takes its devices over. Removing one forgets all that it heard; devices
 * that it owned have no owner until their next packet. */
void device_table_source_online(struct device_table *t, uint16_t source, bool is_online,
                                usec_t now);
void device_table_source_remove(struct device_table *t, uint16_t source);

/* The source is about to be removed: each device that it owns goes to the loudest of the others
 * that are online and heard it within its patience, and that is told. Where there is none, nothing
 * happens. */
void device_table_source_hand_over(struct device_table *t, uint16_t source, usec_t now);

/* The source begins or ends an attempt to connect, in which it does not scan. What it does not hear
 * meanwhile, for DEVICE_PAUSE_MAX at most, is no silence of its devices. Going offline ends it. */
#define DEVICE_PAUSE_MAX (30 * USEC_PER_SEC)
void device_table_source_connecting(struct device_table *t, uint16_t source, bool is_connecting,
                                    usec_t now);

/* Whether the source can carry connections; it cannot until said otherwise. Has no part in
 * ownership. */
void device_table_source_can_connect(struct device_table *t, uint16_t source, bool can_connect);

/* One batch from one source. The hot path. Reports are well formed (ble/report.h) and addresses are
 * of 48 bits. The first report of a device tells DEVICE_FIRST_SEEN and DEVICE_OWNER, which stand
 * for payload and availability as well. */
void device_table_observe(struct device_table *t, uint16_t source, const struct ble_report *reports,
                          size_t count, usec_t now);

/* A configured device is never evicted nor forgotten by time; expected_interval 0: not known (it
 * goes with the pin). The device need not be here yet. */
void device_table_pin(struct device_table *t, uint64_t address, bool is_pinned,
                      usec_t expected_interval);

/* The device needs active scanning: its owner, when it fell silent, keeps it until a window of
 * active scanning has shown that another source hears it (rescue.h). The device need not be here
 * yet. */
void device_table_set_need(struct device_table *t, uint64_t address, bool is_needed);

/* Asks for a window of active scanning on both sources, for a device that was set so. Called from
 * observe; must not change the table. */
typedef void device_table_rescue_fn(void *user, uint64_t address, uint16_t owner_source,
                                    uint16_t challenger_source);
void device_table_on_rescue(struct device_table *t, device_table_rescue_fn *on_rescue);

/* The source has listened actively for the device until now. Of others than the two that were told
 * last it is ignored. */
void device_table_covered(struct device_table *t, uint64_t address, uint16_t source, usec_t now);

/* Forgets what the device has said: its next packet is a new one, whatever it says. Owner, sources
 * and interval stay. False: it is not here. */
bool device_table_clear_history(struct device_table *t, uint64_t address);

/* Drops the device and all that is known of it; a pin and a need stay. False: it is not here. */
bool device_table_forget(struct device_table *t, uint64_t address);

/* A device is available until its interval and 5 s have passed since its last packet, or
 * stale_after when no interval is known. Where nobody who heard it can listen any more (offline,
 * connecting or quiet), it stays so until DEVICE_RESTORED_GRACE after they went.
 *
 * Does what is due (availability, forgetting), and when to call it next: a time
 * that may prove too early, never one that is too late. */
void device_table_advance(struct device_table *t, usec_t now);
usec_t device_table_deadline(const struct device_table *t);

/* ---- queries ---- */

size_t device_table_count(const struct device_table *t);
/* Those that are available. Walks the table: not for the hot path. */
size_t device_table_count_available(const struct device_table *t);
const struct device *device_table_find(const struct device_table *t, uint64_t address);

/* Walks all rows in no particular order: start with *position = 0; NULL at the end. The table must
 * not be changed meanwhile. */
const struct device *device_table_next(const struct device_table *t, size_t *position);

struct device_facts {
    uint64_t address;
    uint8_t address_type; /* of the latest packet */
    bool is_available, is_pinned;
    int8_t rssi;          /* of the owner's last packet; 0: unknown */
    double rssi_smoothed; /* of the owner; NAN: unknown */
    uint16_t owner;       /* SOURCE_NONE: nobody (its proxy was removed) */
    usec_t first_seen, last_seen;
    usec_t interval;         /* learned, else expected; 0: not known */
    usec_t interval_learned; /* 0: nothing */
    const char *name;        /* UTF-8, repaired where needed (base/utf8.h), and NUL; may hold zero
                                octets; NULL: none; borrowed */
    size_t name_size;        /* without the NUL */
    bool has_tx_power;
    int8_t tx_power;
    bool is_apple_noise;     /* merged_view.h */
    uint64_t advertisements; /* packets of all sources */
};
void device_get_facts(const struct device_table *t, const struct device *d,
                      struct device_facts *ret_facts);

/* The last packet of any source. */
struct device_packet {
    usec_t time;
    uint16_t source;
    int8_t rssi;
    bool is_parsed;
    const uint8_t *data;    /* NULL: it came parsed, there is no raw packet; borrowed */
    const uint8_t *ad_data; /* the AD structures, put together if it came parsed; borrowed */
    size_t size;            /* of ad_data */
};
void device_get_latest(const struct device_table *t, const struct device *d,
                       struct device_packet *ret_packet);

/* One source of a device; index from 0, false at the end. In order of first hearing. */
struct device_source {
    uint16_t source;
    int8_t rssi;          /* 0: unknown */
    double rssi_smoothed; /* NAN: unknown */
    usec_t last_seen;
    uint64_t advertisements;
    bool is_owner;
    bool can_connect;        /* the source could carry a connection, whatever it hears */
    struct device_slot slot; /* in which it was heard last, so far */
};
bool device_get_source(const struct device_table *t, const struct device *d, size_t index,
                       struct device_source *ret_source);

/* What keeps one source (its index as above) from owning the device. False: there is no such
 * source, it is the owner, or nobody is. */
struct device_rivalry {
    struct ownership_terms terms; /* against the owner */
    usec_t owner_silent_for;      /* it has not heard the device, although it could */
    usec_t owner_quiet_for;       /* it has heard nothing at all, although it could */
    bool is_owner_online;
    bool has_need; /* the owner keeps the device until a window of active scanning was tried */
};
bool device_get_rivalry(const struct device_table *t, const struct device *d, size_t index,
                        usec_t now, struct device_rivalry *ret_rivalry);

/* The sources through which a connection could go: online, able to connect, and they heard the
 * device within DEVICE_HOLDERS_AGE. Who owns it does not matter. The best first: by smoothed RSSI,
 * of which 1 dB is taken for each 10 s since. Fills at most max and returns how many. */
struct device_path {
    uint16_t source;
    double rssi; /* smoothed and aged, dBm; -127 and less if it never said */
};
size_t device_get_paths(const struct device_table *t, const struct device *d, usec_t now,
                        struct device_path *ret_paths, size_t max);

/* One element of the merged view; index from 0, false at the end. In order of first hearing. */
struct device_element {
    uint8_t type;    /* AD type; UUID lists come one element a UUID, as 0x03, 0x05 or 0x07 */
    uint16_t source; /* heard last from */
    usec_t last_seen;
    bool has_company; /* manufacturer data */
    uint16_t company;
    bool has_uuid; /* service data, UUID lists */
    struct ble_uuid uuid;
    const uint8_t *data; /* behind the key; borrowed; for UUID lists the UUID itself as on air */
    size_t size;
    struct bytes octets; /* as on air, key included; borrowed */
};
bool device_get_element(const struct device_table *t, const struct device *d, size_t index,
                        struct device_element *ret_element);

/* How many devices each source heard within the last DEVICE_HOLDERS_AGE: ret_counts[source] for
 * source < sources. Walks the table: not for the hot path. */
void device_table_count_heard_all(const struct device_table *t, size_t *ret_counts, size_t sources,
                                  usec_t now);

/* ---- coming back after a restart ---- */

/* What somebody remembered of a device, as the queries above told it. */
struct device_restored {
    uint64_t address;
    uint8_t address_type;
    usec_t first_seen, last_seen; /* monotonic of now (clock.h) */
    uint64_t advertisements;
    usec_t interval;             /* that was learned; 0: none */
    struct device_packet latest; /* its time and data are not looked at */
    const struct device_source *sources;
    size_t sources_count;
    const struct device_element *elements; /* type, source, last_seen and octets count */
    size_t elements_count;
};

/* Makes a row of it and tells nothing. It is available when it was heard within DEVICE_HOLDERS_AGE
 * or would still be available; nobody listened while we were away, so that it stays available for
 * DEVICE_RESTORED_GRACE at least, and is not forgotten before the table has listened for as long as
 * an unknown interval takes. What is malformed in it or beyond a bound is left out.
 *
 * False: it is here already (what is heard beats what is remembered), or every row is pinned. A
 * full table drops what was heard or restored first: restore from the least recently heard on. */
#define DEVICE_RESTORED_GRACE (60 * USEC_PER_SEC) /* proxies take a while to come back */
bool device_table_restore(struct device_table *t, const struct device_restored *r, usec_t now);

struct device_table_statistics {
    uint64_t reports; /* taken in */
    uint64_t refused; /* not taken in: of a new device while every row is pinned */
    uint64_t parses;  /* packets whose AD structures were read; an unchanged one is not */
    uint64_t evicted; /* because of devices_max */
    uint64_t forgotten;
    uint64_t elements_dropped; /* merged elements that went because of a bound */
    uint64_t owner_changes[OWNER_WHY_COUNT];
    size_t memory_bytes;
};
void device_table_get_statistics(const struct device_table *t,
                                 struct device_table_statistics *ret_statistics);

/* The same of what one source brought; from 0 again when it was removed. */
struct device_source_statistics {
    uint64_t reports, refused, parses;
    uint64_t devices_gained[OWNER_WHY_COUNT]; /* owner changes to it */
    uint64_t devices_lost;                    /* owner changes from it to another */
};
void device_table_get_source_statistics(const struct device_table *t, uint16_t source,
                                        struct device_source_statistics *ret_statistics);
