/* The first octet chooses kind, keys and limit, the second how the rest is cut. However it is cut,
 * the same frames come out and the same end; and frames that are written again are read again, the
 * same. With the bit of sealing the rest is the plaintext of frames (two octets of size in front of
 * each), which are encrypted first: so damage behind the tag is reached too. */
#include <stdlib.h>
#include <string.h>

#include "esphome/framer.h"
#include "fuzz_target.h"

enum { BIT_NOISE = 1, BIT_SMALL = 2, BIT_SECURED = 4, BIT_SEALING = 8 };

static const struct noise_cipher keys = {.counter = 0};

/* What came out of a stream: each frame as 4 octets of type, 4 of size, and the body. */
struct outcome {
    struct buffer frames;
    enum framer_result end;
};

static bool is_secured(uint8_t options)
{
    return (options & (BIT_NOISE | BIT_SECURED)) == (BIT_NOISE | BIT_SECURED);
}

static size_t limit_of(uint8_t options)
{
    return options & BIT_SMALL ? FRAMER_HANDSHAKE_MAX : FRAMER_BODY_MAX;
}

static void open_framer(struct framer *f, uint8_t options)
{
    const size_t max = limit_of(options);

    framer_init(f, options & BIT_NOISE ? FRAMER_NOISE : FRAMER_PLAINTEXT, max);
    if (is_secured(options))
        framer_secure(f, &keys, &keys, max);
}

static void append_u32(struct buffer *b, uint32_t value)
{
    buffer_append(b, &value, sizeof value);
}

static void append_frame(struct buffer *frames, uint32_t type, struct bytes body)
{
    append_u32(frames, type);
    append_u32(frames, (uint32_t) body.size);
    buffer_append(frames, body.data, body.size);
}

static enum framer_result take_frames(struct framer *f, struct buffer *frames)
{
    struct framer_frame frame;
    enum framer_result result;

    while ((result = framer_next(f, &frame)) == FRAMER_FRAME) {
        append_frame(frames, frame.type, frame.body);
    }
    return result;
}

/* Frames from a stream that comes in parts of at most so many octets. */
static void read_stream(struct outcome *ret_outcome, uint8_t options, struct bytes stream,
                        size_t most)
{
    struct framer f;

    *ret_outcome = (struct outcome){.end = FRAMER_MORE};
    open_framer(&f, options);
    while (stream.size > 0 && ret_outcome->end == FRAMER_MORE) {
        size_t part;
        uint8_t *to = framer_input(&f, &part);

        if (part == 0)
            abort();
        if (part > most)
            part = most;
        if (part > stream.size)
            part = stream.size;
        memcpy(to, stream.data, part);
        stream = (struct bytes){stream.data + part, stream.size - part};
        framer_received(&f, part);
        ret_outcome->end = take_frames(&f, &ret_outcome->frames);
    }
    framer_done(&f);
}

static bool has_same_frames(const struct outcome *a, const struct outcome *b)
{
    const size_t size = buffer_size(&a->frames);

    return size == buffer_size(&b->frames) &&
           (size == 0 || memcmp(buffer_front(&a->frames), buffer_front(&b->frames), size) == 0);
}

/* Writes the frames of an outcome as a peer would. */
static void write_frames(struct buffer *ret_stream, uint8_t options, const struct outcome *outcome)
{
    struct bytes rest = {outcome->frames.data, buffer_size(&outcome->frames)}, body, number;
    uint32_t type, size;
    struct framer f;

    open_framer(&f, options);
    while (bytes_pull(&rest, sizeof type, &number)) {
        memcpy(&type, number.data, sizeof type);
        (void) bytes_pull(&rest, sizeof size, &number);
        memcpy(&size, number.data, sizeof size);
        (void) bytes_pull(&rest, size, &body);
        if ((options & BIT_NOISE) && !is_secured(options))
            framer_write_handshake(ret_stream, -1, body);
        else
            (void) framer_write(&f, ret_stream, type, body);
    }
    framer_done(&f);
}

