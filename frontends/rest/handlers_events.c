#include "handlers_events.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/clients.h"
#include "rest/event_publisher.h"
#include "rest/handlers.h"

#define LIMIT_STANDARD 100

const struct query_rule handlers_clients_query[] = {
        {.name = "limit", .type = QUERY_INTEGER, .low = 1, .high = 1000},
        {.name = "cursor", .type = QUERY_TEXT},
        {.name = "kind", .type = QUERY_ENUM, .values = "sse|mqtt|esphome|matter"},
        {.name = NULL},
};

/* What HEAD gets: the headers of a stream, and nothing to read. */
static ptrdiff_t read_nothing(struct answer_stream *stream, void *buffer, size_t capacity)
{
    (void) stream, (void) buffer, (void) capacity;
    return ANSWER_STREAM_END;
}

static void free_nothing(struct answer_stream *stream)
{
    free(stream);
}

static struct answer_stream *make_nothing(void)
{
    struct answer_stream *stream = xnew(struct answer_stream, 1);

    stream->read = read_nothing;
    stream->free = free_nothing;
    return stream;
}

int handlers_events_open(struct call *call, struct event_wish *wish,
                         struct answer_stream **ret_stream)
{
    struct rest_request *request = call->request;

    if (!request->takes_streams)
        rest_refuse(&request->answer, 404, E_NOT_FOUND, "streams are not carried here");
    else if (strcmp(request->method, "HEAD") == 0)
        answer_set_stream(&request->answer, make_nothing());
    else if (event_publisher_open(call->events, wish, request->user_agent, request->remote,
                                  ret_stream) == 0)
        return 0;
    else
        rest_refuse(&request->answer, 503, E_OVERLOADED, "too many event streams");
    return REST_ANSWERED;
}

int handlers_events(struct call *call)
{
    struct faults faults = {0};
    struct answer_stream *stream;
    struct event_wish wish;

    event_wish_read(&wish, call->query, call->request->last_event_id, &faults);
    if (faults_any(&faults))
        faults_answer(&faults, &call->request->answer);
    else if (handlers_events_open(call, &wish, &stream) == 0)
        answer_set_stream(&call->request->answer, stream);
    faults_done(&faults);
    event_wish_done(&wish);
    return REST_ANSWERED;
}

int handlers_clients(struct call *call)
{
    size_t limit = (size_t) query_integer(call->query, "limit", LIMIT_STANDARD);
    const char *wanted = query_text(call->query, "kind");
    struct answer *answer = &call->request->answer;
    enum client_kind kind = CLIENT_SSE;
    struct writer w = {0};

    if (wanted)
        (void) clients_parse_kind(wanted, &kind); /* the rule knows the same kinds */
    if (clients_write(call->clients, &w, call->gateway, wanted ? &kind : NULL,
                      query_text(call->query, "cursor"), limit) != 0)
        rest_refuse(answer, 400, E_INVALID_REQUEST, "cursor is not one of this list");
    else
        answer_set_json(answer, 200, &w);
    return REST_ANSWERED;
}
