#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "esphome/framer.h"
#include "vectors.h"

static json_t *file;

static int load(void **state)
{
    (void) state;
    file = vectors_load();
    return 0;
}

static int unload(void **state)
{
    (void) state;
    json_decref(file);
    return 0;
}

static void feed(struct framer *f, const void *data, size_t size)
{
    const uint8_t *from = data;

    while (size > 0) {
        size_t room;
        uint8_t *to = framer_input(f, &room);
        const size_t part = size < room ? size : room;

        assert_true(room > 0);
        memcpy(to, from, part);
        framer_received(f, part);
        from += part;
        size -= part;
    }
}

static enum framer_result result_of(enum framer_kind kind, size_t body_max, const char *hex)
{
    const struct octets octets = octets_of(hex);
    struct framer_frame frame;
    struct framer f;
    enum framer_result result;

    framer_init(&f, kind, body_max);
    feed(&f, octets.data, octets.size);
    result = framer_next(&f, &frame);
    framer_done(&f);
    return result;
}

static void assert_frame(struct framer *f, uint32_t type, const struct octets *body)
{
    struct framer_frame frame;

    assert_int_equal(framer_next(f, &frame), FRAMER_FRAME);
    assert_int_equal(frame.type, type);
    assert_int_equal(frame.body.size, body->size);
    assert_memory_equal(frame.body.data, body->data, body->size);
}

static void framer_waits_for_the_rest_of_a_split_header(void **state)
{
    const struct octets whole = octets_of("000f910108d6d6cac093982910181828289003");
    const struct octets body = octets_of("08d6d6cac093982910181828289003");
    struct framer_frame frame;

    (void) state;
    for (size_t cut = 1; cut < whole.size; cut++) {
        struct framer f;

        framer_init(&f, FRAMER_PLAINTEXT, FRAMER_BODY_MAX);
        feed(&f, whole.data, cut);
        assert_int_equal(framer_next(&f, &frame), FRAMER_MORE);
        feed(&f, whole.data + cut, whole.size - cut);
        assert_frame(&f, 145, &body);
        assert_int_equal(framer_next(&f, &frame), FRAMER_MORE);
        framer_done(&f);
    }
}

static void framer_takes_frames_that_came_together_one_by_one(void **state)
{
    const struct octets empty = {.size = 0}, flags = octets_of("0801");
    const struct octets all = octets_of("0000070002420801000008");
    struct framer_frame frame;
    struct framer f;

    (void) state;
    framer_init(&f, FRAMER_PLAINTEXT, FRAMER_BODY_MAX);
    feed(&f, all.data, all.size);
    assert_frame(&f, 7, &empty);
    assert_frame(&f, 66, &flags);
    assert_frame(&f, 8, &empty);
    assert_int_equal(framer_next(&f, &frame), FRAMER_MORE);
    framer_done(&f);
}

static void framer_tells_whose_first_octet_it_is(void **state)
{
    (void) state;
    assert_int_equal(result_of(FRAMER_PLAINTEXT, 65535, "01"), FRAMER_OTHER_KIND);
    assert_int_equal(result_of(FRAMER_NOISE, 65535, "00"), FRAMER_OTHER_KIND);
    assert_int_equal(result_of(FRAMER_PLAINTEXT, 65535, "48"), FRAMER_FOREIGN);
    assert_int_equal(result_of(FRAMER_NOISE, 65535, "5353482d"), FRAMER_FOREIGN);
}

static void framer_refuses_lengths_and_types_beyond_four_octets(void **state)
{
    (void) state;
    assert_int_equal(result_of(FRAMER_PLAINTEXT, 65535, "0080808080"), FRAMER_BAD_HEADER);
    assert_int_equal(result_of(FRAMER_PLAINTEXT, 65535, "000080808080"), FRAMER_BAD_HEADER);
    assert_int_equal(result_of(FRAMER_PLAINTEXT, 65535, "00808080"), FRAMER_MORE);
    assert_int_equal(result_of(FRAMER_PLAINTEXT, 65535, "0000808080"), FRAMER_MORE);
    assert_int_equal(result_of(FRAMER_PLAINTEXT, 65535, "000080808001"), FRAMER_FRAME);
}

