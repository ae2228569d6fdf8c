/* Listening sockets. */
#pragma once

#include <stddef.h>

#include "config/config.h"

#define LISTEN_TEXT_SIZE 64 /* "[…]:65535" of the longest IPv6 literal */

/* Opens a socket that listens on an IP literal or "localhost" (which is 127.0.0.1). 0 or a negative
 * errno, with a sentence in ret_error. */
int listen_open(const struct config_address *address, int *ret_fd, char *ret_error,
                size_t error_size);

struct sockaddr;

/* "127.0.0.1:8080", "[::1]:8080"; "?:0" of any other family. */
void listen_format_address(const struct sockaddr *address, char ret_text[LISTEN_TEXT_SIZE]);

/* The same of where a socket is bound. */
void listen_format(int fd, char ret_text[LISTEN_TEXT_SIZE]);