/* What is written has a type of two octets at most, and a body that fits either framing. */
static bool can_be_written(const struct outcome *outcome)
{
    struct bytes rest = {outcome->frames.data, buffer_size(&outcome->frames)}, body, number;
    uint32_t type, size;

    while (bytes_pull(&rest, sizeof type, &number)) {
        memcpy(&type, number.data, sizeof type);
        (void) bytes_pull(&rest, sizeof size, &number);
        memcpy(&size, number.data, sizeof size);
        if (type > UINT16_MAX || size > FRAMER_MESSAGE_MAX || !bytes_pull(&rest, size, &body))
            return false;
    }
    return true;
}

static void check_around(uint8_t options, const struct outcome *first)
{
    struct buffer stream = {0};
    struct outcome again;

    if (!can_be_written(first))
        return;
    write_frames(&stream, options, first);
    read_stream(&again, options, (struct bytes){stream.data, buffer_size(&stream)}, SIZE_MAX);
    if (again.end != FRAMER_MORE || !has_same_frames(first, &again))
        abort();
    buffer_done(&again.frames);
    buffer_done(&stream);
}

/* What must come out of a frame with this inside: its type, a length, and so much of the rest. */
static void expect(struct outcome *expected, struct bytes inside, size_t max)
{
    uint16_t type, length;
    struct bytes body;

    if (expected->end != FRAMER_MORE)
        return;
    if (inside.size + NOISE_TAG_SIZE > max)
        expected->end = FRAMER_OVERSIZE;
    else if (bytes_pull_be16(&inside, &type) && bytes_pull_be16(&inside, &length) &&
             bytes_pull(&inside, length, &body))
        append_frame(&expected->frames, type, body);
    else
        expected->end = FRAMER_BAD_MESSAGE;
}

/* Frames whose inside is the script's: their tags are right. */
static void seal(struct buffer *ret_stream, struct outcome *ret_expected, struct bytes script,
                 size_t max)
{
    struct noise_cipher cipher = keys;
    uint16_t size;
    struct bytes inside;

    while (bytes_pull_be16(&script, &size) && size <= FRAMER_MESSAGE_MAX &&
           bytes_pull(&script, size, &inside)) {
        const size_t whole = (size_t) size + NOISE_TAG_SIZE;
        uint8_t *out = buffer_reserve(ret_stream, 3 + whole);

        out[0] = FRAMER_NOISE;
        out[1] = (uint8_t) (whole >> 8);
        out[2] = (uint8_t) whole;
        if (size > 0)
            memcpy(out + 3, inside.data, size);
        noise_encrypt(&cipher, out + 3, size);
        buffer_commit(ret_stream, 3 + whole);
        expect(ret_expected, inside, max);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut, expected = {.end = FRAMER_MORE};
    struct buffer sealed = {0};
    struct bytes stream;
    uint8_t options;

    if (size < 2)
        return 0;
    stream = (struct bytes){data + 2, size - 2};
    options = data[0];
    if (options & BIT_SEALING) {
        options |= BIT_NOISE | BIT_SECURED;
        seal(&sealed, &expected, stream, limit_of(options));
        stream = (struct bytes){sealed.data, buffer_size(&sealed)};
    }
    read_stream(&whole, options, stream, SIZE_MAX);
    read_stream(&cut, options, stream, (size_t) data[1] + 1);
    if (whole.end != cut.end || !has_same_frames(&whole, &cut))
        abort();
    if ((options & BIT_SEALING) &&
        (whole.end != expected.end || !has_same_frames(&whole, &expected)))
        abort();
    check_around(options, &whole);
    buffer_done(&whole.frames);
    buffer_done(&cut.frames);
    buffer_done(&expected.frames);
    buffer_done(&sealed);
    return 0;
}
