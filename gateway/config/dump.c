/* config_dump() and config_dump_section(): the table of settings and the lists, walked the other
 * way. Nothing can fail: what stands in a configuration was checked when it was read. */
#include <assert.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "document.h"
#include "lists.h"
#include "setting.h"

/* Takes the reference. */
static char *write_text(json_t *document)
{
    char *text =
            json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(document_digits(document)));

    assert(text);
    json_decref(document);
    return text;
}

char *config_dump_section(const struct config *config, const char *section, bool with_secrets)
{
    json_t *object = json_object();
    size_t count, length = strlen(section);
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < count; i++) {
        const char *key = settings[i].key;

        if (strncmp(key, section, length) == 0 && key[length] == '.')
            document_put(object, key + length + 1,
                         setting_dump(&settings[i], config, with_secrets));
    }
    return write_text(object);
}

char *config_dump(const struct config *config, bool with_secrets)
{
    json_t *document = json_object();
    const struct list *list;
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < count; i++)
        document_put(document, settings[i].key, setting_dump(&settings[i], config, with_secrets));
    for (size_t i = 0; (list = lists_at(i)); i++)
        document_put(document, list->key, lists_dump(list, config, with_secrets));
    return write_text(document);
}

/* The settings that count from the next start on, one after the other; NULL at the end. */
static const struct config_setting *next_fixed(size_t *index)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    while (*index < count) {
        if (settings[(*index)++].needs_restart)
            return &settings[*index - 1];
    }
    return NULL;
}

static char *dump_setting(const struct config_setting *setting, const struct config *config)
{
    json_t *value = setting_dump(setting, config, /* with_secrets= */ false);
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    assert(text);
    json_decref(value);
    return text;
}

struct config_texts config_get_fixed(const struct config *config)
{
    struct config_texts texts = {0};
    const struct config_setting *setting;
    size_t index = 0;

    while ((setting = next_fixed(&index))) {
        char *text AUTO_FREE = dump_setting(setting, config);

        value_append_text(&texts, text);
    }
    return texts;
}

void config_texts_done(struct config_texts *texts)
{
    value_free_texts(texts);
    *texts = (struct config_texts){0};
}

void config_compare_fixed(const struct config_texts *before, const struct config *now,
                          struct config_texts *ret_pointers)
{
    const struct config_setting *setting;
    size_t index = 0;

    for (size_t i = 0; (setting = next_fixed(&index)); i++) {
        char *text AUTO_FREE = dump_setting(setting, now);
        struct buffer b = {0};
        char *pointer AUTO_FREE = NULL;

        if (strcmp(text, before->items[i]) == 0)
            continue;
        document_append_pointer(&b, setting->key);
        pointer = buffer_take_text(&b);
        value_append_text(ret_pointers, pointer);
    }
}
