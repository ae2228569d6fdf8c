#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "config/config.h"

#define KEY "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="

/* Everything set to something that is not the default, each kind of value at least once. */
static const char full[] =
        "{\"http\":{\"listen\":[\"127.0.0.1:8081\",\"[::1]:0\"],\"hosts\":[\"fleet.example\"],"
        "\"tls\":{\"cert\":\"/c.pem\",\"key\":\"/k.pem\"}},"
        "\"mqtt\":{\"enabled\":true,\"password\":\"hunter-one\",\"min_interval_s\":0.25},"
        "\"esphome\":{\"single\":{\"encryption_key\":\"" KEY "\"},\"slot_quota\":5},"
        "\"matter\":{\"servers\":[{\"url\":\"wss://m.example\",\"ca\":\"/ca.pem\","
        "\"authorization\":\"hunter-two\",\"max_links\":3,\"reserve_slot\":true},"
        "{\"url\":\"ws://n.example\"}]},"
        "\"scan\":{\"ownership\":{\"ewma_alpha\":0.123456789012345}},"
        "\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\",\"port\":6054,"
        "\"mac\":\"24:6f:28:aa:bb:cc\",\"encryption_key\":\"" KEY "\",\"password\":\"hunter-3\","
        "\"area\":\"Kitchen\",\"scan_mode\":\"active\",\"enabled\":false,\"weight\":-2.5},"
        "{\"name\":\"hall\",\"host\":\"hall.local\"}],"
        "\"devices\":[{\"address\":\"A4C13812AB56\",\"alias\":\"Fridge\",\"area\":\"Kitchen\","
        "\"route\":{\"require\":[\"hall\"],\"prefer\":[],\"forbid\":[\"kitchen\"]},"
        "\"keep_connected\":true,\"active_scan\":{\"interval_s\":600},"
        "\"expected_interval_s\":2.5,\"bindkey\":\"00112233445566778899aabbccddeeff\","
        "\"irk\":\"ffeeddccbbaa99887766554433221100\",\"publish\":false,"
        "\"clear_cccd_on_stop\":false},{\"address\":\"A4:C1:38:12:AB:57\"}],"
        "\"identities\":[{\"name\":\"Anna\",\"irk\":\"ec0234a357c8ad05341010a60a397d9b\","
        "\"address\":\"00:00:00:00:00:01\",\"area\":\"Hall\"},"
        "{\"name\":\"Ben\",\"irk\":\"ec0234a357c8ad05341010a60a397d9c\"}],"
        "\"areas\":[{\"name\":\"Hall\",\"min_rssi\":-80,\"neighbours\":[\"Kitchen\"]},"
        "{\"name\":\"Kitchen\"}]}";

static const char *const secrets[] = {"hunter-one",
                                      "hunter-two",
                                      "hunter-3",
                                      KEY,
                                      "00112233445566778899aabbccddeeff",
                                      "ffeeddccbbaa99887766554433221100",
                                      "ec0234a357c8ad05341010a60a397d9b",
                                      "ec0234a357c8ad05341010a60a397d9c"};

static struct config *parse(const char *text)
{
    static const char *const parts[] = {"core", NULL};
    struct config_faults faults;
    struct config *config = config_parse(text, strlen(text), parts, &faults);

    for (size_t i = 0; i < faults.count; i++)
        print_error("%s: %s\n", faults.items[i].pointer, faults.items[i].detail);
    assert_non_null(config);
    return config;
}

