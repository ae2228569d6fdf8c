/* The table of settings against the contract: neither has a setting, a default, a range or a word
 * that the other has not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buffer.h"
#include "config/config.h"

struct leaves {
    json_t *contract;
    char keys[200][64];
    json_t *schemas[200];
    size_t count;
};

/* Collects the schemas of all settings below an object of the contract, lists of objects excepted.
 */
static void collect(json_t *object, const char *path, struct leaves *leaves)
{
    const char *key;
    json_t *schema;

    json_object_foreach(json_object_get(object, "properties"), key, schema)
    {
        char name[64];

        assert_in_range(snprintf(name, sizeof(name), "%s%s%s", path, *path ? "." : "", key), 1, 63);
        if (json_object_get(schema, "properties")) {
            collect(schema, name, leaves);
            continue;
        }
        if (json_object_get(json_object_get(schema, "items"), "$ref"))
            continue;
        assert_true(leaves->count < 200);
        memcpy(leaves->keys[leaves->count], name, sizeof(name));
        leaves->schemas[leaves->count++] = schema;
    }
}

static int load(void **state)
{
    static struct leaves leaves;
    json_t *schemas;

    leaves.contract = json_load_file(CONTRACT, 0, NULL);
    schemas = json_object_get(json_object_get(leaves.contract, "components"), "schemas");
    collect(json_object_get(schemas, "Config"), "", &leaves);
    *state = &leaves;
    return leaves.count ? 0 : -1;
}

static int unload(void **state)
{
    json_decref(((struct leaves *) *state)->contract);
    return 0;
}

static json_t *find_schema(const struct leaves *leaves, const char *key)
{
    for (size_t i = 0; i < leaves->count; i++) {
        if (strcmp(leaves->keys[i], key) == 0)
            return leaves->schemas[i];
    }
    return NULL;
}

static void check_range(const struct config_setting *setting, json_t *schema)
{
    json_t *low = json_object_get(schema, "minimum"), *high = json_object_get(schema, "maximum");
    bool is_number = setting->type == CONFIG_INT || setting->type == CONFIG_INT_OR_NULL ||
                     setting->type == CONFIG_NUM;

    assert_int_equal(is_number, low && high);
    if (is_number) {
        assert_true(json_number_value(low) == setting->low);
        assert_true(json_number_value(high) == setting->high);
    }
}

static void check_words(const struct config_setting *setting, json_t *schema)
{
    json_t *words = json_object_get(schema, "enum"), *word;
    struct buffer text = {0};
    size_t i;

    assert_int_equal(setting->type == CONFIG_ENUM, words != NULL);
    if (!words)
        return;
    json_array_foreach(words, i, word)
            buffer_append_format(&text, "%s%s", i ? "|" : "", json_string_value(word));
    buffer_append_char(&text, '\0');
    assert_string_equal((const char *) buffer_front(&text), setting->values);
    buffer_done(&text);
}

static void check_default(const struct config_setting *setting, json_t *schema)
{
    json_t *standard = json_loads(setting->standard, JSON_DECODE_ANY, NULL);
    json_t *wanted = json_object_get(schema, "default");

    assert_non_null(standard);
    assert_non_null(wanted);
    if (json_is_number(wanted))
        assert_true(json_number_value(standard) == json_number_value(wanted));
    else
        assert_true(json_equal(standard, wanted));
    json_decref(standard);
}

static const char *wanted_type(enum config_type type)
{
    switch (type) {
    case CONFIG_BOOL:
        return "boolean";
    case CONFIG_INT:
        return "integer";
    case CONFIG_INT_OR_NULL:
        return "integer?";
    case CONFIG_NUM:
        return "number";
    case CONFIG_TEXT:
    case CONFIG_ENUM:
    case CONFIG_ADDRESS:
        return "string";
    case CONFIG_TEXT_OR_NULL:
        return "string?";
    case CONFIG_TEXTS:
        return "array";
    case CONFIG_SECRET_OR_NULL:
    case CONFIG_KEY_OR_NULL:
    case CONFIG_ADDRESSES:
        return "anyOf";
    }
    return "?";
}

static void check_type(const struct config_setting *setting, json_t *schema)
{
    json_t *type = json_object_get(schema, "type");
    char text[32] = "anyOf";

    if (json_is_string(type))
        (void) snprintf(text, sizeof(text), "%s", json_string_value(type));
    else if (type)
        (void) snprintf(text, sizeof(text), "%s?", json_string_value(json_array_get(type, 0)));
    assert_string_equal(text, wanted_type(setting->type));
}

static void every_row_says_what_the_contract_says(void **state)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < count; i++) {
        json_t *schema = find_schema(*state, settings[i].key);

        print_message("%s\n", settings[i].key);
        assert_non_null(schema);
        check_type(&settings[i], schema);
        check_range(&settings[i], schema);
        check_words(&settings[i], schema);
        check_default(&settings[i], schema);
        assert_int_equal(settings[i].needs_restart,
                         json_is_true(json_object_get(schema, "x-restart")));
        assert_string_equal(settings[i].part, json_string_value(json_object_get(schema, "x-part")));
        assert_true(strlen(settings[i].help) > 0);
    }
}

static void every_setting_of_the_contract_has_a_row(void **state)
{
    const struct leaves *leaves = *state;
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < leaves->count; i++) {
        size_t row = 0;

        while (row < count && strcmp(settings[row].key, leaves->keys[i]) != 0)
            row++;
        if (row == count)
            fail_msg("%s has no row", leaves->keys[i]);
    }
    assert_int_equal(leaves->count, count);
}

static void a_field_is_named_by_its_key(void **state)
{
    (void) state;
#define XX(type, field, key, standard, low, high, values, restart, part, help)                     \
    {                                                                                              \
        char name[] = key;                                                                         \
        for (char *c = name; *c; c++)                                                              \
            *c = *c == '.' ? '_' : *c;                                                             \
        assert_string_equal(name, #field);                                                         \
    }
    CONFIG_SETTINGS(XX)
#undef XX
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_row_says_what_the_contract_says),
            cmocka_unit_test(every_setting_of_the_contract_has_a_row),
            cmocka_unit_test(a_field_is_named_by_its_key),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
