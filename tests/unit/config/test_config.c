#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "config/config_file.h"

#define KEY    "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=" /* "ABC…Zabcdef" */
#define SECRET "correct-horse-battery"

static const char *const core[] = {"core", NULL};
static char *const none[] = {NULL}; /* an empty environment */

static struct config *parse(const char *text, struct config_faults *ret_faults)
{
    return config_parse(text, strlen(text), core, ret_faults);
}

static struct config *parse_valid(const char *text)
{
    struct config_faults faults;
    struct config *config = parse(text, &faults);

    for (size_t i = 0; i < faults.count; i++)
        print_error("%s: %s\n", faults.items[i].pointer, faults.items[i].detail);
    assert_non_null(config);
    assert_int_equal(faults.count, 0);
    return config;
}

static bool has_fault(const struct config_faults *faults, const char *pointer, const char *part)
{
    for (size_t i = 0; i < faults->count; i++) {
        if (strcmp(faults->items[i].pointer, pointer) == 0 && strstr(faults->items[i].detail, part))
            return true;
    }
    for (size_t i = 0; i < faults->count; i++)
        print_error("\"%s\": %s\n", faults->items[i].pointer, faults->items[i].detail);
    print_error("wanted \"%s\": …%s…\n", pointer, part);
    return false;
}

/* The text has exactly this one fault, and its detail holds this part. */
static void assert_one_fault(const char *text, const char *pointer, const char *part)
{
    struct config_faults faults;

    assert_null(parse(text, &faults));
    assert_true(has_fault(&faults, pointer, part));
    assert_int_equal(faults.count, 1);
    config_faults_done(&faults);
}

static void assert_valid(const char *text)
{
    config_free(parse_valid(text));
}

/* ---- settings ---- */

static void an_empty_object_gives_the_defaults(void **state)
{
    struct config *config = parse_valid("{}");

    (void) state;
    assert_int_equal(config->http_listen.count, 1);
    assert_string_equal(config->http_listen.items[0].host, "127.0.0.1");
    assert_int_equal(config->http_listen.items[0].port, 8080);
    assert_int_equal(config->http_hosts.count, 0);
    assert_int_equal(config->limits_devices, 50000);
    assert_true(config->scan_apple_filter);
    assert_true(config->scan_ownership_ewma_alpha == 0.3);
    assert_string_equal(config->log_level, "info");
    assert_null(config->mqtt_password);
    assert_true(config->esphome_slot_quota == INT64_MIN);
    assert_int_equal(config->proxies_count, 0);
    assert_int_equal(config->devices_count, 0);
    assert_int_equal(config->without_effect.count, 0);
    config_free(config);
}

static void settings_of_the_file_replace_defaults(void **state)
{
    struct config *config = parse_valid(
            "{\"http\":{\"listen\":[\"[::1]:0\",\"localhost:65535\"],\"hosts\":[\"ble.lan\"]},"
            "\"scan\":{\"apple_filter\":false,\"quiet_s\":30,\"ownership\":{\"margin_db\":12.5}},"
            "\"log\":{\"level\":\"debug\"},\"limits\":{\"devices\":1000000}}");

    (void) state;
    assert_int_equal(config->http_listen.count, 2);
    assert_string_equal(config->http_listen.items[0].host, "::1");
    assert_int_equal(config->http_listen.items[0].port, 0);
    assert_int_equal(config->http_listen.items[1].port, 65535);
    assert_string_equal(config->http_hosts.items[0], "ble.lan");
    assert_false(config->scan_apple_filter);
    assert_int_equal(config->scan_quiet_s, 30);
    assert_true(config->scan_ownership_margin_db == 12.5);
    assert_string_equal(config->log_level, "debug");
    assert_int_equal(config->limits_devices, 1000000);
    config_free(config);
}

static void settings_of_missing_parts_are_named_as_without_effect(void **state)
{
    struct config *config = parse_valid(
            "{\"mqtt\":{\"enabled\":true},\"identities\":[],\"scan\":{\"apple_filter\":true},"
            "\"matter\":{\"servers\":[{\"url\":\"wss://ha.lan/ws\"}]},"
            "\"devices\":[{\"address\":\"A4C13812AB56\",\"keep_connected\":true},"
            "{\"address\":\"A4C13812AB57\",\"keep_connected\":null}]}");

    (void) state;
    assert_int_equal(config->without_effect.count, 4);
    assert_string_equal(config->without_effect.items[0], "mqtt.enabled");
    assert_string_equal(config->without_effect.items[1], "identities");
    assert_string_equal(config->without_effect.items[2], "matter.servers");
    assert_string_equal(config->without_effect.items[3], "devices.keep_connected");
    config_free(config);
}

