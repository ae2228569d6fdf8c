#include "ble/gatt_tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int add(struct gatt_tree *t, enum gatt_kind kind, uint32_t uuid, uint32_t handle,
               uint32_t properties)
{
    struct ble_uuid u = ble_uuid_from_short(uuid);

    return gatt_tree_add(t, kind, &u, handle, properties);
}

/* Battery, and two characteristics of one UUID in a service of 128 bits. */
static struct gatt_tree *make_tree(void)
{
    struct gatt_tree *t = gatt_tree_new();
    struct ble_uuid own;

    assert_true(ble_uuid_parse("6e400001-b5a3-f393-e0a9-e50e24dcca9e", &own));
    assert_int_equal(add(t, GATT_SERVICE, 0x180f, 12, 0), 0);
    assert_int_equal(add(t, GATT_CHARACTERISTIC, 0x2a19, 14, GATT_READ | GATT_NOTIFY), 0);
    assert_int_equal(add(t, GATT_DESCRIPTOR, GATT_UUID_CCCD, 15, 0), 0);
    assert_int_equal(gatt_tree_add(t, GATT_SERVICE, &own, 20, 0), 0);
    assert_int_equal(add(t, GATT_CHARACTERISTIC, 0x2a6e, 22, GATT_WRITABLE_AUXILIARIES), 0);
    assert_int_equal(add(t, GATT_CHARACTERISTIC, 0x2a6e, 24, GATT_READ), 0);
    assert_int_equal(add(t, GATT_DESCRIPTOR, 0x2901, 25, 0), 0);
    return t;
}

static void entries_are_found_by_handle_and_kind(void **state)
{
    struct gatt_tree *t = make_tree();
    const struct gatt_entry *level = gatt_tree_at(t, GATT_CHARACTERISTIC, 14);

    (void) state;
    assert_non_null(level);
    assert_int_equal(level->properties, GATT_READ | GATT_NOTIFY);
    assert_null(gatt_tree_at(t, GATT_SERVICE, 14));
    assert_null(gatt_tree_at(t, GATT_DESCRIPTOR, 14));
    assert_null(gatt_tree_at(t, GATT_CHARACTERISTIC, 16));
    assert_int_equal(gatt_tree_services(t), 2);
    gatt_tree_release(t);
}

static void a_uuid_that_exists_twice_is_found_twice(void **state)
{
    struct gatt_tree *t = make_tree();
    struct ble_uuid uuid = ble_uuid_from_short(0x2a6e), none = ble_uuid_from_short(0x2902);
    const struct gatt_entry *first = gatt_tree_next(t, &uuid, NULL);
    const struct gatt_entry *second = gatt_tree_next(t, &uuid, first);

    (void) state;
    assert_int_equal(first->handle, 22);
    assert_int_equal(second->handle, 24);
    assert_null(gatt_tree_next(t, &uuid, second));
    assert_null(gatt_tree_next(t, &none, NULL)); /* descriptors are no characteristics */
    gatt_tree_release(t);
}

static void entries_know_what_they_belong_to(void **state)
{
    struct gatt_tree *t = make_tree();
    const struct gatt_entry *level = gatt_tree_at(t, GATT_CHARACTERISTIC, 14);
    const struct gatt_entry *cccd = gatt_tree_descriptor(t, level, GATT_UUID_CCCD);
    const struct gatt_entry *last = gatt_tree_at(t, GATT_CHARACTERISTIC, 24);

    (void) state;
    assert_int_equal(cccd->handle, 15);
    assert_ptr_equal(gatt_tree_parent(t, cccd), level);
    assert_int_equal(gatt_tree_parent(t, level)->handle, 12);
    assert_int_equal(gatt_tree_parent(t, last)->handle, 20);
    assert_null(gatt_tree_parent(t, gatt_tree_at(t, GATT_SERVICE, 20)));
    assert_null(gatt_tree_descriptor(t, gatt_tree_at(t, GATT_CHARACTERISTIC, 22), 0x2901));
    assert_null(gatt_tree_descriptor(t, last, GATT_UUID_CCCD));
    assert_int_equal(gatt_tree_descriptor(t, last, 0x2901)->handle, 25);
    gatt_tree_release(t);
}

