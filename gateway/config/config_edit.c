/* The happy path: the text and the patch are JSON; a second document, which shares with the first
 * what stays, gets what the patch says; secrets that are "***" are taken from the first one; the
 * two are compared, and the second becomes text again, which is parsed like any other
 * configuration.
 *
 * Failure modes: what is wrong with the outcome is found by the parser, at its place in the whole
 * document; for entries the way to them is cut off, and the way to the patch put before it. A key
 * that nobody knows would vanish in the merge when its value is null, and is told before. */
#include "config_edit.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "difference.h"
#include "document.h"
#include "entries.h"
#include "environment.h"
#include "merge_patch.h"

struct editing {
    const struct config_edit *edit;
    char *const *environment;
    const struct list *list; /* NULL: the whole document */
    json_t *before, *after;  /* documents; they share what is equal */
    json_t *patch;           /* NULL: a removal */
    size_t first, count;     /* entries that the patch made or changed */
    struct config_edited *edited;
};

/* ---- what the patch may name ---- */

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

static bool is_known(const char *path)
{
    return setting_find(path) || lists_find(path) || document_is_section(path);
}

/* The same for sections and their settings. */
static void check_section_nulls(const char *path, json_t *patch, const struct place *at,
                                struct config_faults *faults)
{
    const char *key;
    json_t *value;

    json_object_foreach(patch, key, value)
    {
        const struct place place = {.parent = at, .key = key};
        char name[DOCUMENT_KEY_SIZE];
        int length = snprintf(name, sizeof name, "%s%s%s", path, *path ? "." : "", key);
        bool is_name = length < (int) sizeof name && !strchr(key, '.') && is_known(name);

        if (!is_name && json_is_null(value))
            fault_list_add(faults, &place, "is not a key");
        else if (is_name && document_is_section(name))
            check_section_nulls(name, value, &place, faults);
    }
}

static bool may_rename(const struct editing *e)
{
    return e->edit->kind == CONFIG_EDIT_CHANGE && entries_identity(e->list)->type != VALUE_MAC;
}

static void check_entry_patch(const struct editing *e, json_t *patch, const struct place *at)
{
    const char *identity = entries_identity(e->list)->key;
    const struct place place = {.parent = at, .key = identity};

    if (!json_is_object(patch))
        fault_list_add(&e->edited->faults, at, "must be an object in JSON");
    else if (e->edit->entry && !may_rename(e) && json_object_get(patch, identity))
        fault_list_add(&e->edited->faults, &place, "names the entry and is not a setting");
    else
        check_nulls(e->list->fields, e->list->fields_count, patch, at, &e->edited->faults);
}

static void check_patch(const struct editing *e)
{
    const struct place document = {0};
    struct config_faults *faults = &e->edited->faults;
    json_t *item;
    size_t i;

    if (e->edit->kind == CONFIG_EDIT_ADD && json_is_array(e->patch)) {
        json_array_foreach(e->patch, i, item)
        {
            check_entry_patch(e, item, &(struct place){.parent = &document, .index = i});
        }
    } else if (e->list) {
        check_entry_patch(e, e->patch, &document);
    } else if (!json_is_object(e->patch)) {
        fault_list_add(faults, &document, "must be an object in JSON");
    } else if (e->edit->kind == CONFIG_EDIT_MERGE) {
        check_section_nulls("", e->patch, &document, faults);
    }
}

/* ---- secrets ---- */

static bool is_stars(const json_t *value)
{
    const char *text = json_string_value(value);

    return text && strcmp(text, "***") == 0;
}

static bool is_secret(enum value_type type)
{
    return type == VALUE_SECRET || type == VALUE_KEY;
}

/* "***" stands for what was there; the entry is nobody else's. */
static void keep_secrets(const struct list *list, const json_t *before, json_t *after)
{
    for (size_t i = 0; i < list->fields_count; i++) {
        const struct field *field = &list->fields[i];
        json_t *secret = json_object_get(before, field->key);

        if (is_secret(field->type) && is_stars(json_object_get(after, field->key)) &&
            json_is_string(secret))
            (void) json_object_set(after, field->key, secret);
    }
}

static bool has_stars(const struct list *list, const json_t *entry)
{
    for (size_t i = 0; i < list->fields_count; i++) {
        if (is_secret(list->fields[i].type) &&
            is_stars(json_object_get(entry, list->fields[i].key)))
            return true;
    }
    return false;
}

