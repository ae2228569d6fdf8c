/* One request: its life, what it waits for, its end. For the files of this room alone. */
#pragma once

#include "gatt/gatt_core.h"

/* In the peer's list, ready; wish, done and user as in gatt_submit(). */
struct gatt_request *gatt_request_add(struct gatt *g, struct peer *p, const struct gatt_wish *wish,
                                      gatt_done_fn *done, void *user);
/* Nobody waits for it any more: it is freed, and what it held let go. */
void gatt_request_remove(struct gatt *g, struct gatt_request *request);
/* Calls done for those that are answered, each once. */
void gatt_request_answer_all(struct gatt *g);

void gatt_request_wait(struct gatt_request *request, enum gatt_await awaits);
/* Whatever it waits for is told that it waits no more. */
void gatt_request_detach(struct gatt *g, struct gatt_request *request);
/* As if it had just come, for another link. */
void gatt_request_begin_again(struct gatt_request *request);

/* The answer looks into the tree, which may be forgotten before it is told. */
void gatt_request_hold_tree(struct gatt_request *request, struct gatt_tree *tree);
/* Each ends it: with a code, with that and the number of an outcome, with what was wanted. */
void gatt_request_end(struct gatt *g, struct gatt_request *request, int code);
void gatt_request_fail(struct gatt *g, struct gatt_request *request,
                       const struct gatt_outcome *outcome);
void gatt_request_succeed(struct gatt *g, struct peer *p, struct gatt_request *request);
