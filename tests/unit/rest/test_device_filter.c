#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "fake_gateway.h"
#include "rest/device_filter.h"

static const struct query_rule rules[] = {DEVICE_FILTER_RULES, {.name = NULL}};

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct fake_device *device;
    uint8_t data[62];
};

static int setup(void **state)
{
    static const char packet[] = "0201060a16d2fc4002c40903bf1303030a1805ff4c001005"
                                 "09094b69746368656e31";
    struct fixture *f = xnew(struct fixture, 1);
    size_t size;

    f->config =
            fake_config("{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}],"
                        "\"devices\":[{\"address\":\"A4:C1:38:12:AB:56\",\"alias\":\"Fridge\"}]}");
    f->gateway = fake_gateway_new(f->config);
    f->device = fake_gateway_add(f->gateway, 0xa4c13812ab56);
    assert_true(bytes_from_hex(f->data, sizeof f->data, packet, strlen(packet), &size));
    fake_gateway_hear(f->gateway, f->device, "kitchen", f->data, size);
    f->device->facts.area = "Kitchen";
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

static bool matches(const struct fixture *f, const char *text)
{
    struct faults faults = {0};
    struct device_filter filter;
    struct query query;
    bool result;

    query_read(&query, text, rules, &faults);
    assert_false(faults_any(&faults));
    device_filter_read(&filter, &query, &faults);
    assert_false(faults_any(&faults));
    result = device_filter_matches(&filter, f->gateway, &f->device->facts);
    device_filter_done(&filter);
    query_done(&query);
    return result;
}

static void filter_without_conditions_matches_everything(void **state)
{
    assert_true(matches(*state, NULL));
    assert_true(matches(*state, "available=any"));
}

static void filter_finds_parts_of_name_and_alias_in_any_case(void **state)
{
    assert_true(matches(*state, "name=kitch"));
    assert_true(matches(*state, "name=EN1"));
    assert_true(matches(*state, "name=fridge"));
    assert_true(matches(*state, "name="));
    assert_false(matches(*state, "name=kitchen12"));
}

static void filter_knows_proxy_and_area(void **state)
{
    assert_true(matches(*state, "proxy=kitchen&area=Kitchen"));
    assert_false(matches(*state, "proxy=attic"));
    assert_false(matches(*state, "area=kitchen"));
}

static void E04_filter_matches_any_of_several_uuids_in_the_list_or_as_data_key(void **state)
{
    assert_true(matches(*state, "service_uuid=180a"));
    assert_true(matches(*state, "service_uuid=fcd2"));
    assert_true(matches(*state, "service_uuid=1800&service_uuid=FCD2"));
    assert_false(matches(*state, "service_uuid=1800"));
}

static void E04_filter_matches_manufacturer_and_prefix(void **state)
{
    assert_true(matches(*state, "manufacturer_id=76"));
    assert_true(matches(*state, "manufacturer_id=76&manufacturer_data_prefix=10"));
    assert_true(matches(*state, "manufacturer_id=76&manufacturer_data_prefix=1005"));
    assert_false(matches(*state, "manufacturer_id=76&manufacturer_data_prefix=100500"));
    assert_false(matches(*state, "manufacturer_id=76&manufacturer_data_prefix=11"));
    assert_false(matches(*state, "manufacturer_id=77"));
}

static void filter_compares_the_smoothed_rssi(void **state)
{
    struct fixture *f = *state;

    f->device->facts.rssi = -40;
    f->device->facts.rssi_smoothed = -60.5;
    assert_true(matches(f, "rssi_min=-61"));
    assert_false(matches(f, "rssi_min=-60"));
    f->device->facts.rssi_smoothed = (double) NAN;
    assert_false(matches(f, "rssi_min=-127"));
}

static void filter_knows_how_long_ago_a_device_was_heard(void **state)
{
    struct fixture *f = *state;

    fake_gateway_advance(f->gateway, 10 * USEC_PER_SEC);
    assert_true(matches(f, "seen_within_s=10"));
    assert_false(matches(f, "seen_within_s=9.9"));
    assert_true(matches(f, "seen_within_s=1e300"));
    f->device->facts.last_seen = 0;
    assert_false(matches(f, "seen_within_s=1e300"));
}

static void filter_knows_availability(void **state)
{
    struct fixture *f = *state;

    assert_true(matches(f, "available=true"));
    assert_false(matches(f, "available=false"));
    f->device->facts.is_available = false;
    assert_true(matches(f, "available=false"));
}

static void filter_for_what_nobody_has_learned_matches_only_null(void **state)
{
    assert_true(matches(*state, "connectable=null"));
    assert_false(matches(*state, "connectable=true"));
    assert_false(matches(*state, "connectable=false"));
    assert_false(matches(*state, "kind=bthome"));
}

static void prefix_without_manufacturer_is_a_contradiction(void **state)
{
    struct faults faults = {0};
    struct device_filter filter;
    struct query query;

    (void) state;
    query_read(&query, "manufacturer_data_prefix=10", rules, &faults);
    assert_false(faults_any(&faults));
    device_filter_read(&filter, &query, &faults);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.items[0].pointer, "?manufacturer_data_prefix");
    device_filter_done(&filter);
    query_done(&query);
    faults_done(&faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(filter_without_conditions_matches_everything, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(filter_finds_parts_of_name_and_alias_in_any_case, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(filter_knows_proxy_and_area, setup, teardown),
            cmocka_unit_test_setup_teardown(
                    E04_filter_matches_any_of_several_uuids_in_the_list_or_as_data_key, setup,
                    teardown),
            cmocka_unit_test_setup_teardown(E04_filter_matches_manufacturer_and_prefix, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(filter_compares_the_smoothed_rssi, setup, teardown),
            cmocka_unit_test_setup_teardown(filter_knows_how_long_ago_a_device_was_heard, setup,
                                            teardown),
            cmocka_unit_test_setup_teardown(filter_knows_availability, setup, teardown),
            cmocka_unit_test_setup_teardown(filter_for_what_nobody_has_learned_matches_only_null,
                                            setup, teardown),
            cmocka_unit_test_setup_teardown(prefix_without_manufacturer_is_a_contradiction, setup,
                                            teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
