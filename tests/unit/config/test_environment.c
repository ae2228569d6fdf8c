#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

static const char *const core[] = {"core", NULL};

/* The configuration of {} under one variable, or of the text. */
static struct config *parse_under(const char *text, const char *variable,
                                  struct config_faults *ret_faults)
{
    char *entry = strdup(variable);
    char *const environment[] = {"PATH=/bin", entry, "HOME=/", NULL};
    struct config *config = config_parse_under(text, strlen(text), core, environment, ret_faults);

    free(entry);
    return config;
}

static struct config *parse_valid(const char *text, const char *variable)
{
    struct config_faults faults;
    struct config *config = parse_under(text, variable, &faults);

    for (size_t i = 0; i < faults.count; i++)
        print_error("%s: %s\n", faults.items[i].pointer, faults.items[i].detail);
    assert_non_null(config);
    return config;
}

static void assert_one_fault(const char *variable, const char *pointer, const char *detail)
{
    struct config_faults faults;

    assert_null(parse_under("{}", variable, &faults));
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].pointer, pointer);
    assert_string_equal(faults.items[0].detail, detail);
    config_faults_done(&faults);
}

static void a_variable_wins_over_the_file(void **state)
{
    struct config *config = parse_valid("{\"mqtt\":{\"host\":\"192.0.2.1\",\"port\":1884}}",
                                        "BLEFLEET_MQTT_HOST=broker.example");

    (void) state;
    assert_string_equal(config->mqtt_host, "broker.example");
    assert_int_equal(config->mqtt_port, 1884);
    config_free(config);
}

static void each_type_is_written_as_in_the_file_but_without_quotes(void **state)
{
    struct config_faults faults;
    char *const environment[] = {"BLEFLEET_MQTT_ENABLED=true",
                                 "BLEFLEET_MQTT_PORT=8883",
                                 "BLEFLEET_MQTT_MIN_INTERVAL_S=0.5",
                                 "BLEFLEET_MQTT_PROTOCOL=5",
                                 "BLEFLEET_MQTT_PASSWORD=12345",
                                 "BLEFLEET_MQTT_TLS_CA=/etc/ca.pem",
                                 "BLEFLEET_HTTP_LISTEN=[::1]:0",
                                 "BLEFLEET_ESPHOME_SLOT_QUOTA=7",
                                 NULL};
    struct config *config = config_parse_under("{}", 2, core, environment, &faults);

    (void) state;
    assert_non_null(config);
    assert_true(config->mqtt_enabled);
    assert_int_equal(config->mqtt_port, 8883);
    assert_true(config->mqtt_min_interval_s == 0.5);
    assert_string_equal(config->mqtt_protocol, "5");
    assert_string_equal(config->mqtt_password, "12345");
    assert_string_equal(config->mqtt_tls_ca, "/etc/ca.pem");
    assert_int_equal(config->http_listen.count, 1);
    assert_string_equal(config->http_listen.items[0].host, "::1");
    assert_int_equal(config->esphome_slot_quota, 7);
    assert_int_equal(config->overrides_count, 8);
    config_free(config);
}

static void an_empty_variable_is_null_where_null_is_allowed(void **state)
{
    struct config *config =
            parse_valid("{\"mqtt\":{\"username\":\"ops\"}}", "BLEFLEET_MQTT_USERNAME=");

    (void) state;
    assert_null(config->mqtt_username);
    config_free(config);
    config = parse_valid("{\"esphome\":{\"slot_quota\":3}}", "BLEFLEET_ESPHOME_SLOT_QUOTA=");
    assert_true(config->esphome_slot_quota == INT64_MIN);
    config_free(config);
    assert_one_fault("BLEFLEET_MQTT_PORT=", "/mqtt/port",
                     "BLEFLEET_MQTT_PORT must be a whole number, found a string");
}

static void a_bad_value_is_a_fault_that_names_the_variable(void **state)
{
    (void) state;
    assert_one_fault("BLEFLEET_MQTT_PORT=99999", "/mqtt/port",
                     "BLEFLEET_MQTT_PORT must be 1 to 65535, found 99999");
    assert_one_fault("BLEFLEET_MQTT_ENABLED=yes", "/mqtt/enabled",
                     "BLEFLEET_MQTT_ENABLED must be true or false, found a string");
    assert_one_fault("BLEFLEET_LOG_LEVEL=loud", "/log/level",
                     "BLEFLEET_LOG_LEVEL must be one of: error warning info debug; found \"loud\"");
    assert_one_fault("BLEFLEET_MQTT_USERNAME=\xff", "/mqtt/username",
                     "BLEFLEET_MQTT_USERNAME must be text in UTF-8");
    assert_one_fault("BLEFLEET_MQTT_TLS_CA=a\nb", "/mqtt/tls/ca",
                     "BLEFLEET_MQTT_TLS_CA holds a control character (a line end, a tab …)");
}

static void a_fault_of_the_environment_tells_no_secret(void **state)
{
    (void) state;
    assert_one_fault("BLEFLEET_ESPHOME_SINGLE_ENCRYPTION_KEY=correct-horse",
                     "/esphome/single/encryption_key",
                     "BLEFLEET_ESPHOME_SINGLE_ENCRYPTION_KEY must be 32 octets in base64 (44 "
                     "characters)");
    assert_one_fault("BLEFLEET_MQTT_PASSWORD=***", "/mqtt/password",
                     "BLEFLEET_MQTT_PASSWORD is \"***\", which stands for a secret where it is "
                     "shown: write the secret itself");
}

