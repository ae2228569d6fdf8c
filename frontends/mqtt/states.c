/* Rows by name hold devices and graves alike, since a grave may come to life again and a device may
 * die; a second map leads from the address to the device's row. One heap orders all rows by the
 * time of their next item: the earliest of the row's own three marks. */
#include "states.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/map.h"
#include "base/memory.h"

struct row {
    struct heap_node node;
    int16_t rssi;
    bool is_grave, is_half_cleared;
    uint64_t key; /* in by_name */
    uint64_t address;
    char *name;
    usec_t sent; /* the last state; 0: none, or it does not count */
    usec_t state_due, availability_due, rssi_due; /* USEC_NEVER: not due */
    usec_t clear_due;                             /* of a grave */
};

struct states {
    struct states_settings settings;
    struct map *by_name;    /* all rows */
    struct map *by_address; /* devices */
    struct heap due;
    size_t graves;
    uint64_t graves_refused;
};

/* FNV-1a. Names are ours, or were checked by topics; two that collide cost one of them its topic.
 */
static uint64_t hash(const char *name)
{
    uint64_t h = 0xcbf29ce484222325;

    for (; *name; name++)
        h = (h ^ (uint8_t) *name) * 0x100000001b3;
    return h;
}

static usec_t earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

static usec_t due_of(const struct row *r)
{
    if (r->is_grave)
        return r->clear_due;
    return earlier(earlier(r->state_due, r->availability_due), r->rssi_due);
}

static void schedule(struct states *s, struct row *r)
{
    usec_t due = due_of(r);

    if (due == USEC_NEVER)
        heap_remove(&s->due, &r->node);
    else
        heap_set(&s->due, &r->node, due);
}

/* ---- rows ---- */

static struct row *add_row(struct states *s, const char *name)
{
    struct row *r = xnew(struct row, 1);

    r->key = hash(name);
    r->name = memory_copy_text(name);
    r->state_due = r->availability_due = r->rssi_due = r->clear_due = USEC_NEVER;
    map_put(s->by_name, r->key, r);
    return r;
}

static void free_row(struct row *r)
{
    free(r->name);
    free(r);
}

static void remove_row(struct states *s, struct row *r)
{
    heap_remove(&s->due, &r->node);
    map_take(s->by_name, r->key);
    if (r->is_grave)
        s->graves--;
    free_row(r);
}

static bool has_room_for_grave(struct states *s)
{
    if (s->graves < s->settings.graves_max)
        return true;
    s->graves_refused++;
    return false;
}

static void bury(struct states *s, struct row *r, usec_t due)
{
    map_take(s->by_address, r->address);
    if (!has_room_for_grave(s)) {
        remove_row(s, r);
        return;
    }
    r->is_grave = true;
    r->clear_due = due;
    s->graves++;
    schedule(s, r);
}

/* The row of the name, as a device's: new, or a grave that comes to life. NULL: another device has
 * it (until it gives it up). */
static struct row *claim(struct states *s, const char *name, uint64_t address)
{
    struct row *r = map_find(s->by_name, hash(name));

    if (!r)
        r = add_row(s, name);
    else if (!r->is_grave || strcmp(r->name, name) != 0)
        return NULL;
    else
        s->graves--;
    r->is_grave = r->is_half_cleared = false;
    r->address = address;
    r->sent = 0;
    map_put(s->by_address, address, r);
    return r;
}

/* ---- public ---- */

struct states *states_new(const struct states_settings *settings)
{
    struct states *s = xnew(struct states, 1);

    s->settings = *settings;
    s->by_name = map_new(0);
    s->by_address = map_new(0);
    return s;
}

void states_free(struct states *s)
{
    size_t position = 0;
    struct row *r;

    if (!s)
        return;
    while ((r = map_next(s->by_name, &position)))
        free_row(r);
    map_free(s->by_name);
    map_free(s->by_address);
    heap_done(&s->due);
    free(s);
}

void states_publish(struct states *s, uint64_t address, const char *name, usec_t now)
{
    struct row *r = map_find(s->by_address, address);

    if (r && strcmp(r->name, name) == 0)
        return;
    if (r)
        bury(s, r, now);
    r = claim(s, name, address);
    if (!r)
        return;
    r->state_due = r->availability_due = now;
    schedule(s, r);
}

void states_withdraw(struct states *s, uint64_t address, usec_t now)
{
    struct row *r = map_find(s->by_address, address);

    if (r)
        bury(s, r, now);
}

void states_clear_all(struct states *s, usec_t now)
{
    size_t position = 0;
    struct row *r;

    while ((r = map_next(s->by_name, &position))) {
        if (!r->is_grave) {
            map_take(s->by_address, r->address);
            r->is_grave = true;
            s->graves++;
        }
        r->clear_due = now;
        schedule(s, r);
    }
}

