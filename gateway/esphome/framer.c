/* A frame is complete when its header could be read and as many octets as it says have come. Until
 * then `wanted` remembers the size, so that the buffer has room for it. What is left of a frame
 * moves to the front before the next read; the buffer begins with 16 KiB, in which a burst of
 * advertisements comes with one read, and grows only for a frame that is larger.
 *
 * Everything a peer can send wrong is told apart by the result. After one of these the framer must
 * not be asked for frames again: there is no way to find the next one. */
#include "framer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define CAPACITY_FIRST   ((size_t) 16384)
#define NOISE_HEADER     3
#define INNER_HEADER     4 /* type and length of the message inside a Noise frame */
#define VARINT_MAX_SIZE  4 /* of a length or type */
#define PLAIN_HEADER_MAX (1 + 2 * 5)

static size_t pending_size(const struct framer *f)
{
    return f->end - f->start;
}

/* A varint of at most four octets: its size, 0 when it is not complete, -1 when it is longer. */
static int read_short_varint(const uint8_t *data, size_t size, uint32_t *ret_value)
{
    uint32_t value = 0;

    for (size_t i = 0; i < VARINT_MAX_SIZE; i++) {
        if (i == size)
            return 0;
        value |= (uint32_t) (data[i] & 0x7f) << (7 * i);
        if (!(data[i] & 0x80)) {
            *ret_value = value;
            return (int) i + 1;
        }
    }
    return -1;
}

static size_t write_varint(uint8_t *out, uint32_t value)
{
    size_t size = 0;

    for (; value >= 0x80; value >>= 7)
        out[size++] = (uint8_t) (value | 0x80);
    out[size++] = (uint8_t) value;
    return size;
}

static void write_be16(uint8_t *out, size_t value)
{
    out[0] = (uint8_t) (value >> 8);
    out[1] = (uint8_t) value;
}

/* Reads the header of a plaintext frame. */
static enum framer_result read_plain_header(struct framer *f, size_t *ret_header,
                                            uint32_t *ret_size, uint32_t *ret_type)
{
    const uint8_t *p = f->data + f->start;
    size_t size = pending_size(f);
    int length_size, type_size;

    length_size = read_short_varint(p + 1, size - 1, ret_size);
    if (length_size <= 0)
        return length_size < 0 ? FRAMER_BAD_HEADER : FRAMER_MORE;
    if (*ret_size > f->body_max)
        return FRAMER_OVERSIZE;
    p += 1 + length_size;
    size -= 1 + (size_t) length_size;
    type_size = read_short_varint(p, size, ret_type);
    if (type_size <= 0)
        return type_size < 0 ? FRAMER_BAD_HEADER : FRAMER_MORE;
    *ret_header = 1 + (size_t) length_size + (size_t) type_size;
    return FRAMER_FRAME;
}

static enum framer_result read_noise_header(struct framer *f, size_t *ret_header,
                                            uint32_t *ret_size, uint32_t *ret_type)
{
    const uint8_t *p = f->data + f->start;

    if (pending_size(f) < NOISE_HEADER)
        return FRAMER_MORE;
    *ret_header = NOISE_HEADER;
    *ret_size = (uint32_t) (p[1] << 8 | p[2]);
    *ret_type = 0;
    return *ret_size > f->body_max ? FRAMER_OVERSIZE : FRAMER_FRAME;
}

/* Turns the body of an encrypted frame into the message that is in it. */
static enum framer_result decrypt(struct framer *f, uint8_t *data, size_t size,
                                  struct framer_frame *ret_frame)
{
    struct bytes inner = {data, 0};
    uint16_t type, length;

    if (!noise_decrypt(&f->receiving, data, size))
        return FRAMER_TAMPERED;
    inner.size = size - NOISE_TAG_SIZE;
    if (!bytes_pull_be16(&inner, &type) || !bytes_pull_be16(&inner, &length) || length > inner.size)
        return FRAMER_BAD_MESSAGE;
    ret_frame->type = type;
    ret_frame->body = (struct bytes){inner.data, length};
    return FRAMER_FRAME;
}

static int write_plaintext(struct buffer *output, uint32_t type, struct bytes body)
{
    uint8_t header[PLAIN_HEADER_MAX];
    size_t size = 1;

    header[0] = FRAMER_PLAINTEXT;
    size += write_varint(header + size, (uint32_t) body.size);
    size += write_varint(header + size, type);
    buffer_append(output, header, size);
    buffer_append(output, body.data, body.size);
    return 0;
}

