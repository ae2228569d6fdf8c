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

/* The address in the path; false: the refusal is written. */
static bool read_address(const struct call *call, uint64_t *ret_address)
{
    char detail[128];

    if (ble_address_parse(call->parameters[0], ret_address))
        return true;
    (void) snprintf(detail, sizeof detail, "\"%.64s\" is not a device address",
                    call->parameters[0]);
    rest_refuse(&call->request->answer, 400, E_INVALID_REQUEST, detail);
    return false;
}

int handlers_history(struct call *call)
{
    usec_t now = gateway_now(call->gateway), since, until;
    struct gateway_device device;
    struct writer w = {0};
    uint64_t address;

    if (!read_address(call, &address))
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

    if (!read_address(call, &address))
        return REST_ANSWERED;
    explain_json_write(&w, NULL, call->gateway, address,
                       intent && strcmp(intent, "advertisement") == 0);
    answer_set_json(&call->request->answer, 200, &w);
    return REST_ANSWERED;
}
