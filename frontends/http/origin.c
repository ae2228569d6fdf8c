#include "origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define NAME_MAX_SIZE 256

struct authority {
    char name[NAME_MAX_SIZE]; /* without the brackets of IPv6 */
    bool is_bracketed;
    unsigned port; /* 0: not told */
};

static bool parse_port(const char *text, unsigned *ret_port)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long port;

    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    port = strtoul(text, NULL, 10);
    if (port == 0 || port > 65535)
        return false;
    *ret_port = (unsigned) port;
    return true;
}

/* "name", "name:8080", "[::1]:8080". */
static bool parse_authority(const char *text, struct authority *ret_authority)
{
    struct authority a = {.is_bracketed = text[0] == '['};
    size_t length;

    text += a.is_bracketed;
    length = strcspn(text, a.is_bracketed ? "]" : ":");
    if (length == 0 || length >= sizeof a.name)
        return false;
    memcpy(a.name, text, length);
    text += length;
    if (a.is_bracketed && *text++ != ']')
        return false;
    if (*text != '\0' && (*text != ':' || !parse_port(text + 1, &a.port)))
        return false;
    *ret_authority = a;
    return true;
}

static bool is_local_literal(const struct authority *a, const struct sockaddr *local)
{
    struct in6_addr six;
    struct in_addr four;

    if (local->sa_family == AF_INET && !a->is_bracketed)
        return inet_pton(AF_INET, a->name, &four) == 1 &&
               four.s_addr == ((const struct sockaddr_in *) (const void *) local)->sin_addr.s_addr;
    if (local->sa_family == AF_INET6 && a->is_bracketed)
        return inet_pton(AF_INET6, a->name, &six) == 1 &&
               memcmp(&six, &((const struct sockaddr_in6 *) (const void *) local)->sin6_addr,
                      sizeof six) == 0;
    return false;
}

static bool is_configured(const struct authority *a, const struct config_texts *hosts)
{
    for (size_t i = 0; i < hosts->count; i++) {
        if (strcasecmp(hosts->items[i], a->name) == 0)
            return true;
    }
    return false;
}

static bool is_ours(const struct authority *a, const struct sockaddr *local,
                    const struct config_texts *hosts)
{
    return strcasecmp(a->name, "localhost") == 0 || is_local_literal(a, local) ||
           is_configured(a, hosts);
}

static bool parse_origin(const char *origin, struct authority *ret_authority)
{
    bool is_plain = strncasecmp(origin, "http://", 7) == 0;
    bool is_secure = strncasecmp(origin, "https://", 8) == 0;

    if ((!is_plain && !is_secure) || !parse_authority(origin + (is_plain ? 7 : 8), ret_authority))
        return false;
    if (ret_authority->port == 0)
        ret_authority->port = is_plain ? 80 : 443;
    return true;
}

bool origin_host_is_ours(const char *host, const struct sockaddr *local,
                         const struct config_texts *hosts)
{
    struct authority a;

    return host && parse_authority(host, &a) && is_ours(&a, local, hosts);
}

bool origin_is_ours(const char *origin, const char *host, const struct sockaddr *local,
                    const struct config_texts *hosts, bool is_secure)
{
    struct authority from, to;

    if (!origin)
        return true;
    if (!parse_origin(origin, &from))
        return false;
    if (is_configured(&from, hosts))
        return true;
    if (!host || !parse_authority(host, &to) || !is_ours(&from, local, hosts))
        return false;
    return from.port == (to.port ? to.port : is_secure ? 443U : 80U);
}

bool origin_is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in6 *six = (const void *) address;

    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const void *) address;

        return ntohl(four->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family != AF_INET6)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) && six->sin6_addr.s6_addr[12] == 127);
}

struct account_source origin_source(const struct sockaddr *address)
{
    const struct sockaddr_in6 *six = (const void *) address;
    const struct sockaddr_in *four = (const void *) address;
    struct account_source source = {.is_six = address->sa_family == AF_INET6};
    uint32_t low;

    if (address->sa_family == AF_INET) {
        source.prefix = ntohl(four->sin_addr.s_addr);
    } else if (source.is_six && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        memcpy(&low, &six->sin6_addr.s6_addr[12], sizeof low);
        source = (struct account_source){.prefix = ntohl(low)};
    } else if (source.is_six) {
        for (int i = 0; i < 8; i++)
            source.prefix = source.prefix << 8 | six->sin6_addr.s6_addr[i];
    }
    return source;
}
