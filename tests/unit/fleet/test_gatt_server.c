#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* A device with the database of TEST_DATA/gatt/bench.json, or others of that folder. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fleet/gatt_library.h"
#include "fleet/gatt_server.h"

#define NOW   ((usec_t) 1000000)
#define MTU   23
#define LARGE 18 /* handles of bench.json */
#define ECHO  21
#define COUNT 25
#define BAD   29
#define SLOW  31
#define MUTE  33
#define SHORT 35
#define PLAIN 40

struct fixture {
    struct gatt_library *library;
    struct gatt_server *server;
    struct gatt_link *link, *other;
    uint8_t value[GATT_VALUE_MAX];
    size_t size;
};

static const struct gatt *load(struct fixture *f, const char *name)
{
    struct reader reader = {0};
    json_t *document = json_string(name);
    struct spot root = reader_root(&reader, document);
    const struct gatt *gatt = gatt_library_read(f->library, &root);

    json_decref(document);
    reader_done(&reader);
    assert_non_null(gatt);
    return gatt;
}

/* Two databases if b is not NULL. */
static struct fixture *fixture_of(const char *a, const char *b, usec_t change_period)
{
    struct fixture *f = xnew(struct fixture, 1);
    struct gatt_server_options options = {.change_period = change_period};

    f->library = gatt_library_new(TEST_DATA "/gatt");
    options.databases[options.count++] = load(f, a);
    if (b != NULL)
        options.databases[options.count++] = load(f, b);
    f->server = gatt_server_new(&options, 1);
    f->link = gatt_link_open(f->server, MTU, NOW);
    f->other = gatt_link_open(f->server, MTU, NOW);
    return f;
}

static struct fixture *bench(void)
{
    return fixture_of("bench", NULL, 0);
}

static void fixture_free(struct fixture *f)
{
    gatt_link_close(f->link);
    gatt_link_close(f->other);
    gatt_server_free(f->server);
    gatt_library_free(f->library);
    free(f);
}

static uint32_t handle_of(const struct fixture *f, uint32_t short_uuid)
{
    const struct gatt *gatt = gatt_server_gatt(f->server);
    return gatt_attribute(gatt, gatt_find_uuid(gatt, short_uuid))->handle;
}

static int32_t read_it(struct fixture *f, uint32_t handle)
{
    f->size = 0;
    return gatt_link_read(f->link, handle, NOW, f->value, &f->size);
}

static int32_t write_size(struct fixture *f, uint32_t handle, size_t size)
{
    uint8_t octets[600] = {7};
    return gatt_link_write(f->link, handle, (struct bytes){octets, size}, NOW);
}

static int32_t subscribe(struct gatt_link *l, uint32_t cccd, uint8_t bits)
{
    return gatt_link_write(l, cccd, (struct bytes){(const uint8_t[]){bits, 0}, 2}, NOW);
}

static void a_value_is_read_as_it_was_written(void **state)
{
    struct fixture *f = bench();

    (void) state;
    assert_int_equal(read_it(f, LARGE), 0);
    assert_int_equal(f->size, 512);
    assert_int_equal(f->value[300], (uint8_t) 300);
    assert_int_equal(write_size(f, LARGE, 3), 0);
    assert_int_equal(read_it(f, LARGE), 0);
    assert_int_equal(f->size, 3);
    assert_int_equal(f->value[0], 7);
    assert_int_equal(write_size(f, LARGE, 0), 0);
    assert_int_equal(read_it(f, LARGE), 0);
    assert_int_equal(f->size, 0);
    fixture_free(f);
}

