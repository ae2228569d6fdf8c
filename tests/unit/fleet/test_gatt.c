#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "esphome/codec.h"
#include "fleet/gatt.h"

static const struct message_uuid BATTERY = {.short_uuid = 0x180f};
static const struct message_uuid LEVEL = {.short_uuid = 0x2a19};
static const struct message_uuid LONG = {.high = 0x5a1c00007e574b1e, .low = 0x9c3d0123456789ab};
static const struct gatt_behaviour READABLE = {.properties = GATT_READ};

static struct gatt *battery(uint32_t properties)
{
    struct gatt *g = gatt_new();
    const struct gatt_behaviour behaviour = {.properties = properties};

    assert_int_equal(gatt_add_service(g, &BATTERY, 16), 0);
    assert_int_equal(gatt_add_characteristic(g, &LEVEL, 0, &behaviour), 0);
    assert_int_equal(gatt_add_cccd(g), 0);
    return g;
}

static void handles_follow_each_other_where_none_is_said(void **state)
{
    struct gatt *g = battery(GATT_READ | GATT_NOTIFY);

    (void) state;
    assert_int_equal(gatt_add_characteristic(g, &LONG, 30, &READABLE), 0);
    assert_int_equal(gatt_add_descriptor(g, &LONG, 0, &READABLE), 0);
    gatt_seal(g);
    assert_int_equal(gatt_count(g), 7);
    assert_int_equal(gatt_attribute(g, gatt_find(g, 16))->kind, GATT_SERVICE);
    assert_int_equal(gatt_attribute(g, gatt_find(g, 18))->kind, GATT_VALUE);
    assert_int_equal(gatt_attribute(g, gatt_find(g, 19))->kind, GATT_CCCD);
    assert_int_equal(gatt_attribute(g, gatt_find(g, 29))->kind, GATT_DECLARATION);
    assert_int_equal(gatt_attribute(g, gatt_find(g, 31))->kind, GATT_DESCRIPTOR);
    assert_int_equal(gatt_find(g, 15), GATT_NONE);
    assert_int_equal(gatt_find(g, 20), GATT_NONE);
    assert_int_equal(gatt_find(g, 0x10010), GATT_NONE);
    assert_int_equal(gatt_cccd_of(g, gatt_find(g, 18)), gatt_find(g, 19));
    assert_int_equal(gatt_cccd_of(g, gatt_find(g, 30)), GATT_NONE);
    assert_int_equal(gatt_value_of(g, gatt_find(g, 19)), gatt_find(g, 18));
    gatt_free(g);
}

static void a_handle_that_goes_back_is_refused(void **state)
{
    struct gatt *g = battery(GATT_READ);

    (void) state;
    assert_int_equal(gatt_add_service(g, &BATTERY, 19), -EINVAL);
    assert_int_equal(gatt_add_characteristic(g, &LEVEL, 20, &READABLE), -EINVAL);
    assert_int_equal(gatt_add_characteristic(g, &LEVEL, 0x10000, &READABLE), -EINVAL);
    assert_int_equal(gatt_add_characteristic(g, &LEVEL, 0xffff, &READABLE), 0);
    assert_int_equal(gatt_add_descriptor(g, &LEVEL, 0, &READABLE), -EINVAL);
    gatt_free(g);
}

static void what_has_nothing_above_it_is_refused(void **state)
{
    struct gatt *g = gatt_new();

    (void) state;
    assert_int_equal(gatt_add_characteristic(g, &LEVEL, 0, &READABLE), -EINVAL);
    assert_int_equal(gatt_add_cccd(g), -EINVAL);
    assert_int_equal(gatt_add_service(g, &BATTERY, 0), 0);
    assert_int_equal(gatt_add_cccd(g), -EINVAL);
    gatt_free(g);
}

