/* All proxies of the configuration, with what they share: the resolver, the intake, and one tick a
 * second from which their rates are counted. Thread: the loop's. */
#pragma once

#include "proxy/proxy.h"
#include "proxy/resolver.h"

struct fleet;

/* settings[i].source must be i. settings are copied, texts and all. */
struct fleet *fleet_new(struct uv_loop_s *loop, const struct proxy_settings *settings, size_t count,
                        const struct proxy_callbacks *callbacks);

/* Closes every proxy, then on_closed from the loop; it is freed after that. */
void fleet_close(struct fleet *f, void (*on_closed)(void *user), void *user);

struct proxy *fleet_get(const struct fleet *f, size_t index);

/* Advertisements per second over the last ten full seconds (fewer after the start). */
double fleet_rate(const struct fleet *f, size_t index);

void fleet_get_resolver_statistics(const struct fleet *f,
                                   struct resolver_statistics *ret_statistics);
