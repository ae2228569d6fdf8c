#include "attribute.h"

#include <stdlib.h>
#include <string.h>

#define HANDLE_DIGITS_MAX 5
#define UUID_DIGITS       4 /* a number of so many digits is a UUID */

bool attribute_parse_handle(const char *text, uint16_t *ret_handle)
{
    size_t length = strlen(text);
    unsigned long value;

    if (length == 0 || length > HANDLE_DIGITS_MAX || strspn(text, "0123456789") != length)
        return false;
    value = strtoul(text, NULL, 10);
    *ret_handle = (uint16_t) value;
    return value > 0 && value <= UINT16_MAX;
}

bool attribute_parse(const char *text, struct attribute *ret_attribute)
{
    *ret_attribute = (struct attribute){0};
    if (strlen(text) != UUID_DIGITS && attribute_parse_handle(text, &ret_attribute->handle)) {
        ret_attribute->has_handle = true;
        return true;
    }
    return ble_uuid_parse(text, &ret_attribute->uuid);
}

uint16_t attribute_find_handle(const struct attribute *a, const struct gateway *g, uint64_t address)
{
    const struct gatt_entry *entry;
    struct gateway_gatt gatt;

    if (a->has_handle)
        return a->handle;
    if (!gateway_get_gatt(g, address, &gatt))
        return 0;
    entry = gatt_tree_next(gatt.tree, &a->uuid, NULL);
    return entry && !gatt_tree_next(gatt.tree, &a->uuid, entry) ? entry->handle : 0;
}

static bool is_meant(const struct attribute *a,
                     const struct gateway_gatt_subscription *subscription)
{
    if (a->has_handle)
        return subscription->handle == a->handle;
    return subscription->uuid && ble_uuid_equal(subscription->uuid, &a->uuid);
}

static bool is_held(const struct gateway *g, uint64_t address, size_t index, const char *lease)
{
    const char *id;

    for (size_t i = 0; (id = gateway_get_gatt_holder(g, address, index, i)); i++) {
        if (strcmp(id, lease) == 0)
            return true;
    }
    return false;
}

uint16_t attribute_next_subscription(const struct attribute *a, const struct gateway *g,
                                     uint64_t address, const char *lease, size_t *index)
{
    struct gateway_gatt_subscription subscription;

    while (gateway_get_gatt_subscription(g, address, (*index)++, &subscription)) {
        if (is_meant(a, &subscription) && (!lease || is_held(g, address, *index - 1, lease)))
            return subscription.handle;
    }
    return 0;
}
