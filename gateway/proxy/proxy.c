/* The happy path: begin() looks the host up, on_resolved() connects, on_open() makes a session,
 * which calls on_ready() when the device has told who it is; subscribe() asks for slots and
 * advertisements; the first scanner state or advertisement proves that we have them, and the proxy
 * is online. While it is, check_theft() and check_health() watch that something is heard.
 *
 * When an attempt at its host failed, the next goes to where a device of its MAC is announced, if
 * it is; when that failed, to the host again.
 *
 * Whatever goes wrong ends in finish(): connection and session are let go of, the cause is kept,
 * reconnect.h says how long to wait, and the timer calls begin() again. Session callbacks never
 * free the session; they note what happened, and after_session() acts when the session has
 * returned. */
#include "proxy.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "ble/address.h"
#include "esphome/client_session.h"
#include "proxy/connection.h"
#include "proxy/greeting.h"
#include "proxy/health.h"
#include "proxy/node.h"
#include "proxy/reconnect.h"
#include "proxy/resolver.h"
#include "proxy/slots.h"
#include "proxy/subscription.h"
#include "proxy/theft.h"
#include "proxy/trouble.h"

struct proxy {
    uv_loop_t *loop;
    struct resolver *resolver; /* borrowed, outlives us */
    struct intake *intake;     /* the same; NULL: none */
    struct proxy_settings settings;
    struct proxy_callbacks callbacks;

    enum proxy_state state;
    usec_t since;
    usec_t ready_since; /* 0: this session is not ready */
    usec_t retry_at;    /* 0: not waiting */
    usec_t woken;       /* 0: never */
    bool seeks_mac;     /* the next attempt goes to where its MAC is announced, if it is */
    struct reconnect reconnect;
    struct subscription subscription;
    struct health health;
    struct theft theft;
    struct trouble trouble;

    uv_timer_t timer;
    usec_t armed; /* what it is started for */
    struct resolver_request *look_up;
    struct connection *connection;
    struct client_session *session;
    unsigned closing_connections;
    bool wants_restart; /* proxy_reconnect() while a session says goodbye */
    usec_t goodbye_deadline;
    unsigned awaited; /* enum proxy_wait */
    bool is_closing;
    void (*on_closed)(void *user);
    void *closed_user;

    struct node node; /* kept while it is away */
    /* of this session */
    bool has_scanner;
    struct message_scanner_state scanner;
    struct slots slots;
    /* since the start */
    uint64_t advertisements, skipped; /* skipped: by former sessions */
    usec_t last_advertisement;
    uint64_t dials, greetings, retakes;
};

static void begin(struct proxy *p);
static void arm_timer(struct proxy *p);

const char *proxy_state_name(enum proxy_state state)
{
    static const char *const names[] = {"disabled",
                                        "resolving",
                                        "connecting",
                                        "handshaking",
                                        "online",
                                        "online_no_bluetooth",
                                        "subscription_refused",
                                        "subscription_lost",
                                        "waiting_retry",
                                        "failed"};

    return names[state];
}

static void tell(struct proxy *p, unsigned changes, usec_t now)
{
    p->callbacks.on_change(p->callbacks.user, p, changes, now);
}

static void set_state(struct proxy *p, enum proxy_state state, usec_t now)
{
    if (p->state == state)
        return;
    log_debug("proxy.state", "name=%s from=%s to=%s", p->settings.name, proxy_state_name(p->state),
              proxy_state_name(state));
    p->state = state;
    p->since = now;
    tell(p, PROXY_CHANGE_STATE, now);
}

static double random_share(void)
{
    uint32_t number = 0;

    if (getrandom(&number, sizeof number, GRND_NONBLOCK) < 0)
        number = 0; /* as good a jitter as any */
    return (double) number / (double) UINT32_MAX;
}

static void maybe_finish_close(struct proxy *p);

static void on_connection_closed(void *user)
{
    struct proxy *p = user;

    p->closing_connections--;
    maybe_finish_close(p);
}

static uint64_t skipped(const struct proxy *p)
{
    return p->skipped + (p->session ? client_session_reports_skipped(p->session) : 0);
}

