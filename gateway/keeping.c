#include "keeping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "ble/address.h"
#include "config/config.h"
#include "gateway/gateway.h"
#include "keeper/keeper.h"
#include "recordings.h"
#include "scan/device_table.h"
#include "store/store.h"

#define KEY_SIZE 128

struct keeping {
    struct store *store;
    struct keeper *keeper;
    const struct gateway *gateway;
    const struct device_table *table;
    uv_timer_t sweep;
    uint64_t *macs; /* by place in the configuration; 0: not known */
    void (*on_closed)(void *user);
    void *user;
};

/* Where a proxy was when its MAC was learned. */
static void host_key(const struct config_proxy *c, char ret_key[KEY_SIZE])
{
    (void) snprintf(ret_key, KEY_SIZE, "proxy.%s.host", c->name);
}

static uint64_t known_mac(const struct keeping *k, const struct config_proxy *c)
{
    const char *host;
    char key[KEY_SIZE];
    uint64_t mac;

    if (c->has_mac)
        return c->mac;
    host_key(c, key);
    host = store_get_text(k->store, key);
    if (!host || strcmp(host, c->host) != 0 || !store_get_proxy(k->store, c->name, &mac))
        return 0;
    return mac;
}

static uint64_t mac_of(void *user, uint16_t source)
{
    const struct keeping *k = user;

    return source < gateway_proxies_count(k->gateway) ? k->macs[source] : 0;
}

static uint16_t source_of(void *user, uint64_t mac)
{
    const struct keeping *k = user;

    for (size_t i = 0; i < gateway_proxies_count(k->gateway); i++) {
        if (k->macs[i] == mac && mac != 0)
            return (uint16_t) i;
    }
    return SOURCE_NONE;
}

static void on_restored(void *user, const struct device_restored *device, usec_t now)
{
    recordings_restored(user, device, now);
}

/* A file that cannot be read to its end costs what stands behind. */
static void restore(struct keeping *k, const struct device_table *table,
                    struct recordings *recordings)
{
    int rc = keeper_restore(k->keeper, on_restored, recordings);

    if (rc < 0)
        log_warning("store.restore_failed", "cause=%s, going on with %zu devices", error_token(rc),
                    device_table_count(table));
    else
        log_info("store.restored", "devices=%zu", device_table_count(table));
}

static void on_sweep(uv_timer_t *timer)
{
    const struct keeping *k = timer->data;

    keeper_sweep(k->keeper);
}

struct keeping *keeping_new(struct uv_loop_s *loop, struct store *store, const struct gateway *g,
                            struct device_table *table, struct recordings *recordings)
{
    const struct config *config = gateway_config(g);
    struct keeping *k;

    if (!store)
        return NULL;
    k = xnew(struct keeping, 1);
    k->store = store;
    k->gateway = g;
    k->table = table;
    k->macs = xnew(uint64_t, config->proxies_count);
    for (size_t i = 0; i < config->proxies_count; i++)
        k->macs[i] = known_mac(k, &config->proxies[i]);
    k->keeper = keeper_new(table, store, &(struct keeper_proxies){mac_of, source_of, k});
    restore(k, table, recordings);
    (void) uv_timer_init(loop, &k->sweep); /* cannot fail, nor can the start */
    k->sweep.data = k;
    (void) uv_timer_start(&k->sweep, on_sweep, KEEPER_SWEEP_MS, KEEPER_SWEEP_MS);
    return k;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct keeping *k = handle->data;

    k->on_closed(k->user);
    free(k->macs);
    free(k);
}

static void on_store_closed(void *user)
{
    struct keeping *k = user;

    keeper_free(k->keeper);
    uv_close((uv_handle_t *) &k->sweep, on_timer_closed);
}

void keeping_close(struct keeping *k, void (*on_closed)(void *user), void *user)
{
    k->on_closed = on_closed;
    k->user = user;
    (void) uv_timer_stop(&k->sweep);
    keeper_sweep(k->keeper);
    store_close(k->store, on_store_closed, k);
}

void keeping_changed(struct keeping *k, const struct device_change *change)
{
    if (k)
        keeper_changed(k->keeper, change);
}

bool keeping_get_mac(const struct keeping *k, size_t proxy, uint64_t *ret_mac)
{
    if (!k || k->macs[proxy] == 0)
        return false;
    *ret_mac = k->macs[proxy];
    return true;
}

void keeping_note_mac(struct keeping *k, size_t proxy, uint64_t mac)
{
    const struct config_proxy *c;
    char key[KEY_SIZE];

    if (!k)
        return;
    c = &gateway_config(k->gateway)->proxies[proxy];
    k->macs[proxy] = mac;
    host_key(c, key);
    store_put_text(k->store, key, c->host);
    store_put_proxy(k->store, c->name, mac);
}

/* A proxy whose MAC is not known has nothing. */
static struct store_pair pair_of(const struct keeping *k, size_t proxy, uint64_t address)
{
    struct store_pair pair = {.device = address};

    if (k && k->macs[proxy] != 0)
        (void) store_get_pair(k->store, address, k->macs[proxy], &pair);
    return pair;
}

/* An address that changes means nothing to a later run. */
static void put_pair(struct keeping *k, const struct store_pair *pair)
{
    const struct device *row = device_table_find(k->table, pair->device);
    struct device_facts facts = {0};

    if (row)
        device_get_facts(k->table, row, &facts);
    if (pair->proxy != 0)
        store_put_pair(k->store, pair,
                       !row || !ble_address_is_private(facts.address, facts.address_type));
}

void keeping_get_pair(const struct keeping *k, size_t proxy, uint64_t address, uint32_t *ret_mtu,
                      bool *ret_bonded)
{
    struct store_pair pair = pair_of(k, proxy, address);

    *ret_mtu = pair.mtu;
    *ret_bonded = pair.is_bonded;
}

void keeping_note_mtu(struct keeping *k, size_t proxy, uint64_t address, uint32_t mtu)
{
    struct store_pair pair = pair_of(k, proxy, address);

    pair.mtu = mtu;
    if (k)
        put_pair(k, &pair);
}

void keeping_note_bond(struct keeping *k, size_t proxy, uint64_t address)
{
    struct store_pair pair = pair_of(k, proxy, address);

    pair.is_bonded = true;
    if (k)
        put_pair(k, &pair);
}

void keeping_forget_pairs(struct keeping *k, uint64_t address)
{
    if (k)
        store_drop_pairs(k->store, address);
}

void keeping_get_status(const struct keeping *k, struct gateway_keeping *ret_status)
{
    struct store_status status;

    *ret_status = (struct gateway_keeping){0};
    if (!k)
        return;
    store_get_status(k->store, &status);
    *ret_status = (struct gateway_keeping){
            .is_kept = true,
            .is_failing = status.is_failing,
            .error = status.error,
            .devices = status.devices,
            .bytes = status.bytes,
            .waiting = status.waiting,
    };
}
