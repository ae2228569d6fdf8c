/* What outlives a run: joins the device table, the proxies' MACs and what proxies have of
 * devices with the store. For gateway.c
 * alone. A NULL keeping keeps nothing and may be asked everything. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;
struct device_change;
struct device_table;
struct gateway;
struct gateway_keeping;
struct keeping;
struct recordings;
struct store;

/* Fills the table with what the store kept, blocking: before the loop runs. The store is ours from
 * now on; NULL: returns NULL. What comes back is recorded. The gateway, whose configuration names
 * the proxies, and the table are borrowed and outlive it. */
struct keeping *keeping_new(struct uv_loop_s *loop, struct store *store, const struct gateway *g,
                            struct device_table *table, struct recordings *recordings);

/* Writes what there is to write and closes the store; then on_closed, and it is freed. */
void keeping_close(struct keeping *k, void (*on_closed)(void *user), void *user);

/* The table told this. */
void keeping_changed(struct keeping *k, const struct device_change *change);

/* The MAC that the proxy at this place of the configuration is known by: the configured one, else
 * the one learned under its name at its host. A proxy that moved to another host is another one. */
bool keeping_get_mac(const struct keeping *k, size_t proxy, uint64_t *ret_mac);

/* It is online and has this MAC. */
void keeping_note_mac(struct keeping *k, size_t proxy, uint64_t mac);

/* What this proxy has of the device. *ret_mtu: of the last link that was opened without cache
 * there; 0: none was. */
void keeping_get_pair(const struct keeping *k, size_t proxy, uint64_t address, uint32_t *ret_mtu,
                      bool *ret_bonded);
void keeping_note_mtu(struct keeping *k, size_t proxy, uint64_t address, uint32_t mtu);
void keeping_note_bond(struct keeping *k, size_t proxy, uint64_t address);
/* Whatever any proxy has of it. */
void keeping_forget_pairs(struct keeping *k, uint64_t address);

void keeping_get_status(const struct keeping *k, struct gateway_keeping *ret_status);