/* Lets go of everything that belongs to one attempt. */
static void release(struct proxy *p)
{
    resolver_cancel(TAKE(p->look_up));
    if (connection_close(TAKE(p->connection), on_connection_closed, p))
        p->closing_connections++;
    p->skipped = skipped(p);
    client_session_free(TAKE(p->session));
    p->subscription = (struct subscription){0};
    health_stop(&p->health);
    theft_stop(&p->theft);
    p->ready_since = 0;
    p->goodbye_deadline = 0;
    p->has_scanner = false;
    p->slots = (struct slots){0};
}

/* The texts become ours. */
static void copy_settings(struct proxy_settings *ret_settings, const struct proxy_settings *from)
{
    *ret_settings = *from;
    ret_settings->name = memory_copy_text(from->name);
    ret_settings->host = memory_copy_text(from->host);
    ret_settings->password = memory_copy_text(from->password);
}

static void release_settings(struct proxy_settings *s)
{
    if (s->password)
        explicit_bzero((char *) s->password, strlen(s->password));
    free((char *) s->password);
    free((char *) s->name);
    free((char *) s->host);
    explicit_bzero(s, sizeof *s);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct proxy *p = handle->data;

    if (p->on_closed)
        p->on_closed(p->closed_user);
    release_settings(&p->settings);
    free(p);
}

/* All that must be quiet before it is gone. */
static void maybe_finish_close(struct proxy *p)
{
    if (!p->is_closing || p->session || p->connection || p->closing_connections > 0)
        return;
    if (!uv_is_closing((uv_handle_t *) &p->timer))
        uv_close((uv_handle_t *) &p->timer, on_timer_closed);
}

/* Nothing is tried any more. */
static void rest(struct proxy *p, usec_t now)
{
    p->retry_at = 0;
    trouble_end(&p->trouble);
    set_state(p, PROXY_DISABLED, now);
    arm_timer(p);
}

/* The attempt or the conversation is over. */
static void finish(struct proxy *p, int cause, const char *detail)
{
    usec_t now = clock_now(), ready_for = p->ready_since ? now - p->ready_since : 0, delay;

    release(p);
    if (p->is_closing) {
        maybe_finish_close(p);
        return;
    }
    if (p->wants_restart) {
        p->wants_restart = false;
        begin(p);
        return;
    }
    if (!p->settings.is_enabled) {
        rest(p, now);
        return;
    }
    if (health_excuse(&p->health, now))
        tell(p, PROXY_CHANGE_HEALTH, now);
    trouble_keep(&p->trouble, cause, detail, now);
    delay = reconnect_delay(&p->reconnect, cause, ready_for, p->node.has_deep_sleep,
                            random_share());
    trouble_log(&p->trouble, p->reconnect.tries, delay, now);
    p->retry_at = now + delay;
    set_state(p, reconnect_is_hopeless(cause) ? PROXY_FAILED : PROXY_WAITING_RETRY, now);
    arm_timer(p);
}

/* ---- the session's side ---- */

static void pump(struct proxy *p)
{
    for (;;) {
        size_t size, taken;
        const uint8_t *data = client_session_output(p->session, &size);

        taken = size > 0 ? connection_send(p->connection, data, size) : 0;
        if (taken == 0)
            return;
        client_session_sent(p->session, taken);
    }
}

/* To be called after every call into the session from outside of it. */
static void after_session(struct proxy *p)
{
    const struct session_error *error;
    char detail[sizeof error->detail];
    enum client_session_state state;

    if (!p->session)
        return;
    pump(p);
    state = client_session_state(p->session);
    if (state == CLIENT_SESSION_CLOSED) {
        error = client_session_error(p->session);
        memcpy(detail, error->detail, sizeof detail);
        finish(p, error->code, detail);
        return;
    }
    connection_set_patient(p->connection, p->state == PROXY_ONLINE &&
                                                  state == CLIENT_SESSION_READY && p->awaited == 0);
    arm_timer(p);
}

static void send_message(struct proxy *p, const struct message *message)
{
    int rc = client_session_send(p->session, message);

    if (rc < 0 && trouble_may_log(&p->trouble, clock_now()))
        log_warning("proxy.send_failed", "name=%s message=%d cause=%s, ignoring", p->settings.name,
                    (int) message->type, error_token(rc));
}

static void ask_for_advertisements(struct proxy *p)
{
    bool is_raw = p->node.features & PROXY_FEATURE_RAW_ADVERTISEMENTS;

    send_message(p, &(struct message){.type = MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST,
                                      .subscription_flags = is_raw ? 1 : 0});
}

