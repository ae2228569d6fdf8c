#include "change_wait.h"

#include "base/memory.h"
#include "rest/change_problem.h"

static void on_release(struct pending *pending)
{
    struct change_wait *wait = CONTAINER_OF(pending, struct change_wait, pending);

    if (wait->change.order)
        gateway_change_cancel(&wait->change);
    wait->release(wait);
}

static void on_changed(struct gateway_change *change, int cause, const struct config_edited *edited)
{
    struct change_wait *wait = CONTAINER_OF(change, struct change_wait, change);
    struct rest_request *request = wait->pending.request;

    if (cause == 0) {
        if (edited)
            rest_note_changed(request, &edited->changed);
        wait->answer(wait, edited, &request->answer);
    } else {
        change_problem_answer(cause, wait->missing, edited, &request->answer);
    }
    pending_finish(&wait->pending);
}

bool change_wait_is_possible(struct call *call)
{
    if (!pendings_are_full(call->pendings))
        return true;
    rest_refuse(&call->request->answer, 503, E_OVERLOADED, "too many requests wait already");
    return false;
}

void change_wait_init(struct change_wait *wait, const struct call *call, int missing,
                      change_wait_answer_fn *answer, void (*release)(struct change_wait *wait))
{
    *wait = (struct change_wait){.change.done = on_changed,
                                 .gateway = call->gateway,
                                 .missing = missing,
                                 .answer = answer,
                                 .release = release};
}

int change_wait_begin(struct change_wait *wait, struct call *call, int rc)
{
    struct answer *answer = &call->request->answer;

    if (rc == 0)
        return pendings_add(call->pendings, &wait->pending, call->request, on_release);
    if (rc == GATEWAY_DONE)
        wait->answer(wait, /* edited= */ NULL, answer);
    else
        change_problem_answer(rc, wait->missing, /* edited= */ NULL, answer);
    wait->release(wait);
    return REST_ANSWERED;
}
