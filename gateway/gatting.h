/* GATT made real: joins gateway/gatt with links, proxies, the configuration, the memory of former
 * runs, and a timer. For the facade alone. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "gatt/gatt.h"

struct uv_loop_s;
struct config;
struct fleet;
struct gatting;
struct keeping;
struct linking;

/* The room must not be called from inside them, but asked. */
struct gatting_callbacks {
    void (*on_value)(void *user, const struct gatt_value *value);
    /* A device's subscriptions are others. */
    void (*on_subscriptions)(void *user, uint64_t address);
    /* A lease that held subscriptions ended, however. */
    void (*on_lease_ended)(void *user, uint64_t address, const char *lease);
    void *user;
};

/* linking is borrowed and outlives it; its attachments are gatting_attach()'s. callbacks are
 * copied. */
struct gatting *gatting_new(struct uv_loop_s *loop, const struct config *config,
                            struct linking *linking, const struct gatting_callbacks *callbacks);
/* Who carries messages, and who remembers (NULL: nobody). Before the loop turns; both outlive the
 * end of linking. */
void gatting_attach(struct gatting *g, struct fleet *fleet, struct keeping *keeping);

/* Answers all requests, and takes no more. Before linking_stop(). */
void gatting_stop(struct gatting *g);
/* When linking has stopped as well. Accepts NULL. */
void gatting_free(struct gatting *g);

/* Another configuration counts. */
void gatting_configure(struct gatting *g, const struct config *config);
/* Somebody forgets the device: what is known of its database goes. */
void gatting_forget(struct gatting *g, uint64_t address);

/* ---- what happens below ---- */

/* What linking tells of a link, before anybody else is told. */
void gatting_link_event(struct gatting *g, const struct link_event *event);
/* A proxy came or went, after linking_proxy_changed(). */
void gatting_proxy_changed(struct gatting *g, uint16_t source, bool is_online, usec_t now);
/* A proxy is about to be removed: who wanted it alone is answered. Before linking_proxy_removed(),
 * and the second behind it, when its links are gone: its number means nothing any more. What was
 * proved through it is proved no more. */
void gatting_proxy_leaves(struct gatting *g, uint16_t source, usec_t now);
void gatting_proxy_removed(struct gatting *g, uint16_t source, usec_t now);
/* Every message of proxies that linking_message() got, after it; those of no concern are cheap. */
void gatting_message(struct gatting *g, uint16_t source, const struct message *message, usec_t now);
/* The links were at work: what waited for them goes on in this turn of the loop. */
void gatting_wake(struct gatting *g, usec_t now);

/* ---- commands and questions ---- */

/* The room itself. After each call that may have changed something: gatting_settle(). */
struct gatt *gatting_gatt(const struct gatting *g);
void gatting_settle(struct gatting *g, usec_t now);
