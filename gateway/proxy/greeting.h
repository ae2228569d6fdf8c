/* How a conversation with a proxy begins: the session for it, with what its settings and its former
 * words say about who has to answer, and with fresh keys. A shell: it draws randomness. */
#pragma once

#include "base/clock.h"

struct client_session;
struct client_session_callbacks;
struct node;
struct proxy_settings;

/* A session that greets now; the caller's to free. node is what the device said before, zeroed if
 * nothing. Never NULL. */
struct client_session *greeting_new(const struct proxy_settings *settings, const struct node *node,
                                    const struct client_session_callbacks *callbacks, void *user,
                                    usec_t now);
