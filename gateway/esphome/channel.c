/* A message is encoded into `body`, whose size is then known, and framed into `output`. */
#include "channel.h"

#include <errno.h>
#include <string.h>

#include "codec.h"

void channel_init(struct channel *c, enum framer_kind kind, size_t body_max)
{
    *c = (struct channel){0};
    framer_init(&c->framer, kind, body_max);
    arena_init(&c->arena, CODEC_ARENA_MAX);
}

void channel_done(struct channel *c)
{
    framer_done(&c->framer);
    arena_done(&c->arena);
    buffer_done(&c->body);
    buffer_done(&c->output);
}

int channel_send(struct channel *c, const struct message *message, size_t limit)
{
    int cause;

    if (buffer_size(&c->output) >= limit)
        return -ENOBUFS;
    buffer_clear(&c->body);
    cause = codec_encode(message, &c->body);
    if (cause != 0)
        return cause;
    return framer_write(&c->framer, &c->output, message->type,
                        (struct bytes){c->body.data, buffer_size(&c->body)});
}

const char *channel_fault(enum framer_result result)
{
    switch (result) {
    case FRAMER_MORE:
    case FRAMER_FRAME:
        break;
    case FRAMER_OTHER_KIND:
    case FRAMER_FOREIGN:
        return "a frame begins with a wrong octet";
    case FRAMER_BAD_HEADER:
        return "the header of a frame is malformed";
    case FRAMER_OVERSIZE:
        return "a frame is longer than allowed";
    case FRAMER_TAMPERED:
        return "an encrypted frame arrived damaged";
    case FRAMER_BAD_MESSAGE:
        return "an encrypted frame holds no whole message";
    }
    return "no fault";
}

void channel_make_printable(char *text)
{
    for (char *c = text; *c; c++) {
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    }
}

void channel_copy_printable(char *ret_text, size_t capacity, const void *data, size_t size)
{
    if (size > capacity - 1)
        size = capacity - 1;
    if (size > 0)
        memcpy(ret_text, data, size);
    for (size_t i = 0; i < size; i++) {
        if (ret_text[i] < 0x20 || ret_text[i] > 0x7e)
            ret_text[i] = '?';
    }
    ret_text[size] = '\0';
}
