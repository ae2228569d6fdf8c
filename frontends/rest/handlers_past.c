#include "handlers_past.h"

#include <stdio.h>
#include <string.h>

#include "rest/handlers.h"
#include "json/explain_json.h"
#include "json/history_json.h"

#define DAY (24 * 3600 * USEC_PER_SEC)

const struct query_rule handlers_history_query[] = {
        {.name = "since", .type = QUERY_TIME},
        {.name = "until", .type = QUERY_TIME},
        {.name = NULL},
};

const struct query_rule handlers_explain_query[] = {
        {.name = "intent", .type = QUERY_ENUM, .values = "advertisement|connection"},
        {.name = NULL},
};

int handlers_history(struct call *call)
{
    usec_t now = gateway_now(call->gateway), since, until;
    struct gateway_device device;
    struct writer w = {0};
    uint64_t address;

    if (!handlers_read_address(call, call->parameters[0], &address))
        return REST_ANSWERED;
    if (gateway_find_device(call->gateway, address, &device) != 0) {
        rest_refuse(&call->request->answer, 404, E_DEVICE_NOT_FOUND, NULL);
        return REST_ANSWERED;
    }
    since = gateway_moment(call->gateway,
                           query_time(call->query, "since",
                                      gateway_wall(call->gateway, now > DAY ? now - DAY : 0)));
    until = gateway_moment(call->gateway,
                           query_time(call->query, "until", gateway_wall(call->gateway, now)));
    history_json_write(&w, NULL, call->gateway, &device, since, until);
    answer_set_json(&call->request->answer, 200, &w);
    return REST_ANSWERED;
}

int handlers_explain(struct call *call)
{
    const char *intent = query_text(call->query, "intent");
    struct writer w = {0};
    uint64_t address;

    if (!handlers_read_address(call, call->parameters[0], &address))
        return REST_ANSWERED;
    explain_json_write(&w, NULL, call->gateway, address,
                       intent && strcmp(intent, "advertisement") == 0);
    answer_set_json(&call->request->answer, 200, &w);
    return REST_ANSWERED;
}
