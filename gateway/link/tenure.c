/* The story. A proxy connected: every request that waits gets a lease, those that want to pair once
 * the device has paired. The link stays as long as there are leases, and lingers for a while after
 * the last; then the proxy is told to disconnect, and its word (69, or a list of slots without the
 * address) ends it. That a link ended is told once, by end().
 *
 * Failure modes. The device or the proxy drops the link: leases end, but those that reconnect. A
 * proxy does not answer a disconnect: after LINK_CLOSE_TIMEOUT it counts as done, and the ledger
 * finds the slot as an orphan if it is still there. A disconnect that the proxy's connection cannot
 * take now is sent again. */
#include "tenure.h"

#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"

#define SEND_AGAIN USEC_PER_SEC
#define STEADY     (60 * USEC_PER_SEC) /* a link that lasted so long is opened again soon */

/* ---- who holds it ---- */

static void grant(struct links *l, struct link *link, struct link_request *request)
{
    const struct link_wish *wish = &request->wish;
    struct lease *lease = wish->renew ? leases_find(&link->leases, wish->renew) : NULL;

    if (wish->renew && !lease) {
        links_core_answer(l, link, request, E_GONE, NULL);
        return;
    }
    if (!lease)
        lease = leases_add(&link->leases, &l->random, wish, l->now);
    lease->expires = link_later(l->now, wish->lease);
    lease->is_auto_reconnect = lease->is_auto_reconnect || wish->is_auto_reconnect;
    snprintf(request->lease, sizeof(request->lease), "%s", lease->id);
    request->answer.lease = request->lease;
    request->answer.expires = lease->expires;
    links_core_answer(l, link, request, 0, NULL);
}

static void answer_pairing(struct links *l, struct link *link, int code, const int32_t *reason)
{
    struct link_request *next;

    for (struct link_request *r = link->waiting; r; r = next) {
        next = r->next;
        if (r->wish.pair)
            links_core_answer(l, link, r, code, reason);
    }
}

static void start_pairing(struct links *l, struct link *link)
{
    const struct proxy_state *proxy = links_core_proxy(l, link->source);

    if (!(proxy->told.features & PROXY_FEATURE_PAIRING))
        answer_pairing(l, link, E_NOT_SUPPORTED, NULL);
    else if (links_core_command(l, link->source, link->address, DEVICE_REQUEST_PAIR))
        answer_pairing(l, link, E_PROXY_OFFLINE, NULL);
    else
        link->pairing = LINK_PAIRING;
}

/* Whoever can be answered is; the rest waits for the pairing. */
static void serve(struct links *l, struct link *link)
{
    bool wants_pairing = false;
    struct link_request *next;

    for (struct link_request *r = link->waiting; r; r = next) {
        next = r->next;
        if (r->wish.source != LINK_NO_SOURCE && r->wish.source != link->source)
            links_core_answer(l, link, r, E_CONFLICT, NULL);
        else if (!r->wish.pair || link->pairing == LINK_PAIRED)
            grant(l, link, r);
        else
            wants_pairing = true;
    }
    if (wants_pairing && link->pairing == LINK_UNPAIRED)
        start_pairing(l, link);
}

void tenure_begin(struct links *l, struct link *link)
{
    link->is_reopening = false;
    serve(l, link);
    links_core_tell(l, link, LINK_EVENT_CONNECTED, 0, NULL);
    tenure_review(l, link);
}

void tenure_join(struct links *l, struct link *link)
{
    size_t before = link->leases.count;

    serve(l, link);
    if (link->leases.count != before)
        links_core_tell(l, link, LINK_EVENT_LEASES, 0, NULL);
    tenure_review(l, link);
}

void tenure_review(struct links *l, struct link *link)
{
    bool is_used = link->leases.count > 0 || link->waiting || link->is_kept;

    if (is_used)
        link->linger_until = 0;
    else if (l->settings.linger == 0)
        tenure_close(l, link);
    else if (!link->linger_until)
        link->linger_until = link_later(l->now, l->settings.linger);
    links_core_touch(l, link);
}