static void what_is_not_allowed_has_its_number(void **state)
{
    struct fixture *f = bench();

    (void) state;
    assert_int_equal(read_it(f, 1000), GATT_INVALID_HANDLE);
    assert_int_equal(write_size(f, 1000, 1), GATT_INVALID_HANDLE);
    assert_int_equal(read_it(f, PLAIN), GATT_READ_NOT_PERMITTED);
    assert_int_equal(write_size(f, COUNT, 1), GATT_WRITE_NOT_PERMITTED);
    assert_int_equal(read_it(f, LARGE - 1), GATT_READ_NOT_PERMITTED); /* a declaration */
    assert_int_equal(write_size(f, SHORT, 0), GATT_INVALID_LENGTH);
    assert_int_equal(write_size(f, SHORT, 5), GATT_INVALID_LENGTH);
    assert_int_equal(write_size(f, LARGE, GATT_VALUE_MAX), 0);
    assert_int_equal(write_size(f, LARGE, GATT_VALUE_MAX + 1), GATT_INVALID_LENGTH);
    assert_int_equal(write_size(f, PLAIN, MTU - 3), 0);
    assert_int_equal(write_size(f, PLAIN, MTU - 2), GATT_NOT_SUPPORTED); /* would be prepared */
    assert_int_equal(read_it(f, BAD), 128);
    assert_int_equal(write_size(f, BAD, 1), 128);
    fixture_free(f);
}

static void a_command_that_is_too_long_is_cut_and_one_that_is_not_allowed_ignored(void **state)
{
    struct fixture *f = bench();
    const uint8_t octets[100] = {1};

    (void) state;
    gatt_link_command(f->link, LARGE, (struct bytes){octets, 100}, NOW);
    assert_int_equal(read_it(f, LARGE), 0);
    assert_int_equal(f->size, MTU - 3);
    gatt_link_command(f->link, SLOW, (struct bytes){octets, 1}, NOW);
    assert_int_equal(read_it(f, SLOW), 0);
    assert_int_equal(f->value[0], 0x51);
    fixture_free(f);
}

static void a_bonded_only_value_wants_an_encrypted_link(void **state)
{
    struct fixture *f = fixture_of("lock", NULL, 0);

    (void) state;
    assert_int_equal(read_it(f, 6), 0x05);
    assert_int_equal(subscribe(f->link, 7, 1), 0x05);
    assert_int_equal(write_size(f, 10, 1), 0x0f);
    assert_int_equal(read_it(f, 12), 0);
    gatt_link_encrypt(f->link);
    assert_int_equal(read_it(f, 6), 0);
    assert_int_equal(subscribe(f->link, 7, 1), 0);
    assert_int_equal(write_size(f, 10, 1), 0);
    assert_int_equal(gatt_link_read(f->other, 6, NOW, f->value, &f->size), 0x05);
    fixture_free(f);
}

static void a_counter_counts_with_each_reading(void **state)
{
    struct fixture *f = bench();

    (void) state;
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(read_it(f, COUNT), 0);
        assert_memory_equal(f->value, ((const uint8_t[]){i, 0, 0, 0}), 4);
    }
    fixture_free(f);
}

static void chance_stays_within_its_bounds(void **state)
{
    struct fixture *f = fixture_of("heart-rate", NULL, 0);
    uint32_t handle = handle_of(f, 0x2a37);
    struct gatt_notification n;
    uint8_t lowest = 255, highest = 0;

    (void) state;
    assert_int_equal(subscribe(f->link, handle + 1, 1), 0);
    for (usec_t i = 1; i <= 500; i++) {
        assert_true(gatt_link_take(f->link, NOW + i * 2 * USEC_PER_SEC, &n));
        assert_int_equal(n.size, 2);
        lowest = n.value[1] < lowest ? n.value[1] : lowest;
        highest = n.value[1] > highest ? n.value[1] : highest;
    }
    assert_int_equal(lowest, 60);
    assert_int_equal(highest, 90);
    fixture_free(f);
}

