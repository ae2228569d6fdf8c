#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "fake_links.h"
#include "json/info_json.h"
#include "json/proxy_json.h"

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct gateway_proxy *proxy;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\","
                            "\"area\":\"Kitchen\",\"weight\":-2.5},"
                            "{\"name\":\"attic\",\"host\":\"192.0.2.11\",\"enabled\":false}]}");
    f->gateway = fake_gateway_new(f->config);
    f->proxy = fake_gateway_proxy(f->gateway, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static json_t *parse(struct writer *w)
{
    json_t *parsed = json_loadb((const char *) buffer_front(&w->text), buffer_size(&w->text),
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

    assert_non_null(parsed);
    writer_done(w);
    return parsed;
}

static json_t *written(const struct fixture *f)
{
    struct writer w = {0};

    proxy_json_write(&w, NULL, f->gateway, f->proxy);
    return parse(&w);
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void proxy_that_has_told_nothing_has_nulls(void **state)
{
    static const char *const nulls[] = {
            "last_error", "retry_at",        "mac",         "bluetooth_mac",
            "model",      "esphome_version", "api_version", "last_advertisement",
            "rtt_ms"};
    json_t *proxy = written(*state);

    for (size_t i = 0; i < ARRAY_SIZE(nulls); i++)
        assert_true(json_is_null(json_object_get(proxy, nulls[i])));
    assert_string_equal(text(proxy, "name"), "kitchen");
    assert_true(json_number_value(json_object_get(proxy, "weight")) == -2.5);
    assert_string_equal(text(json_object_get(proxy, "scanner"), "configured"), "auto");
    assert_true(json_is_null(json_object_get(json_object_get(proxy, "slots"), "limit")));
    assert_int_equal(json_object_size(proxy), 26);
    json_decref(proxy);
}

static void proxy_shows_its_features_by_name(void **state)
{
    struct fixture *f = *state;
    json_t *proxy, *features;

    f->proxy->features = 1 << 0 | 1 << 6;
    proxy = written(f);
    features = json_object_get(proxy, "features");
    assert_int_equal(json_array_size(features), 2);
    assert_string_equal(json_string_value(json_array_get(features, 0)), "passive_scan");
    assert_string_equal(json_string_value(json_array_get(features, 1)), "state_and_mode");
    json_decref(proxy);
}

static void scanner_tells_what_is_wanted_and_what_runs(void **state)
{
    struct fixture *f = *state;
    json_t *proxy, *scanner;
    uint64_t number;

    f->proxy->scanner_mode = "active";
    f->proxy->scanner_state = "running";
    assert_int_equal(gateway_open_window(f->gateway, 0, 0, 10 * USEC_PER_SEC, &number), 0);
    proxy = written(f);
    scanner = json_object_get(proxy, "scanner");
    assert_string_equal(text(scanner, "configured"), "auto");
    assert_string_equal(text(scanner, "mode"), "active");
    assert_string_equal(text(scanner, "state"), "running");
    assert_string_equal(text(scanner, "window"), "w1");
    json_decref(proxy);
    fake_gateway_close_windows(f->gateway);
    proxy = written(f);
    assert_true(json_is_null(json_object_get(json_object_get(proxy, "scanner"), "window")));
    json_decref(proxy);
}

static void slots_tell_who_holds_them(void **state)
{
    static const uint64_t allocated[] = {0xa4c13812ab56, 0x112233445566};
    struct fixture *f = *state;
    json_t *proxy, *slots, *entry;

    f->proxy->has_slots = true;
    f->proxy->slots_limit = 3;
    f->proxy->slots_free = 1;
    f->proxy->slots_allocated = allocated;
    f->proxy->slots_allocated_count = 2;
    fake_links_proxy(f->gateway, 0)->ours = 1;
    fake_links_proxy(f->gateway, 0)->orphans = 1;
    fake_links_take_slot(f->gateway, 0, 0xa4c13812ab56, "ours");
    fake_links_take_slot(f->gateway, 0, 0x112233445566, "orphan");
    proxy = written(f);
    slots = json_object_get(proxy, "slots");
    assert_int_equal(json_integer_value(json_object_get(slots, "ours")), 1);
    assert_int_equal(json_integer_value(json_object_get(slots, "foreign")), 0);
    assert_int_equal(json_integer_value(json_object_get(slots, "orphans")), 1);
    assert_int_equal(json_array_size(json_object_get(slots, "allocated")), 2);
    entry = json_array_get(json_object_get(slots, "entries"), 1);
    assert_string_equal(text(entry, "holder"), "orphan");
    assert_string_equal(text(entry, "address"), "11:22:33:44:55:66");
    assert_string_equal(text(entry, "since"), "2026-11-21T10:00:00.000Z");
    json_decref(proxy);
}

static void C14_attempts_of_a_proxy_are_counted(void **state)
{
    struct fixture *f = *state;
    json_t *proxy = written(f), *attempts = json_object_get(proxy, "attempts");

    assert_true(json_is_null(json_object_get(attempts, "last_success")));
    json_decref(proxy);
    *fake_links_proxy(f->gateway, 0) = (struct gateway_proxy_links){
            .in_progress = 1,
            .completed = 41,
            .failed = 2,
            .last_success = FAKE_START,
    };
    proxy = written(f);
    attempts = json_object_get(proxy, "attempts");
    assert_int_equal(json_integer_value(json_object_get(attempts, "in_progress")), 1);
    assert_int_equal(json_integer_value(json_object_get(attempts, "completed")), 41);
    assert_int_equal(json_integer_value(json_object_get(attempts, "failed")), 2);
    assert_string_equal(text(attempts, "last_success"), "2026-11-21T10:00:00.000Z");
    json_decref(proxy);
}

static void assert_error_code(struct fixture *f, int cause, const char *code)
{
    json_t *proxy, *error;

    f->proxy->last_error = (struct gateway_error){cause, NULL, FAKE_START};
    proxy = written(f);
    error = json_object_get(proxy, "last_error");
    assert_string_equal(text(error, "code"), code);
    assert_non_null(text(error, "detail"));
    json_decref(proxy);
}

static void last_error_has_a_code_of_the_contract_whatever_the_cause(void **state)
{
    assert_error_code(*state, E_WRONG_KEY, "wrong_key");
    assert_error_code(*state, E_DISCONNECTED, "closed");
    assert_error_code(*state, -ECONNREFUSED, "refused");
    assert_error_code(*state, -ECONNRESET, "closed");
    assert_error_code(*state, -ETIMEDOUT, "timeout");
    assert_error_code(*state, -EHOSTUNREACH, "unreachable");
}

static size_t count_advisories(struct fixture *f, const char *version, uint32_t features)
{
    json_t *proxy;
    size_t count;

    f->proxy->esphome_version = version;
    f->proxy->features = features;
    proxy = written(f);
    count = json_array_size(json_object_get(proxy, "advisories"));
    json_decref(proxy);
    return count;
}

static void advisories_name_what_is_known_of_firmware(void **state)
{
    const uint32_t active_connections = 1 << 1;

    assert_int_equal(count_advisories(*state, "2025.7.5", active_connections), 2);
    assert_int_equal(count_advisories(*state, "2024.12.0", active_connections), 2);
    assert_int_equal(count_advisories(*state, "2025.8.0", active_connections), 1);
    assert_int_equal(count_advisories(*state, "2026.1.0", active_connections), 1);
    assert_int_equal(count_advisories(*state, "2026.8.0", active_connections), 0);
    assert_int_equal(count_advisories(*state, "2025.7.5", 0), 1);
    assert_int_equal(count_advisories(*state, "nonsense", active_connections), 0);
    assert_int_equal(count_advisories(*state, NULL, active_connections), 0);
}

static void readiness_warns_of_enabled_proxies_that_are_away(void **state)
{
    struct fixture *f = *state;
    struct writer w = {0};
    json_t *health;

    info_json_write_readiness(&w, NULL, f->gateway, NULL);
    health = parse(&w);
    assert_string_equal(text(health, "status"), "pass");
    json_decref(health);

    f->proxy->is_online = false;
    info_json_write_readiness(&w, NULL, f->gateway, NULL);
    health = parse(&w);
    assert_string_equal(text(health, "status"), "warn");
    assert_string_equal(
            text(json_object_get(json_object_get(health, "checks"), "proxies"), "detail"),
            "0 of 1 online");
    json_decref(health);
}

static void X08_readiness_warns_of_a_quiet_proxy(void **state)
{
    struct fixture *f = *state;
    struct writer w = {0};
    json_t *health;

    f->proxy->quiet_since = gateway_now(f->gateway) - 94 * USEC_PER_SEC;
    info_json_write_readiness(&w, NULL, f->gateway, NULL);
    health = parse(&w);
    assert_string_equal(text(health, "status"), "warn");
    assert_string_equal(
            text(json_object_get(json_object_get(health, "checks"), "proxies"), "detail"),
            "1 of 1 online, 1 quiet");
    json_decref(health);
}

static void X08_a_quiet_proxy_is_advised_of_in_words(void **state)
{
    struct fixture *f = *state;
    json_t *proxy, *advisory;

    f->proxy->quiet_since = gateway_now(f->gateway) - 94 * USEC_PER_SEC;
    proxy = written(f);
    advisory = json_array_get(json_object_get(proxy, "advisories"), 0);
    assert_string_equal(text(advisory, "code"), "quiet");
    assert_string_equal(text(advisory, "text"), "Has heard nothing for 94 s.");
    assert_true(json_is_null(json_object_get(advisory, "fixed_in")));
    json_decref(proxy);
}

static void readiness_fails_while_the_store_cannot_be_written(void **state)
{
    const struct gateway_keeping failing = {
            .is_kept = true, .is_failing = true, .error = "the disk is full"};
    struct fixture *f = *state;
    struct writer w = {0};
    json_t *health;

    fake_gateway_keep(f->gateway, &failing);
    assert_false(info_json_write_readiness(&w, NULL, f->gateway, NULL));
    health = parse(&w);
    assert_string_equal(text(health, "status"), "fail");
    assert_string_equal(text(json_object_get(json_object_get(health, "checks"), "store"), "detail"),
                        "the disk is full");
    json_decref(health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(readiness_fails_while_the_store_cannot_be_written,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(proxy_that_has_told_nothing_has_nulls, setup, teardown),
            cmocka_unit_test_setup_teardown(proxy_shows_its_features_by_name, setup, teardown),
            cmocka_unit_test_setup_teardown(scanner_tells_what_is_wanted_and_what_runs, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(slots_tell_who_holds_them, setup, teardown),
            cmocka_unit_test_setup_teardown(C14_attempts_of_a_proxy_are_counted, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    last_error_has_a_code_of_the_contract_whatever_the_cause, setup, teardown),
            cmocka_unit_test_setup_teardown(advisories_name_what_is_known_of_firmware, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(X08_readiness_warns_of_a_quiet_proxy, setup, teardown),
            cmocka_unit_test_setup_teardown(X08_a_quiet_proxy_is_advised_of_in_words, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(readiness_warns_of_enabled_proxies_that_are_away, setup,
                                            teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
