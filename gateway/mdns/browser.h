/* Looks for ESPHome devices by mDNS, through the avahi-daemon of this machine.
 *
 * Every call of avahi-client is a question to D-Bus that waits for its answer, for ever when the
 * bus hangs: so all of it lives on a thread of its own, which nobody ever waits for. Without a
 * daemon, or without D-Bus, that is said once, and looked for again. Thread: everything here is
 * called on the loop's; callbacks come there. */
#pragma once

#include <stdbool.h>

#include "mdns/announcement.h"

struct uv_loop_s;
struct browser;

#define BROWSER_RETRY_FIRST                                                                        \
    USEC_PER_SEC /* when the daemon went; without D-Bus doubled each time                          \
                  */
#define BROWSER_RETRY_MAX (60 * USEC_PER_SEC)

/* None may be NULL. */
struct browser_callbacks {
    /* A device is seen in this way and says this; also when it says something else. */
    void (*on_seen)(void *user, const struct announcement_facts *facts,
                    const struct announcement_sighting *sighting);
    /* It is not seen in this way any more: it said goodbye, or does not answer. */
    void (*on_gone)(void *user, const char *name, int interface, bool is_v6);
    /* The daemon went away: nothing is known any more. */
    void (*on_lost)(void *user);
    void *user;
};

/* Never NULL. */
struct browser *browser_start(struct uv_loop_s *loop, const struct browser_callbacks *callbacks);

/* No callback comes any more; it frees itself in the loop. Accepts NULL. */
void browser_stop(struct browser *b);