static void ranges_include_both_ends(void **state)
{
    (void) state;
    assert_valid("{\"scan\":{\"quiet_s\":30}}");
    assert_valid("{\"scan\":{\"quiet_s\":3600}}");
    assert_one_fault("{\"scan\":{\"quiet_s\":29}}", "/scan/quiet_s", "30 to 3600");
    assert_one_fault("{\"scan\":{\"quiet_s\":3601}}", "/scan/quiet_s", "30 to 3600");
    assert_valid("{\"scan\":{\"ownership\":{\"ewma_alpha\":0.01}}}");
    assert_one_fault("{\"scan\":{\"ownership\":{\"ewma_alpha\":0.009}}}",
                     "/scan/ownership/ewma_alpha", "0.01 to 1");
    assert_one_fault("{\"scan\":{\"quiet_s\":9223372036854775807}}", "/scan/quiet_s", "30 to 3600");
    assert_valid("{\"scan\":{\"ownership\":{\"strong_dbm\":-127}}}");
    assert_valid("{\"esphome\":{\"slot_quota\":null}}");
    assert_one_fault("{\"esphome\":{\"slot_quota\":0}}", "/esphome/slot_quota", "1 to 64");
}

static void types_are_checked(void **state)
{
    (void) state;
    assert_one_fault("{\"scan\":{\"quiet_s\":\"90\"}}", "/scan/quiet_s",
                     "must be a whole number, found a string");
    assert_one_fault("{\"scan\":{\"quiet_s\":90.5}}", "/scan/quiet_s", "whole number");
    assert_valid("{\"scan\":{\"quiet_s\":90.0}}");
    assert_one_fault("{\"scan\":{\"quiet_s\":null}}", "/scan/quiet_s", "found null");
    assert_one_fault("{\"scan\":{\"apple_filter\":1}}", "/scan/apple_filter", "true or false");
    assert_one_fault("{\"scan\":[]}", "/scan", "must be an object, found a list");
    assert_one_fault("{\"scan\":null}", "/scan", "must be an object, found null");
    assert_one_fault("{\"proxies\":{}}", "/proxies", "must be a list, found an object");
    assert_one_fault("{\"mqtt\":{\"host\":7}}", "/mqtt/host", "must be a string, found a number");
    assert_one_fault("{\"mqtt\":{\"username\":7}}", "/mqtt/username", "a string or null");
    assert_one_fault("{\"http\":{\"hosts\":[\"a\",1]}}", "/http/hosts/1", "must be a string");
    assert_one_fault("{\"log\":{\"level\":true}}", "/log/level", "error warning info debug");
}

static void words_and_texts_follow_their_rules(void **state)
{
    (void) state;
    assert_one_fault("{\"log\":{\"level\":\"inf\"}}", "/log/level",
                     "must be one of: error warning info debug; found \"inf\"");
    assert_one_fault("{\"log\":{\"level\":\"\"}}", "/log/level", "one of");
    assert_one_fault("{\"log\":{\"level\":\"info|debug\"}}", "/log/level", "one of");
    assert_valid("{\"mqtt\":{\"protocol\":\"3.1.1\"}}");
    assert_one_fault("{\"mqtt\":{\"base_topic\":\"a/#\"}}", "/mqtt/base_topic", "without + and #");
    assert_one_fault("{\"mqtt\":{\"base_topic\":\"\"}}", "/mqtt/base_topic", "topic");
    assert_valid("{\"esphome\":{\"single\":{\"name\":\"a-0123456789-0123456789-012345z\"}}}");
    assert_one_fault("{\"esphome\":{\"single\":{\"name\":\"A\"}}}", "/esphome/single/name", "a-z");
    assert_one_fault("{\"esphome\":{\"single\":{\"name\":\"0123456789012345678901234567890x\"}}}",
                     "/esphome/single/name", "1 to 31");
    assert_one_fault("{\"mqtt\":{\"host\":\"a b\"}}", "/mqtt/host", "host name");
    assert_one_fault("{\"mqtt\":{\"username\":\"a\\nb\"}}", "/mqtt/username", "control character");
}

