/* The happy path: what is shared or equal as JSON is passed over; what is left is read by the
 * readers of its type and written again, which gives all spellings of a value one form. Entries are
 * found by their names; one without a counterpart in a list as long as before is taken for the one
 * that stood in its place and has another name now.
 *
 * Failure modes: none. A value that is not valid has no effect here; the parser refuses the whole
 * document anyhow. */
#include "difference.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "document.h"
#include "entries.h"
#include "environment.h"

static const char *const no_parts[] = {NULL};

/* ---- settings ---- */

json_t *difference_effect(const struct config_setting *setting, json_t *value)
{
    struct config_faults faults = {0};
    struct reading reading = {.faults = &faults, .parts = no_parts};
    struct config *config = xnew(struct config, 1);
    json_t *standard = value ? NULL : json_loads(setting->standard, JSON_DECODE_ANY, NULL);
    struct value v = {.reading = &reading, .json = value ? value : standard};
    json_t *effect = NULL;

    setting_read(setting, &v, config);
    if (faults.count == 0)
        effect = setting_dump(setting, config, /* with_secrets= */ true);
    setting_release(setting, config);
    config_faults_done(&faults);
    json_decref(standard);
    free(config);
    return effect;
}

static bool has_another_effect(const struct config_setting *setting, const json_t *older,
                               const json_t *newer)
{
    json_t *a = document_get(older, setting->key), *b = document_get(newer, setting->key);
    bool differs;

    if (a == b || json_equal(a, b))
        return false;
    a = difference_effect(setting, a);
    b = difference_effect(setting, b);
    differs = !json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return differs;
}

static void note(struct buffer *pointer, struct config_texts *texts)
{
    char *text AUTO_FREE = buffer_take_text(pointer);

    value_append_text(texts, text);
}

static void compare_setting(const struct config_setting *setting, const json_t *older,
                            const json_t *newer, struct config_texts *changed,
                            struct config_texts *restart_required)
{
    struct buffer pointer = {0};

    if (!has_another_effect(setting, older, newer))
        return;
    document_append_pointer(&pointer, setting->key);
    note(&pointer, changed);
    if (setting->needs_restart)
        value_append_text(restart_required, changed->items[changed->count - 1]);
}

/* ---- entries ---- */

struct comparison { /* of one list */
    const struct list *list;
    json_t *older, *newer;             /* the entries */
    json_t *older_index, *newer_index; /* by name */
    struct config_texts found;
    size_t entries; /* that differ */
    size_t kept;    /* older ones that have a counterpart */
};

/* The entry with all its fields, in one spelling. */
static json_t *read_entry(const struct list *list, json_t *entry)
{
    struct config_faults faults = {0};
    struct reading reading = {.faults = &faults, .parts = no_parts};
    const struct value v = {.reading = &reading, .json = entry};
    void *target = memory_zalloc(1, list->entry_size);
    json_t *all;

    if (list->prepare)
        list->prepare(target);
    fields_read(list->fields, list->fields_count, &v, list->key, target);
    all = fields_dump(list->fields, list->fields_count, target, /* with_secrets= */ true);
    list->release(target);
    config_faults_done(&faults);
    free(target);
    return all;
}

static void compare_entries(struct comparison *c, size_t place, json_t *older, json_t *newer)
{
    json_t *a, *b, *value;
    const char *key;

    if (json_equal(older, newer))
        return;
    a = read_entry(c->list, older);
    b = read_entry(c->list, newer);
    c->entries += !json_equal(a, b);
    json_object_foreach(b, key, value)
    {
        struct buffer pointer = {0};

        if (json_equal(json_object_get(a, key), value))
            continue;
        document_append_pointer(&pointer, c->list->key);
        buffer_append_format(&pointer, "/%zu/%s", place, key);
        note(&pointer, &c->found);
    }
    json_decref(a);
    json_decref(b);
}

static json_t *find_older(const struct comparison *c, size_t place, const json_t *newer)
{
    json_t *older = entries_look_up(c->list, c->older_index, newer);

    if (older || json_array_size(c->older) != json_array_size(c->newer))
        return older;
    older = json_array_get(c->older, place); /* by another name, unless it has moved */
    return entries_look_up(c->list, c->newer_index, older) ? NULL : older;
}

static void compare_place(struct comparison *c, size_t place)
{
    json_t *newer = json_array_get(c->newer, place), *older = json_array_get(c->older, place);
    struct buffer pointer = {0};

    if (!older || !json_equal(older, newer))
        older = find_older(c, place, newer);
    if (older) {
        c->kept++;
        compare_entries(c, place, older, newer);
        return;
    }
    document_append_pointer(&pointer, c->list->key);
    buffer_append_format(&pointer, "/%zu", place);
    note(&pointer, &c->found);
    c->entries++;
}

static void note_found(struct comparison *c, struct config_texts *changed)
{
    bool are_many = c->entries > DIFFERENCE_ENTRIES_MAX;
    struct buffer pointer = {0};

    if (are_many || c->kept < json_array_size(c->older)) {
        document_append_pointer(&pointer, c->list->key);
        note(&pointer, changed);
    }
    for (size_t i = 0; i < c->found.count && !are_many; i++)
        value_append_text(changed, c->found.items[i]);
}

static void compare_list(const struct list *list, const json_t *older, const json_t *newer,
                         struct config_texts *changed)
{
    struct comparison c = {.list = list,
                           .older = document_get(older, list->key),
                           .newer = document_get(newer, list->key)};

    if (c.older == c.newer || json_equal(c.older, c.newer))
        return;
    c.older_index = entries_index(list, c.older);
    c.newer_index = entries_index(list, c.newer);
    for (size_t i = 0; i < json_array_size(c.newer) && c.entries <= DIFFERENCE_ENTRIES_MAX; i++)
        compare_place(&c, i);
    note_found(&c, changed);
    json_decref(c.older_index);
    json_decref(c.newer_index);
    value_free_texts(&c.found);
}

void difference_find(const json_t *older, const json_t *newer, char *const *environment,
                     struct config_texts *changed, struct config_texts *restart_required)
{
    const struct list *list;
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < count; i++) {
        char variable[ENVIRONMENT_VARIABLE_SIZE];
        json_t *held = environment_get(environment, &settings[i], variable);

        if (!held)
            compare_setting(&settings[i], older, newer, changed, restart_required);
        json_decref(held);
    }
    for (size_t i = 0; (list = lists_at(i)); i++)
        compare_list(list, older, newer, changed);
}
