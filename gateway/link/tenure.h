/* A link from "connected" to its end, and the goodbyes of all slots that were given up. For the
 * files of this room alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "link/links_core.h"

/* The proxy connected; the link's MTU is set. Answers who waits. */
void tenure_begin(struct links *l, struct link *link);
/* Somebody joined an open link. */
void tenure_join(struct links *l, struct link *link);
/* Message 85 for this link. */
void tenure_paired(struct links *l, struct link *link, bool is_paired, int32_t error);
/* Somebody left, or came: does it linger from now on, or not any more? */
void tenure_review(struct links *l, struct link *link);
/* Disconnects an open link; who asks for it meanwhile gets the next one. */
void tenure_close(struct links *l, struct link *link);
/* An open link broke; reason NULL: no number. */
void tenure_lost(struct links *l, struct link *link, int code, const int32_t *reason);

/* Tells the proxy to give up a slot of ours, and waits for its word. is_failure: an attempt that
 * timed out. */
void tenure_say_goodbye(struct links *l, struct link *link, uint16_t source, bool is_failure);
/* The proxy gave its word, or will not give it any more. */
void tenure_goodbye_over(struct links *l, struct link *link, struct goodbye *goodbye);
/* Those whose time has come. */
void tenure_goodbyes_due(struct links *l, struct link *link);
