/* The MQTT frontend against a real mosquitto on a private port, over a gateway whose time moves
 * with the turns of the loop. The broker is stopped, killed and started at will. */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "fake_gatts.h"
#include "fake_links.h"
#include "mqtt/mqtt.h"

#define PATIENCE  (20 * USEC_PER_SEC) /* until a test gives up; nothing waits for it to pass */
#define TICK_MS   5                   /* of the loop while nothing happens */
#define ADDRESS   0xa4c13812ab56
#define NAME      "A4C13812AB56"
#define SEEN_MAX  4096
#define TOPIC_MAX 128

/* Packets in one turn: a slow reader would lose messages in the broker. */
#define WATCHED_MAX 100

struct seen { /* a topic as the watcher knows it */
    char topic[TOPIC_MAX];
    char *payload; /* the newest; ours */
    bool is_retained;
    unsigned count;
};

struct fixture {
    uv_loop_t loop;
    uv_timer_t tick;
    char folder[32];
    uint16_t port;
    pid_t broker; /* 0: not running */
    bool has_tls;
    struct config *config;
    unsigned keepalive_s; /* 0: 5 */
    struct gateway *gateway;
    struct rest *rest;
    struct mqtt *mqtt; /* NULL: not started */
    bool is_closed;
    struct mosquitto *watcher; /* NULL: none */
    bool is_watching;
    char correlation[16]; /* of the last message that had one */
    struct seen seen[SEEN_MAX];
    size_t seen_count;
};

static const uint8_t packet[] = {2, 1, 6, 5, 9, 'l', 'a', 'm', 'p'};

/* ---- the broker ---- */

static uint16_t find_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static char *in_folder(const struct fixture *f, const char *name)
{
    char *path;

    assert_true(asprintf(&path, "%s/%s", f->folder, name) > 0);
    return path;
}

static void write_broker_config(const struct fixture *f)
{
    char *path AUTO_FREE = in_folder(f, "mosquitto.conf");
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    /* As itself, since a change of user would outlive PR_SET_PDEATHSIG. */
    fprintf(file,
            "user %s\nlistener %u 127.0.0.1\nallow_anonymous true\npersistence false\n"
            "log_type none\n",
            getuid() == 0 ? "root" : "nobody", f->port);
    if (f->has_tls)
        fprintf(file,
                "cafile %s/ca.pem\ncertfile %s/server.pem\nkeyfile %s/server.key\n"
                "require_certificate true\n",
                f->folder, f->folder, f->folder);
    fclose(file);
}

static void start_broker(struct fixture *f)
{
    char *path AUTO_FREE = in_folder(f, "mosquitto.conf");

    write_broker_config(f);
    f->broker = fork();
    assert_true(f->broker >= 0);
    if (f->broker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(MOSQUITTO, "mosquitto", "-c", path, (char *) NULL);
        _exit(127);
    }
}

static void stop_broker(struct fixture *f)
{
    if (f->broker == 0)
        return;
    kill(f->broker, SIGKILL);
    waitpid(f->broker, NULL, 0);
    f->broker = 0;
}

/* ---- the watcher ---- */

static struct seen *find_seen(struct fixture *f, const char *topic)
{
    for (size_t i = 0; i < f->seen_count; i++) {
        if (strcmp(f->seen[i].topic, topic) == 0)
            return &f->seen[i];
    }
    return NULL;
}

static void on_watched(struct mosquitto *client, void *user, const struct mosquitto_message *m,
                       const mosquitto_property *properties)
{
    struct fixture *f = user;
    struct seen *s = find_seen(f, m->topic);
    void *data = NULL;
    uint16_t size = 0;

    (void) client;
    if (!s) {
        assert_true(f->seen_count < SEEN_MAX);
        s = &f->seen[f->seen_count++];
        snprintf(s->topic, sizeof s->topic, "%s", m->topic);
    }
    free(s->payload);
    s->payload = xnew(char, (size_t) m->payloadlen + 1);
    if (m->payloadlen > 0)
        memcpy(s->payload, m->payload, (size_t) m->payloadlen);
    s->is_retained = m->retain;
    s->count++;
    if (mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &data, &size,
                                       false)) {
        snprintf(f->correlation, sizeof f->correlation, "%.*s", (int) size, (char *) data);
        free(data);
    }
}

