#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_gateway.h"
#include "mqtt/topics.h"

#define PUBLIC  0xa4c13812ab56
#define STATIC  0xf4c13812ab56
#define PRIVATE 0x44c13812ab56

#define LONG_VERB /* one letter more than is allowed */                                            \
    "blefleet/bridge/request/"                                                                     \
    "12345678901234567890123456789012345678901234567890123456789012345"

static struct config *config_of(const char *devices)
{
    char text[400];

    (void) snprintf(text, sizeof text,
                    "{\"mqtt\":{\"devices\":\"%s\",\"topic_names\":\"alias\"},\"devices\":["
                    "{\"address\":\"A4:C1:38:12:AB:56\",\"alias\":\"sofa\"},"
                    "{\"address\":\"44:C1:38:12:AB:57\",\"publish\":true},"
                    "{\"address\":\"A4:C1:38:12:AB:58\",\"publish\":false}]}",
                    devices);
    return fake_config(text);
}

static bool is_published(const char *policy, uint64_t address, const char *type, int configured)
{
    struct config *config = config_of(policy);
    const struct gateway_device device = {
            .address = address,
            .address_type = type,
            .config = configured >= 0 ? &config->devices[configured] : NULL,
    };
    bool result = topics_is_published(config, &device);

    config_free(config);
    return result;
}

static void the_policy_says_who_is_published(void **state)
{
    (void) state;
    assert_true(is_published("stable", PUBLIC, "public", -1));
    assert_true(is_published("stable", STATIC, "random", -1));
    assert_true(is_published("stable", PRIVATE, "random_identity", -1));
    assert_false(is_published("stable", PRIVATE, "random", -1));
    assert_true(is_published("all", PRIVATE, "random", -1));
    assert_false(is_published("configured", PUBLIC, "public", -1));
    assert_true(is_published("configured", PUBLIC, "public", 0));
    assert_false(is_published("known", PUBLIC, "public", -1));
    assert_true(is_published("known", PUBLIC, "public", 0));
}

static void A13_noise_is_not_stable(void **state)
{
    struct config *stable = config_of("stable"), *all = config_of("all");
    const struct gateway_device device = {
            .address = PUBLIC, .address_type = "public", .is_noise = true};

    (void) state;
    assert_false(topics_is_published(stable, &device));
    assert_true(topics_is_published(all, &device));
    config_free(stable);
    config_free(all);
}

static void the_setting_of_the_device_overrides_the_policy(void **state)
{
    (void) state;
    assert_true(is_published("stable", PRIVATE, "random", 1));
    assert_false(is_published("all", PUBLIC, "public", 2));
}

static void a_device_is_called_by_alias_or_address(void **state)
{
    struct config *config = config_of("all");
    struct gateway_device device = {.address = 0xab56, .config = &config->devices[0]};
    char name[TOPICS_NAME_SIZE];

    (void) state;
    topics_name(name, config, &device);
    assert_string_equal(name, "sofa");
    device.config = NULL;
    topics_name(name, config, &device);
    assert_string_equal(name, "00000000AB56");
    config_free(config);
}

static void requests_are_read_with_slashes_in_the_verb(void **state)
{
    static const char *const good[] = {"home/ble/bridge/request/http",
                                       "home/ble/bridge/request/device/options"};
    char verb[TOPICS_VERB_SIZE];

    (void) state;
    assert_true(topics_read_request("home/ble", good[0], verb));
    assert_string_equal(verb, "http");
    assert_true(topics_read_request("home/ble", good[1], verb));
    assert_string_equal(verb, "device/options");
}

static void what_is_no_request_is_refused(void **state)
{
    static const char *const bad[] = {
            "",
            "blefleet",
            "blefleet/bridge/request",
            "blefleet/bridge/request/",
            "blefleet/bridge/request//a",
            "blefleet/bridge/request/a/",
            "blefleet/bridge/request/a b",
            "blefleet/bridge/request/a#",
            "blefleet/bridge/request/\xc3\xa9",
            "blefleet/bridge/response/http",
            "blefleet2/bridge/request/http",
            "xblefleet/bridge/request/http",
            LONG_VERB,
    };
    char verb[TOPICS_VERB_SIZE] = "untouched";

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(topics_read_request("blefleet", bad[i], verb));
    assert_string_equal(verb, "untouched");
}

static void availability_topics_give_their_name(void **state)
{
    char name[TOPICS_NAME_SIZE];

    (void) state;
    assert_true(topics_read_availability("blefleet", "blefleet/A4C13812AB56/availability", name));
    assert_string_equal(name, "A4C13812AB56");
    assert_false(topics_read_availability("blefleet", "blefleet/bridge/availability", name));
    assert_false(topics_read_availability("blefleet", "blefleet//availability", name));
    assert_false(topics_read_availability("blefleet", "blefleet/a/b/availability", name));
    assert_false(topics_read_availability("blefleet", "blefleet/A4C13812AB56", name));
    assert_false(topics_read_availability("blefleet", "blefleet/$x/availability", name));
}

static void an_asker_cannot_speak_in_our_name(void **state)
{
    char long_topic[TOPICS_SIZE_MAX + 2];

    (void) state;
    memset(long_topic, 'a', sizeof long_topic - 1);
    long_topic[sizeof long_topic - 1] = '\0';
    assert_true(topics_may_answer_to("blefleet", "somebody/else"));
    assert_true(topics_may_answer_to("blefleet", "blefleet/bridge/response/mine"));
    assert_true(topics_may_answer_to("blefleet", "blefleet2"));
    assert_false(topics_may_answer_to("blefleet", "blefleet"));
    assert_false(topics_may_answer_to("blefleet", "blefleet/bridge/state"));
    assert_false(topics_may_answer_to("blefleet", "blefleet/bridge/request/http"));
    assert_false(topics_may_answer_to("blefleet", "blefleet/A4C13812AB56"));
    assert_false(topics_may_answer_to("blefleet", "a/+"));
    assert_false(topics_may_answer_to("blefleet", "#"));
    assert_false(topics_may_answer_to("blefleet", "$SYS/x"));
    assert_false(topics_may_answer_to("blefleet", ""));
    assert_false(topics_may_answer_to("blefleet", long_topic));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_policy_says_who_is_published),
            cmocka_unit_test(A13_noise_is_not_stable),
            cmocka_unit_test(the_setting_of_the_device_overrides_the_policy),
            cmocka_unit_test(a_device_is_called_by_alias_or_address),
            cmocka_unit_test(requests_are_read_with_slashes_in_the_verb),
            cmocka_unit_test(what_is_no_request_is_refused),
            cmocka_unit_test(availability_topics_give_their_name),
            cmocka_unit_test(an_asker_cannot_speak_in_our_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
