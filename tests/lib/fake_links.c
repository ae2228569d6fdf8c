#include "fake_links.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "fake_inside.h"

struct gateway_link_request {
    struct gateway_link_request *next; /* a later one */
    struct fake_links *links;
    struct gateway_wish wish; /* texts are ours */
    gateway_link_fn *done;
    void *user;
};

struct fake_links {
    struct fake_link links[FAKE_LINKS_MAX];
    size_t links_count;
    struct gateway_link_request *first;
    int refusal;
    size_t cancelled;
    struct gateway_slot_entry entries[FAKE_PROXIES_MAX][FAKE_ENTRIES_MAX];
    size_t entries_count[FAKE_PROXIES_MAX];
    struct gateway_proxy_links proxies[FAKE_PROXIES_MAX];
    struct gateway_links_statistics statistics;
    struct fake_route routes[FAKE_PROXIES_MAX];
    int code;
};

struct fake_links *fake_links_new(void)
{
    return xnew(struct fake_links, 1);
}

void fake_links_free(struct fake_links *l)
{
    assert(!l->first);
    free(l);
}

/* ---- links ---- */

static struct fake_link *find(const struct gateway *g, uint64_t address)
{
    struct fake_links *l = fake_inside_links(g);

    for (size_t i = 0; i < l->links_count; i++) {
        if (l->links[i].facts.address == address)
            return &l->links[i];
    }
    return NULL;
}

static struct gateway_link view_of(const struct fake_link *link)
{
    struct gateway_link view = link->facts;

    for (view.leases = 0; view.leases < FAKE_LEASES_MAX && link->leases[view.leases].id;)
        view.leases++;
    for (view.attempts = 0;
         view.attempts < FAKE_ATTEMPTS_MAX && link->attempts[view.attempts].proxy;)
        view.attempts++;
    return view;
}

bool gateway_get_link(const struct gateway *g, uint64_t address, struct gateway_link *ret_link)
{
    const struct fake_link *link = find(g, address);

    *ret_link = link ? view_of(link) : (struct gateway_link){.address = address, .state = "none"};
    return link && strcmp(link->facts.state, "none") != 0;
}

bool gateway_next_link(const struct gateway *g, size_t *position, struct gateway_link *ret_link)
{
    const struct fake_links *l = fake_inside_links(g);

    if (*position >= l->links_count)
        return false;
    *ret_link = view_of(&l->links[(*position)++]);
    return true;
}

size_t gateway_links_count(const struct gateway *g)
{
    return fake_inside_links(g)->links_count;
}

bool gateway_get_lease(const struct gateway *g, uint64_t address, size_t index,
                       struct gateway_lease *ret_lease)
{
    const struct fake_link *link = find(g, address);

    if (!link || index >= FAKE_LEASES_MAX || !link->leases[index].id)
        return false;
    *ret_lease = link->leases[index];
    return true;
}

bool gateway_get_attempt(const struct gateway *g, uint64_t address, size_t index,
                         struct gateway_attempt *ret_attempt)
{
    const struct fake_link *link = find(g, address);

    if (!link || index >= FAKE_ATTEMPTS_MAX || !link->attempts[index].proxy)
        return false;
    *ret_attempt = link->attempts[index];
    return true;
}

/* ---- requests ---- */

void gateway_default_wish(const struct gateway *g, struct gateway_wish *ret_wish)
{
    const struct config *config = gateway_config(g);

    *ret_wish = (struct gateway_wish){
            .timeout = (usec_t) config->links_timeout_ms * USEC_PER_MSEC,
            .attempt_timeout = (usec_t) config->links_attempt_timeout_ms * USEC_PER_MSEC,
            .queue_for = (usec_t) config->links_queue_ms * USEC_PER_MSEC,
            .attempts = (unsigned) config->links_attempts,
            .use_cache = true,
            .lease = (usec_t) config->links_lease_s * USEC_PER_SEC,
    };
}

