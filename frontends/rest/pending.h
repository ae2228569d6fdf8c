/* Requests whose answer comes later, whatever they wait for: counted, bounded, and ended together.
 *
 * Who lets a request wait embeds a struct pending in what it keeps for it. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rest/rest.h"

struct pending {
    struct rest_request *request; /* borrowed; for whoever writes the answer */
    /* private: */
    struct pending *next, *previous;
    struct pendings *set;
    void (*release)(struct pending *pending);
};

struct pendings;

/* capacity: requests that may wait at once. */
struct pendings *pendings_new(size_t capacity);
void pendings_free(struct pendings *s); /* none may wait; accepts NULL */

bool pendings_are_full(const struct pendings *s);

/* Lets the request wait. release: it is over, however that came; ends what it waited for and frees
 * what is around *pending. E_OVERLOADED: too many wait already, nothing happened. */
int pendings_add(struct pendings *s, struct pending *pending, struct rest_request *request,
                 void (*release)(struct pending *pending));

/* Who is told of each request when its answer is written, before it is done. */
void pendings_on_finish(struct pendings *s,
                        void (*on_finish)(void *user, struct rest_request *request), void *user);

/* The answer is written: calls release, then request->done. Not from inside the submit of the
 * request itself. */
void pending_finish(struct pending *pending);

/* Answers with 503 and the cause, from inside. */
void pending_cancel(struct pending *pending, int cause);
void pendings_cancel_all(struct pendings *s, int cause);

/* A request is being submitted (NULL: no longer); its answer must not come from inside. */
void pendings_submitting(struct pendings *s, const struct rest_request *request);
