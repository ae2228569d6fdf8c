/* The story. A binary heap in an array; keys stand in the array beside the pointers, so that a walk
 * down touches the things themselves only to write their place. Failure modes: none but memory. */
#include "heap.h"

#include <assert.h>
#include <stdlib.h>

#include "memory.h"

struct heap_entry {
    uint64_t key;
    struct heap_node *node;
};

static void place(struct heap *h, size_t i, struct heap_entry entry)
{
    h->entries[i] = entry;
    entry.node->place = (uint32_t) (i + 1);
}

/* Lets the entry rise, then sink, from i to where its key belongs. */
static void settle(struct heap *h, size_t i, struct heap_entry entry)
{
    while (i > 0 && h->entries[(i - 1) / 2].key > entry.key) {
        place(h, i, h->entries[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < h->count && h->entries[child + 1].key < h->entries[child].key)
            child++;
        if (child >= h->count || h->entries[child].key >= entry.key)
            break;
        place(h, i, h->entries[child]);
        i = child;
    }
    place(h, i, entry);
}

void heap_done(struct heap *h)
{
    free(h->entries);
    *h = (struct heap){0};
}

void heap_set(struct heap *h, struct heap_node *node, uint64_t key)
{
    size_t i = node->place - 1;

    if (node->place == 0) {
        assert(h->count < UINT32_MAX);
        if (h->count == h->capacity) {
            h->capacity = h->capacity ? h->capacity * 2 : 16;
            h->entries = memory_resize(h->entries, h->capacity, sizeof *h->entries);
        }
        i = h->count++;
    }
    settle(h, i, (struct heap_entry){.key = key, .node = node});
}

void heap_hasten(struct heap *h, struct heap_node *node, uint64_t key)
{
    if (node->place == 0 || key < h->entries[node->place - 1].key)
        heap_set(h, node, key);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    size_t i = node->place - 1;

    if (node->place == 0)
        return;
    node->place = 0;
    h->count--;
    if (i < h->count)
        settle(h, i, h->entries[h->count]);
}

struct heap_node *heap_first(const struct heap *h, uint64_t *ret_key)
{
    if (ret_key)
        *ret_key = h->count ? h->entries[0].key : UINT64_MAX;
    return h->count ? h->entries[0].node : NULL;
}

bool heap_node_is_in(const struct heap_node *node)
{
    return node->place != 0;
}

size_t heap_bytes(const struct heap *h)
{
    return h->capacity * sizeof *h->entries;
}