static void framer_refuses_a_body_beyond_its_limit_before_it_came(void **state)
{
    (void) state;
    assert_int_equal(result_of(FRAMER_PLAINTEXT, 65535, "00ffff03"), FRAMER_MORE);
    assert_int_equal(result_of(FRAMER_PLAINTEXT, 65535, "00808004"), FRAMER_OVERSIZE);
    assert_int_equal(result_of(FRAMER_PLAINTEXT, 32768, "00818002"), FRAMER_OVERSIZE);
    assert_int_equal(result_of(FRAMER_NOISE, 128, "010080"), FRAMER_MORE);
    assert_int_equal(result_of(FRAMER_NOISE, 128, "010081"), FRAMER_OVERSIZE);
    assert_int_equal(result_of(FRAMER_NOISE, 65535, "01ffff"), FRAMER_MORE);
}

static void framer_holds_the_longest_frames(void **state)
{
    static uint8_t body[FRAMER_BODY_MAX];
    const uint8_t plain[] = {0x00, 0xff, 0xff, 0x03, 0x80, 0x80, 0x80, 0x01},
                  noise[] = {1, 255, 255};
    struct framer_frame frame;
    struct framer f;

    (void) state;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t) (i * 7);
    framer_init(&f, FRAMER_PLAINTEXT, FRAMER_BODY_MAX);
    for (int repetition = 0; repetition < 3; repetition++) {
        feed(&f, plain, sizeof plain);
        assert_int_equal(framer_next(&f, &frame), FRAMER_MORE);
        feed(&f, body, sizeof body);
        assert_int_equal(framer_next(&f, &frame), FRAMER_FRAME);
        assert_int_equal(frame.body.size, sizeof body);
        assert_memory_equal(frame.body.data, body, sizeof body);
    }
    framer_done(&f);
    framer_init(&f, FRAMER_NOISE, FRAMER_BODY_MAX);
    feed(&f, noise, sizeof noise);
    assert_int_equal(framer_next(&f, &frame), FRAMER_MORE);
    feed(&f, body, sizeof body);
    assert_int_equal(framer_next(&f, &frame), FRAMER_FRAME);
    assert_memory_equal(frame.body.data, body, sizeof body);
    framer_done(&f);
}

static void framer_keeps_one_buffer_for_a_stream_of_small_frames(void **state)
{
    static const uint8_t frame_octets[] = {0, 2, 66, 8, 1};
    struct framer_frame frame;
    struct framer f;
    const uint8_t *storage;
    size_t room, capacity;

    (void) state;
    framer_init(&f, FRAMER_PLAINTEXT, FRAMER_BODY_MAX);
    storage = framer_input(&f, &room);
    capacity = room;
    for (size_t i = 0; i < 20000; i++) {
        feed(&f, frame_octets, 3);
        assert_int_equal(framer_next(&f, &frame), FRAMER_MORE);
        feed(&f, frame_octets + 3, 2);
        assert_int_equal(framer_next(&f, &frame), FRAMER_FRAME);
    }
    assert_ptr_equal(framer_input(&f, &room), storage);
    assert_int_equal(room, capacity);
    framer_done(&f);
}

/* A framer of one side of a case, with its keys. */
static void secure(struct framer *f, const json_t *c, const char *receiving_key,
                   const char *sending_key)
{
    struct noise_cipher receiving = {.counter = 0}, sending = {.counter = 0};

    memcpy(receiving.key, vectors_octets(c, receiving_key).data, NOISE_KEY_SIZE);
    memcpy(sending.key, vectors_octets(c, sending_key).data, NOISE_KEY_SIZE);
    framer_init(f, FRAMER_NOISE, FRAMER_HANDSHAKE_MAX);
    framer_secure(f, &receiving, &sending, FRAMER_BODY_MAX);
}