static void listen_addresses_have_a_port(void **state)
{
    static const char *const wrong[] = {
            "127.0.0.1",
            ":8080",
            "127.0.0.1:",
            "127.0.0.1:65536",
            "127.0.0.1:123456",
            "127.0.0.1:x",
            "::1:8080",
            "[::1]",
            "[::g]:1",
            "[127.0.0.1]:1",
            "a b:1",
            "[]:1",
            "127.0.0.1:-1",
            "",
    };
    char text[200];

    (void) state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"http\":{\"listen\":\"%s\"}}", wrong[i]);
        assert_one_fault(text, "/http/listen", "must be address:port");
    }
    assert_one_fault("{\"http\":{\"listen\":[]}}", "/http/listen", "1 to 8");
    assert_one_fault("{\"http\":{\"listen\":[\"127.0.0.1:1\",\"127.0.0.1:1\"]}}", "/http/listen/1",
                     "twice");
    assert_valid("{\"http\":{\"listen\":[\"127.0.0.1:0\",\"127.0.0.1:0\"]}}");
    assert_one_fault("{\"http\":{\"listen\":[\"127.0.0.1:1\",7]}}", "/http/listen/1", "string");
}

/* "": nothing is said. */
static void expect_listen_fault(const char *text, const char *part)
{
    struct config_faults faults;
    struct config *config = parse(text, &faults);

    assert_non_null(config);
    config_check_listen(config, &faults);
    assert_int_equal(faults.count, part[0] ? 1 : 0);
    if (faults.count > 0) {
        assert_string_equal(faults.items[0].pointer, "/http/listen");
        assert_non_null(strstr(faults.items[0].detail, part));
    }
    config_free(config);
    config_faults_done(&faults);
}

static void listening_off_loopback_is_refused_without_a_token(void **state)
{
    (void) state;
    expect_listen_fault("{\"http\":{\"listen\":\"0.0.0.0:8080\"}}", "token");
    expect_listen_fault("{\"http\":{\"listen\":[\"127.0.0.1:1\",\"[::]:8080\"]}}",
                        ":: can be reached");
    expect_listen_fault("{\"http\":{\"listen\":\"myhost:8080\"}}", "token");
    expect_listen_fault("{\"http\":{\"listen\":\"127.9.9.9:8080\"}}", "");
    expect_listen_fault("{\"http\":{\"listen\":\"[::ffff:127.0.0.1]:8080\"}}", "");
}

static void listening_off_loopback_without_protection_is_refused(void **state)
{
    (void) state;
    assert_one_fault("{\"esphome\":{\"single\":{\"enabled\":true,\"listen\":\"0.0.0.0:6054\"}}}",
                     "/esphome/single/listen", "encryption_key");
    assert_valid("{\"esphome\":{\"single\":{\"enabled\":false,\"listen\":\"0.0.0.0:6054\"}}}");
    assert_valid("{\"esphome\":{\"single\":{\"enabled\":true,\"listen\":\"0.0.0.0:6054\","
                 "\"encryption_key\":\"" KEY "\"}}}");
    assert_one_fault("{\"esphome\":{\"mirror\":{\"enabled\":true,\"address\":\"192.0.2.1\"}}}",
                     "/esphome/mirror/address", "encryption_key");
}

static void tls_wants_certificate_and_key(void **state)
{
    (void) state;
    assert_one_fault("{\"http\":{\"tls\":{\"cert\":\"a.pem\"}}}", "/http/tls/cert", "http.tls.key");
    assert_one_fault("{\"http\":{\"tls\":{\"key\":\"a.pem\"}}}", "/http/tls/key", "http.tls.cert");
    assert_valid("{\"http\":{\"tls\":{\"key\":\"a.pem\",\"cert\":\"b.pem\"}}}");
}

/* ---- keys ---- */

static void an_unknown_key_names_the_nearest(void **state)
{
    (void) state;
    assert_one_fault("{\"proxys\":[]}", "/proxys", "did you mean \"proxies\"?");
    assert_one_fault("{\"http\":{\"lisen\":1}}", "/http/lisen", "did you mean \"listen\"?");
    assert_one_fault("{\"scan\":{\"ownership\":{\"margin\":1}}}", "/scan/ownership/margin",
                     "did you mean \"margin_db\"?");
    assert_one_fault("{\"matter\":{\"server\":[]}}", "/matter/server", "did you mean \"servers\"?");
    assert_one_fault("{\"xyzzy\":1}", "/xyzzy", "is not a known key");
    assert_one_fault("{\"http.listen\":\"127.0.0.1:1\"}", "/http.listen", "objects nest");
    assert_one_fault("{\"mqtt.tls\":{}}", "/mqtt.tls", "is not a known key");
    assert_one_fault("{\"proxies\":[{\"name\":\"a\",\"host\":\"b\",\"key\":1}]}", "/proxies/0/key",
                     "is not a known key");
    assert_one_fault("{\"proxies\":[{\"name\":\"a\",\"host\":\"b\",\"prot\":1}]}",
                     "/proxies/0/prot", "did you mean \"port\"?");
}

