#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "esphome/channel.h"

static void every_result_that_ends_a_stream_has_a_sentence_of_its_own(void **state)
{
    static const struct {
        enum framer_result result;
        const char *sentence;
    } faults[] = {
            {FRAMER_OTHER_KIND, "a frame begins with a wrong octet"},
            {FRAMER_FOREIGN, "a frame begins with a wrong octet"},
            {FRAMER_BAD_HEADER, "the header of a frame is malformed"},
            {FRAMER_OVERSIZE, "a frame is longer than allowed"},
            {FRAMER_TAMPERED, "an encrypted frame arrived damaged"},
            {FRAMER_BAD_MESSAGE, "an encrypted frame holds no whole message"},
            {FRAMER_MORE, "no fault"},
            {FRAMER_FRAME, "no fault"},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        assert_string_equal(channel_fault(faults[i].result), faults[i].sentence);
}

static void what_cannot_be_printed_becomes_a_question_mark(void **state)
{
    char text[] = "\x1f ~\x7f\xc3\xa4";

    (void) state;
    channel_make_printable(text);
    assert_string_equal(text, "? ~???");
}

static void a_copy_is_printable_and_ends_in_nul_within_its_capacity(void **state)
{
    char copy[6];

    (void) state;
    memset(copy, 'x', sizeof copy);
    channel_copy_printable(copy, 5, "\x1f ~\x7f#", 5);
    assert_memory_equal(copy, "? ~?\0x", 6);
    channel_copy_printable(copy, 5, "ab\0d", 4);
    assert_string_equal(copy, "ab?d");
    channel_copy_printable(copy, 5, "abc", 3);
    assert_string_equal(copy, "abc");
    channel_copy_printable(copy, 5, NULL, 0);
    assert_string_equal(copy, "");
}

static void messages_are_appended_until_the_limit_waits(void **state)
{
    const struct message ping = {.type = MESSAGE_PING_REQUEST};
    struct channel c;

    (void) state;
    channel_init(&c, FRAMER_PLAINTEXT, FRAMER_BODY_MAX);
    assert_int_equal(channel_send(&c, &ping, 4), 0);
    assert_int_equal(channel_send(&c, &ping, 4), 0);
    assert_int_equal(channel_send(&c, &ping, 6), -ENOBUFS);
    assert_int_equal(buffer_size(&c.output), 6);
    assert_memory_equal(buffer_front(&c.output), "\0\0\7\0\0\7", 6);
    channel_done(&c);
}

static void a_message_that_fits_no_frame_leaves_the_output_alone(void **state)
{
    static uint8_t octets[FRAMER_BODY_MAX];
    struct message message = {.type = MESSAGE_NOISE_SET_KEY_REQUEST,
                              .noise_key = {octets, sizeof octets}};
    struct channel c;

    (void) state;
    channel_init(&c, FRAMER_PLAINTEXT, FRAMER_BODY_MAX);
    assert_int_equal(channel_send(&c, &message, 100), -EMSGSIZE);
    assert_int_equal(buffer_size(&c.output), 0);
    message.noise_key.size = 2;
    assert_int_equal(channel_send(&c, &message, 100), 0);
    assert_memory_equal(buffer_front(&c.output), "\0\4\174\12\2\0\0", 7);
    channel_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_result_that_ends_a_stream_has_a_sentence_of_its_own),
            cmocka_unit_test(what_cannot_be_printed_becomes_a_question_mark),
            cmocka_unit_test(a_copy_is_printable_and_ends_in_nul_within_its_capacity),
            cmocka_unit_test(messages_are_appended_until_the_limit_waits),
            cmocka_unit_test(a_message_that_fits_no_frame_leaves_the_output_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
