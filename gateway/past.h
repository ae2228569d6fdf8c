/* Fills the history from what the device table tells: slots of loudness, changes, and packets of
 * devices that count them. Functions accept NULL, where nothing is kept. Internal to the gateway.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ble_report;
struct device_change;
struct device_slot;
struct device_table;
struct history;
struct past;

/* limit in octets; 0: NULL. The table is borrowed and outlives it. */
struct past *past_new(size_t limit, struct device_table *table);
void past_free(struct past *p);

/* The table told this. */
void past_changed(struct past *p, const struct device_change *change);
void past_slot(struct past *p, uint64_t address, uint16_t source, const struct device_slot *slot);
void past_watched(struct past *p, uint16_t source, const struct ble_report *report);

/* The source is gone, and its number may be another one's. */
void past_source_gone(struct past *p, uint16_t source);

/* To read; NULL: nothing is kept. */
const struct history *past_history(const struct past *p);
