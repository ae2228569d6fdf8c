#include "handlers_recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/handlers.h"
#include "rest/recorder_stream.h"
#include "rest/replay_wait.h"

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

/* ---- replay ---- */

const struct body_rule handlers_replay_request[] = {
        {.name = "since", .type = BODY_TIME, .is_nullable = true},
        {.name = "until", .type = BODY_TIME, .is_nullable = true},
        {.name = "address", .type = BODY_ADDRESS, .is_nullable = true},
        {.name = "settings", .type = BODY_OBJECT, .is_required = true},
        {.name = NULL},
};

/* A patch of the configuration is at "/scan" what it is at "/settings" here. */
static void answer_faults(const struct config_faults *found, struct answer *ret_answer)
{
    static const char scan[] = "/scan";
    struct faults faults = {0};

    for (size_t i = 0; i < found->count; i++) {
        const char *pointer = found->items[i].pointer;
        char here[256];

        if (strncmp(pointer, scan, sizeof scan - 1) == 0)
            pointer += sizeof scan - 1;
        (void) snprintf(here, sizeof here, "/settings%s", pointer);
        faults_add(&faults, here, "%s", found->items[i].detail);
    }
    faults_answer(&faults, ret_answer);
    faults_done(&faults);
}

static void answer_refusal(int cause, const struct config_faults *found, struct answer *ret_answer)
{
    if (cause == E_INVALID_REQUEST)
        answer_faults(found, ret_answer);
    else if (cause == E_OVERLOADED)
        rest_refuse(ret_answer, 503, cause, "a replay is running, or too many requests wait");
    else
        rest_refuse(ret_answer, 503, E_NOT_SUPPORTED, "the recorder is off: recorder.enabled");
}

/* The settings of the body as a patch of a whole configuration. */
static char *copy_patch(const struct body *body)
{
    char *settings AUTO_FREE = body_object(body, "settings"), *patch;

    if (asprintf(&patch, "{\"scan\":%s}", settings) < 0)
        abort(); /* no memory */
    return patch;
}

int handlers_replay(struct call *call)
{
    char *patch AUTO_FREE = copy_patch(call->body);
    struct gateway_replay_wish wish = {
            .since = body_time(call->body, "since", INT64_MIN),
            .until = body_time(call->body, "until", INT64_MAX),
            .patch = patch,
    };
    struct config_faults found = {0};
    int rc;

    wish.has_address = body_address(call->body, "address", &wish.address);
    rc = replay_wait_begin(call->gateway, call->pendings, call->request, &wish, &found);
    if (rc != 0)
        answer_refusal(rc, &found, &call->request->answer);
    config_faults_done(&found);
    return rc == 0 ? 0 : REST_ANSWERED;
}