static json_t *dump(const char *text, bool with_secrets)
{
    struct config *config = parse(text);
    char *dumped = config_dump(config, with_secrets);
    json_t *json = json_loads(dumped, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(json);
    free(dumped);
    config_free(config);
    return json;
}

/* The value at "mqtt.tls.ca", borrowed. */
static json_t *find(json_t *json, const char *key)
{
    char names[128];
    char *rest = NULL;

    (void) snprintf(names, sizeof(names), "%s", key);
    for (char *name = strtok_r(names, ".", &rest); name; name = strtok_r(NULL, ".", &rest))
        json = json_object_get(json, name);
    assert_non_null(json);
    return json;
}

static void an_empty_configuration_is_dumped_with_all_defaults(void **state)
{
    json_t *json = dump("{}", true);
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    (void) state;
    for (size_t i = 0; i < count; i++) {
        json_t *wanted = json_loads(settings[i].standard, JSON_DECODE_ANY, NULL);

        print_message("%s\n", settings[i].key);
        assert_true(json_equal(find(json, settings[i].key), wanted));
        json_decref(wanted);
    }
    assert_int_equal(json_array_size(find(json, "proxies")), 0);
    assert_int_equal(json_array_size(find(json, "devices")), 0);
    assert_int_equal(json_array_size(find(json, "identities")), 0);
    assert_int_equal(json_array_size(find(json, "areas")), 0);
    assert_int_equal(json_array_size(find(json, "matter.servers")), 0);
    json_decref(json);
}

static void a_dump_with_secrets_gives_the_same_configuration_again(void **state)
{
    struct config *config = parse(full);
    char *first = config_dump(config, true), *second;
    struct config *again = parse(first);

    (void) state;
    second = config_dump(again, true);
    assert_string_equal(first, second);
    assert_true(again->scan_ownership_ewma_alpha == config->scan_ownership_ewma_alpha);
    assert_memory_equal(again->proxies[0].encryption_key, config->proxies[0].encryption_key, 32);
    assert_int_equal(again->devices[0].active_scan_duration_s, 10);
    assert_int_equal(again->http_listen.count, 2);
    config_free(config);
    config_free(again);
    free(first);
    free(second);
}

/* Whether all that a says stands in b; addresses in their one form. */
static void assert_holds(json_t *whole, json_t *part, const char *where)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_object(part)) {
        json_object_foreach(part, key, value) assert_holds(json_object_get(whole, key), value, key);
    } else if (json_is_array(part)) {
        assert_int_equal(json_array_size(whole), json_array_size(part));
        json_array_foreach(part, i, value) assert_holds(json_array_get(whole, i), value, where);
    } else if (strcmp(where, "mac") != 0 && strcmp(where, "address") != 0) {
        print_message("%s\n", where);
        assert_true(json_equal(whole, part));
    }
}

static void what_was_set_is_dumped_as_it_was_set(void **state)
{
    json_t *json = dump(full, true), *set = json_loads(full, 0, NULL);
    json_t *proxy = json_array_get(find(json, "proxies"), 0);
    json_t *device = json_array_get(find(json, "devices"), 0);

    (void) state;
    assert_holds(json, set, "");
    assert_string_equal(json_string_value(json_object_get(proxy, "mac")), "24:6F:28:AA:BB:CC");
    assert_string_equal(json_string_value(json_object_get(device, "address")), "A4:C1:38:12:AB:56");
    json_decref(json);
    json_decref(set);
}

static void entries_are_dumped_with_their_defaults(void **state)
{
    json_t *json = dump(full, true);
    json_t *wanted = json_loads("{\"name\":\"hall\",\"host\":\"hall.local\",\"port\":6053,"
                                "\"mac\":null,\"encryption_key\":null,\"password\":null,"
                                "\"area\":null,\"scan_mode\":null,\"enabled\":true,\"weight\":0}",
                                0, NULL);

    (void) state;
    assert_true(json_equal(json_array_get(find(json, "proxies"), 1), wanted));
    json_decref(wanted);
    wanted = json_loads("{\"address\":\"A4:C1:38:12:AB:57\",\"alias\":null,\"area\":null,"
                        "\"route\":{\"require\":[],\"prefer\":[],\"forbid\":[]},"
                        "\"keep_connected\":false,\"active_scan\":null,"
                        "\"expected_interval_s\":null,\"bindkey\":null,\"irk\":null,"
                        "\"publish\":null,\"clear_cccd_on_stop\":true}",
                        0, NULL);
    assert_true(json_equal(json_array_get(find(json, "devices"), 1), wanted));
    json_decref(wanted);
    wanted = json_loads("{\"name\":\"Kitchen\",\"min_rssi\":null,\"neighbours\":[]}", 0, NULL);
    assert_true(json_equal(json_array_get(find(json, "areas"), 1), wanted));
    json_decref(wanted);
    wanted = json_loads("{\"url\":\"ws://n.example\",\"ca\":null,\"authorization\":null,"
                        "\"max_links\":2,\"reserve_slot\":false}",
                        0, NULL);
    assert_true(json_equal(json_array_get(find(json, "matter.servers"), 1), wanted));
    json_decref(wanted);
    json_decref(json);
}

