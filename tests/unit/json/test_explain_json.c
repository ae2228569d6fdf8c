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
#include "fake_links.h"
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
            {"first", NULL, "nobody spoke for the device before"},
            {"stronger", "kitchen", "it heard the device at -50 dBm, 20 dB louder than kitchen"},
            {"roam", "kitchen", "kitchen heard the device faintly and then missed it"},
            {"gone", "kitchen", "kitchen did not hear the device any more"},
            {"rescue", "kitchen",
             "kitchen did not hear the device, not even while it listened actively"},
            {"proxy_offline", "kitchen", "kitchen was offline"},
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
        (void) snprintf(wanted, sizeof wanted, "hall took over %s%s%sat 10:00:%02zu UTC: %s.",
                        cases[i].from ? "from " : "", cases[i].from ? cases[i].from : "",
                        cases[i].from ? " " : "", i, cases[i].because);
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
    assert_advice(f, 0, "hall took over at 10:00:12 UTC: nobody spoke for the device before.");
    assert_advice(f, 9, "hall took over at 10:00:03 UTC: nobody spoke for the device before.");
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
    assert_advice(
            f, 1,
            "It has been silent since 10:00:00 UTC and spoke each 60 s at least before: is it "
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
    assert_candidate(
            f, 0, "kitchen", "excluded", "offline",
            "not online: waiting_retry since 10:00:00 UTC, 192.0.2.10:6053 refused; speaks "
            "for the device until another proxy hears it");
    assert_candidate(f, 1, "hall", "excluded", "not_scanning",
                     "online, but has heard nothing of any device for 95 s");
    assert_string_equal(text(f->told, "summary"),
                        "kitchen spoke for it last and is not listening now.");
    assert_advice(f, 0,
                  "kitchen cannot hear it now: the next packet that another proxy hears moves the "
                  "device there.");
}

