/* A fleet for links: proxies with firmware of both ages that keep books of their own, devices that
 * answer or do not, clients that wait for one answer each. Messages take some milliseconds on their
 * way, so that they can cross. Time is virtual. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "link/links.h"

#define SECONDS(n)  ((usec_t) (n) *USEC_PER_SEC)
#define MSEC(n)     ((usec_t) (n) *USEC_PER_MSEC)
#define START       SECONDS(100000)
#define PROXIES     8
#define DEVICES     320
#define SLOTS       9
#define CLIENTS     512
#define TOLD_MAX    8192
#define EVENTS_MAX  4096
#define DEVICE(n)   (0xa4c138000000u + (uint64_t) (n))
#define NUMBER(a)   ((size_t) ((a) -DEVICE(0)))
#define LATENCY     MSEC(5)
#define CLOSE_DELAY MSEC(100)
#define NEWEST                                                                                     \
    (PROXY_FEATURE_ACTIVE_CONNECTIONS | PROXY_FEATURE_REMOTE_CACHING | PROXY_FEATURE_PAIRING)

struct fixture;
enum outcome { CONNECTS, FAILS, NEVER };
struct air {  /* between a device and a proxy */
    int rssi; /* 0: not heard */
    enum outcome outcome;
    int32_t reason;
    usec_t delay; /* of the connect; 0: 500 ms */
    int32_t pair_error;
    bool is_proved, is_bonded;
    uint32_t mtu;
};

enum fake_phase { FAKE_FREE, FAKE_CONNECTING, FAKE_OPEN, FAKE_CLOSING };
struct fake_slot {
    enum fake_phase phase;
    uint64_t address;
    unsigned serial; /* of its taking, so that what was planned for an earlier one is void */
    bool is_foreign, is_unwanted;
};

struct fake {
    bool is_online, is_deaf; /* deaf: takes messages and does nothing */
    bool tells_list, is_old; /* old: says twice that a link ended */
    bool takes_nothing;      /* sending to it fails */
    bool ignores_disconnect;
    bool is_mute; /* its list of slots alone says that a link ended */
    uint32_t features, limit;
    struct fake_slot slots[SLOTS];
    unsigned serial, epoch;
    uint32_t told_free; /* as it came to links last; UINT32_MAX: never */
    unsigned connects, refused, oversold, disconnects, pairs, asked;
    unsigned establishing, most_establishing; /* as links commanded it */
    struct message_device_request last;
};

enum step_kind { STEP_TO_PROXY, STEP_TO_LINKS, STEP_ACT, STEP_CLOSED, STEP_TWICE, STEP_GUEST };
struct step {
    usec_t time;
    uint64_t order;
    enum step_kind kind;
    uint16_t source;
    unsigned epoch, serial;
    uint64_t address;
    struct message message;
    uint64_t allocated[SLOTS];
    uint32_t told_free; /* when the message was sent */
    uint8_t *octets;    /* of the message; owned */
};

/* A room above links that lives in the same fleet. Each may be NULL. */
struct guest {
    bool (*obeys)(struct fixture *f, const struct step *step); /* it has served the message */
    void (*act)(struct fixture *f, const struct step *step, struct fake_slot *slot);
    void (*deliver)(struct fixture *f, const struct step *step);
    void (*settle)(struct fixture *f); /* after each call into links */
    usec_t (*deadline)(struct fixture *f);
    void (*advance)(struct fixture *f);
    bool (*is_proved)(struct fixture *f, uint16_t source, uint64_t address, uint32_t *ret_mtu);
    void *user;
};

struct client {
    struct fixture *fixture;
    struct link_request *request; /* NULL: none waits */
    unsigned answers;
    int code;
    bool has_reason;
    int32_t reason;
    char lease[LINK_LEASE_ID_SIZE];
    usec_t expires, answered, retry_after, asked;
    uint16_t source;
    uint64_t address;
    struct link_attempt attempts[LINK_ATTEMPTS_KEPT];
    size_t attempts_count;
    void (*on_done)(struct client *client);
};

