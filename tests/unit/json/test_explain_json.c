/* What is said of each situation, word for word. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "json/explain_json.h"
#include "json/history_json.h"

#define DEVICE  0xa4c13812ab56u
#define SECONDS ((usec_t) USEC_PER_SEC)

static const uint8_t payload[] = {2, 1, 6};

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct fake_device *device; /* heard by kitchen, its owner, and by hall */
    json_t *told;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"},"
                            "{\"name\":\"hall\",\"host\":\"192.0.2.11\"},"
                            "{\"name\":\"attic\",\"host\":\"192.0.2.12\",\"enabled\":false}]}");
    f->gateway = fake_gateway_new(f->config);
    f->device = fake_gateway_add(f->gateway, DEVICE);
    fake_gateway_hear(f->gateway, f->device, "kitchen", payload, sizeof payload);
    f->device->sources_count = 2;
    f->device->sources[1] = f->device->sources[0];
    f->device->sources[1].proxy = "hall";
    f->device->sources[1].rssi_smoothed = -71;
    f->device->sources[1].is_owner = false;
    f->device->has_rivalry[1] = true;
    f->device->rivalries[1] = (struct gateway_rivalry){
            .has_db = -10.5,
            .needs_db = 16,
            .lasting_db = (double) NAN,
            .packets = 3,
            .packets_needed = 3,
            .taken_after = 12 * SECONDS,
            .is_owner_online = true,
    };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    json_decref(f->told);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static void explain(struct fixture *f, uint64_t address, bool is_hearing)
{
    struct writer w = {0};

    json_decref(f->told);
    explain_json_write(&w, NULL, f->gateway, address, is_hearing);
    f->told = json_loadb((const char *) buffer_front(&w.text), buffer_size(&w.text), 0, NULL);
    assert_non_null(f->told);
    writer_done(&w);
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "null";
}

static void assert_candidate(const struct fixture *f, size_t index, const char *proxy,
                             const char *verdict, const char *cause, const char *detail)
{
    const json_t *c = json_array_get(json_object_get(f->told, "candidates"), index);

    assert_string_equal(text(c, "proxy"), proxy);
    assert_string_equal(text(c, "verdict"), verdict);
    assert_string_equal(text(c, "cause"), cause);
    assert_string_equal(text(c, "detail"), detail);
}

static void assert_advice(const struct fixture *f, size_t index, const char *wanted)
{
    const json_t *advice = json_object_get(f->told, "advice");
    const char *told = json_string_value(json_array_get(advice, index));

    assert_string_equal(told ? told : "nothing", wanted);
}

static void D02_hearing_is_explained_by_what_each_proxy_has_and_needs(void **state)
{
    struct fixture *f = *state;

    fake_gateway_advance(f->gateway, 2 * SECONDS);
    explain(f, DEVICE, true);
    assert_string_equal(text(f->told, "summary"),
                        "kitchen hears it at -60 dBm, last 2 s ago and speaks for it; 2 of 2 "
                        "online proxies hear it.");
    assert_candidate(f, 0, "kitchen", "chosen", "best",
                     "hears it at -60 dBm, last 2 s ago and speaks for it");
    assert_candidate(f, 1, "hall", "possible", "worse_score",
                     "hears it at -71 dBm, last 2 s ago, 10 dB weaker than kitchen; it would take "
                     "over at more than 16 dB louder");
    assert_candidate(f, 2, "attic", "excluded", "disabled", "disabled in the configuration");
    assert_advice(f, 0,
                  "hall takes over when it hears it at more than -44 dBm, or when kitchen has been "
                  "silent on it for more than 12 s.");
    assert_advice(f, 1, "nothing");
}

static void D02_a_rival_that_lost_or_is_new_needs_more(void **state)
{
    struct fixture *f = *state;

    f->device->rivalries[1].has_lost = true;
    f->device->rivalries[1].needs_db = 22;
    f->device->rivalries[1].lasting_db = 11;
    f->device->rivalries[1].packets = 1;
    f->device->heard[1] = 88;
    f->device->lost[1] = 12;
    explain(f, DEVICE, true);
    assert_candidate(f, 1, "hall", "possible", "lost_ownership",
                     "hears it at -71 dBm, last 0 s ago, 10 dB weaker than kitchen; it would take "
                     "over at more than 22 dB louder, or lastingly more than 11 dB, more than "
                     "usual because it lost the device before, with 3 packets, of which it has 1; "
                     "lost 12 % of its packets in the last 10 min");
}