static const char *copy(const char *text)
{
    return text ? memory_copy_text(text) : NULL;
}

int gateway_connect(struct gateway *g, const struct gateway_wish *wish, gateway_link_fn *done,
                    void *user, struct gateway_link_request **ret_request)
{
    struct fake_links *l = fake_inside_links(g);
    struct gateway_link_request *request, **place = &l->first;

    if (l->refusal)
        return l->refusal;
    request = xnew(struct gateway_link_request, 1);
    *request = (struct gateway_link_request){.links = l, .wish = *wish, .done = done, .user = user};
    request->wish.renew = copy(wish->renew);
    request->wish.client = copy(wish->client);
    request->wish.purpose = copy(wish->purpose);
    while (*place)
        place = &(*place)->next;
    *place = request;
    *ret_request = request;
    return 0;
}

static void free_request(struct gateway_link_request *request)
{
    struct gateway_link_request **place = &request->links->first;

    while (*place != request)
        place = &(*place)->next;
    *place = request->next;
    free((char *) request->wish.renew);
    free((char *) request->wish.client);
    free((char *) request->wish.purpose);
    free(request);
}

void gateway_connect_cancel(struct gateway *g, struct gateway_link_request *request)
{
    (void) g;
    request->links->cancelled++;
    free_request(request);
}

int gateway_disconnect(struct gateway *g, uint64_t address, const char *lease)
{
    struct fake_link *link = find(g, address);

    if (!link)
        return lease ? E_GONE : 0;
    if (!lease) {
        link->facts.state = "disconnecting";
        memset(link->leases, 0, sizeof link->leases);
        return 0;
    }
    for (size_t i = 0; i < FAKE_LEASES_MAX && link->leases[i].id; i++) {
        if (strcmp(link->leases[i].id, lease) != 0)
            continue;
        memmove(&link->leases[i], &link->leases[i + 1],
                (FAKE_LEASES_MAX - i - 1) * sizeof link->leases[0]);
        link->leases[FAKE_LEASES_MAX - 1] = (struct gateway_lease){0};
        return 0;
    }
    return E_GONE;
}

/* ---- slots ---- */

static void remove_entry(struct fake_links *l, size_t proxy_index, size_t index)
{
    memmove(&l->entries[proxy_index][index], &l->entries[proxy_index][index + 1],
            (FAKE_ENTRIES_MAX - index - 1) * sizeof l->entries[0][0]);
    l->entries_count[proxy_index]--;
}

int gateway_free_slot(struct gateway *g, size_t proxy_index, uint64_t address)
{
    struct fake_links *l = fake_inside_links(g);
    struct gateway_proxy proxy;

    gateway_get_proxy(g, proxy_index, &proxy);
    if (!proxy.is_online)
        return E_PROXY_OFFLINE;
    for (size_t i = 0; i < l->entries_count[proxy_index]; i++) {
        if (l->entries[proxy_index][i].address != address)
            continue;
        if (strcmp(l->entries[proxy_index][i].holder, "ours") == 0)
            return E_CONFLICT;
        remove_entry(l, proxy_index, i);
        return 0;
    }
    return E_NOT_FOUND;
}

size_t gateway_close_stale(struct gateway *g)
{
    struct fake_links *l = fake_inside_links(g);
    size_t released = 0;

    for (size_t p = 0; p < FAKE_PROXIES_MAX; p++) {
        for (size_t i = l->entries_count[p]; i-- > 0;) {
            if (strcmp(l->entries[p][i].holder, "orphan") != 0)
                continue;
            remove_entry(l, p, i);
            released++;
        }
    }
    for (size_t i = l->links_count; i-- > 0;) {
        if (l->links[i].leases[0].id || l->links[i].facts.linger_until)
            continue;
        fake_links_remove(g, l->links[i].facts.address);
        released++;
    }
    return released;
}

bool gateway_get_slot_entry(const struct gateway *g, size_t proxy_index, size_t index,
                            struct gateway_slot_entry *ret_entry)
{
    const struct fake_links *l = fake_inside_links(g);

