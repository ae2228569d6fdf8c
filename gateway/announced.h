/* An announcement held against the proxies, and its addresses as sockets want them. Pure, but for
 * what it asks the fleet. For discovering.c and adopting.c alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct announcement;
struct fleet;
struct sockaddr_storage;

/* Two names of DNS: in any case, with or without the dot of the root. */
bool announced_is_same_host(const char *a, const char *b);

/* By its name or by one of its addresses. */
bool announced_is_at(const struct announcement *one, const char *host, unsigned port);

/* The proxy whose device it is, or NULL. It is when it has the MAC of the proxy; where one of both
 * MACs is not known, when it is at the proxy's host and port, or has its name. */
struct proxy *announced_find_proxy(const struct announcement *one, const struct fleet *fleet);

/* Its addresses, the best first; port 0: its own. Returns how many, at most max. */
size_t announced_write_addresses(const struct announcement *one, unsigned port,
                                 struct sockaddr_storage *ret_addresses, size_t max);
