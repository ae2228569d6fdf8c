/* The story. An attempt fails; its end and its number say whether it was a time-out, a transient
 * error or a connect error, and how long to pause. Time-outs and connect errors share max attempts,
 * transient errors have 2 * max + 1 of their own. For max = 4 these are the numbers of
 * bleak-retry-connector 4.6.3: 4 and 9, with its pauses and its classes.
 *
 * Where we differ on purpose. It reads 0x100 as "the proxy has no slot"; the number comes when the
 * stack gave an open up, mostly because the device did not answer. The pause and the counter stay,
 * the class is E_CONNECT_FAILED: E_NO_FREE_SLOT is only what a proxy without a slot says. Its
 * time-outs become "not found"; ours are E_CONNECT_TIMEOUT. A proxy that went away is not paused
 * for: the next attempt goes elsewhere. */
#include "retry.h"

#include <assert.h>
#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

#define MSEC(n) ((n) *USEC_PER_MSEC)

struct reason {
    int32_t number;
    const char *name;
};

/* Message 69 carries a reason of HCI or L2CAP, or the GATT status of the open; where these give a
 * number two meanings, that of HCI. */
static const struct reason reasons[] = {
        {-1, "not_connected"},
        {0x00, "unknown"},
        {0x01, "l2cap_failure"},
        {0x05, "authentication_failure"},
        {0x06, "key_missing"},
        {0x07, "memory_exceeded"},
        {0x08, "supervision_timeout"},
        {0x0d, "limited_resources"},
        {0x13, "peer_terminated"},
        {0x14, "peer_low_resources"},
        {0x15, "peer_power_off"},
        {0x16, "local_terminated"},
        {0x1a, "unsupported_feature"},
        {0x22, "response_timeout"},
        {0x28, "instant_passed"},
        {0x3b, "unacceptable_parameters"},
        {0x3d, "mic_failure"},
        {0x3e, "fail_establish"},
        {0x80, "gatt_application_error"},
        {0x81, "gatt_internal_error"},
        {0x82, "gatt_wrong_state"},
        {0x83, "gatt_database_full"},
        {0x84, "gatt_busy"},
        {0x85, "gatt_error"},
        {0x86, "gatt_command_started"},
        {0x87, "gatt_illegal_parameter"},
        {0x88, "gatt_pending"},
        {0x89, "gatt_authentication_failure"},
        {0x8a, "gatt_more"},
        {0x8b, "gatt_invalid_configuration"},
        {0x8c, "gatt_service_started"},
        {0x8d, "gatt_encrypted_no_mitm"},
        {0x8e, "gatt_not_encrypted"},
        {0x8f, "gatt_congested"},
        {0x90, "gatt_duplicate_registration"},
        {0x91, "gatt_already_open"},
        {0x92, "gatt_cancelled"},
        {0xe0, "gatt_stack_response"},
        {0xe1, "gatt_application_response"},
        {0xef, "gatt_unknown"},
        {0xfd, "gatt_cccd_improper"},
        {0xfe, "gatt_procedure_in_progress"},
        {0xff, "gatt_out_of_range"},
        {0x100, "connection_cancelled"},
        {0x101, "no_connection"},
};

/* Numbers that have a class of their own. */
static const struct {
    int32_t number;
    struct retry_class class;
} classes[] = {
        {0x00, {.kind = RETRY_CONNECT_ERROR, .pause = 0, .code = E_CONNECT_FAILED}},
        {0x08, {.kind = RETRY_CONNECT_ERROR, .pause = MSEC(500), .code = E_CONNECT_ABORTED}},
        {0x13, {.kind = RETRY_TRANSIENT, .pause = MSEC(250), .code = E_CONNECT_ABORTED}},
        {0x16, {.kind = RETRY_TRANSIENT, .pause = MSEC(250), .code = E_CONNECT_ABORTED}},
        {0x3e, {.kind = RETRY_TRANSIENT, .pause = MSEC(500), .code = E_CONNECT_ABORTED}},
        {0x85, {.kind = RETRY_CONNECT_ERROR, .pause = MSEC(1000), .code = E_CONNECT_ABORTED}},
        {0x100, {.kind = RETRY_TRANSIENT, .pause = MSEC(4000), .code = E_CONNECT_FAILED}},
};

static struct retry_class classify_reason(int32_t reason)
{
    struct retry_class class = {
            .kind = RETRY_CONNECT_ERROR, .pause = MSEC(100), .code = E_CONNECT_FAILED};

    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (classes[i].number == reason)
            class = classes[i].class;
    class.name = retry_reason_name(reason);
    return class;
}

static void count(struct retry *r, enum retry_kind kind)
{
    switch (kind) {
    case RETRY_TIMEOUT:
        r->timeouts++;
        return;
    case RETRY_TRANSIENT:
        r->transient++;
        return;
    case RETRY_CONNECT_ERROR:
        r->connect_errors++;
        return;
    }
}

const char *retry_reason_name(int32_t reason)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].number == reason)
            return reasons[i].name;
    return NULL;
}

struct retry_class retry_classify(enum attempt_end end, int32_t reason)
{
    switch (end) {
    case ATTEMPT_CONNECTED:
        return (struct retry_class){.code = 0};
    case ATTEMPT_TIMED_OUT:
        return (struct retry_class){
                .kind = RETRY_TIMEOUT, .pause = MSEC(250), .code = E_CONNECT_TIMEOUT};
    case ATTEMPT_REFUSED:
        return (struct retry_class){
                .kind = RETRY_TRANSIENT, .pause = MSEC(4000), .code = E_NO_FREE_SLOT};
    case ATTEMPT_FAILED:
        return classify_reason(reason);
    case ATTEMPT_PROXY_LOST:
        return (struct retry_class){.kind = RETRY_TRANSIENT, .pause = 0, .code = E_PROXY_OFFLINE};
    case ATTEMPT_CANCELLED:
        return (struct retry_class){.code = E_CANCELLED};
    }
    return (struct retry_class){.code = E_INTERNAL};
}

bool retry_next(struct retry *r, enum attempt_end end, int32_t reason, usec_t *ret_pause)
{
    struct retry_class class = retry_classify(end, reason);

    assert(end != ATTEMPT_CONNECTED);
    r->last_code = class.code;
    if (end == ATTEMPT_CANCELLED)
        return false;
    count(r, class.kind);
    if (r->timeouts + r->connect_errors >= r->max || r->transient >= 2 * r->max + 1)
        return false;
    *ret_pause = class.pause;
    return true;
}

int retry_final(const struct retry *r)
{
    bool is_mixed = r->connect_errors > 0 || r->transient > 0;

    return r->last_code == E_CONNECT_TIMEOUT && is_mixed ? E_CONNECT_FAILED : r->last_code;
}
