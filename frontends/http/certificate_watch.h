/* Keeps the certificate what its files are: looks at them each minute, and when somebody asks.
 * Internal to this folder. Thread: the loop's. */
#pragma once

#include "gateway/gateway.h"
#include "http/certificate.h"

#define CERTIFICATE_WATCH_INTERVAL (60 * USEC_PER_SEC)

struct uv_loop_s;
struct certificate_watch;

/* Reads the files of http.tls for the first time, which blocks. 0, or a negative errno with a
 * sentence in ret_error. */
int certificate_watch_new(struct uv_loop_s *loop, struct gateway *g,
                          struct certificate_watch **ret_watch, char *ret_error, size_t error_size);

/* NULL of NULL. */
struct certificate *certificate_watch_get(const struct certificate_watch *w);

/* Reads the files again, soon. What cannot be used is told, and the pair before goes on. */
void certificate_watch_reload(struct certificate_watch *w);

/* Lets a look come to its end; on_closed is called then, from inside if there is none. */
void certificate_watch_close(struct certificate_watch *w, void (*on_closed)(void *user),
                             void *user);
/* Closed, or just made; no connection may be left. Accepts NULL. */
void certificate_watch_free(struct certificate_watch *w);
