/* The story: the gateway takes the wish, and the request waits for its answer, which comes once. A
 * link becomes 200 with the lease; everything else a problem that tells what was tried, who is in
 * the way and who could do it.
 *
 * Failure modes: a request that is cancelled (its client hung up, or the program ends) gives the
 * wish up, and a lease that was made for it ends. */
#include "connect_wait.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/pending.h"
#include "json/connection_json.h"
#include "json/explain_json.h"

#define RETRY_STANDARD (5 * USEC_PER_SEC) /* when nobody knows when a slot will be free */

struct connect_wait {
    struct pending pending;
    struct gateway *gateway;                   /* borrowed */
    struct gateway_link_request *link_request; /* NULL: answered */
    uint64_t address;
    size_t proxy_index; /* that was asked for; SIZE_MAX: any */
    usec_t began;
};

/* ---- problems ---- */

static int status_of(int cause)
{
    switch (cause) {
    case E_DEVICE_NOT_FOUND:
        return 404;
    case E_GONE:
        return 410;
    case E_NOT_SUPPORTED:
        return 501;
    case E_CONNECT_FAILED:
    case E_CONNECT_ABORTED:
    case E_PAIRING_FAILED:
        return 502;
    case E_CONNECT_TIMEOUT:
        return 504;
    case E_NO_ROUTE:
    case E_PROXY_OFFLINE:
    case E_NO_FREE_SLOT:
    case E_QUEUE_FULL:
    case E_OVERLOADED:
    case E_CANCELLED:
    case E_SHUTTING_DOWN:
        return 503;
    default:
        return 500;
    }
}

static bool tells_attempts(int cause)
{
    return cause == E_CONNECT_FAILED || cause == E_CONNECT_ABORTED || cause == E_CONNECT_TIMEOUT ||
           cause == E_NO_FREE_SLOT;
}

/* How much of the time no attempt was going on. */
static usec_t idle_time(const struct connect_wait *wait, const struct gateway_link_answer *answer)
{
    usec_t idle = clock_since(wait->began, gateway_now(wait->gateway));

    for (size_t i = 0; i < answer->attempts_count; i++)
        idle -= clock_earlier(idle, answer->attempts[i].duration);
    return idle;
}

/* "every attempt to connect failed: 3 attempts, the last through kitchen (failed); the reason was
 * 62, fail_establish." */
static void append_attempts(struct buffer *b, const struct connect_wait *wait,
                            const struct gateway_link_answer *answer)
{
    usec_t idle = idle_time(wait, answer);
    const struct gateway_attempt *last;

    buffer_append_format(b, "%s: %zu attempt%s", error_sentence(answer->code),
                         answer->attempts_count, answer->attempts_count == 1 ? "" : "s");
    if (answer->attempts_count > 0) {
        last = &answer->attempts[answer->attempts_count - 1];
        if (last->proxy)
            buffer_append_format(b, ", the last through %s", last->proxy);
        if (last->result)
            buffer_append_format(b, " (%s)", last->result);
    }
    if (answer->has_reason)
        buffer_append_format(b, "; the reason was %" PRId32 ", %s", answer->reason,
                             answer->reason_name ? answer->reason_name : "unknown");
    if (idle >= USEC_PER_SEC)
        buffer_append_format(b, "; %.1f s passed in line for a proxy and between attempts",
                             (double) idle / (double) USEC_PER_SEC);
    buffer_append_text(b, ".");
}

static char *write_detail(const struct connect_wait *wait, const struct gateway_link_answer *answer)
{
    struct buffer b = {0};

    if (answer->code == E_NO_FREE_SLOT || answer->code == E_NO_ROUTE)
        explain_json_summarise(&b, wait->gateway, wait->address);
    else if (tells_attempts(answer->code))
        append_attempts(&b, wait, answer);
    else
        buffer_append_text(&b, error_sentence(answer->code));
    return buffer_take_text(&b);
}

static void add_part(struct problem *problem, const char *name, struct writer *w)
{
    size_t i = 0;

    while (problem->parts[i].name)
        i++;
    problem->parts[i] = (struct problem_part){name, buffer_take_text(&w->text)};
}

