/* The story: what the transport reads is written ahead into a small buffer, record by record; when
 * that is empty and the recording at its end, so is the stream. A search that looks at much and
 * finds little lets the loop go on in between, and wakes the transport with a timer. */
#include "recorder_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/btsnoop.h"
#include "json/recorder_json.h"

#define AHEAD ((size_t) 16 * 1024) /* octets written before the transport takes them */

struct recorder_stream {
    struct answer_stream stream;
    struct gateway *gateway;
    struct gateway_recording *recording;
    enum recorder_format format;
    struct writer text;         /* what was written and not read */
    struct bytes segment;       /* what is left of one, borrowed from the recording */
    struct gateway_timer *wake; /* NULL: nobody waits */
    uint64_t *met; /* MACs of the proxies that btsnoop introduced last by their numbers, plus 1 */
    bool is_at_end;
};

static void on_time(void *user)
{
    struct recorder_stream *s = user;

    s->wake = NULL;
    s->stream.on_wake(s->stream.user);
}

/* A number may be that of another proxy later in the recording. */
static void write_btsnoop(struct recorder_stream *s, const struct gateway_recorded *recorded)
{
    uint64_t *met = &s->met[recorded->proxy_number];

    if (*met == 0 || (recorded->proxy_mac != 0 && *met != recorded->proxy_mac + 1)) {
        *met = recorded->proxy_mac + 1;
        btsnoop_write_proxy(&s->text.text, recorded);
    }
    btsnoop_write_advertisement(&s->text.text, recorded);
}

/* As gateway_recording_next(). */
static int write_next(struct recorder_stream *s)
{
    struct gateway_recorded recorded;
    struct bytes header;
    int rc;

    if (s->format == RECORDER_NATIVE) {
        rc = gateway_recording_next_segment(s->recording, &header, &s->segment);
        if (rc == 1)
            buffer_append(&s->text.text, header.data, header.size);
        return rc;
    }
    rc = gateway_recording_next(s->recording, &recorded);
    if (rc != 1)
        return rc;
    if (s->format == RECORDER_BTSNOOP) {
        write_btsnoop(s, &recorded);
    } else {
        recorder_json_write_line(&s->text, &recorded);
        buffer_append_char(&s->text.text, '\n');
    }
    return rc;
}

static void write_ahead(struct recorder_stream *s)
{
    int rc = 1;

    while (rc == 1 && s->segment.size == 0 && buffer_size(&s->text.text) < AHEAD)
        rc = write_next(s);
    s->is_at_end = rc == 0;
}

static size_t take(struct recorder_stream *s, void *buffer, size_t capacity)
{
    size_t size = buffer_size(&s->text.text), part;

    size = size < capacity ? size : capacity;
    if (size > 0)
        memcpy(buffer, buffer_front(&s->text.text), size);
    buffer_consume(&s->text.text, size);
    part = s->segment.size < capacity - size ? s->segment.size : capacity - size;
    if (part > 0) {
        memcpy((char *) buffer + size, s->segment.data, part);
        s->segment = (struct bytes){s->segment.data + part, s->segment.size - part};
    }
    return size + part;
}

static ptrdiff_t read_stream(struct answer_stream *stream, void *buffer, size_t capacity)
{
    struct recorder_stream *s = CONTAINER_OF(stream, struct recorder_stream, stream);
    size_t size;

    if (!s->is_at_end)
        write_ahead(s);
    size = take(s, buffer, capacity);
    if (size > 0)
        return (ptrdiff_t) size;
    if (s->is_at_end)
        return ANSWER_STREAM_END;
    if (!s->wake)
        s->wake = gateway_timer_start(s->gateway, 0, on_time, s);
    return 0;
}

static void free_stream(struct answer_stream *stream)
{
    struct recorder_stream *s = CONTAINER_OF(stream, struct recorder_stream, stream);

    gateway_timer_stop(s->wake);
    gateway_recording_close(s->recording);
    writer_done(&s->text);
    free(s->met);
    free(s);
}

struct answer_stream *recorder_stream_new(struct gateway *g,
                                          const struct gateway_recording_wish *wish,
                                          enum recorder_format format)
{
    struct gateway_recording *recording = gateway_recording_open(g, wish);
    struct recorder_stream *s;

    if (!recording)
        return NULL;
    s = xnew(struct recorder_stream, 1);
    s->stream.read = read_stream;
    s->stream.free = free_stream;
    s->gateway = g;
    s->recording = recording;
    s->format = format;
    s->met = xnew(uint64_t, GATEWAY_PROXIES_MAX);
    if (format == RECORDER_BTSNOOP)
        btsnoop_write_header(&s->text.text);
    return &s->stream;
}
