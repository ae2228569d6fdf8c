/* The story: the gateway replays, and the request is answered with what it tells. A request that is
 * cancelled is answered at once; the replay is told to end, and what it tells then is for nobody.
 * Until that has come, the gateway refuses another. */
#include "replay_wait.h"

#include <stdlib.h>

#include "base/memory.h"
#include "json/replay_json.h"

struct replay_wait {
    struct pending pending;
    struct gateway *gateway;  /* borrowed */
    bool is_running, is_over; /* of the replay; of the request */
};

static void answer(const struct replay_wait *wait, const struct gateway_replay_result *result,
                   struct answer *ret_answer)
{
    struct gateway_replay_result shown = *result;
    struct writer w = {0};

    if (shown.packets == 0) /* the contract wants times all the same */
        shown.since = shown.until = gateway_wall(wait->gateway, gateway_now(wait->gateway));
    replay_json_write(&w, NULL, &shown);
    answer_set_json(ret_answer, 200, &w);
}

/* Whoever is over last, the request or the replay. */
static void on_release(struct pending *pending)
{
    struct replay_wait *wait = CONTAINER_OF(pending, struct replay_wait, pending);

    wait->is_over = true;
    if (wait->is_running)
        gateway_replay_cancel(wait->gateway);
    else
        free(wait);
}

static void on_replayed(void *user, int rc, const struct gateway_replay_result *result)
{
    struct replay_wait *wait = user;

    wait->is_running = false;
    if (wait->is_over) {
        free(wait);
        return;
    }
    if (rc == 0)
        answer(wait, result, &wait->pending.request->answer);
    else
        rest_refuse(&wait->pending.request->answer, 503, E_SHUTTING_DOWN, NULL);
    pending_finish(&wait->pending);
}

int replay_wait_begin(struct gateway *g, struct pendings *pendings, struct rest_request *request,
                      const struct gateway_replay_wish *wish, struct config_faults *ret_faults)
{
    struct replay_wait *wait;
    int rc;

    if (pendings_are_full(pendings))
        return E_OVERLOADED;
    wait = xnew(struct replay_wait, 1);
    wait->gateway = g;
    wait->is_running = true;
    rc = gateway_replay(g, wish, ret_faults, on_replayed, wait);
    if (rc == 0)
        return pendings_add(pendings, &wait->pending, request, on_release);
    free(wait);
    return rc;
}
