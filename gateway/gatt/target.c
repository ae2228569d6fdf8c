/* Without a tree a handle is believed, and a write waits for its response. */
#include "gatt/target.h"

#define ATT_HEADER 3

bool target_needs_tree(const struct gatt_wish *wish)
{
    switch (wish->verb) {
    case GATT_VERB_READ:
    case GATT_VERB_WRITE:
        return !wish->target.has_handle;
    case GATT_VERB_SERVICES:
    case GATT_VERB_SUBSCRIBE:        /* its CCCD is to be found */
    case GATT_VERB_WRITE_DESCRIPTOR: /* it may be a CCCD */
        return true;
    case GATT_VERB_READ_DESCRIPTOR:
    case GATT_VERB_UNSUBSCRIBE:
    case GATT_VERB_PAIR:
    case GATT_VERB_UNPAIR:
    case GATT_VERB_PARAMETERS:
    case GATT_VERB_CLEAR_CACHE:
        return false;
    }
    return false;
}

static int find_by_uuid(const struct gatt_tree *tree, const struct ble_uuid *uuid,
                        struct gatt_answer *ret_answer)
{
    const struct gatt_entry *entry = NULL, *first = gatt_tree_next(tree, uuid, NULL);

    if (!first)
        return E_CHARACTERISTIC_NOT_FOUND;
    while (ret_answer->handles_count < GATT_HANDLES_MAX &&
           (entry = gatt_tree_next(tree, uuid, entry)))
        ret_answer->handles[ret_answer->handles_count++] = entry->handle;
    if (ret_answer->handles_count > 1)
        return E_CHARACTERISTIC_AMBIGUOUS;
    ret_answer->handles_count = 0;
    ret_answer->entry = first;
    ret_answer->handle = first->handle;
    return 0;
}

static bool is_descriptor(enum gatt_verb verb)
{
    return verb == GATT_VERB_READ_DESCRIPTOR || verb == GATT_VERB_WRITE_DESCRIPTOR;
}

static int find(const struct gatt_tree *tree, const struct gatt_wish *wish,
                struct gatt_answer *ret_answer)
{
    enum gatt_kind kind = is_descriptor(wish->verb) ? GATT_DESCRIPTOR : GATT_CHARACTERISTIC;

    ret_answer->handles_count = 0;
    if (!wish->target.has_handle)
        return find_by_uuid(tree, &wish->target.uuid, ret_answer);
    ret_answer->handle = wish->target.handle;
    if (!tree)
        return 0;
    ret_answer->entry = gatt_tree_at(tree, kind, wish->target.handle);
    if (ret_answer->entry)
        return 0;
    return kind == GATT_DESCRIPTOR ? E_DESCRIPTOR_NOT_FOUND : E_CHARACTERISTIC_NOT_FOUND;
}

static bool can(const struct gatt_entry *entry, unsigned properties)
{
    return !entry || (entry->properties & properties) == properties;
}

static int check_write(const struct gatt_entry *entry, const struct gatt_wish *wish, uint32_t mtu,
                       struct gatt_answer *ret_answer)
{
    bool is_command = wish->response == GATT_RESPONSE_NO ||
                      (wish->response == GATT_RESPONSE_AUTO && !can(entry, GATT_WRITE));

    ret_answer->with_response = !is_command;
    if (!can(entry, is_command ? GATT_WRITE_WITHOUT_RESPONSE : GATT_WRITE))
        return E_NOT_PERMITTED;
    ret_answer->max = mtu > ATT_HEADER ? mtu - ATT_HEADER : 0;
    return is_command && wish->value.size > ret_answer->max ? E_VALUE_TOO_LONG : 0;
}

static int check_subscription(const struct gatt_entry *entry, enum gatt_subscription_type *type)
{
    switch (*type) {
    case GATT_SUBSCRIBE_AUTO:
        *type = can(entry, GATT_NOTIFY) ? GATT_SUBSCRIBE_NOTIFY : GATT_SUBSCRIBE_INDICATE;
        return can(entry, GATT_NOTIFY) || can(entry, GATT_INDICATE) ? 0 : E_NOT_PERMITTED;
    case GATT_SUBSCRIBE_NOTIFY:
        return can(entry, GATT_NOTIFY) ? 0 : E_NOT_PERMITTED;
    case GATT_SUBSCRIBE_INDICATE:
        return can(entry, GATT_INDICATE) ? 0 : E_NOT_PERMITTED;
    case GATT_SUBSCRIBE_BOTH:
        return can(entry, GATT_NOTIFY | GATT_INDICATE) ? 0 : E_NOT_PERMITTED;
    }
    return E_NOT_PERMITTED;
}

int target_check(const struct gatt_tree *tree, const struct gatt_wish *wish, uint32_t mtu,
                 struct gatt_answer *ret_answer, enum gatt_subscription_type *ret_type)
{
    int code = find(tree, wish, ret_answer);
    const struct ble_uuid cccd = ble_uuid_from_short(GATT_UUID_CCCD);

    *ret_type = wish->type;
    if (code)
        return code;
    if (wish->verb == GATT_VERB_READ)
        return can(ret_answer->entry, GATT_READ) ? 0 : E_NOT_PERMITTED;
    if (wish->verb == GATT_VERB_WRITE)
        return check_write(ret_answer->entry, wish, mtu, ret_answer);
    if (wish->verb == GATT_VERB_SUBSCRIBE)
        return check_subscription(ret_answer->entry, ret_type);
    if (wish->verb == GATT_VERB_WRITE_DESCRIPTOR && ret_answer->entry &&
        ble_uuid_equal(&ret_answer->entry->uuid, &cccd))
        return E_USE_SUBSCRIPTION;
    return 0;
}