static void pointers_are_escaped(void **state)
{
    (void) state;
    assert_one_fault("{\"a/b~c\":1}", "/a~1b~0c", "not a known key");
    assert_one_fault("{\"\":1}", "/", "not a known key");
}

static void a_long_unknown_key_is_no_trouble(void **state)
{
    struct buffer text = {0};
    struct config_faults faults;

    (void) state;
    buffer_append_text(&text, "{\"");
    for (int i = 0; i < 5000; i++)
        buffer_append_char(&text, 'a');
    buffer_append_text(&text, "\":1}");
    assert_null(
            config_parse((const char *) buffer_front(&text), buffer_size(&text), core, &faults));
    assert_int_equal(faults.count, 1);
    assert_int_equal(strlen(faults.items[0].pointer), 5001);
    config_faults_done(&faults);
    buffer_done(&text);
}

/* ---- lists ---- */

static void a_proxy_has_all_its_fields(void **state)
{
    struct config *config = parse_valid(
            "{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"},"
            "{\"name\":\"hall.2\",\"host\":\"hall.local\",\"port\":1,\"mac\":\"24-6f-28-aa-bb-cc\","
            "\"encryption_key\":\"" KEY "\",\"password\":\"" SECRET "\",\"area\":\"Hall\","
            "\"scan_mode\":\"active\",\"enabled\":false,\"weight\":-30}]}");
    const struct config_proxy *proxy = &config->proxies[1];

    (void) state;
    assert_int_equal(config->proxies_count, 2);
    assert_string_equal(config->proxies[0].name, "kitchen");
    assert_string_equal(config->proxies[0].host, "192.0.2.10");
    assert_int_equal(config->proxies[0].port, 6053);
    assert_true(config->proxies[0].is_enabled);
    assert_false(config->proxies[0].is_encrypted);
    assert_false(config->proxies[0].has_mac);
    assert_int_equal(proxy->port, 1);
    assert_true(proxy->has_mac);
    assert_true(proxy->mac == 0x246f28aabbcc);
    assert_true(proxy->is_encrypted);
    assert_memory_equal(proxy->encryption_key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef", 32);
    assert_string_equal(proxy->password, SECRET);
    assert_string_equal(proxy->area, "Hall");
    assert_string_equal(proxy->scan_mode, "active");
    assert_false(proxy->is_enabled);
    assert_true(proxy->weight == -30);
    config_free(config);
}

static void a_device_has_all_its_fields(void **state)
{
    struct config *config = parse_valid(
            "{\"devices\":[{\"address\":\"a4:c1:38:12:ab:56\",\"alias\":\"Fridge\",\"area\":"
            "\"Kitchen\","
            "\"route\":{\"require\":[\"a\"],\"prefer\":[\"b\",\"c\"]},\"keep_connected\":true,"
            "\"active_scan\":{\"interval_s\":60},\"expected_interval_s\":0.1,"
            "\"bindkey\":\"231d39c1d7cc1ab1aee224cd096db932\",\"irk\":\"7AI0o1fIrQU0EBphCjl9mw==\","
            "\"publish\":false,\"clear_cccd_on_stop\":false},"
            "{\"address\":\"A4C13812AB57\",\"alias\":null,\"route\":null,\"active_scan\":null,"
            "\"publish\":null,\"clear_cccd_on_stop\":null}]}");
    const struct config_device *device = config->devices;

    (void) state;
    assert_int_equal(config->devices_count, 2);
    assert_true(device->address == 0xa4c13812ab56);
    assert_string_equal(device->alias, "Fridge");
    assert_string_equal(device->area, "Kitchen");
    assert_int_equal(device->route_require.count, 1);
    assert_string_equal(device->route_prefer.items[1], "c");
    assert_int_equal(device->route_forbid.count, 0);
    assert_true(device->keep_connected);
    assert_int_equal(device->active_scan_interval_s, 60);
    assert_int_equal(device->active_scan_duration_s, 10);
    assert_true(device->expected_interval_s == 0.1);
    assert_non_null(device->bindkey);
    assert_non_null(device->irk);
    assert_int_equal(device->publish, 0);
    assert_false(device->clear_cccd_on_stop);
    device++;
    assert_null(device->alias);
    assert_int_equal(device->active_scan_interval_s, 0);
    assert_int_equal(device->publish, -1);
    assert_true(device->clear_cccd_on_stop);
    config_free(config);
}

