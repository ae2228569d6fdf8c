/* Three lines: the Host header, the Origin header, and the name that http.hosts has; an octet in
 * front chooses the address of our side and which headers are there. What passes as ours is held
 * against a plain reading: the text begins with a name of ours, and behind it stands nothing or a
 * port. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "fuzz_target.h"
#include "http/origin.h"

enum { BIT_SIX = 1, BIT_NO_HOST = 2, BIT_NO_ORIGIN = 4, BIT_NO_NAME = 8 };

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static void make_address(union address *ret_address, bool is_six)
{
    *ret_address = (union address){0};
    if (is_six) {
        ret_address->six.sin6_family = AF_INET6;
        (void) inet_pton(AF_INET6, "fd00::1", &ret_address->six.sin6_addr);
    } else {
        ret_address->four.sin_family = AF_INET;
        (void) inet_pton(AF_INET, "192.0.2.7", &ret_address->four.sin_addr);
    }
}

/* Cuts a line off the front, in place. */
static char *take_line(char **rest)
{
    char *line = *rest, *end = strchr(line, '\n');

    *rest = end ? end + 1 : line + strlen(line);
    if (end)
        *end = '\0';
    return line;
}

/* True when the text is the name, with or without a port of five digits at most. */
static bool is_name_with_port(const char *text, const char *name, size_t name_size)
{
    size_t digits;

    if (strncasecmp(text, name, name_size) != 0)
        return false;
    text += name_size;
    if (*text == '\0')
        return true;
    digits = strspn(text + 1, "0123456789");
    return *text == ':' && digits >= 1 && digits <= 5 && text[1 + digits] == '\0' &&
           atoi(text + 1) > 0 && atoi(text + 1) <= 65535;
}

/* Whether the literal in brackets, or the text up to a colon, is the address. */
static bool is_address(const char *text, const union address *local)
{
    const bool is_six = local->any.sa_family == AF_INET6;
    char literal[64];
    union address parsed;
    const char *start = text + is_six, *end = strchr(start, is_six ? ']' : ':');
    const size_t size = end ? (size_t) (end - start) : strlen(start);

    if ((is_six && (text[0] != '[' || !end)) || size >= sizeof literal)
        return false;
    memcpy(literal, start, size);
    literal[size] = '\0';
    if (is_six && (inet_pton(AF_INET6, literal, &parsed.six.sin6_addr) != 1 ||
                   memcmp(&parsed.six.sin6_addr, &local->six.sin6_addr, 16) != 0))
        return false;
    if (!is_six && (inet_pton(AF_INET, literal, &parsed.four.sin_addr) != 1 ||
                    parsed.four.sin_addr.s_addr != local->four.sin_addr.s_addr))
        return false;
    return is_name_with_port(text, text, size + 2 * (size_t) is_six);
}

static bool is_configured(const char *text, const struct config_texts *hosts)
{
    char bracketed[300];

    for (size_t i = 0; i < hosts->count; i++) {
        const char *name = hosts->items[i];
        const size_t size = strlen(name);

        if (size == 0 || size >= 256)
            continue;
        if (name[0] != '[' && !strchr(name, ':') && is_name_with_port(text, name, size))
            return true;
        bracketed[0] = '[';
        memcpy(bracketed + 1, name, size);
        bracketed[size + 1] = ']';
        if (!strchr(name, ']') && is_name_with_port(text, bracketed, size + 2))
            return true;
    }
    return false;
}

static bool is_ours(const char *text, const union address *local, const struct config_texts *hosts)
{
    return is_name_with_port(text, "localhost", 9) || is_name_with_port(text, "[localhost]", 11) ||
           is_address(text, local) || is_configured(text, hosts);
}

/* What stands behind the scheme; NULL: it is none of the two. */
static const char *behind_scheme(const char *origin)
{
    if (strncasecmp(origin, "http://", 7) == 0)
        return origin + 7;
    return strncasecmp(origin, "https://", 8) == 0 ? origin + 8 : NULL;
}

static void check(const char *host, const char *origin, const union address *local,
                  const struct config_texts *hosts)
{
    const bool host_passes = origin_host_is_ours(host, &local->any, hosts);
    const bool origin_passes =
            origin_is_ours(origin, host, &local->any, hosts, /* is_secure= */ false);
    const char *authority = origin ? behind_scheme(origin) : NULL;

    if (host_passes != (host && is_ours(host, local, hosts)))
        abort();
    if (!origin && !origin_passes)
        abort();
    if (origin && origin_passes && (!authority || !is_ours(authority, local, hosts)))
        abort();
    if (authority && is_configured(authority, hosts) && !origin_passes)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text AUTO_FREE = xnew(char, size + 1);
    char *rest = text, *host, *origin, *name;
    struct config_texts hosts;
    union address local;

    if (size < 1)
        return 0;
    memcpy(text, data + 1, size - 1);
    host = take_line(&rest);
    origin = take_line(&rest);
    name = take_line(&rest);
    hosts = (struct config_texts){&name, data[0] & BIT_NO_NAME ? 0 : 1};
    make_address(&local, data[0] & BIT_SIX);
    check(data[0] & BIT_NO_HOST ? NULL : host, data[0] & BIT_NO_ORIGIN ? NULL : origin, &local,
          &hosts);
    return 0;
}
