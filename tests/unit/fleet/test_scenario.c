#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fleet/scenario.h"

static struct scenario *read_text(const char *text, struct reader *reader)
{
    json_error_t error;
    json_t *document = json_loads(text, 0, &error);
    assert_non_null(document);
    struct scenario *s = scenario_read(document, TEST_DATA, NULL, reader);
    json_decref(document);
    return s;
}

static struct scenario *read_good(const char *text)
{
    struct reader reader = {0};
    struct scenario *s = read_text(text, &reader);
    if (s == NULL) {
        char *faults AUTO_FREE = buffer_take_text(&reader.text);
        fail_msg("%s", faults);
    }
    reader_done(&reader);
    return s;
}

/* Expects exactly these lines, in this order. */
static void expect_faults(const char *text, const char *expected)
{
    struct reader reader = {0};
    assert_null(read_text(text, &reader));
    char *faults AUTO_FREE = buffer_take_text(&reader.text);
    assert_string_equal(faults, expected);
    reader_done(&reader);
}

static void an_empty_scenario_has_defaults(void **state)
{
    struct scenario *s = read_good("{}");

    (void) state;
    assert_int_equal(s->seed, 1);
    assert_int_equal(s->tick, 10 * USEC_PER_MSEC);
    assert_int_equal(s->proxies_count, 0);
    assert_float_equal(s->radio.sensitivity_dbm, -95, 0.001);
    scenario_free(s);
}

static void a_proxy_has_all_that_it_needs(void **state)
{
    struct scenario *s = read_good(
            "{\"rooms\":[{\"name\":\"hall\",\"rect\":[0,0,4,6],\"floor\":1}],\"proxies\":["
            "{\"name\":\"a\",\"room\":\"hall\",\"encryption_key\":true},"
            "{\"name\":\"b\",\"at\":[1,2],\"profile\":\"2024-passive\",\"scan\":\"passive\","
            "\"encryption_key\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","
            "\"mac\":\"AA:BB:CC:DD:EE:F0\",\"port\":6053,\"clients\":2,\"mode_switch_ms\":3000}]}");

    (void) state;
    assert_int_equal(s->proxies_count, 2);
    const struct scenario_proxy *a = &s->proxies[0], *b = &s->proxies[1];
    assert_string_equal(a->room, "hall");
    assert_float_equal(a->place.x, 2, 0.001);
    assert_float_equal(a->place.y, 3, 0.001);
    assert_int_equal(a->place.floor, 1);
    assert_string_equal(a->model.profile->name, "2026");
    assert_int_equal(a->model.slots.limit, 3);
    assert_int_equal(a->model.mode_switch, PROXY_MODEL_MODE_SWITCH);
    assert_int_equal(b->model.mode_switch, 3 * USEC_PER_SEC);
    assert_int_equal(a->model.configured_mode, SCANNER_ACTIVE);
    assert_true(a->is_encrypted);
    assert_int_equal(a->mac >> 24, 0x246f28);
    assert_string_equal(b->model.profile->name, "2024-passive");
    assert_int_equal(b->model.slots.limit, 0);
    assert_int_equal(b->model.configured_mode, SCANNER_PASSIVE);
    assert_int_equal(b->model.clients_max, 2);
    assert_int_equal(b->mac, 0xaabbccddeef0);
    assert_int_equal(b->port, 6053);
    assert_int_equal(b->key[31], 31);
    scenario_free(s);
}

static void every_fault_is_reported_with_its_pointer(void **state)
{
    (void) state;
    expect_faults(
            "{\"sed\":1,\"radio\":{\"noise_db\":\"much\"},"
            "\"rooms\":[{\"name\":\"hall\",\"rect\":[0,0,4]},"
            "{\"name\":\"bath\",\"rect\":[0,0,0,1]}],"
            "\"proxies\":[{\"name\":\"A b\"},{\"name\":\"c\",\"room\":\"cellar\"},"
            "{\"name\":\"d\",\"at\":[1,2],\"port\":70000,\"profile\":\"1999\"},"
            "{\"name\":\"e\"},{\"name\":\"d\",\"at\":[0,0]}],"
            "\"devices\":[{\"at\":[0,0],\"payload\":{\"raw\":\"0\"}},"
            "{\"at\":[0,0],\"payload\":{\"id\":\"x\"}}],"
            "\"faults\":[{\"proxy\":\"nobody\",\"fault\":\"fire\"}]}",
            "/sed: is not known here\n"
            "/radio/noise_db: must be a number from 0 to 30\n"
            "/rooms/0/rect: must be [left, bottom, right, top]\n"
            "/rooms/1/rect: has no area\n"
            "/proxies/0/name: must be 1 to 31 of a-z, 0-9, - and _\n"
            "/proxies/1/room: there is no room of that name\n"
            "/proxies/2/profile: must be 2022, 2024, 2025 or 2026, each also with -passive, or "
            "none\n"
            "/proxies/2/port: must be a whole number from 0 to 65535\n"
            "/proxies/3: needs \"room\" or \"at\"\n"
            "/proxies/4: there is a proxy d already\n"
            "/devices/0/payload/raw: must be hex of at most 62 octets\n"
            "/devices/1/payload: needs the file of /payloads\n"
            "/faults/0/proxy: there is no proxy of that name\n"
            "/faults/0/fault: is no known fault\n");
}