static void subscribe(struct proxy *p, usec_t now)
{
    if (p->node.features & PROXY_FEATURE_ACTIVE_CONNECTIONS)
        send_message(p, &(struct message){.type = MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST});
    subscription_start(&p->subscription, p->node.features & PROXY_FEATURE_STATE_AND_MODE, now);
    ask_for_advertisements(p);
}

static void go_online(struct proxy *p, usec_t now)
{
    char mac[BLE_ADDRESS_TEXT_SIZE] = "-";

    if (p->node.has_mac)
        ble_address_format(mac, p->node.mac);
    if (trouble_may_log(&p->trouble, now))
        log_info("proxy.online", "name=%s mac=%s esphome=%s api=%u.%u features=0x%02x encrypted=%d",
                 p->settings.name, mac, p->node.version, p->node.api_major, p->node.api_minor,
                 p->node.features, p->settings.is_encrypted);
    trouble_end(&p->trouble);
    health_start(&p->health, now);
    if (p->node.features & PROXY_FEATURE_STATE_AND_MODE) /* without it the first subscriber wins */
        theft_start(&p->theft);
    set_state(p, PROXY_ONLINE, now);
}

/* Another client took the advertisements once too often: they are not asked for any more. */
static void lose(struct proxy *p, usec_t now)
{
    trouble_keep(&p->trouble, E_SUBSCRIPTION_LOST,
                 "another client takes its advertisements; they were taken back twice within an "
                 "hour; remove the proxy from that client (Home Assistant?), then reconnect it",
                 now);
    if (trouble_may_log(&p->trouble, now))
        log_warning("proxy.subscription_lost", "name=%s detail=\"%s\", waiting for a reconnect",
                    p->settings.name, p->trouble.detail);
    health_stop(&p->health);
    if (health_excuse(&p->health, now))
        tell(p, PROXY_CHANGE_HEALTH, now);
    set_state(p, PROXY_SUBSCRIPTION_LOST, now);
}

static void on_ready(void *user, const struct message_device_info *info, usec_t now)
{
    struct proxy *p = user;
    const struct session_peer *peer = client_session_peer(p->session);

    node_learn(&p->node, info, peer->api_major, peer->api_minor);
    p->ready_since = now;
    p->greetings++;
    reconnect_succeeded(&p->reconnect);
    if (p->node.features == 0) {
        trouble_keep(&p->trouble, E_NOT_A_PROXY,
                     "an ESPHome device without the bluetooth_proxy component", now);
        if (trouble_may_log(&p->trouble, now))
            log_warning("proxy.no_bluetooth", "name=%s detail=\"%s\", staying connected",
                        p->settings.name, p->trouble.detail);
        set_state(p, PROXY_ONLINE_NO_BLUETOOTH, now);
        return;
    }
    if (p->theft.is_lost) {
        lose(p, now);
        return;
    }
    subscribe(p, now);
    if (p->subscription.state == SUBSCRIPTION_HELD)
        go_online(p, now);
}

static void prove_subscription(struct proxy *p, usec_t now)
{
    if (subscription_prove(&p->subscription))
        go_online(p, now);
}

static void count_retake(struct proxy *p, usec_t now)
{
    p->retakes++;
    if (trouble_may_log(&p->trouble, now))
        log_warning("proxy.retaken",
                    "name=%s detail=\"another client had taken its advertisements\", taken back",
                    p->settings.name);
}

static void judge(struct proxy *p, enum theft_verdict verdict, usec_t now)
{
    switch (verdict) {
    case THEFT_RETAKEN:
        count_retake(p, now);
        break;
    case THEFT_LULL:
        go_online(p, now);
        break;
    case THEFT_NONE:
        break;
    }
}

/* Something was heard. */
static void notice_hearing(struct proxy *p, usec_t now)
{
    judge(p, theft_heard(&p->theft, now), now);
    if (!health_heard(&p->health, now))
        return;
    if (trouble_may_log(&p->trouble, now))
        log_info("proxy.heard_again", "name=%s", p->settings.name);
    tell(p, PROXY_CHANGE_HEALTH, now);
}

