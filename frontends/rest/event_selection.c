/* The story: a rule without a memory (change, all, reappear) is a question to the packet alone. A
 * rule that thins has a pace for each device (or device and proxy): until when nothing more is
 * told, and the packet that waits for that moment. A pace whose moment comes with nothing waiting
 * is forgotten, so that only devices that are heard within the span take memory.
 *
 * Failure modes: too many devices: the pace that ends first ends early. Too many rules: those that
 * linger without readers go first, the longest unused of them; then new ones are refused. */
#include "event_selection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/slab.h"
#include "json/event_json.h"

struct pace {
    struct heap_node node; /* by the end */
    uint64_t key;
    struct selection_packet *held; /* NULL: nothing waits */
};

struct selection {
    bool is_used; /* this place of the table is taken */
    struct selection_rule rule;
    uint64_t since;
    size_t readers;
    usec_t left; /* by the last reader, when there are none */
    struct map *paces;
    struct heap ends;
};

struct selections {
    struct selection items[SELECTIONS_MAX];
    size_t devices_max;
    uint64_t seed;
    struct slab *slab; /* paces and packets */
    selection_due_fn *on_due;
    void *user;
};

static uint64_t bit_of(const struct selections *s, const struct selection *item)
{
    return (uint64_t) 1 << (item - s->items);
}

static bool is_thinning(const struct selection_rule *rule)
{
    return rule->mode == SELECTION_INTERVAL || rule->mode == SELECTION_RSSI;
}

/* ---- paces ---- */

static size_t packet_size(size_t data_size)
{
    return sizeof(struct selection_packet) + data_size;
}

static void release_held(struct selections *s, struct pace *pace)
{
    if (pace->held)
        slab_give(s->slab, pace->held, packet_size(pace->held->size));
    pace->held = NULL;
}

static void hold(struct selections *s, struct pace *pace, const struct gateway_hearing *hearing)
{
    release_held(s, pace);
    pace->held = slab_take(s->slab, packet_size(hearing->size));
    *pace->held = (struct selection_packet){
            .address = hearing->device->address,
            .address_type = hearing->device->address_type,
            .time = hearing->time,
            .proxy_id = hearing->proxy_id,
            .rssi = hearing->rssi,
            .rssi_smoothed = hearing->rssi_smoothed,
            .is_owner = hearing->is_owner,
            .is_parsed = hearing->is_parsed,
            .size = hearing->size,
    };
    if (hearing->size > 0)
        memcpy(pace->held->data, hearing->data, hearing->size);
}

static void tell_held(struct selections *s, const struct selection *item, const struct pace *pace)
{
    s->on_due(s->user, bit_of(s, item), item->rule.mode == SELECTION_RSSI, pace->held);
}

static void forget_pace(struct selections *s, struct selection *item, struct pace *pace)
{
    release_held(s, pace);
    heap_remove(&item->ends, &pace->node);
    (void) map_take(item->paces, pace->key);
    slab_give(s->slab, pace, sizeof *pace);
}

/* Tells what the pace holds, and lets the next span begin; or forgets the pace. */
static void end_pace(struct selections *s, struct selection *item, struct pace *pace, usec_t now)
{
    if (!pace->held) {
        forget_pace(s, item, pace);
        return;
    }
    tell_held(s, item, pace);
    release_held(s, pace);
    heap_set(&item->ends, &pace->node, now + item->rule.span);
}

static struct pace *first_pace(const struct selection *item, usec_t *ret_end)
{
    struct heap_node *node = heap_first(&item->ends, ret_end);

    return node ? CONTAINER_OF(node, struct pace, node) : NULL;
}

static void make_pace(struct selections *s, struct selection *item, uint64_t key, usec_t now)
{
    struct pace *pace;
    usec_t end;

    if (map_count(item->paces) >= s->devices_max) {
        pace = first_pace(item, &end);
        if (pace->held)
            tell_held(s, item, pace);
        forget_pace(s, item, pace);
    }
    pace = slab_take(s->slab, sizeof *pace);
    *pace = (struct pace){.key = key};
    map_put(item->paces, key, pace);
    heap_set(&item->ends, &pace->node, now + item->rule.span);
}

/* True when the packet is told now; else it waits. */
static bool passes_pace(struct selections *s, struct selection *item, uint64_t key,
                        const struct gateway_hearing *hearing)
{
    struct pace *pace = map_find(item->paces, key);
    usec_t end;

    if (!pace) {
        make_pace(s, item, key, hearing->time);
        return true;
    }
    hold(s, pace, hearing);
    /* It may be late: the time has come, and this packet is the newest. */
    while ((pace = first_pace(item, &end)) && end <= hearing->time)
        end_pace(s, item, pace, hearing->time);
    return false;
}

/* ---- rules ---- */

static bool is_news(const struct gateway_hearing *hearing)
{
    return hearing->heard_before == 0 || hearing->time - hearing->heard_before > SELECTION_OWN;
}

