/* The first octet chooses encryption and how the rest is cut; an octet in eight moves the clock. */
#include <string.h>

#include "esphome/client_session.h"
#include "fuzz_target.h"

static void on_message(void *user, const struct message *message, usec_t now)
{
    (void) now;
    (void) client_session_send(*(struct client_session **) user, message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct client_session_callbacks callbacks = {.on_message = on_message};
    struct client_session_options options = {.client_info = "fuzz", .password = "pw"};
    struct client_session *s = NULL;
    usec_t now = 1;
    size_t waiting;

    if (size < 1)
        return 0;
    options.is_encrypted = data[0] & 1;
    options.ephemeral[0] = 1;
    s = client_session_new(&options, &callbacks, &s, now);
    for (size_t at = 1; at < size;) {
        size_t part;
        uint8_t *to = client_session_input(s, &part);

        if (part > (size_t) (data[0] >> 1) + 1)
            part = (size_t) (data[0] >> 1) + 1;
        if (part > size - at)
            part = size - at;
        memcpy(to, data + at, part);
        if (client_session_received(s, part, now) != 0)
            break;
        if (data[at] % 8 == 0)
            client_session_tick(s, now += data[at] * USEC_PER_SEC);
        at += part;
    }
    (void) client_session_output(s, &waiting);
    client_session_sent(s, waiting);
    client_session_free(s);
    return 0;
}