static void names_are_given_once(void **state)
{
    (void) state;
    assert_one_fault(
            "{\"proxies\":[{\"name\":\"b\",\"host\":\"h\"},{\"name\":\"a\",\"host\":\"h\"},"
            "{\"name\":\"b\",\"host\":\"h\"}]}",
            "/proxies/2/name", "\"b\" is taken by /proxies/0/name");
    assert_one_fault(
            "{\"devices\":[{\"address\":\"A4C13812AB56\"},{\"address\":\"a4-c1-38-12-ab-56\"}]}",
            "/devices/1/address", "\"A4:C1:38:12:AB:56\" is taken by /devices/0/address");
    assert_one_fault(
            "{\"devices\":[{\"address\":\"A4C13812AB56\",\"alias\":\"x\"}],"
            "\"identities\":[{\"name\":\"x\",\"irk\":\"ec0234a357c8ad05341010a60a397d9b\"}]}",
            "/identities/0/name", "taken by /devices/0/alias");
    assert_one_fault("{\"areas\":[{\"name\":\"x\"},{\"name\":\"x\",\"min_rssi\":-80}]}",
                     "/areas/1/name", "taken by");
}

static void entries_need_what_makes_them(void **state)
{
    struct config_faults faults;

    (void) state;
    assert_null(parse("{\"proxies\":[{}, 7],\"devices\":[{}],\"identities\":[{\"name\":\"a\"}]}",
                      &faults));
    assert_true(has_fault(&faults, "/proxies/0", "must have \"name\""));
    assert_true(has_fault(&faults, "/proxies/0", "must have \"host\""));
    assert_true(has_fault(&faults, "/proxies/1", "must be an object, found a number"));
    assert_true(has_fault(&faults, "/devices/0", "must have \"address\""));
    assert_true(has_fault(&faults, "/identities/0", "must have \"irk\""));
    assert_int_equal(faults.count, 5);
    config_faults_done(&faults);
}

