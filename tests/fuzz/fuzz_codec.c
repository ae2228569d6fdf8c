/* The first octet is the number of the message. What can be read can be written, and read again. */
#include <stdlib.h>

#include "esphome/codec.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message message, again;
    struct buffer body = {0};
    struct arena arena;

    if (size < 1)
        return 0;
    arena_init(&arena, CODEC_ARENA_MAX);
    if (codec_decode(data[0], (struct bytes){data + 1, size - 1}, &arena, &message) == 0) {
        if (codec_encode(&message, &body) == 0 &&
            codec_decode(data[0], (struct bytes){body.data, buffer_size(&body)}, &arena, &again) !=
                    0)
            abort();
    }
    buffer_done(&body);
    arena_done(&arena);
    return 0;
}
