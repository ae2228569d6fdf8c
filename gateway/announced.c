#include "announced.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "mdns/announcements.h"
#include "proxy/fleet.h"

/* A name of DNS may end with the dot of the root. */
bool announced_is_same_host(const char *a, const char *b)
{
    size_t a_size = strlen(a), b_size = strlen(b);

    a_size -= a_size > 0 && a[a_size - 1] == '.';
    b_size -= b_size > 0 && b[b_size - 1] == '.';
    return a_size == b_size && strncasecmp(a, b, a_size) == 0;
}

bool announced_is_at(const struct announcement *one, const char *host, unsigned port)
{
    char text[ANNOUNCEMENT_ADDRESS_TEXT];

    if (one->facts.port != port)
        return false;
    if (announced_is_same_host(host, one->facts.host))
        return true;
    for (size_t i = 0; i < one->sightings_count; i++) {
        announcement_format_address(text, &one->sightings[i]);
        if (strcasecmp(text, host) == 0)
            return true;
    }
    return false;
}

static bool is_of(const struct announcement *one, const struct proxy *p)
{
    const struct proxy_settings *s = proxy_get_settings(p);
    uint64_t mac;

    if (one->facts.mac != 0 && proxy_get_mac(p, &mac))
        return mac == one->facts.mac;
    return announced_is_at(one, s->host, s->port) || strcasecmp(s->name, one->facts.name) == 0;
}

struct proxy *announced_find_proxy(const struct announcement *one, const struct fleet *fleet)
{
    struct proxy *p;

    for (size_t position = 0; (p = fleet_next(fleet, &position));) {
        if (is_of(one, p))
            return p;
    }
    return NULL;
}

static void write_address(struct sockaddr_storage *ret_address,
                          const struct announcement_sighting *s, unsigned port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t) port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};

    memset(ret_address, 0, sizeof *ret_address);
    if (s->is_v6) {
        memcpy(&v6.sin6_addr, s->octets, sizeof v6.sin6_addr);
        v6.sin6_scope_id = s->zone[0] ? (unsigned) s->interface : 0;
        memcpy(ret_address, &v6, sizeof v6);
    } else {
        memcpy(&v4.sin_addr, s->octets, sizeof v4.sin_addr);
        memcpy(ret_address, &v4, sizeof v4);
    }
}

size_t announced_write_addresses(const struct announcement *one, unsigned port,
                                 struct sockaddr_storage *ret_addresses, size_t max)
{
    size_t count = 0;

    for (; count < one->sightings_count && count < max; count++)
        write_address(&ret_addresses[count], &one->sightings[count], port ? port : one->facts.port);
    return count;
}
