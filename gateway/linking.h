/* Links made real: joins gateway/link with the proxies, the device table, the configuration, the
 * memory of former runs, and a timer. For gateway.c and gateway_links.c alone. Thread: the loop's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "ble/report.h"
#include "link/links.h"

struct uv_loop_s;
struct config;
struct configured;
struct device_table;
struct fleet;
struct gatt_cache;
struct keeping;
struct linking;
struct proxy_status;
struct roster;

#define LINKING_STOP_TIMEOUT (1500 * USEC_PER_MSEC)

struct linking_callbacks {
    /* Something happened to a link, and is over: the room may be asked. moved_from: with
     * LINK_EVENT_CONNECTED, the proxy that lost a link which was opened again through another one;
     * else LINK_NO_SOURCE. */
    void (*on_event)(void *user, const struct link_event *event, uint16_t moved_from);
    /* A connect attempt is over. The room may not be asked. */
    void (*on_attempt)(void *user, uint64_t address, const struct link_attempt *attempt);
    /* The proxy begins or ends establishing a link, and does not scan meanwhile. */
    void (*on_connecting)(void *user, uint16_t source, bool is_connecting, usec_t now);
    /* The links were at work: who uses them may have something to do. */
    void (*on_settled)(void *user, usec_t now);
    void *user;
};

/* config, roster, configured and table are borrowed and outlive it (those of the configuration,
 * until others are told). callbacks are copied. Nothing is done before linking_attach(). */
struct linking *linking_new(struct uv_loop_s *loop, const struct config *config,
                            const struct roster *roster, const struct configured *configured,
                            struct device_table *table, const struct linking_callbacks *callbacks);

/* Who carries messages, who remembers bonds (NULL: nobody), and who knows what is proved. Before
 * the loop turns; all outlive linking_stop(). */
void linking_attach(struct linking *l, struct fleet *fleet, struct keeping *keeping,
                    const struct gatt_cache *cache);

/* Answers all requests and closes all links, for LINKING_STOP_TIMEOUT at most; then on_stopped,
 * from the loop. */
void linking_stop(struct linking *l, void (*on_stopped)(void *user), void *user);
/* After on_stopped. Accepts NULL. */
void linking_free(struct linking *l);

/* Another configuration counts; what differs in devices is told one by one. */
void linking_configure(struct linking *l, const struct config *config,
                       const struct configured *configured, usec_t now);
/* The setting keep_connected of a device. */
void linking_keep(struct linking *l, uint64_t address, bool is_kept, usec_t now);

/* ---- what the proxies tell ---- */

void linking_proxy_changed(struct linking *l, uint16_t source, const struct proxy_status *status,
                           usec_t now);
/* It is no part of the fleet any more: its links are gone, who wanted it alone is answered, and its
 * number means nothing when this returns. Before the roster forgets it, behind
 * gatting_proxy_leaves(). */
void linking_proxy_removed(struct linking *l, uint16_t source, usec_t now);
/* Those that are not about links and slots (69, 81, 85) cost nothing. */
void linking_message(struct linking *l, uint16_t source, const struct message *message, usec_t now);
/* The hot path: packets matter only while a link waits for somebody to hear its device. */
bool linking_listens(const struct linking *l);
void linking_heard(struct linking *l, const struct ble_report *reports, size_t count, usec_t now);

bool linking_is_connecting(const struct linking *l, uint16_t source);
/* enum proxy_feature; 0: it carries no links now. */
uint32_t linking_features(const struct linking *l, uint16_t source);

/* ---- commands and questions ---- */

/* The room itself. After each call that may have changed something: linking_settle(). */
struct links *linking_links(const struct linking *l);
/* Tells what happened, and arms the timer. */
void linking_settle(struct linking *l, usec_t now);
/* The same, but in this turn of the loop, and only if the room has something to do or to tell: for
 * who calls into it often, or from inside. */
void linking_wake(struct linking *l, usec_t now);
