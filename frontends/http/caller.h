/* One connection of a client, and how long what it does may take. The library only knows a time
 * without progress, which an octet now and then keeps alive; here each part of the conversation has
 * an end that does not move, or that moves with the octets of a body alone. Internal to this
 * folder. Thread: the loop's. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "gateway/gateway.h"

struct caller;
struct certificate;

/* Those of one listener. Zeroed but for the gateway, and for the certificate that they are shown
 * (NULL: plain); both are borrowed. */
struct callers {
    struct gateway *gateway;
    struct certificate *certificate;
    struct caller *first;
    struct gateway_timer *watch; /* NULL: nobody has an end */
    struct log_limit log_limit;
    bool is_closing;
};

/* The callback of the library for connections that come and go; cls is the struct callers. */
void caller_on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code);

/* The caller at the other end. */
struct caller *caller_of(struct MHD_Connection *connection);

/* What is shown to it; NULL: nothing. */
struct certificate *caller_certificate(const struct caller *c);

/* It sends a body from now on, octets that caller_sent() counts: it may take 30 s, and a second
 * more for each 1,024 of them. */
void caller_begin_body(struct caller *c);
void caller_sent(struct caller *c, size_t size);

/* It is sent an answer of that size, for which it has the same time. */
void caller_begin_answer(struct caller *c, uint64_t size);

/* It waits for us, or reads a stream: no end. */
void caller_begin_wait(struct caller *c);

/* Its request is over: 60 s for the headers of the next one. (The first had 15 s.) */
void caller_begin_pause(struct caller *c);

/* Nobody is looked after any more; the callers go with their connections. */
void callers_close(struct callers *all);
