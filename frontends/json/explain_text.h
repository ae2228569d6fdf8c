/* An explanation in words: short sentences with figures, for people. Each function appends to a
 * buffer. */
#pragma once

#include <stddef.h>

#include "base/buffer.h"
#include "json/candidate.h"

struct explain_text {
    const struct gateway *gateway;
    const struct gateway_device *device;
    const struct candidate *candidates; /* best first */
    size_t count;
    bool is_known, is_connection;
    int code; /* what a request would be answered with; 0: it would do */
};

/* Why the device changed its owner: "hall took over from kitchen at 12:03:11 UTC: kitchen was
 * offline." */
void explain_text_owner(struct buffer *b, const struct gateway *g,
                        const struct gateway_past_owner *owner);

/* What one proxy can do. */
void explain_text_candidate(struct buffer *b, const struct explain_text *t,
                            const struct candidate *c);

/* All in one sentence. */
void explain_text_summary(struct buffer *b, const struct explain_text *t);

/* The index-th piece of advice of those that hold; false: there are no more. */
bool explain_text_advice(struct buffer *b, const struct explain_text *t, size_t index);
