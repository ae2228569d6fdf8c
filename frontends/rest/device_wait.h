/* Requests that wait for a device: each is answered when the first device of its list appears, or
 * with an empty list at its deadline. Bounded. Thread: the loop's. */
#pragma once

#include <stddef.h>

#include "rest/device_list.h"
#include "rest/rest.h"

struct device_waits;

/* capacity: requests that may wait at once. */
struct device_waits *device_waits_new(struct gateway *g, size_t capacity);
void device_waits_free(struct device_waits *s); /* none may wait; accepts NULL */

/* Lets the request wait; the list is moved out of *list. E_OVERLOADED when too many wait already:
 * the list stays the caller's. request->done is called from a later turn of the loop. */
int device_waits_add(struct device_waits *s, struct rest_request *request, struct device_list *list,
                     usec_t longest);

/* Answers it with 503 and the cause, from inside. */
void device_waits_cancel(struct device_waits *s, struct rest_request *request, int cause);
void device_waits_cancel_all(struct device_waits *s, int cause);