static void a_dump_without_secrets_has_stars_where_they_are(void **state)
{
    struct config *config = parse(full);
    char *shown = config_dump(config, false), *whole = config_dump(config, true);
    json_t *json = json_loads(shown, 0, NULL);
    json_t *proxy = json_array_get(find(json, "proxies"), 0);

    (void) state;
    for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
        assert_non_null(strstr(whole, secrets[i]));
        assert_null(strstr(shown, secrets[i]));
    }
    assert_string_equal(json_string_value(find(json, "mqtt.password")), "***");
    assert_string_equal(json_string_value(find(json, "esphome.single.encryption_key")), "***");
    assert_string_equal(json_string_value(json_object_get(proxy, "encryption_key")), "***");
    assert_true(json_is_null(find(json, "esphome.mirror.encryption_key")));
    json_decref(json);
    config_free(config);
    free(shown);
    free(whole);
}

static void what_the_environment_holds_is_dumped(void **state)
{
    static const char *const parts[] = {"core", NULL};
    char *const environment[] = {"BLEFLEET_MQTT_HOST=broker.example", NULL};
    struct config_faults faults;
    struct config *config = config_parse_under("{}", 2, parts, environment, &faults);
    char *text;

    (void) state;
    assert_non_null(config);
    text = config_dump(config, false);
    assert_non_null(strstr(text, "\"host\":\"broker.example\""));
    free(text);
    config_free(config);
}

static void a_section_is_dumped_alone_and_patched(void **state)
{
    static const char patch[] = "{\"scan\":{\"quiet_s\":null,\"ownership\":{\"margin_db\":12}}}";
    static const char wrong[] = "{\"scan\":{\"ownership\":{\"margin_db\":1000,\"margin\":1}}}";
    static const char text[] = "{\"scan\":{\"quiet_s\":60,\"ownership\":{\"reclaim_db\":7}}}";
    const char *parts[] = {NULL};
    struct config_faults faults;
    struct config *config =
            config_parse_patched(text, strlen(text), patch, strlen(patch), parts, &faults);
    char *section;

    (void) state;
    assert_non_null(config);
    assert_true(config->scan_quiet_s == 90); /* gone, so that the default is back */
    assert_true(config->scan_ownership_margin_db == 12 && config->scan_ownership_reclaim_db == 7);
    section = config_dump_section(config, "recorder", /* with_secrets= */ false);
    assert_string_equal(section, "{\"enabled\":true,\"keep_s\":3600}");
    free(section);
    config_free(config);
    assert_null(config_parse_patched(text, strlen(text), wrong, strlen(wrong), parts, &faults));
    assert_int_equal(faults.count, 2);
    config_faults_done(&faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_section_is_dumped_alone_and_patched),
            cmocka_unit_test(an_empty_configuration_is_dumped_with_all_defaults),
            cmocka_unit_test(a_dump_with_secrets_gives_the_same_configuration_again),
            cmocka_unit_test(what_was_set_is_dumped_as_it_was_set),
            cmocka_unit_test(entries_are_dumped_with_their_defaults),
            cmocka_unit_test(a_dump_without_secrets_has_stars_where_they_are),
            cmocka_unit_test(what_the_environment_holds_is_dumped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
