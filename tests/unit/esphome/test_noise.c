#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "esphome/noise.h"
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

/* The symmetric state is as the trace has it at this step. */
static void assert_step(const json_t *trace, size_t index, const struct noise_symmetric *s)
{
    const json_t *step = json_array_get(trace, index);
    const json_t *k = json_object_get(step, "k");

    assert_non_null(step);
    assert_memory_equal(s->h, vectors_octets(step, "h").data, sizeof s->h);
    assert_memory_equal(s->ck, vectors_octets(step, "ck").data, sizeof s->ck);
    assert_int_equal(s->has_key, !json_is_null(k));
    if (s->has_key)
        assert_memory_equal(s->k, vectors_octets(step, "k").data, sizeof s->k);
    assert_int_equal(s->n, json_integer_value(json_object_get(step, "n")));
}

/* What ClientHello was, from the prologue: behind the label and two octets of length. */
static struct bytes client_hello_of(const struct octets *prologue)
{
    return (struct bytes){prologue->data + 14, prologue->size - 14};
}

static void start(struct noise_handshake *hs, const json_t *c, const char *side)
{
    char key[32];
    struct octets psk, ephemeral, prologue;

    (void) snprintf(key, sizeof key, "psk_%s", side);
    psk = vectors_octets(c, key);
    (void) snprintf(key, sizeof key, "e_%s_priv", side);
    ephemeral = vectors_octets(c, key);
    (void) snprintf(key, sizeof key, "prologue_%s", side);
    prologue = vectors_octets(c, key);
    noise_start(hs, psk.data, ephemeral.data, client_hello_of(&prologue));
    (void) snprintf(key, sizeof key, "e_%s_pub", side);
    assert_memory_equal(hs->e_public, vectors_octets(c, key).data, NOISE_KEY_SIZE);
}

static void the_first_message_follows_the_trace_token_by_token(void **state)
{
    size_t i;
    json_t *c;

    (void) state;
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        const json_t *trace = json_object_get(c, "trace_initiator");
        const struct octets prologue = vectors_octets(c, "prologue_initiator");
        const struct octets psk = vectors_octets(c, "psk_initiator");
        const struct octets e = vectors_octets(c, "e_initiator_pub");
        struct noise_symmetric s;
        uint8_t tag[NOISE_TAG_SIZE];

        if (!trace)
            continue;
        noise_initialize(&s);
        assert_step(trace, 0, &s);
        noise_mix_hash(&s, prologue.data, prologue.size);
        assert_step(trace, 1, &s);
        noise_mix_key_and_hash(&s, psk.data, psk.size);
        assert_step(trace, 2, &s);
        noise_mix_hash(&s, e.data, e.size);
        noise_mix_key(&s, e.data, e.size);
        assert_step(trace, 3, &s);
        noise_seal_empty(&s, tag);
        assert_step(trace, 4, &s);
        assert_memory_equal(tag, vectors_octets(c, "noise_msg1").data + 32, sizeof tag);
    }
}

/* The responder's trace begins where the first message was read. The shared secret is not in it, so
 * that `ee` is followed through the handshake itself. */
static void the_second_message_follows_the_trace_token_by_token(void **state)
{
    size_t i;
    json_t *c;

    (void) state;
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        const json_t *trace = json_object_get(c, "trace_responder");
        struct noise_handshake hs;
        struct noise_symmetric s;
        uint8_t message[NOISE_MESSAGE_SIZE];

        if (!trace)
            continue;
        start(&hs, c, "responder");
        assert_step(trace, 1, &hs.symmetric);
        assert_int_equal(noise_read_first(&hs, vectors_octets(c, "noise_msg1").data), 0);
        s = hs.symmetric;
        noise_mix_hash(&s, hs.e_public, NOISE_KEY_SIZE);
        noise_mix_key(&s, hs.e_public, NOISE_KEY_SIZE);
        assert_step(trace, 2, &s);
        assert_int_equal(noise_write_second(&hs, message), 0);
        assert_step(trace, 4, &hs.symmetric);
        assert_memory_equal(hs.symmetric.ck, vectors_octets(json_array_get(trace, 3), "ck").data,
                            32);
        assert_memory_equal(hs.symmetric.k, vectors_octets(json_array_get(trace, 3), "k").data, 32);
    }
}

