/* Asks a device that has no key what it is: one short conversation, in which nothing is subscribed
 * to and nothing changes. Thread: the loop's. */
#pragma once

#include <stddef.h>

#include "base/clock.h"

struct uv_loop_s;
struct sockaddr_storage;
struct inquiry;
struct node;

#define INQUIRY_TIMEOUT (10 * USEC_PER_SEC) /* for all of it */

/* cause 0 and what the device said, or a negative cause and NULL. */
typedef void inquiry_fn(void *user, int cause, const struct node *node);

/* on_done is called once, never from inside, unless cancelled; the inquiry is not to be used then
 * any more. name is for the log; count is at least 1. */
struct inquiry *inquiry_start(struct uv_loop_s *loop, const char *name,
                              const struct sockaddr_storage *addresses, size_t count,
                              inquiry_fn *on_done, void *user);

/* on_done will not be called. Accepts NULL. Not from inside on_done. */
void inquiry_cancel(struct inquiry *q);
