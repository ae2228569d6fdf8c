#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/line_ring.h"

/* What a line of this sequence looks like: of any length, made of its number. */
static void make_message(char ret_message[LOG_MESSAGE_SIZE], uint64_t sequence, size_t length)
{
    (void) snprintf(ret_message, LOG_MESSAGE_SIZE, "%llu ", (unsigned long long) sequence);
    for (size_t i = strlen(ret_message); i < length; i++)
        ret_message[i] = (char) ('a' + sequence % 26);
    ret_message[length] = '\0';
}

/* Each kept line is the one it says it is, and they are the newest. */
static void assert_whole(const struct line_ring *r, size_t (*length_of)(uint64_t))
{
    uint64_t newest = line_ring_newest(r), oldest = newest - line_ring_count(r) + 1;
    struct log_line line;
    char wanted[LOG_MESSAGE_SIZE];

    for (uint64_t s = oldest; s <= newest; s++) {
        assert_true(line_ring_get(r, s, &line));
        make_message(wanted, s, length_of(s));
        assert_string_equal(line.message, wanted);
        assert_int_equal(line.sequence, s);
        assert_int_equal(line.time, 1000 + s);
        assert_int_equal(line.level, s % 4);
    }
    assert_false(line_ring_get(r, oldest - 1, &line));
    assert_false(line_ring_get(r, newest + 1, &line));
}

static void append(struct line_ring *r, uint64_t sequence, size_t length)
{
    char message[LOG_MESSAGE_SIZE];

    make_message(message, sequence, length);
    line_ring_append(r, (int64_t) (1000 + sequence), (enum log_level)(sequence % 4), message);
}

static size_t usual_length(uint64_t sequence)
{
    return 20 + sequence * 37 % 200;
}

static size_t greatest_length(uint64_t sequence)
{
    (void) sequence;
    return LOG_MESSAGE_SIZE - 1;
}

static size_t any_length(uint64_t sequence)
{
    return 20 + sequence * 7919 % (LOG_MESSAGE_SIZE - 20);
}

static void an_empty_ring_has_no_line(void **state)
{
    struct line_ring *r = line_ring_new(3);
    struct log_line line;

    (void) state;
    assert_int_equal(line_ring_newest(r), 0);
    assert_false(line_ring_get(r, 0, &line));
    assert_false(line_ring_get(r, 1, &line));
    line_ring_free(r);
}

static void the_newest_lines_of_usual_length_all_fit(void **state)
{
    struct line_ring *r = line_ring_new(50);

    (void) state;
    for (uint64_t s = 1; s <= 1000; s++) {
        append(r, s, usual_length(s));
        assert_int_equal(line_ring_count(r), s < 50 ? s : 50);
        assert_whole(r, usual_length);
    }
    line_ring_free(r);
}

static void of_long_lines_fewer_are_kept_and_those_whole(void **state)
{
    struct line_ring *r = line_ring_new(50);

    (void) state;
    for (uint64_t s = 1; s <= 300; s++) {
        append(r, s, greatest_length(s));
        assert_whole(r, greatest_length);
    }
    assert_in_range(line_ring_count(r), 12, 13);
    line_ring_free(r);
}

static void lines_of_any_length_stay_whole(void **state)
{
    (void) state;
    for (size_t lines = 1; lines < 20; lines++) {
        struct line_ring *r = line_ring_new(lines);

        for (uint64_t s = 1; s <= 500; s++) {
            append(r, s, any_length(s));
            assert_true(line_ring_count(r) >= 1);
            assert_whole(r, any_length);
        }
        line_ring_free(r);
    }
}

static void a_longer_message_is_cut(void **state)
{
    struct line_ring *r = line_ring_new(2);
    struct log_line line;
    char message[3000];

    (void) state;
    memset(message, 'x', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    line_ring_append(r, 1, LOG_LEVEL_INFO, message);
    assert_true(line_ring_get(r, 1, &line));
    assert_int_equal(strlen(line.message), LOG_MESSAGE_SIZE - 1);
    line_ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_empty_ring_has_no_line),
            cmocka_unit_test(the_newest_lines_of_usual_length_all_fit),
            cmocka_unit_test(of_long_lines_fewer_are_kept_and_those_whole),
            cmocka_unit_test(lines_of_any_length_stay_whole),
            cmocka_unit_test(a_longer_message_is_cut),
    };

    return cmocka_run_group_tests_name("base.line_ring", tests, NULL, NULL);
}
