/* The facade's way to another configuration. A change stands in line with the rewriter; what comes
 * of it becomes the running configuration here, whether somebody still waits for it or not. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "configured.h"
#include "discovering.h"
#include "gatting.h"
#include "keeping.h"
#include "linking.h"
#include "proxy/fleet.h"
#include "recordings.h"
#include "rewriter.h"
#include "roster.h"
#include "scan/device_table.h"
#include "scanning.h"
#include "subscribers.h"
#include "table_settings.h"
#include "view.h"

/* A change under way: what comes of it is ours to apply, whether somebody still asks or not. */
struct gateway_order {
    struct gateway *gateway;
    struct gateway_change *change; /* NULL: cancelled */
    bool is_change;                /* of the running configuration */
    bool is_removal;
    uint64_t address; /* with is_removal */
};

/* A device that loses its settings and was never heard is not known any more. */
static void tell_settings(void *user, const struct config_device *before,
                          const struct config_device *after)
{
    struct gateway *g = user;
    const struct config_device gone = {.address = after ? after->address : before->address};
    struct gateway_device device;
    struct gateway_device_change told = {
            .reasons = GATEWAY_DEVICE_SETTINGS, .time = clock_now(), .device = &device};

    if (gateway_find_device(g, gone.address, &device) != 0) {
        view_configured(&gone, &device);
        device.config = NULL;
        told.reasons = GATEWAY_DEVICE_FORGOTTEN;
    }
    subscribers_tell_device(g, &told);
}

/* For a recorder that was switched on. */
static void record_proxies(struct gateway *g, usec_t now)
{
    struct proxy_status status;

    for (size_t i = 0; i < roster_count(g->roster); i++) {
        uint16_t source = roster_source(g->roster, i);
        const struct proxy *proxy = fleet_get(g->fleet, source);

        if (!proxy) /* it is new, and begins after this */
            continue;
        proxy_get_status(proxy, &status);
        recordings_proxy(g->recordings, source, &status, linking_is_connecting(g->linking, source),
                         now);
    }
}

void gateway_reconfigure(struct gateway *g, struct config *config)
{
    struct config *before = g->config;
    struct configured *configured_before = g->configured;
    struct device_table_settings settings = table_settings_make(config);
    struct fleet_plan *plan = gateway_fleet_plan(g, config);

    g->config = config;
    gateway_fleet_enter(g, plan);
    g->configured = configured_new(config);
    if (recordings_configure(g->recordings, config, g->configured, clock_now()))
        record_proxies(g, clock_now());
    device_table_configure(g->table, &settings);
    scanning_configure(g->scanning, config, clock_now());
    linking_configure(g->linking, config, g->configured, clock_now());
    gatting_configure(g->gatting, config);
    configured_compare(configured_before, g->configured, gateway_apply_device, g);
    gateway_arm_table_timer(g, clock_now());
    configured_compare(configured_before, g->configured, tell_settings, g);
    gateway_fleet_apply(g, plan, before);
    discovering_configure(g->discovering, before, config);
    subscribers_tell_configuration(g);
    configured_free(configured_before);
    config_free(before);
}

/* False: it was never heard. */
static bool forget(struct gateway *g, uint64_t address)
{
    const struct recording_command command = {.what = RECORDING_FORGET, .address = address};

    gatting_forget(g->gatting, address);
    keeping_forget_pairs(g->keeping, address);
    recordings_command(g->recordings, &command, clock_now());
    return device_table_forget(g->table, address);
}

static void on_rewritten(void *user, int cause, struct rewriter_outcome *outcome)
{
    struct gateway_order *order = user;
    struct gateway_change *change = order->change;
    struct config_edited *edited = &outcome->edited;
    struct gateway *g = order->gateway;

    if (edited->etag)
        (void) snprintf(g->etag, sizeof g->etag, "%s", edited->etag);
    if (cause == 0 && order->is_change && edited->is_changed)
        gateway_reconfigure(g, TAKE(edited->config));
    if (cause == 0 && order->is_removal)
        (void) forget(g, order->address);
    free(order);
    if (!change)
        return;
    change->order = NULL;
    change->versions = &outcome->versions;
    change->done(change, cause, edited);
}

