/* The story: a request that succeeded adds a lease; time, its holder or the loss of the link takes
 * it away. There are few of them, so they stand in an array in order of their coming. */
#include "leases.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void release(struct lease *lease)
{
    free(lease->client);
    free(lease->purpose);
}

void leases_done(struct leases *ls)
{
    for (size_t i = 0; i < ls->count; i++)
        release(&ls->items[i]);
    free(ls->items);
    *ls = (struct leases){0};
}

/* splitmix64: every state leads to another number, so that ids do not repeat early. */
static uint32_t draw(uint64_t *random)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t) (z >> 16);
}

static void name(const struct leases *ls, uint64_t *random, char ret_id[LINK_LEASE_ID_SIZE])
{
    do
        snprintf(ret_id, LINK_LEASE_ID_SIZE, "L%08x", (unsigned) draw(random));
    while (leases_find(ls, ret_id));
}

/* Octets of the text that are kept: whole characters alone. */
static size_t kept_size(const char *text)
{
    size_t size = strnlen(text, LINK_PURPOSE_MAX + 1);

    if (size <= LINK_PURPOSE_MAX)
        return size;
    size = LINK_PURPOSE_MAX;
    while (size > 0 && ((unsigned char) text[size] & 0xc0) == 0x80)
        size--;
    return size;
}

/* Below 0x20, 0x7f, and U+0080 to U+009F, whose first octet is 0xc2. */
static bool is_control(const unsigned char *octet, bool is_first)
{
    if (*octet < 0x20 || *octet == 0x7f)
        return true;
    return !is_first && octet[-1] == 0xc2 && *octet >= 0x80 && *octet < 0xa0;
}

char *leases_copy_text(const char *text)
{
    size_t size;
    char *copy;

    if (!text)
        return NULL;
    size = kept_size(text);
    copy = xnew(char, size + 1);
    for (size_t i = 0; i < size; i++) {
        copy[i] = text[i];
        if (!is_control((const unsigned char *) text + i, i == 0))
            continue;
        if ((unsigned char) text[i] >= 0x80)
            copy[i - 1] = '?';
        copy[i] = '?';
    }
    return copy;
}

struct lease *leases_add(struct leases *ls, uint64_t *random, const struct link_wish *wish,
                         usec_t now)
{
    struct lease *lease;

    assert(ls->count < LINK_LEASES_MAX);
    if (ls->count == ls->capacity) {
        ls->capacity = ls->capacity ? 2 * ls->capacity : 2;
        ls->items = memory_resize(ls->items, ls->capacity, sizeof(struct lease));
    }
    lease = &ls->items[ls->count];
    *lease = (struct lease){
            .client = leases_copy_text(wish->client),
            .purpose = leases_copy_text(wish->purpose),
            .expires = wish->lease > USEC_NEVER - now ? USEC_NEVER : now + wish->lease,
            .is_auto_reconnect = wish->is_auto_reconnect,
            .source = wish->source,
    };
    name(ls, random, lease->id);
    ls->count++;
    return lease;
}

struct lease *leases_find(const struct leases *ls, const char *id)
{
    for (size_t i = 0; i < ls->count; i++)
        if (strcmp(ls->items[i].id, id) == 0)
            return &ls->items[i];
    return NULL;
}

void leases_remove(struct leases *ls, struct lease *lease)
{
    size_t place = (size_t) (lease - ls->items);

    assert(place < ls->count);
    release(lease);
    memmove(lease, lease + 1, (ls->count - place - 1) * sizeof(*lease));
    ls->count--;
}

bool leases_expire(struct leases *ls, usec_t now)
{
    size_t before = ls->count;

    for (size_t i = ls->count; i-- > 0;)
        if (ls->items[i].expires <= now)
            leases_remove(ls, &ls->items[i]);
    return ls->count != before;
}

bool leases_drop_source(struct leases *ls, uint16_t source)
{
    size_t before = ls->count;

    for (size_t i = ls->count; i-- > 0;)
        if (ls->items[i].source == source)
            leases_remove(ls, &ls->items[i]);
    return ls->count != before;
}

bool leases_drop_fleeting(struct leases *ls)
{
    size_t before = ls->count;

    for (size_t i = ls->count; i-- > 0;)
        if (!ls->items[i].is_auto_reconnect)
            leases_remove(ls, &ls->items[i]);
    return ls->count != before;
}

usec_t leases_first_end(const struct leases *ls)
{
    usec_t first = USEC_NEVER;

    for (size_t i = 0; i < ls->count; i++)
        if (ls->items[i].expires < first)
            first = ls->items[i].expires;
    return first;
}

usec_t leases_last_end(const struct leases *ls)
{
    usec_t last = ls->count ? 0 : USEC_NEVER;

    for (size_t i = 0; i < ls->count; i++)
        if (ls->items[i].expires > last)
            last = ls->items[i].expires;
    return last;
}

const struct lease *leases_find_auto(const struct leases *ls)
{
    for (size_t i = 0; i < ls->count; i++)
        if (ls->items[i].is_auto_reconnect)
            return &ls->items[i];
    return NULL;
}