static void a_document_that_is_no_object_is_a_fault(void **state)
{
    (void) state;
    expect_faults("[]", "/: must be an object\n");
}

static void a_file_that_is_not_there_is_a_fault(void **state)
{
    struct reader reader = {0};

    (void) state;
    assert_null(scenario_load(TEST_DATA "/no-such-scenario.json", NULL, &reader));
    assert_int_equal(reader.faults, 1);
    reader_done(&reader);
}

static void faults_beyond_the_limit_are_only_counted(void **state)
{
    struct reader reader = {0};
    json_t *document = json_object();
    char key[16];

    (void) state;
    for (unsigned i = 0; i < READER_FAULTS_MAX + 30; i++) {
        (void) snprintf(key, sizeof(key), "x%u", i);
        (void) json_object_set_new(document, key, json_null());
    }
    assert_null(scenario_read(document, ".", NULL, &reader));
    assert_int_equal(reader.faults, READER_FAULTS_MAX + 30);
    json_decref(document);
    char *faults AUTO_FREE = buffer_take_text(&reader.text);
    unsigned lines = 0;
    for (const char *c = faults; *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, READER_FAULTS_MAX);
}

static void generators_fill_the_house(void **state)
{
    const char *text = "{\"payloads\":\"advertisements.jsonl\","
                       "\"proxies\":{\"count\":5,\"profile\":[\"2026\",\"2024\"]},"
                       "\"devices\":[{\"count\":30,\"kind\":\"ruuvi\",\"interval_ms\":[100,200]},"
                       "{\"at\":[0,0],\"payload\":{\"raw\":\"020106\"}}]}";
    struct scenario *s = read_good(text), *again = read_good(text);

    (void) state;
    assert_int_equal(s->proxies_count, 5);
    assert_string_equal(s->proxies[4].name, "proxy-005");
    assert_string_equal(s->proxies[1].model.profile->name, "2024");
    assert_string_equal(s->proxies[2].model.profile->name, "2026");
    assert_int_equal(s->devices_count, 31);
    for (size_t i = 0; i < 30; i++) {
        assert_in_range(s->devices[i].options.interval, 100000, 200000);
        assert_int_equal(s->devices[i].options.address, again->devices[i].options.address);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(s->devices[i].options.address, s->devices[j].options.address);
    }
    scenario_free(s);
    scenario_free(again);
}

static void all_rows_get_an_address_that_tells_their_line(void **state)
{
    struct scenario *s = read_good("{\"payloads\":\"advertisements.jsonl\","
                                   "\"devices\":{\"rows\":\"all\"}}");

    (void) state;
    assert_true(s->devices_count > 800);
    for (size_t i = 0; i < s->devices_count; i++) {
        const struct world_device_options *options = &s->devices[i].options;
        const struct corpus_row *row = corpus_find(s->corpus, options->label);
        assert_int_equal(options->address >> 24, 0xc0de00);
        if (row != NULL) /* long ids are cut */
            assert_int_equal(options->address & 0xffff, row->line);
        assert_string_not_equal(row != NULL ? row->kind : "", "malformed");
    }
    scenario_free(s);
}

static void a_device_takes_the_captured_address_once(void **state)
{
    struct scenario *s = read_good(
            "{\"payloads\":\"advertisements.jsonl\",\"devices\":["
            "{\"at\":[0,0],\"payload\":{\"id\":\"blemon/ruuvitag/ruuvitag-v5\"}},"
            "{\"at\":[0,0],\"payload\":{\"id\":\"blemon/ruuvitag/ruuvitag-v5\"}},"
            "{\"at\":[0,0],\"payload\":{\"raw\":\"020106\"},\"address\":\"aa:bb:cc:00:11:22\"}]}");

    (void) state;
    assert_int_equal(s->devices[0].options.address, 0xcdd4fa527af2);
    assert_int_equal(s->devices[1].options.address >> 24, 0xcdd4fa);
    assert_int_not_equal(s->devices[1].options.address, 0xcdd4fa527af2);
    assert_int_equal(s->devices[2].options.address, 0xaabbcc001122);
    scenario_free(s);
}

