/* The story: the change is handed to the gateway and the request waits; when the change runs, the
 * request is answered with what it changed.
 *
 * Failure modes: what the gateway refuses becomes a problem; whoever gives up does not stop the
 * change, which may be on the disk already. */
#include "handlers_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/change_wait.h"
#include "json/device_json.h"
#include "json/proxy_json.h"
#include "json/scan_json.h"

const struct body_rule handlers_device_patch[] = {
        {.name = "settings", .type = BODY_OBJECT, .is_required = true},
        {.name = NULL},
};

const struct body_rule handlers_scanner_mode[] = {
        {.name = "mode", .type = BODY_TEXT, .values = "passive|active|auto", .is_required = true},
        {.name = NULL},
};

const struct body_rule handlers_need_request[] = {
        {.name = "interval_s", .type = BODY_INTEGER, .low = 60, .high = 86400},
        {.name = "duration_s", .type = BODY_INTEGER, .low = 5, .high = 35},
        {.name = NULL},
};

#define INTERVAL_STANDARD_S 300
#define DURATION_STANDARD_S 10

/* A request that waits for its change. */
struct wait {
    struct change_wait change;
    uint64_t address; /* of the device, for whose routes */
    uint32_t proxy;   /* id of the proxy, for whose route */
};

static struct wait *wait_of(struct change_wait *change)
{
    return CONTAINER_OF(change, struct wait, change);
}

/* ---- answers ---- */

static void answer_device(struct change_wait *change, const struct config_edited *edited,
                          struct answer *ret_answer)
{
    const struct wait *wait = wait_of(change);
    struct gateway_device device;
    struct writer w = {0};

    (void) edited;
    if (gateway_find_device(change->gateway, wait->address, &device) != 0) {
        rest_refuse(ret_answer, 404, E_DEVICE_NOT_FOUND, NULL); /* removed by the next change */
        return;
    }
    device_json_write_detail(&w, NULL, change->gateway, &device);
    answer_set_json(ret_answer, 200, &w);
}

static void answer_proxy(struct change_wait *change, const struct config_edited *edited,
                         struct answer *ret_answer)
{
    const struct wait *wait = wait_of(change);
    struct gateway_proxy proxy;
    struct writer w = {0};
    size_t index;

    (void) edited;
    if (gateway_find_proxy_id(change->gateway, wait->proxy, &index) != 0) {
        rest_refuse(ret_answer, 404, E_PROXY_NOT_FOUND, NULL); /* removed by the next change */
        return;
    }
    gateway_get_proxy(change->gateway, index, &proxy);
    proxy_json_write(&w, NULL, change->gateway, &proxy);
    answer_set_json(ret_answer, 200, &w);
}

static void answer_need(struct change_wait *change, const struct config_edited *edited,
                        struct answer *ret_answer)
{
    const struct wait *wait = wait_of(change);
    struct gateway_need need;
    struct writer w = {0};

    (void) edited;
    if (!gateway_get_need(change->gateway, wait->address, &need)) {
        rest_refuse(ret_answer, 404, E_NOT_FOUND, NULL); /* ended by the next change */
        return;
    }
    scan_json_write_need(&w, NULL, change->gateway, &need);
    answer_set_json(ret_answer, 200, &w);
}

static void answer_nothing(struct change_wait *change, const struct config_edited *edited,
                           struct answer *ret_answer)
{
    (void) change, (void) edited;
    ret_answer->status = 204;
}

/* ---- waiting ---- */

static void release(struct change_wait *change)
{
    free(wait_of(change));
}

static struct wait *new_wait(const struct call *call, change_wait_answer_fn *answer)
{
    struct wait *wait = xnew(struct wait, 1);

    change_wait_init(&wait->change, call, E_DEVICE_NOT_FOUND, answer, release);
    return wait;
}

