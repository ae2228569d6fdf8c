/* The notifications that wait for whoever asks for them one after the other: a queue for each lease
 * and subscription, from the moment that it is granted until one of both ends. How many there may
 * be, and how long each is, the gateway bounds. Thread: the loop's. */
#pragma once

#include "gateway/gateway.h"

struct value_queues;

struct value_queues *value_queues_new(struct gateway *g);
void value_queues_free(struct value_queues *q); /* accepts NULL */

/* The lease holds the subscription of this handle. reader: one of that handle that was opened
 * before, so that nothing is missed, and that goes over; NULL: one is opened. Nothing happens where
 * a queue is already. E_OVERLOADED: there are too many; then there is no queue. */
int value_queues_keep(struct value_queues *q, uint64_t address, uint16_t handle, const char *lease,
                      struct gateway_gatt_reader *reader);

/* NULL: there is none. Valid until the loop goes on. */
struct gateway_gatt_reader *value_queues_find(const struct value_queues *q, uint64_t address,
                                              uint16_t handle, const char *lease);

/* The subscription is over for this lease (NULL: for everybody). */
void value_queues_drop(struct value_queues *q, uint64_t address, uint16_t handle,
                       const char *lease);
