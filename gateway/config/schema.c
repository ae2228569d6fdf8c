/* config_schema_text(): the table of settings and the fields of the lists as JSON Schema. Each type
 * has a form; range, words, default and part come from the row. What a schema cannot say (names
 * given twice, an address that looks like an alias, keys of the right length) the parser says. */
#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "lists.h"
#include "setting.h"

#define KEY_SIZE 128 /* room for any dotted key */

#define LISTEN_PATTERN  "^(\\[[0-9A-Fa-f:]+\\]|[^\\s:\\[\\]]+):\\d{1,5}$"
#define ADDRESS_PATTERN "^[0-9A-Fa-f]{2}([:-]?[0-9A-Fa-f]{2}){5}$"
#define NAME_PATTERN    "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

/* The rules of texts by name, as members of a schema. */
static const struct {
    const char *name;
    const char *members;
} rules[] = {
        {"host", "{\"minLength\":1,\"maxLength\":255}"},
        {"path", "{\"minLength\":1,\"maxLength\":4095}"},
        {"topic", "{\"pattern\":\"^[^+#]+$\"}"},
        {"esphome_name", "{\"pattern\":\"^[a-z0-9-]{1,31}$\"}"},
        {"alias", "{\"pattern\":\"^[^/+#$]{1,64}$\","
                  "\"not\":{\"enum\":[\"bridge\",\"advertisements\"]}}"},
        {"name", "{\"pattern\":\"" NAME_PATTERN "\","
                 "\"not\":{\"enum\":[\"discovered\",\"import\",\"test\"]}}"},
        {"label", "{\"pattern\":\"" NAME_PATTERN "\"}"},
        {"url", "{\"pattern\":\"^wss?://\"}"},
};

struct row { /* what settings and fields have in common */
    enum value_type type;
    double low, high;
    const char *rule; /* as in struct value */
    bool is_nullable;
    const struct field *fields;
    size_t fields_count;
};

static json_t *from_text(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, /* error= */ NULL);

    assert(json);
    return json;
}

static json_t *describe_fields(const struct field *fields, size_t count);

static json_t *describe_words(const char *words)
{
    json_t *list = json_array();

    for (const char *word = words; word; word = strchr(word, '|')) {
        word += *word == '|';
        (void) json_array_append_new(list, json_stringn(word, strcspn(word, "|")));
    }
    return json_pack("{s:s, s:o}", "type", "string", "enum", list);
}

static json_t *describe_text(const char *rule)
{
    json_t *schema = json_pack("{s:s}", "type", "string");

    for (size_t i = 0; rule && i < ARRAY_SIZE(rules); i++) {
        if (strcmp(rules[i].name, rule) == 0)
            (void) json_object_update_new(schema, from_text(rules[i].members));
    }
    return schema;
}

static json_t *describe_number(const char *type, const struct row *row)
{
    return json_pack("{s:s, s:o, s:o}", "type", type, "minimum", value_dump_number(row->low),
                     "maximum", value_dump_number(row->high));
}

static json_t *describe_listen(void)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", LISTEN_PATTERN);
}

static json_t *describe_type(const struct row *row)
{
    switch (row->type) {
    case VALUE_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case VALUE_INT:
        return describe_number("integer", row);
    case VALUE_NUMBER:
        return describe_number("number", row);
    case VALUE_TEXT:
        return describe_text(row->rule);
    case VALUE_ENUM:
        return describe_words(row->rule);
    case VALUE_SECRET:
    case VALUE_KEY:
        return json_pack("{s:s, s:i, s:i, s:b}", "type", "string", "minLength", 1, "maxLength",
                         VALUE_SECRET_MAX, "writeOnly", 1);
    case VALUE_TEXTS:
        return json_pack("{s:s, s:o}", "type", "array", "items", describe_text(row->rule));
    case VALUE_ADDRESS:
        return describe_listen();
    case VALUE_ADDRESSES:
        return json_pack("{s:[o, {s:s, s:o, s:i, s:i}]}", "anyOf", describe_listen(), "type",
                         "array", "items", describe_listen(), "minItems", 1, "maxItems",
                         CONFIG_LISTEN_MAX);
    case VALUE_MAC:
        return json_pack("{s:s, s:s}", "type", "string", "pattern", ADDRESS_PATTERN);
    case VALUE_OBJECT:
        return describe_fields(row->fields, row->fields_count);
    }
    return NULL;
}

