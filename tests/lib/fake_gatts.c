#include "fake_gatts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "fake_inside.h"
#include "fake_links.h"

#define QUEUE_MAX 64

struct gateway_gatt_request {
    struct gateway_gatt_request *next; /* a later one */
    struct fake_gatts *gatts;
    struct gateway_gatt_wish wish; /* texts and octets are ours */
    gateway_gatt_fn *done;
    void *user;
};

struct known {
    uint64_t address;
    struct gateway_gatt gatt;
    struct gatt_tree *tree;
};

struct fake_subscription {
    uint64_t address;
    struct ble_uuid uuid;
    struct gateway_gatt_subscription facts;
    const char *holders[FAKE_HOLDERS_MAX];
};

struct queued {
    struct gateway_gatt_value value; /* its octets are ours */
    uint64_t lost;
};

struct gateway_gatt_reader {
    struct fake_gatts *gatts;
    uint64_t address;
    uint16_t handle;
    void (*on_ready)(void *user);
    void *user;
    struct queued queue[QUEUE_MAX];
    size_t count;
    uint64_t lost;
    uint8_t *last; /* octets of the value that was given out */
};

struct fake_gatts {
    struct gateway *gateway;
    struct known known[FAKE_GATTS_MAX];
    size_t known_count;
    struct gateway_gatt_request *first;
    int refusal;
    size_t cancelled;
    struct fake_subscription subscriptions[FAKE_SUBSCRIPTIONS_MAX];
    size_t subscriptions_count;
    struct gateway_gatt_reader *readers[FAKE_READERS_MAX];
    size_t readers_count;
    struct gateway_gatt_statistics statistics;
};

struct fake_gatts *fake_gatts_new(struct gateway *g)
{
    struct fake_gatts *s = xnew(struct fake_gatts, 1);

    s->gateway = g;
    return s;
}

void fake_gatts_free(struct fake_gatts *s)
{
    assert(!s->first);
    assert(s->readers_count == 0);
    for (size_t i = 0; i < s->known_count; i++)
        gatt_tree_release(s->known[i].tree);
    free(s);
}

/* ---- databases ---- */

bool gateway_get_gatt(const struct gateway *g, uint64_t address, struct gateway_gatt *ret_gatt)
{
    const struct fake_gatts *s = fake_inside_gatts(g);

    *ret_gatt = (struct gateway_gatt){0};
    for (size_t i = 0; i < s->known_count; i++) {
        if (s->known[i].address == address)
            *ret_gatt = s->known[i].gatt;
    }
    return ret_gatt->tree != NULL;
}

const char *gateway_next_bond(const struct gateway *g, uint64_t address, size_t *index)
{
    const struct config *config = gateway_config(g);

    (void) address;
    while (*index < config->proxies_count) {
        size_t i = (*index)++;

        if (fake_links_route((struct gateway *) (uintptr_t) g, i)->is_bonded)
            return config->proxies[i].name;
    }
    return NULL;
}

/* ---- requests ---- */

void gateway_default_gatt_wish(const struct gateway *g, struct gateway_gatt_wish *ret_wish)
{
    const struct config *config = gateway_config(g);

    *ret_wish = (struct gateway_gatt_wish){
            .timeout = (usec_t) config->links_gatt_timeout_ms * USEC_PER_MSEC,
            .tries = (unsigned) config->links_retry_attempts,
    };
    gateway_default_wish(g, &ret_wish->link);
}

static const char *copy(const char *text)
{
    return text ? memory_copy_text(text) : NULL;
}

static const uint8_t *copy_octets(struct bytes octets)
{
    uint8_t *data = xnew(uint8_t, octets.size + 1);

    if (octets.size > 0)
        memcpy(data, octets.data, octets.size);
    return data;
}

int gateway_gatt_submit(struct gateway *g, const struct gateway_gatt_wish *wish,
                        gateway_gatt_fn *done, void *user,
                        struct gateway_gatt_request **ret_request)
{
    struct fake_gatts *s = fake_inside_gatts(g);
    struct gateway_gatt_request *request, **place = &s->first;

    if (s->refusal)
        return s->refusal;
    request = xnew(struct gateway_gatt_request, 1);
    *request = (struct gateway_gatt_request){.gatts = s, .wish = *wish, .done = done, .user = user};
    request->wish.value.data = copy_octets(wish->value);
    request->wish.type = copy(wish->type);
    request->wish.link.renew = copy(wish->link.renew);
    request->wish.link.client = copy(wish->link.client);
    request->wish.link.purpose = copy(wish->link.purpose);
    while (*place)
        place = &(*place)->next;
    *place = request;
    *ret_request = request;
    return 0;
}