static void D02_each_owner_change_is_a_sentence(void **state)
{
    static const struct {
        const char *why, *from, *because;
    } cases[] = {
            {"first", NULL, "nobody spoke for it before"},
            {"stronger", "kitchen", "it heard it at -50 dBm, 20 dB louder than kitchen"},
            {"roam", "kitchen", "kitchen heard it faintly and then missed it"},
            {"gone", "kitchen", "kitchen did not hear it any more"},
            {"rescue", "kitchen", "kitchen did not hear it, not even while it listened actively"},
            {"proxy_offline", "kitchen", "kitchen went offline"},
            {"proxy_quiet", NULL, "the one before heard nothing at all any more"},
    };
    struct fixture *f = *state;

    f->device->has_rivalry[1] = false;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char wanted[160];

        f->device->owners[i] = (struct gateway_past_owner){
                FAKE_START + i * SECONDS, cases[i].from, "hall", cases[i].why, -70, -50};
        f->device->owners_count = i + 1;
        explain(f, DEVICE, true);
        (void) snprintf(wanted, sizeof wanted, "hall speaks for it since 10:00:%02zu, because %s.",
                        i, cases[i].because);
        assert_advice(f, 0, wanted);
    }
}

static void D02_the_last_ten_owner_changes_are_told_newest_first(void **state)
{
    struct fixture *f = *state;

    f->device->has_rivalry[1] = false;
    for (size_t i = 0; i < 13; i++)
        f->device->owners[i] = (struct gateway_past_owner){
                FAKE_START + i * SECONDS, NULL, "hall", "first", (double) NAN, -50};
    f->device->owners_count = 13;
    explain(f, DEVICE, true);
    assert_int_equal(json_array_size(json_object_get(f->told, "advice")), 10);
    assert_advice(f, 0, "hall speaks for it since 10:00:12, because nobody spoke for it before.");
    assert_advice(f, 9, "hall speaks for it since 10:00:03, because nobody spoke for it before.");
}

static void D02_usual_troubles_have_advice(void **state)
{
    struct fixture *f = *state;

    f->device->sources_count = 1;
    f->device->sources[0].rssi_smoothed = -95;
    explain(f, DEVICE, true);
    assert_advice(f, 0, "Only kitchen hears it, at -95 dBm: a proxy nearer to it would help.");

    f->device->facts.is_private = f->device->facts.is_apple_noise = true;
    f->device->facts.is_available = false;
    f->device->facts.interval = 60 * SECONDS;
    fake_gateway_advance(f->gateway, 400 * SECONDS);
    explain(f, DEVICE, true);
    assert_true(json_is_false(json_object_get(f->told, "possible")));
    assert_string_equal(text(f->told, "summary"), "Nobody has heard it for 400 s.");
    assert_advice(f, 1,
                  "It has been silent since 10:00:00 and spoke each 60 s at least before: is it "
                  "switched off, out of reach, out of battery, or connected to something?");
    assert_advice(f, 2,
                  "Its address is a private one that changes every few minutes: the device goes on "
                  "under another address then, and this one falls silent.");
    assert_advice(f, 3,
                  "All that it says is what Apple's devices tell each other; that changes all the "
                  "time and means nothing to others.");
}

static void D02_an_owner_that_cannot_listen_is_told(void **state)
{
    struct fixture *f = *state;

    fake_gateway_proxy(f->gateway, 0)->is_online = false;
    fake_gateway_proxy(f->gateway, 0)->state = "waiting_retry";
    fake_gateway_proxy(f->gateway, 0)->last_error =
            (struct gateway_error){E_REFUSED, "192.0.2.10:6053 refused", FAKE_START};
    fake_gateway_proxy(f->gateway, 1)->quiet_since = FAKE_START;
    fake_gateway_advance(f->gateway, 95 * SECONDS);
    explain(f, DEVICE, true);
    assert_candidate(f, 0, "kitchen", "excluded", "offline",
                     "not online: waiting_retry since 10:00:00, 192.0.2.10:6053 refused; speaks "
                     "for the device until another proxy hears it");
    assert_candidate(f, 1, "hall", "excluded", "not_scanning",
                     "online, but has heard nothing of any device for 95 s");
    assert_string_equal(text(f->told, "summary"),
                        "kitchen spoke for it last and is not listening now.");
    assert_advice(f, 0,
                  "kitchen cannot hear it now: the next packet that another proxy hears moves the "
                  "device there.");
}

