/* A gateway for tests of the frontends: its facts are set by hand, its time stands still until it
 * is moved, and a turn of its loop is one call. */
#pragma once

#include "gateway/gateway.h"

#define FAKE_ELEMENTS_MAX 12
#define FAKE_SOURCES_MAX  4
#define FAKE_WINDOWS_MAX  64
#define FAKE_NEEDS_MAX    8
#define FAKE_SLOTS        4
#define FAKE_PAST_MAX     16
#define FAKE_START        (100 * USEC_PER_SEC)             /* now, at the beginning */
#define FAKE_WALL         ((int64_t) 1795255200 * 1000000) /* 2026-11-21T10:00:00Z, at FAKE_START */

struct fake_device {
    struct gateway_device facts;
    struct gateway_element elements[FAKE_ELEMENTS_MAX];
    size_t elements_count;
    struct gateway_source sources[FAKE_SOURCES_MAX];
    size_t sources_count;
    bool has_packet;
    struct gateway_packet packet;
    bool is_cleared; /* its history, by gateway_clear_history() */
    /* Of each source: what it lacks, what it missed, and its loudness from slots_start on. */
    bool has_rivalry[FAKE_SOURCES_MAX];
    struct gateway_rivalry rivalries[FAKE_SOURCES_MAX];
    uint32_t heard[FAKE_SOURCES_MAX], lost[FAKE_SOURCES_MAX];
    usec_t slots_start;
    struct gateway_slot slots[FAKE_SOURCES_MAX][FAKE_SLOTS];
    struct gateway_packet payloads[FAKE_PAST_MAX];
    size_t payloads_count;
    struct gateway_past_owner owners[FAKE_PAST_MAX];
    size_t owners_count;
    bool is_truncated;
};

/* A configuration from JSON text; fails the test when it is not valid. config_free() it. */
struct config *fake_config(const char *text);

struct gateway *fake_gateway_new(const struct config *config);

/* What gateway_get_keeping() says. */
void fake_gateway_keep(struct gateway *g, const struct gateway_keeping *keeping);
void fake_gateway_free(struct gateway *g); /* fails when a timer or a subscription is left */

/* The proxies of the configuration, to be changed at will; they begin online. */
struct gateway_proxy *fake_gateway_proxy(struct gateway *g, size_t index);
size_t fake_gateway_reconnects(const struct gateway *g, size_t index);

/* What mDNS found from now on, in order of the names; borrowed. */
void fake_gateway_discover(struct gateway *g, const struct gateway_discovered *items, size_t count);

/* Its figures, and those of a proxy, to be changed at will; zeros at the beginning. */
struct gateway_statistics *fake_gateway_statistics(struct gateway *g);
struct histogram *fake_gateway_loop_lag(struct gateway *g);
struct gateway_proxy_statistics *fake_gateway_proxy_statistics(struct gateway *g, size_t index);
/* The only cause for which the proxy failed, and how often. The token is borrowed. */
void fake_gateway_set_failure(struct gateway *g, size_t index, const char *token, uint64_t count);

/* A device that was heard just now and is available. */
struct fake_device *fake_gateway_add(struct gateway *g, uint64_t address);
void fake_gateway_remove(struct gateway *g, uint64_t address);
/* Reads AD structures into the device: elements, name and packet, as heard by this proxy. The
 * octets must live on. */
void fake_gateway_hear(struct gateway *g, struct fake_device *d, const char *proxy,
                       const uint8_t *data, size_t size);

/* Publishes a change of the device, at the present time; of its owner too (NULL: not). */
void fake_gateway_change(struct gateway *g, unsigned reasons, const struct fake_device *d);
void fake_gateway_change_owner(struct gateway *g, unsigned reasons, const struct fake_device *d,
                               const struct gateway_owner_change *owner);

/* Publishes a packet of the device; time and device are filled in, and the proxy's name if it is
 * NULL. is_heard: somebody listens to packets. */
void fake_gateway_packet(struct gateway *g, const struct fake_device *d,
                         const struct gateway_hearing *hearing);
bool fake_gateway_is_heard(const struct gateway *g);

/* What every recording holds, before it is looked for; borrowed. */
void fake_gateway_record(struct gateway *g, struct gateway_recorded *recorded, size_t count);

/* The replay that runs comes to its end: cancelled if somebody did, else with this result. */
void fake_gateway_end_replay(struct gateway *g, const struct gateway_replay_result *result);

/* Publishes a change of the proxy. */
void fake_gateway_change_proxy(struct gateway *g, enum gateway_proxy_reason reason, size_t index);

/* Windows open at once, on proxies that are online and in mode auto, and are refused elsewhere; one
 * at a time on a proxy, joined by whoever comes, until it is closed here. */
void fake_gateway_close_windows(struct gateway *g);
/* Publishes a change of the window with this number. */
void fake_gateway_change_window(struct gateway *g, const char *action, uint64_t number);
/* A need of 10 s each 300 s that waits, to be changed at will. */
struct gateway_need *fake_gateway_need(struct gateway *g, uint64_t address);
/* Makes gateway_needs_count() say that there are so many more. */
void fake_gateway_claim_needs(struct gateway *g, size_t count);
/* Figures of scanning, to be changed at will. */
struct gateway_scan_statistics *fake_gateway_scan_statistics(struct gateway *g);

/* Changes of tokens wait for the store from now on, one at a time, until it has written (0) or
 * could not (a negative cause). */
void fake_gateway_wait_for_store(struct gateway *g);
void fake_gateway_store_wrote(struct gateway *g, int cause);

/* A change of the configuration that somebody asked for and that is under way. */
struct fake_order {
    struct gateway_change *change; /* NULL: cancelled */
    uint64_t address;              /* of a device */
    bool is_removal;
    size_t proxy_index;
    char text[512]; /* the patch, or the mode */
    char pointer[32];
    char entry[80];   /* of a list; "": none */
    const char *what; /* "change", "restore", "versions", "version"; of the whole configuration */
    enum config_edit_kind kind;
    char if_match[32];
    int version;
};
/* The oldest; NULL: there is none. */
const struct fake_order *fake_gateway_order(const struct gateway *g);
/* The oldest ends like this; nothing is changed by it. */
void fake_gateway_finish_order(struct gateway *g, int cause, const struct config_edited *edited);
/* What the next orders are refused with; 0: not. */
void fake_gateway_refuse_orders(struct gateway *g, int cause);

/* Another configuration, owned by the caller, runs from now on; tells of it. */
void fake_gateway_reconfigure(struct gateway *g, const struct config *config);

/* One turn of the loop: what is due now is called; what that starts waits for the next turn. */
void fake_gateway_turn(struct gateway *g);
/* From now on each question for the time moves it so far, as it does where code takes its time. */
void fake_gateway_let_time_pass(struct gateway *g, usec_t step);
/* Moves time, in one step, and takes a turn. */
void fake_gateway_advance(struct gateway *g, usec_t span);

/* Backup, restore and restart: what was asked for, and what may be. */
struct fake_backups {
    char path[300], passphrase[300]; /* of what was asked for last; "(none)" */
    char upload[300];                /* what gateway_upload_path() says; "": NULL */
    bool is_asked;                   /* for a backup, which waits for its end */
    bool can_restart;
    unsigned restarts;
};
struct fake_backups *fake_gateway_backups(struct gateway *g);
/* What was asked for ends so. */
void fake_gateway_end_backup(struct gateway *g, int cause, const struct gateway_backup *backup);
void fake_gateway_end_restore(struct gateway *g, int cause,
                              const struct gateway_restored *restored);
