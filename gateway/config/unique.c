#include "unique.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* By name; equal ones in the order of the file, "devices" before "identities". */
static int compare(const void *left, const void *right)
{
    const struct unique_name *a = left, *b = right;
    int order = strcmp(a->text, b->text);

    if (order == 0)
        order = strcmp(a->list, b->list);
    if (order == 0)
        order = (a->index > b->index) - (a->index < b->index);
    return order;
}

void unique_add(struct unique *u, const char *text, const char *list, size_t index, const char *key)
{
    if ((u->count & (u->count - 1)) == 0) /* grows at 0, 1, 2, 4, 8 … */
        u->items = memory_resize(u->items, u->count ? 2 * u->count : 1, sizeof(*u->items));
    u->items[u->count++] = (struct unique_name){
            .text = memory_copy_text(text), .list = list, .index = index, .key = key};
}

void unique_check(struct unique *u, struct config_faults *faults)
{
    const struct place document = {0};
    const struct unique_name *first = u->items;

    if (u->count)
        qsort(u->items, u->count, sizeof(*u->items), compare);
    for (size_t i = 1; i < u->count; i++) {
        const struct unique_name *name = &u->items[i];
        const struct place list = {.parent = &document, .key = name->list};
        const struct place entry = {.parent = &list, .index = name->index};
        const struct place value = {.parent = &entry, .key = name->key};

        if (strcmp(name->text, first->text) != 0)
            first = name;
        else
            fault_list_add(faults, &value, "\"%s\" is taken by /%s/%zu/%s already",
                           quote(name->text).text, first->list, first->index, first->key);
    }
    for (size_t i = 0; i < u->count; i++)
        free(u->items[i].text);
    free(u->items);
    *u = (struct unique){0};
}
