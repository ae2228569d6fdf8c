/* What each request does next. For the files of this room alone. */
#pragma once

#include "gatt/gatt_core.h"

/* In the peer's list, ready; wish, done and user as in gatt_submit(). */
struct gatt_request *gatt_requests_add(struct gatt *g, struct peer *p, const struct gatt_wish *wish,
                                       gatt_done_fn *done, void *user);
/* Nobody waits for it any more: it is freed, and what it held let go. */
void gatt_requests_remove(struct gatt *g, struct gatt_request *request);
/* What is ready goes on, what waited too long is answered; and all, when the room closes. */
void gatt_requests_work(struct gatt *g, struct peer *p);
/* The link ended: who waits for it to be opened anew goes on. */
void gatt_requests_link_ended(struct gatt *g, struct peer *p, const struct gatt_outcome *outcome);
usec_t gatt_requests_deadline(const struct peer *p);
/* Calls done for those that are answered, each once. */
void gatt_requests_answer(struct gatt *g);
