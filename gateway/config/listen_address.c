#include "listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static bool parse_port(const char *text, uint16_t *ret_port)
{
    unsigned port = 0;
    size_t length = strlen(text);

    if (length < 1 || length > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = 10 * port + (unsigned) (*text - '0');
    }
    if (port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t) port;
    return true;
}

bool listen_address_parse(const char *text, struct config_address *ret_address)
{
    struct config_address address = {0};
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t) (colon - text) : 0;
    bool is_bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    struct in6_addr unused;

    if (is_bracketed) {
        text++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof(address.host) || !parse_port(colon + 1, &address.port))
        return false;
    memcpy(address.host, text, length);
    if (is_bracketed && inet_pton(AF_INET6, address.host, &unused) != 1)
        return false;
    if (!is_bracketed && strcspn(address.host, " \t\r\n\v\f:[]") != length)
        return false;
    *ret_address = address;
    return true;
}

bool listen_address_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (strcmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, host, &v6) != 1)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}