static void on_reports(void *user, const struct ble_report *reports, size_t count, usec_t now)
{
    struct proxy *p = user;

    p->advertisements += count;
    p->last_advertisement = now;
    prove_subscription(p, now);
    notice_hearing(p, now);
    p->callbacks.on_reports(p->callbacks.user, p->settings.source, reports, count, now);
}

static void take_scanner_state(struct proxy *p, const struct message_scanner_state *state,
                               usec_t now)
{
    p->scanner = *state;
    p->has_scanner = true;
    prove_subscription(p, now);
    judge(p, theft_owned(&p->theft, now), now);
    tell(p, PROXY_CHANGE_SCANNER, now);
}

static void on_message(void *user, const struct message *message, usec_t now)
{
    struct proxy *p = user;

    if (message->type == MESSAGE_SCANNER_STATE_RESPONSE) {
        take_scanner_state(p, &message->scanner_state, now);
        return;
    }
    if (message->type == MESSAGE_CONNECTIONS_FREE_RESPONSE)
        slots_take(&p->slots, &message->connections_free, now);
    p->callbacks.on_message(p->callbacks.user, p->settings.source, message, now);
    if (message->type == MESSAGE_CONNECTIONS_FREE_RESPONSE) /* also who holds them is known now */
        tell(p, PROXY_CHANGE_SLOTS, now);
}

/* ---- the connection's side ---- */

static void on_open(void *user)
{
    static const struct client_session_callbacks callbacks = {
            .on_ready = on_ready, .on_reports = on_reports, .on_message = on_message};
    struct proxy *p = user;
    usec_t now = clock_now();

    p->awaited = 0;
    p->session = greeting_new(&p->settings, &p->node, &callbacks, p, now);
    set_state(p, PROXY_HANDSHAKING, now);
    after_session(p);
}

static uint8_t *on_room(void *user, size_t *ret_size)
{
    struct proxy *p = user;

    return client_session_input(p->session, ret_size);
}

static void on_received(void *user, size_t size)
{
    struct proxy *p = user;

    (void) client_session_received(p->session, size, clock_now());
    after_session(p);
}

static void on_writable(void *user)
{
    struct proxy *p = user;

    if (p->session)
        pump(p);
}

static int connect_cause(int system_cause)
{
    switch (system_cause) {
    case UV_ECONNREFUSED:
        return E_REFUSED;
    case UV_ETIMEDOUT:
        return E_TIMEOUT;
    case UV_ECONNRESET:
    case 0:
        return E_CLOSED;
    default:
        return E_UNREACHABLE;
    }
}

static void on_end(void *user, int cause)
{
    struct proxy *p = user;
    char detail[128];

    if (p->session) { /* it knows best what the end means at this point */
        client_session_end_of_input(p->session, cause, clock_now());
        after_session(p);
        return;
    }
    (void) snprintf(detail, sizeof detail, "%.80s port %u: %s", p->settings.host,
                    (unsigned) p->settings.port, cause ? uv_strerror(cause) : "closed");
    finish(p, connect_cause(cause), detail);
}

static void dial(struct proxy *p, const struct sockaddr_storage *addresses, size_t count)
{
    static const struct connection_callbacks callbacks = {on_open, on_room, on_received,
                                                          on_writable, on_end};

    set_state(p, PROXY_CONNECTING, clock_now());
    p->connection = connection_open(p->loop, p->intake, addresses, count, &callbacks, p);
    arm_timer(p);
}

static void on_resolved(void *user, int status, const struct sockaddr_storage *addresses,
                        size_t count, const char *detail)
{
    struct proxy *p = user;

    p->look_up = NULL;
    if (status < 0) {
        finish(p, status, detail);
        return;
    }
    dial(p, addresses, count);
}

/* ---- time ---- */

bool proxy_get_mac(const struct proxy *p, uint64_t *ret_mac)
{
    *ret_mac = p->node.has_mac ? p->node.mac : p->settings.mac;
    return p->node.has_mac || p->settings.has_mac;
}

static void begin(struct proxy *p)
{
    struct sockaddr_storage announced[RESOLVER_ADDRESSES_MAX];
    uint64_t mac;
    size_t count = 0;

    p->retry_at = 0;
    p->dials++;
    if (p->seeks_mac && proxy_get_mac(p, &mac))
        count = resolver_find_mac(p->resolver, mac, announced);
    p->seeks_mac = count == 0;
    if (count > 0) {
        dial(p, announced, count);
        return;
    }
    set_state(p, PROXY_RESOLVING, clock_now());
    p->look_up = resolver_start(p->resolver, p->settings.host, p->settings.port, on_resolved, p);
    arm_timer(p);
}

