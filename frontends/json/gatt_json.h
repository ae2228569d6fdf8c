/* GATT as JSON: what a device has, what was read and written, and who is subscribed to what. Pure.
 */
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"

/* Schema GattTree, with what the link of now lets one write. service NULL: all of them, else those
 * of this UUID. */
void gatt_json_write_tree(struct writer *w, const char *key, const struct gateway *g,
                          uint64_t address, const struct gateway_gatt *gatt, bool is_discovered,
                          const struct ble_uuid *service);

/* Schema GattSummary; null while nothing is known. */
void gatt_json_write_summary(struct writer *w, const char *key, const struct gateway *g,
                             uint64_t address);

/* Schema GattValue of a value that was read just now, of a characteristic or a descriptor. */
void gatt_json_write_read(struct writer *w, const char *key, const struct gateway *g,
                          uint64_t address, const struct gateway_gatt_answer *answer);
/* The same of a notification; lost: how many its reader lost before it. */
void gatt_json_write_notified(struct writer *w, const char *key, const struct gateway *g,
                              const struct gateway_gatt_value *value, uint64_t lost);

/* Schema WriteResult. */
void gatt_json_write_written(struct writer *w, const char *key, uint64_t address,
                             const struct gateway_gatt_answer *answer, usec_t duration);

/* Schema Subscription of each that is on. */
void gatt_json_write_subscriptions(struct writer *w, const char *key, const struct gateway *g,
                                   uint64_t address);
/* Schema SubscriptionGranted. False: there is none of the answer's handle, nothing was written. */
bool gatt_json_write_granted(struct writer *w, const char *key, const struct gateway *g,
                             uint64_t address, const struct gateway_gatt_answer *answer);

/* Schema BondResult of a proxy, after an attempt to pair or to unpair. */
void gatt_json_write_bond(struct writer *w, const char *key, uint64_t address, const char *proxy,
                          bool is_bonded, const struct gateway_gatt_answer *answer);

/* Schema CacheCleared. */
void gatt_json_write_cleared(struct writer *w, const char *key, uint64_t address,
                             const struct gateway_gatt_answer *answer);

/* Schema ConnectionParameters. */
void gatt_json_write_parameters(struct writer *w, const char *key,
                                const struct gateway_connection_parameters *parameters);

/* Names of the properties, as an array. */
void gatt_json_write_properties(struct writer *w, const char *key, uint16_t properties);
