/* Each kind of change goes to all who gave a function for it. Who unsubscribes meanwhile is marked,
 * and swept out when all are told. The table tells of each packet only while somebody wants it. */
#include "subscribers.h"

#include <stdlib.h>

#include "base/memory.h"

struct gateway_subscription {
    struct gateway *gateway;
    struct gateway_subscription *next;
    struct gateway_subscriber subscriber;
    bool is_ended; /* while a change is being told; swept after it */
};

static bool is_hearing_wanted(const struct gateway *g)
{
    bool is_wanted = false;

    for (const struct gateway_subscription *s = g->subscriptions; s; s = s->next)
        is_wanted |= s->subscriber.on_hearing != NULL;
    return is_wanted;
}

static void sweep(struct gateway *g)
{
    struct gateway_subscription **link = &g->subscriptions;

    while (*link) {
        struct gateway_subscription *s = *link;

        if (!s->is_ended) {
            link = &s->next;
            continue;
        }
        *link = s->next;
        free(s);
    }
    gateway_listen(g, is_hearing_wanted(g));
}

void subscribers_tell_device(struct gateway *g, struct gateway_device_change *change)
{
    change->number = ++g->changes;
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_device)
            s->subscriber.on_device(s->subscriber.user, change);
    }
    g->is_telling = false;
    sweep(g);
}

void subscribers_tell_hearing(struct gateway *g, const struct gateway_hearing *hearing)
{
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_hearing)
            s->subscriber.on_hearing(s->subscriber.user, hearing);
    }
    g->is_telling = false;
    sweep(g);
}

void subscribers_tell_proxy(struct gateway *g, enum gateway_proxy_reason reason, uint16_t source)
{
    size_t index = roster_place(g->roster, source);

    if (index == SIZE_MAX)
        return;
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_proxy)
            s->subscriber.on_proxy(s->subscriber.user, reason, index);
    }
    g->is_telling = false;
    sweep(g);
}

void subscribers_tell_window(struct gateway *g, const struct gateway_window_change *change)
{
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_window)
            s->subscriber.on_window(s->subscriber.user, change);
    }
    g->is_telling = false;
    sweep(g);
}

void subscribers_tell_link(struct gateway *g, const struct gateway_link_change *change)
{
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_link)
            s->subscriber.on_link(s->subscriber.user, change);
    }
    g->is_telling = false;
    sweep(g);
}

void subscribers_tell_lease_ended(struct gateway *g, uint64_t address, const char *lease)
{
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_lease_ended)
            s->subscriber.on_lease_ended(s->subscriber.user, address, lease);
    }
    g->is_telling = false;
    sweep(g);
}

void subscribers_tell_value(struct gateway *g, const struct gateway_gatt_value *value)
{
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_value)
            s->subscriber.on_value(s->subscriber.user, value);
    }
    g->is_telling = false;
    sweep(g);
}

void subscribers_tell_configuration(struct gateway *g)
{
    g->is_telling = true;
    for (struct gateway_subscription *s = g->subscriptions; s; s = s->next) {
        if (!s->is_ended && s->subscriber.on_configuration)
            s->subscriber.on_configuration(s->subscriber.user);
    }
    g->is_telling = false;
    sweep(g);
}

struct gateway_subscription *gateway_subscribe(struct gateway *g,
                                               const struct gateway_subscriber *subscriber)
{
    struct gateway_subscription *s = xnew(struct gateway_subscription, 1);

    s->gateway = g;
    s->subscriber = *subscriber;
    s->next = g->subscriptions;
    g->subscriptions = s;
    gateway_listen(g, is_hearing_wanted(g));
    return s;
}

void gateway_unsubscribe(struct gateway_subscription *subscription)
{
    if (!subscription)
        return;
    subscription->is_ended = true;
    if (!subscription->gateway->is_telling)
        sweep(subscription->gateway);
}
