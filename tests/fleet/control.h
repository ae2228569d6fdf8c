/* The control port: one JSON object a line asks, one JSON object a line answers.
 *
 * The requests are described in tests/fleet/README.md. For tests and the demo on the same machine;
 * there is no authentication. Thread: the loop's. */
#pragma once

#include "fleet.h"

#define CONTROL_ADDRESS_SIZE 64

struct control;

/* Listens on address ("127.0.0.1:0"). on_quit is called for {"do":"quit"}, after its answer has
 * been handed to the socket. Returns 0 or a negative errno; then too the loop must be run to its
 * end. */
int control_new(uv_loop_t *loop, struct fleet *fleet, const char *address,
                void (*on_quit)(void *user), void *user, struct control **ret_control);

/* Must come before fleet_close(). Frees itself when the loop has closed its handles. */
void control_close(struct control *c);

/* "127.0.0.1:40123" */
const char *control_address(const struct control *c);
