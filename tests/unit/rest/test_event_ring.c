#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest/event_ring.h"

static uint64_t push(struct event_ring *ring, const char *facts, const char *data)
{
    const struct event event = {
            .type = EVENT_DEVICE,
            .selections = 5,
            .subject = {.has_device = true,
                        .address = 0xa4c13812ab56,
                        .rssi = -60.5,
                        .facts = (const uint8_t *) facts,
                        .facts_size = strlen(facts)},
            .data = data,
            .data_size = strlen(data),
    };

    return event_ring_push(ring, &event);
}

static void event_comes_back_as_it_was(void **state)
{
    struct event_ring *ring = event_ring_new(4, 1000);
    struct event event;

    (void) state;
    assert_int_equal(push(ring, "facts", "{}"), 1);
    assert_true(event_ring_get(ring, 1, &event));
    assert_int_equal(event.type, EVENT_DEVICE);
    assert_int_equal(event.selections, 5);
    assert_true(event.subject.has_device);
    assert_int_equal(event.subject.address, 0xa4c13812ab56);
    assert_true(event.subject.rssi == -60.5);
    assert_int_equal(event.subject.facts_size, 5);
    assert_memory_equal(event.subject.facts, "facts", 5);
    assert_int_equal(event.data_size, 2);
    assert_memory_equal(event.data, "{}", 2);
    event_ring_free(ring);
}

static void numbers_begin_with_one_and_have_no_gaps(void **state)
{
    struct event_ring *ring = event_ring_new(3, 1000);
    struct event event;

    (void) state;
    assert_int_equal(event_ring_oldest(ring), 1);
    assert_int_equal(event_ring_next(ring), 1);
    assert_false(event_ring_get(ring, 1, &event));
    for (uint64_t number = 1; number <= 10; number++)
        assert_int_equal(push(ring, "", "x"), number);
    assert_int_equal(event_ring_oldest(ring), 8);
    assert_int_equal(event_ring_next(ring), 11);
    assert_false(event_ring_get(ring, 7, &event));
    assert_true(event_ring_get(ring, 8, &event));
    assert_false(event_ring_get(ring, 11, &event));
    assert_false(event_ring_get(ring, 0, &event));
    event_ring_free(ring);
}

static void event_that_is_too_large_is_refused_and_nothing_lost(void **state)
{
    struct event_ring *ring = event_ring_new(8, 40);
    struct event event;

    (void) state;
    assert_int_equal(push(ring, "", "0123456789"), 1);
    assert_int_equal(push(ring, "", "0123456789x"), 0);
    assert_int_equal(event_ring_next(ring), 2);
    assert_true(event_ring_get(ring, 1, &event));
    event_ring_free(ring);
}

static void names_of_types_are_read_back(void **state)
{
    enum event_type type;

    (void) state;
    for (size_t i = 0; i < EVENT_TYPES; i++) {
        const char *name = event_type_name((enum event_type) i);

        assert_true(event_type_parse(name, strlen(name), &type));
        assert_int_equal(type, i);
        assert_false(event_type_parse(name, strlen(name) - 1, &type));
    }
}

/* Whatever sizes come: what is in is a run up to the newest, each unharmed, and never more than
 * fits; what has gone had to. */
static void events_of_any_size_are_kept_unharmed(void **state)
{
    enum { EVENTS = 20, BYTES = 400, ROUNDS = 20000 };
    static char texts[ROUNDS + 1][BYTES / 4 + 1];
    struct event_ring *ring = event_ring_new(EVENTS, BYTES);

    (void) state;
    srand(20261121);
    for (uint64_t number = 1; number <= ROUNDS; number++) {
        size_t size = 1 + (size_t) rand() % (BYTES / 4), facts = (size_t) rand() % size, held = 0;
        char copy[BYTES / 4 + 1];
        struct event event;

        for (size_t i = 0; i < size; i++)
            texts[number][i] = (char) ('a' + rand() % 26);
        memcpy(copy, texts[number], size + 1);
        copy[facts] = '\0';
        assert_int_equal(push(ring, copy, texts[number] + facts), number);
        for (uint64_t n = event_ring_oldest(ring); n <= number; n++) {
            assert_true(event_ring_get(ring, n, &event));
            held += event.subject.facts_size + event.data_size;
            assert_memory_equal(event.subject.facts, texts[n], event.subject.facts_size);
            assert_memory_equal(event.data, texts[n] + event.subject.facts_size, event.data_size);
        }
        assert_int_equal(held, event_ring_bytes(ring));
        assert_true(held <= BYTES && number - event_ring_oldest(ring) < EVENTS);
        assert_true(number < EVENTS || held > BYTES / 4 ||
                    number - event_ring_oldest(ring) == EVENTS - 1);
    }
    event_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(event_comes_back_as_it_was),
            cmocka_unit_test(numbers_begin_with_one_and_have_no_gaps),
            cmocka_unit_test(event_that_is_too_large_is_refused_and_nothing_lost),
            cmocka_unit_test(names_of_types_are_read_back),
            cmocka_unit_test(events_of_any_size_are_kept_unharmed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