static void take(struct buffer *output, const struct octets *expected)
{
    assert_int_equal(buffer_size(output), expected->size);
    assert_memory_equal(buffer_front(output), expected->data, expected->size);
    buffer_clear(output);
}

/* Every frame of every case: written by its sender, and read by its receiver fed `step` octets at a
 * time (0: whole). */
static void run_vectors(size_t step)
{
    size_t i, j, frames = 0;
    json_t *c, *row;

    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        struct framer client, server, plain;
        struct buffer output = {0};

        if (!json_object_get(c, "transport"))
            continue;
        secure(&client, c, "key_s2c", "key_c2s");
        secure(&server, c, "key_c2s", "key_s2c");
        framer_init(&plain, FRAMER_PLAINTEXT, FRAMER_BODY_MAX);
        json_array_foreach(json_object_get(c, "transport"), j, row)
        {
            const bool is_up = strcmp(vectors_text(row, "dir"), "c2s") == 0;
            struct framer *from = is_up ? &client : &server, *to = is_up ? &server : &client;
            const struct octets body = vectors_octets(row, "protobuf");
            const struct octets wire = vectors_octets(row, "wire");
            const struct octets plain_wire = vectors_octets(row, "wire_plaintext_protocol");
            const uint32_t type = (uint32_t) json_integer_value(json_object_get(row, "type"));
            const struct bytes b = {body.data, body.size};
            struct framer_frame frame;

            assert_int_equal(framer_write(from, &output, type, b), 0);
            take(&output, &wire);
            assert_int_equal(framer_write(&plain, &output, type, b), 0);
            take(&output, &plain_wire);
            for (size_t at = 0; step && at + step < wire.size; at += step) {
                feed(to, wire.data + at, step);
                assert_int_equal(framer_next(to, &frame), FRAMER_MORE);
            }
            if (step)
                feed(to, wire.data + (wire.size - 1) / step * step,
                     wire.size - (wire.size - 1) / step * step);
            else
                feed(to, wire.data, wire.size);
            assert_frame(to, type, &body);
            feed(&plain, plain_wire.data, plain_wire.size);
            assert_frame(&plain, type, &body);
            frames++;
        }
        framer_done(&client);
        framer_done(&server);
        framer_done(&plain);
        buffer_done(&output);
    }
    assert_int_equal(frames, 60);
}

static void every_frame_of_the_vectors_is_written_and_read(void **state)
{
    (void) state;
    run_vectors(0);
}

static void every_frame_of_the_vectors_is_read_in_parts_of_any_size(void **state)
{
    (void) state;
    for (size_t step = 1; step < 100; step++)
        run_vectors(step);
}

static void framer_says_when_an_encrypted_frame_was_changed(void **state)
{
    const json_t *c = vectors_case(file, "ok");
    const struct octets wire =
            vectors_octets(json_array_get(json_object_get(c, "transport"), 0), "wire");

    (void) state;
    for (size_t i = 3; i < wire.size; i++) {
        struct octets changed = wire;
        struct framer_frame frame;
        struct framer f;

        changed.data[i] ^= 0x10;
        secure(&f, c, "key_c2s", "key_s2c");
        feed(&f, changed.data, changed.size);
        assert_int_equal(framer_next(&f, &frame), FRAMER_TAMPERED);
        framer_done(&f);
    }
}

/* Encrypts inner as the client of the case would. */
static enum framer_result result_of_inner(const char *hex)
{
    const json_t *c = vectors_case(file, "ok");
    struct octets inner = octets_of(hex);
    const uint8_t header[] = {1, 0, (uint8_t) (inner.size + NOISE_TAG_SIZE)};
    struct noise_cipher cipher = {.counter = 0};
    struct framer_frame frame;
    struct framer f;
    enum framer_result result;