static usec_t earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

static usec_t next_deadline(const struct proxy *p)
{
    usec_t deadline = subscription_deadline(&p->subscription);

    deadline = earlier(deadline, health_deadline(&p->health));
    deadline = earlier(deadline, theft_deadline(&p->theft));
    if (p->retry_at)
        deadline = earlier(deadline, p->retry_at);
    if (p->look_up)
        deadline = earlier(deadline, p->since + PROXY_RESOLVE_TIMEOUT);
    if (p->session)
        deadline = earlier(deadline, client_session_deadline(p->session));
    if (p->goodbye_deadline)
        deadline = earlier(deadline, p->goodbye_deadline);
    return deadline;
}

static void check_subscription(struct proxy *p, usec_t now)
{
    if (!subscription_tick(&p->subscription, now))
        return;
    ask_for_advertisements(p);
    if (p->state == PROXY_SUBSCRIPTION_REFUSED)
        return;
    trouble_keep(
            &p->trouble, E_SUBSCRIPTION_REFUSED,
            "connected, but another client holds its advertisements; end that client's Bluetooth "
            "proxy connection",
            now);
    if (trouble_may_log(&p->trouble, now))
        log_warning("proxy.subscription_refused", "name=%s detail=\"%s\", asking again",
                    p->settings.name, p->trouble.detail);
    set_state(p, PROXY_SUBSCRIPTION_REFUSED, now);
}

static void check_theft(struct proxy *p, usec_t now)
{
    switch (theft_tick(&p->theft, now)) {
    case THEFT_SUBSCRIBE:
        log_debug("proxy.silent", "name=%s asking again", p->settings.name);
        ask_for_advertisements(p);
        break;
    case THEFT_GIVE_UP:
        lose(p, now);
        break;
    case THEFT_NOTHING:
        break;
    }
}

static void tell_quiet(struct proxy *p, usec_t now)
{
    if (trouble_may_log(&p->trouble, now))
        log_warning("proxy.quiet",
                    "name=%s detail=\"has heard nothing for %.0f s\", trying to wake it",
                    p->settings.name, (double) (now - p->health.silent_since) / USEC_PER_SEC);
    tell(p, PROXY_CHANGE_HEALTH, now);
}

/* True when a goodbye is under way; finish() follows. */
static bool say_goodbye(struct proxy *p)
{
    usec_t now = clock_now();

    if (!p->session || client_session_state(p->session) != CLIENT_SESSION_READY)
        return false;
    p->goodbye_deadline = now + PROXY_GOODBYE_TIMEOUT;
    health_stop(&p->health); /* nothing more is asked for */
    theft_stop(&p->theft);
    client_session_disconnect(p->session, now);
    after_session(p);
    return true;
}

/* Ends the conversation, or the attempt at one, and begins anew. */
static void restart(struct proxy *p)
{
    p->reconnect = (struct reconnect){0};
    p->wants_restart = true;
    if (say_goodbye(p))
        return;
    if (p->goodbye_deadline)
        return; /* one is under way already */
    finish(p, E_CANCELLED, "asked to reconnect");
}