static void free_request(struct gateway_gatt_request *request)
{
    struct gateway_gatt_request **place = &request->gatts->first;

    while (*place != request)
        place = &(*place)->next;
    *place = request->next;
    free((void *) (uintptr_t) request->wish.value.data);
    free((char *) request->wish.type);
    free((char *) request->wish.link.renew);
    free((char *) request->wish.link.client);
    free((char *) request->wish.link.purpose);
    free(request);
}

void gateway_gatt_cancel(struct gateway *g, struct gateway_gatt_request *request)
{
    (void) g;
    request->gatts->cancelled++;
    free_request(request);
}

/* ---- subscriptions ---- */

static struct fake_subscription *find_nth(const struct gateway *g, uint64_t address, size_t index)
{
    struct fake_gatts *s = fake_inside_gatts(g);

    for (size_t i = 0; i < s->subscriptions_count; i++) {
        if (s->subscriptions[i].address == address && index-- == 0)
            return &s->subscriptions[i];
    }
    return NULL;
}

bool gateway_get_gatt_subscription(const struct gateway *g, uint64_t address, size_t index,
                                   struct gateway_gatt_subscription *ret_subscription)
{
    const struct fake_subscription *found = find_nth(g, address, index);

    if (!found)
        return false;
    *ret_subscription = found->facts;
    ret_subscription->uuid = &found->uuid;
    return true;
}

const char *gateway_get_gatt_holder(const struct gateway *g, uint64_t address, size_t index,
                                    size_t holder)
{
    const struct fake_subscription *found = find_nth(g, address, index);

    return found && holder < found->facts.holders ? found->holders[holder] : NULL;
}

static struct fake_subscription *find(const struct gateway *g, uint64_t address, uint16_t handle)
{
    struct fake_subscription *found;

    for (size_t i = 0; (found = find_nth(g, address, i)); i++) {
        if (found->facts.handle == handle)
            return found;
    }
    return NULL;
}

/* ---- readers ---- */

int gateway_gatt_reader_open(struct gateway *g, uint64_t address, uint16_t handle,
                             void (*on_ready)(void *user), void *user,
                             struct gateway_gatt_reader **ret_reader)
{
    struct fake_gatts *s = fake_inside_gatts(g);

    if (s->readers_count == FAKE_READERS_MAX)
        return E_OVERLOADED;
    *ret_reader = xnew(struct gateway_gatt_reader, 1);
    **ret_reader = (struct gateway_gatt_reader){
            .gatts = s, .address = address, .handle = handle, .on_ready = on_ready, .user = user};
    s->readers[s->readers_count++] = *ret_reader;
    return 0;
}

static void take_first(struct gateway_gatt_reader *r, struct queued *ret_queued)
{
    *ret_queued = r->queue[0];
    memmove(&r->queue[0], &r->queue[1], --r->count * sizeof r->queue[0]);
}

void gateway_gatt_reader_close(struct gateway_gatt_reader *reader)
{
    struct fake_gatts *s;
    size_t i = 0;

    if (!reader)
        return;
    s = reader->gatts;
    while (s->readers[i] != reader)
        i++;
    s->readers[i] = s->readers[--s->readers_count];
    for (i = 0; i < reader->count; i++)
        free((void *) (uintptr_t) reader->queue[i].value.value.data);
    free(reader->last);
    free(reader);
}

bool gateway_gatt_reader_next(struct gateway_gatt_reader *reader,
                              struct gateway_gatt_value *ret_value, uint64_t *ret_lost)
{
    struct queued queued;

    free(TAKE(reader->last));
    if (reader->count == 0)
        return false;
    take_first(reader, &queued);
    reader->last = (uint8_t *) (uintptr_t) queued.value.value.data;
    *ret_value = queued.value;
    *ret_lost = queued.lost;
    return true;
}

static void push(struct gateway_gatt_reader *r, const struct gateway_gatt_value *value)
{
    struct queued queued;

    if (r->address != value->address || (r->handle && r->handle != value->handle))
        return;
    if (r->count == QUEUE_MAX) {
        take_first(r, &queued);
        free((void *) (uintptr_t) queued.value.value.data);
        r->queue[0].lost += queued.lost + 1;
    }
    r->queue[r->count] = (struct queued){.value = *value};
    r->queue[r->count].value.value.data = copy_octets(value->value);
    if (r->count++ == 0 && r->on_ready)
        r->on_ready(r->user);
}

