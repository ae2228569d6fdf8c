#include "document.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "lists.h"
#include "setting.h"

json_t *document_read(const char *text, size_t size)
{
    return json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, /* error= */ NULL);
}

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
size_t document_digits(const json_t *document)
{
    return is_short(document) ? 15 : 17;
}

char *document_write(const json_t *document, size_t *ret_size)
{
    char *text =
            json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(document_digits(document)));
    struct buffer b = {0};

    assert(text); /* it came from a text */
    buffer_append_text(&b, text);
    buffer_append_char(&b, '\n');
    explicit_bzero(text, strlen(text));
    free(text);
    *ret_size = buffer_size(&b);
    return buffer_take_text(&b);
}

json_t *document_get(const json_t *document, const char *key)
{
    char name[DOCUMENT_KEY_SIZE];
    const char *dot;

    for (; (dot = strchr(key, '.')); key = dot + 1) {
        (void) snprintf(name, sizeof name, "%.*s", (int) (dot - key), key);
        document = json_object_get(document, name);
    }
    return json_object_get(document, key);
}

/* A copy that nobody shares takes the place of the object, or a new one of whatever is there. */
static json_t *own(json_t *object, const char *name)
{
    const json_t *there = json_object_get(object, name);
    json_t *copy = json_is_object(there) ? json_copy((json_t *) there) : json_object();

    (void) json_object_set_new(object, name, copy);
    return copy;
}

void document_put(json_t *document, const char *key, json_t *value)
{
    char name[DOCUMENT_KEY_SIZE];
    const char *dot;

    if (!value && !document_get(document, key))
        return;
    for (; (dot = strchr(key, '.')); key = dot + 1) {
        (void) snprintf(name, sizeof name, "%.*s", (int) (dot - key), key);
        document = own(document, name);
    }
    if (value)
        (void) json_object_set_new(document, key, value);
    else
        (void) json_object_del(document, key);
}

void document_append_pointer(struct buffer *out, const char *key)
{
    buffer_append_char(out, '/');
    for (; *key; key++)
        buffer_append_char(out, *key == '.' ? '/' : *key);
}

const char *document_key(size_t index)
{
    const struct list *list;
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    if (index < count)
        return settings[index].key;
    list = lists_at(index - count);
    return list ? list->key : NULL;
}

bool document_is_section(const char *path)
{
    size_t length = strlen(path);
    const char *key;

    for (size_t i = 0; (key = document_key(i)); i++) {
        if (strncmp(key, path, length) == 0 && key[length] == '.')
            return true;
    }
    return false;
}
