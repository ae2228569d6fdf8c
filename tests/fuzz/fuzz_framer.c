/* The first octet chooses kind, keys and limit; the second how the rest is cut. */
#include <string.h>

#include "esphome/framer.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct noise_cipher keys = {.counter = 0};
    struct framer_frame frame;
    enum framer_result result = FRAMER_MORE;
    struct framer f;

    if (size < 2)
        return 0;
    framer_init(&f, data[0] & 1 ? FRAMER_NOISE : FRAMER_PLAINTEXT,
                data[0] & 2 ? FRAMER_HANDSHAKE_MAX : FRAMER_BODY_MAX);
    if ((data[0] & 5) == 5)
        framer_secure(&f, &keys, &keys, FRAMER_BODY_MAX);
    for (size_t at = 2; at < size && result == FRAMER_MORE;) {
        size_t part;
        uint8_t *to = framer_input(&f, &part);

        if (part > (size_t) data[1] + 1)
            part = (size_t) data[1] + 1;
        if (part > size - at)
            part = size - at;
        memcpy(to, data + at, part);
        framer_received(&f, part);
        at += part;
        do
            result = framer_next(&f, &frame);
        while (result == FRAMER_FRAME);
    }
    framer_done(&f);
    return 0;
}
