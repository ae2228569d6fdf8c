/* Requests that wait until a link is gone. Thread: the loop's. */
#pragma once

#include "rest/rest.h"

struct pendings;

/* Lets the request wait until the link of the address is gone, or has been lost in between, but not
 * longer than this; then it is answered with the connection as it is. E_OVERLOADED: too many wait
 * already, nothing happened. */
int disconnect_wait_begin(struct gateway *g, struct pendings *pendings,
                          struct rest_request *request, uint64_t address, usec_t longest);
