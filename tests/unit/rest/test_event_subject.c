#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "rest/event_subject.h"
#include "rest/event_wish.h"

#define ADDRESS 0xa4c13812ab56

/* UUID 180f, service data fcd2, manufacturer 76, name "Thermo". */
static const uint8_t payload[] = {0x03, 0x03, 0x0f, 0x18, 0x04, 0x16, 0xd2, 0xfc,
                                  0x40, 0x05, 0xff, 0x4c, 0x00, 0x10, 0x05, 0x07,
                                  0x09, 'T',  'h',  'e',  'r',  'm',  'o'};

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct fake_device *device;
    struct buffer facts;
    struct event_subject subject;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"},"
                            "{\"name\":\"hall\",\"host\":\"192.0.2.11\"}],"
                            "\"devices\":[{\"address\":\"A4C13812AB56\",\"alias\":\"Fridge\"}]}");
    f->gateway = fake_gateway_new(f->config);
    f->device = fake_gateway_add(f->gateway, ADDRESS);
    fake_gateway_hear(f->gateway, f->device, "kitchen", payload, sizeof payload);
    f->device->facts.area = "Kitchen";
    f->device->sources[1] = (struct gateway_source){"hall", -80, -80, FAKE_START, 1, false, false};
    f->device->sources_count = 2;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    buffer_done(&f->facts);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static bool matches(const struct event_subject *subject, const char *text)
{
    struct faults faults = {0};
    struct event_wish wish;
    struct query query;
    bool result;

    query_read(&query, text, event_wish_rules, &faults);
    event_wish_read(&wish, &query, NULL, &faults);
    assert_false(faults_any(&faults));
    result = event_subject_matches(subject, &wish.filter);
    event_wish_done(&wish);
    query_done(&query);
    return result;
}

/* Both forms of the same filter say the same of the same device. */
static void assert_same(struct fixture *f, const char *text, bool is_expected)
{
    struct faults faults = {0};
    struct event_wish wish;
    struct query query;

    event_subject_of_device(&f->subject, &f->facts, f->gateway, &f->device->facts);
    assert_int_equal(matches(&f->subject, text), is_expected);
    query_read(&query, text, event_wish_rules, &faults);
    event_wish_read(&wish, &query, NULL, &faults);
    assert_int_equal(device_filter_matches(&wish.filter, f->gateway, &f->device->facts),
                     is_expected);
    event_wish_done(&wish);
    query_done(&query);
}

static void E04_device_is_filtered_as_in_the_list_of_devices(void **state)
{
    static const char *const yes[] = {
            "",
            "name=THERM",
            "name=fridge",
            "area=Kitchen",
            "proxy=kitchen",
            "proxy=hall",
            "rssi_min=-60",
            "service_uuid=1111&service_uuid=180f",
            "service_uuid=fcd2",
            "manufacturer_id=76",
            "manufacturer_id=76&manufacturer_data_prefix=10",
            "manufacturer_id=76&manufacturer_data_prefix=1005",
            "name=therm&area=Kitchen&proxy=hall&service_uuid=fcd2&manufacturer_id=76",
    };
    static const char *const no[] = {
            "name=thermos",
            "area=kitchen",
            "proxy=attic",
            "rssi_min=-59",
            "service_uuid=1111",
            "manufacturer_id=77",
            "manufacturer_id=76&manufacturer_data_prefix=1006",
            "manufacturer_id=76&manufacturer_data_prefix=100500",
            "kind=bthome",
            "name=therm&area=Kitchen&proxy=hall&service_uuid=fcd2&manufacturer_id=77",
    };

    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        assert_same(*state, yes[i], true);
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        assert_same(*state, no[i], false);
}

static void packet_is_filtered_by_its_own_proxy_and_loudness(void **state)
{
    struct fixture *f = *state;
    const struct gateway_hearing hearing = {
            .device = &f->device->facts, .proxy = "hall", .rssi = -80, .rssi_smoothed = -50};

    event_subject_of_hearing(&f->subject, &f->facts, f->gateway, &hearing);
    assert_true(matches(&f->subject, "proxy=hall&rssi_min=-80&name=fridge"));
    assert_false(matches(&f->subject, "proxy=kitchen"));
    assert_false(matches(&f->subject, "rssi_min=-79"));
}

static void unknown_loudness_is_below_any(void **state)
{
    struct fixture *f = *state;
    const struct gateway_hearing hearing = {.device = &f->device->facts, .proxy = "hall"};

    event_subject_of_hearing(&f->subject, &f->facts, f->gateway, &hearing);
    assert_true(matches(&f->subject, ""));
    assert_false(matches(&f->subject, "rssi_min=-127"));
}

static void what_names_no_device_is_filtered_by_its_proxy_alone(void **state)
{
    struct fixture *f = *state;

    event_subject_of_proxy(&f->subject, &f->facts, "hall");
    assert_true(matches(&f->subject, "name=x&area=y&manufacturer_id=1&rssi_min=0&kind=z"));
    assert_true(matches(&f->subject, "proxy=hall"));
    assert_false(matches(&f->subject, "proxy=kitchen"));
    event_subject_of_proxy(&f->subject, &f->facts, NULL);
    assert_true(matches(&f->subject, "proxy=kitchen"));
}

static void link_is_filtered_by_its_device_and_the_proxies_that_carry_it(void **state)
{
    struct fixture *f = *state;
    struct gateway_link_change change = {
            .action = "moved", .address = ADDRESS, .proxy = "hall", .from = "attic"};

    event_subject_of_link(&f->subject, &f->facts, f->gateway, &change);
    assert_true(f->subject.address == ADDRESS);
    assert_true(matches(&f->subject, "name=fridge&area=Kitchen&service_uuid=180f&rssi_min=-70"));
    assert_true(matches(&f->subject, "proxy=hall"));
    assert_true(matches(&f->subject, "proxy=attic"));
    assert_false(matches(&f->subject, "proxy=kitchen"));

    change.proxy = change.from = NULL; /* in line: whoever hears it may carry it */
    event_subject_of_link(&f->subject, &f->facts, f->gateway, &change);
    assert_true(matches(&f->subject, "proxy=kitchen"));

    change.address++; /* forgotten meanwhile */
    change.proxy = "hall";
    event_subject_of_link(&f->subject, &f->facts, f->gateway, &change);
    assert_true(matches(&f->subject, "proxy=hall"));
    assert_false(matches(&f->subject, "name=fridge"));
    assert_false(matches(&f->subject, "rssi_min=-100"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(link_is_filtered_by_its_device_and_the_proxies_that_carry_it),
            TEST(E04_device_is_filtered_as_in_the_list_of_devices),
            TEST(packet_is_filtered_by_its_own_proxy_and_loudness),
            TEST(unknown_loudness_is_below_any),
            TEST(what_names_no_device_is_filtered_by_its_proxy_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