static void faults_of_the_script_have_their_times(void **state)
{
    struct scenario *s = read_good("{\"proxies\":{\"count\":2},\"faults\":["
                                   "{\"proxy\":\"proxy-002\",\"fault\":\"reboot\",\"at\":1.5,"
                                   "\"every\":45},{\"proxy\":\"*\",\"fault\":\"half_open\"}]}");

    (void) state;
    assert_int_equal(s->faults_count, 2);
    assert_int_equal(s->faults[0].proxy, 1);
    assert_int_equal(s->faults[0].kind, FAULT_REBOOT);
    assert_int_equal(s->faults[0].at, 1500 * USEC_PER_MSEC);
    assert_int_equal(s->faults[0].every, 45 * USEC_PER_SEC);
    assert_int_equal(s->faults[0].span, 5 * USEC_PER_SEC);
    assert_true(s->faults[1].proxy == SCENARIO_ALL);
    assert_true(s->faults[1].span == USEC_NEVER);
    scenario_free(s);
}

static void the_demo_is_a_good_scenario(void **state)
{
    struct reader reader = {0};
    struct scenario *s = scenario_load(TEST_DATA "/../../config/demo.json", NULL, &reader);

    (void) state;
    if (s == NULL) {
        char *faults AUTO_FREE = buffer_take_text(&reader.text);
        fail_msg("%s", faults);
    }
    assert_int_equal(s->proxies_count, 8);
    assert_int_equal(s->devices_count, 60);
    reader_done(&reader);
    scenario_free(s);
}

static void a_proxy_differs_from_its_profile_in_its_firmware(void **state)
{
    struct scenario *s = read_good(
            "{\"proxies\":[{\"name\":\"a\",\"at\":[0,0],\"profile\":\"2024\"},"
            "{\"name\":\"b\",\"at\":[0,0],\"slots\":2,\"firmware\":{\"early_release\":true,"
            "\"double_disconnect\":true,\"list\":\"shorter\",\"close_ms\":[100,9000],"
            "\"give_up_ms\":500,\"leaking\":true,\"silent_connecting\":true,\"refusal\":0.5,"
            "\"failure\":0.25,\"errors\":[62,62,133],\"features\":3}}]}");
    const struct slots_options *a = &s->proxies[0].model.slots, *b = &s->proxies[1].model.slots;

    (void) state;
    assert_int_equal(a->list, SLOTS_LIST_ABSENT);
    assert_true(a->is_early_release && a->is_double_disconnect && !a->is_leaking);
    assert_int_equal(a->give_up, SLOTS_GIVE_UP);
    assert_int_equal(b->limit, 2);
    assert_true(b->is_early_release && b->is_double_disconnect);
    assert_true(b->is_leaking && b->is_silent_connecting);
    assert_int_equal(b->list, SLOTS_LIST_SHORTER);
    assert_int_equal(b->close.low, 100 * USEC_PER_MSEC);
    assert_int_equal(b->close.high, 9 * USEC_PER_SEC);
    assert_int_equal(b->give_up, 500 * USEC_PER_MSEC);
    assert_int_equal(b->failures.count, 3);
    assert_int_equal(b->failures.numbers[2], 133);
    assert_int_equal(s->proxies[1].model.features, 3);
    scenario_free(s);
}