struct fixture {
    struct links *links;
    struct links_settings settings;
    usec_t now;
    struct fake fakes[PROXIES];
    struct air air[DEVICES][PROXIES];
    bool is_unknown[DEVICES];
    uint16_t require[DEVICES][PROXIES], forbid[DEVICES][PROXIES];
    size_t require_count[DEVICES], forbid_count[DEVICES];
    uint16_t prefer[DEVICES];
    bool has_prefer[DEVICES];
    struct step steps[EVENTS_MAX];
    size_t steps_count;
    uint64_t orders;
    struct client clients[CLIENTS];
    struct link_event told[TOLD_MAX];
    size_t told_count; /* in all; the ring has the newest */
    size_t steps_done;
    size_t opened[DEVICES], closed[DEVICES];
    size_t tried[DEVICES], ended[DEVICES]; /* attempts */
    struct link_attempt attempts[DEVICES]; /* that ended last */
    unsigned accepted, answered;
    bool is_leaky; /* slots may be left at the end */
    void (*on_step)(struct fixture *f);
    bool asks_back; /* clients ask again from their answer */
    struct guest guest;
};

/* ---- proxies ---- */

static inline struct step *fixture_step(struct fixture *f, enum step_kind kind, uint16_t source,
                                        usec_t in)
{
    struct step *step = &f->steps[f->steps_count++];

    assert_true(f->steps_count <= EVENTS_MAX);
    *step = (struct step){.time = f->now + in,
                          .order = f->orders++,
                          .kind = kind,
                          .source = source,
                          .epoch = f->fakes[source].epoch};
    return step;
}

static inline void step_keep(struct step *step, struct bytes data)
{
    step->octets = xnew(uint8_t, data.size + 1);
    if (data.size > 0)
        memcpy(step->octets, data.data, data.size);
    step->message.gatt.data = (struct bytes){step->octets, data.size};
}

static inline uint32_t fake_free(const struct fake *fake)
{
    uint32_t taken = 0;

    for (size_t i = 0; i < SLOTS; i++)
        taken += fake->slots[i].phase != FAKE_FREE;
    return taken < fake->limit ? fake->limit - taken : 0;
}

static inline struct fake_slot *fake_find(struct fake *fake, uint64_t address)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (fake->slots[i].phase != FAKE_FREE && fake->slots[i].address == address)
            return &fake->slots[i];
    return NULL;
}

static inline struct fake_slot *fake_take(struct fake *fake, uint64_t address)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (fake->slots[i].phase == FAKE_FREE) {
            fake->slots[i] = (struct fake_slot){
                    .phase = FAKE_CONNECTING, .address = address, .serial = ++fake->serial};
            return &fake->slots[i];
        }
    fail();
    return NULL;
}

static inline void fixture_say_connection(struct fixture *f, uint16_t source, uint64_t address,
                                          bool connected, uint32_t mtu, int32_t error)
{
    struct step *step = fixture_step(f, STEP_TO_LINKS, source, LATENCY);

    step->message = (struct message){
            .type = MESSAGE_DEVICE_CONNECTION_RESPONSE,
            .device_connection = {
                    .address = address, .connected = connected, .mtu = mtu, .error = error}};
}

static inline void fixture_say_slots(struct fixture *f, uint16_t source)
{
    struct fake *fake = &f->fakes[source];
    struct step *step = fixture_step(f, STEP_TO_LINKS, source, LATENCY);
    size_t count = 0;

    for (size_t i = 0; i < SLOTS && fake->tells_list; i++)
        if (fake->slots[i].phase != FAKE_FREE)
            step->allocated[count++] = fake->slots[i].address;
    step->message = (struct message){.type = MESSAGE_CONNECTIONS_FREE_RESPONSE,
                                     .connections_free = {.free = fake_free(fake),
                                                          .limit = fake->limit,
                                                          .allocated_count = count}};
}

static inline void fake_plan(struct fixture *f, uint16_t source, const struct fake_slot *slot,
                             enum step_kind kind, usec_t in)
{
    struct step *step = fixture_step(f, kind, source, in);

    step->address = slot->address;
    step->serial = slot->serial;
}

static inline void fake_close(struct fixture *f, uint16_t source, struct fake_slot *slot)
{
    if (slot->phase == FAKE_CLOSING || f->fakes[source].ignores_disconnect)
        return;
    slot->phase = FAKE_CLOSING;
    fake_plan(f, source, slot, STEP_CLOSED, CLOSE_DELAY);
}

