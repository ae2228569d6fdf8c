/* What the gateway does with the flight recorder: tells it what happens, and reads it out for the
 * faces. While the recorder is switched off it takes everything and gives nothing. Thread: the
 * loop's. */
#pragma once

#include <stddef.h>

#include "gateway.h"
#include "recorder/recording.h"
#include "scan/scan_window.h"

struct ble_report;
struct configured;
struct device_change;
struct device_restored;
struct device_table;
struct link_attempt;
struct proxy_status;
struct recordings;
struct roster;
struct scanning;

/* The configuration and its devices must outlive this, or be replaced; the roster, and scanning,
 * which knows the needs, are borrowed. */
struct recordings *recordings_new(const struct config *config, const struct roster *roster,
                                  const struct configured *configured,
                                  const struct scanning *scanning, usec_t now, int64_t wall);
void recordings_free(struct recordings *r);
/* Another configuration is in force; before the table has it. How much memory it may take stays.
 * The devices that it changes are told one by one. True: it was switched on, and wants to know how
 * the proxies are (recordings_proxy()). Switched off, what was recorded goes as soon as nobody
 * reads it. */
bool recordings_configure(struct recordings *r, const struct config *config,
                          const struct configured *configured, usec_t now);

/* The device is configured otherwise: after table and scanning know it. */
void recordings_device(struct recordings *r, uint64_t address, usec_t now);

/* ---- what happens ---- */

/* A proxy of the configuration is there from now on, or not any more: before the table forgets it.
 */
void recordings_proxy_added(struct recordings *r, uint16_t source, usec_t now);
void recordings_proxy_removed(struct recordings *r, uint16_t source, usec_t now);

/* Before the table has seen it, as the next. */
void recordings_reports(struct recordings *r, uint16_t source, const struct ble_report *reports,
                        size_t count, usec_t now);
/* Before the table is told so, as the next. */
void recordings_command(struct recordings *r, const struct recording_command *command, usec_t now);
void recordings_restored(struct recordings *r, const struct device_restored *device, usec_t now);
void recordings_tick(struct recordings *r, usec_t now);
/* Told of the table, at the moment of what led to it. */
void recordings_change(struct recordings *r, const struct device_table *table,
                       const struct device_change *change);
/* is_connecting: it establishes a link, and does not scan. */
void recordings_proxy(struct recordings *r, uint16_t source, const struct proxy_status *status,
                      bool is_connecting, usec_t now);
void recordings_window(struct recordings *r, enum scan_window_action action,
                       const struct scan_window *window, usec_t now);
/* That is over, at that moment. */
void recordings_attempt(struct recordings *r, uint64_t address, const struct link_attempt *attempt);

/* ---- reading: as gateway.h has it ---- */

void recordings_get_status(const struct recordings *r, struct gateway_recorder *ret_status);
struct gateway_recording *recordings_open(struct recordings *r,
                                          const struct gateway_recording_wish *wish, usec_t now);

/* ---- replaying: as gateway.h has it ---- */

int recordings_replay(struct recordings *r, struct uv_loop_s *loop,
                      const struct gateway_replay_wish *wish, struct config_faults *ret_faults,
                      gateway_replay_fn *on_done, void *user);
void recordings_cancel_replay(struct recordings *r);