int handlers_patch_device(struct call *call)
{
    char *patch AUTO_FREE = body_object(call->body, "settings");
    struct wait *wait;
    uint64_t address;

    if (!handlers_read_address(call, call->parameters[0], &address) ||
        !change_wait_is_possible(call))
        return REST_ANSWERED;
    wait = new_wait(call, answer_device);
    wait->address = address;
    return change_wait_begin(&wait->change, call,
                             gateway_change_device(call->gateway, address, patch, strlen(patch),
                                                   "/settings", &wait->change.change));
}

int handlers_delete_device(struct call *call)
{
    struct wait *wait;
    uint64_t address;

    if (!handlers_read_address(call, call->parameters[0], &address) ||
        !change_wait_is_possible(call))
        return REST_ANSWERED;
    wait = new_wait(call, answer_nothing);
    return change_wait_begin(&wait->change, call,
                             gateway_remove_device(call->gateway, address, &wait->change.change));
}

/* A proxy that never said what it can may turn out to be able. */
static bool lacks_modes(const struct gateway *g, size_t index, struct answer *ret_answer)
{
    struct gateway_proxy proxy;
    struct problem problem = {.cause = E_NOT_SUPPORTED,
                              .status = 501,
                              .detail = "the firmware of the proxy cannot change the scan mode",
                              .feature = "state_and_mode"};

    gateway_get_proxy(g, index, &proxy);
    if (!proxy.esphome_version || proxy.features & GATEWAY_FEATURE_STATE_AND_MODE)
        return false;
    problem.proxy = proxy.config->name;
    answer_set_problem(ret_answer, &problem);
    return true;
}

int handlers_set_scanner(struct call *call)
{
    struct gateway_proxy proxy;
    struct wait *wait;
    size_t index;

    if (gateway_find_proxy(call->gateway, call->parameters[0], &index) != 0) {
        rest_refuse(&call->request->answer, 404, E_PROXY_NOT_FOUND, NULL);
        return REST_ANSWERED;
    }
    if (lacks_modes(call->gateway, index, &call->request->answer) || !change_wait_is_possible(call))
        return REST_ANSWERED;
    wait = new_wait(call, answer_proxy);
    gateway_get_proxy(call->gateway, index, &proxy);
    wait->proxy = proxy.id;
    return change_wait_begin(&wait->change, call,
                             gateway_set_scan_mode(call->gateway, index,
                                                   body_text(call->body, "mode"),
                                                   &wait->change.change));
}

static int change_need(struct call *call, uint64_t address, const char *patch,
                       change_wait_answer_fn *answer)
{
    struct wait *wait = new_wait(call, answer);

    wait->address = address;
    return change_wait_begin(&wait->change, call,
                             gateway_change_device(call->gateway, address, patch, strlen(patch), "",
                                                   &wait->change.change));
}

int handlers_put_need(struct call *call)
{
    struct gateway_need need;
    uint64_t address;
    char patch[96];

    if (!handlers_read_address(call, call->parameters[0], &address) ||
        !change_wait_is_possible(call))
        return REST_ANSWERED;
    if (gateway_needs_count(call->gateway) >= GATEWAY_NEEDS_MAX &&
        !gateway_get_need(call->gateway, address, &need)) {
        rest_refuse(&call->request->answer, 503, E_OVERLOADED, "there are too many needs");
        return REST_ANSWERED;
    }
    (void) snprintf(patch, sizeof patch,
                    "{\"active_scan\":{\"interval_s\":%lld,\"duration_s\":%lld}}",
                    (long long) body_integer(call->body, "interval_s", INTERVAL_STANDARD_S),
                    (long long) body_integer(call->body, "duration_s", DURATION_STANDARD_S));
    return change_need(call, address, patch, answer_need);
}

int handlers_delete_need(struct call *call)
{
    struct gateway_need need;
    uint64_t address;

    if (!handlers_read_address(call, call->parameters[0], &address) ||
        !change_wait_is_possible(call))
        return REST_ANSWERED;
    if (!gateway_get_need(call->gateway, address, &need)) {
        rest_refuse(&call->request->answer, 404, E_NOT_FOUND, "the device has no need");
        return REST_ANSWERED;
    }
    return change_need(call, address, "{\"active_scan\":null}", answer_nothing);
}