/* The slot is free; the proxy says so. */
static inline void fake_end(struct fixture *f, uint16_t source, struct fake_slot *slot,
                            int32_t error)
{
    uint64_t address = slot->address;

    slot->phase = FAKE_FREE;
    if (!f->fakes[source].is_mute)
        fixture_say_connection(f, source, address, false, 0, error);
    fixture_say_slots(f, source);
    if (f->fakes[source].is_old)
        fixture_step(f, STEP_TWICE, source, MSEC(300))->address = address;
}

static inline void fake_connect(struct fixture *f, const struct step *step, uint64_t address)
{
    struct fake *fake = &f->fakes[step->source];
    struct fake_slot *slot = fake_find(fake, address);
    const struct air *air = &f->air[NUMBER(address)][step->source];

    fake->connects++;
    if (slot && slot->phase == FAKE_OPEN) {
        fixture_say_connection(f, step->source, address, true, 23, 0);
        fixture_say_slots(f, step->source);
    }
    if (slot)
        return;
    if (fake_free(fake) == 0) {
        fake->refused++;
        fake->oversold += step->told_free == 0;
        fixture_say_connection(f, step->source, address, false, 0, 0);
        return;
    }
    slot = fake_take(fake, address);
    fixture_say_slots(f, step->source);
    if (air->outcome != NEVER)
        fake_plan(f, step->source, slot, STEP_ACT, air->delay ? air->delay : MSEC(500));
}

static inline void fake_disconnect(struct fixture *f, uint16_t source, uint64_t address)
{
    struct fake_slot *slot = fake_find(&f->fakes[source], address);

    f->fakes[source].disconnects++;
    if (slot) {
        fake_close(f, source, slot);
        return;
    }
    fixture_say_connection(f, source, address, false, 0, 0);
    fixture_say_slots(f, source);
}

static inline void fake_pair(struct fixture *f, uint16_t source, uint64_t address)
{
    struct fake_slot *slot = fake_find(&f->fakes[source], address);
    int32_t error = f->air[NUMBER(address)][source].pair_error;
    struct step *step;

    f->fakes[source].pairs++;
    if (!slot || slot->phase != FAKE_OPEN)
        error = -1;
    if (error == INT32_MAX)
        return; /* it never answers */
    step = fixture_step(f, STEP_TO_LINKS, source, MSEC(200));
    step->message =
            (struct message){.type = MESSAGE_DEVICE_PAIRING_RESPONSE,
                             .result = {.address = address, .success = error == 0, .error = error}};
}

static inline void fake_obey(struct fixture *f, const struct step *step)
{
    const struct message_device_request *request = &step->message.device_request;

    if (f->fakes[step->source].is_deaf)
        return;
    if (f->guest.obeys && f->guest.obeys(f, step))
        return;
    if (step->message.type == MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST) {
        f->fakes[step->source].asked++;
        fixture_say_slots(f, step->source);
        return;
    }
    assert_int_equal(step->message.type, MESSAGE_DEVICE_REQUEST);
    assert_true(request->has_address_type);
    if (request->request_type == DEVICE_REQUEST_DISCONNECT)
        fake_disconnect(f, step->source, request->address);
    else if (request->request_type == DEVICE_REQUEST_PAIR)
        fake_pair(f, step->source, request->address);
    else
        fake_connect(f, step, request->address);
}

/* What the device does to an attempt. */
static inline void fake_act(struct fixture *f, uint16_t source, struct fake_slot *slot)
{
    const struct air *air = &f->air[NUMBER(slot->address)][source];

    if (slot->phase != FAKE_CONNECTING)
        return;
    if (air->outcome == FAILS) {
        fake_end(f, source, slot, air->reason);
        return;
    }
    slot->phase = FAKE_OPEN;
    fixture_say_connection(f, source, slot->address, true, air->mtu ? air->mtu : 247, 0);
    fixture_say_slots(f, source);
}

/* ---- the house ---- */

static inline int house_send(void *user, uint16_t source, const struct message *message)
{
    struct fixture *f = user;
    struct fake *fake = &f->fakes[source];
    struct step *step;

    if (!fake->is_online)
        return E_PROXY_OFFLINE;
    if (fake->takes_nothing)
        return E_OVERLOADED;
    step = fixture_step(f, STEP_TO_PROXY, source, LATENCY);
    step->message = *message;
    step->told_free = fake->told_free;
    if (message->type == MESSAGE_GATT_WRITE_REQUEST ||
        message->type == MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST)
        step_keep(step, message->gatt.data);
    if (message->type == MESSAGE_DEVICE_REQUEST)
        fake->last = message->device_request;
    return 0;
}