static int submit_order(struct gateway *g, const struct rewriter_order *what,
                        const struct gateway_order *order, struct gateway_change *change)
{
    struct gateway_order *copy;
    int rc;

    if (!g->rewriter)
        return -EROFS;
    copy = xnew(struct gateway_order, 1);
    *copy = *order;
    copy->gateway = g;
    copy->change = change;
    rc = rewriter_submit(g->rewriter, what, on_rewritten, copy);
    if (rc < 0)
        free(copy);
    else
        change->order = copy;
    return rc;
}

static int submit(struct gateway *g, const struct config_edit *edit, struct gateway_order order,
                  struct gateway_change *change)
{
    const struct rewriter_order what = {.task = REWRITER_CHANGE, .edit = *edit};

    order.is_change = true;
    return submit_order(g, &what, &order, change);
}

/* The file is asked, and nothing changes. */
static int ask(struct gateway *g, const struct rewriter_order *what, struct gateway_change *change)
{
    return submit_order(g, what, &(struct gateway_order){0}, change);
}

int gateway_change_device(struct gateway *g, uint64_t address, const char *patch, size_t size,
                          const char *pointer, struct gateway_change *change)
{
    char name[BLE_ADDRESS_TEXT_SIZE];
    const struct config_edit edit = {.list = "devices",
                                     .entry = name,
                                     .patch = patch,
                                     .patch_size = size,
                                     .pointer = pointer};

    ble_address_format(name, address);
    return submit(g, &edit, (struct gateway_order){0}, change);
}

int gateway_remove_device(struct gateway *g, uint64_t address, struct gateway_change *change)
{
    char name[BLE_ADDRESS_TEXT_SIZE];
    const struct config_edit edit = {
            .kind = CONFIG_EDIT_REMOVE, .list = "devices", .entry = name, .pointer = ""};
    const struct gateway_order order = {.is_removal = true, .address = address};

    ble_address_format(name, address);
    if (configured_find(g->configured, address))
        return submit(g, &edit, order, change);
    return forget(g, address) ? GATEWAY_DONE : E_DEVICE_NOT_FOUND;
}

int gateway_set_scan_mode(struct gateway *g, size_t proxy_index, const char *mode,
                          struct gateway_change *change)
{
    char patch[64];
    int size = snprintf(patch, sizeof patch, "{\"scan_mode\":\"%s\"}", mode);
    const struct config_edit edit = {.kind = CONFIG_EDIT_CHANGE,
                                     .list = "proxies",
                                     .entry = g->config->proxies[proxy_index].name,
                                     .patch = patch,
                                     .patch_size = (size_t) size,
                                     .pointer = ""};

    assert(size > 0 && (size_t) size < sizeof patch);
    return submit(g, &edit, (struct gateway_order){0}, change);
}

int gateway_change_config(struct gateway *g, const struct config_edit *edit,
                          struct gateway_change *change)
{
    return submit(g, edit, (struct gateway_order){0}, change);
}

int gateway_restore_config(struct gateway *g, int version, const char *if_match,
                           struct gateway_change *change)
{
    const struct rewriter_order what = {
            .task = REWRITER_RESTORE, .version = version, .edit.if_match = if_match};

    return submit_order(g, &what, &(struct gateway_order){.is_change = true}, change);
}

int gateway_reload_config(struct gateway *g, struct gateway_change *change)
{
    const struct rewriter_order what = {.task = REWRITER_RELOAD};

    return submit_order(g, &what, &(struct gateway_order){.is_change = true}, change);
}

int gateway_check_config(struct gateway *g, struct gateway_change *change)
{
    return ask(g, &(struct rewriter_order){.task = REWRITER_CHECK}, change);
}

int gateway_list_config_versions(struct gateway *g, struct gateway_change *change)
{
    return ask(g, &(struct rewriter_order){.task = REWRITER_VERSIONS}, change);
}

int gateway_read_config_version(struct gateway *g, int version, struct gateway_change *change)
{
    return ask(g, &(struct rewriter_order){.task = REWRITER_READ, .version = version}, change);
}

const char *gateway_config_etag(const struct gateway *g)
{
    return g->etag;
}

void gateway_get_restart_required(const struct gateway *g, struct config_texts *ret_pointers)
{
    *ret_pointers = (struct config_texts){0};
    config_compare_fixed(&g->fixed, g->config, ret_pointers);
}

void gateway_change_cancel(struct gateway_change *change)
{
    change->order->change = NULL;
    change->order = NULL;
}
