#include "link_problem.h"

#include <inttypes.h>

#include "base/memory.h"
#include "json/connection_json.h"
#include "json/explain_json.h"

#define RETRY_STANDARD (5 * USEC_PER_SEC) /* when nobody knows when a slot will be free */

int link_problem_status(int cause)
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
static usec_t idle_time(const struct gateway *g, const struct gateway_link_answer *answer)
{
    usec_t idle = answer->began ? clock_since(answer->began, gateway_now(g)) : 0;

    for (size_t i = 0; i < answer->attempts_count; i++)
        idle -= clock_earlier(idle, answer->attempts[i].duration);
    return idle;
}

/* "3 attempts failed, the last one through kitchen: fail_establish (62)." */
static void append_attempts(struct buffer *b, const struct gateway *g,
                            const struct gateway_link_answer *answer)
{
    usec_t idle = idle_time(g, answer);
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

static char *write_detail(const struct gateway *g, uint64_t address,
                          const struct gateway_link_answer *answer)
{
    struct buffer b = {0};

    if (answer->code == E_NO_FREE_SLOT || answer->code == E_NO_ROUTE)
        explain_json_summarise(&b, g, address);
    else if (tells_attempts(answer->code))
        append_attempts(&b, g, answer);
    else
        buffer_append_text(&b, error_sentence(answer->code));
    return buffer_take_text(&b);
}

static void add_parts(const struct gateway *g, uint64_t address,
                      const struct gateway_link_answer *answer, struct problem *problem)
{
    struct writer w = {0};

    if (tells_attempts(answer->code)) {
        connection_json_write_attempts(&w, NULL, g, answer->attempts, answer->attempts_count);
        problem_add_part(problem, "attempts", &w);
    }
    if (answer->code == E_NO_FREE_SLOT) {
        explain_json_write_holders(&w, NULL, g, address);
        problem_add_part(problem, "holders", &w);
    } else if (answer->code == E_NO_ROUTE) {
        explain_json_write_candidates(&w, NULL, g, address);
        problem_add_part(problem, "candidates", &w);
    } else if (answer->code == E_PAIRING_FAILED && answer->has_reason) {
        connection_json_write_reason(&w, NULL, true, answer->reason, answer->reason_name);
        problem_add_part(problem, "reason", &w);
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
    return link_problem_status(answer->code) == 503 ? 1 : 0;
}

static const char *name_proxy(const char *wished, const struct gateway_link_answer *answer)
{
    if (answer->code != E_PROXY_OFFLINE && answer->code != E_NOT_SUPPORTED)
        return NULL;
    return answer->proxy ? answer->proxy : wished;
}

const char *link_problem_wished(const struct gateway *g, const struct gateway_wish *wish)
{
    return wish->has_proxy ? gateway_config(g)->proxies[wish->proxy_index].name : NULL;
}

void link_problem_answer(const struct gateway *g, uint64_t address, const char *proxy,
                         const struct gateway_link_answer *answer, struct answer *ret_answer)
{
    char *detail AUTO_FREE = write_detail(g, address, answer);
    struct problem problem = {
            .cause = answer->code,
            .status = link_problem_status(answer->code),
            .detail = detail,
            .feature = answer->code == E_NOT_SUPPORTED ? "pairing" : NULL,
            .proxy = name_proxy(proxy, answer),
            .retry_after_s = retry_after_s(answer),
    };

    add_parts(g, address, answer, &problem);
    answer_set_problem(ret_answer, &problem);
    problem_done(&problem);
}