static inline bool house_is_known(void *user, uint64_t address)
{
    return !((struct fixture *) user)->is_unknown[NUMBER(address)];
}

static inline size_t house_hearers(void *user, uint64_t address, struct link_hearer *ret_hearers,
                                   size_t max)
{
    struct fixture *f = user;
    size_t count = 0;

    for (uint16_t i = 0; i < PROXIES && count < max; i++) {
        int rssi = f->air[NUMBER(address)][i].rssi;

        if (rssi)
            ret_hearers[count++] = (struct link_hearer){
                    .source = i, .rssi = rssi, .rssi_smoothed = rssi, .last_heard = f->now};
    }
    return count;
}

static inline uint32_t house_address_type(void *user, uint64_t address)
{
    (void) user;
    return address & 1;
}

static inline void house_rules(void *user, uint64_t address, struct link_rules *ret_rules)
{
    struct fixture *f = user;
    size_t n = NUMBER(address);

    *ret_rules = (struct link_rules){.require = f->require[n],
                                     .require_count = f->require_count[n],
                                     .has_require = f->require_count[n] > 0,
                                     .forbid = f->forbid[n],
                                     .prefer = &f->prefer[n],
                                     .prefer_count = f->has_prefer[n],
                                     .forbid_count = f->forbid_count[n]};
}

static inline bool house_is_proved(void *user, uint16_t source, uint64_t address, uint32_t *ret_mtu)
{
    struct fixture *f = user;
    const struct air *air = &f->air[NUMBER(address)][source];

    if (f->guest.is_proved)
        return f->guest.is_proved(f, source, address, ret_mtu);
    *ret_mtu = air->mtu;
    return air->is_proved;
}

static inline bool house_is_bonded(void *user, uint16_t source, uint64_t address)
{
    return ((struct fixture *) user)->air[NUMBER(address)][source].is_bonded;
}

static inline void house_on_bonded(void *user, uint16_t source, uint64_t address)
{
    ((struct fixture *) user)->air[NUMBER(address)][source].is_bonded = true;
}

static inline void house_on_event(void *user, const struct link_event *event)
{
    struct fixture *f = user;

    f->told[f->told_count++ % TOLD_MAX] = *event;
    f->opened[NUMBER(event->address)] += event->kind == LINK_EVENT_CONNECTED;
    f->closed[NUMBER(event->address)] += event->kind == LINK_EVENT_DISCONNECTED;
    f->tried[NUMBER(event->address)] += event->kind == LINK_EVENT_CONNECTING;
    assert_in_range(f->opened[NUMBER(event->address)] - f->closed[NUMBER(event->address)], 0, 1);
}

/* A device has one attempt at a time. */
static inline void house_on_attempt(void *user, uint64_t address,
                                    const struct link_attempt *attempt)
{
    struct fixture *f = user;

    assert_true(attempt->is_over && attempt->started + attempt->duration >= f->now);
    assert_int_equal(++f->ended[NUMBER(address)], f->tried[NUMBER(address)]);
    f->attempts[NUMBER(address)] = *attempt;
}

/* ---- time ---- */

static inline void fixture_deliver(struct fixture *f, struct step *step)
{
    struct fake *fake = &f->fakes[step->source];

    if (step->message.type == MESSAGE_CONNECTIONS_FREE_RESPONSE) {
        fake->told_free = step->message.connections_free.free;
        step->message.connections_free.allocated = step->allocated;
    }
    links_message(f->links, step->source, &step->message, f->now);
    if (f->guest.deliver)
        f->guest.deliver(f, step);
}

