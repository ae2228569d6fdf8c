/* The story: the publisher offers every event once; what the reader wants is queued by its number.
 * When the transport reads, numbers are taken from the queue, and the events copied from the ring
 * as text, as many as the transport has room for. With nothing to say the reader waits, and wakes
 * the transport when something comes.
 *
 * At the beginning it catches up: first what it missed since Last-Event-ID (queued at once), then
 * the snapshot, a bounded number of devices a turn. Meanwhile events queue up behind.
 *
 * Failure modes: a queue that is full loses its oldest; so does one whose events have left the
 * ring. Both are counted, and told before the next event. A transport that does not come back for
 * what it was woken for is cut. */
#include "event_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "rest/event_snapshot.h"
#include "json/event_json.h"

#define SNAPSHOT_VISITS 256 /* devices looked at in one read: under a millisecond */
#define QUEUE_FIRST     16

struct event_reader {
    struct answer_stream stream; /* first: a stream leads back here */
    struct event_reader_setup setup;
    struct event_wish wish;
    bool is_unfiltered;
    struct client client;

    /* numbers of events, oldest at first */
    uint64_t *queue; /* ours, a ring */
    size_t queue_capacity, queue_first;
    size_t missed; /* of the queue: what it missed before it came, in front of the rest */
    size_t grace;  /* what had queued up when it had caught up may wait beyond queue_max */

    bool is_snapshotting;
    struct event_snapshot snapshot;
    size_t snapshot_told;
    uint64_t snapshot_number; /* the last event before it */

    struct buffer out;
    struct writer writer;
    uint64_t untold; /* lost, and not yet told */
    usec_t next_comment, last_read;
    bool is_comment_due, is_waiting, wants_turn, is_ended, is_cut;
};

static struct event_reader *reader_of(struct answer_stream *stream)
{
    return CONTAINER_OF(stream, struct event_reader, stream);
}

/* ---- the queue ---- */

static bool is_catching_up(const struct event_reader *r)
{
    return r->missed > 0 || r->is_snapshotting;
}

/* While it catches up it cannot take new events, which is not its fault: they may wait as long as
 * the ring has them. */
static size_t queue_limit(const struct event_reader *r)
{
    size_t limit = r->setup.queue_max;

    if (is_catching_up(r))
        limit = event_ring_capacity(r->setup.ring) + r->missed;
    else if (r->grace > limit)
        limit = r->grace;
    return limit;
}

static void grow_queue(struct event_reader *r)
{
    size_t capacity = r->queue_capacity > 0 ? 2 * r->queue_capacity : QUEUE_FIRST;
    uint64_t *queue = xnew(uint64_t, capacity);

    for (size_t i = 0; i < r->client.queued; i++)
        queue[i] = r->queue[(r->queue_first + i) % r->queue_capacity];
    free(r->queue);
    r->queue = queue;
    r->queue_capacity = capacity;
    r->queue_first = 0;
}

static uint64_t pop(struct event_reader *r)
{
    uint64_t number = r->queue[r->queue_first];

    r->queue_first = (r->queue_first + 1) % r->queue_capacity;
    r->client.queued--;
    if (r->missed > 0 && --r->missed == 0)
        r->grace = r->client.queued;
    if (r->grace > r->client.queued)
        r->grace = r->client.queued;
    return number;
}

static void lose(struct event_reader *r)
{
    r->client.dropped++;
    r->untold++;
}

static void push(struct event_reader *r, uint64_t number)
{
    while (r->client.queued >= queue_limit(r)) {
        (void) pop(r);
        lose(r);
    }
    if (r->client.queued == r->queue_capacity)
        grow_queue(r);
    r->queue[(r->queue_first + r->client.queued) % r->queue_capacity] = number;
    r->client.queued++;
}

/* ---- what it wants ---- */

static bool wants(const struct event_reader *r, const struct event *event)
{
    bool is_packet = event->type == EVENT_ADVERTISEMENT || event->type == EVENT_RSSI;

    if (!(r->wish.types & 1u << event->type))
        return false;
    if (is_packet && !(event->selections & r->setup.selections))
        return false;
    if (r->is_unfiltered)
        return true;
    if (event->subject.has_device && !event_wish_has_address(&r->wish, event->subject.address))
        return false;
    return event_subject_matches(&event->subject, &r->wish.filter);
}

