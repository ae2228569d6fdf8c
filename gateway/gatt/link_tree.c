/* The story. A link begins with what the cache knows of the device; if that can be checked and was
 * not lately, the Database Hash is read before the tree is used. What is not known is asked for:
 * message 70, parts (71), the end (72), once for each link, since a proxy frees its copy then.
 *
 * Failure modes. A list that is not ended, is empty, damaged or too long is none. A tree that the
 * device belies (another hash, Service Changed, a handle that it does not know) is forgotten for
 * all links, and what this proxy knows is not believed either: the next link asks anew. */
#include "gatt/link_tree.h"

#include "gatt/operations.h"

#define ATT_INVALID_HANDLE 0x01
#define ESP_INVALID_ARG    0x102
#define ESP_NOT_FOUND      0x105

static void drop_tree(struct peer *p)
{
    if (p->has_tree)
        gatt_tree_release(p->known.tree);
    p->has_tree = false;
    p->known = (struct gatt_known){0};
    p->is_discovered = false;
    p->watch_at = USEC_NEVER;
}

usec_t link_tree_linger(const struct gatt *g)
{
    return clock_later(links_get_linger(g->links), USEC_PER_SEC);
}

static void set_tree(struct gatt *g, struct peer *p, const struct gatt_known *known)
{
    drop_tree(p);
    p->known = *known;
    gatt_tree_hold(p->known.tree);
    p->has_tree = true;
    p->watch_at = known->can_change ? clock_after(p->since, link_tree_linger(g)) : USEC_NEVER;
}

void link_tree_begin(struct gatt *g, struct peer *p)
{
    struct gatt_known known;

    p->was_asked = p->is_outdated = p->was_checked = p->is_proved = false;
    p->watch_at = USEC_NEVER;
    if (gatt_cache_find(g->cache, p->address, g->now, &known))
        set_tree(g, p, &known);
}

void link_tree_end(struct peer *p)
{
    drop_tree(p);
}

/* ---- discovery ---- */

static struct gatt_tree *take_growing(struct peer *p)
{
    struct gatt_tree *tree = p->growing;

    p->growing = NULL;
    return tree ? tree : gatt_tree_new();
}

static void on_services(struct gatt *g, struct peer *p, struct operation *operation,
                        struct gatt_outcome *outcome)
{
    struct gatt_tree *tree = take_growing(p);
    int64_t wall = g->house.wall(g->house.user, g->now);
    struct gatt_known known;

    (void) operation;
    if (outcome->code == 0 &&
        (p->growing_error ||
         gatt_cache_discovered(g->cache, p->address, p->source, tree, p->mtu, wall, &known)))
        outcome->code = E_GATT_ERROR;
    if (outcome->code == 0) {
        set_tree(g, p, &known);
        p->is_discovered = p->is_proved = true;
    }
    gatt_tree_release(tree);
}

static struct operation *find_question(const struct peer *p)
{
    struct operation *o = operations_find(p, MESSAGE_GATT_GET_SERVICES_REQUEST, 0, true);

    return o ? o : operations_find(p, MESSAGE_GATT_GET_SERVICES_REQUEST, 0, false);
}

bool link_tree_can_ask(const struct peer *p)
{
    return find_question(p) || (!p->is_cached && !p->was_asked && !p->is_outdated);
}

void link_tree_ask(struct gatt *g, struct peer *p, struct gatt_request *request)
{
    struct operation *o = find_question(p);

    if (!o) {
        o = operations_add(g, p,
                           &(struct message){.type = MESSAGE_GATT_GET_SERVICES_REQUEST,
                                             .gatt = {.address = p->address}},
                           LINK_NO_SOURCE);
        o->done = on_services;
        p->was_asked = true;
        p->growing_error = 0;
        g->counted.discoveries++;
    }
    if (request)
        operations_join(o, request);
}

static struct ble_uuid uuid_of(const struct message_uuid *wire)
{
    struct ble_uuid uuid;

    if (wire->high == 0 && wire->low == 0)
        return ble_uuid_from_short(wire->short_uuid);
    for (size_t i = 0; i < 8; i++) {
        uuid.octets[i] = (uint8_t) (wire->high >> (56 - 8 * i));
        uuid.octets[8 + i] = (uint8_t) (wire->low >> (56 - 8 * i));
    }
    return uuid;
}

/* What follows a mistake is not added. */
static void add(struct peer *p, enum gatt_kind kind, const struct message_uuid *wire,
                uint32_t handle, uint32_t properties)
{
    const struct ble_uuid uuid = uuid_of(wire);

    if (!p->growing_error)
        p->growing_error = gatt_tree_add(p->growing, kind, &uuid, handle, properties);
}

