/* The story: changes wait in line; the first one is under way: a worker reads, edits and writes the
 * file with copies of what was asked, and the loop gets the outcome. Then the next one goes, on the
 * file that the last one left. So each sees what the one before it did, and none waits for a disk
 * on the loop.
 *
 * Failure modes: those of the file are outcomes. At the end the change under way is waited for, and
 * what stands behind it is given up. */
#include "rewriter.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/error.h"
#include "base/memory.h"

struct change {
    struct change *next;
    struct config_edit edit; /* its texts are ours */
    int cause;
    struct config_edited edited;
    rewriter_done_fn *done;
    void *user;
};

struct rewriter {
    uv_work_t work;
    uv_loop_t *loop;
    struct config_file *file;    /* borrowed; the worker's while is_working */
    struct change *first, *last; /* in line; the first may be under way */
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

static struct change *make_change(const struct config_edit *edit, rewriter_done_fn *done,
                                  void *user)
{
    struct change *c = xnew(struct change, 1);

    c->edit = (struct config_edit){
            .kind = edit->kind,
            .list = memory_copy_text(edit->list),
            .entry = memory_copy_text(edit->entry),
            .patch = copy_octets(edit->patch, edit->patch_size),
            .patch_size = edit->patch_size,
            .pointer = memory_copy_text(edit->pointer),
            .if_match = memory_copy_text(edit->if_match),
    };
    c->done = done;
    c->user = user;
    return c;
}

static void free_change(struct change *c)
{
    char *patch = (char *) c->edit.patch;

    if (patch)
        explicit_bzero(patch, c->edit.patch_size); /* it may hold a key */
    free(patch);
    free((char *) c->edit.list);
    free((char *) c->edit.entry);
    free((char *) c->edit.pointer);
    free((char *) c->edit.if_match);
    config_edited_done(&c->edited);
    free(c);
}

static struct change *take_first(struct rewriter *r)
{
    struct change *c = r->first;

    r->first = c->next;
    if (!r->first)
        r->last = NULL;
    r->count--;
    return c;
}

static void finish(struct change *c, int cause)
{
    c->done(c->user, cause, &c->edited);
    free_change(c);
}

static void finish_close(struct rewriter *r)
{
    while (r->first)
        finish(take_first(r), E_SHUTTING_DOWN);
    r->on_closed(r->closed_user);
    free(r);
}

static void do_change(uv_work_t *work)
{
    struct rewriter *r = work->data;
    struct change *c = r->first;

    c->cause = config_file_change(r->file, &c->edit, &c->edited);
}

static void on_changed(uv_work_t *work, int status);

static void begin_first(struct rewriter *r)
{
    r->is_working = true;
    (void) uv_queue_work(r->loop, &r->work, do_change, on_changed); /* fails only without do_… */
}

/* The next one begins first: who is told may ask for another. */
static void on_changed(uv_work_t *work, int status)
{
    struct rewriter *r = work->data;
    struct change *c = take_first(r);

    (void) status; /* nobody cancels it */
    r->is_working = false;
    if (r->first && !r->is_closing)
        begin_first(r);
    finish(c, c->cause);
    if (r->is_closing)
        finish_close(r);
}

struct rewriter *rewriter_new(struct uv_loop_s *loop, struct config_file *file)
{
    struct rewriter *r = xnew(struct rewriter, 1);

    r->loop = loop;
    r->file = file;
    r->work.data = r;
    return r;
}

int rewriter_change(struct rewriter *r, const struct config_edit *edit, rewriter_done_fn *done,
                    void *user)
{
    struct change *c;

    if (r->is_closing)
        return E_SHUTTING_DOWN;
    if (r->count == REWRITER_WAITING_MAX)
        return E_OVERLOADED;
    c = make_change(edit, done, user);
    if (r->last)
        r->last->next = c;
    else
        r->first = c;
    r->last = c;
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
