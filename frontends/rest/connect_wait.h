/* Requests that wait for a link: opened, joined, or its lease renewed. Thread: the loop's. */
#pragma once

#include "rest/rest.h"

struct pendings;

/* Lets the request wait until the gateway answers the wish, whose texts are copied. A request that
 * is cancelled gives the link up. E_QUEUE_FULL, E_OVERLOADED or E_SHUTTING_DOWN: nothing happened.
 */
int connect_wait_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request,
                       const struct gateway_wish *wish);

/* The problem of a wish that was refused at once, as connect_wait_begin() gave it. */
void connect_wait_refuse(struct answer *ret_answer, int cause);
