/* The story. Who subscribes joins a subscription that is off, on, or between. As long as anybody
 * wants it, it goes off -> local (message 78: the proxy passes values on) -> on (the CCCD is
 * written, 77); when nobody does, back: 0000 into the CCCD, unless that device is better left
 * alone, and 78 again. Who comes while it goes back turns it round. Then it is forgotten.
 *
 * Failure modes. A step forward fails: whoever waits is told, who held it has lost it, and since
 * nobody wants it any more it goes back from where it is, so that nothing is left half. A step back
 * fails: it counts as done. The link goes: it is off, and while a lease lives it goes forward again
 * with the next link, where its handles are looked up once more. */
#include "gatt/subscriptions.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gatt/gatt_readers.h"
#include "gatt/link_tree.h"
#include "gatt/operations.h"

static struct subscription *find(const struct peer *p, uint16_t handle)
{
    for (struct subscription *s = p->subscriptions; s; s = s->next) {
        if (s->handle == handle)
            return s;
    }
    return NULL;
}

static bool is_wanted(const struct subscription *s)
{
    return s->holders_count > 0 || s->joining || s->is_watched;
}

/* ---- who wants it ---- */

static void tell_leaving(struct gatt *g, struct peer *p, struct subscription *s)
{
    static const struct gatt_outcome good = {0};

    gatt_core_tell(g, p, TAKE(s->leaving), &good);
}

static bool is_holder(const struct subscription *s, const char *lease)
{
    for (size_t i = 0; i < s->holders_count; i++) {
        if (strcmp(s->holders[i], lease) == 0)
            return true;
    }
    return false;
}

static void add_holder(struct peer *p, struct subscription *s, const char *lease)
{
    if (is_holder(s, lease))
        return;
    s->holders = memory_resize(s->holders, s->holders_count + 1, sizeof s->holders[0]);
    memcpy(s->holders[s->holders_count++], lease, sizeof s->holders[0]);
    p->was_subscription_changed = true;
}

static void remove_holder(struct peer *p, struct subscription *s, size_t index)
{
    s->holders_count--;
    memmove(s->holders[index], s->holders[index + 1],
            (s->holders_count - index) * sizeof s->holders[0]);
    p->was_subscription_changed = true;
}

/* It is on: who waited for that holds it now, unless its lease ended meanwhile. */
static void settle(struct gatt *g, struct peer *p, struct subscription *s)
{
    static const struct gatt_outcome good = {0}, gone = {.code = E_GONE};

    if (s->since == 0)
        s->since = g->now;
    while (s->joining) {
        struct gatt_request *r = s->joining;
        bool is_held = gatt_core_find_lease(g, p->address, r->lease, NULL);

        s->joining = r->next_together;
        r->next_together = NULL;
        if (is_held)
            add_holder(p, s, r->lease);
        gatt_core_tell(g, p, r, is_held ? &good : &gone);
    }
}

static void fail(struct gatt *g, struct peer *p, struct subscription *s,
                 const struct gatt_outcome *outcome)
{
    while (s->holders_count > 0)
        remove_holder(p, s, s->holders_count - 1);
    s->is_watched = false;
    gatt_core_tell(g, p, TAKE(s->joining), outcome);
}

/* ---- the steps ---- */

static bool is_link_lost(const struct gatt_outcome *outcome)
{
    return outcome->code == E_DISCONNECTED || outcome->code == E_CANCELLED ||
           outcome->code == GATT_AGAIN;
}

/* Whether the link is still there to go on with; else the end of the link will see to it. */
static bool arrive(struct operation *o, const struct gatt_outcome *outcome)
{
    o->subscription->operation = NULL;
    return !is_link_lost(outcome);
}

static void on_local(struct gatt *g, struct peer *p, struct operation *o,
                     struct gatt_outcome *outcome)
{
    struct subscription *s = o->subscription;

    if (!arrive(o, outcome))
        return;
    if (outcome->code)
        fail(g, p, s, outcome);
    else
        s->state = SUBSCRIPTION_LOCAL;
}

static void on_switched_on(struct gatt *g, struct peer *p, struct operation *o,
                           struct gatt_outcome *outcome)
{
    struct subscription *s = o->subscription;