static const json_t *candidate(const struct fixture *f, size_t index)
{
    return json_array_get(json_object_get(f->told, "candidates"), index);
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* Slots of a proxy, all but `free` of them taken. */
static void limit_slots(struct fixture *f, size_t index, uint32_t limit, uint32_t slots_free)
{
    fake_gateway_proxy(f->gateway, index)->has_slots = true;
    fake_gateway_proxy(f->gateway, index)->slots_limit = limit;
    fake_gateway_proxy(f->gateway, index)->slots_free = slots_free;
}

static void D02_who_would_carry_a_connection_is_told_with_the_next_best(void **state)
{
    struct fixture *f = *state;

    limit_slots(f, 0, 3, 2);
    fake_links_route(f->gateway, 1)->failures = 1.5;
    fake_links_route(f->gateway, 1)->in_progress = 1;
    fake_links_route(f->gateway, 0)->is_bonded = true;
    explain(f, DEVICE, false);
    assert_true(json_is_true(json_object_get(f->told, "possible")));
    assert_string_equal(text(f->told, "code"), "null");
    assert_string_equal(text(f->told, "summary"),
                        "A connection would go through kitchen, which hears it at -60 dBm, last 0 "
                        "s ago; 2 of 3 connection slots are free.");
    assert_candidate(f, 0, "kitchen", "chosen", "best",
                     "hears it at -60 dBm, last 0 s ago; 2 of 3 connection slots are free; the "
                     "device is bonded with it");
    assert_candidate(f, 1, "hall", "possible", "worse_score",
                     "hears it at -71 dBm, last 0 s ago; it is opening 1 other connection; it "
                     "failed with this device lately, which costs it 9 dB");
    assert_candidate(f, 2, "attic", "excluded", "disabled", "disabled in the configuration");
    assert_advice(f, 0,
                  "kitchen would carry it; hall hears it 10 dB weaker and scores 20 dB less.");

    assert_true(json_is_true(json_object_get(candidate(f, 0), "bonded")));
    assert_true(fabs(number(candidate(f, 1), "failures") - 1.5) < 0.01);
    assert_true(number(candidate(f, 1), "in_progress") == 1);
    assert_true(number(candidate(f, 1), "score") == -80);
    assert_true(number(json_object_get(candidate(f, 1), "score_terms"), "failures") == -9);
    assert_true(json_is_null(json_object_get(candidate(f, 2), "score_terms")));
}

static void D02_a_connection_goes_through_the_best_with_a_free_slot(void **state)
{
    struct fixture *f = *state;

    limit_slots(f, 0, 1, 0);
    fake_links_take_slot(f->gateway, 0, 0x112233445566, "foreign");
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
    assert_string_equal(text(f->told, "summary"), "kitchen (1 of 1 slots in use) is the only proxy "
                                                  "that could connect to it.");

    f->device->sources[0].can_connect = false;
    explain(f, DEVICE, false);
    assert_string_equal(text(f->told, "code"), "no_route");
    assert_string_equal(text(f->told, "summary"),
                        "No proxy that is online and may connect hears it now; kitchen: its "
                        "firmware does not carry connections.");
    assert_advice(f, 0,
                  "kitchen hears it and only listens: bluetooth_proxy with active: true in "
                  "its firmware would let it connect.");
}

static void D02_who_holds_a_slot_is_told_and_how_to_get_it(void **state)
{
    struct fixture *f = *state;
    const json_t *holder;

    f->device->sources_count = 1;
    limit_slots(f, 0, 3, 0);
    fake_links_take_slot(f->gateway, 0, 0x112233445566, "foreign");
    explain(f, DEVICE, false);
    assert_advice(f, 0,
                  "All connection slots of kitchen are taken: DELETE "
                  "/proxies/kitchen/slots/11:22:33:44:55:66 ends another client's "
                  "connection.");

    fake_links_take_slot(f->gateway, 0, 0xc0ffee000001, "ours");
    fake_links_lease(f->gateway, fake_links_add(f->gateway, 0xc0ffee000001, "kitchen"), "L1",
                     "ops");
    explain(f, DEVICE, false);
    assert_advice(f, 0,
                  "All connection slots of kitchen are taken: DELETE "
                  "/devices/C0:FF:EE:00:00:01/connection ends one of ours.");
    holder = json_array_get(json_object_get(f->told, "holders"), 1);
    assert_string_equal(text(holder, "proxy"), "kitchen");
    assert_string_equal(text(holder, "address"), "C0:FF:EE:00:00:01");
    assert_string_equal(text(holder, "expires"), "2026-11-21T10:01:00.000Z");
    assert_string_equal(json_string_value(json_array_get(json_object_get(holder, "clients"), 0)),
                        "ops");

    fake_links_take_slot(f->gateway, 0, 0xc0ffee000002, "orphan");
    explain(f, DEVICE, false);
    assert_advice(f, 0,
                  "All connection slots of kitchen are taken: POST /connections/close-stale "
                  "frees what nobody holds.");
}

static void D02_causes_of_the_router_are_told_as_what_they_are(void **state)
{
    static const struct {
        const char *cause, *told, *detail;
    } cases[] = {
            {"forbidden", "forbidden", "forbidden by the device's settings"},
            {"not_required", "not_required", "the device's settings require another proxy"},
            {"heard_too_long_ago", "heard_too_long_ago",
             "heard it last 0 s ago, which is too long"},
            {"recent_failure", "recent_failure",
             "hears it at -60 dBm, last 0 s ago; its last attempt failed a moment ago, so that it "
             "has to wait"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fake_links_route(f->gateway, 0)->cause = cases[i].cause;
        explain(f, DEVICE, false);
        assert_candidate(f, 1, "kitchen", "excluded", cases[i].told, cases[i].detail);
    }
    assert_advice(f, 0,
                  "kitchen failed with it a moment ago and is passed over until it let go of "
                  "the device, 10 s at most.");
    fake_gateway_proxy(f->gateway, 0)->quiet_since = FAKE_START;
    fake_links_route(f->gateway, 0)->cause = "never_heard";
    explain(f, DEVICE, false);
    assert_candidate(f, 1, "kitchen", "excluded", "not_scanning",
                     "online, but has heard nothing of any device for 0 s");
}

static void D02_settings_in_the_way_are_named(void **state)
{
    struct fixture *f = *state;

    f->device->sources_count = 1;
    fake_links_route(f->gateway, 0)->cause = "not_required";
    fake_links_set_code(f->gateway, E_PROXY_OFFLINE);
    explain(f, DEVICE, false);
    assert_string_equal(text(f->told, "code"), "proxy_offline");
    assert_string_equal(text(f->told, "summary"),
                        "The proxy that its settings require is not online.");
    assert_advice(f, 0,
                  "kitchen hears it, but its settings require another proxy: PATCH "
                  "/devices/{address} with another settings.route.require.");
}

static void D02_attempts_are_told_newest_first(void **state)
{
    struct fixture *f = *state;
    struct fake_link *link = fake_links_add(f->gateway, DEVICE, "kitchen");
    const json_t *attempts;

    for (size_t i = 0; i < 12; i++)
        link->attempts[i] = fake_links_attempt(f->gateway, "kitchen", E_CONNECT_FAILED, (int) i,
                                               i == 11 ? "fail_establish" : NULL);
    explain(f, DEVICE, false);
    attempts = json_object_get(f->told, "attempts");
    assert_int_equal(json_array_size(attempts), 10);
    assert_string_equal(text(json_object_get(json_array_get(attempts, 0), "reason"), "name"),
                        "fail_establish");
    assert_true(number(json_object_get(json_array_get(attempts, 9), "reason"), "number") == 2);
    assert_string_equal(text(f->told, "summary"),
                        "It is connected through kitchen; a request shares that link.");
    assert_advice(f, 0, "nothing");
    explain(f, DEVICE, true);
    assert_int_equal(json_array_size(json_object_get(f->told, "attempts")), 0);
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
            EXPLAIN_TEST(D02_who_would_carry_a_connection_is_told_with_the_next_best),
            EXPLAIN_TEST(D02_a_connection_goes_through_the_best_with_a_free_slot),
            EXPLAIN_TEST(D02_who_holds_a_slot_is_told_and_how_to_get_it),
            EXPLAIN_TEST(D02_causes_of_the_router_are_told_as_what_they_are),
            EXPLAIN_TEST(D02_settings_in_the_way_are_named),
            EXPLAIN_TEST(D02_attempts_are_told_newest_first),
            EXPLAIN_TEST(D02_an_address_that_nobody_knows_is_explained),
            EXPLAIN_TEST(the_past_is_written_slot_by_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