static void a_cccd_belongs_to_a_link_and_takes_what_the_value_can(void **state)
{
    struct fixture *f = bench();
    const uint8_t one[1] = {1};

    (void) state;
    assert_int_equal(subscribe(f->link, ECHO + 1, 2), GATT_VALUE_NOT_ALLOWED);
    assert_int_equal(subscribe(f->link, SHORT + 1, 1), GATT_VALUE_NOT_ALLOWED);
    assert_int_equal(subscribe(f->link, ECHO + 1, 4), GATT_VALUE_NOT_ALLOWED);
    assert_int_equal(gatt_link_write(f->link, ECHO + 1, (struct bytes){one, 1}, NOW),
                     GATT_INVALID_LENGTH);
    assert_int_equal(subscribe(f->link, ECHO + 1, 1), 0);
    assert_int_equal(read_it(f, ECHO + 1), 0);
    assert_memory_equal(f->value, "\x01\x00", 2);
    assert_int_equal(gatt_link_read(f->other, ECHO + 1, NOW, f->value, &f->size), 0);
    assert_memory_equal(f->value, "\x00\x00", 2);
    fixture_free(f);
}

static void notifications_come_in_their_interval_to_subscribers_alone(void **state)
{
    struct fixture *f = bench();
    struct gatt_notification n;
    unsigned count = 0;

    (void) state;
    assert_int_equal(gatt_link_deadline(f->link), USEC_NEVER);
    assert_int_equal(subscribe(f->link, COUNT + 1, 1), 0);
    assert_int_equal(gatt_link_deadline(f->link), NOW + 100 * USEC_PER_MSEC);
    for (usec_t now = NOW; now < NOW + USEC_PER_SEC; now = gatt_link_deadline(f->link))
        while (gatt_link_take(f->link, now, &n))
            assert_int_equal(n.value[0], count++);
    assert_int_equal(count, 9);
    assert_false(gatt_link_take(f->other, NOW + 10 * USEC_PER_SEC, &n));
    assert_int_equal(subscribe(f->link, COUNT + 1, 0), 0);
    assert_false(gatt_link_take(f->link, NOW + 10 * USEC_PER_SEC, &n));
    fixture_free(f);
}

static void an_echo_goes_to_all_subscribers_cut_to_their_mtu(void **state)
{
    struct fixture *f = bench();
    struct gatt_notification n;

    (void) state;
    assert_int_equal(write_size(f, ECHO, 1), 0);
    assert_false(gatt_link_take(f->link, NOW, &n)); /* nobody has subscribed */
    assert_int_equal(subscribe(f->link, ECHO + 1, 1), 0);
    assert_int_equal(subscribe(f->other, ECHO + 1, 1), 0);
    assert_int_equal(write_size(f, ECHO, 100), 0);
    assert_true(gatt_link_take(f->link, NOW, &n));
    assert_int_equal(n.handle, ECHO);
    assert_int_equal(n.size, MTU - 3);
    assert_false(gatt_link_take(f->link, NOW, &n));
    assert_true(gatt_link_take(f->other, NOW, &n));
    fixture_free(f);
}

static void a_value_set_from_outside_is_notified(void **state)
{
    struct fixture *f = bench();
    const uint8_t octets[GATT_VALUE_MAX + 1] = {9};
    struct gatt_notification n;

    (void) state;
    assert_int_equal(subscribe(f->link, ECHO + 1, 1), 0);
    assert_int_equal(gatt_server_set(f->server, ECHO, (struct bytes){octets, 2}, NOW), 0);
    assert_true(gatt_link_take(f->link, NOW, &n));
    assert_int_equal(n.value[0], 9);
    assert_int_equal(gatt_server_set(f->server, 1000, (struct bytes){octets, 2}, NOW), -ENOENT);
    assert_int_equal(gatt_server_set(f->server, ECHO + 1, (struct bytes){octets, 2}, NOW), -ENOENT);
    assert_int_equal(gatt_server_set(f->server, ECHO, (struct bytes){octets, 513}, NOW), -E2BIG);
    fixture_free(f);
}