    if (!arrive(o, outcome))
        return;
    if (outcome->code)
        fail(g, p, s, outcome);
    else
        s->state = SUBSCRIPTION_ON;
}

static void on_switched_off(struct gatt *g, struct peer *p, struct operation *o,
                            struct gatt_outcome *outcome)
{
    (void) g, (void) p;
    if (arrive(o, outcome))
        o->subscription->state = SUBSCRIPTION_LOCAL;
}

static void on_off(struct gatt *g, struct peer *p, struct operation *o,
                   struct gatt_outcome *outcome)
{
    (void) g, (void) p;
    if (arrive(o, outcome))
        o->subscription->state = SUBSCRIPTION_OFF;
}

typedef void step_fn(struct gatt *g, struct peer *p, struct operation *o,
                     struct gatt_outcome *outcome);

static void step(struct gatt *g, struct peer *p, struct subscription *s,
                 const struct message *message, step_fn *done)
{
    s->operation = operations_add(g, p, message, LINK_NO_SOURCE);
    s->operation->subscription = s;
    s->operation->done = done;
    for (const struct gatt_request *r = s->joining; r; r = r->next_together)
        s->operation->deadline = clock_later(s->operation->deadline, r->deadline);
}

static void listen(struct gatt *g, struct peer *p, struct subscription *s, bool enable)
{
    const struct message message = {
            .type = MESSAGE_GATT_NOTIFY_REQUEST,
            .gatt = {.address = p->address, .handle = s->handle, .flag = enable}};

    step(g, p, s, &message, enable ? on_local : on_off);
}

static void write_cccd(struct gatt *g, struct peer *p, struct subscription *s, bool enable)
{
    static const uint8_t values[] = {
            [GATT_SUBSCRIBE_NOTIFY] = 1, [GATT_SUBSCRIBE_INDICATE] = 2, [GATT_SUBSCRIBE_BOTH] = 3};
    const uint8_t octets[] = {enable ? values[s->type] : 0, 0};
    const struct message message = {
            .type = MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST,
            .gatt = {.address = p->address, .handle = s->cccd, .data = {octets, sizeof octets}}};

    s->written = s->type;
    step(g, p, s, &message, enable ? on_switched_on : on_switched_off);
}

/* ---- after another link was opened ---- */

static const struct gatt_entry *find_again(const struct peer *p, const struct subscription *s)
{
    const struct gatt_tree *tree = p->known.tree;
    const struct gatt_entry *entry = gatt_tree_at(tree, GATT_CHARACTERISTIC, s->handle);
    const struct gatt_entry *first;

    if (entry && ble_uuid_equal(&entry->uuid, &s->uuid))
        return entry;
    first = gatt_tree_next(tree, &s->uuid, NULL);
    return first && !gatt_tree_next(tree, &s->uuid, first) ? first : NULL;
}

static bool move(const struct peer *p, struct subscription *s)
{
    const struct gatt_entry *entry = find_again(p, s), *cccd = NULL;

    if (entry)
        cccd = gatt_tree_descriptor(p->known.tree, entry, GATT_UUID_CCCD);
    if (!cccd)
        return false;
    s->handle = entry->handle;
    s->cccd = cccd->handle;
    s->has_moved = false;
    return true;
}

/* Whether it has its handles; else it waits for the tree, or has failed. */
static bool look_up(struct gatt *g, struct peer *p, struct subscription *s)
{
    static const struct gatt_outcome gone = {.code = E_CHARACTERISTIC_NOT_FOUND};

    if (!s->has_moved)
        return true;
    if (!p->has_tree && link_tree_can_ask(p)) {
        link_tree_ask(g, p, NULL);
        return false;
    }
    if (p->has_tree && move(p, s))
        return true;
    fail(g, p, s, &gone);
    return false;
}

/* Before anybody looks for one by its handle: there is never a second one of it. */
static void move_all(const struct peer *p)
{
    for (struct subscription *s = p->subscriptions; s; s = s->next) {
        if (s->has_moved)
            (void) move(p, s);
    }
}

/* ---- driving ---- */

static void drive_off(struct gatt *g, struct peer *p, struct subscription *s)
{
    if (is_wanted(s) && p->is_open && look_up(g, p, s))
        listen(g, p, s, true);
}