static inline void fixture_do(struct fixture *f, struct step *step)
{
    struct fake *fake = &f->fakes[step->source];
    struct fake_slot *slot;

    if (step->epoch != fake->epoch)
        return;
    slot = fake_find(fake, step->address);
    if (slot && slot->serial != step->serial)
        slot = NULL;
    switch (step->kind) {
    case STEP_TO_PROXY:
        fake_obey(f, step);
        return;
    case STEP_TO_LINKS:
        fixture_deliver(f, step);
        return;
    case STEP_ACT:
        if (slot)
            fake_act(f, step->source, slot);
        return;
    case STEP_CLOSED:
        if (slot)
            fake_end(f, step->source, slot, 0x16);
        return;
    case STEP_GUEST:
        f->guest.act(f, step, slot);
        return;
    case STEP_TWICE:
        fixture_say_connection(f, step->source, step->address, false, 0, 0);
        return;
    }
}

static inline size_t fixture_next(const struct fixture *f)
{
    size_t next = 0;

    for (size_t i = 1; i < f->steps_count; i++)
        if (f->steps[i].time < f->steps[next].time ||
            (f->steps[i].time == f->steps[next].time && f->steps[i].order < f->steps[next].order))
            next = i;
    return next;
}

/* One thing that happens; false: nothing does until then. */
static inline bool fixture_turn(struct fixture *f, usec_t until)
{
    usec_t guest = f->guest.deadline ? f->guest.deadline(f) : USEC_NEVER;
    usec_t due = clock_earlier(links_deadline(f->links), guest);
    size_t next = fixture_next(f);
    bool has_step = f->steps_count > 0 && f->steps[next].time <= due;

    if ((has_step ? f->steps[next].time : due) > until)
        return false;
    if (has_step) {
        struct step step = f->steps[next];

        f->steps[next] = f->steps[--f->steps_count];
        f->now = step.time > f->now ? step.time : f->now;
        fixture_do(f, &step);
        free(step.octets);
    } else {
        f->now = due > f->now ? due : f->now;
        links_advance(f->links, f->now);
        if (f->guest.advance)
            f->guest.advance(f);
        assert_true(f->asks_back || f->guest.advance ||
                    links_deadline(f->links) > f->now); /* or it would spin */
    }
    if (f->guest.settle)
        f->guest.settle(f);
    f->steps_done++;
    if (f->on_step)
        f->on_step(f);
    return true;
}

static inline void fixture_run(struct fixture *f, usec_t span)
{
    usec_t until = f->now + span;
    size_t turns = 0;

    if (f->guest.settle)
        f->guest.settle(f); /* of what was just done to links */
    while (fixture_turn(f, until))
        assert_true(++turns < 2000000);
    f->now = until;
}

/* ---- what tests do ---- */

static inline void fixture_online(struct fixture *f, uint16_t source)
{
    struct fake *fake = &f->fakes[source];
    struct link_proxy proxy = {.features = fake->features};

    fake->is_online = true;
    links_proxy_online(f->links, source, &proxy, f->now);
    fixture_say_slots(f, source);
}

/* Its links end with the conversation. */
static inline void fixture_offline(struct fixture *f, uint16_t source)
{
    struct fake *fake = &f->fakes[source];

    fake->is_online = false;
    fake->epoch++;
    fake->told_free = UINT32_MAX;
    for (size_t i = 0; i < SLOTS; i++)
        if (!fake->slots[i].is_foreign)
            fake->slots[i].phase = FAKE_FREE;
    links_proxy_offline(f->links, source, f->now);
}

/* A proxy of the newest firmware, that is online. */
static inline struct fake *fixture_proxy(struct fixture *f, uint16_t source, uint32_t limit)
{
    struct fake *fake = &f->fakes[source];

    fake->features = NEWEST;
    fake->limit = limit;
    fake->tells_list = true;
    fake->told_free = UINT32_MAX;
    fixture_online(f, source);
    fixture_run(f, 2 * LATENCY);
    return fake;
}

static inline void fixture_drop(struct fixture *f, uint16_t source, size_t device, int32_t reason)
{
    struct fake_slot *slot = fake_find(&f->fakes[source], DEVICE(device));

    assert_non_null(slot);
    fake_end(f, source, slot, reason);
}