static void there_are_at_most_so_many_of_each_as_a_message_holds(void **state)
{
    struct gatt *g = gatt_new();
    unsigned count = 0;

    (void) state;
    while (gatt_add_service(g, &BATTERY, 0) == 0)
        count++;
    assert_int_equal(count, CODEC_SERVICES_MAX);
    assert_int_equal(gatt_add_characteristic(g, &LEVEL, 0, &READABLE), 0);
    for (count = 0; gatt_add_descriptor(g, &LONG, 0, &READABLE) == 0;)
        count++;
    assert_int_equal(count, CODEC_DESCRIPTORS_MAX);
    while (gatt_add_characteristic(g, &LEVEL, 0, &READABLE) == 0)
        continue;
    assert_in_range(gatt_count(g), GATT_ATTRIBUTES_MAX - 1, GATT_ATTRIBUTES_MAX);
    gatt_free(g);
}

static void the_list_has_short_uuids_or_long_ones(void **state)
{
    struct gatt *g = battery(GATT_READ | GATT_NOTIFY);
    size_t count;

    (void) state;
    assert_int_equal(gatt_add_characteristic(g, &LONG, 0, &READABLE), 0);
    gatt_seal(g);
    const struct message_service *services = gatt_services(g, true, &count);
    assert_int_equal(count, 1);
    assert_int_equal(services->uuid.short_uuid, 0x180f);
    assert_int_equal(services->characteristics_count, 2);
    assert_int_equal(services->characteristics[0].handle, 18);
    assert_int_equal(services->characteristics[0].properties, GATT_READ | GATT_NOTIFY);
    assert_int_equal(services->characteristics[0].descriptors_count, 1);
    assert_int_equal(services->characteristics[0].descriptors[0].uuid.short_uuid, 0x2902);
    assert_int_equal(services->characteristics[1].uuid.high, LONG.high);
    services = gatt_services(g, false, &count);
    assert_int_equal(services->uuid.short_uuid, 0);
    assert_int_equal(services->uuid.high, 0x0000180f00001000);
    assert_int_equal(services->uuid.low, 0x800000805f9b34fb);
    assert_int_equal(services->characteristics[1].uuid.low, LONG.low);
    gatt_free(g);
}

static const uint8_t *hash_of(struct gatt *g)
{
    const struct message_uuid uuid = {.short_uuid = GATT_UUID_DATABASE_HASH};

    assert_int_equal(gatt_add_characteristic(g, &uuid, 0, &READABLE), 0);
    gatt_seal(g);
    const struct bytes value =
            gatt_attribute(g, gatt_find_uuid(g, GATT_UUID_DATABASE_HASH))->behaviour.value;
    assert_int_equal(value.size, 16);
    return value.data;
}

static void the_database_hash_tells_databases_apart(void **state)
{
    struct gatt *a = battery(GATT_READ), *same = battery(GATT_READ), *b = battery(GATT_NOTIFY);

    (void) state;
    const uint8_t *hash = hash_of(a);
    assert_memory_equal(hash, hash_of(same), 16);
    assert_memory_not_equal(hash, hash_of(b), 16);
    gatt_free(a);
    gatt_free(same);
    gatt_free(b);
}

static void a_device_without_a_database_has_a_name(void **state)
{
    const struct gatt *g = gatt_generic();
    size_t count;

    (void) state;
    assert_int_equal(gatt_services(g, true, &count)->uuid.short_uuid, 0x1800);
    assert_int_equal(count, 1);
    assert_int_equal(gatt_services(g, false, &count)->characteristics[0].handle, 3);
    assert_int_equal(gatt_attribute(g, gatt_find(g, 3))->kind, GATT_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(handles_follow_each_other_where_none_is_said),
            cmocka_unit_test(a_handle_that_goes_back_is_refused),
            cmocka_unit_test(what_has_nothing_above_it_is_refused),
            cmocka_unit_test(there_are_at_most_so_many_of_each_as_a_message_holds),
            cmocka_unit_test(the_list_has_short_uuids_or_long_ones),
            cmocka_unit_test(the_database_hash_tells_databases_apart),
            cmocka_unit_test(a_device_without_a_database_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