static void names_and_aliases_follow_their_rules(void **state)
{
    static const char *const wrong_names[] = {"",       "-a",         "a b",  "a/b",
                                              "import", "discovered", "test", "ä"};
    static const char *const wrong_aliases[] = {"",
                                                "a/b",
                                                "a+",
                                                "#",
                                                "$x",
                                                "bridge",
                                                "advertisements",
                                                "A4:C1:38:12:AB:56",
                                                "a4c13812ab56"};
    char text[300];

    (void) state;
    for (size_t i = 0; i < sizeof(wrong_names) / sizeof(wrong_names[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"proxies\":[{\"name\":\"%s\",\"host\":\"h\"}]}",
                        wrong_names[i]);
        assert_one_fault(text, "/proxies/0/name", "");
    }
    for (size_t i = 0; i < sizeof(wrong_aliases) / sizeof(wrong_aliases[0]); i++) {
        (void) snprintf(text, sizeof(text),
                        "{\"devices\":[{\"address\":\"A4C13812AB56\",\"alias\":\"%s\"}]}",
                        wrong_aliases[i]);
        assert_one_fault(text, "/devices/0/alias", "");
    }
    assert_valid("{\"devices\":[{\"address\":\"A4C13812AB56\",\"alias\":\"Küche, Frühstück\"}]}");
    (void) snprintf(text, sizeof(text), "{\"proxies\":[{\"name\":\"%065d\",\"host\":\"h\"}]}", 1);
    assert_one_fault(text, "/proxies/0/name", "63");
    (void) snprintf(text, sizeof(text), "{\"proxies\":[{\"name\":\"%064d\",\"host\":\"h\"}]}", 1);
    assert_valid(text);
}

static void values_of_entries_are_checked(void **state)
{
    struct config_faults faults;

    (void) state;
    assert_null(
            parse("{\"proxies\":[{\"name\":\"a\",\"host\":\"\",\"port\":65536,\"mac\":\"AA:BB\","
                  "\"scan_mode\":\"fast\",\"enabled\":1,\"weight\":31}],"
                  "\"devices\":[{\"address\":\"A4:C1-38:12:AB:56\",\"expected_interval_s\":0,"
                  "\"active_scan\":{\"interval_s\":59,\"x\":1},\"publish\":0,"
                  "\"route\":{\"prefer\":[\"k\"],\"forbid\":[\"k\"]}}],"
                  "\"areas\":[{\"name\":\"x\",\"min_rssi\":1,\"neighbours\":\"y\"}],"
                  "\"matter\":{\"servers\":[{\"url\":\"http://x\",\"max_links\":17}]}}",
                  &faults));
    assert_true(has_fault(&faults, "/proxies/0/host", "host name"));
    assert_true(has_fault(&faults, "/proxies/0/port", "0 to 65535"));
    assert_true(has_fault(&faults, "/proxies/0/mac", "must be an address"));
    assert_true(has_fault(&faults, "/proxies/0/scan_mode", "passive active auto"));
    assert_true(has_fault(&faults, "/proxies/0/enabled", "true or false"));
    assert_true(has_fault(&faults, "/proxies/0/weight", "-30 to 30"));
    assert_true(has_fault(&faults, "/devices/0/address", "must be an address"));
    assert_true(has_fault(&faults, "/devices/0/expected_interval_s", "0.1 to 86400"));
    assert_true(has_fault(&faults, "/devices/0/active_scan/interval_s", "60 to 86400"));
    assert_true(has_fault(&faults, "/devices/0/active_scan/x", "not a known key"));
    assert_true(has_fault(&faults, "/devices/0/publish", "true or false or null"));
    assert_true(has_fault(&faults, "/devices/0/route/forbid/0", "required or preferred"));
    assert_true(has_fault(&faults, "/areas/0/min_rssi", "-127 to 0"));
    assert_true(has_fault(&faults, "/areas/0/neighbours", "must be a list"));
    assert_true(has_fault(&faults, "/matter/servers/0/url", "ws://"));
    assert_true(has_fault(&faults, "/matter/servers/0/max_links", "1 to 16"));
    assert_int_equal(faults.count, 16);
    config_faults_done(&faults);
}

/* ---- secrets ---- */

static void a_key_is_32_octets_in_base64(void **state)
{
    static const char *const wrong[] = {
            "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZQ==", /* 31 octets */
            "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZn", /* 33 octets */
            "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY==",
            "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=x",
            "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZW!=",
            "x",
            "=",
    };
    static const char *const fine[] = {
            KEY,
            "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY",
            " QUJDREVGR0hJSktMTU5PUFFSU1RV\\nVldYWVphYmNkZWY= \\n",
    };
    char text[300];

    (void) state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void) snprintf(text, sizeof(text),
                        "{\"proxies\":[{\"name\":\"a\",\"host\":\"h\",\"encryption_key\":\"%s\"}]}",
                        wrong[i]);
        assert_one_fault(text, "/proxies/0/encryption_key", "32 octets in base64");
    }
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        struct config *config;

        (void) snprintf(text, sizeof(text),
                        "{\"proxies\":[{\"name\":\"a\",\"host\":\"h\",\"encryption_key\":\"%s\"}]}",
                        fine[i]);
        config = parse_valid(text);
        assert_memory_equal(config->proxies[0].encryption_key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef",
                            32);
        config_free(config);
    }
}

static void stars_are_no_secret(void **state)
{
    (void) state;
    assert_one_fault("{\"mqtt\":{\"password\":\"***\"}}", "/mqtt/password", "***");
    assert_one_fault("{\"esphome\":{\"single\":{\"encryption_key\":\"***\"}}}",
                     "/esphome/single/encryption_key", "***");
    assert_one_fault("{\"proxies\":[{\"name\":\"a\",\"host\":\"h\",\"encryption_key\":\"***\"}]}",
                     "/proxies/0/encryption_key", "***");
    assert_one_fault("{\"mqtt\":{\"password\":\"\"}}", "/mqtt/password", "1 to 256");
    assert_one_fault("{\"devices\":[{\"address\":\"A4C13812AB56\",\"bindkey\":\"***\"}]}",
                     "/devices/0/bindkey", "***");
}

