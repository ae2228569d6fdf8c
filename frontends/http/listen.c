#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "http/origin.h"

#define BACKLOG 511

union any_address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static bool parse(const struct config_address *address, union any_address *ret_address)
{
    const char *host = strcasecmp(address->host, "localhost") == 0 ? "127.0.0.1" : address->host;
    union any_address a = {0};

    if (inet_pton(AF_INET, host, &a.four.sin_addr) == 1) {
        a.four.sin_family = AF_INET;
        a.four.sin_port = htons(address->port);
    } else if (inet_pton(AF_INET6, host, &a.six.sin6_addr) == 1) {
        a.six.sin6_family = AF_INET6;
        a.six.sin6_port = htons(address->port);
    } else {
        return false;
    }
    *ret_address = a;
    return true;
}

static int open_socket(const union any_address *a, int *ret_fd)
{
    socklen_t size = a->any.sa_family == AF_INET ? sizeof a->four : sizeof a->six;
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int cause, one = 1;

    if (fd < 0)
        return -errno;
    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->any.sa_family == AF_INET6)
        (void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, &a->any, size) < 0 || listen(fd, BACKLOG) < 0) {
        cause = -errno;
        close(fd);
        return cause;
    }
    *ret_fd = fd;
    return 0;
}

int listen_open(const struct config_address *address, int *ret_fd, char *ret_error,
                size_t error_size)
{
    union any_address a;
    int result;

    if (!parse(address, &a)) {
        snprintf(ret_error, error_size, "%s is neither an IP address nor localhost", address->host);
        return -EINVAL;
    }
    result = open_socket(&a, ret_fd);
    if (result != 0)
        snprintf(ret_error, error_size, "cannot listen on %s port %u (http.listen): %s",
                 address->host, address->port, error_sentence(result));
    return result;
}

void listen_format_address(const struct sockaddr *address, char ret_text[LISTEN_TEXT_SIZE])
{
    const union any_address *a = (const union any_address *) address;
    char host[INET6_ADDRSTRLEN] = "?";

    if (address->sa_family == AF_INET6) {
        (void) inet_ntop(AF_INET6, &a->six.sin6_addr, host, sizeof host);
        snprintf(ret_text, LISTEN_TEXT_SIZE, "[%s]:%u", host, ntohs(a->six.sin6_port));
    } else if (address->sa_family == AF_INET) {
        (void) inet_ntop(AF_INET, &a->four.sin_addr, host, sizeof host);
        snprintf(ret_text, LISTEN_TEXT_SIZE, "%s:%u", host, ntohs(a->four.sin_port));
    } else {
        snprintf(ret_text, LISTEN_TEXT_SIZE, "?:0");
    }
}

void listen_format(int fd, char ret_text[LISTEN_TEXT_SIZE])
{
    union any_address a = {0};
    socklen_t size = sizeof a;

    (void) getsockname(fd, &a.any, &size);
    listen_format_address(&a.any, ret_text);
}
