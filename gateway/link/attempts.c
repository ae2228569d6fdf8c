/* The story: an attempt begins, ends, and is overwritten by the sixteenth after it. */
#include "attempts.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

void attempts_done(struct attempts *a)
{
    free(a->ring);
    *a = (struct attempts){0};
}

static struct link_attempt *newest(const struct attempts *a)
{
    return a->begun ? &a->ring[(a->begun - 1) % LINK_ATTEMPTS_KEPT] : NULL;
}

void attempts_begin(struct attempts *a, const struct route_rank *rank, usec_t now)
{
    assert(!a->begun || newest(a)->is_over);
    if (!a->ring)
        a->ring = xnew(struct link_attempt, LINK_ATTEMPTS_KEPT);
    a->begun++;
    *newest(a) = (struct link_attempt){
            .source = rank->source,
            .started = now,
            .terms = rank->terms,
            .score = rank->score,
    };
}

const struct link_attempt *attempts_end(struct attempts *a, enum attempt_end end, int code,
                                        const int32_t *reason, usec_t now)
{
    struct link_attempt *attempt = newest(a);

    assert(attempt && !attempt->is_over);
    attempt->is_over = true;
    attempt->duration = now - attempt->started;
    attempt->end = end;
    attempt->code = code;
    attempt->has_reason = reason != NULL;
    attempt->reason = reason ? *reason : 0;
    return attempt;
}

size_t attempts_count(const struct attempts *a)
{
    return a->begun < LINK_ATTEMPTS_KEPT ? (size_t) a->begun : LINK_ATTEMPTS_KEPT;
}

void attempts_forget_source(struct attempts *a, uint16_t source)
{
    for (size_t i = 0; i < attempts_count(a); i++) {
        if (a->ring[i].source == source)
            a->ring[i].source = LINK_NO_SOURCE;
    }
}

const struct link_attempt *attempts_get(const struct attempts *a, size_t index)
{
    size_t count = attempts_count(a);

    if (index >= count)
        return NULL;
    return &a->ring[(a->begun - count + index) % LINK_ATTEMPTS_KEPT];
}

struct link_attempt *attempts_copy_since(const struct attempts *a, uint64_t number,
                                         size_t *ret_count)
{
    size_t count = attempts_count(a);
    uint64_t oldest = a->begun - count;
    size_t skipped = number > oldest ? (size_t) (number - oldest) : 0;
    struct link_attempt *copy;

    *ret_count = count > skipped ? count - skipped : 0;
    if (*ret_count == 0)
        return NULL;
    copy = xnew(struct link_attempt, *ret_count);
    for (size_t i = 0; i < *ret_count; i++)
        copy[i] = *attempts_get(a, skipped + i);
    return copy;
}
