#include "entries.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ble/address.h"

const struct field *entries_identity(const struct list *list)
{
    return &list->fields[0];
}

static char *spell(const struct list *list, const char *text)
{
    char canonical[BLE_ADDRESS_TEXT_SIZE];
    uint64_t address;

    if (entries_identity(list)->type != VALUE_MAC || !ble_address_parse(text, &address))
        return memory_copy_text(text);
    ble_address_format(canonical, address);
    return memory_copy_text(canonical);
}

char *entries_name(const struct list *list, const json_t *entry)
{
    const char *text = json_string_value(json_object_get(entry, entries_identity(list)->key));

    return text ? spell(list, text) : NULL;
}

size_t entries_find(const struct list *list, const json_t *entries, const char *wanted)
{
    char *name AUTO_FREE = spell(list, wanted);
    size_t i, count = json_array_size(entries);

    for (i = 0; i < count; i++) {
        char *other AUTO_FREE = entries_name(list, json_array_get(entries, i));

        if (other && strcmp(other, name) == 0)
            break;
    }
    return i;
}

json_t *entries_index(const struct list *list, const json_t *entries)
{
    json_t *index = json_object(), *entry;
    size_t i;

    json_array_foreach(entries, i, entry)
    {
        char *name AUTO_FREE = entries_name(list, entry);

        if (name)
            (void) json_object_set(index, name, entry);
    }
    return index;
}

json_t *entries_look_up(const struct list *list, const json_t *index, const json_t *entry)
{
    char *name AUTO_FREE = entries_name(list, entry);

    return name ? json_object_get(index, name) : NULL;
}
