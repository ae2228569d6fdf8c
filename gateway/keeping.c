/* The story: the store hands back what it kept, first devices, then GATT databases, which need to
 * know whose address is private. From then on whatever changes is marked, and the store asks for it
 * when it writes.
 *
 * Failure modes: a database that is damaged, or has no room in the cache, goes from the file, and
 * with it what was proved of it through proxies; bonds stay, since they are the proxies'. A proxy
 * whose MAC is not known has nothing. */
#include "keeping.h"

#include <assert.h>
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
#include "gatt/gatt_cache.h"
#include "keeper/keeper.h"
#include "link/links.h"
#include "recordings.h"
#include "roster.h"
#include "scan/device_table.h"
#include "store/store.h"

#define KEY_SIZE 128

static_assert(STORE_GATT_HASH_SIZE == GATT_HASH_SIZE, "the store keeps the cache's hashes");

struct keeping {
    struct store *store;
    struct keeper *keeper;
    struct roster *roster;
    const struct device_table *table;
    struct gatt_cache *cache;
    uv_timer_t sweep;
    void (*on_closed)(void *user);
    void *user;
};

/* Where a proxy was when its MAC was learned. */
static void host_key(const char *name, char ret_key[KEY_SIZE])
{
    (void) snprintf(ret_key, KEY_SIZE, "proxy.%s.host", name);
}

static uint64_t known_mac(const struct keeping *k, const struct config_proxy *c)
{
    const char *host;
    char key[KEY_SIZE];
    uint64_t mac;

    if (c->has_mac)
        return c->mac;
    host_key(c->name, key);
    host = store_get_text(k->store, key);
    if (!host || strcmp(host, c->host) != 0 || !store_get_proxy(k->store, c->name, &mac))
        return 0;
    return mac;
}

void keeping_recall_mac(struct keeping *k, uint16_t source)
{
    uint64_t mac = k ? known_mac(k, roster_get(k->roster, source)) : 0;

    if (mac != 0)
        roster_set_mac(k->roster, source, mac);
}

static uint64_t mac_of(void *user, uint16_t source)
{
    const struct keeping *k = user;

    return roster_mac(k->roster, source);
}

static uint16_t source_of(void *user, uint64_t mac)
{
    const struct keeping *k = user;

    for (size_t i = 0; i < roster_count(k->roster); i++) {
        uint16_t source = roster_source(k->roster, i);

        if (mac != 0 && roster_mac(k->roster, source) == mac)
            return source;
    }
    return SOURCE_NONE;
}

/* ---- devices through proxies ---- */

/* A proxy whose MAC is not known has nothing. */
static struct store_pair pair_of(const struct keeping *k, uint16_t source, uint64_t address)
{
    struct store_pair pair = {.device = address};

    uint64_t mac = k ? roster_mac(k->roster, source) : 0;

    if (mac != 0)
        (void) store_get_pair(k->store, address, mac, &pair);
    return pair;
}

static uint8_t address_type_of(const struct keeping *k, uint64_t address)
{
    const struct device *row = device_table_find(k->table, address);
    struct device_facts facts = {.address_type = BLE_ADDRESS_PUBLIC};

    if (row)
        device_get_facts(k->table, row, &facts);
    return facts.address_type;
}

/* An address that changes means nothing to a later run. */
static void put_pair(struct keeping *k, const struct store_pair *pair)
{
    if (pair->proxy != 0)
        store_put_pair(k->store, pair,
                       !ble_address_is_private(pair->device, address_type_of(k, pair->device)));
}

/* To the store a proof without an MTU is none. */
static void note_pair(struct keeping *k, uint16_t source, uint64_t address, bool is_proved,
                      uint32_t mtu)
{
    struct store_pair pair = pair_of(k, source, address);

    pair.mtu = !is_proved ? 0 : mtu > 0 ? mtu : LINK_DEFAULT_MTU;
    put_pair(k, &pair);
}

/* ---- GATT databases ---- */

static bool read_gatt(void *user, uint64_t address, struct store_gatt *ret_gatt)
{
    const struct keeping *k = user;
    struct gatt_known known;

    if (!gatt_cache_get(k->cache, address, &known))
        return false;
    *ret_gatt = (struct store_gatt){
            .address = address,
            .address_type = address_type_of(k, address),
            .tree = known.tree,
            .has_hash = known.has_hash,
            .updated = known.updated,
    };
    memcpy(ret_gatt->hash, known.hash, sizeof ret_gatt->hash);
    return true;
}

