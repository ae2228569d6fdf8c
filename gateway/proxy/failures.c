#include "failures.h"

#include <assert.h>
#include <errno.h>

static int cause_of_ours(int cause)
{
    if (cause <= E_RESOLVE_FAILED && cause >= E_DISCONNECTED)
        return cause;
    switch (-cause) {
    case ECONNREFUSED:
        return E_REFUSED;
    case ECONNRESET:
    case EPIPE:
        return E_CLOSED;
    case ETIMEDOUT:
        return E_TIMEOUT;
    default:
        return E_UNREACHABLE;
    }
}

void failures_add(struct failures *f, int cause)
{
    assert(cause < 0);
    f->counts[E_RESOLVE_FAILED - cause_of_ours(cause)]++;
}

int failures_next(const struct failures *f, size_t *position, uint64_t *ret_count)
{
    while (*position < FAILURES_CAUSES) {
        size_t at = (*position)++;

        if (f->counts[at] == 0)
            continue;
        *ret_count = f->counts[at];
        return E_RESOLVE_FAILED - (int) at;
    }
    return 0;
}
