/* The story: a part is copied and goes to a worker, which makes the file when it is the first one.
 * At the end the file loses its name, and a worker closes it.
 *
 * Failure modes: what a killed process leaves is removed at the next start, with all that lies
 * about in that folder. */
#include "spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/error.h"
#include "base/memory.h"

struct spool {
    uv_work_t work;
    uv_loop_t *loop;
    char *path;
    int fd; /* -1: not made yet */
    uint64_t size;
    char *part; /* its room stays for the next one */
    size_t part_size, part_capacity;
    int cause; /* of the last part; set by the worker */
    bool is_working, is_ending;
    spool_written_fn *on_written;
    void *user;
};

/* ---- on the worker ---- */

static int make_file(struct spool *s)
{
    s->fd = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->fd >= 0)
        return 0;
    return errno == EEXIST ? E_OVERLOADED : -errno;
}

static int write_part(const struct spool *s)
{
    for (size_t done = 0; done < s->part_size;) {
        ssize_t written = write(s->fd, s->part + done, s->part_size - done);

        if (written == 0)
            return -ENOSPC; /* would go on for ever */
        if (written < 0 && errno != EINTR)
            return -errno;
        done += written > 0 ? (size_t) written : 0;
    }
    return 0;
}

static void write_work(uv_work_t *work)
{
    struct spool *s = work->data;

    s->cause = s->fd < 0 ? make_file(s) : 0;
    if (s->cause == 0)
        s->cause = write_part(s);
}

static void end_work(uv_work_t *work)
{
    struct spool *s = work->data;

    if (s->fd >= 0)
        (void) close(s->fd);
}

/* ---- on the loop ---- */

static void on_ended(uv_work_t *work, int status)
{
    struct spool *s = work->data;

    (void) status; /* nobody cancels it */
    free(s->part);
    free(s->path);
    free(s);
}

/* The name goes at once, so that whoever asks next may have it; what it stood for takes longer. */
static void end(struct spool *s)
{
    if (s->fd >= 0)
        (void) unlink(s->path);
    (void) uv_queue_work(s->loop, &s->work, end_work, on_ended); /* fails only without end_work */
}

static void on_part_written(uv_work_t *work, int status)
{
    struct spool *s = work->data;

    (void) status;
    s->is_working = false;
    if (s->cause == 0)
        s->size += s->part_size;
    if (s->is_ending)
        end(s);
    else
        s->on_written(s->user, s->cause);
}

struct spool *spool_new(struct uv_loop_s *loop, char *path)
{
    struct spool *s = xnew(struct spool, 1);

    s->loop = loop;
    s->path = path;
    s->fd = -1;
    s->work.data = s;
    return s;
}

void spool_write(struct spool *s, const void *data, size_t size, spool_written_fn *on_written,
                 void *user)
{
    assert(!s->is_working && s->cause == 0);
    if (size > s->part_capacity) {
        s->part = memory_resize(s->part, size, 1);
        s->part_capacity = size;
    }
    memcpy(s->part, data, size);
    s->part_size = size;
    s->on_written = on_written;
    s->user = user;
    s->is_working = true;
    (void) uv_queue_work(s->loop, &s->work, write_work, on_part_written);
}

const char *spool_path(const struct spool *s)
{
    return s->path;
}

uint64_t spool_size(const struct spool *s)
{
    return s->size;
}

void spool_free(struct spool *s)
{
    if (!s)
        return;
    s->is_ending = true;
    if (!s->is_working)
        end(s);
}