static void every_handshake_gives_the_messages_and_keys_of_the_vectors(void **state)
{
    size_t i, handshakes = 0;
    json_t *c;

    (void) state;
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        struct noise_handshake client, server;
        struct noise_cipher keys[2][2];
        uint8_t first[NOISE_MESSAGE_SIZE], second[NOISE_MESSAGE_SIZE];

        start(&client, c, "initiator");
        start(&server, c, "responder");
        noise_write_first(&client, first);
        assert_memory_equal(first, vectors_octets(c, "noise_msg1").data, sizeof first);
        if (strcmp(vectors_text(c, "result"), "ok") != 0) {
            assert_int_equal(noise_read_first(&server, first), -EBADMSG);
            continue;
        }
        assert_int_equal(noise_read_first(&server, first), 0);
        assert_int_equal(noise_write_second(&server, second), 0);
        assert_memory_equal(second, vectors_octets(c, "noise_msg2").data, sizeof second);
        assert_int_equal(noise_read_second(&client, second), 0);
        assert_memory_equal(client.symmetric.h, vectors_octets(c, "handshake_hash").data, 32);
        assert_memory_equal(server.symmetric.h, vectors_octets(c, "handshake_hash").data, 32);
        assert_memory_equal(client.symmetric.ck, vectors_octets(c, "ck").data, 32);
        noise_split(&client, &keys[0][0], &keys[0][1]);
        noise_split(&server, &keys[1][0], &keys[1][1]);
        for (size_t side = 0; side < 2; side++) {
            assert_memory_equal(keys[side][0].key, vectors_octets(c, "key_c2s").data, 32);
            assert_memory_equal(keys[side][1].key, vectors_octets(c, "key_s2c").data, 32);
        }
        handshakes++;
    }
    assert_int_equal(handshakes, 3);
}

static void splitting_wipes_the_handshake(void **state)
{
    static const struct noise_handshake zero;
    struct noise_handshake hs;
    struct noise_cipher a, b;

    (void) state;
    start(&hs, vectors_case(file, "ok"), "initiator");
    noise_split(&hs, &a, &b);
    assert_memory_equal(&hs, &zero, sizeof hs);
}

static void what_is_wiped_is_zero_and_nothing_beside_it(void **state)
{
    uint8_t secret[] = {1, 2, 3, 4};

    (void) state;
    noise_wipe(secret, 3);
    assert_memory_equal(secret, "\0\0\0\4", 4);
}

static void a_second_message_that_was_changed_is_refused(void **state)
{
    const json_t *c = vectors_case(file, "ok");
    const struct octets message = vectors_octets(c, "noise_msg2");

    (void) state;
    for (size_t i = 0; i < message.size; i++) {
        struct octets changed = message;
        struct noise_handshake hs;
        uint8_t first[NOISE_MESSAGE_SIZE];

        changed.data[i] ^= 1;
        start(&hs, c, "initiator");
        noise_write_first(&hs, first);
        assert_int_equal(noise_read_second(&hs, changed.data), -EBADMSG);
    }
}

static void a_public_key_of_low_order_is_refused(void **state)
{
    const json_t *c = vectors_case(file, "ok");
    uint8_t message[NOISE_MESSAGE_SIZE] = {0}, first[NOISE_MESSAGE_SIZE];
    struct noise_handshake hs;

    (void) state;
    start(&hs, c, "initiator");
    noise_write_first(&hs, first);
    assert_int_equal(noise_read_second(&hs, message), -EINVAL);
}

static void ciphers_count_and_refuse_a_frame_out_of_order(void **state)
{
    const json_t *c = vectors_case(file, "ok");
    struct noise_cipher cipher = {0};
    size_t i;
    json_t *frame;

    (void) state;
    memcpy(cipher.key, vectors_octets(c, "key_c2s").data, NOISE_KEY_SIZE);
    json_array_foreach(json_object_get(c, "transport"), i, frame)
    {
        struct octets inner = vectors_octets(frame, "plaintext_inner");
        const struct octets wire = vectors_octets(frame, "wire");
        struct noise_cipher late = cipher;

        if (strcmp(vectors_text(frame, "dir"), "c2s") != 0)
            continue;
        assert_int_equal(cipher.counter, json_integer_value(json_object_get(frame, "counter")));
        noise_encrypt(&cipher, inner.data, inner.size);
        assert_memory_equal(inner.data, wire.data + 3, wire.size - 3);
        late.counter++;
        assert_false(noise_decrypt(&late, inner.data, wire.size - 3));
    }
    assert_int_equal(cipher.counter, 8);
}

static void what_is_shorter_than_a_tag_is_refused(void **state)
{
    struct noise_cipher cipher = {0};
    uint8_t data[NOISE_TAG_SIZE] = {0};

    (void) state;
    for (size_t size = 0; size < NOISE_TAG_SIZE; size++)
        assert_false(noise_decrypt(&cipher, data, size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_first_message_follows_the_trace_token_by_token),
            cmocka_unit_test(the_second_message_follows_the_trace_token_by_token),
            cmocka_unit_test(every_handshake_gives_the_messages_and_keys_of_the_vectors),
            cmocka_unit_test(splitting_wipes_the_handshake),
            cmocka_unit_test(what_is_wiped_is_zero_and_nothing_beside_it),
            cmocka_unit_test(a_second_message_that_was_changed_is_refused),
            cmocka_unit_test(a_public_key_of_low_order_is_refused),
            cmocka_unit_test(ciphers_count_and_refuse_a_frame_out_of_order),
            cmocka_unit_test(what_is_shorter_than_a_tag_is_refused),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
