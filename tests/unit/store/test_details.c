#include "store/details.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

#define LAST_SEEN 1795000000000000 /* in 2026 */

static const uint8_t octets[STORE_OCTETS_MAX] = {0xd2, 0xfc, 0x40};

/* Two sightings, the second the owner, and three elements. */
static struct store_device example(void)
{
    return (struct store_device){
            .last_seen = LAST_SEEN,
            .latest = {.octets = {octets, sizeof octets},
                       .sighting = 0,
                       .rssi = -80,
                       .is_parsed = true},
            .sightings_count = 2,
            .sightings = {{.proxy = 0x246f28aabbcc,
                           .last_seen = LAST_SEEN - 1,
                           .advertisements = UINT64_MAX,
                           .rssi_smoothed = (double) NAN},
                          {.proxy = 1,
                           .last_seen = 0,
                           .advertisements = 7,
                           .rssi_smoothed = -62.46,
                           .rssi = -127,
                           .is_owner = true}},
            .elements_count = 3,
            .elements =
                    {{.type = 0xff, .sighting = 1, .last_seen = LAST_SEEN, .octets = {octets, 3}},
                     {.type = 1,
                      .sighting = STORE_SIGHTING_NONE,
                      .last_seen = 5,
                      .octets = {octets, 1}},
                     {.type = 9,
                      .sighting = 0,
                      .last_seen = LAST_SEEN - 300,
                      .octets = {octets, sizeof octets}}},
    };
}

static bool decode(struct store_device *ret_device, const struct buffer *b, size_t size)
{
    *ret_device = (struct store_device){.last_seen = LAST_SEEN};
    return details_decode(ret_device, buffer_front(b), size);
}

static void what_was_encoded_is_decoded(void **state)
{
    const struct store_device in = example();
    struct store_device out;
    struct buffer b = {0};

    (void) state;
    details_encode(&b, &in);
    assert_true(decode(&out, &b, buffer_size(&b)));
    assert_int_equal(out.latest.rssi, -80);
    assert_int_equal(out.latest.sighting, 0);
    assert_true(out.latest.is_parsed);
    assert_int_equal(out.latest.octets.size, sizeof octets);
    assert_memory_equal(out.latest.octets.data, octets, sizeof octets);
    assert_int_equal(out.sightings_count, 2);
    assert_true(out.sightings[0].proxy == 0x246f28aabbcc);
    assert_true(out.sightings[0].last_seen == LAST_SEEN - 1);
    assert_true(out.sightings[0].advertisements == UINT64_MAX);
    assert_true(isnan(out.sightings[0].rssi_smoothed));
    assert_false(out.sightings[0].is_owner);
    assert_int_equal(out.sightings[1].last_seen, 0);
    assert_true(out.sightings[1].rssi_smoothed == -62.46);
    assert_int_equal(out.sightings[1].rssi, -127);
    assert_true(out.sightings[1].is_owner);
    assert_int_equal(out.elements_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(out.elements[i].type, in.elements[i].type);
        assert_int_equal(out.elements[i].sighting, in.elements[i].sighting);
        assert_true(out.elements[i].last_seen == in.elements[i].last_seen);
        assert_int_equal(out.elements[i].octets.size, in.elements[i].octets.size);
        assert_memory_equal(out.elements[i].octets.data, octets, in.elements[i].octets.size);
    }
    buffer_done(&b);
}

static void octets_are_those_of_version_1(void **state)
{
    static const uint8_t expected[] = {
            1,                                  /* version */
            0,    0xb0, 0,    2,    0xaa, 0xbb, /* the last packet */
            1,    0x24, 0x6f, 0x28, 0xaa, 0xbb, 0xcc,
            0xb0, 0xe0, 0xc0, 0xac, 0x02, 7,   /* -80.00, 300 us */
            255,                               /* nobody owns it */
            1,    9,    255,  0,    1,    'a', /* a name */
    };
    struct store_device in = {
            .last_seen = LAST_SEEN,
            .latest = {.octets = {(const uint8_t *) "\xaa\xbb", 2}, .sighting = 0, .rssi = -80},
            .sightings_count = 1,
            .sightings = {{.proxy = 0x246f28aabbcc,
                           .last_seen = LAST_SEEN - 300,
                           .advertisements = 7,
                           .rssi_smoothed = -80,
                           .rssi = -80}},
            .elements_count = 1,
            .elements = {{.type = 9,
                          .sighting = 200,
                          .last_seen = LAST_SEEN + 9,
                          .octets = {(const uint8_t *) "a", 1}}},
    };
    struct buffer b = {0};

    (void) state;
    details_encode(&b, &in);
    assert_int_equal(buffer_size(&b), sizeof expected);
    assert_memory_equal(buffer_front(&b), expected, sizeof expected);
    buffer_done(&b);
}

static void every_cut_and_every_surplus_is_refused(void **state)
{
    const struct store_device in = example();
    struct store_device out;
    struct buffer b = {0};
    size_t size;

    (void) state;
    details_encode(&b, &in);
    size = buffer_size(&b);
    for (size_t i = 0; i < size; i++)
        assert_false(decode(&out, &b, i));
    buffer_append_char(&b, 0);
    assert_false(decode(&out, &b, size + 1));
    buffer_done(&b);
}

/* Each octet that is a count, a size, an index or a flag, made too large. */
static void what_exceeds_a_bound_is_refused(void **state)
{
    static const uint8_t good[] = {1, 0, 0, 255, 0, 0, 255, 1, 9, 255, 0, 1, 'a'};
    static const struct {
        size_t at;
        uint8_t value;
    } faults[] = {{0, 2}, {1, 2}, {3, 0}, {4, 63}, {5, 33}, {6, 0}, {7, 33}, {9, 0}, {11, 63}};
    struct store_device device = {.last_seen = 0};
    uint8_t bad[sizeof good];

    (void) state;
    assert_true(details_decode(&device, good, sizeof good));
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        memcpy(bad, good, sizeof good);
        bad[faults[i].at] = faults[i].value;
        device = (struct store_device){.last_seen = 0};
        assert_false(details_decode(&device, bad, sizeof bad));
    }
    memcpy(bad, good, sizeof good);
    bad[10] = 1; /* older than 1970 */
    device = (struct store_device){.last_seen = 0};
    assert_false(details_decode(&device, bad, sizeof bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_was_encoded_is_decoded),
            cmocka_unit_test(octets_are_those_of_version_1),
            cmocka_unit_test(every_cut_and_every_surplus_is_refused),
            cmocka_unit_test(what_exceeds_a_bound_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