static inline void client_done(void *user, const struct link_answer *answer)
{
    struct client *c = user;

    assert_non_null(c->request);
    c->request = NULL;
    c->answers++;
    c->fixture->answered++;
    c->code = answer->code;
    c->has_reason = answer->has_reason;
    c->reason = answer->reason;
    c->expires = answer->expires;
    c->answered = c->fixture->now;
    c->retry_after = answer->retry_after;
    c->source = answer->source;
    c->attempts_count = answer->attempts_count;
    assert_in_range(answer->attempts_count, 0, LINK_ATTEMPTS_KEPT);
    if (answer->attempts_count)
        memcpy(c->attempts, answer->attempts, answer->attempts_count * sizeof(*answer->attempts));
    assert_int_equal(answer->lease != NULL, answer->code == 0);
    memset(c->lease, 0, sizeof(c->lease));
    if (answer->lease)
        memcpy(c->lease, answer->lease, sizeof(c->lease));
    if (c->on_done)
        c->on_done(c);
}

static inline struct link_wish wish_for(size_t device)
{
    return (struct link_wish){.address = DEVICE(device),
                              .timeout = SECONDS(60),
                              .attempt_timeout = SECONDS(20),
                              .queue_for = SECONDS(5),
                              .attempts = 4,
                              .source = LINK_NO_SOURCE,
                              .use_cache = true,
                              .lease = SECONDS(60)};
}

static inline int fixture_ask(struct fixture *f, size_t client, const struct link_wish *wish)
{
    struct client *c = &f->clients[client];
    int result;

    assert_null(c->request);
    c->fixture = f;
    c->address = wish->address;
    c->asked = f->now;
    c->code = 1;
    result = links_connect(f->links, wish, client_done, c, f->now, &c->request);
    if (result == 0)
        f->accepted++;
    return result;
}

/* A request with the usual wishes. */
static inline struct client *fixture_connect(struct fixture *f, size_t client, size_t device)
{
    struct link_wish wish = wish_for(device);

    assert_int_equal(fixture_ask(f, client, &wish), 0);
    return &f->clients[client];
}

static inline size_t fixture_count(const struct fixture *f, enum link_event_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < f->told_count; i++)
        count += f->told[i % TOLD_MAX].kind == kind;
    return count;
}

static inline const struct link_event *fixture_last(const struct fixture *f,
                                                    enum link_event_kind kind)
{
    for (size_t i = f->told_count; i-- > 0;)
        if (f->told[i % TOLD_MAX].kind == kind)
            return &f->told[i % TOLD_MAX];
    return NULL;
}

static inline struct link_view fixture_view(const struct fixture *f, size_t device)
{
    struct link_view view;

    if (!links_get(f->links, DEVICE(device), &view))
        fail_msg("there is no link to device %zu", device);
    return view;
}

static inline bool fixture_has_link(const struct fixture *f, size_t device)
{
    struct link_view view;

    return links_get(f->links, DEVICE(device), &view);
}

static inline unsigned fixture_taken(const struct fixture *f, uint16_t source)
{
    return f->fakes[source].limit - fake_free(&f->fakes[source]);
}

/* ---- life ---- */

static inline int fixture_setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);
    struct links_house house = {
            .send = house_send,
            .is_known = house_is_known,
            .hearers = house_hearers,
            .address_type = house_address_type,
            .rules = house_rules,
            .is_proved = house_is_proved,
            .is_bonded = house_is_bonded,
            .on_bonded = house_on_bonded,
            .on_event = house_on_event,
            .on_attempt = house_on_attempt,
            .user = f,
    };

    f->now = START;
    f->settings = (struct links_settings){.linger = SECONDS(10), .queue_length = 256};
    f->links = links_new(&f->settings, &house, 42);
    links_advance(f->links, f->now);
    *state = f;
    return 0;
}

/* Whatever a test did: in the end all is answered once, told once, and no slot is lost. */
static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    f->on_step = NULL;
    links_close(f->links, f->now);
    fixture_run(f, SECONDS(60));
    assert_true(links_is_closed(f->links));
    assert_int_equal(f->accepted, f->answered);
    for (size_t i = 0; i < DEVICES; i++) {
        assert_int_equal(f->opened[i], f->closed[i]);
        assert_int_equal(f->tried[i], f->ended[i]);
    }
    for (uint16_t i = 0; i < PROXIES && !f->is_leaky; i++)
        assert_int_equal(fake_free(&f->fakes[i]), f->fakes[i].limit);
    links_free(f->links);
    for (size_t i = 0; i < f->steps_count; i++)
        free(f->steps[i].octets);
    free(f);
    return 0;
}

#define links_test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
