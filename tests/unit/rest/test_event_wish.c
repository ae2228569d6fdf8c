#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest/event_wish.h"

static bool read(const char *text, const char *last, struct event_wish *ret_wish,
                 struct faults *faults)
{
    struct query query;

    *ret_wish = (struct event_wish){0};
    query_read(&query, text, event_wish_rules, faults);
    if (!faults_any(faults))
        event_wish_read(ret_wish, &query, last, faults);
    query_done(&query);
    return !faults_any(faults);
}

static struct event_wish wish_of(const char *text, const char *last)
{
    struct faults faults = {0};
    struct event_wish wish;

    assert_true(read(text, last, &wish, &faults));
    return wish;
}

static void assert_refused(const char *text, const char *last, bool is_unreadable)
{
    struct faults faults = {0};
    struct event_wish wish;

    assert_false(read(text, last, &wish, &faults));
    assert_int_equal(faults.unreadable != NULL, is_unreadable);
    faults_done(&faults);
    event_wish_done(&wish);
}

static void standard_is_all_but_packets(void **state)
{
    struct event_wish wish = wish_of(NULL, NULL);

    (void) state;
    assert_int_equal(wish.types, 1u << EVENT_DEVICE | 1u << EVENT_PROXY | 1u << EVENT_CONNECTION |
                                         1u << EVENT_NOTIFICATION | 1u << EVENT_SCAN_WINDOW |
                                         1u << EVENT_LOG);
    assert_int_equal(wish.advertisements.mode, SELECTION_CHANGE);
    assert_true(wish.advertisements.only_owner);
    assert_int_equal(wish.rssi.span, USEC_PER_SEC);
    assert_false(wish.wants_snapshot || wish.has_last);
    assert_true(event_wish_has_address(&wish, 1));
    event_wish_done(&wish);
}

static void parameters_are_taken_over(void **state)
{
    struct event_wish wish =
            wish_of("types=rssi,advertisement&mode=interval&min_interval_s=0.25&proxies=all&"
                    "snapshot=true&address=a4c13812ab56&address=00-00-00-00-00-01&name=x",
                    "5f0c2a91-1042");

    (void) state;
    assert_int_equal(wish.types, 1u << EVENT_RSSI | 1u << EVENT_ADVERTISEMENT);
    assert_int_equal(wish.advertisements.mode, SELECTION_INTERVAL);
    assert_int_equal(wish.advertisements.span, 250 * USEC_PER_MSEC);
    assert_int_equal(wish.rssi.span, 250 * USEC_PER_MSEC);
    assert_false(wish.advertisements.only_owner);
    assert_true(wish.wants_snapshot);
    assert_true(event_wish_has_address(&wish, 0xa4c13812ab56));
    assert_true(event_wish_has_address(&wish, 1));
    assert_false(event_wish_has_address(&wish, 2));
    assert_string_equal(wish.filter.name, "x");
    assert_true(wish.has_last);
    assert_int_equal(wish.last_boot, 0x5f0c2a91);
    assert_int_equal(wish.last_number, 1042);
    event_wish_done(&wish);
}

static void silence_is_the_span_of_reappear(void **state)
{
    struct event_wish wish = wish_of("mode=reappear&min_interval_s=5", NULL);

    (void) state;
    assert_int_equal(wish.advertisements.mode, SELECTION_REAPPEAR);
    assert_int_equal(wish.advertisements.span, 60 * USEC_PER_SEC);
    event_wish_done(&wish);
    wish = wish_of("mode=reappear&silence_s=7", NULL);
    assert_int_equal(wish.advertisements.span, 7 * USEC_PER_SEC);
    event_wish_done(&wish);
}

static void faults_are_told_by_their_kind(void **state)
{
    (void) state;
    assert_refused("types=", NULL, false);
    assert_refused("types=device,", NULL, false);
    assert_refused("types=devices", NULL, false);
    assert_refused("types=ready", NULL, false);
    assert_refused("mode=some", NULL, false);
    assert_refused("min_interval_s=0.09", NULL, false);
    assert_refused("silence_s=86401", NULL, false);
    assert_refused("snapshot=1", NULL, false);
    assert_refused("manufacturer_data_prefix=01", NULL, false);
    assert_refused("available=true", NULL, false);
    assert_refused("address=nonsense", NULL, true);
    assert_refused("service_uuid=12345", NULL, true);
    assert_refused(NULL, "1042", true);
}

static void ids_are_read_as_they_are_written(void **state)
{
    static const char *const others[] = {"",
                                         "-",
                                         "5f0c2a91",
                                         "5f0c2a91-",
                                         "5f0c2a9-1",
                                         "5f0c2a911-1",
                                         "5F0C2A91-1",
                                         "5f0c2a91-1x",
                                         "5f0c2a91--1",
                                         "5f0c2a91-12345678901234567890"};
    char text[EVENT_ID_SIZE];
    uint64_t number;
    uint32_t boot;

    (void) state;
    event_id_format(text, 0xa, 18);
    assert_string_equal(text, "0000000a-18");
    assert_true(event_id_parse(text, &boot, &number));
    assert_int_equal(boot, 0xa);
    assert_int_equal(number, 18);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_false(event_id_parse(others[i], &boot, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(standard_is_all_but_packets),
            cmocka_unit_test(parameters_are_taken_over),
            cmocka_unit_test(silence_is_the_span_of_reappear),
            cmocka_unit_test(faults_are_told_by_their_kind),
            cmocka_unit_test(ids_are_read_as_they_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
