/* The story: the body is held against the rules of its fields, and goes to the gateway as a change
 * of the configuration; the request waits, and is answered with the proxy when the change runs. An
 * import is one change for all.
 *
 * Failure modes: what the gateway refuses becomes a problem (change_problem). Whoever gives up does
 * not stop the change, which may be on the disk already. */
#include "handlers_proxies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/change_wait.h"
#include "json/proxy_import.h"
#include "json/proxy_json.h"

#define MODES      "passive|active|auto"
#define SECRET_MAX 256 /* octets */

const struct body_rule handlers_proxy_settings[] = {
        {.name = "name", .type = BODY_TEXT, .is_required = true},
        {.name = "host", .type = BODY_TEXT, .is_required = true},
        {.name = "port", .type = BODY_INTEGER, .high = 65535, .is_nullable = true},
        {.name = "mac", .type = BODY_TEXT, .is_nullable = true},
        {.name = "encryption_key", .type = BODY_TEXT, .high = SECRET_MAX, .is_nullable = true},
        {.name = "password", .type = BODY_TEXT, .high = SECRET_MAX, .is_nullable = true},
        {.name = "area", .type = BODY_TEXT, .is_nullable = true},
        {.name = "scan_mode", .type = BODY_TEXT, .values = MODES, .is_nullable = true},
        {.name = "enabled", .type = BODY_BOOL, .is_nullable = true},
        {.name = "weight", .type = BODY_NUMBER, .low = -30, .high = 30, .is_nullable = true},
        {.name = NULL},
};

const struct body_rule handlers_proxy_patch[] = {
        {.name = "name", .type = BODY_TEXT},
        {.name = "host", .type = BODY_TEXT},
        {.name = "port", .type = BODY_INTEGER, .high = 65535, .is_nullable = true},
        {.name = "mac", .type = BODY_TEXT, .is_nullable = true},
        {.name = "encryption_key", .type = BODY_TEXT, .high = SECRET_MAX, .is_nullable = true},
        {.name = "password", .type = BODY_TEXT, .high = SECRET_MAX, .is_nullable = true},
        {.name = "area", .type = BODY_TEXT, .is_nullable = true},
        {.name = "scan_mode", .type = BODY_TEXT, .values = MODES, .is_nullable = true},
        {.name = "enabled", .type = BODY_BOOL, .is_nullable = true},
        {.name = "weight", .type = BODY_NUMBER, .low = -30, .high = 30, .is_nullable = true},
        {.name = NULL},
};

/* A request that waits for its change. */
struct wait {
    struct change_wait change;
    char *name;                 /* that the proxy has then */
    struct proxy_import import; /* of the route of that name */
    int status;
};

static struct wait *wait_of(struct change_wait *change)
{
    return CONTAINER_OF(change, struct wait, change);
}

/* ---- answers ---- */

static void answer_proxy(struct change_wait *change, const struct config_edited *edited,
                         struct answer *ret_answer)
{
    const struct wait *wait = wait_of(change);
    struct gateway_proxy proxy;
    struct writer w = {0};
    size_t index;

    (void) edited;
    if (gateway_find_proxy(change->gateway, wait->name, &index) != 0) {
        rest_refuse(ret_answer, 404, E_PROXY_NOT_FOUND, NULL); /* removed by the next change */
        return;
    }
    gateway_get_proxy(change->gateway, index, &proxy);
    proxy_json_write(&w, NULL, change->gateway, &proxy);
    answer_set_json(ret_answer, wait->status, &w);
    if (wait->status == 201)
        answer_add_header(ret_answer, "Location", "/api/v1/proxies/%s", wait->name);
}

static void answer_nothing(struct change_wait *change, const struct config_edited *edited,
                           struct answer *ret_answer)
{
    (void) change, (void) edited;
    ret_answer->status = 204;
}

static void write_import(struct writer *w, const struct proxy_import *import)
{
    writer_begin_object(w, NULL);
    writer_begin_array(w, "added");
    for (size_t i = 0; i < import->added_count; i++)
        writer_text(w, NULL, import->added[i]);
    writer_end_array(w);
    writer_begin_array(w, "skipped");
    for (size_t i = 0; i < import->skipped_count; i++) {
        writer_begin_object(w, NULL);
        writer_text(w, "name", import->skipped[i].name);
        writer_text(w, "detail", import->skipped[i].detail);
        writer_end_object(w);
    }
    writer_end_array(w);
    writer_bool(w, "dry_run", import->is_dry_run);
    writer_end_object(w);
}

static void answer_import(struct change_wait *change, const struct config_edited *edited,
                          struct answer *ret_answer)
{
    struct writer w = {0};

    (void) edited;
    write_import(&w, &wait_of(change)->import);
    answer_set_json(ret_answer, 200, &w);
}

/* ---- waiting ---- */

static void free_wait(struct wait *wait)
{
    proxy_import_done(&wait->import);
    free(wait->name);
    free(wait);
}

static void release(struct change_wait *change)
{
    free_wait(wait_of(change));
}

