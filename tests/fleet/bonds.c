#include "bonds.h"

#include <string.h>

static size_t find(const struct bonds *b, uint64_t who)
{
    size_t i = 0;
    while (i < b->count && b->who[i] != who)
        i++;
    return i;
}

static void remove_at(struct bonds *b, size_t at)
{
    b->count--;
    memmove(b->who + at, b->who + at + 1, (b->count - at) * sizeof(b->who[0]));
}

bool bonds_has(const struct bonds *b, uint64_t who)
{
    return find(b, who) < b->count;
}

void bonds_add(struct bonds *b, uint64_t who)
{
    bonds_remove(b, who);
    if (b->count == BONDS_MAX)
        remove_at(b, 0);
    b->who[b->count++] = who;
}

void bonds_remove(struct bonds *b, uint64_t who)
{
    size_t at = find(b, who);
    if (at < b->count)
        remove_at(b, at);
}