    if (index >= l->entries_count[proxy_index])
        return false;
    *ret_entry = l->entries[proxy_index][index];
    return true;
}

void gateway_get_proxy_links(const struct gateway *g, size_t proxy_index,
                             struct gateway_proxy_links *ret_links)
{
    *ret_links = fake_inside_links(g)->proxies[proxy_index];
}

void gateway_get_links_statistics(const struct gateway *g,
                                  struct gateway_links_statistics *ret_statistics)
{
    *ret_statistics = fake_inside_links(g)->statistics;
}

/* ---- routes ---- */

static bool find_source(const struct gateway *g, uint64_t address, const char *proxy,
                        struct gateway_source *ret_source)
{
    struct gateway_device device;

    if (gateway_find_device(g, address, &device) != 0)
        return false;
    for (size_t i = 0; gateway_get_source(g, &device, i, ret_source); i++) {
        if (ret_source->proxy && strcmp(ret_source->proxy, proxy) == 0)
            return true;
    }
    return false;
}

/* NULL: nothing is against it. */
static const char *cause_of(const struct gateway_proxy *proxy, bool was_heard, bool can_connect)
{
    if (!proxy->is_online)
        return "offline";
    if (!was_heard)
        return "never_heard";
    if (!can_connect)
        return "not_connectable";
    return proxy->has_slots && proxy->slots_free == 0 ? "no_free_slot" : NULL;
}

static struct gateway_route make_route(const struct gateway *g, uint64_t address, size_t index)
{
    const struct fake_route *added = &fake_inside_links(g)->routes[index];
    struct gateway_source source = {0};
    struct gateway_route route = {.proxy_index = index, .score = -1000};
    struct gateway_proxy proxy;

    gateway_get_proxy(g, index, &proxy);
    route.proxy = proxy.config->name;
    route.was_heard = find_source(g, address, route.proxy, &source);
    route.cause =
            added->cause ? added->cause : cause_of(&proxy, route.was_heard, source.can_connect);
    route.is_candidate = !route.cause;
    route.detail = route.cause;
    route.rssi = source.rssi;
    route.rssi_smoothed = source.rssi_smoothed;
    route.last_heard = source.last_seen;
    route.has_slots = proxy.has_slots;
    route.slots_free = proxy.slots_free;
    route.slots_limit = proxy.slots_limit;
    route.in_progress = added->in_progress;
    route.failures = added->failures;
    route.is_bonded = added->is_bonded;
    route.terms = (struct gateway_score_terms){.rssi = source.rssi_smoothed,
                                               .failures = -6 * added->failures};
    if (route.was_heard)
        route.score = route.terms.rssi + route.terms.failures;
    return route;
}

static int compare_routes(const void *a, const void *b)
{
    const struct gateway_route *x = a, *y = b;

    if (x->is_candidate != y->is_candidate)
        return x->is_candidate ? -1 : 1;
    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    return x->proxy_index < y->proxy_index ? -1 : x->proxy_index > y->proxy_index;
}

static int code_of(const struct gateway *g, uint64_t address, const struct gateway_route *routes,
                   size_t count)
{
    const struct fake_links *l = fake_inside_links(g);
    struct gateway_device device;

    if (l->code || gateway_find_device(g, address, &device) != 0)
        return l->code ? l->code : E_DEVICE_NOT_FOUND;
    if (count > 0 && routes[0].is_candidate)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(routes[i].cause, "no_free_slot") == 0)
            return E_NO_FREE_SLOT;
    }
    return E_NO_ROUTE;
}

size_t gateway_get_routes(const struct gateway *g, uint64_t address,
                          struct gateway_route *ret_routes, size_t max, int *ret_code)
{
    size_t count = gateway_proxies_count(g);

