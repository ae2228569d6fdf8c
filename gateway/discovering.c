/* The browser tells what is seen, which is kept in announcements. What is new there wakes the proxy
 * whose device it is, or may become one (adopting). The resolver of the fleet looks up hosts and
 * MACs here.
 *
 * Failure modes are those of the browser: then nothing is known, and proxies are reached as if
 * there were no mDNS. */
#include "discovering.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "adopting.h"
#include "announced.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"
#include "gateway.h"
#include "mdns/announcements.h"
#include "mdns/browser.h"
#include "proxy/fleet.h"

struct discovering {
    struct uv_loop_s *loop;
    struct fleet *fleet;
    struct browser *browser; /* NULL: it is not wanted */
    struct announcements *announcements;
    struct adopting *adopting;
    bool is_stopped;
};

/* ---- the book ---- */

static bool is_wanted(const struct announcement *one, const char *host, const uint64_t *mac)
{
    return mac ? one->facts.mac == *mac && *mac != 0
               : announced_is_same_host(one->facts.host, host);
}

/* Hosts outside of .local are the business of name servers. */
static bool is_local(const char *host)
{
    size_t size = strlen(host);

    size -= size > 0 && host[size - 1] == '.';
    return size > 6 && strncasecmp(host + size - 6, ".local", 6) == 0;
}

/* As resolver_book_fn. Several devices may claim one MAC: all of them are told, as far as there is
 * room, and who answers first has to prove it. */
static size_t look_up(void *user, const char *host, const uint64_t *mac, unsigned port,
                      struct sockaddr_storage *ret_addresses, size_t max)
{
    const struct discovering *d = user;
    size_t count = 0;

    if (!mac && !is_local(host))
        return 0;
    for (size_t i = 0; i < announcements_count(d->announcements); i++) {
        const struct announcement *one = announcements_get(d->announcements, i);

        if (!is_wanted(one, host, mac))
            continue;
        count += announced_write_addresses(one, mac ? 0 : port, &ret_addresses[count], max - count);
    }
    return count;
}

/* ---- from the browser ---- */

static void on_seen(void *user, const struct announcement_facts *facts,
                    const struct announcement_sighting *sighting)
{
    struct discovering *d = user;
    struct proxy *proxy;
    bool is_news;
    const struct announcement *one =
            announcements_heard(d->announcements, facts, sighting, clock_now(), &is_news);

    if (!is_news)
        return;
    log_debug("mdns.seen", "name=%s host=%s port=%u", facts->name, facts->host,
              (unsigned) facts->port);
    proxy = announced_find_proxy(one, d->fleet);
    if (proxy)
        proxy_wake(proxy);
    else
        adopting_look(d->adopting);
}

static void on_gone(void *user, const char *name, int interface, bool is_v6)
{
    struct discovering *d = user;

    announcements_gone(d->announcements, name, interface, is_v6);
}

static void on_lost(void *user)
{
    struct discovering *d = user;

    announcements_clear(d->announcements);
}

/* ---- for the facade ---- */

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static void write_view(const struct announcement *one, struct gateway_discovered *ret_one)
{
    const struct announcement_facts *facts = &one->facts;

    *ret_one = (struct gateway_discovered){
            .name = facts->name,
            .friendly_name = text_or_null(facts->friendly_name),
            .host = facts->host,
            .port = (uint16_t) facts->port,
            .has_mac = facts->mac != 0,
            .mac = facts->mac,
            .esphome_version = text_or_null(facts->version),
            .platform = text_or_null(facts->platform),
            .board = text_or_null(facts->board),
            .network = text_or_null(facts->network),
            .encryption = announcement_encryption_name(facts->encryption),
            .bluetooth_proxy = one->inquiry == ANNOUNCEMENT_BLUETOOTH      ? 1
                               : one->inquiry == ANNOUNCEMENT_NO_BLUETOOTH ? 0
                                                                           : -1,
            .last_seen = one->heard,
            .addresses_count = one->sightings_count,
    };
    for (size_t i = 0; i < one->sightings_count; i++)
        announcement_format_address(ret_one->addresses[i], &one->sightings[i]);
}

size_t discovering_after(const struct discovering *d, const char *name)
{
    return announcements_after(d->announcements, name);
}

bool discovering_get(const struct discovering *d, size_t index, struct gateway_discovered *ret_one)
{
    const struct announcement *one;
    const struct proxy *proxy;

    if (index >= announcements_count(d->announcements))
        return false;
    one = announcements_get(d->announcements, index);
    proxy = announced_find_proxy(one, d->fleet);
    write_view(one, ret_one);
    ret_one->is_configured = proxy != NULL;
    if (proxy)
        ret_one->bluetooth_proxy = proxy_is_bluetooth(proxy);
    return true;
}

/* ---- life ---- */

void discovering_configure(struct discovering *d, const struct config *before,
                           const struct config *config)
{
    const struct browser_callbacks callbacks = {on_seen, on_gone, on_lost, d};

    if (d->is_stopped) /* a change that was under way */
        return;
    if (config->discovery_mdns && !d->browser)
        d->browser = browser_start(d->loop, &callbacks);
    if (!config->discovery_mdns && d->browser) {
        browser_stop(TAKE(d->browser));
        announcements_clear(d->announcements);
    }
    adopting_configure(d->adopting, before, config);
}

struct discovering *discovering_new(struct uv_loop_s *loop, struct gateway *g,
                                    const struct config *config, struct fleet *fleet)
{
    struct discovering *d = xnew(struct discovering, 1);

    d->loop = loop;
    d->fleet = fleet;
    d->announcements = announcements_new();
    d->adopting = adopting_new(loop, g, d->announcements, fleet);
    fleet_set_book(fleet, look_up, d);
    discovering_configure(d, /* before= */ NULL, config);
    return d;
}

void discovering_stop(struct discovering *d)
{
    d->is_stopped = true;
    browser_stop(TAKE(d->browser));
    adopting_stop(d->adopting);
    fleet_set_book(d->fleet, NULL, NULL);
}

void discovering_free(struct discovering *d)
{
    if (!d)
        return;
    adopting_free(d->adopting);
    announcements_free(d->announcements);
    free(d);
}
