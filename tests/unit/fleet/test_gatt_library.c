#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fleet/gatt_library.h"

#define FOLDER TEST_DATA "/gatt"

static const struct gatt *read_text(struct gatt_library *l, const char *text, struct reader *reader)
{
    json_t *document = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(document);
    struct spot root = reader_root(reader, document);
    const struct gatt *gatt = gatt_library_read(l, &root);
    json_decref(document);
    return gatt;
}

static void expect_faults(const char *text, const char *expected)
{
    struct gatt_library *l = gatt_library_new(FOLDER);
    struct reader reader = {0};

    assert_null(read_text(l, text, &reader));
    char *faults AUTO_FREE = buffer_take_text(&reader.text);
    assert_string_equal(faults, expected);
    reader_done(&reader);
    gatt_library_free(l);
}

static void expect_characteristic_fault(const char *members, const char *expected)
{
    char text[1000];

    (void) snprintf(text, sizeof(text),
                    "{\"services\": [{\"uuid\": \"180f\", \"characteristics\": [{\"uuid\": "
                    "\"2a19\", %s}]}]}",
                    members);
    expect_faults(text, expected);
}
#define PLACE "/services/0/characteristics/0"

static void every_file_of_the_folder_is_a_database(void **state)
{
    struct gatt_library *l = gatt_library_new(FOLDER);
    DIR *folder = opendir(FOLDER);
    unsigned count = 0;

    (void) state;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct reader reader = {0};
        char text[300];
        char *end = strstr(entry->d_name, ".json");
        if (end == NULL)
            continue;
        (void) snprintf(text, sizeof(text), "\"%.*s\"", (int) (end - entry->d_name), entry->d_name);
        const struct gatt *gatt = read_text(l, text, &reader);
        assert_int_equal(reader.faults, 0);
        assert_non_null(gatt);
        assert_ptr_equal(read_text(l, text, &reader), gatt); /* it is read once */
        reader_done(&reader);
        count++;
    }
    (void) closedir(folder);
    assert_in_range(count, 10, 100);
    gatt_library_free(l);
}

static void a_database_in_place_has_all_that_can_be_said(void **state)
{
    struct gatt_library *l = gatt_library_new(NULL);
    struct reader reader = {0};
    const struct gatt *g = read_text(
            l,
            "{\"services\": [{\"uuid\": \"180f\", \"handle\": 16, \"characteristics\": [{"
            "\"uuid\": \"2a19\", \"handle\": 20, \"properties\": [\"read\", \"indicate\"],"
            "\"value\": \"0102\", \"vary\": {\"at\": 1, \"size\": 1, \"low\": 3, \"high\": 9,"
            "\"by\": \"chance\"}, \"notify_ms\": [10, 20], \"delay_ms\": 5, \"length\": [1, 2],"
            "\"prompt\": true,"
            "\"error\": 128, \"unpaired_error\": 5, \"silent\": true, \"echo\": true,"
            "\"long_writes\": false, \"changes_database\": true, \"descriptors\": [{\"uuid\":"
            "\"2901\", \"text\": \"level\", \"writable\": true}]}]}]}",
            &reader);

    (void) state;
    assert_int_equal(reader.faults, 0);
    const struct gatt_attribute *a = gatt_attribute(g, gatt_find(g, 20));
    const struct gatt_behaviour *b = &a->behaviour;
    assert_int_equal(b->properties, GATT_READ | GATT_INDICATE);
    assert_memory_equal(b->value.data, "\x01\x02", 2);
    assert_int_equal(b->variation.at, 1);
    assert_int_equal(b->variation.high, 9);
    assert_int_equal(b->variation.way, GATT_BY_CHANCE);
    assert_int_equal(b->notify.high, 20 * USEC_PER_MSEC);
    assert_int_equal(b->delay.low, 5 * USEC_PER_MSEC);
    assert_int_equal(b->length_min, 1);
    assert_int_equal(b->length_max, 2);
    assert_int_equal(b->error, 128);
    assert_true(b->is_silent && b->is_prompt && b->is_echo && b->changes_database &&
                b->is_preparing_denied);
    assert_int_equal(gatt_attribute(g, gatt_find(g, 21))->kind, GATT_CCCD);
    assert_int_equal(gatt_attribute(g, gatt_find(g, 21))->behaviour.unpaired_error, 5);
    a = gatt_attribute(g, gatt_find(g, 22));
    assert_int_equal(a->behaviour.properties, GATT_READ | GATT_WRITE);
    assert_memory_equal(a->behaviour.value.data, "level", 5);
    reader_done(&reader);
    gatt_library_free(l);
}

static void what_is_wrong_is_said_at_its_place(void **state)
{
    (void) state;
    expect_faults("{\"services\": [{\"uuid\": \"xyz\"}, {\"uuid\": \"180f\", \"color\": 1}]}",
                  "/services/0/uuid: must be a UUID of 16, 32 or 128 bits\n"
                  "/services/1/color: is not known here\n");
    expect_characteristic_fault("\"properties\": [\"shout\"]",
                                PLACE "/properties/0: is no property of a characteristic\n");
    expect_characteristic_fault("\"value\": \"012\"",
                                PLACE "/value: must be hex of at most 512 octets\n");
    expect_characteristic_fault("\"size\": 513",
                                PLACE "/size: must be a whole number from 0 to 512\n");
    expect_characteristic_fault("\"value\": \"01\", \"vary\": {\"at\": 1}",
                                PLACE "/vary: lies outside of the value\n");
    expect_characteristic_fault("\"value\": \"01\", \"vary\": {\"low\": 2, \"high\": 1}",
                                PLACE "/vary/low: must not be above \"high\"\n");
    expect_characteristic_fault("\"value\": \"01\", \"vary\": {\"by\": \"fate\"}",
                                PLACE "/vary/by: must be \"count\", \"chance\" or \"clock\"\n");
    expect_characteristic_fault("\"notify_ms\": 0", PLACE "/notify_ms: must be at least 1\n");
    expect_characteristic_fault("\"handle\": 2",
                                PLACE ": has a handle that is not behind those before\n");
    expect_characteristic_fault(
            "\"descriptors\": [{\"uuid\": \"2902\"}]",
            PLACE "/descriptors/0: comes by itself where there is \"notify\" or \"indicate\"\n");
}

static void a_name_must_be_that_of_a_file(void **state)
{
    (void) state;
    expect_faults("\"../house\"", "/: names no file of the folder /gatt\n");
    expect_faults("\"\"", "/: names no file of the folder /gatt\n");
    expect_faults("17", "/: must be an object\n");
}

static void there_are_at_most_so_many_databases(void **state)
{
    struct gatt_library *l = gatt_library_new(NULL);
    struct reader reader = {0};

    (void) state;
    for (unsigned i = 0; i < GATT_LIBRARY_MAX; i++)
        assert_non_null(read_text(l, "{}", &reader));
    assert_null(read_text(l, "{}", &reader));
    assert_int_equal(reader.faults, 1);
    reader_done(&reader);
    gatt_library_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_file_of_the_folder_is_a_database),
            cmocka_unit_test(a_database_in_place_has_all_that_can_be_said),
            cmocka_unit_test(what_is_wrong_is_said_at_its_place),
            cmocka_unit_test(a_name_must_be_that_of_a_file),
            cmocka_unit_test(there_are_at_most_so_many_databases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
