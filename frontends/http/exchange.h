/* One request over HTTP and its answer: reads the body within its limit, checks where it comes
 * from, hands it to rest, and answers now or later. Internal to this folder. Thread: the loop's. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "rest/rest.h"

#define EXCHANGE_CLASSES 6 /* of status codes: 1xx to 5xx, and [0] for none */

struct exchange;

/* What the exchanges of one listener share. */
struct exchanges {
    struct rest *rest;           /* borrowed */
    struct gateway *gateway;     /* borrowed; whose configuration counts */
    struct uv_loop_s *loop;      /* borrowed */
    struct gateway_timer *watch; /* NULL: nobody waits */
    struct exchange *first_waiting, *first_streaming, *first_spooling;
    size_t body_bytes;                  /* held for requests that are still being read */
    struct log_limit refusals;          /* told in the log */
    bool is_secure;                     /* TLS */
    bool is_closing;                    /* every request is answered with 503 */
    uint64_t answers[EXCHANGE_CLASSES]; /* by the first digit of their status */
    /* A suspended connection was resumed: the library has to run soon. */
    void (*on_resumed)(void *user);
    void *user;
};

/* The callbacks of the library; cls is the struct exchanges. */
void *exchange_on_target(void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result exchange_on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                    const char *method, const char *version, const char *data,
                                    size_t *data_size, void **context);
void exchange_on_completed(void *cls, struct MHD_Connection *connection, void **context,
                           enum MHD_RequestTerminationCode code);

/* Somebody may have lost their token or session: ends the streams of those who have. */
void exchanges_look_at_accounts(struct exchanges *all);

/* Ends all waiting ones with 503 shutting_down, and all streams; refuses all to come. */
void exchanges_close(struct exchanges *all);
