/* An opening that nobody waits for stops, and an open link lingers or closes. A link that closes
 * has its goodbye already, and one that is idle has only its next moment to be found. */
#include "holding.h"

#include "link/opening.h"
#include "link/tenure.h"

void holding_left(struct links *l, struct link *link)
{
    switch (link->phase) {
    case LINK_PHASE_QUEUED:
    case LINK_PHASE_CONNECTING:
        opening_left(l, link);
        return;
    case LINK_PHASE_CONNECTED:
        tenure_review(l, link);
        return;
    case LINK_PHASE_IDLE:
    case LINK_PHASE_DISCONNECTING:
        links_core_touch(l, link);
        return;
    }
}

static void answer_waiting(struct links *l, struct link *link, int code)
{
    while (link->waiting)
        links_core_answer(l, link, link->waiting, code, NULL);
}

void holding_close(struct links *l, struct link *link, int code)
{
    bool had_leases = link->leases.count > 0;

    leases_done(&link->leases);
    answer_waiting(l, link, code);
    if (had_leases)
        links_core_tell(l, link, LINK_EVENT_LEASES, 0, NULL);
    if (link->phase == LINK_PHASE_QUEUED || link->phase == LINK_PHASE_CONNECTING)
        opening_stop(l, link);
    else if (link->phase == LINK_PHASE_CONNECTED)
        tenure_close(l, link);
    links_core_touch(l, link);
}