static void what_no_device_can_have_is_refused(void **state)
{
    struct gatt_tree *t = gatt_tree_new();

    (void) state;
    assert_int_equal(add(t, GATT_CHARACTERISTIC, 0x2a19, 14, 0), -EBADMSG); /* no service */
    assert_int_equal(add(t, GATT_SERVICE, 0x180f, 0, 0), -EBADMSG);
    assert_int_equal(add(t, GATT_SERVICE, 0x180f, 0x10000, 0), -EBADMSG);
    assert_int_equal(add(t, GATT_SERVICE, 0x180f, 0xffff, 0), 0);
    assert_int_equal(add(t, GATT_DESCRIPTOR, 0x2902, 15, 0), -EBADMSG); /* no characteristic */
    assert_int_equal(add(t, GATT_CHARACTERISTIC, 0x2a19, 14, 0), 0);
    assert_int_equal(add(t, GATT_CHARACTERISTIC, 0x2a1a, 14, 0), -EBADMSG); /* handle taken */
    gatt_tree_release(t);
}

static void a_tree_has_a_bound(void **state)
{
    struct gatt_tree *t = gatt_tree_new();

    (void) state;
    for (uint32_t i = 1; i <= GATT_ENTRIES_MAX; i++)
        assert_int_equal(add(t, GATT_SERVICE, 0x180f, i, 0), 0);
    assert_int_equal(add(t, GATT_SERVICE, 0x180f, GATT_ENTRIES_MAX + 1, 0), -EMSGSIZE);
    assert_int_equal(gatt_tree_services(t), GATT_ENTRIES_MAX);
    gatt_tree_release(t);
}

static void what_is_packed_unpacks_to_the_same(void **state)
{
    struct gatt_tree *t = make_tree(), *copy;
    size_t size;
    uint8_t *packed = gatt_tree_pack(t, &size);

    (void) state;
    copy = gatt_tree_unpack(packed, size);
    assert_non_null(copy);
    assert_true(gatt_tree_equal(t, copy));
    free(packed);
    gatt_tree_release(t);
    gatt_tree_release(copy);
}

static void trees_that_differ_in_anything_are_not_equal(void **state)
{
    struct gatt_tree *t = make_tree(), *other = make_tree();

    (void) state;
    assert_true(gatt_tree_equal(t, other));
    assert_int_equal(add(other, GATT_DESCRIPTOR, 0x2902, 26, 0), 0);
    assert_false(gatt_tree_equal(t, other));
    assert_int_equal(add(t, GATT_DESCRIPTOR, 0x2902, 27, 0), 0);
    assert_false(gatt_tree_equal(t, other));
    gatt_tree_release(t);
    gatt_tree_release(other);
}

static void damaged_or_foreign_octets_are_no_tree(void **state)
{
    struct gatt_tree *t = make_tree();
    size_t size;
    uint8_t *packed = gatt_tree_pack(t, &size);

    (void) state;
    assert_null(gatt_tree_unpack(packed, 0));
    for (size_t cut = 2; cut < size; cut++) { /* an end between two entries is a shorter tree */
        struct gatt_tree *shorter = gatt_tree_unpack(packed, cut);

        if (shorter)
            assert_false(gatt_tree_equal(shorter, t));
        gatt_tree_release(shorter);
    }
    packed[1] = 3; /* no such kind */
    assert_null(gatt_tree_unpack(packed, size));
    packed[0] = 2; /* no such version */
    assert_null(gatt_tree_unpack(packed, size));
    free(packed);
    gatt_tree_release(t);
}

static void a_tree_lives_until_its_last_holder_let_go(void **state)
{
    struct gatt_tree *t = make_tree();
    size_t count;

    (void) state;
    assert_ptr_equal(gatt_tree_hold(t), t);
    gatt_tree_release(t);
    (void) gatt_tree_entries(t, &count);
    assert_int_equal(count, 7);
    gatt_tree_release(t);
    gatt_tree_release(NULL);
}

static void properties_have_the_names_of_the_field(void **state)
{
    (void) state;
    assert_string_equal(gatt_property_name(GATT_READ), "read");
    assert_string_equal(gatt_property_name(GATT_WRITE_WITHOUT_RESPONSE), "write-without-response");
    assert_string_equal(gatt_property_name(GATT_WRITABLE_AUXILIARIES), "writable-auxiliaries");
    assert_null(gatt_property_name(0x400));
    assert_null(gatt_property_name(GATT_READ | GATT_WRITE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(entries_are_found_by_handle_and_kind),
            cmocka_unit_test(a_uuid_that_exists_twice_is_found_twice),
            cmocka_unit_test(entries_know_what_they_belong_to),
            cmocka_unit_test(what_no_device_can_have_is_refused),
            cmocka_unit_test(a_tree_has_a_bound),
            cmocka_unit_test(what_is_packed_unpacks_to_the_same),
            cmocka_unit_test(trees_that_differ_in_anything_are_not_equal),
            cmocka_unit_test(damaged_or_foreign_octets_are_no_tree),
            cmocka_unit_test(a_tree_lives_until_its_last_holder_let_go),
            cmocka_unit_test(properties_have_the_names_of_the_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
