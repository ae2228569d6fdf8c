/* The JSON Schema of the configuration: says what the contract says, allows what the parser allows,
 * and refuses what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "config/config_file.h"

/* ---- a validator of the part of JSON Schema that is used, but for patterns ---- */

static bool is_of_type(const char *type, json_t *value)
{
    if (strcmp(type, "integer") == 0)
        return json_is_integer(value);
    return (strcmp(type, "number") == 0 && json_is_number(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value));
}

static bool is_in_list(json_t *list, json_t *value)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_equal(item, value))
            return true;
    }
    return false;
}

static bool is_valid(json_t *schema, json_t *value);

static bool fits_one(json_t *schemas, json_t *value)
{
    json_t *schema;
    size_t i;

    json_array_foreach(schemas, i, schema)
    {
        if (is_valid(schema, value))
            return true;
    }
    return false;
}

static bool has_valid_properties(json_t *schema, json_t *value)
{
    json_t *properties = json_object_get(schema, "properties"), *member, *name;
    const char *key;
    size_t i;

    json_object_foreach(value, key, member)
    {
        json_t *property = json_object_get(properties, key);

        if (property ? !is_valid(property, member)
                     : json_is_false(json_object_get(schema, "additionalProperties")))
            return false;
    }
    json_array_foreach(json_object_get(schema, "required"), i, name)
    {
        if (!json_object_get(value, json_string_value(name)))
            return false;
    }
    return true;
}

static bool has_valid_items(json_t *schema, json_t *value)
{
    json_t *item;
    size_t i, size = json_array_size(value);

    if (size > (size_t) json_integer_value(json_object_get(schema, "maxItems")) &&
        json_object_get(schema, "maxItems"))
        return false;
    if (size < (size_t) json_integer_value(json_object_get(schema, "minItems")))
        return false;
    json_array_foreach(value, i, item)
    {
        if (!is_valid(json_object_get(schema, "items"), item))
            return false;
    }
    return true;
}

static bool is_in_range(json_t *schema, json_t *value)
{
    json_t *low = json_object_get(schema, "minimum"), *high = json_object_get(schema, "maximum");
    double number = json_number_value(value);

    return (!low || number >= json_number_value(low)) &&
           (!high || number <= json_number_value(high));
}

static bool is_valid(json_t *schema, json_t *value)
{
    json_t *type = json_object_get(schema, "type"), *words = json_object_get(schema, "enum");
    json_t *any = json_object_get(schema, "anyOf"), *negated = json_object_get(schema, "not");

    return (!type || is_of_type(json_string_value(type), value)) &&
           (!words || is_in_list(words, value)) && (!any || fits_one(any, value)) &&
           (!negated || !is_valid(negated, value)) &&
           (!json_is_object(value) || has_valid_properties(schema, value)) &&
           (!json_is_array(value) || has_valid_items(schema, value)) &&
           (!json_is_number(value) || is_in_range(schema, value)) &&
           (!json_is_string(value) ||
            json_string_length(value) >=
                    (size_t) json_integer_value(json_object_get(schema, "minLength")));
}

/* ---- tests ---- */

static int load(void **state)
{
    char *text = config_schema_text();

    *state = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    return *state ? 0 : -1;
}

static int unload(void **state)
{
    json_decref(*state);
    return 0;
}

static void assert_agree(json_t *schema, const char *text, bool is_fine)
{
    static const char *const parts[] = {"core", NULL};
    struct config_faults faults;
    struct config *config = config_parse(text, strlen(text), parts, &faults);
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

    print_message("%s\n", text);
    assert_int_equal(config != NULL, is_fine);
    assert_int_equal(is_valid(schema, json), is_fine);
    json_decref(json);
    config_free(config);
    config_faults_done(&faults);
}