static json_t *describe(const struct row *row)
{
    json_t *schema = describe_type(row);

    assert(schema);
    if (row->is_nullable)
        schema = json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
    return schema;
}

/* An object without properties yet, that allows no others. */
static json_t *new_object(void)
{
    return json_pack("{s:s, s:b, s:{}}", "type", "object", "additionalProperties", 0, "properties");
}

static json_t *describe_fields(const struct field *fields, size_t count)
{
    json_t *object = new_object(), *properties = json_object_get(object, "properties");
    json_t *required = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct field *f = &fields[i];
        json_t *schema = describe(&(struct row){.type = f->type,
                                                .low = f->low,
                                                .high = f->high,
                                                .rule = f->rule,
                                                .is_nullable = f->is_nullable,
                                                .fields = f->fields,
                                                .fields_count = f->fields_count});

        if (f->is_required)
            (void) json_array_append_new(required, json_string(f->key));
        else
            (void) json_object_set_new(schema, "default",
                                       from_text(f->standard ? f->standard : "null"));
        if (f->part)
            (void) json_object_set_new(schema, "x-part", json_string(f->part));
        (void) json_object_set_new(properties, f->key, schema);
    }
    if (json_array_size(required) > 0)
        (void) json_object_set(object, "required", required);
    json_decref(required);
    return object;
}

static json_t *describe_setting(const struct config_setting *setting)
{
    json_t *schema = describe(&(struct row){.type = setting_type(setting),
                                            .low = setting->low,
                                            .high = setting->high,
                                            .rule = setting->values,
                                            .is_nullable = setting_is_nullable(setting)});

    (void) json_object_set_new(schema, "default", from_text(setting->standard));
    (void) json_object_set_new(schema, "description", json_string(setting->help));
    (void) json_object_set_new(schema, "x-part", json_string(setting->part));
    if (setting->needs_restart)
        (void) json_object_set_new(schema, "x-restart", json_true());
    return schema;
}

static json_t *describe_list(const struct list *list)
{
    return json_pack("{s:s, s:o, s:i, s:[], s:s, s:s}", "type", "array", "items",
                     describe_fields(list->fields, list->fields_count), "maxItems",
                     (int) list->most, "default", "description", list->help, "x-part", list->part);
}

/* Puts the schema where the setting "mqtt.tls.ca" stands: objects on the way are made. Takes the
 * reference. */
static void put(json_t *object, const char *key, json_t *schema)
{
    char names[KEY_SIZE];
    char *name = names, *dot;

    assert(strlen(key) < sizeof(names));
    memcpy(names, key, strlen(key) + 1);
    for (; (dot = strchr(name, '.')); name = dot + 1) {
        json_t *properties = json_object_get(object, "properties");

        *dot = '\0';
        object = json_object_get(properties, name);
        if (!object) {
            object = new_object();
            (void) json_object_set_new(properties, name, object);
        }
    }
    (void) json_object_set_new(json_object_get(object, "properties"), name, schema);
}

char *config_schema_text(void)
{
    json_t *document =
            json_pack("{s:s, s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema",
                      "title", "blefleet configuration", "description",
                      "Every setting has a default, so {} is valid.");
    const struct list *list;
    size_t count;
    const struct config_setting *settings = config_settings(&count);
    char *text;

    (void) json_object_update_new(document, new_object());
    for (size_t i = 0; i < count; i++)
        put(document, settings[i].key, describe_setting(&settings[i]));
    for (size_t i = 0; (list = lists_at(i)); i++)
        put(document, list->key, describe_list(list));
    text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(15));
    assert(text);
    json_decref(document);
    return text;
}
