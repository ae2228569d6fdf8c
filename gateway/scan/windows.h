/* Windows: spans of time in which a proxy scans actively, and the needs that ask for them.
 *
 * An active scan makes devices say more (the scan response) and costs their batteries. So a source
 * whose wanted mode is `auto` listens passively and is switched to active for short windows only:
 * for standing needs ("this device, each 300 s, for 10 s"), for sweeps over everybody, for requests
 * of people, and to save a device from changing hands for the wrong reason (rescue). One object
 * serves the whole fleet. There is one window at a time on a source; whatever else is wanted there
 * meanwhile joins it.
 *
 * A window counts from the moment at which the proxy said itself that it is active and running. It
 * ends early when every device that it is for has answered: was heard by this source with a packet
 * longer than any that came while sources listened passively. (The length is all that tells. It is
 * kept for each need, as the longest packet of a source that had reported passive mode. A device
 * whose packets never get longer never answers, and its windows run their whole length.)
 *
 * Not here: what the air says (asked through the table of calls), sockets, names of proxies: a
 * source is a small number, as in device_table.h. Pure: `now` comes in, commands and events go out
 * through callbacks. Time that goes backwards is taken as standing still. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "scan/scan_window.h"

#define WINDOWS_SOURCES_MAX  4096 /* source numbers are below it */
#define WINDOWS_NO_SOURCE    UINT16_MAX
#define WINDOWS_DURATION_MIN (5 * USEC_PER_SEC) /* every window wants to be between these */
#define WINDOWS_DURATION_MAX (35 * USEC_PER_SEC)
#define WINDOWS_INTERVAL_MIN (60 * USEC_PER_SEC) /* of needs */
#define WINDOWS_INTERVAL_MAX (86400 * USEC_PER_SEC)

struct windows_settings {
    usec_t coalesce;       /* needs due within this time share a window; 40 s */
    usec_t confirm;        /* active and running must be reported within; 2 s */
    usec_t retry;          /* to the next try of what could not open; 30 s */
    usec_t budget;         /* active time of a source in an hour; 0: no limit; 900 s */
    usec_t sweep_interval; /* a source without a window for so long sweeps; 0: never; 12 h */
    usec_t sweep_first;    /* from joining to the first sweep; 240 s */
    usec_t sweep_duration; /* 15 s */
    size_t needs_max;      /* 10,000 */
};

/* Wanted of a source. */
enum scan_mode {
    SCAN_PASSIVE,
    SCAN_ACTIVE,
    SCAN_AUTO, /* passive, with windows */
};

/* What a source says of itself. */
enum scan_reported {
    SCAN_REPORTED_UNKNOWN,
    SCAN_REPORTED_PASSIVE,
    SCAN_REPORTED_ACTIVE,
};

enum windows_warning {
    WINDOWS_PASSIVE_ONLY, /* the source owns a device with a need (address) and cannot open windows;
                             once a source while there are needs */
    WINDOWS_SILENT, /* it brought packets, went back from active to passive, and has brought none
                       since; the mode was commanded again, once (address is 0) */
};

/* All are needed. They are called from inside windows_* and may ask, but change nothing here. */
struct windows_calls {
    /* Sends message 127. Only for sources that are online and can set their mode. */
    void (*set_mode)(void *user, uint16_t source, bool is_active);
    void (*on_window)(void *user, enum scan_window_action action, const struct scan_window *window,
                      usec_t now);
    /* The device was really listened for, actively, by this source: a window that it was in is done
     * (also one that ended early), or the source is active all the time. */
    void (*on_covered)(void *user, uint64_t address, uint16_t source, usec_t now);
    void (*on_warning)(void *user, enum windows_warning warning, uint16_t source, uint64_t address);

    /* Who speaks for the device; WINDOWS_NO_SOURCE: nobody. */
    uint16_t (*get_owner)(void *user, uint64_t address);
    /* The sources that hear the device these days, index from 0, in any order; false at the end.
     * rssi is in dBm, NAN: unknown. */
    bool (*get_hearer)(void *user, uint64_t address, size_t index, uint16_t *ret_source,
                       double *ret_rssi);
};

struct windows;

/* calls is copied. */
struct windows *windows_new(const struct windows_settings *settings,
                            const struct windows_calls *calls, void *user);
/* Commands and tells nothing. NULL is allowed. */
void windows_free(struct windows *w);

/* New settings from now on; running windows keep theirs. */
void windows_configure(struct windows *w, const struct windows_settings *settings, usec_t now);

/* Ends all windows (failed), commands every source its own mode, and opens nothing from now on. */
void windows_stop(struct windows *w, usec_t now);

/* Does what is due, and when to call it next: a time that may prove too early, never one that is
 * too late. It may have passed already; ask after each call that changes something. */
void windows_advance(struct windows *w, usec_t now);
usec_t windows_deadline(const struct windows *w);

/* ---- sources: all but add ignore a source that was not added ---- */

/* A source is offline until said otherwise. Adding one that is here changes both values. */
void windows_source_add(struct windows *w, uint16_t source, enum scan_mode wanted,
                        bool can_set_mode, usec_t now);
/* Its window fails, needs go elsewhere; past windows of it are dropped, since its number may be
 * given out again. */
void windows_source_remove(struct windows *w, uint16_t source, usec_t now);

