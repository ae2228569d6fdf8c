/* The API over HTTP: listens, and carries requests to rest and answers back.
 *
 * It lives on the loop's thread and nowhere else. Who somebody is, a token says (Authorization:
 * Bearer), or the cookie of a session; where a request may come from is in origin.h. A client that
 * goes away while its request waits (wait_ms) keeps its connection until the deadline of the
 * request. */
#pragma once

#include <stddef.h>

#include "rest/rest.h"

struct uv_loop_s;
struct http;

/* Listens on all addresses of http.listen, as the configuration of the gateway says. 0, or a
 * negative errno (-EADDRINUSE: port taken) with a sentence in ret_error. What is borrowed must
 * outlive it. */
int http_new(struct uv_loop_s *loop, struct rest *rest, struct gateway *g, struct http **ret_http,
             char *ret_error, size_t error_size);

/* Where listener number index is bound, "127.0.0.1:8080"; "-" when there is no such. */
const char *http_bound(const struct http *h, size_t index);

/* Looks at the files of the certificate now, instead of within a minute. */
void http_reload(struct http *h);

/* Answers what waits with 503, stops listening and closes all connections; on_closed comes from a
 * later turn of the loop, then http_free(). */
void http_close(struct http *h, void (*on_closed)(void *user), void *user);
void http_free(struct http *h); /* accepts NULL */