static void drive_local(struct gatt *g, struct peer *p, struct subscription *s)
{
    if (is_wanted(s))
        write_cccd(g, p, s, true);
    else
        listen(g, p, s, false);
}

static void drive_on(struct gatt *g, struct peer *p, struct subscription *s)
{
    if (is_wanted(s) && s->written != s->type) /* nobody wants the old type any more */
        write_cccd(g, p, s, true);
    else if (is_wanted(s))
        settle(g, p, s);
    else if (s->clears_cccd)
        write_cccd(g, p, s, false);
    else
        listen(g, p, s, false);
}

static void drive(struct gatt *g, struct peer *p, struct subscription *s)
{
    if (s->leaving && (is_wanted(s) || s->state == SUBSCRIPTION_OFF))
        tell_leaving(g, p, s);
    if (s->operation)
        return;
    switch (s->state) {
    case SUBSCRIPTION_OFF:
        drive_off(g, p, s);
        return;
    case SUBSCRIPTION_LOCAL:
        drive_local(g, p, s);
        return;
    case SUBSCRIPTION_ON:
        drive_on(g, p, s);
        return;
    }
}

static bool is_over(const struct subscription *s)
{
    return s->state == SUBSCRIPTION_OFF && !s->operation && !s->leaving && !is_wanted(s);
}

static void release(struct subscription *s)
{
    free(s->holders);
    free(s);
}

void subscriptions_drive(struct gatt *g, struct peer *p)
{
    struct subscription **at = &p->subscriptions;

    while (*at) {
        struct subscription *s = *at;

        drive(g, p, s);
        if (!is_over(s)) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        p->subscriptions_count--;
        release(s);
    }
    if (!p->was_subscription_changed)
        return;
    p->was_subscription_changed = false;
    g->house.on_subscriptions(g->house.user, p->address);
}

/* ---- joining and leaving ---- */

static struct subscription *make(struct peer *p, const struct gatt_entry *entry, uint16_t cccd,
                                 enum gatt_subscription_type type)
{
    struct subscription **at = &p->subscriptions, *s = xnew(struct subscription, 1);

    while (*at)
        at = &(*at)->next;
    *at = s;
    p->subscriptions_count++;
    s->handle = entry->handle;
    s->uuid = entry->uuid;
    s->cccd = cccd;
    s->type = type;
    return s;
}

int subscriptions_join(struct gatt *g, struct peer *p, struct gatt_request *request,
                       const struct gatt_entry *entry, enum gatt_subscription_type type)
{
    const struct gatt_entry *cccd = gatt_tree_descriptor(p->known.tree, entry, GATT_UUID_CCCD);
    bool is_any = request->wish.type == GATT_SUBSCRIBE_AUTO;
    struct subscription *s;

    move_all(p);
    s = find(p, entry->handle);
    if (!cccd)
        return E_DESCRIPTOR_NOT_FOUND;
    if (s && is_wanted(s) && !is_any && s->type != type)
        return E_CONFLICT;
    if (!s && p->subscriptions_count >= GATT_SUBSCRIPTIONS_MAX)
        return E_OVERLOADED;
    if (!s)
        s = make(p, entry, cccd->handle, type);
    else if (!is_wanted(s))
        s->type = type;
    s->clears_cccd = request->wish.clears_cccd;
    request->next_together = s->joining;
    s->joining = request;
    request->subscription = s;
    gatt_core_hurry(g, p);
    return 0;
}

static struct subscription *find_target(const struct peer *p, const struct gatt_target *target)
{
    for (struct subscription *s = p->subscriptions; s; s = s->next) {
        if (target->has_handle ? s->handle == target->handle
                               : ble_uuid_equal(&s->uuid, &target->uuid))
            return s;
    }
    return NULL;
}

static void remove_holders(struct peer *p, struct subscription *s, const char *lease)
{
    for (size_t i = s->holders_count; i-- > 0;) {
        if (!lease || strcmp(s->holders[i], lease) == 0)
            remove_holder(p, s, i);
    }
}

