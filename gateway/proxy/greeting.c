#include "greeting.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "esphome/client_session.h"
#include "proxy/node.h"
#include "proxy/proxy.h"

static int64_t wall_seconds(void *user)
{
    (void) user;
    return clock_wall() / 1000000;
}

/* A host in .local is the name of the node itself, and a node of another name there is another
 * node. Any other host is just a place. */
static const char *expected_name(const struct proxy_settings *settings,
                                 char ret_name[NODE_TEXT_SIZE])
{
    size_t label = strcspn(settings->host, "."), size = strlen(settings->host);

    if (label >= NODE_TEXT_SIZE || size < 6 || strcasecmp(settings->host + size - 6, ".local") != 0)
        return NULL;
    memcpy(ret_name, settings->host, label);
    ret_name[label] = '\0';
    return ret_name;
}

struct client_session *greeting_new(const struct proxy_settings *settings, const struct node *node,
                                    const struct client_session_callbacks *callbacks, void *user,
                                    usec_t now)
{
    char name[NODE_TEXT_SIZE];
    struct client_session_options options = {
            .client_info = "blefleet " BLEFLEET_VERSION,
            .expected_name = expected_name(settings, name),
            .password = settings->password,
            .has_expected_mac = settings->has_mac || node->has_mac,
            .expected_mac = settings->has_mac ? settings->mac : node->mac,
            .is_encrypted = settings->is_encrypted,
            .wall_clock = wall_seconds,
    };
    struct client_session *session;

    memcpy(options.psk, settings->key, sizeof options.psk);
    if (getentropy(options.ephemeral, sizeof options.ephemeral) < 0)
        abort(); /* no randomness, no secrets */
    session = client_session_new(&options, callbacks, user, now);
    explicit_bzero(&options, sizeof options);
    return session;
}
