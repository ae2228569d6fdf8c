/* All proxies, by the numbers of their sources, with what they share: the resolver, the intake, and
 * one tick a second from which their rates are counted. They come and go while the program runs.
 * Thread: the loop's. */
#pragma once

#include "proxy/proxy.h"
#include "proxy/resolver.h"

#define FLEET_SOURCES_MAX 4096 /* numbers are below it */

struct fleet;

/* Empty. callbacks are copied, and are those of every proxy. */
struct fleet *fleet_new(struct uv_loop_s *loop, const struct proxy_callbacks *callbacks);

/* Closes every proxy, then on_closed from the loop; it is freed after that. */
void fleet_close(struct fleet *f, void (*on_closed)(void *user), void *user);

/* settings->source must be free. settings are copied, texts and all. */
void fleet_add(struct fleet *f, const struct proxy_settings *settings);

/* As proxy_change(). */
void fleet_change(struct fleet *f, const struct proxy_settings *settings);

/* The number is free at once, and nothing is called back for this proxy any more; its goodbye goes
 * on behind that. Not from inside the callbacks. */
void fleet_remove(struct fleet *f, uint16_t source);

/* NULL: there is none. */
struct proxy *fleet_get(const struct fleet *f, size_t source);

/* Advertisements per second over the last ten full seconds (fewer after it came); 0: there is no
 * such proxy. */
double fleet_rate(const struct fleet *f, size_t source);

/* All of them, by their numbers: *position = 0 to begin; NULL at the end. */
struct proxy *fleet_next(const struct fleet *f, size_t *position);

/* As resolver_set_book(). */
void fleet_set_book(struct fleet *f, resolver_book_fn *book, void *user);

void fleet_get_resolver_statistics(const struct fleet *f,
                                   struct resolver_statistics *ret_statistics);
