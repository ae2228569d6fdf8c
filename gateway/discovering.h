/* What mDNS finds, joined with the proxies: the list for the facade, the book of the resolver, and
 * the wake-up of those that wait. For gateway.c, gateway_changes.c and gateway_proxies.c alone.
 * Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct uv_loop_s;
struct config;
struct discovering;
struct fleet;
struct gateway;
struct gateway_discovered;

/* Looks for devices if the configuration wants it. Gateway and fleet are borrowed; the fleet asks
 * us from now on where its proxies are. */
struct discovering *discovering_new(struct uv_loop_s *loop, struct gateway *g,
                                    const struct config *config, struct fleet *fleet);

/* Ends the search and leaves the fleet: while the loop still runs, and the fleet is open. */
void discovering_stop(struct discovering *d);
void discovering_free(struct discovering *d); /* accepts NULL; after discovering_stop() */

/* Another configuration counts than before, and the fleet has its proxies. */
void discovering_configure(struct discovering *d, const struct config *before,
                           const struct config *config);

/* As gateway_discovered_after() and gateway_get_discovered(). */
size_t discovering_after(const struct discovering *d, const char *name);
bool discovering_get(const struct discovering *d, size_t index, struct gateway_discovered *ret_one);