/* ---- its text ---- */

static void begin_event(struct event_reader *r, uint64_t number, const char *name)
{
    char id[EVENT_ID_SIZE];

    if (number != 0) {
        event_id_format(id, r->setup.boot, number);
        buffer_append_text(&r->out, "id: ");
        buffer_append_text(&r->out, id);
        buffer_append_char(&r->out, '\n');
    }
    buffer_append_text(&r->out, "event: ");
    buffer_append_text(&r->out, name);
    buffer_append_text(&r->out, "\ndata: ");
}

static void end_event(struct event_reader *r, const void *data, size_t size)
{
    buffer_append(&r->out, data, size);
    buffer_append(&r->out, "\n\n", 2);
    r->client.messages++;
}

/* What is in the writer, which is empty afterwards. */
static void end_written(struct event_reader *r)
{
    end_event(r, buffer_front(&r->writer.text), buffer_size(&r->writer.text));
    buffer_clear(&r->writer.text);
    r->writer.needs_comma = false;
}

static void tell_reset(struct event_reader *r, const char *reason)
{
    char oldest[EVENT_ID_SIZE];
    bool has_any = r->setup.first < event_ring_next(r->setup.ring);

    event_id_format(oldest, r->setup.boot, r->setup.first);
    begin_event(r, 0, "reset");
    event_json_write_reset(&r->writer, NULL, reason, has_any ? oldest : NULL);
    end_written(r);
}

static void tell_losses(struct event_reader *r)
{
    begin_event(r, 0, "dropped");
    event_json_write_dropped(&r->writer, NULL, r->untold, r->client.dropped);
    end_written(r);
    r->untold = 0;
}

/* The id makes whoever comes back get what happened since the snapshot was begun. */
static void tell_ready(struct event_reader *r)
{
    char id[EVENT_ID_SIZE];

    event_id_format(id, r->setup.boot, r->snapshot_number);
    buffer_append_format(&r->out, "id: %s\n", id);
    begin_event(r, 0, "ready");
    event_json_write_ready(&r->writer, NULL, r->snapshot_told);
    end_written(r);
}

static void tell_queued(struct event_reader *r)
{
    uint64_t number = pop(r);
    struct event event;

    if (!event_ring_get(r->setup.ring, number, &event)) {
        lose(r);
        return;
    }
    if (r->untold > 0)
        tell_losses(r);
    begin_event(r, number, event_type_name(event.type));
    end_event(r, event.data, event.data_size);
}

/* Devices, until there is text enough or the turn is used up. */
static void tell_snapshot(struct event_reader *r, size_t enough, size_t *visits)
{
    struct gateway_device device;

    while (buffer_size(&r->out) < enough && *visits > 0) {
        if (event_snapshot_is_at_end(&r->snapshot)) {
            event_snapshot_done(&r->snapshot);
            tell_ready(r);
            r->is_snapshotting = false;
            r->grace = r->client.queued;
            return;
        }
        --*visits;
        if (!event_snapshot_next(&r->snapshot, r->setup.gateway, &r->wish, &device))
            continue;
        begin_event(r, 0, "device");
        event_json_write_snapshot(&r->writer, NULL, r->setup.gateway, &device);
        end_written(r);
        r->snapshot_told++;
    }
}

static void fill(struct event_reader *r, size_t enough)
{
    size_t visits = SNAPSHOT_VISITS;

    if (r->is_comment_due)
        buffer_append_text(&r->out, ":\n\n");
    r->is_comment_due = false;
    while (buffer_size(&r->out) < enough) {
        if (r->missed > 0) {
            tell_queued(r);
        } else if (r->is_snapshotting) {
            tell_snapshot(r, enough, &visits);
            if (r->is_snapshotting)
                return;
        } else if (r->client.queued > 0) {
            tell_queued(r);
        } else {
            break;
        }
    }
    if (r->untold > 0 && r->client.queued == 0)
        tell_losses(r);
}

static size_t take_out(struct event_reader *r, void *buffer, size_t capacity)
{
    size_t size = buffer_size(&r->out);

    if (size > capacity)
        size = capacity;
    memcpy(buffer, buffer_front(&r->out), size);
    buffer_consume(&r->out, size);
    r->client.bytes += size;
    return size;
}

