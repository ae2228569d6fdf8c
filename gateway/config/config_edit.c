/* The happy path: the text and the patch are JSON; the entry is found by its first field, or made;
 * secrets that stay are taken out of the patch, the rest is merged; the document becomes text
 * again, and the text is parsed like any other configuration.
 *
 * Failure modes: what is wrong with the outcome is found by the parser, at its place in the whole
 * document; the way to the entry is cut off, and the way to the patch put before it. A key that
 * nobody knows would vanish in the merge when its value is null, and is told before. */
#include "config_edit.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "ble/address.h"
#include "lists.h"
#include "merge_patch.h"

#define READ_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)

/* ---- the entry ---- */

/* The first field of an entry is what it is known by. */
static const struct field *identity_of(const struct list *list)
{
    return &list->fields[0];
}

static bool is_entry(const struct list *list, const json_t *entry, const char *wanted)
{
    const char *text = json_string_value(json_object_get(entry, identity_of(list)->key));
    uint64_t a, b;

    if (!text)
        return false;
    if (identity_of(list)->type == VALUE_MAC)
        return ble_address_parse(text, &a) && ble_address_parse(wanted, &b) && a == b;
    return strcmp(text, wanted) == 0;
}

/* The place of the entry; the size of the list when it is not there. */
static size_t find_entry(const struct list *list, const json_t *entries, const char *wanted)
{
    size_t i, count = json_array_size(entries);

    for (i = 0; i < count && !is_entry(list, json_array_get(entries, i), wanted); i++)
        ;
    return i;
}

/* Borrowed from the document. */
static json_t *need_entries(json_t *document, const struct list *list)
{
    json_t *entries = json_object_get(document, list->key);

    if (!entries) {
        entries = json_array();
        (void) json_object_set_new(document, list->key, entries);
    }
    return entries;
}

static json_t *need_entry(const struct list *list, json_t *entries, size_t index, const char *name)
{
    json_t *entry = json_array_get(entries, index);

    if (!entry) {
        entry = json_object();
        (void) json_object_set_new(entry, identity_of(list)->key, json_string(name));
        (void) json_array_append_new(entries, entry);
    }
    return entry;
}

/* ---- the patch ---- */

static const struct field *find_field(const struct field *fields, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    }
    return NULL;
}

/* Unknown keys that are null; the parser finds the others. */
static void check_nulls(const struct field *fields, size_t count, json_t *patch,
                        const struct place *at, struct config_faults *faults)
{
    const char *key;
    json_t *value;

    json_object_foreach(patch, key, value)
    {
        const struct field *field = find_field(fields, count, key);
        const struct place place = {.parent = at, .key = key};

        if (!field && json_is_null(value))
            fault_list_add(faults, &place, "is not a key");
        else if (field && field->type == VALUE_OBJECT && json_is_object(value))
            check_nulls(field->fields, field->fields_count, value, &place, faults);
    }
}

static json_t *read_patch(const struct config_edit *edit, const struct list *list,
                          struct config_faults *faults)
{
    const struct place document = {0};
    const struct place identity = {.parent = &document, .key = identity_of(list)->key};
    json_t *patch = json_loadb(edit->patch, edit->patch_size, READ_FLAGS, /* error= */ NULL);

    if (!json_is_object(patch))
        fault_list_add(faults, &document, "must be an object in JSON");
    else if (json_object_get(patch, identity.key))
        fault_list_add(faults, &identity, "names the entry and is not a setting");
    else
        check_nulls(list->fields, list->fields_count, patch, &document, faults);
    if (faults->count == 0)
        return patch;
    json_decref(patch);
    return NULL;
}

/* "***" stands for what is there already. */
static void keep_secrets(const struct list *list, const json_t *entry, json_t *patch)
{
    for (size_t i = 0; i < list->fields_count; i++) {
        const struct field *field = &list->fields[i];
        const char *text = json_string_value(json_object_get(patch, field->key));

        if ((field->type == VALUE_SECRET || field->type == VALUE_KEY) && text &&
            strcmp(text, "***") == 0 && json_is_string(json_object_get(entry, field->key)))
            (void) json_object_del(patch, field->key);
    }
}

/* ---- aliases ---- */

static char *copy_holder(const json_t *device)
{
    const char *text = json_string_value(json_object_get(device, "address"));
    char canonical[BLE_ADDRESS_TEXT_SIZE];
    uint64_t address;

    if (!text || !ble_address_parse(text, &address))
        return NULL;
    ble_address_format(canonical, address);
    return memory_copy_text(canonical);
}

static bool has_text(const json_t *entry, const char *key, const char *wanted)
{
    const char *text = json_string_value(json_object_get(entry, key));

    return text && strcmp(text, wanted) == 0;
}

/* Who else has the alias of this device; to be freed. NULL: nobody. */
static char *find_holder(const json_t *document, const json_t *device)
{
    const char *alias = json_string_value(json_object_get(device, "alias"));
    const json_t *other;
    size_t i;

    if (!alias)
        return NULL;
    json_array_foreach(json_object_get(document, "devices"), i, other)
    {
        if (other != device && has_text(other, "alias", alias))
            return copy_holder(other);
    }
    json_array_foreach(json_object_get(document, "identities"), i, other)
    {
        if (has_text(other, "name", alias))
            return memory_copy_text(alias);
    }
    return NULL;
}

