/* The pairs of one device are a chain, whose head a map finds; all pairs stand in a row, the one
 * put last in front. A pair that goes stays in both, empty, until the file has heard of it. When
 * the file cannot be written for long, those that wait to go are as many as may be known: from then
 * on they are let go of, and the file keeps rows that nobody asked for. */
#include "pair_table.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"

struct pair {
    struct store_pair known;
    struct pair *next;          /* of this device */
    struct pair *newer, *older; /* in the row */
    bool is_kept, is_dirty;
};

struct pair_table {
    struct map *heads; /* device -> its first pair */
    struct pair *newest, *oldest;
    size_t count, gone, dirty; /* gone: of the count, those that are empty */
};

static bool is_gone(const struct pair *p)
{
    return p->known.mtu == 0 && !p->known.is_bonded;
}

static struct pair *find(const struct pair_table *t, uint64_t device, uint64_t proxy)
{
    struct pair *p = map_find(t->heads, device);

    while (p && p->known.proxy != proxy)
        p = p->next;
    return p;
}

/* ---- the row ---- */

static void leave_row(struct pair_table *t, struct pair *p)
{
    *(p->newer ? &p->newer->older : &t->newest) = p->older;
    *(p->older ? &p->older->newer : &t->oldest) = p->newer;
}

static void join_row(struct pair_table *t, struct pair *p)
{
    p->newer = NULL;
    p->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = p;
    t->newest = p;
}

/* ---- coming and going ---- */

static struct pair *add(struct pair_table *t, uint64_t device, uint64_t proxy)
{
    struct pair *p = xnew(struct pair, 1);

    p->known = (struct store_pair){.device = device, .proxy = proxy};
    p->next = map_find(t->heads, device);
    map_put(t->heads, device, p);
    join_row(t, p);
    t->count++;
    t->gone++;
    return p;
}

static void remove_pair(struct pair_table *t, struct pair *p)
{
    struct pair *head = map_take(t->heads, p->known.device), **link = &head;

    while (*link != p)
        link = &(*link)->next;
    *link = p->next;
    if (head)
        map_put(t->heads, p->known.device, head);
    leave_row(t, p);
    t->count--;
    t->gone -= is_gone(p);
    t->dirty -= p->is_dirty;
    free(p);
}

static void set_dirty(struct pair_table *t, struct pair *p, bool is_dirty)
{
    t->dirty = t->dirty - p->is_dirty + is_dirty;
    p->is_dirty = is_dirty;
}

static void set_known(struct pair_table *t, struct pair *p, const struct store_pair *known)
{
    t->gone -= is_gone(p);
    p->known = *known;
    t->gone += is_gone(p);
}

/* Empties it; who is not in the file needs no further word. True: the file is to hear of it. */
static bool forget(struct pair_table *t, struct pair *p)
{
    bool is_news = p->is_kept && t->gone < PAIR_TABLE_MAX;

    if (!is_news) {
        remove_pair(t, p);
        return false;
    }
    set_known(t, p, &(struct store_pair){.device = p->known.device, .proxy = p->known.proxy});
    set_dirty(t, p, true);
    return true;
}

static struct pair *least_needed(const struct pair_table *t)
{
    struct pair *oldest = NULL;

    for (struct pair *p = t->oldest; p; p = p->newer) {
        if (is_gone(p))
            continue;
        if (!p->known.is_bonded)
            return p;
        if (!oldest)
            oldest = p;
    }
    return oldest;
}

/* ---- public ---- */

struct pair_table *pair_table_new(uint64_t seed)
{
    struct pair_table *t = xnew(struct pair_table, 1);

    t->heads = map_new(seed);
    return t;
}

void pair_table_free(struct pair_table *t)
{
    if (!t)
        return;
    while (t->newest)
        remove_pair(t, t->newest);
    map_free(t->heads);
    free(t);
}

const struct store_pair *pair_table_get(const struct pair_table *t, uint64_t device, uint64_t proxy)
{
    const struct pair *p = find(t, device, proxy);

    return p && !is_gone(p) ? &p->known : NULL;
}

void pair_table_load(struct pair_table *t, const struct store_pair *pair)
{
    if (pair_table_put(t, pair, /* is_kept= */ true))
        set_dirty(t, find(t, pair->device, pair->proxy), false);
}

bool pair_table_put(struct pair_table *t, const struct store_pair *pair, bool is_kept)
{
    struct pair *p = find(t, pair->device, pair->proxy);
    bool is_going = pair->mtu == 0 && !pair->is_bonded;

    if (is_going)
        return p && !is_gone(p) && forget(t, p);
    if (p && p->known.mtu == pair->mtu && p->known.is_bonded == pair->is_bonded)
        return false;
    if ((!p || is_gone(p)) && t->count - t->gone == PAIR_TABLE_MAX)
        (void) forget(t, least_needed(t));
    if (!p)
        p = add(t, pair->device, pair->proxy);
    set_known(t, p, pair);
    leave_row(t, p);
    join_row(t, p);
    p->is_kept |= is_kept;
    if (p->is_kept)
        set_dirty(t, p, true);
    return p->is_kept;
}

bool pair_table_drop_device(struct pair_table *t, uint64_t device)
{
    struct pair *next;
    bool is_news = false;

    for (struct pair *p = map_find(t->heads, device); p; p = next) {
        next = p->next;
        if (!is_gone(p))
            is_news |= forget(t, p);
    }
    return is_news;
}

void pair_table_mark(struct pair_table *t, uint64_t device, uint64_t proxy)
{
    struct pair *p = find(t, device, proxy);

    if (!p && t->gone == PAIR_TABLE_MAX)
        return;
    if (!p)
        p = add(t, device, proxy);
    p->is_kept = true;
    set_dirty(t, p, true);
}

bool pair_table_take_dirty(struct pair_table *t, struct store_pair *ret_pair)
{
    struct pair *p = t->newest;

    if (t->dirty == 0)
        return false;
    while (!p->is_dirty)
        p = p->older;
    *ret_pair = p->known;
    set_dirty(t, p, false);
    if (is_gone(p))
        remove_pair(t, p);
    return true;
}

bool pair_table_is_dirty(const struct pair_table *t)
{
    return t->dirty > 0;
}

size_t pair_table_count(const struct pair_table *t)
{
    return t->count - t->gone;
}