/* Entries wherever they stand in the list now. The list came with the patch. */
static void keep_list_secrets(const struct editing *e, const struct list *list)
{
    json_t *before = document_get(e->before, list->key), *entry;
    json_t *after = document_get(e->after, list->key), *index = NULL;
    size_t i;

    if (before == after)
        return;
    json_array_foreach(after, i, entry)
    {
        if (!has_stars(list, entry))
            continue;
        if (!index)
            index = entries_index(list, before);
        keep_secrets(list, entries_look_up(list, index, entry), entry);
    }
    json_decref(index);
}

static void keep_all_secrets(const struct editing *e)
{
    const struct list *list;
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < count; i++) {
        json_t *before = document_get(e->before, settings[i].key);

        if (is_secret(setting_type(&settings[i])) && json_is_string(before) &&
            is_stars(document_get(e->after, settings[i].key)))
            document_put(e->after, settings[i].key, json_incref(before));
    }
    for (size_t i = 0; (list = lists_at(i)); i++)
        keep_list_secrets(e, list);
}

/* ---- what the environment holds ---- */

static char *join_pointer(const char *begin, const char *key)
{
    struct buffer b = {0};

    buffer_append_text(&b, begin);
    document_append_pointer(&b, key);
    return buffer_take_text(&b);
}

static bool has_effect(const struct config_setting *setting, json_t *value, json_t *held)
{
    json_t *a = difference_effect(setting, value), *b = difference_effect(setting, held);
    bool is_same = a && json_equal(a, b);

    json_decref(a);
    json_decref(b);
    return is_same;
}

/* Whoever says what holds anyhow (or "***") wants no change: the file stays what it was. */
static int check_setting(const struct editing *e, const struct config_setting *setting,
                         json_t *held, const char *variable)
{
    json_t *before = document_get(e->before, setting->key);
    json_t *after = document_get(e->after, setting->key);
    bool is_said = is_stars(after) && is_secret(setting_type(setting));

    if (before == after || json_equal(before, after))
        return 0;
    if (!after && e->edit->kind == CONFIG_EDIT_REPLACE)
        return 0;
    if (after && (is_said || has_effect(setting, after, held))) {
        document_put(e->after, setting->key, json_incref(before));
        return 0;
    }
    e->edited->variable = memory_copy_text(variable);
    e->edited->pointer = join_pointer(e->edit->pointer, setting->key);
    return E_OVERRIDDEN;
}

static int check_overrides(const struct editing *e)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        char variable[ENVIRONMENT_VARIABLE_SIZE];
        json_t *held = environment_get(e->environment, &settings[i], variable);

        if (held)
            rc = check_setting(e, &settings[i], held, variable);
        json_decref(held);
    }
    return rc;
}

/* ---- names that are taken ---- */

static bool has_text(const json_t *entry, const char *key, const char *wanted)
{
    const char *text = json_string_value(json_object_get(entry, key));

    return text && strcmp(text, wanted) == 0;
}

/* Who else has the alias of this device; to be freed. NULL: nobody. */
static char *find_alias_holder(const json_t *document, const json_t *device)
{
    const char *alias = json_string_value(json_object_get(device, "alias"));
    const json_t *other;
    size_t i;

    if (!alias)
        return NULL;
    json_array_foreach(json_object_get(document, "devices"), i, other)
    {
        if (other != device && has_text(other, "alias", alias))
            return entries_name(lists_find("devices"), other);
    }
    json_array_foreach(json_object_get(document, "identities"), i, other)
    {
        if (has_text(other, "name", alias))
            return memory_copy_text(alias);
    }
    return NULL;
}

/* Which entry had its name before; the one that it was itself does not count. NULL: none. */
static char *find_name_holder(const struct editing *e, const json_t *was, const json_t *entry)
{
    const json_t *entries = document_get(e->before, e->list->key);
    char *name = entries_name(e->list, entry);
    const json_t *other =
            name ? json_array_get(entries, entries_find(e->list, entries, name)) : NULL;

    if (other && other != was)
        return name;
    free(name);
    return NULL;
}

/* item: place in the patch, when that is an array. */
static char *entry_pointer(const struct editing *e, size_t item)
{
    struct buffer b = {0};

    buffer_append_text(&b, e->edit->pointer);
    if (json_is_array(e->patch))
        buffer_append_format(&b, "/%zu", item);
    return buffer_take_text(&b);
}

static int check_conflicts(const struct editing *e, size_t item, const json_t *was,
                           const json_t *entry)
{
    char *begin AUTO_FREE = entry_pointer(e, item);
    const char *key = entries_identity(e->list)->key;
    char *holder = find_name_holder(e, was, entry);

    if (!holder && strcmp(e->list->key, "devices") == 0) {
        key = "alias";
        holder = find_alias_holder(e->after, entry);
    }
    if (!holder)
        return 0;
    e->edited->holder = holder;
    e->edited->pointer = join_pointer(begin, key);
    return E_CONFLICT;
}

