/* The story: the gateway takes the wish, and the request waits for its answer, which comes once. A
 * link becomes 200 with the lease; everything else a problem that tells what was tried, who is in
 * the way and who could do it.
 *
 * Failure modes: a request that is cancelled (its client hung up, or the program ends) gives the
 * wish up, and a lease that was made for it ends. */
#include "connect_wait.h"

#include <stdlib.h>

#include "base/memory.h"
#include "rest/link_problem.h"
#include "rest/pending.h"
#include "json/connection_json.h"

struct connect_wait {
    struct pending pending;
    struct gateway *gateway;                   /* borrowed */
    struct gateway_link_request *link_request; /* NULL: answered */
    uint64_t address;
    char *proxy; /* that was asked for; NULL: any */
    usec_t began;
};

/* ---- waiting ---- */

static void on_answer(void *user, const struct gateway_link_answer *answer)
{
    struct connect_wait *wait = user;
    struct answer *ret_answer = &wait->pending.request->answer;
    struct gateway_link_answer told = *answer;
    struct writer w = {0};

    wait->link_request = NULL;
    if (answer->code == 0) {
        connection_json_write_opened(&w, NULL, wait->gateway, wait->address, answer->lease,
                                     answer->expires);
        answer_set_json(ret_answer, 200, &w);
    } else {
        told.began = wait->began;
        link_problem_answer(wait->gateway, wait->address, wait->proxy, &told, ret_answer);
    }
    pending_finish(&wait->pending);
}

static void release(struct pending *pending)
{
    struct connect_wait *wait = CONTAINER_OF(pending, struct connect_wait, pending);

    if (wait->link_request)
        gateway_connect_cancel(wait->gateway, wait->link_request);
    free(wait->proxy);
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
    wait->proxy = memory_copy_text(link_problem_wished(g, wish));
    rc = gateway_connect(g, wish, on_answer, wait, &wait->link_request);
    if (rc == 0)
        return pendings_add(pendings, &wait->pending, request, release);
    free(wait->proxy);
    free(wait);
    return rc;
}

void connect_wait_refuse(struct answer *ret_answer, int cause)
{
    rest_refuse(ret_answer, link_problem_status(cause), cause, NULL);
}
