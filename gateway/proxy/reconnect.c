#include "reconnect.h"

#include <math.h>

#include "base/error.h"

/* Straight to the longest wait, as the reference client does after a fault of configuration. */
#define TRIES_HOPELESS 100

void reconnect_succeeded(struct reconnect *r)
{
    r->tries = 0;
}

bool reconnect_is_hopeless(int cause)
{
    switch (cause) {
    case E_KEY_REQUIRED:
    case E_KEY_NOT_EXPECTED:
    case E_WRONG_KEY:
    case E_WRONG_PASSWORD:
    case E_WRONG_DEVICE:
    case E_NOT_A_PROXY:
        return true;
    default:
        return false;
    }
}

static usec_t backoff(unsigned tries, usec_t longest)
{
    double seconds = round(fmin(pow(1.8, tries), (double) longest / USEC_PER_SEC));

    return (usec_t) seconds * USEC_PER_SEC;
}

usec_t reconnect_delay(struct reconnect *r, int cause, usec_t ready_for, bool has_deep_sleep,
                       double jitter)
{
    usec_t spread = (usec_t) (jitter * (double) RECONNECT_JITTER);

    if (reconnect_is_hopeless(cause)) {
        r->tries = TRIES_HOPELESS;
        return RECONNECT_DELAY_MAX + spread;
    }
    if (cause == E_DISCONNECTED && ready_for > 0)
        return RECONNECT_DELAY_EXPECTED + spread;
    if (ready_for >= RECONNECT_STABLE_AFTER)
        return 0;
    r->tries++;
    return backoff(r->tries, has_deep_sleep ? RECONNECT_DELAY_MAX_SLEEPER : RECONNECT_DELAY_MAX) +
           spread;
}
