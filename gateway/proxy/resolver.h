/* Host names to addresses, without ever blocking the loop.
 *
 * getaddrinfo() is what users expect (it knows /etc/hosts, mDNS through nss-mdns, search domains)
 * and it blocks, for half a minute when a name server is dead. It runs on a few threads of its own,
 * so that it delays nobody else's work and can be abandoned: a thread that hangs does not hold up
 * the end of the program. Thread: everything here is called on the loop's; callbacks come there. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct uv_loop_s;
struct sockaddr_storage;
struct resolver;
struct resolver_request;

#define RESOLVER_THREADS_MAX   8 /* names looked up at one time; the others wait in line */
#define RESOLVER_ADDRESSES_MAX 8 /* kept of one answer */

/* Somebody who knows where devices are without asking a name server, as mDNS does: the addresses of
 * this host name (mac NULL), or of the device with this MAC, wherever it is (host NULL; port is
 * then overridden by its own). At most max; returns how many, 0: not known. */
typedef size_t resolver_book_fn(void *user, const char *host, const uint64_t *mac, unsigned port,
                                struct sockaddr_storage *ret_addresses, size_t max);

/* count > 0 and status 0, or count 0 and E_RESOLVE_FAILED with a detail (valid for the call). */
typedef void resolver_fn(void *user, int status, const struct sockaddr_storage *addresses,
                         size_t count, const char *detail);

struct resolver *resolver_new(struct uv_loop_s *loop);

/* All requests must have been answered or cancelled. Calls on_closed (may be NULL) from the loop;
 * it is freed then. */
void resolver_close(struct resolver *r, void (*on_closed)(void *user), void *user);

/* Asked before any name server from now on; user is borrowed. NULL: nobody is. */
void resolver_set_book(struct resolver *r, resolver_book_fn *book, void *user);

/* Where the book has the device with this MAC; ret_addresses has room for RESOLVER_ADDRESSES_MAX.
 * Returns how many, 0: it has none, or there is no book. */
size_t resolver_find_mac(const struct resolver *r, uint64_t mac,
                         struct sockaddr_storage *ret_addresses);

/* on_done is called once, never from inside, unless cancelled. A literal address, or a host that is
 * in the book, needs no look-up and is answered in the next turn of the loop. */
struct resolver_request *resolver_start(struct resolver *r, const char *host, unsigned port,
                                        resolver_fn *on_done, void *user);
struct resolver_statistics {
    uint64_t look_ups; /* answered ones; literal addresses are none */
    uint64_t failed;
    size_t running, waiting; /* on a thread, in line; those that were cancelled too */
};
void resolver_get_statistics(const struct resolver *r, struct resolver_statistics *ret_statistics);

/* The callback will not come. Accepts NULL. */
void resolver_cancel(struct resolver_request *request);
