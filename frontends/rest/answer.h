/* An answer of the API: status, content type, further headers, and a body, a stream or a file. Owns
 * its body unless it is static, its stream, and the descriptor of its file. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "json/problem_json.h"
#include "json/writer.h"

#define ANSWER_HEADERS_MAX 4
#define ANSWER_HEADER_SIZE 160 /* the longest: the cookie of a session */

struct answer_header {
    const char *name;
    char value[ANSWER_HEADER_SIZE];
};

/* A body without a known end. Who carries it sets the callbacks before it reads first; neither is
 * called from inside read, and neither may free the stream. */
struct answer_stream {
    /* Octets written; 0: nothing now (on_wake comes when there is something); or
     * ANSWER_STREAM_END, from then on. */
    ptrdiff_t (*read)(struct answer_stream *stream, void *buffer, size_t capacity);
    void (*free)(struct answer_stream *stream);
    void (*on_wake)(void *user);
    void (*on_stalled)(void *user); /* nothing was read for too long: cut it */
    void *user;
};

#define ANSWER_STREAM_END (-1)

struct answer {
    int status;               /* 0: no answer yet */
    const char *content_type; /* NULL: no body */
    const char *body;
    size_t body_size;
    bool body_is_static;          /* lives as long as the program */
    struct answer_stream *stream; /* instead of a body; NULL: none */
    bool is_file;                 /* the next two are there, instead of a body */
    int fd;                       /* of a regular file, read from its beginning */
    uint64_t file_size;
    struct answer_header headers[ANSWER_HEADERS_MAX];
    size_t headers_count;
};

/* Frees body and stream and leaves the answer zeroed. */
void answer_done(struct answer *a);

/* The body, which is the caller's then: free() it. NULL for a static one. */
char *answer_take_body(struct answer *a);

void answer_add_header(struct answer *a, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Takes the text, which is of this type (static). */
void answer_set_text(struct answer *a, int status, const char *content_type, struct buffer *text);

/* Takes what was written as application/json. */
void answer_set_json(struct answer *a, int status, struct writer *w);

/* Server-sent events; takes the stream. */
void answer_set_stream(struct answer *a, struct answer_stream *stream);

/* A file whose content is of this type (static); takes the descriptor. */
void answer_set_file(struct answer *a, const char *content_type, int fd, uint64_t size);

/* application/problem+json; Retry-After comes with retry_after_s. */
void answer_set_problem(struct answer *a, const struct problem *problem);