/* ---- figures ---- */

void gateway_get_gatt_statistics(const struct gateway *g,
                                 struct gateway_gatt_statistics *ret_statistics)
{
    *ret_statistics = fake_inside_gatts(g)->statistics;
}

const char *gateway_gatt_doubt_name(unsigned doubt)
{
    static const char *const names[] = {"hash", "service_changed"};

    return doubt < ARRAY_SIZE(names) ? names[doubt] : NULL;
}

/* ---- the test's side ---- */

void fake_gatts_know(struct gateway *g, uint64_t address, struct gatt_tree *tree,
                     const uint8_t *hash)
{
    struct fake_gatts *s = fake_inside_gatts(g);
    struct known *known = &s->known[s->known_count++];

    assert(s->known_count <= FAKE_GATTS_MAX);
    *known = (struct known){.address = address, .tree = tree};
    known->gatt = (struct gateway_gatt){.tree = tree,
                                        .has_hash = hash != NULL,
                                        .updated = gateway_wall(g, gateway_now(g)),
                                        .services_count = gatt_tree_services(tree)};
    if (hash)
        memcpy(known->gatt.hash, hash, sizeof known->gatt.hash);
}

const struct gateway_gatt_wish *fake_gatts_request(const struct gateway *g, size_t index)
{
    const struct gateway_gatt_request *request = fake_inside_gatts(g)->first;

    for (; request && index > 0; index--)
        request = request->next;
    return request ? &request->wish : NULL;
}

void fake_gatts_answer(struct gateway *g, const struct gateway_gatt_answer *answer)
{
    struct gateway_gatt_request *request = fake_inside_gatts(g)->first;
    gateway_gatt_fn *done;
    void *user;

    assert(request);
    done = request->done;
    user = request->user;
    free_request(request);
    done(user, answer);
}

void fake_gatts_refuse(struct gateway *g, int cause)
{
    fake_inside_gatts(g)->refusal = cause;
}

size_t fake_gatts_cancelled(const struct gateway *g)
{
    return fake_inside_gatts(g)->cancelled;
}

void fake_gatts_hold(struct gateway *g, uint64_t address, const struct gatt_entry *characteristic,
                     const char *type, const char *lease)
{
    struct fake_gatts *s = fake_inside_gatts(g);
    struct fake_subscription *found = find(g, address, characteristic->handle);

    if (!found) {
        found = &s->subscriptions[s->subscriptions_count++];
        assert(s->subscriptions_count <= FAKE_SUBSCRIPTIONS_MAX);
        *found = (struct fake_subscription){
                .address = address,
                .uuid = characteristic->uuid,
                .facts = {.handle = characteristic->handle, .type = type, .since = gateway_now(g)}};
    }
    assert(found->facts.holders < FAKE_HOLDERS_MAX);
    found->holders[found->facts.holders++] = lease;
}

static void let_go(struct fake_subscription *subscription, const char *lease)
{
    for (size_t i = 0; i < subscription->facts.holders; i++) {
        if (strcmp(subscription->holders[i], lease) == 0)
            subscription->holders[i--] = subscription->holders[--subscription->facts.holders];
    }
}

void fake_gatts_end_lease(struct gateway *g, uint64_t address, const char *lease)
{
    struct fake_subscription *found;

    for (size_t i = 0; (found = find_nth(g, address, i)); i++)
        let_go(found, lease);
    fake_inside_tell_lease_ended(g, address, lease);
}

void fake_gatts_value(struct gateway *g, uint64_t address, uint16_t handle, const char *octets,
                      const char *proxy)
{
    struct fake_gatts *s = fake_inside_gatts(g);
    struct fake_subscription *found = find(g, address, handle);
    struct gateway_gatt_value value;

    assert(found);
    value = (struct gateway_gatt_value){
            .address = address,
            .handle = handle,
            .uuid = &found->uuid,
            .value = {(const uint8_t *) octets, strlen(octets)},
            .proxy = proxy,
            .time = gateway_now(g),
            .counter = ++found->facts.counter,
    };
    fake_inside_tell_value(g, &value);
    for (size_t i = 0; i < s->readers_count; i++)
        push(s->readers[i], &value);
}

size_t fake_gatts_readers(const struct gateway *g)
{
    return fake_inside_gatts(g)->readers_count;
}

struct gateway_gatt_statistics *fake_gatts_statistics(struct gateway *g)
{
    return &fake_inside_gatts(g)->statistics;
}
