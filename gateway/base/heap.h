/* A heap of things ordered by a 64-bit key, smallest first.
 *
 * A thing takes part with a struct heap_node inside it (CONTAINER_OF leads back), one for each heap
 * that it can be in; a zeroed node is in none. Adding, moving and taking out cost the logarithm of
 * the count. The only allocation is growth. Things of equal key come in no particular order.
 * Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint32_t place; /* in the heap, from 1; 0: not in one */
};

struct heap_entry;

/* Valid when zeroed. */
struct heap {
    struct heap_entry *entries;
    size_t count, capacity;
};

/* Releases the heap's own memory; the nodes are left as they are. */
void heap_done(struct heap *h);

/* Puts the node in, or moves it, to where the key belongs. */
void heap_set(struct heap *h, struct heap_node *node, uint64_t key);

/* As heap_set, but a node that is in with a smaller key already keeps it. */
void heap_hasten(struct heap *h, struct heap_node *node, uint64_t key);

/* Takes the node out if it is in. */
void heap_remove(struct heap *h, struct heap_node *node);

/* The node of the smallest key, which stays in; NULL and UINT64_MAX when the heap is empty.
 * ret_key may be NULL. */
struct heap_node *heap_first(const struct heap *h, uint64_t *ret_key);

bool heap_node_is_in(const struct heap_node *node);
size_t heap_bytes(const struct heap *h);