static struct wait *new_wait(const struct call *call, const char *name, int status,
                             change_wait_answer_fn *answer)
{
    struct wait *wait = xnew(struct wait, 1);

    change_wait_init(&wait->change, call, E_PROXY_NOT_FOUND, answer, release);
    wait->name = memory_copy_text(name);
    wait->status = status;
    return wait;
}

/* Hands the change over. */
static int begin(struct call *call, struct wait *wait, const struct config_edit *edit)
{
    return change_wait_begin(&wait->change, call,
                             gateway_change_config(call->gateway, edit, &wait->change.change));
}

/* The body as it came, whose fields were read already. */
static struct config_edit make_edit(const struct call *call, enum config_edit_kind kind,
                                    const char *entry)
{
    bool has_body = call->request->body_size > 0;

    return (struct config_edit){.kind = kind,
                                .list = "proxies",
                                .entry = entry,
                                .patch = has_body ? call->request->body : "{}",
                                .patch_size = has_body ? call->request->body_size : 2,
                                .pointer = ""};
}

int handlers_add_proxy(struct call *call)
{
    const struct config_edit edit = make_edit(call, CONFIG_EDIT_ADD, NULL);

    if (!change_wait_is_possible(call))
        return REST_ANSWERED;
    return begin(call, new_wait(call, body_text(call->body, "name"), 201, answer_proxy), &edit);
}

int handlers_patch_proxy(struct call *call)
{
    const struct config_edit edit = make_edit(call, CONFIG_EDIT_CHANGE, call->parameters[0]);
    const char *name = body_text(call->body, "name");

    if (!change_wait_is_possible(call))
        return REST_ANSWERED;
    return begin(call, new_wait(call, name ? name : call->parameters[0], 200, answer_proxy), &edit);
}

int handlers_delete_proxy(struct call *call)
{
    const struct config_edit edit = {.kind = CONFIG_EDIT_REMOVE,
                                     .list = "proxies",
                                     .entry = call->parameters[0],
                                     .pointer = ""};

    if (!change_wait_is_possible(call))
        return REST_ANSWERED;
    return begin(call, new_wait(call, call->parameters[0], 204, answer_nothing), &edit);
}

/* ---- import ---- */

struct importing {
    const struct gateway *gateway;
    uint64_t *macs; /* of the proxies that there are; 0: not known */
    struct faults faults;
};

static uint64_t *collect_macs(const struct gateway *g)
{
    size_t count = gateway_proxies_count(g);
    uint64_t *macs = xnew(uint64_t, count + 1);
    struct gateway_proxy proxy;

    for (size_t i = 0; i < count; i++) {
        gateway_get_proxy(g, i, &proxy);
        macs[i] = proxy.has_mac ? proxy.mac : 0;
    }
    return macs;
}

/* What it has in common with one that there is; NULL: nothing. */
static const char *find_likeness(const struct config_proxy *c, uint64_t mac,
                                 const struct proxy_import_candidate *candidate)
{
    if (strcmp(c->name, candidate->name) == 0)
        return "there is a proxy of this name";
    if (candidate->has_mac && mac != 0 && mac == candidate->mac)
        return "it is here already, as";
    if (strcmp(c->host, candidate->host) == 0 && c->port == candidate->port)
        return "at that host and port is";
    return NULL;
}

static bool is_known(void *user, const struct proxy_import_candidate *candidate,
                     char ret_detail[PROXY_IMPORT_DETAIL_SIZE])
{
    const struct importing *importing = user;
    const struct config *config = gateway_config(importing->gateway);

    for (size_t i = 0; i < config->proxies_count; i++) {
        const struct config_proxy *c = &config->proxies[i];
        const char *likeness = find_likeness(c, importing->macs[i], candidate);

        if (!likeness)
            continue;
        (void) snprintf(ret_detail, PROXY_IMPORT_DETAIL_SIZE, "%s: %.64s", likeness, c->name);
        return true;
    }
    return false;
}

static void on_fault(void *user, const char *pointer, const char *detail)
{
    struct importing *importing = user;

    faults_add(&importing->faults, pointer, "%s", detail);
}

static int begin_import(struct call *call, struct wait *wait)
{
    const struct config_edit edit = {.kind = CONFIG_EDIT_ADD,
                                     .list = "proxies",
                                     .patch = wait->import.patch,
                                     .patch_size = wait->import.patch_size,
                                     .pointer = "/proxies"};

    if (wait->import.patch && !wait->import.is_dry_run)
        return begin(call, wait, &edit);
    return change_wait_begin(&wait->change, call, GATEWAY_DONE);
}

int handlers_import_proxies(struct call *call)
{
    struct importing importing = {.gateway = call->gateway};
    struct wait *wait;
    int rc;

    if (!change_wait_is_possible(call))
        return REST_ANSWERED;
    wait = new_wait(call, NULL, 200, answer_import);
    importing.macs = collect_macs(call->gateway);
    rc = proxy_import_read(call->request->body, call->request->body_size, is_known, on_fault,
                           &importing, &wait->import);
    free(importing.macs);
    if (rc == 0)
        return begin_import(call, wait);
    faults_answer(&importing.faults, &call->request->answer);
    faults_done(&importing.faults);
    free_wait(wait);
    return REST_ANSWERED;
}
