/* What a failed attempt means for the next one: counters, pauses and the class of the final error,
 * as bleak-retry-connector has them (behaviour.md 5.1 and 5.2 there), with numbers instead of
 * texts. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* How one attempt ended. */
enum attempt_end {
    ATTEMPT_CONNECTED,
    ATTEMPT_TIMED_OUT,  /* nothing came in attempt_timeout */
    ATTEMPT_REFUSED,    /* the proxy said no before it tried: error 0 and no slot was taken */
    ATTEMPT_FAILED,     /* message 69 with a reason, or without one */
    ATTEMPT_PROXY_LOST, /* the conversation with the proxy ended */
    ATTEMPT_CANCELLED,  /* nobody wants it any more */
};

/* Why an attempt is to be counted and how long to pause; by the reason of message 69. */
enum retry_kind { RETRY_TIMEOUT, RETRY_TRANSIENT, RETRY_CONNECT_ERROR };
struct retry_class {
    enum retry_kind kind;
    usec_t pause;
    int code;         /* of the contract, if it was the last one: E_CONNECT_FAILED, _ABORTED,
                         _TIMEOUT, E_NO_FREE_SLOT, E_PROXY_OFFLINE */
    const char *name; /* retry_reason_name() of an attempt that failed with a number; else NULL */
};
/* reason counts for ATTEMPT_FAILED alone. A link (ATTEMPT_CONNECTED) has code 0, and who gave up
 * has E_CANCELLED; their kinds and pauses mean nothing. */
struct retry_class retry_classify(enum attempt_end end, int32_t reason);

/* What message 69 means by a number: "fail_establish", "peer_terminated" …; NULL: it has no name.
 * For attempts and for the ends of links. Static storage. */
const char *retry_reason_name(int32_t reason);

/* The attempts of one request. Valid when zeroed but for max. */
struct retry {
    unsigned max; /* attempts of a request: timeouts and connect errors together */
    unsigned timeouts, connect_errors, transient;
    int last_code;
};
/* Transient errors are forgiven as long as there are fewer than 2 * max + 1 of them. */

/* Takes in a failed attempt. true: another one is allowed, *ret_pause from now; false: no more,
 * also because nobody wants it (*ret_pause is untouched). Not for ATTEMPT_CONNECTED. */
bool retry_next(struct retry *r, enum attempt_end end, int32_t reason, usec_t *ret_pause);
/* The class of the whole, once no attempt is left: that of the last one, but E_CONNECT_TIMEOUT only
 * when all timed out, else E_CONNECT_FAILED. 0: none was taken in. */
int retry_final(const struct retry *r);