bool states_is_published(const struct states *s, uint64_t address)
{
    return map_find(s->by_address, address) != NULL;
}

const char *states_name(const struct states *s, uint64_t address)
{
    const struct row *r = map_find(s->by_address, address);

    return r ? r->name : NULL;
}

void states_changed(struct states *s, uint64_t address, usec_t now)
{
    struct row *r = map_find(s->by_address, address);
    usec_t due;

    if (!r)
        return;
    due = r->sent ? r->sent + s->settings.min_interval : now;
    r->state_due = earlier(r->state_due, due > now ? due : now);
    schedule(s, r);
}

void states_availability_changed(struct states *s, uint64_t address, usec_t now)
{
    struct row *r = map_find(s->by_address, address);

    if (!r)
        return;
    r->availability_due = earlier(r->availability_due, now);
    states_changed(s, address, now);
}

void states_adopt(struct states *s, const char *name, usec_t due)
{
    struct row *r;

    if (map_find(s->by_name, hash(name)) || !has_room_for_grave(s))
        return;
    r = add_row(s, name);
    r->is_grave = true;
    r->clear_due = due;
    s->graves++;
    schedule(s, r);
}

void states_republish(struct states *s, usec_t now, usec_t spread)
{
    size_t position = 0, count = map_count(s->by_address), i = 0;
    struct row *r;

    while ((r = map_next(s->by_address, &position))) {
        r->sent = 0;
        r->state_due = r->availability_due = now + spread * i++ / count;
        schedule(s, r);
    }
}

bool states_next(const struct states *s, usec_t now, struct states_item *ret_item)
{
    uint64_t due;
    const struct heap_node *node = heap_first(&s->due, &due);
    const struct row *r;

    if (!node || due > now)
        return false;
    r = CONTAINER_OF(node, struct row, node);
    *ret_item = (struct states_item){.address = r->address, .name = r->name, .rssi = r->rssi};
    if (r->is_grave)
        ret_item->what = r->is_half_cleared ? STATES_CLEAR_STATE : STATES_CLEAR_AVAILABILITY;
    else if (r->availability_due <= now)
        ret_item->what = STATES_AVAILABILITY;
    else
        ret_item->what = r->state_due <= now ? STATES_STATE : STATES_RSSI;
    return true;
}

bool states_may_tell(const struct states *s, uint64_t address, usec_t now,
                     struct states_item *ret_item)
{
    const struct row *r = map_find(s->by_address, address);

    if (!r || !r->sent || r->availability_due != USEC_NEVER ||
        now < r->sent + s->settings.min_interval)
        return false;
    *ret_item = (struct states_item){STATES_STATE, r->address, r->name, r->rssi};
    return true;
}

static void state_is_done(struct states *s, struct row *r, int rssi, usec_t now)
{
    r->sent = now;
    r->rssi = (int16_t) rssi;
    r->state_due = USEC_NEVER;
    r->rssi_due = s->settings.rssi_interval > 0 ? now + s->settings.rssi_interval : USEC_NEVER;
}

void states_done(struct states *s, const struct states_item *item, int rssi, usec_t now)
{
    struct row *r = map_find(s->by_name, hash(item->name));

    assert(r && r->is_grave == (item->what >= STATES_CLEAR_AVAILABILITY));
    switch (item->what) {
    case STATES_CLEAR_AVAILABILITY:
        r->is_half_cleared = true;
        break;
    case STATES_CLEAR_STATE:
        remove_row(s, r);
        return;
    case STATES_AVAILABILITY:
        r->availability_due = USEC_NEVER;
        break;
    case STATES_STATE:
        state_is_done(s, r, rssi, now);
        break;
    case STATES_RSSI:
        if (rssi == r->rssi)
            r->rssi_due = now + s->settings.rssi_interval;
        else
            state_is_done(s, r, rssi, now);
        break;
    }
    schedule(s, r);
}

usec_t states_deadline(const struct states *s)
{
    uint64_t due;

    return heap_first(&s->due, &due) ? due : USEC_NEVER;
}

size_t states_count(const struct states *s)
{
    return map_count(s->by_address);
}

size_t states_graves_count(const struct states *s)
{
    return s->graves;
}

uint64_t states_graves_refused(const struct states *s)
{
    return s->graves_refused;
}

size_t states_waiting_count(const struct states *s)
{
    size_t position = 0, count = 0;
    const struct row *r;

    while ((r = map_next(s->by_address, &position)))
        count += r->state_due != USEC_NEVER || r->availability_due != USEC_NEVER;
    return count;
}
