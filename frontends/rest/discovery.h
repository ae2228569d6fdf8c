/* Requests that listen for a while and are answered with the devices heard meanwhile. Thread: the
 * loop's. */
#pragma once

#include <stdbool.h>

#include "rest/rest.h"

struct pendings;

#define DISCOVERY_ITEMS_MAX 1000 /* of one answer, the loudest */

/* Lets the request wait for that long, with windows on all free proxies if it is active. Who asks
 * meanwhile shares them. E_OVERLOADED: too many wait already, nothing happened. */
int discovery_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request,
                    usec_t duration, bool is_active);
