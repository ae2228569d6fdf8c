/* What is believed of an announcement, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "mdns/announcement.h"

static struct announcement_facts kitchen(void)
{
    struct announcement_facts facts;

    assert_true(announcement_read(&facts, "kitchen", "kitchen.local", 6053));
    return facts;
}

static void read_text(struct announcement_facts *facts, const char *text)
{
    announcement_read_txt(facts, (const uint8_t *) text, strlen(text));
}

static void the_texts_of_a_proxy_are_read(void **state)
{
    struct announcement_facts facts = kitchen();

    (void) state;
    read_text(&facts, "mac=246f28aabbcc");
    read_text(&facts, "friendly_name=Küche");
    read_text(&facts, "version=2026.8.0");
    read_text(&facts, "platform=ESP32");
    read_text(&facts, "board=esp32-poe");
    read_text(&facts, "network=ethernet");
    assert_string_equal(facts.name, "kitchen");
    assert_string_equal(facts.host, "kitchen.local");
    assert_int_equal(facts.port, 6053);
    assert_true(facts.mac == UINT64_C(0x246F28AABBCC));
    assert_string_equal(facts.friendly_name, "Küche");
    assert_string_equal(facts.version, "2026.8.0");
    assert_string_equal(facts.platform, "ESP32");
    assert_string_equal(facts.board, "esp32-poe");
    assert_string_equal(facts.network, "ethernet");
    assert_string_equal(announcement_encryption_name(facts.encryption), "none");
}

static void a_key_is_needed_as_soon_as_it_says_so(void **state)
{
    struct announcement_facts facts = kitchen();

    (void) state;
    read_text(&facts, "api_encryption_supported=Noise_NNpsk0_25519_ChaChaPoly_SHA256");
    assert_string_equal(announcement_encryption_name(facts.encryption), "supported");
    read_text(&facts, "api_encryption");
    assert_string_equal(announcement_encryption_name(facts.encryption), "required");
    read_text(&facts, "api_encryption_supported=Noise_NNpsk0_25519_ChaChaPoly_SHA256");
    assert_string_equal(announcement_encryption_name(facts.encryption), "required");
}

static void keys_are_of_any_case_and_the_first_counts(void **state)
{
    struct announcement_facts facts = kitchen();

    (void) state;
    read_text(&facts, "VERSION=1");
    read_text(&facts, "version=2");
    read_text(&facts, "MAC=24:6F:28:AA:BB:CC");
    read_text(&facts, "mac=000000000001");
    assert_string_equal(facts.version, "1");
    assert_true(facts.mac == UINT64_C(0x246F28AABBCC));
}

static void what_cannot_be_is_left_out(void **state)
{
    static const char *const texts[] = {
            "mac=",
            "mac=246f28aabbc",
            "mac=246f28aabbccdd",
            "mac=kitchen",
            "mac",
            "network=carrier pigeon",
            "network=wifi5",
            "version=2026\n8",
            "version=\xff\xfe",
            "version=\xc3",
            "=value",
            "",
            "=",
            "board=0123456789012345678901234567890123456789012345678901234567890123",
    };
    struct announcement_facts facts = kitchen(), before = facts;

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        read_text(&facts, texts[i]);
        assert_memory_equal(&facts, &before, sizeof facts);
    }
}

static void octets_of_any_kind_do_no_harm(void **state)
{
    static const char *const keys[] = {"mac=", "friendly_name=", "version=", "network=", "api"};
    struct announcement_facts facts = kitchen(), before = facts;
    uint8_t data[255];

    (void) state;
    for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
        for (unsigned octet = 0; octet < 256; octet++) {
            memset(data, (int) octet, sizeof data);
            memcpy(data, keys[k], strlen(keys[k]));
            announcement_read_txt(&facts, data, sizeof data);
        }
    }
    announcement_read_txt(&facts, data, 0);
    assert_memory_equal(&facts, &before, sizeof facts);
}

static void a_friendly_name_has_room_for_120_octets(void **state)
{
    struct announcement_facts facts = kitchen();
    char text[160] = "friendly_name=";

    (void) state;
    memset(text + strlen(text), 'n', 120);
    read_text(&facts, text);
    assert_int_equal(strlen(facts.friendly_name), 120);
}

static void without_name_host_or_port_it_is_no_device(void **state)
{
    const struct announcement_facts nothing = {0};
    struct announcement_facts facts;
    char label[65] = "";

    (void) state;
    memset(label, 'n', 64);
    assert_false(announcement_read(&facts, "", "kitchen.local", 6053));
    assert_false(announcement_read(&facts, "kitchen", "", 6053));
    assert_false(announcement_read(&facts, "kitchen", NULL, 6053));
    assert_false(announcement_read(&facts, "kitchen", "kitchen.local", 0));
    assert_false(announcement_read(&facts, label, "kitchen.local", 6053));
    assert_false(announcement_read(&facts, "kit\x1b[2Jchen", "kitchen.local", 6053));
    assert_memory_equal(&facts, &nothing, sizeof facts);
    label[63] = '\0';
    assert_true(announcement_read(&facts, label, "kitchen.local", 6053));
}

static void addresses_are_ranked_and_written(void **state)
{
    const struct announcement_sighting v4 = {.octets = {192, 0, 2, 10}};
    const struct announcement_sighting global = {.is_v6 = true,
                                                 .octets = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
    const struct announcement_sighting local = {
            .is_v6 = true, .octets = {0xfe, 0x80, [15] = 1}, .zone = "eth0"};
    char text[ANNOUNCEMENT_ADDRESS_TEXT];

    (void) state;
    assert_true(announcement_address_rank(&v4) < announcement_address_rank(&global));
    assert_true(announcement_address_rank(&global) < announcement_address_rank(&local));
    announcement_format_address(text, &v4);
    assert_string_equal(text, "192.0.2.10");
    announcement_format_address(text, &global);
    assert_string_equal(text, "2001:db8::1");
    announcement_format_address(text, &local);
    assert_string_equal(text, "fe80::1%eth0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_texts_of_a_proxy_are_read),
            cmocka_unit_test(a_key_is_needed_as_soon_as_it_says_so),
            cmocka_unit_test(keys_are_of_any_case_and_the_first_counts),
            cmocka_unit_test(what_cannot_be_is_left_out),
            cmocka_unit_test(octets_of_any_kind_do_no_harm),
            cmocka_unit_test(a_friendly_name_has_room_for_120_octets),
            cmocka_unit_test(without_name_host_or_port_it_is_no_device),
            cmocka_unit_test(addresses_are_ranked_and_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
