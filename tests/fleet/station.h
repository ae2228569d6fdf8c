/* One simulated proxy on the wire: its listener, its clients' connections, and its faults.
 *
 * A shell about proxy_model (what the firmware does) and server_session (how it speaks). Driven by
 * the fleet, which calls station_tick() every few milliseconds; thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "scenario.h"

struct station;

/* Binds 127.0.0.1 and listens. proxy is borrowed and outlives the station; so is world, of which it
 * is the listener of that number, until station_close(). Returns 0 or a negative errno, and then
 * there is no station. */
int station_new(uv_loop_t *loop, const struct scenario_proxy *proxy, struct world *world,
                size_t listener, uint64_t seed, usec_t now, struct station **ret_station);

/* Closes everything; the station frees itself when the loop has closed the last handle. */
void station_close(struct station *s);

/* The radio heard something. */
void station_heard(struct station *s, const struct world_reception *reception, usec_t now);

/* span and octets count where the kind of fault has them. -ENOTSUP when it makes no sense here:
 * another key on a proxy without any. */
int station_fault(struct station *s, enum fault_kind kind, usec_t span, size_t octets, usec_t now);

/* Ends all lasting faults. */
void station_clear(struct station *s, usec_t now);

/* Timers, flushes and writes. */
void station_tick(struct station *s, usec_t now);

const struct scenario_proxy *station_proxy(const struct station *s);
const struct proxy_model *station_model(const struct station *s);
/* What goes wrong with its links (slots.h); what follows happens within a tick. */
struct slots *station_slots(struct station *s);
uint16_t station_port(const struct station *s);
size_t station_clients(const struct station *s);
uint64_t station_accepted(const struct station *s); /* connections ever */
bool station_has_fault(const struct station *s, enum fault_kind kind);
