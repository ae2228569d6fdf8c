/* The story. A failed attempt makes a pair of (device, proxy), or moves it to the newest end of the
 * list; its count fades when it is looked at, from the moment of its last failure, so that nothing
 * has to walk over all pairs. A success drops the pair.
 *
 * Failure modes. People (or a broken device) can make attempts at any number of addresses: when all
 * pairs are taken, the one whose last failure is longest ago is used anew. */
#include "experience.h"

#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"

#define ADDRESS_BITS 48

struct pair {
    uint64_t key;
    double failures; /* as of failed_at */
    unsigned raw;
    usec_t failed_at;
    struct pair *older, *newer;
};

struct experience {
    struct map *pairs;
    struct pair *oldest, *newest;
    struct experience_proxy *proxies; /* by source */
    size_t proxies_count;
};

static uint64_t key_of(uint16_t source, uint64_t address)
{
    return (uint64_t) source << ADDRESS_BITS | (address & (((uint64_t) 1 << ADDRESS_BITS) - 1));
}

static double faded(const struct pair *p, usec_t now)
{
    usec_t age = now > p->failed_at ? now - p->failed_at : 0;

    return p->failures * exp2(-(double) age / (double) EXPERIENCE_HALF_LIFE);
}

static void unlink_pair(struct experience *e, struct pair *p)
{
    *(p->older ? &p->older->newer : &e->oldest) = p->newer;
    *(p->newer ? &p->newer->older : &e->newest) = p->older;
}

static void append_pair(struct experience *e, struct pair *p)
{
    p->older = e->newest;
    p->newer = NULL;
    *(e->newest ? &e->newest->newer : &e->oldest) = p;
    e->newest = p;
}

/* Out of the map and of the list; still allocated. */
static struct pair *take_pair(struct experience *e, uint64_t key)
{
    struct pair *p = map_take(e->pairs, key);

    if (p)
        unlink_pair(e, p);
    return p;
}

/* A pair in neither, without failures. */
static struct pair *new_pair(struct experience *e, uint64_t key)
{
    struct pair *p;

    if (map_count(e->pairs) < EXPERIENCE_PAIRS_MAX)
        p = xnew(struct pair, 1);
    else
        p = take_pair(e, e->oldest->key);
    *p = (struct pair){.key = key};
    return p;
}

static struct experience_proxy *proxy_of(struct experience *e, uint16_t source)
{
    size_t needed = (size_t) source + 1;

    if (needed > e->proxies_count) {
        e->proxies = memory_resize(e->proxies, needed, sizeof *e->proxies);
        for (size_t i = e->proxies_count; i < needed; i++)
            e->proxies[i] = (struct experience_proxy){0};
        e->proxies_count = needed;
    }
    return &e->proxies[source];
}

struct experience *experience_new(void)
{
    struct experience *e = xnew(struct experience, 1);

    e->pairs = map_new(0);
    return e;
}

void experience_free(struct experience *e)
{
    if (!e)
        return;
    for (struct pair *p = e->oldest, *newer; p; p = newer) {
        newer = p->newer;
        free(p);
    }
    map_free(e->pairs);
    free(e->proxies);
    free(e);
}

void experience_succeeded(struct experience *e, uint16_t source, uint64_t address, usec_t now)
{
    struct experience_proxy *proxy = proxy_of(e, source);

    proxy->completed++;
    proxy->last_success = now;
    free(take_pair(e, key_of(source, address)));
}

void experience_failed(struct experience *e, uint16_t source, uint64_t address, usec_t now)
{
    uint64_t key = key_of(source, address);
    struct pair *p = take_pair(e, key);

    proxy_of(e, source)->failed++;
    if (!p)
        p = new_pair(e, key);
    p->failures = faded(p, now) + 1;
    p->raw++;
    p->failed_at = now;
    map_put(e->pairs, key, p);
    append_pair(e, p);
}

double experience_failures(const struct experience *e, uint16_t source, uint64_t address,
                           usec_t now, unsigned *ret_raw)
{
    const struct pair *p = map_find(e->pairs, key_of(source, address));

    if (ret_raw)
        *ret_raw = p ? p->raw : 0;
    return p ? faded(p, now) : 0;
}

void experience_forget_source(struct experience *e, uint16_t source)
{
    for (struct pair *p = e->oldest, *newer; p; p = newer) {
        newer = p->newer;
        if (p->key >> ADDRESS_BITS == source)
            free(take_pair(e, p->key));
    }
    if (source < e->proxies_count)
        e->proxies[source] = (struct experience_proxy){0};
}

void experience_get_proxy(const struct experience *e, uint16_t source,
                          struct experience_proxy *ret_proxy)
{
    *ret_proxy = source < e->proxies_count ? e->proxies[source] : (struct experience_proxy){0};
}

size_t experience_pairs(const struct experience *e)
{
    return map_count(e->pairs);
}