static void rules_over_several_settings_hold_for_the_environment(void **state)
{
    struct config_faults faults;

    (void) state;
    assert_null(parse_under("{}", "BLEFLEET_HTTP_TLS_CERT=a.pem", &faults));
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].pointer, "/http/tls/cert");
    config_faults_done(&faults);
}

static void it_is_known_which_variable_holds_a_setting(void **state)
{
    struct config *config = parse_valid("{}", "BLEFLEET_SCAN_OWNERSHIP_MARGIN_DB=20");

    (void) state;
    assert_string_equal(config_override(config, "scan.ownership.margin_db"),
                        "BLEFLEET_SCAN_OWNERSHIP_MARGIN_DB");
    assert_null(config_override(config, "scan.ownership.reclaim_db"));
    assert_null(config_override(config, "scan.ownership"));
    config_free(config);
}

static void a_variable_of_a_missing_part_is_named_as_without_effect(void **state)
{
    struct config *config = parse_valid("{}", "BLEFLEET_RECORDER_KEEP_S=60");

    (void) state;
    assert_int_equal(config->without_effect.count, 1);
    assert_string_equal(config->without_effect.items[0], "recorder.keep_s");
    config_free(config);
}

static void unknown_variables_are_named_and_harmless(void **state)
{
    struct config_faults faults;
    char *const environment[] = {"BLEFLEET_MQTT_HOTS=x",
                                 "BLEFLEET_TOKEN_FILE=/run/tokens",
                                 "BLEFLEET_HTTP_HOSTS=a,b", /* a list */
                                 "BLEFLEET_PROXIES=[]",     /* objects */
                                 "BLEFLEET",
                                 "BLEFLEET_MQTT_HOST", /* no value, no variable */
                                 "BLEFLEETX_MQTT_HOST=x",
                                 NULL};
    struct config *config = config_parse_under("{}", 2, core, environment, &faults);

    (void) state;
    assert_non_null(config);
    assert_int_equal(config->overrides_count, 0);
    assert_int_equal(config->http_hosts.count, 0);
    assert_int_equal(config->unknown_variables.count, 4);
    assert_string_equal(config->unknown_variables.items[0], "BLEFLEET_MQTT_HOTS");
    assert_string_equal(config->unknown_variables.items[1], "BLEFLEET_HTTP_HOSTS");
    assert_string_equal(config->unknown_variables.items[2], "BLEFLEET_PROXIES");
    config_free(config);
}

static void a_flood_of_unknown_variables_is_bounded(void **state)
{
    char *environment[501] = {NULL};
    struct config_faults faults;
    struct config *config;

    (void) state;
    for (int i = 0; i < 500; i++) {
        environment[i] = malloc(1000);
        (void) snprintf(environment[i], 1000, "BLEFLEET_%0900d=x", i);
    }
    config = config_parse_under("{}", 2, core, environment, &faults);
    assert_non_null(config);
    assert_int_equal(config->unknown_variables.count, 100);
    assert_int_equal(strlen(config->unknown_variables.items[0]), 127);
    config_free(config);
    for (int i = 0; i < 500; i++)
        free(environment[i]);
}

/* "a.b_c" and "a_b.c" would share one. */
static void no_two_settings_share_a_variable(void **state)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    (void) state;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            char a[128], b[128];

            (void) snprintf(a, sizeof(a), "%s", settings[i].key);
            (void) snprintf(b, sizeof(b), "%s", settings[k].key);
            for (char *c = a; *c; c++)
                *c = *c == '.' ? '_' : *c;
            for (char *c = b; *c; c++)
                *c = *c == '.' ? '_' : *c;
            assert_string_not_equal(a, b);
        }
    }
}

/* The default of each setting, written as a variable, is accepted, and its variable is found. */
static void every_single_setting_has_its_variable(void **state)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    (void) state;
    for (size_t i = 0; i < count; i++) {
        char name[128], entry[400];
        size_t length = strlen(settings[i].standard);
        bool is_text = settings[i].standard[0] == '"';
        bool is_null = strcmp(settings[i].standard, "null") == 0;
        struct config *config;

        if (settings[i].type == CONFIG_TEXTS)
            continue;
        (void) snprintf(name, sizeof(name), "BLEFLEET_%s", settings[i].key);
        for (char *c = name + 9; *c; c++)
            *c = (char) (*c == '.' ? '_' : *c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        (void) snprintf(entry, sizeof(entry), "%s=%.*s", name,
                        is_null ? 0 : (int) (is_text ? length - 2 : length),
                        settings[i].standard + is_text);
        config = parse_valid("{}", entry);
        assert_string_equal(config_override(config, settings[i].key), name);
        assert_int_equal(config->unknown_variables.count, 0);
        config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_variable_wins_over_the_file),
            cmocka_unit_test(each_type_is_written_as_in_the_file_but_without_quotes),
            cmocka_unit_test(an_empty_variable_is_null_where_null_is_allowed),
            cmocka_unit_test(a_bad_value_is_a_fault_that_names_the_variable),
            cmocka_unit_test(a_fault_of_the_environment_tells_no_secret),
            cmocka_unit_test(rules_over_several_settings_hold_for_the_environment),
            cmocka_unit_test(it_is_known_which_variable_holds_a_setting),
            cmocka_unit_test(a_variable_of_a_missing_part_is_named_as_without_effect),
            cmocka_unit_test(unknown_variables_are_named_and_harmless),
            cmocka_unit_test(a_flood_of_unknown_variables_is_bounded),
            cmocka_unit_test(no_two_settings_share_a_variable),
            cmocka_unit_test(every_single_setting_has_its_variable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