static void on_watcher_connected(struct mosquitto *client, void *user, int reason)
{
    assert_int_equal(reason, 0);
    mosquitto_subscribe(client, NULL, "#", 1);
    ((struct fixture *) user)->is_watching = true;
}

static void forget_seen(struct fixture *f)
{
    for (size_t i = 0; i < f->seen_count; i++)
        free(f->seen[i].payload);
    memset(f->seen, 0, sizeof f->seen);
    f->seen_count = 0;
}

static void stop_watcher(struct fixture *f)
{
    mosquitto_destroy(f->watcher);
    f->watcher = NULL;
    f->is_watching = false;
    forget_seen(f);
}

/* ---- turns ---- */

static void on_tick(uv_timer_t *timer)
{
    (void) timer;
}

static void turn(struct fixture *f)
{
    uv_run(&f->loop, UV_RUN_ONCE);
    if (f->gateway)
        fake_gateway_advance(f->gateway, TICK_MS * USEC_PER_MSEC);
    for (int i = 0; f->watcher && i < WATCHED_MAX; i++)
        (void) mosquitto_loop(f->watcher, 0, 1);
}

#define UNTIL(f, condition)                                                                        \
    do {                                                                                           \
        usec_t limit_ = clock_now() + PATIENCE;                                                    \
        while (!(condition)) {                                                                     \
            turn(f);                                                                               \
            if (clock_now() > limit_)                                                              \
                fail_msg("in vain: %s", #condition);                                               \
        }                                                                                          \
    } while (0)

/* A new watcher, as one that has just come: it sees what is retained. */
static void watch(struct fixture *f)
{
    stop_watcher(f);
    f->watcher = mosquitto_new(NULL, true, f);
    mosquitto_int_option(f->watcher, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_message_v5_callback_set(f->watcher, on_watched);
    mosquitto_connect_callback_set(f->watcher, on_watcher_connected);
    if (f->has_tls) {
        char *ca AUTO_FREE = in_folder(f, "ca.pem"), *cert AUTO_FREE = in_folder(f, "client.pem"),
                 *key AUTO_FREE = in_folder(f, "client.key");

        assert_int_equal(mosquitto_tls_set(f->watcher, ca, NULL, cert, key, NULL), 0);
    }
    for (usec_t limit = clock_now() + PATIENCE;
         mosquitto_connect(f->watcher, "127.0.0.1", f->port, 60) != 0;) {
        turn(f); /* the broker is about to listen */
        assert_true(clock_now() < limit);
    }
    UNTIL(f, f->is_watching);
}

static const char *payload(struct fixture *f, const char *topic)
{
    const struct seen *s = find_seen(f, topic);

    return s && s->payload ? s->payload : "";
}

static bool says(struct fixture *f, const char *topic, const char *part)
{
    return strstr(payload(f, topic), part) != NULL;
}

static unsigned count_of(struct fixture *f, const char *topic)
{
    const struct seen *s = find_seen(f, topic);

    return s ? s->count : 0;
}

/* ---- the frontend ---- */

static void start_with(struct fixture *f, const char *more)
{
    char text[1024];

    snprintf(
            text, sizeof text,
            "{\"mqtt\":{\"enabled\":true,\"port\":%u,\"keepalive_s\":%u,\"min_interval_s\":0.05%s},"
            "\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}]}",
            f->port, f->keepalive_s ? f->keepalive_s : 5, more);
    f->config = fake_config(text);
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    assert_int_equal(mqtt_new(&f->loop, f->gateway, f->rest, "blefleet-test", NULL, &f->mqtt), 0);
}

static void on_closed(void *user)
{
    ((struct fixture *) user)->is_closed = true;
}

static void stop(struct fixture *f)
{
    if (!f->mqtt)
        return;
    f->is_closed = false;
    mqtt_close(f->mqtt, on_closed, f);
    while (!f->is_closed)
        uv_run(&f->loop, UV_RUN_ONCE);
    mqtt_free(f->mqtt);
    f->mqtt = NULL;
    rest_free(f->rest);
    fake_gateway_free(TAKE(f->gateway));
    config_free(f->config);
}

static struct info_json_mqtt status(const struct fixture *f)
{
    struct info_json_mqtt s;

    mqtt_get_status(f->mqtt, &s);
    return s;
}

static struct fake_device *add_device(struct fixture *f, uint64_t address)
{
    struct fake_device *d = fake_gateway_add(f->gateway, address);

    fake_gateway_hear(f->gateway, d, "kitchen", packet, sizeof packet);
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_FIRST_SEEN, d);
    return d;
}

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    assert_int_equal(uv_loop_init(&f->loop), 0);
    uv_timer_init(&f->loop, &f->tick);
    uv_timer_start(&f->tick, on_tick, TICK_MS, TICK_MS);
    snprintf(f->folder, sizeof f->folder, "/tmp/blefleet-mqtt-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(chmod(f->folder, 0755), 0); /* mosquitto leaves root behind */
    f->port = find_port();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[64];

    stop(f);
    stop_watcher(f);
    stop_broker(f);
    uv_close((uv_handle_t *) &f->tick, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    snprintf(command, sizeof command, "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

/* ---- what is told ---- */

static void connects_by_itself_when_the_broker_comes_later(void **state)
{
    struct fixture *f = *state;

    start_with(f, "");
    UNTIL(f, strcmp(status(f).state, "waiting_retry") == 0);
    assert_non_null(status(f).last_error);
    assert_false(status(f).is_connected);
    start_broker(f);
    UNTIL(f, status(f).is_connected);
    assert_string_equal(status(f).protocol, "5");
    assert_string_equal(status(f).state, "connected");
}

static void tells_of_itself_and_of_devices(void **state)
{
    struct fixture *f = *state;

    start_broker(f);
    watch(f);
    start_with(f, "");
    add_device(f, ADDRESS);
    add_device(f, 0x44c13812ab56);
    fake_gateway_add(f->gateway, 0x1)->facts.address_type = "random"; /* private: not stable */
    UNTIL(f, says(f, "blefleet/bridge/state", "online") &&
                     says(f, "blefleet/bridge/info", "\"config_schema\":null") &&
                     says(f, "blefleet/bridge/proxies", "\"name\":\"kitchen\"") &&
                     says(f, "blefleet/bridge/health", "memory_bytes") &&
                     says(f, "blefleet/" NAME, "\"name\":\"lamp\"") &&
                     says(f, "blefleet/" NAME "/availability", "online") &&
                     says(f, "blefleet/bridge/event", "first_seen"));
    watch(f);
    UNTIL(f, says(f, "blefleet/" NAME "/availability", "online") &&
                     says(f, "blefleet/bridge/proxies", "kitchen") &&
                     says(f, "blefleet/bridge/health", "uptime_s"));
    assert_true(find_seen(f, "blefleet/" NAME)->is_retained);
    assert_true(find_seen(f, "blefleet/bridge/state")->is_retained);
    assert_null(find_seen(f, "blefleet/bridge/event"));
    assert_null(find_seen(f, "blefleet/000000000001"));
}

static void links_are_told_and_show_in_the_state(void **state)
{
    struct fixture *f = *state;

    start_broker(f);
    watch(f);
    start_with(f, "");
    add_device(f, ADDRESS);
    UNTIL(f, says(f, "blefleet/" NAME, "\"connection\":null"));
    (void) fake_links_add(f->gateway, ADDRESS, "kitchen");
    fake_links_change(f->gateway, "opened", ADDRESS, "kitchen");
    UNTIL(f, says(f, "blefleet/bridge/event", "\"type\":\"connection\"") &&
                     says(f, "blefleet/bridge/event", "\"action\":\"opened\"") &&
                     says(f, "blefleet/" NAME, "\"state\":\"connected\""));
}

static void G09_values_of_subscriptions_over_mqtt_are_told(void **state)
{
    static const char topic[] = "blefleet/" NAME "/notify/00002a37-0000-1000-8000-00805f9b34fb";
    const struct gatt_entry rate = {.uuid = ble_uuid_from_short(0x2a37), .handle = 21};
    const struct gatt_entry level = {.uuid = ble_uuid_from_short(0x2a19), .handle = 14};
    struct fixture *f = *state;
    struct fake_link *link;

    start_broker(f);
    watch(f);
    start_with(f, "");
    (void) add_device(f, ADDRESS);
    link = fake_links_add(f->gateway, ADDRESS, "kitchen");
    fake_links_lease(f->gateway, link, "L1", "loopback");
    fake_links_lease(f->gateway, link, "L2", "mqtt");
    fake_gatts_hold(f->gateway, ADDRESS, &level, "notify", "L1");
    fake_gatts_hold(f->gateway, ADDRESS, &rate, "notify", "L2");
    UNTIL(f, says(f, "blefleet/" NAME, "\"connection\""));
    fake_gatts_value(f->gateway, ADDRESS, 14, "x", "kitchen");
    fake_gatts_value(f->gateway, ADDRESS, 21, "a", "kitchen");
    fake_gatts_value(f->gateway, ADDRESS, 21, "b", "kitchen");
    UNTIL(f, says(f, topic, "{\"value\":\"62\",\"handle\":21,\"counter\":2}"));
    assert_int_equal(count_of(f, topic), 2);
    assert_null(find_seen(f, "blefleet/" NAME "/notify/00002a19-0000-1000-8000-00805f9b34fb"));
}

static void everything_is_json(void **state)
{
    struct fixture *f = *state;

    start_broker(f);
    watch(f);
    start_with(f, "");
    add_device(f, ADDRESS);
    UNTIL(f, says(f, "blefleet/" NAME, "lamp") && says(f, "blefleet/bridge/health", "uptime") &&
                     says(f, "blefleet/bridge/info", "version"));
    for (size_t i = 0; i < f->seen_count; i++) {
        json_t *json = json_loads(f->seen[i].payload, 0, NULL);

        if (!json)
            fail_msg("%s is not JSON: %s", f->seen[i].topic, f->seen[i].payload);
        json_decref(json);
    }
}

static void a_change_of_availability_is_told(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d;

    start_broker(f);
    watch(f);
    start_with(f, "");
    d = add_device(f, ADDRESS);
    UNTIL(f, says(f, "blefleet/" NAME "/availability", "online"));
    d->facts.is_available = false;
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_AVAILABILITY, d);
    UNTIL(f, says(f, "blefleet/" NAME "/availability", "offline") &&
                     says(f, "blefleet/" NAME, "\"available\":false"));
}

static void a_forgotten_device_is_cleared(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d;

    start_broker(f);
    start_with(f, "");
    watch(f);
    d = add_device(f, ADDRESS);
    add_device(f, ADDRESS + 1);
    UNTIL(f, says(f, "blefleet/" NAME, "lamp"));
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_FORGOTTEN, d);
    fake_gateway_remove(f->gateway, ADDRESS);
    UNTIL(f, count_of(f, "blefleet/" NAME) > 1 && !payload(f, "blefleet/" NAME)[0]);
    watch(f);
    UNTIL(f, says(f, "blefleet/A4C13812AB57", "lamp"));
    assert_null(find_seen(f, "blefleet/" NAME));
    assert_null(find_seen(f, "blefleet/" NAME "/availability"));
}

static void what_an_earlier_run_left_is_cleared(void **state)
{
    struct fixture *f = *state;

    start_broker(f);
    start_with(f, "");
    watch(f);
    add_device(f, ADDRESS);
    UNTIL(f,
          says(f, "blefleet/" NAME "/availability", "online") && says(f, "blefleet/" NAME, "lamp"));
    stop(f);
    start_with(f, "");
    UNTIL(f, status(f).is_connected);
    for (int i = 0; i < 100; i++)
        turn(f);
    assert_true(says(f, "blefleet/" NAME, "lamp")); /* it may be heard again */
    fake_gateway_advance(f->gateway, 901 * USEC_PER_SEC);
    UNTIL(f, !payload(f, "blefleet/" NAME)[0] && !payload(f, "blefleet/" NAME "/availability")[0]);
}

static void the_raw_stream_is_told_if_wanted(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d;
    struct gateway_hearing hearing;

    start_broker(f);
    watch(f);
    start_with(f, ",\"advertisements\":true");
    d = add_device(f, ADDRESS);
    UNTIL(f, says(f, "blefleet/" NAME, "lamp"));
    hearing = (struct gateway_hearing){.device = &d->facts,
                                       .proxy = "kitchen",
                                       .rssi = -47,
                                       .data = packet,
                                       .size = sizeof packet};
    fake_gateway_packet(f->gateway, d, &hearing);
    UNTIL(f, says(f, "blefleet/advertisements/" NAME, "\"rssi\":-47"));
    assert_false(find_seen(f, "blefleet/advertisements/" NAME)->is_retained);
}

static void a_log_line_is_told(void **state)
{
    struct fixture *f = *state;
    const struct event_log_line line = {
            .level = "warning", .module = "proxy", .message = "proxy.lost name=kitchen"};

    start_broker(f);
    watch(f);
    start_with(f, "");
    UNTIL(f, status(f).is_connected);
    mqtt_log(f->mqtt, &line);
    UNTIL(f, says(f, "blefleet/bridge/logging", "proxy.lost"));
    assert_false(find_seen(f, "blefleet/bridge/logging")->is_retained);
}

/* ---- brokers that come and go ---- */

static void a_broker_that_lost_its_memory_has_everything_again(void **state)
{
    struct fixture *f = *state;
    usec_t began;

    start_broker(f);
    start_with(f, "");
    for (uint64_t i = 0; i < 8; i++)
        add_device(f, ADDRESS + i);
    UNTIL(f, status(f).is_connected);
    stop_broker(f);
    UNTIL(f, !status(f).is_connected);
    start_broker(f);
    watch(f);
    UNTIL(f, status(f).is_connected);
    began = clock_now();
    UNTIL(f, says(f, "blefleet/bridge/state", "online") && says(f, "blefleet/bridge/info", "v") &&
                     says(f, "blefleet/bridge/proxies", "kitchen") &&
                     says(f, "blefleet/" NAME, "lamp") &&
                     says(f, "blefleet/A4C13812AB5D", "lamp") &&
                     says(f, "blefleet/A4C13812AB5D/availability", "online"));
    assert_true(clock_now() - began < 10 * USEC_PER_SEC);
}

static void a_stopped_broker_costs_a_mark_and_gets_the_newest_state_once(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d;
    unsigned before;

    start_broker(f);
    start_with(f, "");
    watch(f);
    d = add_device(f, ADDRESS);
    UNTIL(f, says(f, "blefleet/" NAME, "lamp"));
    kill(f->broker, SIGSTOP);
    before = count_of(f, "blefleet/" NAME);
    for (int i = 0; i < 20000; i++) { /* the events alone fill the window and the line */
        d->facts.rssi = -40 - i % 40;
        fake_gateway_change(f->gateway, GATEWAY_DEVICE_PAYLOAD, d);
        if (i % 100 == 0)
            turn(f);
    }
    d->facts.rssi = -99;
    fake_gateway_change(f->gateway, GATEWAY_DEVICE_PAYLOAD, d);
    kill(f->broker, SIGCONT);
    UNTIL(f, says(f, "blefleet/" NAME, "\"rssi\":-99"));
    for (int i = 0; i < 50; i++)
        turn(f);
    assert_true(says(f, "blefleet/" NAME, "\"rssi\":-99"));
    assert_true(count_of(f, "blefleet/" NAME) > before);
    assert_true(status(f).is_connected);
}

/* More than the kernel takes between two that do not read: packets are cut in two, and what follows
 * must not come between. A broker that is told nonsense hangs up. */
static void a_stopped_broker_gets_whole_packets_when_it_goes_on(void **state)
{
    struct fixture *f = *state;
    char text[2000];
    struct event_log_line line = {.level = "warning", .module = "proxy", .message = text};
    unsigned infos;

    f->keepalive_s = 60; /* a slow machine takes its time below */
    start_broker(f);
    watch(f);
    start_with(f, "");
    UNTIL(f, says(f, "blefleet/bridge/info", "v"));
    infos = count_of(f, "blefleet/bridge/info");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    kill(f->broker, SIGSTOP);
    for (int i = 0; i < 600; i++) {
        for (int j = 0; j < 50; j++)
            mqtt_log(f->mqtt, &line);
        turn(f);
    }
    kill(f->broker, SIGCONT);
    line.message = "the last";
    UNTIL(f, (mqtt_log(f->mqtt, &line), says(f, "blefleet/bridge/logging", "the last")));
    assert_int_equal(count_of(f, "blefleet/bridge/info"), infos); /* told by each connection */
    assert_true(status(f).is_connected);
}

static void home_assistant_that_is_back_gets_everything_again(void **state)
{
    struct fixture *f = *state;
    unsigned states, infos;

    start_broker(f);
    watch(f);
    start_with(f, "");
    add_device(f, ADDRESS);
    UNTIL(f, says(f, "blefleet/" NAME, "lamp") && says(f, "blefleet/bridge/info", "v"));
    for (int i = 0; i < 20; i++)
        turn(f);
    states = count_of(f, "blefleet/" NAME);
    infos = count_of(f, "blefleet/bridge/info");
    mosquitto_publish(f->watcher, NULL, "homeassistant/status", 6, "online", 0, false);
    UNTIL(f, count_of(f, "blefleet/" NAME) > states && count_of(f, "blefleet/bridge/info") > infos);
}

static void a_stop_leaves_offline_behind(void **state)
{
    struct fixture *f = *state;

    start_broker(f);
    watch(f);
    start_with(f, "");
    UNTIL(f, says(f, "blefleet/bridge/state", "online"));
    stop(f);
    start_with(f, ",\"base_topic\":\"other\"");
    watch(f);
    UNTIL(f, says(f, "blefleet/bridge/state", "offline"));
    assert_true(find_seen(f, "blefleet/bridge/state")->is_retained);
}

static void a_stop_waits_for_a_stopped_broker_no_longer_than_promised(void **state)
{
    struct fixture *f = *state;
    usec_t began;

    start_broker(f);
    start_with(f, "");
    UNTIL(f, status(f).is_connected);
    kill(f->broker, SIGSTOP);
    began = clock_now();
    stop(f);
    assert_true(clock_now() - began < 2 * USEC_PER_SEC);
}

static void a_stop_does_not_wait_for_a_host_that_is_silent(void **state)
{
    struct fixture *f = *state;
    usec_t began;

    start_with(f, ",\"host\":\"192.0.2.1\""); /* a network for documentation: nobody answers */
    turn(f);
    began = clock_now();
    stop(f);
    assert_true(clock_now() - began < 2 * USEC_PER_SEC);
}

/* ---- versions ---- */

static void version_3_1_1_is_spoken_when_wanted(void **state)
{
    struct fixture *f = *state;

    start_broker(f);
    watch(f);
    start_with(f, ",\"protocol\":\"3.1.1\"");
    add_device(f, ADDRESS);
    UNTIL(f, says(f, "blefleet/" NAME, "lamp"));
    assert_string_equal(status(f).protocol, "3.1.1");
    mosquitto_publish(f->watcher, NULL, "blefleet/bridge/request/health_check", 0, NULL, 0, false);
    UNTIL(f, says(f, "blefleet/bridge/response/health_check", "\"status\":\"ok\""));
}

/* A broker of old: refuses version 5, and says yes to 3.1.1. Reads a CONNECT as a whole, which is
 * small. */
static void serve_as_old_broker(int listener)
{
    static const uint8_t refusal[] = {0x20, 2, 0, 1}, acceptance[] = {0x20, 2, 0, 0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        uint8_t octets[4096];
        int fd = accept(listener, NULL, NULL);
        ssize_t size = recv(fd, octets, sizeof octets, 0);
        bool is_old = size > 8 && octets[8] == 4;

        (void) send(fd, is_old ? acceptance : refusal, 4, MSG_NOSIGNAL);
        while (is_old && recv(fd, octets, sizeof octets, 0) > 0)
            ;
        close(fd);
    }
}

static void an_old_broker_is_spoken_to_in_its_version(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(f->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal(listen(listener, 5), 0);
    f->broker = fork();
    if (f->broker == 0)
        serve_as_old_broker(listener);
    close(listener);
    start_with(f, "");
    UNTIL(f, status(f).is_connected);
    assert_string_equal(status(f).protocol, "3.1.1");
}

/* ---- requests ---- */

static void requests_are_answered(void **state)
{
    static const char request[] = "{\"path\":\"/proxies\",\"transaction\":\"t1\"}";
    struct fixture *f = *state;

    start_broker(f);
    watch(f);
    start_with(f, "");
    UNTIL(f, status(f).is_connected);
    mosquitto_publish(f->watcher, NULL, "blefleet/bridge/request/http", sizeof request - 1, request,
                      0, false);
    UNTIL(f, says(f, "blefleet/bridge/response/http", "\"status_code\":200") &&
                     says(f, "blefleet/bridge/response/http", "\"transaction\":\"t1\""));
}

static void the_properties_of_version_5_lead_the_answer(void **state)
{
    struct fixture *f = *state;
    mosquitto_property *properties = NULL;

    start_broker(f);
    watch(f);
    start_with(f, "");
    UNTIL(f, status(f).is_connected);
    mosquitto_property_add_string(&properties, MQTT_PROP_RESPONSE_TOPIC, "for/me");
    mosquitto_property_add_binary(&properties, MQTT_PROP_CORRELATION_DATA, "c7", 2);
    mosquitto_publish_v5(f->watcher, NULL, "blefleet/bridge/request/health_check", 0, NULL, 0,
                         false, properties);
    mosquitto_property_free_all(&properties);
    UNTIL(f, says(f, "for/me", "\"status\":\"ok\""));
    assert_string_equal(f->correlation, "c7");
}

static void a_stored_request_is_not_carried_out(void **state)
{
    static const char request[] = "{\"method\":\"POST\",\"path\":\"/proxies/kitchen/reconnect\"}";
    struct fixture *f = *state;

    start_broker(f);
    watch(f);
    mosquitto_publish(f->watcher, NULL, "blefleet/bridge/request/http", sizeof request - 1, request,
                      1, true);
    UNTIL(f, count_of(f, "blefleet/bridge/request/http") > 0);
    start_with(f, "");
    UNTIL(f, says(f, "blefleet/bridge/health", "uptime"));
    mosquitto_publish(f->watcher, NULL, "blefleet/bridge/request/health_check", 0, NULL, 0, false);
    UNTIL(f, says(f, "blefleet/bridge/response/health_check", "ok"));
    assert_int_equal(fake_gateway_reconnects(f->gateway, 0), 0);
}

/* ---- TLS ---- */

static void make_certificates(const struct fixture *f)
{
    static const char script[] =
            "cd %s && exec 2>openssl.log && "
            "%s req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
            "-subj '/CN=test CA' -keyout ca.key -out ca.pem && "
            "for who in server client; do "
            "%s req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
            "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 "
            "-keyout $who.key -out $who.csr && "
            "echo subjectAltName=IP:127.0.0.1 > $who.ext && "
            "%s x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
            "-extfile $who.ext -out $who.pem || exit 1; done; chmod 644 *.key";
    char command[2048];

    snprintf(command, sizeof command, script, f->folder, OPENSSL, OPENSSL, OPENSSL);
    assert_int_equal(system(command), 0);
}

static void start_with_tls(struct fixture *f, const char *ca)
{
    char more[256];

    snprintf(more, sizeof more,
             ",\"tls\":{\"enabled\":true,\"ca\":\"%s/%s\",\"cert\":\"%s/client.pem\","
             "\"key\":\"%s/client.key\"}",
             f->folder, ca, f->folder, f->folder);
    start_with(f, more);
}

static void tls_with_a_client_certificate(void **state)
{
    struct fixture *f = *state;

    f->has_tls = true;
    make_certificates(f);
    start_broker(f);
    start_with_tls(f, "ca.pem");
    watch(f);
    for (uint64_t i = 0; i < 8; i++)
        add_device(f, ADDRESS + i);
    UNTIL(f, says(f, "blefleet/A4C13812AB5D", "lamp"));
    assert_non_null(strstr(status(f).broker, "mqtts://"));
    mosquitto_publish(f->watcher, NULL, "blefleet/bridge/request/health_check", 0, NULL, 0, false);
    UNTIL(f, says(f, "blefleet/bridge/response/health_check", "ok"));
}

static void a_broker_that_nobody_signed_for_is_not_spoken_to(void **state)
{
    struct fixture *f = *state;

    f->has_tls = true;
    make_certificates(f);
    start_broker(f);
    watch(f);
    start_with_tls(f, "client.pem");
    UNTIL(f, status(f).last_error && strstr(status(f).last_error, "certificate"));
    assert_false(status(f).is_connected);
}

static void an_unreadable_certificate_is_a_failure_with_its_name(void **state)
{
    struct fixture *f = *state;

    start_with_tls(f, "nowhere.pem");
    UNTIL(f, strcmp(status(f).state, "failed") == 0);
    assert_non_null(strstr(status(f).last_error, "nowhere.pem"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
            TEST(connects_by_itself_when_the_broker_comes_later),
            TEST(tells_of_itself_and_of_devices),
            TEST(links_are_told_and_show_in_the_state),
            TEST(G09_values_of_subscriptions_over_mqtt_are_told),
            TEST(everything_is_json),
            TEST(a_change_of_availability_is_told),
            TEST(a_forgotten_device_is_cleared),
            TEST(what_an_earlier_run_left_is_cleared),
            TEST(the_raw_stream_is_told_if_wanted),
            TEST(a_log_line_is_told),
            TEST(a_broker_that_lost_its_memory_has_everything_again),
            TEST(a_stopped_broker_costs_a_mark_and_gets_the_newest_state_once),
            TEST(a_stopped_broker_gets_whole_packets_when_it_goes_on),
            TEST(home_assistant_that_is_back_gets_everything_again),
            TEST(a_stop_leaves_offline_behind),
            TEST(a_stop_waits_for_a_stopped_broker_no_longer_than_promised),
            TEST(a_stop_does_not_wait_for_a_host_that_is_silent),
            TEST(version_3_1_1_is_spoken_when_wanted),
            TEST(an_old_broker_is_spoken_to_in_its_version),
            TEST(requests_are_answered),
            TEST(the_properties_of_version_5_lead_the_answer),
            TEST(a_stored_request_is_not_carried_out),
            TEST(tls_with_a_client_certificate),
            TEST(a_broker_that_nobody_signed_for_is_not_spoken_to),
            TEST(an_unreadable_certificate_is_a_failure_with_its_name),
    };

    (void) signal(SIGPIPE, SIG_IGN);
    (void) mosquitto_lib_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