static void check_health(struct proxy *p, usec_t now)
{
    bool was_quiet = p->health.is_quiet;
    enum health_action action = health_tick(&p->health, now);

    if (p->health.is_quiet && !was_quiet)
        tell_quiet(p, now);
    switch (action) {
    case HEALTH_SUBSCRIBE:
        ask_for_advertisements(p);
        break;
    case HEALTH_RECONNECT:
        if (trouble_may_log(&p->trouble, now))
            log_info("proxy.reconnecting", "name=%s cause=quiet", p->settings.name);
        restart(p);
        break;
    case HEALTH_NOTHING:
        break;
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct proxy *p = timer->data;
    usec_t now = clock_now();

    if (p->goodbye_deadline && now >= p->goodbye_deadline) {
        finish(p, E_CANCELLED, "no goodbye in time");
        return;
    }
    if (p->retry_at && now >= p->retry_at) {
        begin(p);
        return;
    }
    if (p->look_up && now >= p->since + PROXY_RESOLVE_TIMEOUT) {
        finish(p, E_RESOLVE_FAILED, "no answer from the name servers in 30 s");
        return;
    }
    if (p->session) {
        check_subscription(p, now);
        check_theft(p, now);
        check_health(p, now); /* may end the session */
        if (p->session)
            client_session_tick(p->session, now);
        after_session(p);
        return;
    }
    arm_timer(p);
}

/* A deadline that moved away with every packet is left where it was: the timer looks then, and is
 * started anew. */
static void arm_timer(struct proxy *p)
{
    usec_t deadline = next_deadline(p), now;

    if (uv_is_closing((uv_handle_t *) &p->timer))
        return;
    if (deadline == USEC_NEVER) {
        (void) uv_timer_stop(&p->timer);
        return;
    }
    if (uv_is_active((uv_handle_t *) &p->timer) && p->armed <= deadline)
        return;
    p->armed = deadline;
    now = clock_now();
    (void) uv_timer_start(&p->timer, on_timer,
                          deadline > now ? (deadline - now) / USEC_PER_MSEC + 1 : 0, 0);
}

/* ---- life ---- */

struct proxy *proxy_new(struct uv_loop_s *loop, struct resolver *resolver, struct intake *intake,
                        const struct proxy_settings *settings,
                        const struct proxy_callbacks *callbacks)
{
    struct proxy *p = xnew(struct proxy, 1);

    p->loop = loop;
    p->resolver = resolver;
    p->intake = intake;
    copy_settings(&p->settings, settings);
    p->callbacks = *callbacks;
    trouble_init(&p->trouble, p->settings.name);
    p->since = clock_now();
    p->state = PROXY_DISABLED;
    p->health.quiet_after = settings->quiet_after;
    (void) uv_timer_init(loop, &p->timer); /* cannot fail */
    p->timer.data = p;
    if (settings->is_enabled)
        begin(p);
    return p;
}

void proxy_close(struct proxy *p, void (*on_closed)(void *user), void *user)
{
    assert(!p->is_closing);
    p->is_closing = true;
    p->on_closed = on_closed;
    p->closed_user = user;
    p->retry_at = 0;
    if (say_goodbye(p))
        return;
    release(p);
    maybe_finish_close(p);
}

/* What was thought of it is void. */
static void excuse(struct proxy *p)
{
    usec_t now = clock_now();

    if (health_excuse(&p->health, now))
        tell(p, PROXY_CHANGE_HEALTH, now);
    p->health = (struct health){.quiet_after = p->settings.quiet_after};
    p->theft = (struct theft){0};
}

void proxy_reconnect(struct proxy *p)
{
    assert(p->settings.is_enabled && !p->is_closing);
    excuse(p);
    restart(p);
}

static void ignore_reports(void *user, uint16_t source, const struct ble_report *reports,
                           size_t count, usec_t now)
{
    (void) user, (void) source, (void) reports, (void) count, (void) now;
}

static void ignore_change(void *user, struct proxy *p, unsigned changes, usec_t now)
{
    (void) user, (void) p, (void) changes, (void) now;
}

static void ignore_message(void *user, uint16_t source, const struct message *message, usec_t now)
{
    (void) user, (void) source, (void) message, (void) now;
}

void proxy_silence(struct proxy *p)
{
    p->callbacks = (struct proxy_callbacks){ignore_reports, ignore_change, ignore_message, NULL};
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same_place(const struct proxy_settings *a, const struct proxy_settings *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && a->has_mac == b->has_mac &&
           (!a->has_mac || a->mac == b->mac);
}

static bool is_same_secret(const struct proxy_settings *a, const struct proxy_settings *b)
{
    return a->is_encrypted == b->is_encrypted && memcmp(a->key, b->key, sizeof a->key) == 0 &&
           is_same_text(a->password, b->password);
}

/* Ends what is under way. */
static void disable(struct proxy *p)
{
    p->wants_restart = false;
    excuse(p);
    if (say_goodbye(p) || p->goodbye_deadline)
        return;
    release(p);
    rest(p, clock_now());
}

void proxy_change(struct proxy *p, const struct proxy_settings *settings)
{
    struct proxy_settings before = p->settings;
    bool is_same = is_same_place(&before, settings) && is_same_secret(&before, settings);

    assert(settings->source == before.source && !p->is_closing);
    copy_settings(&p->settings, settings);
    p->trouble.name = p->settings.name;
    p->health.quiet_after = settings->quiet_after;
    if (!is_same_place(&before, settings)) {
        p->node = (struct node){0}; /* another device may be there */
        p->seeks_mac = false;
    }
    if (before.is_enabled && !settings->is_enabled) {
        disable(p);
    } else if (settings->is_enabled && (!is_same || !before.is_enabled)) {
        excuse(p);
        restart(p);
    }
    release_settings(&before);
}

static bool is_knocking(const struct proxy *p, usec_t now)
{
    return p->state == PROXY_CONNECTING && now - p->since >= PROXY_WAKE_DIALLING;
}

void proxy_wake(struct proxy *p)
{
    usec_t now = clock_now();

    if (p->is_closing || (p->retry_at == 0 && !is_knocking(p, now)) ||
        (p->woken > 0 && now - p->woken < PROXY_WAKE_INTERVAL))
        return;
    log_debug("proxy.woken", "name=%s", p->settings.name);
    p->woken = now;
    release(p);
    begin(p);
}

int proxy_send(struct proxy *p, const struct message *message)
{
    int rc;

    if (p->state != PROXY_ONLINE || client_session_state(p->session) != CLIENT_SESSION_READY)
        return E_PROXY_OFFLINE;
    rc = client_session_send(p->session, message);
    if (rc < 0)
        return rc;
    pump(p); /* and no more: this may be called from inside a callback */
    return 0;
}

/* Patience comes back with what is read next (after_session()): until then another wait may begin,
 * and then nothing changes. */
void proxy_set_awaited(struct proxy *p, enum proxy_wait what, bool is_awaited)
{
    p->awaited = is_awaited ? p->awaited | what : p->awaited & ~(unsigned) what;
    if (p->awaited && p->connection)
        connection_set_patient(p->connection, false);
}

int proxy_set_scan_mode(struct proxy *p, bool is_active)
{
    const struct message message = {.type = MESSAGE_SCANNER_SET_MODE_REQUEST,
                                    .scanner_mode = is_active ? SCANNER_ACTIVE : SCANNER_PASSIVE};

    if (p->state == PROXY_ONLINE && !(p->node.features & PROXY_FEATURE_STATE_AND_MODE))
        return E_NOT_SUPPORTED;
    return proxy_send(p, &message);
}

int proxy_is_bluetooth(const struct proxy *p)
{
    if (p->node.api_major == 0)
        return -1;
    return p->node.features != 0;
}

const struct proxy_settings *proxy_get_settings(const struct proxy *p)
{
    return &p->settings;
}

void proxy_get_status(const struct proxy *p, struct proxy_status *ret_status)
{
    *ret_status = (struct proxy_status){
            .state = p->state,
            .since = p->since,
            .error_code = p->trouble.code,
            .error_detail = p->trouble.detail,
            .error_time = p->trouble.time,
            .retry_at = p->retry_at,
            .has_mac = p->node.has_mac || p->settings.has_mac,
            .mac = p->node.has_mac ? p->node.mac : p->settings.mac,
            .has_bluetooth_mac = p->node.has_bluetooth_mac,
            .bluetooth_mac = p->node.bluetooth_mac,
            .model = p->node.model,
            .esphome_version = p->node.version,
            .api_major = p->node.api_major,
            .api_minor = p->node.api_minor,
            .features = p->node.features,
            .has_scanner = p->has_scanner,
            .scanner = p->scanner,
            .has_slots = p->slots.is_known,
            .slots_limit = p->slots.limit,
            .slots_free = p->slots.free,
            .slots_allocated = p->slots.addresses,
            .slots_since = p->slots.since,
            .slots_allocated_count = p->slots.count,
            .advertisements = p->advertisements,
            .advertisements_skipped = skipped(p),
            .last_advertisement = p->last_advertisement,
            .quiet_since = p->health.is_quiet ? p->health.silent_since : 0,
            .retakes = p->retakes,
            .round_trip = p->connection ? connection_round_trip(p->connection) : 0,
            .dials = p->dials,
            .greetings = p->greetings,
            .failures = &p->trouble.failures,
    };
}
