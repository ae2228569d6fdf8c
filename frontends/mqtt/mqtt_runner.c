/* The story: whenever a configuration comes, what it says of MQTT is held against what the frontend
 * runs with. If that differs, the frontend ends; when it is gone, the next one begins with whatever
 * the configuration says by then. Two never run at a time, since they would have the same client
 * id.
 *
 * Failure modes: no thread for the new one is told in the log, and tried again at the next
 * configuration. */
#include "mqtt_runner.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"

struct mqtt_runner {
    struct uv_loop_s *loop;
    struct gateway *gateway;
    struct rest *rest;
    char *client_id;
    struct mqtt_texts texts;
    struct gateway_subscription *subscription;
    struct mqtt *mqtt;    /* NULL: disabled, or between two */
    struct mqtt *leaving; /* it ends; NULL: none does */
    char *settings;       /* that it runs with; holds secrets */
    char *base;           /* the same: of its topics */
    bool is_closing;
    void (*on_closed)(void *user);
    void *closed_user;
};

static void forget_settings(struct mqtt_runner *r)
{
    if (r->settings)
        explicit_bzero(r->settings, strlen(r->settings));
    free(TAKE(r->settings));
    free(TAKE(r->base));
}

/* All that only a new one would heed, as a text; NULL: there is to be none. */
static char *wanted_settings(const struct config *config)
{
    struct config fixed = *config;
    char *section, nothing[] = "";
    struct buffer b = {0};

    if (!config->mqtt_enabled)
        return NULL;
    fixed.mqtt_devices = fixed.mqtt_topic_names = nothing; /* heeded while it runs */
    section = config_dump_section(&fixed, "mqtt", /* with_secrets= */ true);
    buffer_append_format(&b, "%s %lld", section, (long long) config->limits_body_bytes);
    explicit_bzero(section, strlen(section));
    free(section);
    return buffer_take_text(&b);
}

static int begin(struct mqtt_runner *r, char *settings)
{
    const struct config *config = gateway_config(r->gateway);
    const char *id = config->mqtt_client_id ? config->mqtt_client_id : r->client_id;
    int rc = mqtt_new(r->loop, r->gateway, r->rest, id, &r->texts, &r->mqtt);

    r->settings = settings;
    r->base = memory_copy_text(config->mqtt_base_topic);
    if (rc < 0)
        forget_settings(r);
    return rc;
}

static void on_left(void *user);

static void leave(struct mqtt_runner *r, const struct config *config)
{
    bool is_moved = config->mqtt_enabled && strcmp(config->mqtt_base_topic, r->base) != 0;

    r->leaving = TAKE(r->mqtt);
    forget_settings(r);
    if (is_moved)
        mqtt_retire(r->leaving, on_left, r);
    else
        mqtt_close(r->leaving, on_left, r);
}

/* Does the next step towards what the configuration wants. */
static int review(struct mqtt_runner *r)
{
    const struct config *config = gateway_config(r->gateway);
    char *wanted;
    bool is_same;

    if (r->leaving || r->is_closing)
        return 0;
    wanted = wanted_settings(config);
    is_same = wanted && r->settings ? strcmp(wanted, r->settings) == 0 : !wanted && !r->mqtt;
    if (!is_same && !r->mqtt)
        return begin(r, wanted);
    if (!is_same)
        leave(r, config);
    if (wanted)
        explicit_bzero(wanted, strlen(wanted));
    free(wanted);
    return 0;
}

static void review_and_tell(struct mqtt_runner *r)
{
    int rc = review(r);

    if (rc < 0)
        log_error("mqtt.start_failed",
                  "error=\"%s\" MQTT stays off until the configuration changes",
                  error_sentence(rc));
}

static void on_left(void *user)
{
    struct mqtt_runner *r = user;

    mqtt_free(TAKE(r->leaving));
    if (r->is_closing)
        r->on_closed(r->closed_user);
    else
        review_and_tell(r);
}

static void on_configuration(void *user)
{
    review_and_tell(user);
}

int mqtt_runner_new(struct uv_loop_s *loop, struct gateway *g, struct rest *rest,
                    const char *client_id, const struct mqtt_texts *texts,
                    struct mqtt_runner **ret_runner)
{
    struct mqtt_runner *r = xnew(struct mqtt_runner, 1);
    const struct gateway_subscriber subscriber = {.on_configuration = on_configuration, .user = r};
    int rc;

    r->loop = loop;
    r->gateway = g;
    r->rest = rest;
    r->client_id = memory_copy_text(client_id);
    if (texts)
        r->texts = *texts;
    rc = review(r);
    if (rc < 0) {
        mqtt_runner_free(r);
        return rc;
    }
    r->subscription = gateway_subscribe(g, &subscriber);
    *ret_runner = r;
    return 0;
}

void mqtt_runner_log(struct mqtt_runner *r, const struct event_log_line *line)
{
    if (r->mqtt)
        mqtt_log(r->mqtt, line);
}

void mqtt_runner_close(struct mqtt_runner *r, void (*on_closed)(void *user), void *user)
{
    r->is_closing = true;
    r->on_closed = on_closed;
    r->closed_user = user;
    gateway_unsubscribe(TAKE(r->subscription));
    if (r->mqtt)
        r->leaving = TAKE(r->mqtt);
    if (r->leaving)
        mqtt_close(r->leaving, on_left, r);
    else
        on_closed(user);
}

void mqtt_runner_free(struct mqtt_runner *r)
{
    if (!r)
        return;
    forget_settings(r);
    free(r->client_id);
    free(r);
}
