/* GATT of a fake gateway: what is known of databases is set by hand, requests wait until a test
 * answers them, values are told when a test says so. */
#pragma once

#include "gateway/gateway.h"

#define FAKE_GATTS_MAX         8  /* devices of which a database is known */
#define FAKE_SUBSCRIPTIONS_MAX 16 /* of all devices */
#define FAKE_HOLDERS_MAX       4
#define FAKE_READERS_MAX       16

/* The database of this device is known since now; with a hash of 16 octets unless it is NULL. The
 * tree goes over. */
void fake_gatts_know(struct gateway *g, uint64_t address, struct gatt_tree *tree,
                     const uint8_t *hash);

/* What waits, the oldest first; NULL: no such. Its texts and octets are copies. */
const struct gateway_gatt_wish *fake_gatts_request(const struct gateway *g, size_t index);
/* The oldest ends like this. */
void fake_gatts_answer(struct gateway *g, const struct gateway_gatt_answer *answer);
/* What the next requests are refused with; 0: not. */
void fake_gatts_refuse(struct gateway *g, int cause);
size_t fake_gatts_cancelled(const struct gateway *g);

/* The lease holds the subscription of this characteristic, from now on if it is a new one. */
void fake_gatts_hold(struct gateway *g, uint64_t address, const struct gatt_entry *characteristic,
                     const char *type, const char *lease);
/* The lease ends, and all that it holds; tells of it. */
void fake_gatts_end_lease(struct gateway *g, uint64_t address, const char *lease);

/* A value of a subscription arrives through this proxy: told to subscribers, then to readers. */
void fake_gatts_value(struct gateway *g, uint64_t address, uint16_t handle, const char *octets,
                      const char *proxy);
size_t fake_gatts_readers(const struct gateway *g);

/* Figures, to be changed at will. */
struct gateway_gatt_statistics *fake_gatts_statistics(struct gateway *g);