/* ---- routes of devices ---- */

static bool holds_text(const json_t *texts, const char *wanted)
{
    const json_t *text;
    size_t i;

    json_array_foreach(texts, i, text)
    {
        if (json_string_value(text) && strcmp(json_string_value(text), wanted) == 0)
            return true;
    }
    return false;
}

/* The list with the proxy under its new name, or without it. */
static json_t *follow(const json_t *names, const char *older, const char *newer)
{
    json_t *list = json_array(), *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        bool is_meant = json_is_string(name) && strcmp(json_string_value(name), older) == 0;

        if (!is_meant)
            (void) json_array_append(list, name);
        else if (newer && !holds_text(names, newer))
            (void) json_array_append_new(list, json_string(newer));
    }
    return list;
}

static void follow_in_device(json_t *devices, size_t i, const char *older, const char *newer)
{
    static const char *const lists[] = {"route.require", "route.prefer", "route.forbid"};

    for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
        json_t *device = json_array_get(devices, i);
        json_t *names = document_get(device, lists[k]);

        if (!holds_text(names, older))
            continue;
        device = json_copy(device);
        document_put(device, lists[k], follow(names, older, newer));
        (void) json_array_set_new(devices, i, device);
    }
}

/* A proxy has another name (NULL: is gone). */
static void follow_proxy(const struct editing *e, const char *older, const char *newer)
{
    json_t *devices;

    if (strcmp(e->list->key, "proxies") != 0 || (newer && strcmp(older, newer) == 0))
        return;
    devices = json_copy(document_get(e->after, "devices"));
    if (!devices)
        return;
    for (size_t i = 0; i < json_array_size(devices); i++)
        follow_in_device(devices, i, older, newer);
    document_put(e->after, "devices", devices);
}

/* ---- entries ---- */

/* The list as one's own; it is made when there is none. Borrowed. */
static json_t *own_entries(const struct editing *e)
{
    const json_t *there = document_get(e->before, e->list->key);
    json_t *entries = there ? json_copy((json_t *) there) : json_array();

    document_put(e->after, e->list->key, entries);
    return entries;
}

/* The entry as the patch wants it; was NULL: a new one. A new reference. */
static json_t *merge_entry(const struct editing *e, json_t *was, json_t *patch)
{
    json_t *entry = was ? json_copy(was) : json_object();

    if (!was && e->edit->entry)
        (void) json_object_set_new(entry, entries_identity(e->list)->key,
                                   json_string(e->edit->entry));
    merge_patch(entry, patch);
    keep_secrets(e->list, was, entry);
    return entry;
}

static int patch_entry(struct editing *e)
{
    json_t *entries = own_entries(e);
    size_t place = entries_find(e->list, entries, e->edit->entry);
    json_t *was = json_array_get(entries, place), *entry;

    if (!was && e->edit->kind == CONFIG_EDIT_CHANGE)
        return E_NOT_FOUND;
    entry = merge_entry(e, was, e->patch);
    if (was)
        (void) json_array_set_new(entries, place, entry);
    else
        (void) json_array_append_new(entries, entry);
    e->first = place;
    e->count = 1;
    if (was && may_rename(e))
        follow_proxy(e, e->edit->entry,
                     json_string_value(json_object_get(entry, entries_identity(e->list)->key)));
    return check_conflicts(e, 0, was, entry);
}

static int add_entries(struct editing *e)
{
    json_t *entries = own_entries(e);
    int rc = 0;

    e->first = json_array_size(entries);
    e->count = json_is_array(e->patch) ? json_array_size(e->patch) : 1;
    for (size_t i = 0; i < e->count && rc == 0; i++) {
        json_t *patch = json_is_array(e->patch) ? json_array_get(e->patch, i) : e->patch;
        json_t *entry = merge_entry(e, /* was= */ NULL, patch);

        (void) json_array_append_new(entries, entry);
        rc = check_conflicts(e, i, /* was= */ NULL, entry);
    }
    return rc;
}

static int remove_entry(struct editing *e)
{
    json_t *entries = own_entries(e);

    if (json_array_remove(entries, entries_find(e->list, entries, e->edit->entry)) != 0)
        return E_NOT_FOUND;
    follow_proxy(e, e->edit->entry, /* newer= */ NULL);
    return 0;
}