static void a_device_can_be_connectable(void **state)
{
    struct scenario *s = read_good(
            "{\"devices\":[{\"at\":[0,0],\"payload\":{\"raw\":\"020106\"}},"
            "{\"at\":[0,0],\"payload\":{\"raw\":\"020106\"},\"connect\":true},"
            "{\"at\":[0,0],\"payload\":{\"raw\":\"020106\"},\"connect\":{\"ms\":[100,200],"
            "\"discovery_ms\":50,\"failure\":0.1,\"errors\":[8],\"weak_dbm\":-80,\"life_ms\":5000,"
            "\"end_error\":8,\"links\":2,\"mtu\":100,\"linked_elsewhere\":true,"
            "\"advertises_linked\":true,\"pairing_error\":82,\"unanswered\":0.5}}]}");
    const struct peripheral_options *usual = &s->devices[1].options.peripheral;
    const struct peripheral_options *own = &s->devices[2].options.peripheral;

    (void) state;
    assert_false(s->devices[0].options.peripheral.is_connectable);
    assert_true(usual->is_connectable);
    assert_int_equal(usual->links_max, 1);
    assert_true(own->is_connectable && own->is_linked_elsewhere && own->advertises_linked);
    assert_int_equal(own->connect.low, 100 * USEC_PER_MSEC);
    assert_int_equal(own->connect.high, 200 * USEC_PER_MSEC);
    assert_int_equal(own->discovery, 50 * USEC_PER_MSEC);
    assert_int_equal(own->failures.numbers[0], 8);
    assert_float_equal(own->unanswered, 0.5, 0.001);
    assert_float_equal(own->weak_dbm, -80, 0.001);
    assert_int_equal(own->life.low, 5 * USEC_PER_SEC);
    assert_int_equal(own->links_max, 2);
    assert_int_equal(own->mtu, 100);
    assert_int_equal(own->pairing_error, 82);
    scenario_free(s);
}

static void generated_ones_have_firmware_and_connect_too(void **state)
{
    struct scenario *s = read_good(
            "{\"payloads\":\"advertisements.jsonl\",\"proxies\":{\"count\":2,\"firmware\":"
            "{\"leaking\":true}},\"devices\":{\"count\":2,\"connect\":{\"mtu\":99}}}");

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        assert_true(s->proxies[i].model.slots.is_leaking);
        assert_true(s->devices[i].options.peripheral.is_connectable);
        assert_int_equal(s->devices[i].options.peripheral.mtu, 99);
    }
    scenario_free(s);
}

static void faults_of_connections_are_told(void **state)
{
    (void) state;
    expect_faults("{\"proxies\":[{\"name\":\"a\",\"at\":[0,0],\"firmware\":{\"list\":\"odd\","
                  "\"errors\":[0]}}],\"devices\":[{\"at\":[0,0],\"payload\":{\"raw\":\"00\"},"
                  "\"connect\":{\"mtu\":22}},{\"at\":[0,0],\"payload\":{\"raw\":\"00\"},"
                  "\"connect\":7}]}",
                  "/proxies/0/firmware/list: must be right, absent, longer, shorter or other\n"
                  "/proxies/0/firmware/errors/0: must be a number other than 0\n"
                  "/devices/0/connect/mtu: must be a whole number from 23 to 517\n"
                  "/devices/1/connect: must be an object\n");
}

static void generations_differ_in_what_they_do_on_links(void **state)
{
    struct scenario *s = read_good(
            "{\"proxies\":[{\"name\":\"a\",\"at\":[0,0],\"profile\":\"2024\"},"
            "{\"name\":\"b\",\"at\":[0,0],\"profile\":\"2025\"},"
            "{\"name\":\"c\",\"at\":[0,0],\"profile\":\"2026\"},"
            "{\"name\":\"d\",\"at\":[0,0],\"profile\":\"2024\",\"firmware\":{"
            "\"first_version\":false,\"gatt\":{\"packs_services\":true,\"short_uuids\":true,"
            "\"restarts_list\":true,\"repeats_list\":true,\"breaks\":0.5,\"tells_breaks\":true,"
            "\"owes_answers\":true,\"silent_commands\":true,\"keeps_services\":true}}}]}");

    (void) state;
    const struct slots_options *old = &s->proxies[0].model.slots, *own = &s->proxies[3].model.slots;
    const struct slots_options *newer = &s->proxies[1].model.slots;
    const struct slots_options *newest = &s->proxies[2].model.slots;
    assert_true(old->has_first_version && newer->has_first_version && !newest->has_first_version);
    assert_true(!old->gatt.is_packing && newer->gatt.is_packing && newest->gatt.is_packing);
    assert_true(!old->gatt.has_short_uuids && newer->gatt.has_short_uuids);
    assert_true(!newer->gatt.is_restarting && newest->gatt.is_restarting);
    assert_true(!newer->gatt.is_owing && newest->gatt.is_owing);
    assert_true(!newer->gatt.is_broken_told && newest->gatt.is_broken_told);
    assert_false(newest->keeps_services || newest->gatt.is_repeating);
    assert_false(own->has_first_version);
    assert_true(own->gatt.is_packing && own->gatt.has_short_uuids && own->gatt.is_restarting);
    assert_true(own->gatt.is_repeating && own->gatt.is_broken_told && own->gatt.is_owing);
    assert_true(own->gatt.is_command_silent && own->keeps_services);
    assert_float_equal(own->gatt.breaks, 0.5, 1e-9);
    scenario_free(s);
}

