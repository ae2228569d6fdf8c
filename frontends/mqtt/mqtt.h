/* The gateway as topics of an MQTT broker: bridge/…, a state and an availability per device,
 * requests and their answers.
 *
 * It connects by itself, whenever the broker is there. What it keeps while the broker is away is a
 * mark per device and a bounded line of events. Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rest/rest.h"
#include "json/event_json.h"
#include "json/info_json.h"

struct uv_loop_s;
struct mqtt;

/* The texts of bridge/info that others know, as JSON, to be freed by us; a NULL function, or a NULL
 * text, gives null. Secrets in them are "***" already. */
struct mqtt_texts {
    char *(*config)(void *user);
    char *(*schema)(void *user);
    void *user;
};

/* client_id: of the configuration, else the one that the store keeps for us. texts may be NULL; all
 * that is borrowed must outlive it. 0, or a negative errno when there is no thread to be had. */
int mqtt_new(struct uv_loop_s *loop, struct gateway *g, struct rest *rest, const char *client_id,
             const struct mqtt_texts *texts, struct mqtt **ret_mqtt);

/* What /info and /readyz tell (rest asks by itself); valid until the next call. */
void mqtt_get_status(const struct mqtt *m, struct info_json_mqtt *ret_status);

/* A line of the log, for bridge/logging. */
void mqtt_log(struct mqtt *m, const struct event_log_line *line);

/* Answers requests that wait, sends what is in line, says goodbye, in 1.3 s at most; on_closed
 * comes from a later turn of the loop, then mqtt_free(). */
void mqtt_close(struct mqtt *m, void (*on_closed)(void *user), void *user);

/* The same, for good: what is retained below the base topic is cleared before, as far as the broker
 * takes it in 10 s; bridge/state stays, offline. mqtt_close() meanwhile makes it short, and only
 * its on_closed comes. */
void mqtt_retire(struct mqtt *m, void (*on_closed)(void *user), void *user);

void mqtt_free(struct mqtt *m); /* accepts NULL */
