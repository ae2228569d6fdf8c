/* The first octet chooses encryption, age and how the rest is cut; an octet in eight moves the
 * clock. */
#include <string.h>

#include "esphome/server_session.h"
#include "fuzz_target.h"

static void on_message(void *user, const struct message *message, usec_t now)
{
    (void) now;
    (void) server_session_send(*(struct server_session **) user, message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct server_session_callbacks callbacks = {.on_message = on_message};
    struct server_session_options options = {
            .name = "fuzz", .server_info = "1", .api_major = 1, .api_minor = 15};
    struct server_session *s = NULL;
    usec_t now = 1;
    size_t waiting;

    if (size < 1)
        return 0;
    options.is_encrypted = data[0] & 1;
    options.is_legacy_hello = data[0] & 2;
    options.ephemeral[0] = 1;
    s = server_session_new(&options, &callbacks, &s, now);
    for (size_t at = 1; at < size;) {
        size_t part;
        uint8_t *to = server_session_input(s, &part);

        if (part > (size_t) (data[0] >> 2) + 1)
            part = (size_t) (data[0] >> 2) + 1;
        if (part > size - at)
            part = size - at;
        memcpy(to, data + at, part);
        if (server_session_received(s, part, now) != 0)
            break;
        if (data[at] % 8 == 0)
            server_session_tick(s, now += data[at] * USEC_PER_SEC);
        at += part;
    }
    (void) server_session_output(s, &waiting);
    server_session_sent(s, waiting);
    server_session_free(s);
    return 0;
}