/* ---- the outcome ---- */

/* The rest of a pointer behind the entry, and which of the patch it is; NULL: it is elsewhere. */
static const char *find_behind_entry(const struct editing *e, const char *pointer, size_t *ret_item)
{
    size_t length = strlen(e->list->key);
    char *rest;
    unsigned long place;

    if (pointer[0] != '/' || strncmp(pointer + 1, e->list->key, length) != 0 ||
        pointer[1 + length] != '/')
        return NULL;
    place = strtoul(pointer + length + 2, &rest, 10);
    if (place < e->first || place - e->first >= e->count)
        return NULL;
    *ret_item = place - e->first;
    return rest;
}

/* From the place in the document to the place in what the caller was sent. A fault beside the
 * entries is one of the patch as a whole. */
static void move_faults(const struct editing *e)
{
    struct config_faults *faults = &e->edited->faults;

    for (size_t i = 0; i < faults->count; i++) {
        char *old = faults->items[i].pointer;
        size_t item = 0;
        const char *rest = e->list ? find_behind_entry(e, old, &item) : old;
        char *begin AUTO_FREE = rest && e->list ? entry_pointer(e, item) : NULL;
        struct buffer b = {0};

        buffer_append_text(&b, begin ? begin : e->edit->pointer);
        buffer_append_text(&b, rest ? rest : "");
        faults->items[i].pointer = buffer_take_text(&b);
        free(old);
    }
}

/* Those of the patch, before anything was done with it. */
static void prefix_faults(const struct editing *e)
{
    const struct editing whole = {.edit = e->edit, .edited = e->edited};

    move_faults(&whole);
}

static int edit_document(struct editing *e)
{
    switch (e->edit->kind) {
    case CONFIG_EDIT_ENTRY:
    case CONFIG_EDIT_CHANGE:
        return patch_entry(e);
    case CONFIG_EDIT_ADD:
        return add_entries(e);
    case CONFIG_EDIT_REMOVE:
        return remove_entry(e);
    case CONFIG_EDIT_MERGE:
        merge_patch(e->after, e->patch);
        break;
    case CONFIG_EDIT_REPLACE:
        (void) json_object_clear(e->after);
        (void) json_object_update(e->after, e->patch);
        break;
    }
    keep_all_secrets(e);
    return check_overrides(e);
}

static int edit(struct editing *e)
{
    struct config_edited *edited = e->edited;
    int rc;

    if (e->edit->kind != CONFIG_EDIT_REMOVE)
        check_patch(e);
    if (edited->faults.count > 0) {
        prefix_faults(e);
        return E_INVALID_REQUEST;
    }
    rc = edit_document(e);
    if (rc < 0)
        return rc;
    edited->is_changed = !json_equal(e->before, e->after);
    if (edited->is_changed)
        difference_find(e->before, e->after, e->environment, &edited->changed,
                        &edited->restart_required);
    edited->text = document_write(e->after, &edited->size);
    return 0;
}

void config_edited_done(struct config_edited *edited)
{
    if (edited->text)
        explicit_bzero(edited->text, edited->size);
    free(edited->text);
    free(edited->holder);
    free(edited->variable);
    free(edited->pointer);
    free(edited->etag);
    value_free_texts(&edited->changed);
    value_free_texts(&edited->restart_required);
    config_free(edited->config);
    config_faults_done(&edited->faults);
    *edited = (struct config_edited){0};
}

int config_edit_apply(const char *text, size_t size, const struct config_edit *config_edit,
                      const char *const *parts, char *const *environment,
                      struct config_edited *ret_edited)
{
    struct editing e = {.edit = config_edit,
                        .environment = environment,
                        .list = config_edit->list ? lists_find(config_edit->list) : NULL,
                        .before = document_read(text, size),
                        .edited = ret_edited};
    int rc;

    *ret_edited = (struct config_edited){0};
    assert(json_is_object(e.before) && !config_edit->list == !e.list);
    e.after = json_copy(e.before);
    if (config_edit->patch)
        e.patch = document_read(config_edit->patch, config_edit->patch_size);
    rc = edit(&e);
    json_decref(e.before); /* before the next one is there: they can be large */
    json_decref(e.after);
    if (rc == 0) {
        ret_edited->config = config_parse_under(ret_edited->text, ret_edited->size, parts,
                                                environment, &ret_edited->faults);
        rc = ret_edited->config ? 0 : E_INVALID_REQUEST;
        if (rc < 0)
            move_faults(&e);
    }
    json_decref(e.patch);
    return rc;
}
