/* Active scanning made real: joins the windows (scan/windows.h) with the proxies, the device table
 * and the configuration. For gateway.c alone. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ble/report.h"
#include "scan/windows.h"

struct uv_loop_s;
struct config;
struct device_table;
struct fleet;
struct roster;
struct message_scanner_state;
struct scanning;

/* A window changed; it is valid for the call, from inside which nothing here may be changed. */
typedef void scanning_window_fn(void *user, enum scan_window_action action,
                                const struct scan_window *window, usec_t now);

/* A source has listened actively for a device until now: the table is to be told. */
typedef void scanning_covered_fn(void *user, uint64_t address, uint16_t source, usec_t now);

/* Without proxies. Roster and table are borrowed and outlive it, the configuration too, until
 * another one is told. */
struct scanning *scanning_new(struct uv_loop_s *loop, const struct config *config,
                              const struct roster *roster, struct device_table *table,
                              scanning_window_fn *on_window, scanning_covered_fn *on_covered,
                              void *user);

/* Who carries the commands. Before the loop turns; outlives scanning_stop(). */
void scanning_attach(struct scanning *s, struct fleet *fleet);

/* Ends all windows and commands every proxy its own mode, while they still listen; nothing opens
 * afterwards. The loop must turn once more before scanning_free(). */
void scanning_stop(struct scanning *s);
void scanning_free(struct scanning *s); /* accepts NULL */

/* Another configuration counts: settings of windows, modes of proxies. */
void scanning_configure(struct scanning *s, const struct config *config, usec_t now);

/* A proxy of the configuration is a source from now on, offline at first; or is none any more: its
 * windows end, and its number means nothing. */
void scanning_proxy_added(struct scanning *s, uint16_t source, usec_t now);
void scanning_proxy_removed(struct scanning *s, uint16_t source, usec_t now);

/* The setting active_scan of a device; interval_s 0: it has none. */
void scanning_set_need(struct scanning *s, uint64_t address, int64_t interval_s, int64_t duration_s,
                       usec_t now);

/* What the proxies tell. */
void scanning_proxy_changed(struct scanning *s, uint16_t source, bool is_online, bool can_set_mode,
                            usec_t now);
/* It begins or ends establishing a link, and does not scan meanwhile. */
void scanning_proxy_connecting(struct scanning *s, uint16_t source, bool is_connecting, usec_t now);
void scanning_scanner_told(struct scanning *s, uint16_t source,
                           const struct message_scanner_state *state, usec_t now);

/* One batch of one proxy, after the table has it. The hot path. */
void scanning_heard(struct scanning *s, uint16_t source, const struct ble_report *reports,
                    size_t count, usec_t now);

/* The table asks for windows on both, from inside; they open with the next scanning_heard(). */
void scanning_rescue(struct scanning *s, uint64_t address, uint16_t owner, uint16_t challenger);

/* As windows_open() and windows_discover(). */
int scanning_open(struct scanning *s, uint16_t source, uint64_t address, usec_t duration,
                  uint64_t *ret_id);
size_t scanning_discover(struct scanning *s, usec_t duration, uint64_t *ret_ids, size_t ids_max);

/* For queries. */
const struct windows *scanning_windows(const struct scanning *s);

/* "passive", "active" or "auto": what is wanted of the proxy at this place of a configuration. */
const char *scanning_mode_name(const struct config *config, size_t proxy);