static bool passes(struct selections *s, struct selection *item,
                   const struct gateway_hearing *hearing)
{
    const struct selection_rule *rule = &item->rule;

    if (hearing->device->is_noise && rule->mode != SELECTION_ALL && rule->mode != SELECTION_RSSI)
        return false;
    if (rule->only_owner && !hearing->is_owner && !is_news(hearing))
        return false;
    switch (rule->mode) {
    case SELECTION_CHANGE:
        return hearing->is_change;
    case SELECTION_ALL:
        return true;
    case SELECTION_INTERVAL:
        return passes_pace(s, item, hearing->device->address, hearing);
    case SELECTION_REAPPEAR:
        return hearing->silent_since == 0 || hearing->time - hearing->silent_since >= rule->span;
    case SELECTION_RSSI:
        return event_json_has_rssi(hearing) &&
               passes_pace(s, item, hearing->device->address << 16 | (uint16_t) hearing->proxy_id,
                           hearing);
    }
    return false;
}

/* What a rule does not look at does not make it another one. */
static struct selection_rule normalize(const struct selection_rule *rule)
{
    struct selection_rule r = *rule;

    if (r.mode == SELECTION_CHANGE || r.mode == SELECTION_ALL)
        r.span = 0;
    if (r.mode == SELECTION_REAPPEAR || r.mode == SELECTION_RSSI)
        r.only_owner = false;
    return r;
}

static bool is_same(const struct selection_rule *a, const struct selection_rule *b)
{
    return a->mode == b->mode && a->span == b->span && a->only_owner == b->only_owner;
}

/* ---- the table ---- */

static void end_selection(struct selections *s, struct selection *item)
{
    struct pace *pace;
    usec_t end;

    while ((pace = first_pace(item, &end)))
        forget_pace(s, item, pace);
    map_free(item->paces);
    heap_done(&item->ends);
    *item = (struct selection){0};
}

/* Room for a new one; NULL when all are read. */
static struct selection *make_place(struct selections *s)
{
    struct selection *idle = NULL;

    for (size_t i = 0; i < SELECTIONS_MAX; i++) {
        struct selection *item = &s->items[i];

        if (!item->is_used)
            return item;
        if (item->readers == 0 && (!idle || item->left < idle->left))
            idle = item;
    }
    if (idle)
        end_selection(s, idle);
    return idle;
}

static struct selection *find_rule(struct selections *s, const struct selection_rule *rule)
{
    for (size_t i = 0; i < SELECTIONS_MAX; i++) {
        if (s->items[i].is_used && is_same(&s->items[i].rule, rule))
            return &s->items[i];
    }
    return NULL;
}

struct selections *selections_new(size_t devices_max, uint64_t seed, selection_due_fn *on_due,
                                  void *user)
{
    struct selections *s = xnew(struct selections, 1);

    assert(devices_max > 0);
    s->devices_max = devices_max;
    s->seed = seed;
    s->slab = slab_new();
    s->on_due = on_due;
    s->user = user;
    return s;
}

void selections_free(struct selections *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < SELECTIONS_MAX; i++) {
        if (s->items[i].is_used)
            end_selection(s, &s->items[i]);
    }
    slab_free(s->slab);
    free(s);
}

int selections_join(struct selections *s, const struct selection_rule *rule, uint64_t next,
                    size_t *ret_index)
{
    struct selection_rule wanted = normalize(rule);
    struct selection *item = find_rule(s, &wanted);

    if (!item) {
        item = make_place(s);
        if (!item)
            return E_OVERLOADED;
        *item = (struct selection){.is_used = true, .rule = wanted, .since = next};
        if (is_thinning(&wanted))
            item->paces = map_new(s->seed);
    }
    item->readers++;
    *ret_index = (size_t) (item - s->items);
    return 0;
}

void selections_leave(struct selections *s, size_t index, usec_t now)
{
    struct selection *item = &s->items[index];

    assert(item->is_used && item->readers > 0);
    item->readers--;
    item->left = now;
}

uint64_t selections_since(const struct selections *s, size_t index)
{
    return s->items[index].since;
}

bool selections_any(const struct selections *s)
{
    for (size_t i = 0; i < SELECTIONS_MAX; i++) {
        if (s->items[i].is_used)
            return true;
    }
    return false;
}

void selections_hear(struct selections *s, const struct gateway_hearing *hearing,
                     uint64_t *ret_advertisement, uint64_t *ret_rssi)
{
    *ret_advertisement = *ret_rssi = 0;
    for (size_t i = 0; i < SELECTIONS_MAX; i++) {
        struct selection *item = &s->items[i];

        if (!item->is_used || !passes(s, item, hearing))
            continue;
        if (item->rule.mode == SELECTION_RSSI)
            *ret_rssi |= bit_of(s, item);
        else
            *ret_advertisement |= bit_of(s, item);
    }
}

void selections_advance(struct selections *s, usec_t now)
{
    for (size_t i = 0; i < SELECTIONS_MAX; i++) {
        struct selection *item = &s->items[i];
        struct pace *pace;
        usec_t end;

        if (!item->is_used)
            continue;
        while ((pace = first_pace(item, &end)) && end <= now)
            end_pace(s, item, pace, now);
        if (item->readers == 0 && now - item->left >= SELECTION_LINGER)
            end_selection(s, item);
    }
}