static ptrdiff_t on_read(struct answer_stream *stream, void *buffer, size_t capacity)
{
    struct event_reader *r = reader_of(stream);

    r->last_read = gateway_now(r->setup.gateway);
    if (!r->is_ended)
        fill(r, capacity);
    if (buffer_size(&r->out) > 0)
        return (ptrdiff_t) take_out(r, buffer, capacity);
    if (r->is_ended)
        return ANSWER_STREAM_END;
    r->is_waiting = true;
    if (r->is_snapshotting) {
        r->wants_turn = true;
        r->setup.on_again(r->setup.user);
    }
    return 0;
}

static void on_free(struct answer_stream *stream)
{
    struct event_reader *r = reader_of(stream);

    r->setup.on_free(r->setup.user, r);
    event_snapshot_done(&r->snapshot);
    event_wish_done(&r->wish);
    buffer_done(&r->out);
    writer_done(&r->writer);
    free(r->queue);
    free(r);
}

static void wake(struct event_reader *r)
{
    if (!r->is_waiting)
        return;
    r->is_waiting = false;
    r->last_read = gateway_now(r->setup.gateway);
    r->stream.on_wake(r->stream.user);
}

/* ---- the beginning ---- */

static void queue_missed(struct event_reader *r)
{
    uint64_t next = event_ring_next(r->setup.ring);
    struct event event;

    for (uint64_t number = r->wish.last_number + 1; number < next; number++) {
        if (!event_ring_get(r->setup.ring, number, &event) || !wants(r, &event))
            continue;
        r->missed++;
        push(r, number);
    }
}

static void take_up_where_it_was(struct event_reader *r)
{
    uint64_t next = event_ring_next(r->setup.ring);

    if (!r->wish.has_last)
        return;
    if (r->wish.last_boot != r->setup.boot || r->wish.last_number >= next)
        tell_reset(r, "other_boot");
    else if (r->wish.last_number + 1 < r->setup.first)
        tell_reset(r, "too_old");
    else
        queue_missed(r);
}

struct event_reader *event_reader_new(const struct event_reader_setup *setup,
                                      struct event_wish *wish)
{
    struct event_reader *r = xnew(struct event_reader, 1);
    usec_t now = gateway_now(setup->gateway);

    r->stream.read = on_read;
    r->stream.free = on_free;
    r->setup = *setup;
    r->wish = *wish;
    *wish = (struct event_wish){0};
    r->is_unfiltered = r->wish.addresses_count == 0 && device_filter_is_open(&r->wish.filter);
    r->client = (struct client){.kind = CLIENT_SSE, .since = now};
    r->last_read = now;
    r->next_comment = now + EVENT_READER_COMMENT;
    buffer_append_text(&r->out, "retry: 3000\n\n");
    take_up_where_it_was(r);
    if (r->wish.wants_snapshot) {
        r->is_snapshotting = true;
        r->snapshot_number = event_ring_next(r->setup.ring) - 1;
        event_snapshot_begin(&r->snapshot, setup->gateway, &r->wish);
    }
    return r;
}

struct answer_stream *event_reader_stream(struct event_reader *r)
{
    return &r->stream;
}

struct client *event_reader_client(struct event_reader *r)
{
    return &r->client;
}

void event_reader_offer(struct event_reader *r, uint64_t number, const struct event *event)
{
    if (r->is_ended || !wants(r, event))
        return;
    push(r, number);
    wake(r);
}

void event_reader_again(struct event_reader *r)
{
    if (!r->wants_turn)
        return;
    r->wants_turn = false;
    wake(r);
}

/* It was woken and has not read since; being woken may be a little later than now. Nobody carries
 * it yet while what it is for is being prepared. */
static bool is_stalled(struct event_reader *r, usec_t now)
{
    if (!r->stream.on_stalled)
        r->last_read = now;
    return !r->is_waiting && now >= r->last_read + EVENT_READER_STALLED;
}

bool event_reader_tick(struct event_reader *r, usec_t now)
{
    if (now >= r->next_comment) {
        r->next_comment = now + EVENT_READER_COMMENT;
        r->is_comment_due = true;
        wake(r);
    }
    if (r->is_cut || !is_stalled(r, now))
        return false;
    r->is_cut = true;
    r->stream.on_stalled(r->stream.user);
    return true;
}

void event_reader_end(struct event_reader *r)
{
    r->is_ended = true;
    wake(r);
}