static void no_fault_tells_a_secret(void **state)
{
    /* every way to get a secret wrong, and texts that end or break within one */
    static const char *const texts[] = {
            "{\"esphome\":{\"single\":{\"encryption_key\":\"" SECRET "\"}}}",
            "{\"proxies\":[{\"encryption_key\":\"" SECRET "\",\"password\":[\"" SECRET "\"]}]}",
            "{\"mqtt\":{\"password\":{\"a\":\"" SECRET "\"}}}",
            "{\"devices\":[{\"irk\":\"" SECRET "\",\"bindkey\":\"" SECRET "\"}]}",
            "{\"identities\":[{\"irk\":\"" SECRET "\"}]}",
            "{\"matter\":{\"servers\":[{\"authorization\":7,\"secret\":\"" SECRET "\"}]}}",
            "{\"mqtt\":{\"password\":\"" SECRET,
            "{\"mqtt\":{\"password\":\"" SECRET "\" \"x\"}}",
            "{\"mqtt\":{\"password\":" SECRET "}}",
            "{\"mqtt\":{\"password\":\"" SECRET "\n\"}}",
            "{\"mqtt\":{\"password\":\"a\",\"password\":\"" SECRET "\"}}",
            "\"" SECRET "\"",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct config_faults faults;

        assert_null(parse(texts[i], &faults));
        assert_true(faults.count > 0);
        for (size_t k = 0; k < faults.count; k++) {
            assert_null(strstr(faults.items[k].detail, "horse"));
            assert_null(strstr(faults.items[k].pointer, "horse"));
        }
        config_faults_done(&faults);
    }
}

/* ---- texts that are no configuration ---- */

static void a_text_that_is_no_json_is_one_fault_with_its_place(void **state)
{
    (void) state;
    assert_one_fault("{\n  \"http\": {,}\n}", "", "line 2, column 12");
    assert_one_fault("{\"http\":", "", "line 1");
    assert_one_fault("{\"http\":", "", "ends too early");
    assert_one_fault("{} {}", "", "line 1, column 4");
    assert_one_fault("{\"log\":{\"level\":\"info\",\"level\":\"debug\"}}", "", "stands twice");
    assert_one_fault("{\"a\":\"\xff\"}", "", "is not JSON");
    assert_one_fault("{\"a\":\"\\u0000\"}", "", "is not JSON");
    assert_one_fault("{\"scan\":{\"quiet_s\":99999999999999999999}}", "", "is not JSON");
}

static void a_document_must_be_an_object(void **state)
{
    (void) state;
    assert_one_fault("[]", "", "must be an object, found a list");
    assert_one_fault("\"x\"", "", "must be an object, found a string");
    assert_one_fault("null", "", "must be an object, found null");
    assert_one_fault("7", "", "must be an object, found a number");
}

static void strange_texts_are_named(void **state)
{
    static const char zero[] = "{\"http\":\0{}}";
    struct config_faults faults;

    (void) state;
    assert_one_fault("", "", "is empty");
    assert_one_fault(" \n\t\r ", "", "is empty");
    assert_one_fault("\xef\xbb\xbf{}", "", "byte order mark");
    assert_null(config_parse(zero, sizeof(zero) - 1, core, &faults));
    assert_true(has_fault(&faults, "", "zero octet"));
    config_faults_done(&faults);
}

static void a_huge_text_is_refused(void **state)
{
    size_t size = CONFIG_FILE_MAX + 1;
    char *text = malloc(size);
    struct config_faults faults;

    (void) state;
    assert_non_null(text);
    memset(text, ' ', size);
    memcpy(text, "{}", 2);
    assert_null(config_parse(text, size, core, &faults));
    assert_true(has_fault(&faults, "", "larger than 16 MiB"));
    config_faults_done(&faults);
    config_free(config_parse(text, size - 1, core, &faults));
    assert_int_equal(faults.count, 0);
    free(text);
}

static void deep_nesting_is_refused(void **state)
{
    static char text[200001];
    struct config_faults faults;

    (void) state;
    memset(text, '[', sizeof(text) - 1);
    assert_null(config_parse(text, sizeof(text) - 1, core, &faults));
    assert_true(has_fault(&faults, "", "is not JSON"));
    config_faults_done(&faults);
}

static void all_faults_come_at_once_up_to_a_bound(void **state)
{
    struct buffer text = {0};
    struct config_faults faults;

    (void) state;
    buffer_append_text(&text, "{\"proxies\":[0");
    for (int i = 1; i < CONFIG_FAULTS_MAX + 5; i++)
        buffer_append_text(&text, ",0");
    buffer_append_text(&text, "]}");
    assert_null(
            config_parse((const char *) buffer_front(&text), buffer_size(&text), core, &faults));
    assert_int_equal(faults.count, CONFIG_FAULTS_MAX);
    assert_int_equal(faults.more, 5);
    assert_string_equal(faults.items[999].pointer, "/proxies/999");
    config_faults_done(&faults);
    assert_int_equal(faults.count, 0);
    buffer_done(&text);
}