static int write_encrypted(struct framer *f, struct buffer *output, uint32_t type,
                           struct bytes body)
{
    const size_t inner = INNER_HEADER + body.size, size = NOISE_HEADER + inner + NOISE_TAG_SIZE;
    uint8_t *p = buffer_reserve(output, size);

    p[0] = FRAMER_NOISE;
    write_be16(p + 1, inner + NOISE_TAG_SIZE);
    write_be16(p + NOISE_HEADER, type);
    write_be16(p + NOISE_HEADER + 2, body.size);
    if (body.size > 0)
        memcpy(p + NOISE_HEADER + INNER_HEADER, body.data, body.size);
    noise_encrypt(&f->sending, p + NOISE_HEADER, inner);
    buffer_commit(output, size);
    return 0;
}

void framer_init(struct framer *f, enum framer_kind kind, size_t body_max)
{
    assert(body_max <= FRAMER_BODY_MAX);
    *f = (struct framer){.kind = kind, .body_max = body_max};
}

void framer_done(struct framer *f)
{
    free(f->data);
    noise_wipe(&f->receiving, sizeof f->receiving);
    noise_wipe(&f->sending, sizeof f->sending);
    *f = (struct framer){0};
}

void framer_secure(struct framer *f, const struct noise_cipher *receiving,
                   const struct noise_cipher *sending, size_t body_max)
{
    assert(f->kind == FRAMER_NOISE && body_max <= FRAMER_BODY_MAX);
    f->receiving = *receiving;
    f->sending = *sending;
    f->body_max = body_max;
    f->is_secured = true;
}

uint8_t *framer_input(struct framer *f, size_t *ret_size)
{
    if (f->start > 0) {
        memmove(f->data, f->data + f->start, pending_size(f));
        f->end -= f->start;
        f->start = 0;
    }
    if (!f->data || f->wanted > f->capacity) {
        f->capacity = f->wanted > CAPACITY_FIRST ? f->wanted : CAPACITY_FIRST;
        f->data = memory_resize(f->data, f->capacity, 1);
    }
    assert(f->end < f->capacity);
    *ret_size = f->capacity - f->end;
    return f->data + f->end;
}

void framer_received(struct framer *f, size_t size)
{
    assert(size <= f->capacity - f->end);
    f->end += size;
}

enum framer_result framer_next(struct framer *f, struct framer_frame *ret_frame)
{
    enum framer_result result;
    size_t header = 0;
    uint32_t size = 0, type = 0;
    uint8_t *body;

    if (pending_size(f) == 0 || pending_size(f) < f->wanted)
        return FRAMER_MORE;
    if (f->data[f->start] != f->kind)
        return f->data[f->start] <= FRAMER_NOISE ? FRAMER_OTHER_KIND : FRAMER_FOREIGN;
    result = f->kind == FRAMER_PLAINTEXT ? read_plain_header(f, &header, &size, &type)
                                         : read_noise_header(f, &header, &size, &type);
    if (result != FRAMER_FRAME)
        return result;
    if (pending_size(f) < header + size) {
        f->wanted = header + size;
        return FRAMER_MORE;
    }
    body = f->data + f->start + header;
    f->start += header + size;
    f->wanted = 0;
    if (f->is_secured)
        return decrypt(f, body, size, ret_frame);
    *ret_frame = (struct framer_frame){.type = type, .body = {body, size}};
    return FRAMER_FRAME;
}

struct bytes framer_pending(const struct framer *f)
{
    return f->data ? (struct bytes){f->data + f->start, pending_size(f)} : (struct bytes){0};
}

void framer_clear(struct framer *f)
{
    f->start = f->end = f->wanted = 0;
}

int framer_write(struct framer *f, struct buffer *output, uint32_t type, struct bytes body)
{
    assert(type <= UINT16_MAX);
    if (body.size > FRAMER_MESSAGE_MAX)
        return -EMSGSIZE;
    if (f->kind == FRAMER_PLAINTEXT)
        return write_plaintext(output, type, body);
    assert(f->is_secured);
    return write_encrypted(f, output, type, body);
}

void framer_write_handshake(struct buffer *output, int first, struct bytes rest)
{
    const size_t size = rest.size + (first >= 0 ? 1 : 0);
    uint8_t header[NOISE_HEADER] = {FRAMER_NOISE};

    assert(size <= FRAMER_BODY_MAX);
    write_be16(header + 1, size);
    buffer_append(output, header, sizeof header);
    if (first >= 0)
        buffer_append_char(output, (char) first);
    buffer_append(output, rest.data, rest.size);
}
