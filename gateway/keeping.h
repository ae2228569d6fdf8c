/* What outlives a run: joins the device table, the GATT cache, the proxies' MACs and what proxies
 * have of devices with the store. For gateway.c, linking.c and gatting.c alone. A NULL keeping
 * keeps nothing and may be asked everything. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;
struct device_change;
struct device_table;
struct gatt_cache;
struct gateway_keeping;
struct keeping;
struct recordings;
struct roster;
struct store;

/* Fills table and cache with what the store kept, blocking: before the loop runs. The store is ours
 * from now on; NULL: returns NULL. Devices that come back are recorded. The roster, which is told
 * the MACs that its proxies are known by, the table and the cache are borrowed and outlive it. */
struct keeping *keeping_new(struct uv_loop_s *loop, struct store *store, struct roster *roster,
                            struct device_table *table, struct gatt_cache *cache,
                            struct recordings *recordings);

/* Writes what there is to write and closes the store; then on_closed, and it is freed. */
void keeping_close(struct keeping *k, void (*on_closed)(void *user), void *user);

/* The table told this. */
void keeping_changed(struct keeping *k, const struct device_change *change);

/* Tells the roster the MAC that the proxy is known by, if it is: the configured one, else the one
 * learned under its name at its host. A proxy that moved to another host is another one. */
void keeping_recall_mac(struct keeping *k, uint16_t source);

/* It is at its host, under its name, and has this MAC. */
void keeping_note_mac(struct keeping *k, uint16_t source, uint64_t mac);
/* No proxy has this name any more. What is kept by MAC stays. */
void keeping_forget_name(struct keeping *k, const char *name);

/* A bond of the device in this proxy. */
bool keeping_is_bonded(const struct keeping *k, uint16_t source, uint64_t address);
void keeping_note_bond(struct keeping *k, uint16_t source, uint64_t address, bool is_bonded);
/* As gatt_cache_callbacks tell. */
void keeping_gatt_changed(struct keeping *k, uint64_t address);
void keeping_pair_changed(struct keeping *k, uint16_t source, uint64_t address, bool is_proved,
                          uint32_t mtu);
/* Whatever any proxy has of it. */
void keeping_forget_pairs(struct keeping *k, uint64_t address);

void keeping_get_status(const struct keeping *k, struct gateway_keeping *ret_status);

/* As store_flush(). Before keeping_close(). */
bool keeping_flush(struct keeping *k, void (*on_flushed)(void *user, int cause), void *user);
/* NULL when nothing is kept. */
const char *keeping_folder(const struct keeping *k);