static void a_device_has_a_database_by_name_in_place_or_several(void **state)
{
    struct scenario *s = read_good(
            "{\"gatt\":\"gatt\",\"devices\":["
            "{\"at\":[0,0],\"payload\":{\"raw\":\"00\"},\"connect\":{\"gatt\":\"lock\"}},"
            "{\"at\":[0,0],\"payload\":{\"raw\":\"00\"},\"connect\":{\"pairs_itself\":true,"
            "\"gatt\":[\"lock\",{\"services\":[]}],\"gatt_change_seconds\":2}},"
            "{\"at\":[0,0],\"payload\":{\"raw\":\"00\"},\"connect\":true}]}");

    (void) state;
    const struct peripheral_options *one = &s->devices[0].options.peripheral;
    const struct peripheral_options *two = &s->devices[1].options.peripheral;
    assert_int_equal(one->gatt.count, 1);
    assert_int_equal(one->gatt.change_period, 0);
    assert_false(one->pairs_itself);
    assert_int_equal(two->gatt.count, 2);
    assert_ptr_equal(two->gatt.databases[0], one->gatt.databases[0]);
    assert_int_equal(gatt_count(two->gatt.databases[1]), 0);
    assert_int_equal(two->gatt.change_period, 2 * USEC_PER_SEC);
    assert_true(two->pairs_itself);
    assert_int_equal(s->devices[2].options.peripheral.gatt.count, 0);
    scenario_free(s);
}

static void faults_of_databases_are_told(void **state)
{
    (void) state;
    expect_faults("{\"devices\":[{\"at\":[0,0],\"payload\":{\"raw\":\"00\"},\"connect\":{"
                  "\"gatt\":\"lock\",\"gatt_change_seconds\":0.01}}],\"proxies\":[{\"name\":"
                  "\"a\",\"at\":[0,0],\"firmware\":{\"gatt\":{\"breaks\":2,\"x\":1}}}]}",
                  "/proxies/0/firmware/gatt/x: is not known here\n"
                  "/devices/0/connect/gatt_change_seconds: must be a number from 0.1 to 1e+06\n"
                  "/devices/0/connect/gatt: names no file of the folder /gatt\n");
    expect_faults("{\"gatt\":\"gatt\",\"devices\":[{\"at\":[0,0],\"payload\":{\"raw\":\"00\"},"
                  "\"connect\":{\"gatt\":[0,0,0,0,0,0,0,0,0]}}]}",
                  "/devices/0/connect/gatt: has more than 8 items\n"
                  "/devices/0/connect/gatt/0: must be an object\n"
                  "/devices/0/connect/gatt/1: must be an object\n"
                  "/devices/0/connect/gatt/2: must be an object\n"
                  "/devices/0/connect/gatt/3: must be an object\n"
                  "/devices/0/connect/gatt/4: must be an object\n"
                  "/devices/0/connect/gatt/5: must be an object\n"
                  "/devices/0/connect/gatt/6: must be an object\n"
                  "/devices/0/connect/gatt/7: must be an object\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_empty_scenario_has_defaults),
            cmocka_unit_test(a_proxy_has_all_that_it_needs),
            cmocka_unit_test(every_fault_is_reported_with_its_pointer),
            cmocka_unit_test(a_document_that_is_no_object_is_a_fault),
            cmocka_unit_test(a_file_that_is_not_there_is_a_fault),
            cmocka_unit_test(faults_beyond_the_limit_are_only_counted),
            cmocka_unit_test(generators_fill_the_house),
            cmocka_unit_test(all_rows_get_an_address_that_tells_their_line),
            cmocka_unit_test(a_device_takes_the_captured_address_once),
            cmocka_unit_test(faults_of_the_script_have_their_times),
            cmocka_unit_test(the_demo_is_a_good_scenario),
            cmocka_unit_test(a_proxy_differs_from_its_profile_in_its_firmware),
            cmocka_unit_test(a_device_can_be_connectable),
            cmocka_unit_test(generated_ones_have_firmware_and_connect_too),
            cmocka_unit_test(faults_of_connections_are_told),
            cmocka_unit_test(generations_differ_in_what_they_do_on_links),
            cmocka_unit_test(a_device_has_a_database_by_name_in_place_or_several),
            cmocka_unit_test(faults_of_databases_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
