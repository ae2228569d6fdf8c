/* Where a request may come from: the defence against web pages of others (DNS rebinding, forged
 * requests). Pure. */
#pragma once

#include <stdbool.h>

#include "accounts/account.h"
#include "config/config.h"

struct sockaddr;

/* The Host header of a request that came in on the local address. Ours are that address as a
 * literal, "localhost", and the names in http.hosts; the port does not matter. NULL (none sent) is
 * not ours. */
bool origin_host_is_ours(const char *host, const struct sockaddr *local,
                         const struct config_texts *hosts);

/* The Origin header of a request whose Host header is ours. NULL (none sent: no browser) passes; an
 * origin passes when its host is ours and its port that of the Host header, and with any port when
 * it is in http.hosts (a reverse proxy may have changed the Host). "null" is foreign.
 * is_secure: a Host without a port means 443. */
bool origin_is_ours(const char *origin, const char *host, const struct sockaddr *local,
                    const struct config_texts *hosts, bool is_secure);

/* True for 127.0.0.0/8 and ::1, also as IPv4 within IPv6. */
bool origin_is_loopback(const struct sockaddr *address);

/* Where wrong tokens from there are counted; IPv4 within IPv6 is IPv4. */
struct account_source origin_source(const struct sockaddr *address);
