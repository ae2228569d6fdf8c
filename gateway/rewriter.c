/* The story: orders wait in line; the first one is under way: a worker reads, edits and writes the
 * file with copies of what was asked, and the loop gets the outcome. Then the next one goes, on the
 * file that the last one left. So each sees what the one before it did, and none waits for a disk
 * on the loop.
 *
 * Failure modes: those of the file are outcomes. At the end the order under way is waited for, and
 * what stands behind it is given up. */
#include "rewriter.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/error.h"
#include "base/memory.h"

struct job {
    struct job *next;
    struct rewriter_order order; /* its texts are ours */
    int cause;
    struct rewriter_outcome outcome;
    rewriter_done_fn *done;
    void *user;
};

struct rewriter {
    uv_work_t work;
    uv_loop_t *loop;
    struct config_file *file; /* borrowed; the worker's while is_working */
    rewriter_has_tokens_fn *has_tokens;
    const void *tokens_user;
    struct job *first, *last; /* in line; the first may be under way */
    size_t count;
    bool is_working, is_closing;
    void (*on_closed)(void *user);
    void *closed_user;
};

/* What may be NULL stays NULL; free() it. */
static char *copy_octets(const char *octets, size_t size)
{
    char *copy;

    if (!octets)
        return NULL;
    copy = memory_zalloc(1, size + 1);
    memcpy(copy, octets, size);
    return copy;
}

static struct job *make_job(const struct rewriter_order *order, rewriter_done_fn *done, void *user)
{
    const struct config_edit *edit = &order->edit;
    struct job *job = xnew(struct job, 1);

    job->order = *order;
    job->order.edit.list = memory_copy_text(edit->list);
    job->order.edit.entry = memory_copy_text(edit->entry);
    job->order.edit.patch = copy_octets(edit->patch, edit->patch_size);
    job->order.edit.pointer = memory_copy_text(edit->pointer);
    job->order.edit.if_match = memory_copy_text(edit->if_match);
    job->done = done;
    job->user = user;
    return job;
}

static void free_job(struct job *job)
{
    struct config_edit *edit = &job->order.edit;
    char *patch = (char *) edit->patch;

    if (patch)
        explicit_bzero(patch, edit->patch_size); /* it may hold a key */
    free(patch);
    free((char *) edit->list);
    free((char *) edit->entry);
    free((char *) edit->pointer);
    free((char *) edit->if_match);
    config_edited_done(&job->outcome.edited);
    free(job);
}

static struct job *take_first(struct rewriter *r)
{
    struct job *job = r->first;

    r->first = job->next;
    if (!r->first)
        r->last = NULL;
    r->count--;
    return job;
}

static void finish(struct job *job, int cause)
{
    job->done(job->user, cause, &job->outcome);
    free_job(job);
}

static void finish_close(struct rewriter *r)
{
    while (r->first)
        finish(take_first(r), E_SHUTTING_DOWN);
    r->on_closed(r->closed_user);
    free(r);
}

static int work_on(struct config_file *file, const struct rewriter_order *order,
                   struct rewriter_outcome *outcome)
{
    switch (order->task) {
    case REWRITER_CHANGE:
        return config_file_change(file, &order->edit, &outcome->edited);
    case REWRITER_RELOAD:
        return config_file_reload(file, &outcome->edited);
    case REWRITER_CHECK:
        return config_file_check(file, &outcome->edited);
    case REWRITER_VERSIONS:
        config_file_get_versions(file, &outcome->versions);
        return 0;
    case REWRITER_READ:
        return config_file_read_version(file, order->version, &outcome->edited);
    case REWRITER_RESTORE:
        return config_file_restore(file, order->version, order->edit.if_match, &outcome->edited);
    }
    return E_INTERNAL;
}

static void do_first(uv_work_t *work)
{
    struct rewriter *r = work->data;
    struct job *job = r->first;

    job->cause = work_on(r->file, &job->order, &job->outcome);
}

static void on_worked(uv_work_t *work, int status);

static void begin_first(struct rewriter *r)
{
    r->is_working = true;
    r->file->has_tokens = r->has_tokens && r->has_tokens(r->tokens_user);
    (void) uv_queue_work(r->loop, &r->work, do_first, on_worked); /* fails only without do_… */
}

/* The next one begins first: who is told may ask for another. */
static void on_worked(uv_work_t *work, int status)
{
    struct rewriter *r = work->data;
    struct job *job = take_first(r);

    (void) status; /* nobody cancels it */
    r->is_working = false;
    if (r->first && !r->is_closing)
        begin_first(r);
    finish(job, job->cause);
    if (r->is_closing)
        finish_close(r);
}

struct rewriter *rewriter_new(struct uv_loop_s *loop, struct config_file *file,
                              rewriter_has_tokens_fn *has_tokens, const void *user)
{
    struct rewriter *r = xnew(struct rewriter, 1);

    r->loop = loop;
    r->file = file;
    r->has_tokens = has_tokens;
    r->tokens_user = user;
    r->work.data = r;
    return r;
}

int rewriter_submit(struct rewriter *r, const struct rewriter_order *order, rewriter_done_fn *done,
                    void *user)
{
    struct job *job;

    if (r->is_closing)
        return E_SHUTTING_DOWN;
    if (r->count == REWRITER_WAITING_MAX)
        return E_OVERLOADED;
    job = make_job(order, done, user);
    if (r->last)
        r->last->next = job;
    else
        r->first = job;
    r->last = job;
    r->count++;
    if (!r->is_working)
        begin_first(r);
    return 0;
}

void rewriter_close(struct rewriter *r, void (*on_closed)(void *user), void *user)
{
    r->is_closing = true;
    r->on_closed = on_closed;
    r->closed_user = user;
    if (!r->is_working)
        finish_close(r);
}
