#include "handlers_recorder.h"

#include <string.h>

#include "rest/handlers.h"
#include "rest/recorder_stream.h"

const struct query_rule handlers_recorder_query[] = {
        {.name = "since", .type = QUERY_TIME},
        {.name = "until", .type = QUERY_TIME},
        {.name = "address", .type = QUERY_ADDRESS},
        {.name = "proxy", .type = QUERY_TEXT},
        {.name = "format", .type = QUERY_ENUM, .values = "jsonl|btsnoop|native"},
        {.name = NULL},
};

static struct gateway_recording_wish read_wish(const struct query *query)
{
    const char *address = query_text(query, "address");
    struct gateway_recording_wish wish = {
            .since = query_time(query, "since", INT64_MIN),
            .until = query_time(query, "until", INT64_MAX),
            .proxy = query_text(query, "proxy"),
    };

    wish.has_address = address && ble_address_parse(address, &wish.address);
    return wish;
}

static enum recorder_format read_format(const struct query *query)
{
    const char *format = query_text(query, "format");

    if (!format || strcmp(format, "jsonl") == 0)
        return RECORDER_JSONL;
    return strcmp(format, "btsnoop") == 0 ? RECORDER_BTSNOOP : RECORDER_NATIVE;
}

static void open_stream(struct call *call, enum recorder_format format,
                        const struct gateway_recording_wish *wish)
{
    static const char *const endings[] = {"jsonl", "btsnoop", "blr"};
    struct answer *answer = &call->request->answer;
    struct answer_stream *stream = recorder_stream_new(call->gateway, wish, format);

    if (!stream) {
        rest_refuse(answer, 503, E_OVERLOADED, "too many recordings are being read");
        return;
    }
    answer->status = 200;
    answer->content_type =
            format == RECORDER_JSONL ? "application/x-ndjson" : "application/octet-stream";
    answer->stream = stream;
    answer_add_header(answer, "Content-Disposition", "attachment; filename=\"blefleet.%s\"",
                      endings[format]);
}

int handlers_recorder(struct call *call)
{
    const struct gateway_recording_wish wish = read_wish(call->query);
    enum recorder_format format = read_format(call->query);
    struct faults faults = {0};

    if (format == RECORDER_NATIVE && (wish.has_address || wish.proxy))
        faults_add_query(&faults, wish.proxy ? "proxy" : "address",
                         "segments come whole: not with format=native");
    if (faults_any(&faults))
        faults_answer(&faults, &call->request->answer);
    else if (!call->request->takes_streams)
        rest_refuse(&call->request->answer, 404, E_NOT_FOUND, "streams are not carried here");
    else
        open_stream(call, format, &wish);
    faults_done(&faults);
    return REST_ANSWERED;
}
