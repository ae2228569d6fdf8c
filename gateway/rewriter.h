/* Changes the configuration file, one change after the other, on a thread of its own. For gateway.c
 * alone. Thread: the loop's. */
#pragma once

#include "config/config_file.h"

struct uv_loop_s;
struct rewriter;

#define REWRITER_WAITING_MAX 64 /* changes, the one under way included */

/* Only the worker touches the file, which outlives it. */
struct rewriter *rewriter_new(struct uv_loop_s *loop, struct config_file *file);

/* How a change ended: as config_file_change() says, or E_SHUTTING_DOWN. The callee may take
 * edited->config; all else goes when it returns. */
typedef void rewriter_done_fn(void *user, int cause, struct config_edited *edited);

/* Copies the edit and calls done from a later turn of the loop, exactly once. E_OVERLOADED when too
 * many wait already. */
int rewriter_change(struct rewriter *r, const struct config_edit *edit, rewriter_done_fn *done,
                    void *user);

/* Lets the change under way come to its end, gives up what waits (E_SHUTTING_DOWN), then calls
 * on_closed, from inside if there is nothing to wait for, and is freed. */
void rewriter_close(struct rewriter *r, void (*on_closed)(void *user), void *user);