/* Online means that commands can be sent and packets come. Coming online commands the source its
 * own mode, since firmware forgets it. Going offline lets a window fail; what it was for is due at
 * once elsewhere. */
void windows_source_online(struct windows *w, uint16_t source, bool is_online, usec_t now);
/* A link is being established, during which the radio does not scan: nothing opens there. */
void windows_source_connecting(struct windows *w, uint16_t source, bool is_connecting, usec_t now);
/* The wanted mode; takes effect at once. Passive ends a window (failed). */
void windows_source_want(struct windows *w, uint16_t source, enum scan_mode wanted, usec_t now);
/* Whether its firmware can change the mode, as learned from the proxy. One that cannot is never
 * scheduled. */
void windows_source_can_set_mode(struct windows *w, uint16_t source, bool can_set_mode, usec_t now);
/* Message 126 came. is_running: its state is RUNNING. */
void windows_source_state(struct windows *w, uint16_t source, enum scan_reported mode,
                          bool is_running, usec_t now);
/* Packets came, of whatever devices; once for each batch. */
void windows_source_heard(struct windows *w, uint16_t source, usec_t now);

/* A packet of a device came; size counts its advertising data in octets. Cheap for devices without
 * a need on sources without a window, so that it may be called for every packet (behind
 * device_table_observe, so that the owner is known). */
void windows_heard(struct windows *w, uint16_t source, uint64_t address, size_t size, usec_t now);

/* ---- needs ---- */

/* Tokens of the schema. */
enum scan_need_state {
    SCAN_NEED_WAITING,
    SCAN_NEED_DUE,
    SCAN_NEED_RUNNING,  /* in a window */
    SCAN_NEED_DEFERRED, /* it could not open or failed, and is tried again */
    SCAN_NEED_NO_CAPABLE_PROXY,
};
/* "waiting", "due", "running", "deferred", "no_capable_proxy". Static storage. */
const char *scan_need_state_name(enum scan_need_state state);

struct scan_need {
    uint64_t address;
    usec_t interval; /* from start to start of its windows */
    usec_t duration;
    uint16_t source; /* who runs it now, or ran it last; WINDOWS_NO_SOURCE: nobody yet */
    enum scan_need_state state;
    usec_t next_due;      /* 0: while it runs */
    uint64_t last_window; /* 0: none yet */
    uint64_t answered;    /* windows and, on sources that are always active, intervals */
    uint64_t missed;
    unsigned missed_in_a_row; /* from WINDOWS_SILENT_AFTER on it makes no window longer for others
                               */
    const char *detail;       /* why it is deferred; NULL: nothing to say; static storage */
};
#define WINDOWS_SILENT_AFTER 5

/* Adds a need, due at once, or changes one (then due after the new interval at the latest).
 * E_INVALID_REQUEST: outside the limits above; E_QUEUE_FULL: too many needs. */
int windows_need_set(struct windows *w, uint64_t address, usec_t interval, usec_t duration,
                     usec_t now);
/* A window that runs for it goes on. False: there was none. */
bool windows_need_end(struct windows *w, uint64_t address, usec_t now);
/* False: no such need. */
bool windows_need_get(const struct windows *w, uint64_t address, struct scan_need *ret_need);
/* All, in no particular order: start with *position = 0; false at the end. The needs must not be
 * changed meanwhile. */
bool windows_need_next(const struct windows *w, size_t *position, struct scan_need *ret_need);
size_t windows_need_count(const struct windows *w);

/* ---- windows on demand ---- */

/* Opens a window now, or joins the one that is open there, which is extended if that makes its end
 * more than 1 s later. address 0: for all, runs its whole length. The duration is clamped. Needs,
 * sweeps and rescues are bound by the budget; what people ask for only counts into it.
 *
 * 0: *ret_id is the window (look at it with windows_get); 0 for a rescue that needs none, because
 * the source is active all the time. E_SCAN_REFUSED: *ret_id is the refused window, whose detail
 * says why. E_PROXY_NOT_FOUND: no such source; *ret_id is untouched. */
int windows_open(struct windows *w, uint16_t source, enum scan_cause cause, uint64_t address,
                 usec_t duration, usec_t now, uint64_t *ret_id);

/* The same for all devices on every source in auto mode that is free; passes over the others. The
 * count of windows that run for it; the first ids_max of their ids are given out. */
size_t windows_discover(struct windows *w, usec_t duration, usec_t now, uint64_t *ret_ids,
                        size_t ids_max);

/* False: no such window, or no longer. */
bool windows_get(const struct windows *w, uint64_t id, struct scan_window *ret_window);
/* The newest window with a smaller id than this; UINT64_MAX: the newest of all. False: none. */
bool windows_before(const struct windows *w, uint64_t id, struct scan_window *ret_window);
/* The window that is open on the source; 0: none. */
uint64_t windows_open_on(const struct windows *w, uint16_t source);

struct windows_statistics {
    uint64_t opened[SCAN_CAUSE_COUNT]; /* that ran, by cause */
    uint64_t refused, failed;
    uint64_t active_usec;      /* all sources, windows that are over */
    uint64_t answered, missed; /* needs */
    uint64_t restarts;         /* modes commanded again because of silence */
};
void windows_get_statistics(const struct windows *w, struct windows_statistics *ret_statistics);
