/* A wire between a client's and a server's session, without a socket. */
#pragma once

#include "base/clock.h"

struct client_session;
struct server_session;

/* Moves octets both ways until nobody has any left. */
void wire_converse(struct client_session *client, struct server_session *server, usec_t now);