bool subscriptions_end(struct gatt *g, struct peer *p, struct gatt_request *request,
                       const char *lease)
{
    struct subscription *s = find_target(p, &request->wish.target);

    if (!s)
        return false;
    s->clears_cccd = request->wish.clears_cccd;
    remove_holders(p, s, lease);
    gatt_core_hurry(g, p);
    if (is_wanted(s) || (s->state == SUBSCRIPTION_OFF && !s->operation))
        return false;
    request->next_together = s->leaving;
    s->leaving = request;
    request->subscription = s;
    return true;
}

void subscriptions_leave(struct gatt *g, struct peer *p, struct gatt_request *request)
{
    struct subscription *s = request->subscription;
    bool is_leaving = request->wish.verb == GATT_VERB_UNSUBSCRIBE;

    gatt_core_leave(is_leaving ? &s->leaving : &s->joining, request);
    request->subscription = NULL;
    gatt_core_hurry(g, p);
}

void subscriptions_review(struct gatt *g, struct peer *p, const char *lease)
{
    for (struct subscription *s = p->subscriptions; s; s = s->next) {
        for (size_t i = s->holders_count; i-- > 0;) {
            bool has_ended = lease ? strcmp(s->holders[i], lease) == 0
                                   : !gatt_core_find_lease(g, p->address, s->holders[i], NULL);

            if (has_ended)
                remove_holder(p, s, i);
        }
    }
    gatt_core_hurry(g, p);
}

void subscriptions_watch(struct gatt *g, struct peer *p)
{
    const struct ble_uuid uuid = ble_uuid_from_short(GATT_UUID_SERVICE_CHANGED);
    const struct gatt_entry *entry = gatt_tree_next(p->known.tree, &uuid, NULL);
    const struct gatt_entry *cccd =
            entry ? gatt_tree_descriptor(p->known.tree, entry, GATT_UUID_CCCD) : NULL;
    struct subscription *s;

    move_all(p);
    s = entry ? find(p, entry->handle) : NULL;
    if (!cccd || !(entry->properties & GATT_INDICATE))
        return;
    if (!s && p->subscriptions_count < GATT_SUBSCRIPTIONS_MAX) {
        s = make(p, entry, cccd->handle, GATT_SUBSCRIBE_INDICATE);
        s->clears_cccd = true;
    }
    if (s)
        s->is_watched = true;
    gatt_core_hurry(g, p);
}

void subscriptions_link_ended(struct gatt *g, struct peer *p, const struct gatt_outcome *outcome)
{
    for (struct subscription *s = p->subscriptions; s; s = s->next) {
        s->state = SUBSCRIPTION_OFF;
        s->has_moved = true;
        s->is_watched = false;
        gatt_core_tell(g, p, TAKE(s->joining), outcome);
    }
    subscriptions_review(g, p, NULL);
}

/* ---- values ---- */

static void tell_value(struct gatt *g, struct peer *p, struct subscription *s,
                       const struct message_gatt *m)
{
    const struct gatt_value value = {.address = p->address,
                                     .handle = s->handle,
                                     .uuid = &s->uuid,
                                     .value = m->data,
                                     .source = p->source,
                                     .time = g->now,
                                     .counter = ++s->counter};

    g->counted.values++;
    g->house.on_value(g->house.user, &value);
    gatt_readers_push(g, &value);
}

void subscriptions_value(struct gatt *g, struct peer *p, uint16_t source,
                         const struct message_gatt *value)
{
    const struct ble_uuid changed = ble_uuid_from_short(GATT_UUID_SERVICE_CHANGED);
    struct subscription *s = value->handle <= UINT16_MAX ? find(p, (uint16_t) value->handle) : NULL;

    if (!s || !p->is_open || p->source != source || s->state == SUBSCRIPTION_OFF || !is_wanted(s))
        return;
    if (value->data.size > GATT_VALUE_MAX) {
        g->counted.values_lost++;
        return;
    }
    if (s->holders_count > 0 || s->joining)
        tell_value(g, p, s, value);
    if (ble_uuid_equal(&s->uuid, &changed))
        link_tree_doubt(g, p, GATT_DOUBT_CHANGED);
}

void subscriptions_drop(struct peer *p)
{
    while (p->subscriptions) {
        struct subscription *s = p->subscriptions;

        p->subscriptions = s->next;
        release(s);
    }
}
