/* Requests over MQTT: a verb and its fields become a request of rest, and its answer a message.
 *
 * Each accepted request is answered exactly once; how many may be under way is bounded. Whatever
 * comes in is judged here and in rest, and mqtt.role bounds it. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "mqtt/broker.h"
#include "mqtt/outbox.h"
#include "rest/rest.h"

#define VERBS_UNDER_WAY_MAX 64
#define VERBS_ANSWER_MAX    ((size_t) 1 << 20) /* octets of an answer's body */

struct verb {
    const char *name;
    const char *method; /* NULL: the request names them (http) */
    const char *path;   /* with {parameters} */
};

/* All rows, whether their part is there or not. */
const struct verb *verbs_table(size_t *ret_count);

/* False for what no role may do over MQTT: tokens, sessions, backup, restore, changing the whole
 * configuration, streams. The target is percent-encoded, with or without query. */
bool verbs_may_reach(const char *method, const char *target);

/* True when the value is of a subscription that a lease made over MQTT holds. */
bool verbs_is_subscribed(const struct gateway *g, const struct gateway_gatt_value *value);

struct verbs;

/* answer takes the message over; it is called from inside verbs_request() too. What is borrowed
 * must outlive it. */
typedef void verbs_answer_fn(void *user, struct outbox_message *answer);
struct verbs *verbs_new(struct rest *rest, const char *base_topic, enum rest_role role,
                        verbs_answer_fn *answer, void *user);

/* Answers what is under way with shutting_down. */
void verbs_stop(struct verbs *v);
void verbs_free(struct verbs *v); /* stops first; accepts NULL */

/* False when the message is no request: another topic, or one that the broker had stored (it was
 * meant for another time). */
bool verbs_request(struct verbs *v, const struct broker_message *message);

size_t verbs_under_way(const struct verbs *v);
