/* Every secret is visited by the table of settings and by the fields of the lists: so what is
 * secret is said once, where it is read. */
#include "config_secrets.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "entries.h"
#include "lists.h"
#include "setting.h"

#define MASK         "***"
#define POINTER_SIZE 160

/* What a visit finds, and what becomes of it. */
struct visit {
    const json_t *present;        /* NULL: mask */
    struct config_texts *missing; /* with present */
};

static bool is_secret(enum value_type type)
{
    return type == VALUE_SECRET || type == VALUE_KEY;
}

static bool is_masked(const json_t *value)
{
    const char *text = json_string_value(value);

    return text && strcmp(text, MASK) == 0;
}

/* A new reference: what stands there from now on. older: its present value, or NULL. */
static json_t *replacement(const struct visit *visit, json_t *value, json_t *older)
{
    if (!visit->present)
        return json_is_string(value) ? json_string(MASK) : json_incref(value);
    if (!is_masked(value))
        return json_incref(value);
    return json_is_string(older) ? json_incref(older) : json_null();
}

static bool is_missing(const struct visit *visit, const json_t *value, const json_t *after)
{
    return visit->present && is_masked(value) && json_is_null(after);
}

/* ---- settings ---- */

static void note_setting(const struct visit *visit, const char *key)
{
    char pointer[POINTER_SIZE];

    (void) snprintf(pointer, sizeof pointer, "/%s", key);
    for (char *dot = pointer; (dot = strchr(dot, '.'));)
        *dot = '/';
    value_append_text(visit->missing, pointer);
}

static void visit_setting(const struct visit *visit, const struct config_setting *setting,
                          json_t *document)
{
    json_t *value = document_get(document, setting->key), *older = NULL, *after;

    if (!is_secret(setting_type(setting)) || !value)
        return;
    if (visit->present)
        older = document_get(visit->present, setting->key);
    after = replacement(visit, value, older);
    if (is_missing(visit, value, after))
        note_setting(visit, setting->key);
    document_put(document, setting->key, after);
}

/* ---- lists ---- */

static void note_field(const struct visit *visit, const struct list *list, size_t index,
                       const char *key)
{
    char name[POINTER_SIZE];

    (void) snprintf(name, sizeof name, "%s.%zu.%s", list->key, index, key);
    note_setting(visit, name);
}

/* False: the entry cannot be without what is missing. */
static bool visit_entry(const struct visit *visit, const struct list *list, size_t index,
                        json_t *entry, const json_t *older)
{
    bool is_whole = true;

    for (size_t i = 0; i < list->fields_count; i++) {
        const struct field *field = &list->fields[i];
        json_t *value = json_object_get(entry, field->key), *after;

        if (!is_secret(field->type) || !value)
            continue;
        after = replacement(visit, value, json_object_get(older, field->key));
        if (is_missing(visit, value, after)) {
            note_field(visit, list, index, field->key);
            is_whole = is_whole && field->is_nullable;
        }
        (void) json_object_set_new(entry, field->key, after);
    }
    return is_whole;
}

static void visit_list(const struct visit *visit, const struct list *list, json_t *document)
{
    json_t *entries = document_get(document, list->key), *result, *entry, *index;
    size_t i;

    if (!json_is_array(entries))
        return;
    index = entries_index(list, visit->present ? document_get(visit->present, list->key) : NULL);
    result = json_array();
    json_array_foreach(entries, i, entry)
    {
        json_t *copy = json_copy(entry);

        if (!json_is_object(copy) ||
            visit_entry(visit, list, i, copy, entries_look_up(list, index, entry)))
            (void) json_array_append(result, copy);
        json_decref(copy);
    }
    json_decref(index);
    document_put(document, list->key, result);
}

static char *visit_all(const struct visit *visit, json_t *document, size_t *ret_size)
{
    const struct list *list;
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < count; i++)
        visit_setting(visit, &settings[i], document);
    for (size_t i = 0; (list = lists_at(i)); i++)
        visit_list(visit, list, document);
    return document_write(document, ret_size);
}

char *config_secrets_mask(const char *text, size_t size, size_t *ret_size)
{
    const struct visit visit = {0};
    json_t *document = document_read(text, size);
    char *masked = json_is_object(document) ? visit_all(&visit, document, ret_size) : NULL;

    json_decref(document);
    return masked;
}

char *config_secrets_fill(const char *text, size_t size, const char *present, size_t present_size,
                          size_t *ret_size, struct config_texts *missing)
{
    json_t *document = document_read(text, size);
    json_t *older = document_read(present, present_size);
    const struct visit visit = {.present = older, .missing = missing};
    char *filled = NULL;

    if (json_is_object(document) && json_is_object(older))
        filled = visit_all(&visit, document, ret_size);
    json_decref(document);
    json_decref(older);
    return filled;
}
