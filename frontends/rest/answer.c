#include "answer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void answer_done(struct answer *a)
{
    free(answer_take_body(a));
    if (a->stream)
        a->stream->free(a->stream);
    if (a->is_file)
        (void) close(a->fd);
    *a = (struct answer){0};
}

char *answer_take_body(struct answer *a)
{
    char *body = a->body_is_static ? NULL : (char *) a->body;

    if (!a->body_is_static)
        a->body = NULL;
    return body;
}

void answer_add_header(struct answer *a, const char *name, const char *format, ...)
{
    struct answer_header *header = &a->headers[a->headers_count];
    va_list arguments;
    int length;

    assert(a->headers_count < ANSWER_HEADERS_MAX);
    header->name = name;
    va_start(arguments, format);
    length = vsnprintf(header->value, sizeof header->value, format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t) length < sizeof header->value);
    a->headers_count++;
}

void answer_set_text(struct answer *a, int status, const char *content_type, struct buffer *text)
{
    a->status = status;
    a->content_type = content_type;
    a->body_size = buffer_size(text);
    a->body = buffer_take_text(text);
    a->body_is_static = false;
}

void answer_set_json(struct answer *a, int status, struct writer *w)
{
    answer_set_text(a, status, "application/json", &w->text);
}

void answer_set_stream(struct answer *a, struct answer_stream *stream)
{
    a->status = 200;
    a->content_type = "text/event-stream";
    a->stream = stream;
    answer_add_header(a, "X-Accel-Buffering", "no"); /* a proxy in between must not hold it */
}

void answer_set_file(struct answer *a, const char *content_type, int fd, uint64_t size)
{
    a->status = 200;
    a->content_type = content_type;
    a->is_file = true;
    a->fd = fd;
    a->file_size = size;
}

void answer_set_problem(struct answer *a, const struct problem *problem)
{
    struct writer w = {0};

    if (problem->retry_after_s > 0)
        answer_add_header(a, "Retry-After", "%u", problem->retry_after_s);
    problem_json_write(&w, problem);
    answer_set_text(a, problem->status, "application/problem+json", &w.text);
}
