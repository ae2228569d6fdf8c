/* The links of a fake gateway: set by hand, as all of its facts; requests wait until a test answers
 * them. */
#pragma once

#include "gateway/gateway.h"

#define FAKE_LINKS_MAX    16
#define FAKE_LEASES_MAX   4
#define FAKE_ATTEMPTS_MAX 16
#define FAKE_ENTRIES_MAX  8
#define FAKE_PROXIES_MAX  32

struct fake_link {
    struct gateway_link facts; /* leases and attempts are counted by themselves */
    struct gateway_lease leases[FAKE_LEASES_MAX];
    struct gateway_attempt attempts[FAKE_ATTEMPTS_MAX];
};

/* Connected through this proxy since now, with an MTU of 247 and nobody's lease. */
struct fake_link *fake_links_add(struct gateway *g, uint64_t address, const char *proxy);
void fake_links_remove(struct gateway *g, uint64_t address);

/* Held by this client until a minute from now. */
void fake_links_lease(struct gateway *g, struct fake_link *link, const char *id,
                      const char *client);

/* An attempt of a second that ended like this; code 0: connected. */
struct gateway_attempt fake_links_attempt(const struct gateway *g, const char *proxy, int code,
                                          int32_t reason, const char *reason_name);

/* Publishes a change, at the present time. */
void fake_links_change(struct gateway *g, const char *action, uint64_t address, const char *proxy);
void fake_links_tell(struct gateway *g, const struct gateway_link_change *change);

/* The wish of the oldest request that waits; NULL: none. Its texts are copies. */
const struct gateway_wish *fake_links_request(const struct gateway *g);
/* The oldest ends like this. */
void fake_links_answer(struct gateway *g, const struct gateway_link_answer *answer);
/* What the next requests are refused with; 0: not. */
void fake_links_refuse(struct gateway *g, int cause);
size_t fake_links_cancelled(const struct gateway *g);

/* A slot of the proxy that is taken since now. */
void fake_links_take_slot(struct gateway *g, size_t proxy_index, uint64_t address,
                          const char *holder);

/* Figures, to be changed at will. */
struct gateway_proxy_links *fake_links_proxy(struct gateway *g, size_t proxy_index);
struct gateway_links_statistics *fake_links_statistics(struct gateway *g);

/* What is added to the route over this proxy, which follows from who hears the device. */
struct fake_route {
    const char *cause; /* NULL: what follows */
    unsigned in_progress;
    double failures;
    bool is_bonded;
};
struct fake_route *fake_links_route(struct gateway *g, size_t proxy_index);
/* What a request would be answered with; 0: what follows from the routes. */
void fake_links_set_code(struct gateway *g, int code);