static void schema_and_parser_agree(void **state)
{
    static const char *const fine[] = {
            "{}",
            "{\"http\":{\"listen\":[\"127.0.0.1:1\",\"[::1]:0\"]}}",
            "{\"mqtt\":{\"password\":null,\"port\":1883,\"min_interval_s\":0.5}}",
            "{\"proxies\":[{\"name\":\"a\",\"host\":\"b\",\"mac\":null,\"scan_mode\":null}]}",
            ("{\"devices\":[{\"address\":\"A4C13812AB56\",\"route\":null,\"publish\":true,"
             "\"keep_connected\":null,\"active_scan\":{\"interval_s\":60}}]}"),
            "{\"areas\":[{\"name\":\"x\",\"min_rssi\":-1,\"neighbours\":[\"y\"]}]}",
            "{\"matter\":{\"servers\":[{\"url\":\"ws://x\",\"max_links\":16}]}}",
    };
    static const char *const faulty[] = {
            "[]",
            "{\"htpp\":{}}",
            "{\"http\":{\"listen\":[]}}",
            "{\"mqtt\":{\"port\":0}}",
            "{\"mqtt\":{\"port\":1.5}}",
            "{\"mqtt\":{\"host\":\"\"}}",
            "{\"mqtt\":{\"password\":\"\"}}",
            "{\"log\":{\"level\":\"loud\"}}",
            "{\"log\":{\"level\":null}}",
            "{\"esphome\":{\"slot_quota\":65}}",
            "{\"proxies\":[{\"name\":\"a\"}]}",
            "{\"proxies\":[{\"name\":\"import\",\"host\":\"b\"}]}",
            "{\"proxies\":[{\"name\":\"a\",\"host\":\"b\",\"weight\":31}]}",
            "{\"proxies\":[{\"name\":\"a\",\"host\":\"b\",\"colour\":1}]}",
            "{\"devices\":[{\"address\":\"A4C13812AB56\",\"active_scan\":{\"interval_s\":59}}]}",
            "{\"devices\":[{\"address\":\"A4C13812AB56\",\"alias\":\"bridge\"}]}",
            "{\"matter\":{\"servers\":[{\"url\":\"ws://x\",\"max_links\":17}]}}",
    };

    for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++)
        assert_agree(*state, fine[i], true);
    for (size_t i = 0; i < sizeof(faulty) / sizeof(*faulty); i++)
        assert_agree(*state, faulty[i], false);
}

static void the_example_is_valid(void **state)
{
    json_t *json = json_load_file(TEST_DATA "/../../config/blefleet.example.json", 0, NULL);

    assert_non_null(json);
    assert_true(is_valid(*state, json));
    json_decref(json);
}

static void what_is_dumped_is_valid(void **state)
{
    static const char *const parts[] = {"core", NULL};
    struct config_faults faults;
    struct config_file file = {.path = TEST_DATA "/../../config/blefleet.example.json",
                               .parts = parts,
                               .environment = (char *[]){NULL}};
    struct config *config = config_file_load(&file, &faults);
    char *text;
    json_t *json;

    config_file_done(&file);
    assert_non_null(config);
    text = config_dump(config, /* with_secrets= */ false);
    json = json_loads(text, 0, NULL);
    assert_true(is_valid(*state, json));
    json_decref(json);
    free(text);
    config_free(config);
}

/* Compares what both say of a place, down through objects and lists; x- members and forms that
 * allow null differ in writing only and are compared by the other tests. */
static void assert_same_shape(json_t *contract, json_t *ours, json_t *schemas, const char *where)
{
    const char *reference = json_string_value(json_object_get(contract, "$ref"));
    json_t *theirs, *member, *inner = json_object_get(ours, "anyOf");
    const char *key;

    print_message("%s\n", where);
    assert_non_null(ours);
    if (reference) {
        assert_same_shape(json_object_get(schemas, strrchr(reference, '/') + 1), ours, schemas,
                          where);
        return;
    }
    if (json_object_get(contract, "anyOf"))
        contract = json_array_get(json_object_get(contract, "anyOf"), 0);
    if (json_object_get(contract, "$ref")) {
        assert_same_shape(contract, inner ? json_array_get(inner, 0) : ours, schemas, where);
        return;
    }
    if (inner)
        ours = json_array_get(inner, 0);
    theirs = json_object_get(contract, "properties");
    assert_int_equal(json_object_size(theirs),
                     json_object_size(json_object_get(ours, "properties")));
    json_object_foreach(theirs, key, member) assert_same_shape(
            member, json_object_get(json_object_get(ours, "properties"), key), schemas, key);
    if (json_object_get(contract, "items"))
        assert_same_shape(json_object_get(contract, "items"), json_object_get(ours, "items"),
                          schemas, where);
    json_object_foreach(contract, key, member)
    {
        if (strcmp(key, "minimum") == 0 || strcmp(key, "maximum") == 0)
            assert_true(json_number_value(member) == json_number_value(json_object_get(ours, key)));
        else if (strcmp(key, "pattern") == 0 || strcmp(key, "not") == 0 ||
                 strcmp(key, "required") == 0 || strcmp(key, "additionalProperties") == 0 ||
                 strcmp(key, "minLength") == 0 || strcmp(key, "maxLength") == 0)
            assert_true(json_equal(member, json_object_get(ours, key)));
    }
}

static void the_schema_has_the_shape_of_the_contract(void **state)
{
    json_t *contract = json_load_file(CONTRACT, 0, NULL);
    json_t *schemas = json_object_get(json_object_get(contract, "components"), "schemas");

    assert_non_null(contract);
    assert_same_shape(json_object_get(schemas, "Config"), *state, schemas, "the whole");
    json_decref(contract);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(schema_and_parser_agree),
            cmocka_unit_test(the_example_is_valid),
            cmocka_unit_test(what_is_dumped_is_valid),
            cmocka_unit_test(the_schema_has_the_shape_of_the_contract),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