    assert(count <= max);
    for (size_t i = 0; i < count; i++)
        ret_routes[i] = make_route(g, address, i);
    if (count > 1)
        qsort(ret_routes, count, sizeof *ret_routes, compare_routes);
    *ret_code = code_of(g, address, ret_routes, count);
    return count;
}

/* ---- the test's side ---- */

struct fake_link *fake_links_add(struct gateway *g, uint64_t address, const char *proxy)
{
    struct fake_links *l = fake_inside_links(g);
    struct fake_link *link = &l->links[l->links_count++];

    assert(l->links_count <= FAKE_LINKS_MAX);
    *link = (struct fake_link){.facts = {.address = address,
                                         .state = "connected",
                                         .proxy = proxy,
                                         .mtu = 247,
                                         .mtu_source = "negotiated",
                                         .since = gateway_now(g)}};
    return link;
}

void fake_links_remove(struct gateway *g, uint64_t address)
{
    struct fake_links *l = fake_inside_links(g);
    struct fake_link *link = find(g, address);

    assert(link);
    *link = l->links[--l->links_count];
}

void fake_links_lease(struct gateway *g, struct fake_link *link, const char *id, const char *client)
{
    size_t i = 0;

    while (link->leases[i].id)
        i++;
    assert(i < FAKE_LEASES_MAX);
    link->leases[i] = (struct gateway_lease){
            .id = id, .client = client, .expires = gateway_now(g) + 60 * USEC_PER_SEC};
}

struct gateway_attempt fake_links_attempt(const struct gateway *g, const char *proxy, int code,
                                          int32_t reason, const char *reason_name)
{
    return (struct gateway_attempt){
            .proxy = proxy,
            .started = gateway_now(g),
            .duration = USEC_PER_SEC,
            .is_over = true,
            .result = code ? "failed" : "connected",
            .code = code,
            .has_reason = code != 0,
            .reason = reason,
            .reason_name = reason_name,
            .terms = {.rssi = -62.4},
    };
}

void fake_links_tell(struct gateway *g, const struct gateway_link_change *change)
{
    fake_inside_tell_link(g, change);
}

void fake_links_change(struct gateway *g, const char *action, uint64_t address, const char *proxy)
{
    const struct gateway_link_change change = {
            .action = action, .time = gateway_now(g), .address = address, .proxy = proxy};

    fake_links_tell(g, &change);
}

const struct gateway_wish *fake_links_request(const struct gateway *g)
{
    const struct fake_links *l = fake_inside_links(g);

    return l->first ? &l->first->wish : NULL;
}

void fake_links_answer(struct gateway *g, const struct gateway_link_answer *answer)
{
    struct gateway_link_request *request = fake_inside_links(g)->first;
    gateway_link_fn *done;
    void *user;

    assert(request);
    done = request->done;
    user = request->user;
    free_request(request);
    done(user, answer);
}

void fake_links_refuse(struct gateway *g, int cause)
{
    fake_inside_links(g)->refusal = cause;
}

size_t fake_links_cancelled(const struct gateway *g)
{
    return fake_inside_links(g)->cancelled;
}

void fake_links_take_slot(struct gateway *g, size_t proxy_index, uint64_t address,
                          const char *holder)
{
    struct fake_links *l = fake_inside_links(g);
    size_t index = l->entries_count[proxy_index]++;

    assert(index < FAKE_ENTRIES_MAX);
    l->entries[proxy_index][index] = (struct gateway_slot_entry){address, holder, gateway_now(g)};
}

struct gateway_proxy_links *fake_links_proxy(struct gateway *g, size_t proxy_index)
{
    return &fake_inside_links(g)->proxies[proxy_index];
}

struct gateway_links_statistics *fake_links_statistics(struct gateway *g)
{
    return &fake_inside_links(g)->statistics;
}

struct fake_route *fake_links_route(struct gateway *g, size_t proxy_index)
{
    return &fake_inside_links(g)->routes[proxy_index];
}

void fake_links_set_code(struct gateway *g, int code)
{
    fake_inside_links(g)->code = code;
}