static void D02_a_connection_goes_through_the_best_with_a_free_slot(void **state)
{
    struct fixture *f = *state;
    static const uint64_t taken[] = {0x112233445566};

    fake_gateway_proxy(f->gateway, 0)->has_slots = true;
    fake_gateway_proxy(f->gateway, 0)->slots_limit = 1;
    fake_gateway_proxy(f->gateway, 0)->slots_allocated = taken;
    fake_gateway_proxy(f->gateway, 0)->slots_allocated_count = 1;
    explain(f, DEVICE, false);
    assert_string_equal(text(f->told, "code"), "null");
    assert_candidate(f, 0, "hall", "chosen", "best", "hears it at -71 dBm, last 0 s ago");
    assert_candidate(f, 1, "kitchen", "excluded", "no_free_slot",
                     "hears it at -60 dBm, last 0 s ago; 0 of 1 connection slots are free");
    assert_int_equal(json_array_size(json_object_get(f->told, "holders")), 1);

    f->device->sources[1].can_connect = false;
    explain(f, DEVICE, false);
    assert_string_equal(text(f->told, "code"), "no_free_slot");
    assert_true(json_is_false(json_object_get(f->told, "possible")));

    f->device->sources[0].can_connect = false;
    explain(f, DEVICE, false);
    assert_string_equal(text(f->told, "code"), "no_route");
    assert_string_equal(text(f->told, "summary"),
                        "No proxy that is online and can connect hears it now.");
}

static void D02_an_address_that_nobody_knows_is_explained(void **state)
{
    struct fixture *f = *state;

    explain(f, 0x112233445566, false);
    assert_string_equal(text(f->told, "code"), "device_not_found");
    assert_true(json_is_false(json_object_get(f->told, "known")));
    assert_candidate(f, 0, "kitchen", "excluded", "never_heard", "has not heard it");
    fake_gateway_proxy(f->gateway, 0)->is_online = false;
    fake_gateway_proxy(f->gateway, 1)->is_online = false;
    explain(f, 0x112233445566, true);
    assert_advice(f, 0, "None of the 3 proxies is online: see GET /proxies.");
}

static void the_past_is_written_slot_by_slot(void **state)
{
    struct fixture *f = *state;
    struct writer w = {0};
    char *dumped;

    f->device->slots_start = FAKE_START;
    f->device->slots[0][0] = (struct gateway_slot){-61.5F, 4};
    f->device->slots[0][1] = (struct gateway_slot){NAN, 0};
    f->device->slots[0][2] = f->device->slots[0][3] = (struct gateway_slot){-60, 3};
    f->device->is_truncated = true;
    history_json_write(&w, NULL, f->gateway, &f->device->facts, FAKE_START, FAKE_START);
    f->told = json_loadb((const char *) buffer_front(&w.text), buffer_size(&w.text), 0, NULL);
    writer_done(&w);
    assert_true(json_is_true(json_object_get(f->told, "truncated")));
    assert_int_equal(json_array_size(json_object_get(f->told, "rssi")), 1);
    dumped = json_dumps(json_array_get(json_object_get(f->told, "rssi"), 0),
                        JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(4));
    assert_string_equal(dumped, "{\"packets\":[4,0,3,3],\"proxy\":\"kitchen\","
                                "\"rssi\":[-61.5,null,-60,-60],"
                                "\"start\":\"2026-11-21T10:00:00.000Z\"}");
    free(dumped);
}

#define EXPLAIN_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            EXPLAIN_TEST(D02_hearing_is_explained_by_what_each_proxy_has_and_needs),
            EXPLAIN_TEST(D02_a_rival_that_lost_or_is_new_needs_more),
            EXPLAIN_TEST(D02_each_owner_change_is_a_sentence),
            EXPLAIN_TEST(D02_the_last_ten_owner_changes_are_told_newest_first),
            EXPLAIN_TEST(D02_usual_troubles_have_advice),
            EXPLAIN_TEST(D02_an_owner_that_cannot_listen_is_told),
            EXPLAIN_TEST(D02_a_connection_goes_through_the_best_with_a_free_slot),
            EXPLAIN_TEST(D02_an_address_that_nobody_knows_is_explained),
            EXPLAIN_TEST(the_past_is_written_slot_by_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