static void the_next_operations_fail_as_ordered(void **state)
{
    struct fixture *f = bench();

    (void) state;
    assert_int_equal(gatt_server_fail_next(f->server, 1000, 1, 0x0e), -ENOENT);
    assert_int_equal(gatt_server_fail_next(f->server, ECHO, 2, 0x81), 0);
    assert_int_equal(read_it(f, ECHO), 0x81);
    assert_int_equal(write_size(f, ECHO, 1), 0x81);
    assert_int_equal(read_it(f, ECHO), 0);
    assert_int_equal(gatt_server_fail_next(f->server, ECHO, 1, 0), 0);
    assert_int_equal(gatt_link_delay(f->link, ECHO, 0), USEC_NEVER);
    assert_int_not_equal(gatt_link_delay(f->link, ECHO, 0), USEC_NEVER);
    fixture_free(f);
}

static void long_values_and_slow_ones_take_their_time(void **state)
{
    struct fixture *f = bench();

    (void) state;
    assert_int_equal(gatt_link_delay(f->link, SLOW, 0), 1500 * USEC_PER_MSEC);
    assert_int_equal(gatt_link_delay(f->link, MUTE, 1), USEC_NEVER);
    assert_in_range(gatt_link_delay(f->link, ECHO, 20), GATT_DELAY_LOW, GATT_DELAY_HIGH);
    /* 21 octets: two prepared writes and their execution; 512 octets: 24 reads of 22 */
    assert_in_range(gatt_link_delay(f->link, ECHO, 21), 3 * GATT_DELAY_LOW, 3 * GATT_DELAY_HIGH);
    assert_in_range(gatt_link_delay(f->link, LARGE, 0), 24 * GATT_DELAY_LOW, 24 * GATT_DELAY_HIGH);
    assert_in_range(gatt_link_delay(f->link, 1000, 0), GATT_DELAY_LOW, GATT_DELAY_HIGH);
    fixture_free(f);
}

static void a_prompt_value_takes_no_time_and_tells_the_moment(void **state)
{
    const struct message_uuid service = {.short_uuid = 0xfff0}, value = {.short_uuid = 0xfff1};
    const struct gatt_behaviour behaviour = {
            .properties = GATT_READ,
            .value = {(const uint8_t[4]){0}, 4},
            .variation = {.size = 4, .high = UINT32_MAX, .way = GATT_BY_CLOCK},
            .is_prompt = true,
    };
    uint8_t octets[GATT_VALUE_MAX];
    size_t size = 0;
    struct gatt *gatt = gatt_new();

    (void) state;
    assert_int_equal(gatt_add_service(gatt, &service, 1), 0);
    assert_int_equal(gatt_add_characteristic(gatt, &value, 3, &behaviour), 0);
    gatt_seal(gatt);
    struct gatt_server *s =
            gatt_server_new(&(struct gatt_server_options){.databases = {gatt}, .count = 1}, 1);
    struct gatt_link *l = gatt_link_open(s, MTU, NOW);
    assert_int_equal(gatt_link_delay(l, 3, 0), 0);
    assert_int_equal(gatt_link_read(l, 3, NOW + 0x01020304, octets, &size), 0);
    uint32_t moment = (uint32_t) (NOW + 0x01020304);
    assert_int_equal(size, sizeof moment);
    assert_memory_equal(octets, &moment, sizeof moment);
    gatt_link_close(l);
    gatt_server_free(s);
    gatt_free(gatt);
}

static void an_update_makes_handles_wrong_and_forgets_subscriptions(void **state)
{
    struct fixture *f = fixture_of("changed-a", "changed-b", 0);
    struct gatt_notification n;

    (void) state;
    uint32_t level = handle_of(f, 0x2a19);
    assert_int_equal(subscribe(f->link, level + 1, 1), 0);
    gatt_server_change(f->server);
    assert_int_equal(gatt_server_database(f->server), 1);
    assert_int_not_equal(handle_of(f, 0x2a19), level);
    assert_false(gatt_link_take(f->link, NOW, &n)); /* and nobody is told */
    assert_int_equal(read_it(f, handle_of(f, 0x2a19) + 1), 0);
    assert_int_equal(f->value[0], 0);
    gatt_server_change(f->server);
    assert_int_equal(gatt_server_database(f->server), 0);
    fixture_free(f);
}