static void add_parts(const struct connect_wait *wait, const struct gateway_link_answer *answer,
                      struct problem *problem)
{
    const struct gateway *g = wait->gateway;
    struct writer w = {0};

    if (tells_attempts(answer->code)) {
        connection_json_write_attempts(&w, NULL, g, answer->attempts, answer->attempts_count);
        add_part(problem, "attempts", &w);
    }
    w = (struct writer){0};
    if (answer->code == E_NO_FREE_SLOT) {
        explain_json_write_holders(&w, NULL, g, wait->address);
        add_part(problem, "holders", &w);
    } else if (answer->code == E_NO_ROUTE) {
        explain_json_write_candidates(&w, NULL, g, wait->address);
        add_part(problem, "candidates", &w);
    } else if (answer->code == E_PAIRING_FAILED && answer->has_reason) {
        connection_json_write_reason(&w, NULL, true, answer->reason, answer->reason_name);
        add_part(problem, "reason", &w);
    }
}

/* A client waits a second at least, and no longer than it has to. */
static unsigned whole_seconds(usec_t span)
{
    return (unsigned) ((span + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

static unsigned retry_after_s(const struct gateway_link_answer *answer)
{
    if (answer->code == E_NO_FREE_SLOT)
        return whole_seconds(answer->retry_after > 0 ? answer->retry_after : RETRY_STANDARD);
    return status_of(answer->code) == 503 ? 1 : 0;
}

static const char *name_proxy(const struct connect_wait *wait,
                              const struct gateway_link_answer *answer)
{
    if (answer->code != E_PROXY_OFFLINE && answer->code != E_NOT_SUPPORTED)
        return NULL;
    if (answer->proxy || wait->proxy_index >= gateway_proxies_count(wait->gateway))
        return answer->proxy;
    return gateway_config(wait->gateway)->proxies[wait->proxy_index].name;
}

static void answer_problem(const struct connect_wait *wait,
                           const struct gateway_link_answer *answer, struct answer *ret_answer)
{
    char *detail AUTO_FREE = write_detail(wait, answer);
    struct problem problem = {
            .cause = answer->code,
            .status = status_of(answer->code),
            .detail = detail,
            .feature = answer->code == E_NOT_SUPPORTED ? "pairing" : NULL,
            .proxy = name_proxy(wait, answer),
            .retry_after_s = retry_after_s(answer),
    };

    add_parts(wait, answer, &problem);
    answer_set_problem(ret_answer, &problem);
    for (size_t i = 0; i < PROBLEM_PARTS_MAX; i++)
        free((char *) problem.parts[i].json);
}

/* ---- waiting ---- */

static void on_answer(void *user, const struct gateway_link_answer *answer)
{
    struct connect_wait *wait = user;
    struct answer *ret_answer = &wait->pending.request->answer;
    struct writer w = {0};

    wait->link_request = NULL;
    if (answer->code == 0) {
        connection_json_write_opened(&w, NULL, wait->gateway, wait->address, answer->lease,
                                     answer->expires);
        answer_set_json(ret_answer, 200, &w);
    } else {
        answer_problem(wait, answer, ret_answer);
    }
    pending_finish(&wait->pending);
}

static void release(struct pending *pending)
{
    struct connect_wait *wait = CONTAINER_OF(pending, struct connect_wait, pending);

    if (wait->link_request)
        gateway_connect_cancel(wait->gateway, wait->link_request);
    free(wait);
}

int connect_wait_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request,
                       const struct gateway_wish *wish)
{
    struct connect_wait *wait;
    int rc;

    if (pendings_are_full(pendings))
        return E_OVERLOADED;
    wait = xnew(struct connect_wait, 1);
    wait->gateway = g;
    wait->address = wish->address;
    wait->began = gateway_now(g);
    wait->proxy_index = wish->has_proxy ? wish->proxy_index : SIZE_MAX;
    rc = gateway_connect(g, wish, on_answer, wait, &wait->link_request);
    if (rc == 0)
        return pendings_add(pendings, &wait->pending, request, release);
    free(wait);
    return rc;
}

void connect_wait_refuse(struct answer *ret_answer, int cause)
{
    rest_refuse(ret_answer, status_of(cause), cause, NULL);
}