static void add_characteristic(struct peer *p, const struct message_characteristic *c)
{
    add(p, GATT_CHARACTERISTIC, &c->uuid, c->handle, c->properties);
    for (size_t i = 0; i < c->descriptors_count; i++)
        add(p, GATT_DESCRIPTOR, &c->descriptors[i].uuid, c->descriptors[i].handle, 0);
}

void link_tree_part(struct gatt *g, struct peer *p, uint16_t source,
                    const struct message_services *services)
{
    (void) g;
    if (p->source != source || !operations_find(p, MESSAGE_GATT_GET_SERVICES_REQUEST, 0, true))
        return;
    if (!p->growing)
        p->growing = gatt_tree_new();
    for (size_t i = 0; i < services->count; i++) {
        const struct message_service *s = &services->services[i];

        add(p, GATT_SERVICE, &s->uuid, s->handle, 0);
        for (size_t k = 0; k < s->characteristics_count; k++)
            add_characteristic(p, &s->characteristics[k]);
    }
}

/* ---- doubt ---- */

void link_tree_doubt(struct gatt *g, struct peer *p, enum gatt_doubt doubt)
{
    (void) gatt_cache_forget(g->cache, p->address, doubt);
    drop_tree(p);
    p->is_outdated = true;
}

static bool is_invalid_handle(int32_t number)
{
    return number == ATT_INVALID_HANDLE || number == ESP_INVALID_ARG || number == ESP_NOT_FOUND;
}

bool link_tree_is_doubted_by(const struct peer *p, const struct gatt_outcome *outcome)
{
    bool is_old = p->is_cached || p->is_outdated || (p->has_tree && !p->is_discovered);

    return outcome->code == E_GATT_ERROR && outcome->has_number &&
           is_invalid_handle(outcome->number) && is_old;
}

/* ---- proof ---- */

static const struct gatt_entry *hash_of(const struct peer *p)
{
    const struct ble_uuid uuid = ble_uuid_from_short(GATT_UUID_DATABASE_HASH);

    return p->has_tree ? gatt_tree_next(p->known.tree, &uuid, NULL) : NULL;
}

static bool is_hash_wanted(const struct peer *p)
{
    return p->has_tree && p->known.is_check_due && !p->was_checked && hash_of(p);
}

bool link_tree_is_check_due(const struct peer *p)
{
    return is_hash_wanted(p) && !p->is_discovered;
}

bool link_tree_is_hash_missing(const struct peer *p)
{
    return is_hash_wanted(p) && p->is_discovered;
}

static void compare(struct gatt *g, struct peer *p, const struct gatt_outcome *outcome)
{
    if (outcome->value.size != GATT_HASH_SIZE)
        return;
    if (gatt_cache_hashed(g->cache, p->address, outcome->value.data, g->now)) {
        p->known.is_check_due = false;
        return;
    }
    drop_tree(p);
    p->is_outdated = true;
}

/* That the hash cannot be read is nobody's fault: what waits for it goes on. */
static void on_hash(struct gatt *g, struct peer *p, struct operation *operation,
                    struct gatt_outcome *outcome)
{
    p->was_checked = p->is_open;
    if (outcome->code == 0) {
        link_tree_worked(g, p, (uint16_t) operation->message.gatt.handle);
        compare(g, p, outcome);
    }
    if (link_tree_is_doubted_by(p, outcome))
        link_tree_doubt(g, p, GATT_DOUBT_INVALID_HANDLE);
    if (outcome->code == E_GATT_ERROR)
        *outcome = (struct gatt_outcome){0};
}

static struct operation *find_check(const struct peer *p, uint32_t handle)
{
    for (int is_sent = 0; is_sent < 2; is_sent++) {
        struct operation *o = operations_find(p, MESSAGE_GATT_READ_REQUEST, handle, is_sent);

        if (o && o->done == on_hash)
            return o;
    }
    return NULL;
}

void link_tree_check(struct gatt *g, struct peer *p, struct gatt_request *request)
{
    uint16_t handle = hash_of(p)->handle;
    struct operation *o = find_check(p, handle);

    if (!o) {
        o = operations_add(g, p,
                           &(struct message){.type = MESSAGE_GATT_READ_REQUEST,
                                             .gatt = {.address = p->address, .handle = handle}},
                           LINK_NO_SOURCE);
        o->done = on_hash;
    }
    if (request)
        operations_join(o, request);
}

void link_tree_worked(struct gatt *g, struct peer *p, uint16_t handle)
{
    if (p->is_proved || !p->has_tree)
        return;
    if (!gatt_tree_at(p->known.tree, GATT_CHARACTERISTIC, handle) &&
        !gatt_tree_at(p->known.tree, GATT_DESCRIPTOR, handle))
        return;
    p->is_proved = true;
    gatt_cache_worked(g->cache, p->address, p->source, p->is_cached ? 0 : p->mtu);
}
