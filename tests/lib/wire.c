#include "wire.h"

#include <stdbool.h>
#include <string.h>

#include "esphome/client_session.h"
#include "esphome/server_session.h"

static bool move_up(struct client_session *client, struct server_session *server, usec_t now)
{
    size_t size, room;
    const uint8_t *out = client_session_output(client, &size);
    uint8_t *in;

    if (size == 0)
        return false;
    in = server_session_input(server, &room);
    size = size < room ? size : room;
    memcpy(in, out, size);
    client_session_sent(client, size);
    (void) server_session_received(server, size, now);
    return true;
}

static bool move_down(struct client_session *client, struct server_session *server, usec_t now)
{
    size_t size, room;
    const uint8_t *out = server_session_output(server, &size);
    uint8_t *in;

    if (size == 0)
        return false;
    in = client_session_input(client, &room);
    size = size < room ? size : room;
    memcpy(in, out, size);
    server_session_sent(server, size);
    (void) client_session_received(client, size, now);
    return true;
}

void wire_converse(struct client_session *client, struct server_session *server, usec_t now)
{
    while (move_up(client, server, now) || move_down(client, server, now))
        continue;
}
