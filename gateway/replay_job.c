/* The story: all segments are held, a worker of libuv feeds them to a replay one after the other,
 * and back on the loop they are released and the result is told.
 *
 * Failure modes: a cancelled job stops within a few thousand records. Memory: while it runs, what
 * the ring drops is not released, so that the recorder takes twice its bound at most. */
#include "replay_job.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/memory.h"
#include "recorder/recorder.h"
#include "recorder/recording_reader.h"
#include "replay/replay.h"
#include "replay_settings.h"

#define DIFFERENCES_MAX 1000

struct held {
    struct recorder_hold *hold;
    struct recording_segment segment;
};

struct replay_job {
    uv_work_t work;
    struct recorder *recorder; /* borrowed */
    struct held *held;
    size_t held_count;
    char *patch;
    const char *patches[2];
    struct replay_settings settings;
    struct replay_wish wish;
    struct replay *replay;
    atomic_bool is_cancelled;
    struct replay_difference found[DIFFERENCES_MAX];
    struct gateway_replay_difference differences[DIFFERENCES_MAX];
    replay_job_fn *on_done;
    void *user;
};

static void hold_all(struct replay_job *job)
{
    struct recording_segment segment;
    struct recorder_hold *hold;
    uint64_t from = 0;

    while ((hold = recorder_take(job->recorder, from, &segment))) {
        job->held = memory_resize(job->held, job->held_count + 1, sizeof *job->held);
        job->held[job->held_count++] = (struct held){hold, segment};
        from = segment.sequence + 1;
    }
}

/* ---- on the worker ---- */

/* False: it is at the end of what was wanted. */
static bool feed_segment(struct replay_job *job, struct recording_reader *reader,
                         const struct recording_segment *segment)
{
    struct recording_record record;

    recording_reader_begin(reader, segment);
    replay_begin_segment(job->replay, segment);
    while (recording_reader_next(reader, &record) == 1) {
        if (atomic_load_explicit(&job->is_cancelled, memory_order_relaxed) ||
            !replay_feed(job->replay, &record, recording_reader_wall(reader, record.time)))
            return false;
    }
    return true;
}

static void do_work(uv_work_t *work)
{
    struct replay_job *job = work->data;
    struct recording_reader *reader = recording_reader_new();
    size_t i = 0;

    job->replay = replay_new(&job->wish);
    while (i < job->held_count && feed_segment(job, reader, &job->held[i].segment))
        i++;
    recording_reader_free(reader);
}

/* ---- on the loop ---- */

static struct gateway_replay_outcome outcome_of(const struct replay_outcome *o)
{
    return (struct gateway_replay_outcome){o->events, o->owner_changes, o->availability_changes,
                                           o->windows};
}

static const char *name_of(const struct replay_job *job, uint16_t source)
{
    const char *name = replay_source_name(job->replay, source);

    return name[0] ? name : NULL;
}

static void tell(struct replay_job *job)
{
    struct gateway_replay_result result = {.differences = job->differences};
    struct replay_totals totals;

    replay_get_totals(job->replay, &totals);
    result.packets = totals.packets;
    result.since = totals.since;
    result.until = totals.until;
    result.actual = outcome_of(&totals.actual);
    result.replayed = outcome_of(&totals.replayed);
    result.differences_count = replay_get_differences(job->replay, job->found, DIFFERENCES_MAX);
    if (result.differences_count > DIFFERENCES_MAX)
        result.differences_count = DIFFERENCES_MAX;
    for (size_t i = 0; i < result.differences_count; i++) {
        const struct replay_difference *d = &job->found[i];

        job->differences[i] = (struct gateway_replay_difference){
                d->address, d->owner_changes_actual, d->owner_changes_replayed,
                name_of(job, d->owner_actual), name_of(job, d->owner_replayed)};
    }
    job->on_done(job->user, 0, &result);
}

static void free_job(struct replay_job *job)
{
    replay_free(job->replay);
    free(job->held);
    free(job->patch);
    free(job);
}

static void on_worked(uv_work_t *work, int status)
{
    struct replay_job *job = work->data;

    for (size_t i = 0; i < job->held_count; i++)
        recorder_release(job->recorder, job->held[i].hold);
    if (status < 0 || !job->replay || atomic_load(&job->is_cancelled))
        job->on_done(job->user, E_CANCELLED, NULL);
    else
        tell(job);
    free_job(job);
}

struct replay_job *replay_job_start(struct uv_loop_s *loop, struct recorder *recorder,
                                    const struct gateway_replay_wish *wish, bool is_changed,
                                    replay_job_fn *on_done, void *user)
{
    struct replay_job *job = xnew(struct replay_job, 1);

    job->recorder = recorder;
    job->patch = memory_copy_text(wish->patch);
    job->patches[0] = job->patch;
    job->settings.patches = job->patches;
    job->wish = (struct replay_wish){.since = wish->since,
                                     .until = wish->until,
                                     .has_address = wish->has_address,
                                     .address = wish->address,
                                     .is_changed = is_changed,
                                     .read_settings = replay_settings_read,
                                     .user = &job->settings};
    job->on_done = on_done;
    job->user = user;
    job->work.data = job;
    hold_all(job);
    (void) uv_queue_work(loop, &job->work, do_work, on_worked); /* cannot fail */
    return job;
}

void replay_job_cancel(struct replay_job *job)
{
    if (!job)
        return;
    atomic_store(&job->is_cancelled, true);
    (void) uv_cancel((uv_req_t *) &job->work); /* if it did not begin; else the mark tells it */
}
