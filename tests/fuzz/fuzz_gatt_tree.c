/* Any octets as a packed GATT tree: what unpacks, packs to the same octets and holds together. */
#include <stdlib.h>
#include <string.h>

#include "ble/gatt_tree.h"
#include "fuzz_target.h"

static void check_parents(const struct gatt_tree *t)
{
    size_t count, services = 0;
    const struct gatt_entry *entries = gatt_tree_entries(t, &count);

    for (size_t i = 0; i < count; i++) {
        const struct gatt_entry *parent = gatt_tree_parent(t, &entries[i]);

        services += entries[i].kind == GATT_SERVICE;
        if (entries[i].handle == 0 || (entries[i].kind == GATT_SERVICE) != !parent ||
            (parent && parent->kind + 1 != entries[i].kind) ||
            gatt_tree_at(t, (enum gatt_kind) entries[i].kind, entries[i].handle) != &entries[i])
            abort();
    }
    if (services != gatt_tree_services(t))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gatt_tree *t = gatt_tree_unpack(data, size);
    struct gatt_tree *again;
    uint8_t *packed;
    size_t packed_size;

    if (!t)
        return 0;
    check_parents(t);
    packed = gatt_tree_pack(t, &packed_size);
    again = gatt_tree_unpack(packed, packed_size);
    if (packed_size > size || !again || !gatt_tree_equal(t, again))
        abort();
    free(packed);
    gatt_tree_release(again);
    gatt_tree_release(t);
    return 0;
}
