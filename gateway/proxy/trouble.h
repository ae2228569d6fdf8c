/* What went wrong with a proxy: the last cause, how often each came, and what of it goes into the
 * log. It logs; thread: the loop's. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/failures.h"

struct trouble {
    const char *name; /* of the proxy, borrowed */
    int code;         /* 0: none now */
    char detail[200];
    usec_t time;
    int logged; /* the cause that was told last */
    struct failures failures;
    struct log_limit log_limit; /* of all lines that the proxy may cause */
};

void trouble_init(struct trouble *t, const char *name);

/* cause is negative. The detail is copied. */
void trouble_keep(struct trouble *t, int cause, const char *detail, usec_t now);

/* It goes well: there is no last cause any more. The counts and its time stay. */
void trouble_end(struct trouble *t);

/* Whether one more line of what this proxy does may go into the log. */
bool trouble_may_log(struct trouble *t, usec_t now);

/* Tells of the last cause, after so many tries: a new cause at once, the same one again at the
 * 10th, 20th … try. */
void trouble_log(struct trouble *t, unsigned tries, usec_t delay, usec_t now);
