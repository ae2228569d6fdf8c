#include "gatt_problem.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "rest/link_problem.h"
#include "json/connection_json.h"
#include "json/gatt_json.h"

static int status_of(int cause)
{
    switch (cause) {
    case E_CHARACTERISTIC_NOT_FOUND:
    case E_DESCRIPTOR_NOT_FOUND:
        return 404;
    case E_CHARACTERISTIC_AMBIGUOUS:
    case E_CONFLICT:
    case E_NOT_CONNECTED:
    case E_NOT_PERMITTED:
    case E_USE_SUBSCRIPTION:
        return 409;
    case E_INVALID_REQUEST:
    case E_VALUE_TOO_LONG:
        return 422;
    case E_DISCONNECTED:
    case E_GATT_ERROR:
        return 502;
    case E_GATT_TIMEOUT:
        return 504;
    default:
        return link_problem_status(cause);
    }
}

/* ---- sentences ---- */

static const char *sentence_of(int cause)
{
    if (cause == E_DISCONNECTED)
        return "the link dropped during the operation";
    if (cause == E_CONFLICT)
        return "another type of notifications of this characteristic is on";
    return error_sentence(cause);
}

static char *write_detail(const struct gateway_gatt_answer *answer)
{
    struct buffer b = {0};

    buffer_append_text(&b, sentence_of(answer->code));
    if (answer->code == E_VALUE_TOO_LONG)
        buffer_append_format(&b, ": at most %" PRIu32 " octets", answer->max);
    else if (answer->code == E_NOT_SUPPORTED && answer->feature)
        buffer_append_format(&b, ": %s", answer->feature);
    else if (answer->has_number)
        buffer_append_format(&b, ": %s (%" PRId32 ")",
                             answer->number_name ? answer->number_name : "unknown", answer->number);
    return buffer_take_text(&b);
}

/* ---- further fields ---- */

static void add_handles(struct problem *problem, const struct gateway_gatt_answer *answer)
{
    struct writer w = {0};

    writer_begin_array(&w, NULL);
    for (size_t i = 0; i < answer->handles_count; i++)
        writer_unsigned(&w, NULL, answer->handles[i]);
    writer_end_array(&w);
    problem_add_part(problem, "handles", &w);
}

static void add_handle(struct problem *problem, const struct gateway_gatt_answer *answer)
{
    struct writer w = {0};

    if (answer->handle == 0)
        return;
    writer_unsigned(&w, NULL, answer->handle);
    problem_add_part(problem, "handle", &w);
}

static void add_number(struct problem *problem, const char *name, bool is_needed,
                       const struct gateway_gatt_answer *answer)
{
    struct writer w = {0};

    if (!answer->has_number && !is_needed)
        return;
    connection_json_write_reason(&w, NULL, true, answer->number, answer->number_name);
    problem_add_part(problem, name, &w);
}

static void add_properties(struct problem *problem, const struct gateway_gatt_answer *answer)
{
    struct writer w = {0};

    gatt_json_write_properties(&w, NULL, answer->entry ? answer->entry->properties : 0);
    problem_add_part(problem, "properties", &w);
}

/* An error without a number is one that the gateway found itself: an empty list of services. */
static void add_parts(struct problem *problem, const struct gateway_gatt_answer *answer)
{
    switch (answer->code) {
    case E_CHARACTERISTIC_AMBIGUOUS:
        add_handles(problem, answer);
        break;
    case E_NOT_PERMITTED:
        add_properties(problem, answer);
        break;
    case E_GATT_ERROR:
        add_number(problem, "att_error", true, answer);
        add_handle(problem, answer);
        break;
    case E_GATT_TIMEOUT:
        add_handle(problem, answer);
        break;
    case E_DISCONNECTED:
    case E_PAIRING_FAILED:
        add_number(problem, "reason", false, answer);
        break;
    default:
        break;
    }
}

/* The client whose lease has held the subscription for longest. */
static const char *find_holder(const struct gateway *g, uint64_t address, uint16_t handle)
{
    struct gateway_gatt_subscription subscription;
    struct gateway_lease lease;
    const char *id = NULL;

    for (size_t i = 0; gateway_get_gatt_subscription(g, address, i, &subscription); i++) {
        if (subscription.handle == handle)
            id = gateway_get_gatt_holder(g, address, i, 0);
    }
    for (size_t i = 0; id && gateway_get_lease(g, address, i, &lease); i++) {
        if (strcmp(lease.id, id) == 0)
            return lease.client;
    }
    return NULL;
}

static void answer_own(const struct gateway *g, const struct gatt_problem_place *place,
                       const struct gateway_gatt_answer *answer, struct answer *ret_answer)
{
    char *detail AUTO_FREE = write_detail(answer);
    const struct problem_fault fault = {place->pointer, detail};
    struct problem problem = {
            .cause = answer->code,
            .status = status_of(answer->code),
            .detail = detail,
            .faults = &fault,
            .faults_count = status_of(answer->code) == 422,
            .max = answer->code == E_VALUE_TOO_LONG ? answer->max : 0,
            .retry_after_s = status_of(answer->code) == 503,
    };

    if (answer->code == E_CONFLICT)
        problem.holder = find_holder(g, place->address, answer->handle);
    if (answer->code == E_NOT_SUPPORTED) {
        problem.feature = answer->feature;
        problem.proxy = answer->proxy;
    }
    add_parts(&problem, answer);
    answer_set_problem(ret_answer, &problem);
    problem_done(&problem);
}

void gatt_problem_answer(const struct gateway *g, const struct gatt_problem_place *place,
                         const struct gateway_gatt_answer *answer, struct answer *ret_answer)
{
    if (answer->link && answer->link->code == answer->code)
        link_problem_answer(g, place->address, place->proxy, answer->link, ret_answer);
    else
        answer_own(g, place, answer, ret_answer);
}

void gatt_problem_refuse(const struct gateway *g, const struct gatt_problem_place *place, int cause,
                         struct answer *ret_answer)
{
    const struct gateway_gatt_answer answer = {.code = cause, .max = GATT_PROBLEM_VALUE_MAX};

    answer_own(g, place, &answer, ret_answer);
}
