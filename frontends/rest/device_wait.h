/* Requests that wait for a device: each is answered when the first device of its list appears, or
 * with an empty list at its deadline. Thread: the loop's. */
#pragma once

#include <stddef.h>

#include "rest/device_list.h"
#include "rest/rest.h"

struct device_waits;
struct pendings;

/* pendings bounds how many may wait, and ends them; like the gateway it outlives us. */
struct device_waits *device_waits_new(struct gateway *g, struct pendings *pendings);
void device_waits_free(struct device_waits *s); /* none may wait; accepts NULL */

/* Lets the request wait; the list is moved out of *list. E_OVERLOADED when too many wait already:
 * the list stays the caller's. request->done is called from a later turn of the loop. */
int device_waits_add(struct device_waits *s, struct rest_request *request, struct device_list *list,
                     usec_t longest);
