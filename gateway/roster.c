/* The story: another configuration comes; each of its proxies is looked for among those that are
 * there, the surest sign first. Most often the next one has the same name as before, and nothing is
 * searched.
 *
 * Failure modes: who changes name, host and place of a proxy in one go, and gives no MAC, has
 * removed one and added another. What is at the same place by chance is another device as soon as
 * its MAC is known, and is treated so then. */
#include "roster.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct number { /* of one source */
    bool is_given;
    uint16_t place;
    uint32_t id;
    uint64_t mac;
};

struct roster {
    const struct config *config; /* NULL: none yet */
    uint16_t *sources;           /* by place */
    struct number *numbers;      /* by source */
    size_t numbers_count;
    uint32_t last_id;
    uint16_t end;
};

/* ---- who is who ---- */

struct match {
    const struct roster *roster;
    const struct config *config;
    bool *is_taken;    /* by place before */
    uint16_t *sources; /* by place after */
};

typedef bool same_fn(const struct roster *r, uint16_t source, const struct config_proxy *after);

static uint64_t mac_of(const struct roster *r, uint16_t source)
{
    const struct config_proxy *c = roster_get(r, source);

    return r->numbers[source].mac ? r->numbers[source].mac : c->has_mac ? c->mac : 0;
}

static bool may_be(const struct roster *r, uint16_t source, const struct config_proxy *after)
{
    uint64_t mac = mac_of(r, source);

    return mac == 0 || !after->has_mac || after->mac == mac;
}

static bool has_name(const struct roster *r, uint16_t source, const struct config_proxy *after)
{
    return strcmp(roster_name(r, source), after->name) == 0 && may_be(r, source, after);
}

static bool has_mac(const struct roster *r, uint16_t source, const struct config_proxy *after)
{
    return after->has_mac && mac_of(r, source) == after->mac;
}

static bool has_host(const struct roster *r, uint16_t source, const struct config_proxy *after)
{
    const struct config_proxy *before = roster_get(r, source);

    return strcmp(before->host, after->host) == 0 && before->port == after->port &&
           may_be(r, source, after);
}

static bool try_pair(struct match *m, same_fn *is_same, size_t before, size_t after)
{
    uint16_t source = m->roster->sources[before];

    if (m->is_taken[before] || !is_same(m->roster, source, &m->config->proxies[after]))
        return false;
    m->is_taken[before] = true;
    m->sources[after] = source;
    return true;
}

/* Looks first behind the one that was found last. */
static void find_same(struct match *m, same_fn *is_same)
{
    size_t count = roster_count(m->roster), next = 0;

    for (size_t after = 0; after < m->config->proxies_count; after++) {
        if (m->sources[after] != ROSTER_NONE)
            continue;
        for (size_t i = 0; i < count; i++) {
            size_t before = (next + i) % count;

            if (try_pair(m, is_same, before, after)) {
                next = before + 1;
                break;
            }
        }
    }
}

/* SIZE_MAX: none, or more than one. */
static size_t find_last_left(const struct match *m)
{
    size_t left = SIZE_MAX, count = 0;

    for (size_t i = 0; i < m->config->proxies_count; i++) {
        if (m->sources[i] == ROSTER_NONE) {
            left = i;
            count++;
        }
    }
    for (size_t i = 0; i < roster_count(m->roster); i++)
        count += !m->is_taken[i] && i != left;
    return count == 1 ? left : SIZE_MAX;
}

static void find_at_place(struct match *m)
{
    size_t left = find_last_left(m);

    if (left < roster_count(m->roster))
        (void) try_pair(m, may_be, left, left);
}

void roster_match(const struct roster *r, const struct config *config, uint16_t *ret_sources)
{
    bool *is_taken AUTO_FREE = xnew(bool, roster_count(r) + 1);
    struct match m = {r, config, is_taken, ret_sources};

    for (size_t i = 0; i < config->proxies_count; i++)
        ret_sources[i] = ROSTER_NONE;
    find_same(&m, has_name);
    find_same(&m, has_mac);
    find_same(&m, has_host);
    find_at_place(&m);
}

/* ---- life ---- */

struct roster *roster_new(void)
{
    return xnew(struct roster, 1);
}

void roster_free(struct roster *r)
{
    if (!r)
        return;
    free(r->sources);
    free(r->numbers);
    free(r);
}

/* As many numbers as there are proxies are enough for all of them, or those that are given. */
static void make_room(struct roster *r, size_t count)
{
    if (count <= r->numbers_count)
        return;
    r->numbers = memory_resize(r->numbers, count, sizeof *r->numbers);
    for (size_t i = r->numbers_count; i < count; i++)
        r->numbers[i] = (struct number){0};
    r->numbers_count = count;
}

static void give(struct roster *r, uint16_t source, size_t place)
{
    r->sources[place] = source;
    r->numbers[source].is_given = true;
    r->numbers[source].place = (uint16_t) place;
    if (r->end <= source)
        r->end = (uint16_t) (source + 1);
}

void roster_set(struct roster *r, const struct config *config, uint16_t *sources)
{
    size_t count = config->proxies_count;
    uint16_t next = 0;

    assert(count <= ROSTER_MAX);
    for (size_t i = 0; i < r->numbers_count; i++)
        r->numbers[i].is_given = false;
    r->config = config;
    r->sources = memory_resize(r->sources, count + 1, sizeof *r->sources);
    r->end = 0;
    make_room(r, count);
    for (size_t i = 0; i < count; i++) {
        if (sources[i] != ROSTER_NONE)
            give(r, sources[i], i);
    }
    for (size_t i = 0; i < count; i++) {
        if (sources[i] != ROSTER_NONE)
            continue;
        while (r->numbers[next].is_given)
            next++;
        sources[i] = next;
        r->numbers[next] = (struct number){.id = ++r->last_id};
        give(r, next, i);
    }
}

/* ---- questions ---- */

size_t roster_count(const struct roster *r)
{
    return r->config ? r->config->proxies_count : 0;
}

uint16_t roster_source(const struct roster *r, size_t place)
{
    assert(place < roster_count(r));
    return r->sources[place];
}

uint16_t roster_end(const struct roster *r)
{
    return r->end;
}

uint32_t roster_id(const struct roster *r, uint16_t source)
{
    assert(source < r->end);
    return r->numbers[source].id;
}

size_t roster_place(const struct roster *r, uint16_t source)
{
    return source < r->end && r->numbers[source].is_given ? r->numbers[source].place : SIZE_MAX;
}

const struct config_proxy *roster_get(const struct roster *r, uint16_t source)
{
    size_t place = roster_place(r, source);

    return place != SIZE_MAX ? &r->config->proxies[place] : NULL;
}

const char *roster_name(const struct roster *r, uint16_t source)
{
    const struct config_proxy *c = roster_get(r, source);

    return c ? c->name : NULL;
}

uint64_t roster_mac(const struct roster *r, uint16_t source)
{
    return source < r->end && r->numbers[source].is_given ? r->numbers[source].mac : 0;
}

void roster_set_mac(struct roster *r, uint16_t source, uint64_t mac)
{
    assert(source < r->end);
    r->numbers[source].mac = mac;
}
