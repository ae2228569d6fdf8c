/* The story: a request subscribes to what happens to links and has a timer for its limit. When its
 * link closes, the timer is set to the next turn of the loop, since a change is no place to answer
 * from; whenever the timer comes, the answer is the connection as it is then. A link that is opened
 * again at once was gone all the same. */
#include "disconnect_wait.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/pending.h"
#include "json/connection_json.h"

struct disconnect_wait {
    struct pending pending;
    struct gateway *gateway; /* borrowed */
    uint64_t address;
    bool is_gone;
    struct gateway_subscription *subscription;
    struct gateway_timer *timer; /* NULL: it has come */
};

static void release(struct pending *pending)
{
    struct disconnect_wait *wait = CONTAINER_OF(pending, struct disconnect_wait, pending);

    gateway_unsubscribe(wait->subscription);
    gateway_timer_stop(wait->timer);
    free(wait);
}

static void on_time(void *user)
{
    struct disconnect_wait *wait = user;
    struct writer w = {0};

    wait->timer = NULL;
    connection_json_write(&w, NULL, wait->gateway, wait->address);
    answer_set_json(&wait->pending.request->answer, 200, &w);
    pending_finish(&wait->pending);
}

static bool is_end(const struct gateway *g, const struct gateway_link_change *change)
{
    struct gateway_link link;

    return (change->action && strcmp(change->action, "closed") == 0) ||
           !gateway_get_link(g, change->address, &link);
}

static void on_link(void *user, const struct gateway_link_change *change)
{
    struct disconnect_wait *wait = user;

    if (wait->is_gone || change->address != wait->address || !is_end(wait->gateway, change))
        return;
    wait->is_gone = true;
    gateway_timer_stop(wait->timer);
    wait->timer = gateway_timer_start(wait->gateway, 0, on_time, wait);
}

int disconnect_wait_begin(struct gateway *g, struct pendings *pendings,
                          struct rest_request *request, uint64_t address, usec_t longest)
{
    struct disconnect_wait *wait = xnew(struct disconnect_wait, 1);
    const struct gateway_subscriber subscriber = {.on_link = on_link, .user = wait};
    int rc = pendings_add(pendings, &wait->pending, request, release);

    if (rc < 0) {
        free(wait);
        return rc;
    }
    wait->gateway = g;
    wait->address = address;
    wait->subscription = gateway_subscribe(g, &subscriber);
    wait->timer = gateway_timer_start(g, longest, on_time, wait);
    return 0;
}