static void a_fault_quotes_little_and_no_control_characters(void **state)
{
    struct config_faults faults;

    (void) state;
    assert_null(
            parse("{\"log\":{\"level\":\"a\\nproxy.online äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöü\"}}",
                  &faults));
    assert_true(has_fault(&faults, "/log/level", "found \"a?proxy.online äöü"));
    assert_true(has_fault(&faults, "/log/level", "…\""));
    assert_true(strlen(faults.items[0].detail) < 160);
    config_faults_done(&faults);
}

/* ---- files ---- */

static struct config *load(const char *path, struct config_faults *ret_faults)
{
    struct config_file file = {.path = path, .parts = core, .environment = none};
    struct config *config = config_file_load(&file, ret_faults);

    config_file_done(&file);
    return config;
}

static void a_file_is_read(void **state)
{
    char path[] = "/tmp/blefleet-test-XXXXXX";
    int fd = mkstemp(path);
    struct config_faults faults;
    struct config *config;

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "{\"log\":{\"level\":\"error\"}}\n", 26), 26);
    assert_int_equal(close(fd), 0);
    config = load(path, &faults);
    assert_int_equal(unlink(path), 0);
    assert_non_null(config);
    assert_string_equal(config->log_level, "error");
    config_free(config);
}

static void an_unreadable_file_is_a_fault_with_the_reason(void **state)
{
    struct config_faults faults;

    (void) state;
    assert_null(load("/nonexistent/blefleet.json", &faults));
    assert_true(has_fault(&faults, "", "ENOENT"));
    config_faults_done(&faults);
    assert_null(load("/", &faults));
    assert_true(has_fault(&faults, "", "EISDIR"));
    config_faults_done(&faults);
}

static void the_example_is_valid(void **state)
{
    struct config_faults faults;
    struct config *config = load(TEST_DATA "/../../config/blefleet.example.json", &faults);

    (void) state;
    for (size_t i = 0; i < faults.count; i++)
        print_error("%s: %s\n", faults.items[i].pointer, faults.items[i].detail);
    assert_non_null(config);
    assert_true(config->proxies_count > 0);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_empty_object_gives_the_defaults),
            cmocka_unit_test(settings_of_the_file_replace_defaults),
            cmocka_unit_test(settings_of_missing_parts_are_named_as_without_effect),
            cmocka_unit_test(ranges_include_both_ends),
            cmocka_unit_test(types_are_checked),
            cmocka_unit_test(words_and_texts_follow_their_rules),
            cmocka_unit_test(listen_addresses_have_a_port),
            cmocka_unit_test(listening_off_loopback_is_refused_without_a_token),
            cmocka_unit_test(listening_off_loopback_without_protection_is_refused),
            cmocka_unit_test(tls_wants_certificate_and_key),
            cmocka_unit_test(an_unknown_key_names_the_nearest),
            cmocka_unit_test(pointers_are_escaped),
            cmocka_unit_test(a_long_unknown_key_is_no_trouble),
            cmocka_unit_test(a_proxy_has_all_its_fields),
            cmocka_unit_test(a_device_has_all_its_fields),
            cmocka_unit_test(names_are_given_once),
            cmocka_unit_test(entries_need_what_makes_them),
            cmocka_unit_test(names_and_aliases_follow_their_rules),
            cmocka_unit_test(values_of_entries_are_checked),
            cmocka_unit_test(a_key_is_32_octets_in_base64),
            cmocka_unit_test(stars_are_no_secret),
            cmocka_unit_test(no_fault_tells_a_secret),
            cmocka_unit_test(a_text_that_is_no_json_is_one_fault_with_its_place),
            cmocka_unit_test(a_document_must_be_an_object),
            cmocka_unit_test(strange_texts_are_named),
            cmocka_unit_test(a_huge_text_is_refused),
            cmocka_unit_test(deep_nesting_is_refused),
            cmocka_unit_test(all_faults_come_at_once_up_to_a_bound),
            cmocka_unit_test(a_fault_quotes_little_and_no_control_characters),
            cmocka_unit_test(a_file_is_read),
            cmocka_unit_test(an_unreadable_file_is_a_fault_with_the_reason),
            cmocka_unit_test(the_example_is_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
