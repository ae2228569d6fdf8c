#include "recorder/packet_loss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START (CLOCK_START + 7 * USEC_PER_SEC)

static void hear(struct packet_loss *l, uint32_t value, unsigned bits, usec_t now)
{
    packet_loss_hear(l, &(struct packet_counter){value, bits}, now);
}

static void assert_counts(const struct packet_loss *l, usec_t now, uint32_t heard, uint32_t lost)
{
    uint32_t h, m;

    packet_loss_get(l, now, &h, &m);
    assert_int_equal(h, heard);
    assert_int_equal(m, lost);
}

static void what_the_counter_skips_was_lost(void **state)
{
    struct packet_loss l = {0};

    (void) state;
    assert_counts(&l, START, 0, 0);
    hear(&l, 10, 8, START);
    hear(&l, 11, 8, START);
    hear(&l, 15, 8, START);
    assert_counts(&l, START, 3, 3);
}

static void the_same_packet_again_is_no_news(void **state)
{
    struct packet_loss l = {0};

    (void) state;
    hear(&l, 10, 8, START);
    hear(&l, 10, 8, START + 1);
    assert_counts(&l, START + 1, 1, 0);
}

static void a_counter_goes_round(void **state)
{
    struct packet_loss l = {0};

    (void) state;
    hear(&l, 255, 8, START);
    hear(&l, 1, 8, START);
    assert_counts(&l, START, 2, 1);
    l = (struct packet_loss){0};
    hear(&l, 65535, 16, START);
    hear(&l, 0, 16, START);
    assert_counts(&l, START, 2, 0);
}

static void a_device_that_restarted_begins_anew(void **state)
{
    struct packet_loss l = {0};

    (void) state;
    hear(&l, 200, 8, START);
    hear(&l, 0, 8, START); /* on by 56: lost, there is no other way to read it */
    hear(&l, 128, 8, START);
    assert_counts(&l, START, 3, 55);
    hear(&l, 129, 8, START);
    assert_counts(&l, START, 4, 55);
}

static void a_long_silence_is_no_loss(void **state)
{
    struct packet_loss l = {0};

    (void) state;
    hear(&l, 1, 8, START);
    hear(&l, 20, 8, START + PACKET_LOSS_SILENCE + 1);
    assert_counts(&l, START + PACKET_LOSS_SILENCE + 1, 2, 0);
    hear(&l, 22, 8, START + 2 * PACKET_LOSS_SILENCE + 1);
    assert_counts(&l, START + 2 * PACKET_LOSS_SILENCE + 1, 3, 1);
}

static void counts_go_after_ten_minutes(void **state)
{
    struct packet_loss l = {0};
    usec_t now = START;

    (void) state;
    hear(&l, 0, 8, now);
    hear(&l, 5, 8, now);
    for (int minute = 1; minute <= 20; minute++) {
        now += 60 * USEC_PER_SEC;
        hear(&l, (uint32_t) (5 + minute), 8, now);
    }
    assert_counts(&l, now, 10, 0);
    assert_counts(&l, now + 3 * 60 * USEC_PER_SEC, 7, 0);
    assert_counts(&l, now + 60 * 60 * USEC_PER_SEC, 0, 0);
}

static void counts_of_a_fast_device_saturate(void **state)
{
    struct packet_loss l = {0};

    (void) state;
    for (uint32_t i = 0; i < 70000; i++)
        hear(&l, i * 3 & 0xffff, 16, START);
    assert_counts(&l, START, UINT16_MAX, UINT16_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(what_the_counter_skips_was_lost),
            cmocka_unit_test(the_same_packet_again_is_no_news),
            cmocka_unit_test(a_counter_goes_round),
            cmocka_unit_test(a_device_that_restarted_begins_anew),
            cmocka_unit_test(a_long_silence_is_no_loss),
            cmocka_unit_test(counts_go_after_ten_minutes),
            cmocka_unit_test(counts_of_a_fast_device_saturate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