/* ---- the outcome ---- */

/* Whether 15 digits are enough for every number in it. */
static bool is_short(const json_t *value)
{
    char text[32];
    const char *key;
    json_t *inner;
    size_t i;

    json_object_foreach((json_t *) value, key, inner)
    {
        if (!is_short(inner))
            return false;
    }
    json_array_foreach(value, i, inner)
    {
        if (!is_short(inner))
            return false;
    }
    if (!json_is_real(value))
        return true;
    (void) snprintf(text, sizeof text, "%.15g", json_real_value(value));
    return !(strtod(text, NULL) < json_real_value(value)) &&
           !(strtod(text, NULL) > json_real_value(value));
}

/* 15 digits keep 0.3 what people wrote; 17 keep every number what it is. */
static char *write_document(const json_t *document)
{
    size_t digits = is_short(document) ? 15 : 17;

    return json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(digits));
}

/* As a file ends: with a line end. */
static void set_text(struct config_edited *edited, const json_t *document)
{
    char *text = write_document(document);
    struct buffer b = {0};

    assert(text); /* it came from a text */
    buffer_append_text(&b, text);
    buffer_append_char(&b, '\n');
    explicit_bzero(text, strlen(text));
    free(text);
    edited->size = buffer_size(&b);
    edited->text = buffer_take_text(&b);
}

/* From the place in the document to the place in what the caller was sent. A fault beside the entry
 * is one of the patch as a whole. */
static void move_faults(struct config_faults *faults, const char *entry, const char *pointer)
{
    size_t length = strlen(entry);

    for (size_t i = 0; i < faults->count; i++) {
        char *old = faults->items[i].pointer;
        bool is_inside =
                strncmp(old, entry, length) == 0 && (old[length] == '/' || old[length] == '\0');
        struct buffer b = {0};

        buffer_append_text(&b, pointer);
        if (is_inside)
            buffer_append_text(&b, old + length);
        faults->items[i].pointer = buffer_take_text(&b);
        free(old);
    }
}

static int parse_outcome(const struct config_edit *edit, size_t index, const char *const *parts,
                         char *const *environment, struct config_edited *edited)
{
    char entry[64];

    edited->config =
            config_parse_under(edited->text, edited->size, parts, environment, &edited->faults);
    if (edited->config)
        return 0;
    (void) snprintf(entry, sizeof entry, "/%s/%zu", edit->list, index);
    move_faults(&edited->faults, entry, edit->pointer);
    return E_INVALID_REQUEST;
}

static int patch_entry(json_t *document, const struct list *list, const struct config_edit *edit,
                       struct config_edited *edited, size_t *ret_index)
{
    json_t *entries = need_entries(document, list), *entry, *before, *patch;

    patch = read_patch(edit, list, &edited->faults);
    if (!patch) {
        move_faults(&edited->faults, "", edit->pointer);
        return E_INVALID_REQUEST;
    }
    *ret_index = find_entry(list, entries, edit->entry);
    edited->is_changed = *ret_index == json_array_size(entries);
    entry = need_entry(list, entries, *ret_index, edit->entry);
    before = json_deep_copy(entry);
    keep_secrets(list, entry, patch);
    merge_patch(entry, patch);
    edited->is_changed |= !json_equal(before, entry);
    json_decref(before);
    json_decref(patch);
    if (strcmp(list->key, "devices") == 0)
        edited->holder = find_holder(document, entry);
    return edited->holder ? E_CONFLICT : 0;
}

static int remove_entry(json_t *document, const struct list *list, const struct config_edit *edit,
                        struct config_edited *edited, size_t *ret_index)
{
    json_t *entries = json_object_get(document, list->key);

    *ret_index = find_entry(list, entries, edit->entry);
    if (json_array_remove(entries, *ret_index) != 0)
        return E_NOT_FOUND;
    edited->is_changed = true;
    return 0;
}

void config_edited_done(struct config_edited *edited)
{
    if (edited->text)
        explicit_bzero(edited->text, edited->size);
    free(edited->text);
    free(edited->holder);
    config_free(edited->config);
    config_faults_done(&edited->faults);
    *edited = (struct config_edited){0};
}

int config_edit_apply(const char *text, size_t size, const struct config_edit *edit,
                      const char *const *parts, char *const *environment,
                      struct config_edited *ret_edited)
{
    const struct list *list = lists_find(edit->list);
    json_t *document = json_loadb(text, size, READ_FLAGS, /* error= */ NULL);
    size_t index;
    int rc;

    *ret_edited = (struct config_edited){0};
    assert(list && json_is_object(document));
    if (edit->patch)
        rc = patch_entry(document, list, edit, ret_edited, &index);
    else
        rc = remove_entry(document, list, edit, ret_edited, &index);
    if (rc == 0)
        set_text(ret_edited, document);
    json_decref(document); /* before the next one is there: they can be large */
    return rc == 0 ? parse_outcome(edit, index, parts, environment, ret_edited) : rc;
}
