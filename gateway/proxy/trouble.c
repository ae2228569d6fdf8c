#include "trouble.h"

#include <stdio.h>

/* One that comes and goes all day must not fill the log. */
#define LOG_BURST  10
#define LOG_WINDOW (600 * USEC_PER_SEC)

void trouble_init(struct trouble *t, const char *name)
{
    *t = (struct trouble){.name = name, .log_limit = {.burst = LOG_BURST, .window = LOG_WINDOW}};
}

void trouble_keep(struct trouble *t, int cause, const char *detail, usec_t now)
{
    failures_add(&t->failures, cause);
    t->code = cause;
    t->time = now;
    (void) snprintf(t->detail, sizeof t->detail, "%s", detail);
}

void trouble_end(struct trouble *t)
{
    t->code = t->logged = 0;
}

bool trouble_may_log(struct trouble *t, usec_t now)
{
    unsigned held_back = 0;

    if (!log_allowed(&t->log_limit, now, &held_back))
        return false;
    if (held_back > 0)
        log_info("proxy.held_back", "name=%s lines=%u", t->name, held_back);
    return true;
}

void trouble_log(struct trouble *t, unsigned tries, usec_t delay, usec_t now)
{
    double seconds = (double) delay / USEC_PER_SEC;

    if ((t->logged == t->code && tries % 10 != 0) || !trouble_may_log(t, now)) {
        log_debug("proxy.failed", "name=%s cause=%s tries=%u retry_s=%.1f", t->name,
                  error_token(t->code), tries, seconds);
        return;
    }
    t->logged = t->code;
    log_warning("proxy.failed", "name=%s cause=%s detail=\"%s\" retrying in %.1f s", t->name,
                error_token(t->code), t->detail, seconds);
}