void tenure_paired(struct links *l, struct link *link, bool is_paired, int32_t error)
{
    if (is_paired) {
        link->pairing = LINK_PAIRED;
        l->house.on_bonded(l->house.user, link->source, link->address);
        tenure_join(l, link);
        return;
    }
    if (link->pairing != LINK_PAIRING)
        return;
    link->pairing = LINK_UNPAIRED;
    answer_pairing(l, link, E_PAIRING_FAILED, &error);
    if (link->leases.count == 0 && !link->is_kept)
        tenure_close(l, link);
    else
        tenure_review(l, link);
}

/* ---- its end ---- */

/* The one place where an established link ends. */
static void end(struct links *l, struct link *link, int code, const int32_t *reason)
{
    if (!link->is_reopening)
        leases_drop_fleeting(&link->leases);
    link->pairing = LINK_UNPAIRED;
    link->linger_until = 0;
    link->mtu = 0;
    links_core_set_phase(l, link, LINK_PHASE_IDLE);
    links_core_tell(l, link, LINK_EVENT_DISCONNECTED, code, reason);
    l->has_news = true;
    links_core_rest(l, link);
    links_core_touch(l, link);
}

void tenure_close(struct links *l, struct link *link)
{
    links_core_set_phase(l, link, LINK_PHASE_DISCONNECTING);
    link->linger_until = 0;
    tenure_say_goodbye(l, link, link->source, /* is_failure= */ false);
}

void tenure_lost(struct links *l, struct link *link, int code, const int32_t *reason)
{
    answer_pairing(l, link, code == E_PROXY_OFFLINE ? code : E_PAIRING_FAILED, reason);
    if (l->now >= link->since + STEADY)
        link->reopen_pause = 0;
    ledger_released(l->ledger, link->source, link->address, /* is_failure= */ false, l->now);
    end(l, link, code, reason);
}

/* ---- goodbyes ---- */

static bool is_listed(const struct links *l, uint16_t source, uint64_t address)
{
    struct ledger_slot slot;

    for (size_t i = 0; ledger_get_slot(l->ledger, source, i, &slot); i++)
        if (slot.address == address)
            return slot.is_listed;
    return false;
}

static void send_goodbye(struct links *l, struct link *link, struct goodbye *goodbye)
{
    goodbye->is_sent =
            !links_core_command(l, goodbye->source, link->address, DEVICE_REQUEST_DISCONNECT);
    goodbye->send_again_at = goodbye->is_sent ? USEC_NEVER : l->now + SEND_AGAIN;
}

void tenure_say_goodbye(struct links *l, struct link *link, uint16_t source, bool is_failure)
{
    struct goodbye *goodbye = xnew(struct goodbye, 1);

    ledger_closing(l->ledger, source, link->address, l->now);
    goodbye->source = source;
    goodbye->is_failure = is_failure;
    goodbye->was_listed = is_listed(l, source, link->address);
    goodbye->until = l->now + LINK_CLOSE_TIMEOUT;
    goodbye->next = link->goodbyes;
    link->goodbyes = goodbye;
    send_goodbye(l, link, goodbye);
    links_core_touch(l, link);
}

static void answer_failing(struct links *l, struct link *link, uint16_t source)
{
    struct link_request *next;

    for (struct link_request *r = link->failing; r; r = next) {
        next = r->next;
        if (r->awaited == source)
            links_core_answer_now(l, link, r);
    }
}

void tenure_goodbye_over(struct links *l, struct link *link, struct goodbye *goodbye)
{
    uint16_t source = goodbye->source;

    ledger_released(l->ledger, source, link->address, goodbye->is_failure, l->now);
    link_remove_goodbye(link, goodbye);
    answer_failing(l, link, source);
    l->has_news = true;
    if (link->phase == LINK_PHASE_DISCONNECTING && link->source == source)
        end(l, link, /* code= */ 0, NULL);
    links_core_touch(l, link);
}

void tenure_goodbyes_due(struct links *l, struct link *link)
{
    struct goodbye *next;

    for (struct goodbye *g = link->goodbyes; g; g = next) {
        next = g->next;
        if (g->until <= l->now)
            tenure_goodbye_over(l, link, g);
        else if (g->send_again_at <= l->now)
            send_goodbye(l, link, g);
    }
}