static void on_gatt_loaded(void *user, const struct store_gatt *gatt)
{
    struct keeping *k = user;
    bool is_back =
            gatt->tree && gatt_cache_restore(k->cache, gatt->address, gatt->tree,
                                             gatt->has_hash ? gatt->hash : NULL, gatt->updated);

    if (!is_back)
        store_touch_gatt(k->store, gatt->address);
    for (size_t i = 0; i < roster_count(k->roster); i++) {
        uint16_t source = roster_source(k->roster, i);
        struct store_pair pair = pair_of(k, source, gatt->address);

        if (pair.mtu == 0)
            continue;
        if (!is_back || !gatt_cache_restore_pair(k->cache, gatt->address, source, pair.mtu))
            note_pair(k, source, gatt->address, /* is_proved= */ false, 0);
    }
}

static void restore_gatt(struct keeping *k)
{
    struct gatt_cache_statistics statistics;
    int rc;

    store_read_gatt_from(k->store, read_gatt, k);
    rc = store_load_gatt(k->store, on_gatt_loaded, k);
    gatt_cache_get_statistics(k->cache, &statistics);
    if (rc < 0)
        log_warning("store.restore_failed", "cause=%s, going on with %zu GATT databases",
                    error_token(rc), statistics.entries);
    else
        log_info("store.gatt_restored", "databases=%zu", statistics.entries);
}

/* ---- life ---- */

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

struct keeping *keeping_new(struct uv_loop_s *loop, struct store *store, struct roster *roster,
                            struct device_table *table, struct gatt_cache *cache,
                            struct recordings *recordings)
{
    struct keeping *k;

    if (!store)
        return NULL;
    k = xnew(struct keeping, 1);
    k->store = store;
    k->roster = roster;
    k->table = table;
    k->cache = cache;
    for (size_t i = 0; i < roster_count(roster); i++)
        keeping_recall_mac(k, roster_source(roster, i));
    k->keeper = keeper_new(table, store, &(struct keeper_proxies){mac_of, source_of, k});
    restore(k, table, recordings);
    restore_gatt(k);
    (void) uv_timer_init(loop, &k->sweep); /* cannot fail, nor can the start */
    k->sweep.data = k;
    (void) uv_timer_start(&k->sweep, on_sweep, KEEPER_SWEEP_MS, KEEPER_SWEEP_MS);
    return k;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct keeping *k = handle->data;

    k->on_closed(k->user);
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

void keeping_note_mac(struct keeping *k, uint16_t source, uint64_t mac)
{
    const struct config_proxy *c;
    char key[KEY_SIZE];

    if (!k)
        return;
    c = roster_get(k->roster, source);
    host_key(c->name, key);
    store_put_text(k->store, key, c->host);
    store_put_proxy(k->store, c->name, mac);
}

void keeping_forget_name(struct keeping *k, const char *name)
{
    char key[KEY_SIZE];

    if (!k)
        return;
    host_key(name, key);
    store_put_text(k->store, key, NULL);
    store_put_proxy(k->store, name, 0);
}

bool keeping_is_bonded(const struct keeping *k, uint16_t source, uint64_t address)
{
    return pair_of(k, source, address).is_bonded;
}

void keeping_note_bond(struct keeping *k, uint16_t source, uint64_t address, bool is_bonded)
{
    struct store_pair pair = pair_of(k, source, address);

    pair.is_bonded = is_bonded;
    if (k)
        put_pair(k, &pair);
}

void keeping_gatt_changed(struct keeping *k, uint64_t address)
{
    if (k)
        store_touch_gatt(k->store, address);
}

void keeping_pair_changed(struct keeping *k, uint16_t source, uint64_t address, bool is_proved,
                          uint32_t mtu)
{
    if (k)
        note_pair(k, source, address, is_proved, mtu);
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

bool keeping_flush(struct keeping *k, void (*on_flushed)(void *user, int cause), void *user)
{
    keeper_sweep(k->keeper); /* what was merely heard again, too */
    return store_flush(k->store, on_flushed, user);
}

const char *keeping_folder(const struct keeping *k)
{
    return k ? store_folder(k->store) : NULL;
}
