/* Each announcement that could be one of those wanted is asked once what it is, a few at a time;
 * one that is a Bluetooth proxy becomes a change of the configuration, one after the other, through
 * the same door as POST /proxies. When a question or a change ends, the announcements are gone
 * through again.
 *
 * Failure modes. A device that does not answer is asked again when it announces something new. A
 * change that is refused (the name is taken) is told once, and not tried again while the device is
 * announced. Without a file to write to nothing is adopted, which is told once. What somebody has
 * removed stays removed. */
#include "adopting.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "announced.h"
#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "gateway.h"
#include "mdns/announcements.h"
#include "proxy/fleet.h"
#include "proxy/inquiry.h"
#include "proxy/node.h"

struct question {
    struct adopting *adopting;
    struct inquiry *inquiry; /* NULL: free */
    char name[ANNOUNCEMENT_NAME_SIZE];
};

/* What was known of a proxy that was removed. */
struct declined {
    char *name, *host;
    unsigned port;
    uint64_t mac; /* 0: not known */
};

struct adopting {
    struct uv_loop_s *loop;
    struct gateway *gateway;
    struct announcements *all;
    const struct fleet *fleet;
    bool is_on;
    size_t proxies_count;
    struct question questions[ADOPTING_QUESTIONS_MAX];
    struct gateway_change change;
    bool is_changing;
    char adoptee[ANNOUNCEMENT_NAME_SIZE]; /* with is_changing */
    struct declined declined[ADOPTING_DECLINED_MAX];
    size_t declined_total; /* ever; the last of them are kept */
};

/* ---- what was removed ---- */

static void decline(struct adopting *a, const struct config_proxy *removed)
{
    struct declined *d = &a->declined[a->declined_total++ % ADOPTING_DECLINED_MAX];

    free(d->name);
    free(d->host);
    *d = (struct declined){.name = memory_copy_text(removed->name),
                           .host = memory_copy_text(removed->host),
                           .port = removed->port,
                           .mac = removed->has_mac ? removed->mac : 0};
}

static bool is_declined_by(const struct declined *d, const struct announcement *one)
{
    if (d->mac != 0 && (one->facts.mac != 0 || one->told_mac != 0))
        return d->mac == one->facts.mac || d->mac == one->told_mac;
    return strcasecmp(d->name, one->facts.name) == 0 || announced_is_at(one, d->host, d->port);
}

static bool is_declined(const struct adopting *a, const struct announcement *one)
{
    size_t count =
            a->declined_total < ADOPTING_DECLINED_MAX ? a->declined_total : ADOPTING_DECLINED_MAX;

    for (size_t i = 0; i < count; i++) {
        if (is_declined_by(&a->declined[i], one))
            return true;
    }
    return false;
}

static bool has_proxy(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->proxies_count; i++) {
        if (strcmp(config->proxies[i].name, name) == 0)
            return true;
    }
    return false;
}

/* ---- who may be adopted ---- */

/* What may stand in a name of DNS, and in JSON as it is. */
static bool is_plain(const char *text)
{
    if (!isalnum((unsigned char) text[0]))
        return false;
    for (; *text; text++) {
        if (!isalnum((unsigned char) *text) && !strchr("-_.", *text))
            return false;
    }
    return true;
}

static bool is_known_mac(const struct adopting *a, uint64_t mac)
{
    struct proxy *p;
    uint64_t known;

    for (size_t position = 0; mac != 0 && (p = fleet_next(a->fleet, &position));) {
        if (proxy_get_mac(p, &known) && known == mac)
            return true;
    }
    return false;
}

static bool may_be_adopted(const struct adopting *a, const struct announcement *one)
{
    return one->facts.encryption == ANNOUNCEMENT_PLAIN && !one->was_tried &&
           is_plain(one->facts.name) && is_plain(one->facts.host) &&
           !announced_find_proxy(one, a->fleet) && !is_known_mac(a, one->told_mac) &&
           !is_declined(a, one);
}

/* ---- asking ---- */

static bool is_being_asked(const struct adopting *a, const char *name)
{
    for (size_t i = 0; i < ADOPTING_QUESTIONS_MAX; i++) {
        if (a->questions[i].inquiry && strcmp(a->questions[i].name, name) == 0)
            return true;
    }
    return false;
}

static struct question *find_free_question(struct adopting *a)
{
    for (size_t i = 0; i < ADOPTING_QUESTIONS_MAX; i++) {
        if (!a->questions[i].inquiry)
            return &a->questions[i];
    }
    return NULL;
}

static void on_answer(void *user, int cause, const struct node *node)
{
    struct question *q = user;
    struct adopting *a = q->adopting;

    q->inquiry = NULL;
    if (cause < 0)
        log_debug("mdns.no_answer", "name=%s cause=%s", q->name, error_token(cause));
    else
        announcements_note_inquiry(a->all, q->name,
                                   node->features ? ANNOUNCEMENT_BLUETOOTH
                                                  : ANNOUNCEMENT_NO_BLUETOOTH,
                                   node->has_mac ? node->mac : 0);
    adopting_look(a);
}

