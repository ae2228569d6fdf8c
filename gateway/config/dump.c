/* config_dump() and config_dump_section(): the table of settings and the lists, walked the other
 * way. Nothing can fail: what stands in a configuration was checked when it was read. */
#include <assert.h>
#include <string.h>

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

char *config_dump_section(const struct config *config, const char *section)
{
    json_t *object = json_object();
    size_t count, length = strlen(section);
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < count; i++) {
        const char *key = settings[i].key;

        if (strncmp(key, section, length) == 0 && key[length] == '.')
            document_put(object, key + length + 1,
                         setting_dump(&settings[i], config, /* with_secrets= */ false));
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
