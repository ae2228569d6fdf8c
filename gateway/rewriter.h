/* Works on the configuration file, one order after the other, on a thread of its own. For gateway.c
 * alone. Thread: the loop's. */
#pragma once

#include "config/config_file.h"

struct uv_loop_s;
struct rewriter;

#define REWRITER_WAITING_MAX 64 /* orders, the one under way included */

enum rewriter_task {
    REWRITER_CHANGE,   /* config_file_change() */
    REWRITER_RELOAD,   /* config_file_reload() */
    REWRITER_CHECK,    /* config_file_check() */
    REWRITER_VERSIONS, /* config_file_get_versions() */
    REWRITER_READ,     /* config_file_read_version() */
    REWRITER_RESTORE,  /* config_file_restore() */
};

struct rewriter_order {
    enum rewriter_task task;
    struct config_edit edit; /* of a change; of a restore its if_match */
    int version;             /* to be read or restored */
};

struct rewriter_outcome { /* of what the task is about */
    struct config_edited edited;
    struct config_versions versions;
};

/* Only the worker touches the file, which outlives it. has_tokens says whether access tokens exist
 * at the moment that an order begins; NULL: there are none. */
typedef bool rewriter_has_tokens_fn(const void *user);
struct rewriter *rewriter_new(struct uv_loop_s *loop, struct config_file *file,
                              rewriter_has_tokens_fn *has_tokens, const void *user);

/* How an order ended: as config_file.h says, or E_SHUTTING_DOWN. The callee may take
 * outcome->edited.config; all else goes when it returns. */
typedef void rewriter_done_fn(void *user, int cause, struct rewriter_outcome *outcome);

/* Copies the order and calls done from a later turn of the loop, exactly once. E_OVERLOADED when
 * too many wait already. */
int rewriter_submit(struct rewriter *r, const struct rewriter_order *order, rewriter_done_fn *done,
                    void *user);

/* Lets the order under way come to its end, gives up what waits (E_SHUTTING_DOWN), then calls
 * on_closed, from inside if there is nothing to wait for, and is freed. */
void rewriter_close(struct rewriter *r, void (*on_closed)(void *user), void *user);
