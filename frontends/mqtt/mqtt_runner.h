/* Keeps the MQTT frontend as the configuration wants it: off, or on with these settings.
 *
 * Another configuration ends the one that runs and begins a new one, unless the settings in which
 * they differ are heeded while it runs (mqtt.devices, mqtt.topic_names). A base topic that is left
 * is cleared. Thread: the loop's. */
#pragma once

#include "mqtt/mqtt.h"

struct mqtt_runner;

/* client_id: for when the configuration names none. texts as in mqtt.h. Begins at once, if it is
 * enabled: 0, or a negative errno when there is no thread to be had. */
int mqtt_runner_new(struct uv_loop_s *loop, struct gateway *g, struct rest *rest,
                    const char *client_id, const struct mqtt_texts *texts,
                    struct mqtt_runner **ret_runner);

/* A line of the log, for bridge/logging. */
void mqtt_runner_log(struct mqtt_runner *r, const struct event_log_line *line);

/* As mqtt_close(); on_closed comes from inside when there is nothing to wait for. */
void mqtt_runner_close(struct mqtt_runner *r, void (*on_closed)(void *user), void *user);
void mqtt_runner_free(struct mqtt_runner *r); /* accepts NULL */
