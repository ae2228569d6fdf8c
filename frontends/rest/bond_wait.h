/* Requests that end bonds, on one proxy or on all that hold one. Thread: the loop's. */
#pragma once

#include "rest/rest.h"

struct pendings;

/* Unpairs on the proxy of the wish, or on each that holds a bond with the device; the rest of the
 * wish is what all of them have in common. REST_ANSWERED: the answer is there; 0: it will come. */
int bond_wait_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request,
                    const struct gateway_gatt_wish *wish);