static void an_update_is_indicated_to_who_asked_for_it(void **state)
{
    struct fixture *f = fixture_of("updated-a", "updated-b", 0);
    uint32_t changed = handle_of(f, GATT_UUID_SERVICE_CHANGED);
    uint32_t hash = handle_of(f, GATT_UUID_DATABASE_HASH);
    struct gatt_notification n;
    uint8_t before[16];

    (void) state;
    assert_int_equal(read_it(f, hash), 0);
    memcpy(before, f->value, 16);
    assert_int_equal(subscribe(f->link, changed + 1, 2), 0);
    for (unsigned i = 0; i < 2; i++) { /* the subscription lasts */
        gatt_server_change(f->server);
        assert_int_equal(gatt_link_deadline(f->link), 0);
        assert_true(gatt_link_take(f->link, NOW, &n));
        assert_int_equal(n.handle, changed);
        assert_int_equal(n.size, 4);
        assert_memory_equal(n.value, "\x01\x00\xff\xff", 4);
        assert_false(gatt_link_take(f->link, NOW, &n));
        assert_false(gatt_link_take(f->other, NOW, &n));
        assert_int_equal(read_it(f, hash), 0);
        assert_int_equal(memcmp(f->value, before, 16) != 0, i == 0);
    }
    fixture_free(f);
}

static void a_write_or_the_time_can_be_the_update(void **state)
{
    struct fixture *f = fixture_of("changed-a", "changed-b", 0);
    struct gatt_notification n;

    (void) state;
    assert_int_equal(write_size(f, 10, 1), 0);
    assert_int_equal(gatt_server_database(f->server), 1);
    fixture_free(f);
    f = fixture_of("changed-a", "changed-b", USEC_PER_SEC);
    assert_int_equal(gatt_link_deadline(f->link), NOW + USEC_PER_SEC);
    assert_false(gatt_link_take(f->link, NOW + USEC_PER_SEC - 1, &n));
    assert_int_equal(gatt_server_database(f->server), 0);
    assert_false(gatt_link_take(f->link, NOW + USEC_PER_SEC, &n));
    assert_int_equal(gatt_server_database(f->server), 1);
    assert_false(gatt_link_take(f->link, NOW + 100 * USEC_PER_SEC, &n)); /* does not catch up */
    assert_int_equal(gatt_server_database(f->server), 0);
    assert_int_equal(gatt_link_deadline(f->link), NOW + 101 * USEC_PER_SEC);
    fixture_free(f);
}

static void a_link_outlives_its_device(void **state)
{
    struct fixture *f = bench();

    (void) state;
    gatt_server_free(f->server);
    f->server = NULL;
    assert_int_equal(read_it(f, LARGE), 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_value_is_read_as_it_was_written),
            cmocka_unit_test(what_is_not_allowed_has_its_number),
            cmocka_unit_test(a_command_that_is_too_long_is_cut_and_one_that_is_not_allowed_ignored),
            cmocka_unit_test(a_bonded_only_value_wants_an_encrypted_link),
            cmocka_unit_test(a_counter_counts_with_each_reading),
            cmocka_unit_test(chance_stays_within_its_bounds),
            cmocka_unit_test(a_cccd_belongs_to_a_link_and_takes_what_the_value_can),
            cmocka_unit_test(notifications_come_in_their_interval_to_subscribers_alone),
            cmocka_unit_test(an_echo_goes_to_all_subscribers_cut_to_their_mtu),
            cmocka_unit_test(a_value_set_from_outside_is_notified),
            cmocka_unit_test(the_next_operations_fail_as_ordered),
            cmocka_unit_test(long_values_and_slow_ones_take_their_time),
            cmocka_unit_test(a_prompt_value_takes_no_time_and_tells_the_moment),
            cmocka_unit_test(an_update_makes_handles_wrong_and_forgets_subscriptions),
            cmocka_unit_test(an_update_is_indicated_to_who_asked_for_it),
            cmocka_unit_test(a_write_or_the_time_can_be_the_update),
            cmocka_unit_test(a_link_outlives_its_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