    memcpy(cipher.key, vectors_octets(c, "key_c2s").data, NOISE_KEY_SIZE);
    noise_encrypt(&cipher, inner.data, inner.size);
    secure(&f, c, "key_c2s", "key_s2c");
    feed(&f, header, sizeof header);
    feed(&f, inner.data, inner.size + NOISE_TAG_SIZE);
    result = framer_next(&f, &frame);
    framer_done(&f);
    return result;
}

static void framer_refuses_a_message_that_does_not_fit_its_frame(void **state)
{
    (void) state;
    assert_int_equal(result_of_inner(""), FRAMER_BAD_MESSAGE);
    assert_int_equal(result_of_inner("000700"), FRAMER_BAD_MESSAGE);
    assert_int_equal(result_of_inner("00070001"), FRAMER_BAD_MESSAGE);
    assert_int_equal(result_of_inner("00070000"), FRAMER_FRAME);
    assert_int_equal(result_of_inner("00070000ffff"), FRAMER_FRAME);
}

static void framer_writes_nothing_that_fits_no_frame(void **state)
{
    static const uint8_t body[FRAMER_MESSAGE_MAX + 1];
    struct buffer output = {0};
    struct framer f;

    (void) state;
    secure(&f, vectors_case(file, "ok"), "key_c2s", "key_s2c");
    assert_int_equal(framer_write(&f, &output, 74, (struct bytes){body, sizeof body}), -EMSGSIZE);
    assert_int_equal(buffer_size(&output), 0);
    assert_int_equal(framer_write(&f, &output, 74, (struct bytes){body, sizeof body - 1}), 0);
    assert_int_equal(buffer_size(&output), 3 + 65535);
    framer_done(&f);
    buffer_done(&output);
}

static void the_limit_that_comes_with_the_keys_counts_from_then_on(void **state)
{
    const struct octets at = octets_of("010014"), beyond = octets_of("010015");
    const struct noise_cipher keys = {.counter = 0};
    struct framer_frame frame;
    struct framer f;

    (void) state;
    framer_init(&f, FRAMER_NOISE, FRAMER_BODY_MAX);
    framer_secure(&f, &keys, &keys, 20);
    feed(&f, at.data, at.size);
    assert_int_equal(framer_next(&f, &frame), FRAMER_MORE);
    framer_clear(&f);
    feed(&f, beyond.data, beyond.size);
    assert_int_equal(framer_next(&f, &frame), FRAMER_OVERSIZE);
    framer_done(&f);
}

static void handshake_frames_carry_what_they_are_given(void **state)
{
    const json_t *c = vectors_case(file, "ok");
    const struct octets first = vectors_octets(c, "noise_msg1");
    const struct octets flight = vectors_octets(c, "wire_client_first_flight");
    struct buffer output = {0};

    (void) state;
    framer_write_handshake(&output, -1, (struct bytes){0});
    framer_write_handshake(&output, 0, (struct bytes){first.data, first.size});
    take(&output, &flight);
    buffer_done(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(framer_waits_for_the_rest_of_a_split_header),
            cmocka_unit_test(framer_takes_frames_that_came_together_one_by_one),
            cmocka_unit_test(framer_tells_whose_first_octet_it_is),
            cmocka_unit_test(framer_refuses_lengths_and_types_beyond_four_octets),
            cmocka_unit_test(framer_refuses_a_body_beyond_its_limit_before_it_came),
            cmocka_unit_test(framer_holds_the_longest_frames),
            cmocka_unit_test(framer_keeps_one_buffer_for_a_stream_of_small_frames),
            cmocka_unit_test(every_frame_of_the_vectors_is_written_and_read),
            cmocka_unit_test(every_frame_of_the_vectors_is_read_in_parts_of_any_size),
            cmocka_unit_test(framer_says_when_an_encrypted_frame_was_changed),
            cmocka_unit_test(framer_refuses_a_message_that_does_not_fit_its_frame),
            cmocka_unit_test(framer_writes_nothing_that_fits_no_frame),
            cmocka_unit_test(the_limit_that_comes_with_the_keys_counts_from_then_on),
            cmocka_unit_test(handshake_frames_carry_what_they_are_given),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