/* There is a free question. */
static void ask(struct adopting *a, const struct announcement *one)
{
    struct sockaddr_storage addresses[ANNOUNCEMENTS_SIGHTINGS_MAX];
    struct question *q = find_free_question(a);
    size_t count;

    if (is_being_asked(a, one->facts.name))
        return;
    count = announced_write_addresses(one, /* port= */ 0, addresses, ARRAY_SIZE(addresses));
    q->adopting = a;
    memcpy(q->name, one->facts.name, sizeof q->name);
    q->inquiry = inquiry_start(a->loop, q->name, addresses, count, on_answer, q);
    announcements_note_inquiry(a->all, q->name, ANNOUNCEMENT_ASKED, 0);
}

/* ---- adopting ---- */

static void on_changed(struct gateway_change *change, int cause, const struct config_edited *edited)
{
    struct adopting *a = CONTAINER_OF(change, struct adopting, change);

    (void) edited;
    a->is_changing = false;
    if (cause == 0)
        log_info("mdns.adopted", "name=%s", a->adoptee);
    else
        log_warning("mdns.not_adopted", "name=%s cause=%s, ignoring", a->adoptee,
                    error_token(cause));
    adopting_look(a);
}

static void format_patch(struct buffer *ret_patch, const struct announcement *one)
{
    char mac[BLE_ADDRESS_TEXT_SIZE];

    buffer_append_format(ret_patch, "{\"name\":\"%s\",\"host\":\"%s\",\"port\":%u", one->facts.name,
                         one->facts.host, (unsigned) one->facts.port);
    if (one->told_mac != 0) {
        ble_address_format(mac, one->told_mac);
        buffer_append_format(ret_patch, ",\"mac\":\"%s\"", mac);
    }
    buffer_append_format(ret_patch, "}");
}

static void adopt(struct adopting *a, const struct announcement *one)
{
    struct buffer patch = {0};
    struct config_edit edit = {.kind = CONFIG_EDIT_ADD, .list = "proxies", .pointer = ""};
    int rc;

    format_patch(&patch, one);
    edit.patch = (const char *) buffer_front(&patch);
    edit.patch_size = buffer_size(&patch);
    a->change.done = on_changed;
    rc = gateway_change_config(a->gateway, &edit, &a->change);
    buffer_done(&patch);
    if (rc == E_OVERLOADED)
        return; /* there will be other occasions */
    memcpy(a->adoptee, one->facts.name, sizeof a->adoptee);
    announcements_note_try(a->all, a->adoptee);
    a->is_changing = rc == 0;
    if (rc == 0)
        return;
    a->is_on = false; /* the configuration cannot be changed in this run */
    log_warning("mdns.not_adopted", "name=%s cause=%s, adopting nothing", a->adoptee,
                error_token(rc));
}

static void consider(struct adopting *a, const struct announcement *one)
{
    switch (one->inquiry) {
    case ANNOUNCEMENT_UNASKED:
        if (find_free_question(a) && may_be_adopted(a, one))
            ask(a, one);
        return;
    case ANNOUNCEMENT_BLUETOOTH:
        if (!a->is_changing && a->proxies_count < ADOPTING_PROXIES_MAX && may_be_adopted(a, one))
            adopt(a, one);
        return;
    case ANNOUNCEMENT_ASKED:
    case ANNOUNCEMENT_NO_BLUETOOTH:
        return;
    }
}

void adopting_look(struct adopting *a)
{
    for (size_t i = 0; i < announcements_count(a->all); i++) {
        if (!a->is_on || (a->is_changing && !find_free_question(a)))
            return;
        consider(a, announcements_get(a->all, i));
    }
}

/* ---- life ---- */

void adopting_configure(struct adopting *a, const struct config *before,
                        const struct config *config)
{
    for (size_t i = 0; before && i < before->proxies_count; i++) {
        if (!has_proxy(config, before->proxies[i].name))
            decline(a, &before->proxies[i]);
    }
    a->is_on = config->discovery_mdns && config->discovery_auto_adopt;
    a->proxies_count = config->proxies_count;
    adopting_look(a);
}

struct adopting *adopting_new(struct uv_loop_s *loop, struct gateway *g, struct announcements *all,
                              const struct fleet *fleet)
{
    struct adopting *a = xnew(struct adopting, 1);

    a->loop = loop;
    a->gateway = g;
    a->all = all;
    a->fleet = fleet;
    return a;
}

void adopting_stop(struct adopting *a)
{
    a->is_on = false;
    for (size_t i = 0; i < ADOPTING_QUESTIONS_MAX; i++)
        inquiry_cancel(TAKE(a->questions[i].inquiry));
    if (a->is_changing)
        gateway_change_cancel(&a->change);
    a->is_changing = false;
}

void adopting_free(struct adopting *a)
{
    for (size_t i = 0; a && i < ADOPTING_DECLINED_MAX; i++) {
        free(a->declined[i].name);
        free(a->declined[i].host);
    }
    free(a);
}
