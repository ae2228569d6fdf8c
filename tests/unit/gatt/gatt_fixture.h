/* The fleet of links_fixture.h with devices that have GATT databases behind it, and programs that
 * want something of them. Firmware as of today: it tells its services once a link, passes values on
 * after message 78, acknowledges writes without response. Time is virtual. */
#pragma once

#include <stdio.h>

#include "gatt/gatt.h"
#include "link/links_fixture.h"

#define GADGETS      DEVICES
#define PROGRAMS     256
#define VALUES_MAX   4096
#define COMMAND      MSEC(2)
#define OPERATION    MSEC(20) /* of a device */
#define ALL_FEATURES (NEWEST | PROXY_FEATURE_CACHE_CLEARING | PROXY_FEATURE_CONNECTION_PARAMS)

/* Handles of the first database; the second has them 0x100 further. */
enum {
    H_NAME = 3,
    H_CHANGED = 7,
    H_CHANGED_CCCD,
    H_HASH = 10,
    H_BATTERY = 22,
    H_BATTERY_CCCD,
    H_ANY_WRITE = 32,
    H_WRITE = 34,
    H_WRITE_TEXT,
    H_COMMAND,
    H_INDICATE = 38,
    H_INDICATE_CCCD,
    H_NO_CCCD = 41,
    H_BOTH = 43,
    H_BOTH_CCCD,
    H_TWIN = 46,
    H_OTHER_TWIN = 48,
    H_MOVED = 0x100,
    H_MAX = 0x200,
};
enum {
    U_BATTERY = 0x2a19,
    U_ANY_WRITE = 0xfff1,
    U_WRITE,
    U_COMMAND,
    U_INDICATE,
    U_NO_CCCD,
    U_BOTH,
    U_TWIN
};

struct row {
    uint16_t kind, uuid, handle, properties;
    bool is_of_hashed; /* only where the device can tell of changes */
};
static const struct row rows[] = {
        {GATT_SERVICE, 0x1800, 1, 0, false},
        {GATT_CHARACTERISTIC, 0x2a00, H_NAME, GATT_READ, false},
        {GATT_SERVICE, 0x1801, 5, 0, true},
        {GATT_CHARACTERISTIC, GATT_UUID_SERVICE_CHANGED, H_CHANGED, GATT_INDICATE, true},
        {GATT_DESCRIPTOR, GATT_UUID_CCCD, H_CHANGED_CCCD, 0, true},
        {GATT_CHARACTERISTIC, GATT_UUID_DATABASE_HASH, H_HASH, GATT_READ, true},
        {GATT_SERVICE, 0x180f, 20, 0, false},
        {GATT_CHARACTERISTIC, U_BATTERY, H_BATTERY, GATT_READ | GATT_NOTIFY, false},
        {GATT_DESCRIPTOR, GATT_UUID_CCCD, H_BATTERY_CCCD, 0, false},
        {GATT_SERVICE, 0xfff0, 30, 0, false},
        {GATT_CHARACTERISTIC, U_ANY_WRITE, H_ANY_WRITE, GATT_WRITE | GATT_WRITE_WITHOUT_RESPONSE,
         false},
        {GATT_CHARACTERISTIC, U_WRITE, H_WRITE, GATT_WRITE, false},
        {GATT_DESCRIPTOR, 0x2901, H_WRITE_TEXT, 0, false},
        {GATT_CHARACTERISTIC, U_COMMAND, H_COMMAND, GATT_WRITE_WITHOUT_RESPONSE, false},
        {GATT_CHARACTERISTIC, U_INDICATE, H_INDICATE, GATT_INDICATE, false},
        {GATT_DESCRIPTOR, GATT_UUID_CCCD, H_INDICATE_CCCD, 0, false},
        {GATT_CHARACTERISTIC, U_NO_CCCD, H_NO_CCCD, GATT_NOTIFY, false},
        {GATT_CHARACTERISTIC, U_BOTH, H_BOTH, GATT_NOTIFY | GATT_INDICATE, false},
        {GATT_DESCRIPTOR, GATT_UUID_CCCD, H_BOTH_CCCD, 0, false},
        {GATT_CHARACTERISTIC, U_TWIN, H_TWIN, GATT_READ, false},
        {GATT_CHARACTERISTIC, U_TWIN, H_OTHER_TWIN, GATT_READ, false},
};

struct gadget {
    bool is_hashed;           /* has Service Changed and the Database Hash */
    bool has_moved;           /* its second database */
    uint8_t hash;             /* 0: that of its database */
    bool is_lenient;          /* has any handle */
    bool is_empty;            /* no services are told */
    bool stops_in_services;   /* their list is begun and never ended */
    enum message_type silent; /* requests of this kind are not answered */
    usec_t busy_until;        /* it does one thing after the other */
    usec_t slow;              /* beyond OPERATION */
    uint32_t failing;         /* handle */
    int32_t error;
    uint32_t reads; /* a value read is that number, of all reads so far */
    uint16_t cccd[H_MAX];
    uint8_t written[GATT_VALUE_MAX];
    size_t written_size;
    bool was_with_response;
    uint64_t sent; /* values notified */
};
struct way {                  /* between a gadget and a proxy, while they are connected */
    bool is_cached, was_told; /* its services */
    bool listens[H_MAX];
};

struct program {
    struct gatt_world *world;
    struct gatt_request *request;
    unsigned answers;
    int code;
    bool has_number, with_response, is_discovered, cleared_proxy;
    int32_t number;
    uint16_t handle, source;
    uint8_t value[GATT_VALUE_MAX];
    size_t value_size;
    uint32_t max;
    size_t handles_count, services;
    uint16_t handles[GATT_HANDLES_MAX];
    char lease[LINK_LEASE_ID_SIZE];
    char feature[32];
    int link_code;
    usec_t answered, asked;
    uint32_t reads_before; /* of the device, when it was asked for */
    void (*on_done)(struct program *program);
};

struct told_value {
    uint64_t address, counter;
    uint16_t handle;
    uint8_t octets[8];
    size_t size;
};

struct gatt_world {
    struct fixture *f;
    struct gatt *gatt;
    struct gatt_settings settings;
    struct gadget gadgets[GADGETS];
    struct way ways[PROXIES][GADGETS];
    struct program programs[PROGRAMS];
    unsigned sent[MESSAGE_TYPE_MAX + 1]; /* to proxies, by type */
    unsigned cleared, unpaired;
    unsigned accepted, answered;
    struct told_value values[VALUES_MAX];
    size_t values_count, events_heard;
    size_t subscription_changes, unbonded;
    int32_t unpair_error, parameters_error;
    bool ignores_commands; /* writes without response are not acknowledged */
    void (*on_value)(struct gatt_world *w, const struct gatt_value *value);
    size_t on_air[PROXIES][GADGETS], most_on_air;
};

static inline struct gatt_world *world_of(struct fixture *f)
{
    return f->guest.user;
}

/* ---- devices ---- */

static inline uint16_t moved(const struct gadget *gadget, uint16_t handle)
{
    return (uint16_t) (handle + (gadget->has_moved ? H_MOVED : 0));
}

static inline const struct row *find_row(const struct gadget *gadget, enum gatt_kind kind,
                                         uint32_t handle)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].kind == kind && moved(gadget, rows[i].handle) == handle &&
            (gadget->is_hashed || !rows[i].is_of_hashed))
            return &rows[i];
    return NULL;
}

static inline void say(struct fixture *f, uint16_t source, usec_t in, enum message_type type,
                       size_t device, uint32_t handle, struct bytes data, int32_t error)
{
    struct step *step = fixture_step(f, STEP_TO_LINKS, source, in);

    step->message = (struct message){
            .type = type, .gatt = {.address = DEVICE(device), .handle = handle, .error = error}};
    step_keep(step, data);
}

static inline void say_result(struct fixture *f, uint16_t source, enum message_type type,
                              size_t device, int32_t error)
{
    struct step *step = fixture_step(f, STEP_TO_LINKS, source, LATENCY);

    step->message = (struct message){
            .type = type,
            .result = {.address = DEVICE(device), .success = error == 0, .error = error}};
}

/* The characteristics of the row's service, with their descriptors, then message 71. */
static inline void deliver_service(struct gatt_world *w, const struct step *step)
{
    struct gadget *gadget = &w->gadgets[NUMBER(step->address)];
    struct message_descriptor descriptors[ARRAY_SIZE(rows)];
    struct message_characteristic characteristics[ARRAY_SIZE(rows)];
    struct message_service service = {.characteristics = characteristics};
    size_t i = step->serial, d = 0;
    struct message message = {.type = MESSAGE_GATT_GET_SERVICES_RESPONSE,
                              .services = {step->address, &service, 1}};

    service.uuid.short_uuid = rows[i].uuid;
    service.handle = moved(gadget, rows[i].handle);
    for (i++; i < ARRAY_SIZE(rows) && rows[i].kind != GATT_SERVICE; i++) {
        struct message_characteristic *c = &characteristics[service.characteristics_count];

        if (rows[i].kind == GATT_DESCRIPTOR) {
            descriptors[d++] = (struct message_descriptor){.uuid.short_uuid = rows[i].uuid,
                                                           .handle = moved(gadget, rows[i].handle)};
            c[-1].descriptors_count++;
            continue;
        }
        *c = (struct message_characteristic){.uuid.short_uuid = rows[i].uuid,
                                             .handle = moved(gadget, rows[i].handle),
                                             .properties = rows[i].properties,
                                             .descriptors = descriptors + d};
        service.characteristics_count++;
    }
    gatt_message(w->gatt, step->source, &message, w->f->now);
}

static inline void tell_services(struct gatt_world *w, uint16_t source, size_t device)
{
    struct gadget *gadget = &w->gadgets[device];
    struct way *way = &w->ways[source][device];
    usec_t in = LATENCY;

    if (way->was_told)
        return; /* it freed its copy */
    way->was_told = true;
    for (unsigned i = 0; i < ARRAY_SIZE(rows) && !way->is_cached && !gadget->is_empty; i++) {
        struct step *step;

        if (rows[i].kind != GATT_SERVICE || (rows[i].is_of_hashed && !gadget->is_hashed))
            continue;
        step = fixture_step(w->f, STEP_TO_LINKS, source, in += MSEC(1));
        step->message.type = MESSAGE_GATT_GET_SERVICES_RESPONSE;
        step->address = DEVICE(device);
        step->serial = i;
    }
    if (!gadget->stops_in_services)
        say(w->f, source, in + MSEC(1), MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE, device, 0,
            (struct bytes){0}, 0);
}

static inline void answer_read(struct gatt_world *w, const struct step *step, size_t device)
{
    struct gadget *gadget = &w->gadgets[device];
    uint32_t handle = step->message.gatt.handle;
    uint8_t hash[GATT_HASH_SIZE], count[4];
    const struct row *row = find_row(gadget, GATT_CHARACTERISTIC, handle);
    bool is_hash = row && row->uuid == GATT_UUID_DATABASE_HASH;

    memset(hash, gadget->hash ? gadget->hash : gadget->has_moved ? 2 : 1, sizeof hash);
    bytes_put_le32(count, ++gadget->reads);
    say(w->f, step->source, LATENCY, MESSAGE_GATT_READ_RESPONSE, device, handle,
        is_hash ? (struct bytes){hash, sizeof hash} : (struct bytes){count, sizeof count}, 0);
}

static inline void answer_write(struct gatt_world *w, const struct step *step, size_t device)
{
    struct gadget *gadget = &w->gadgets[device];
    const struct message_gatt *m = &step->message.gatt;
    bool is_command = step->message.type == MESSAGE_GATT_WRITE_REQUEST && !m->flag;

    gadget->was_with_response = !is_command;
    gadget->written_size = m->data.size;
    assert_in_range(m->data.size, 0, GATT_VALUE_MAX);
    memcpy(gadget->written, m->data.data, m->data.size);
    if (step->message.type == MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST && m->data.size == 2)
        gadget->cccd[m->handle] = m->data.data[0];
    if (!is_command || !w->ignores_commands)
        say(w->f, step->source, LATENCY, MESSAGE_GATT_WRITE_RESPONSE, device, m->handle,
            (struct bytes){0}, 0);
}

/* What the device does with an operation. */
static inline void gadget_act(struct fixture *f, const struct step *step, struct fake_slot *slot)
{
    struct gatt_world *w = world_of(f);
    size_t device = NUMBER(step->message.gatt.address);
    struct gadget *gadget = &w->gadgets[device];
    const struct message_gatt *m = &step->message.gatt;
    bool is_descriptor = step->message.type == MESSAGE_GATT_READ_DESCRIPTOR_REQUEST ||
                         step->message.type == MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST;
    int32_t error = 0;

    if (w->on_air[step->source][device] > 0)
        w->on_air[step->source][device]--;
    if (step->serial != 0 && (!slot || slot->phase != FAKE_OPEN))
        return; /* the link is gone, and what it was about to answer with it */
    if (step->serial == 0)
        error = -1;
    else if (gadget->failing == m->handle && m->handle)
        error = gadget->error;
    else if (!gadget->is_lenient && step->message.type != MESSAGE_GATT_GET_SERVICES_REQUEST &&
             !find_row(gadget, is_descriptor ? GATT_DESCRIPTOR : GATT_CHARACTERISTIC, m->handle))
        error = 1;
    if (gadget->silent == step->message.type)
        return;
    if (error) {
        say(f, step->source, LATENCY, MESSAGE_GATT_ERROR_RESPONSE, device, m->handle,
            (struct bytes){0}, error);
        return;
    }
    switch ((int) step->message.type) {
    case MESSAGE_GATT_GET_SERVICES_REQUEST:
        tell_services(w, step->source, device);
        return;
    case MESSAGE_GATT_READ_REQUEST:
    case MESSAGE_GATT_READ_DESCRIPTOR_REQUEST:
        answer_read(w, step, device);
        return;
    case MESSAGE_GATT_WRITE_REQUEST:
    case MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST:
        answer_write(w, step, device);
        return;
    case MESSAGE_GATT_NOTIFY_REQUEST:
        w->ways[step->source][device].listens[m->handle] = m->flag;
        say(f, step->source, LATENCY, MESSAGE_GATT_NOTIFY_RESPONSE, device, m->handle,
            (struct bytes){0}, 0);
        return;
    default:
        fail();
    }
}

/* ---- proxies ---- */

static inline bool obey_device_request(struct gatt_world *w, const struct step *step)
{
    const struct message_device_request *m = &step->message.device_request;
    size_t device = NUMBER(m->address);

    if (m->request_type == DEVICE_REQUEST_CONNECT_WITH_CACHE ||
        m->request_type == DEVICE_REQUEST_CONNECT_WITHOUT_CACHE) {
        struct fake_slot *slot = fake_find(&w->f->fakes[step->source], m->address);

        if (!slot) {
            w->ways[step->source][device] =
                    (struct way){.is_cached = m->request_type == DEVICE_REQUEST_CONNECT_WITH_CACHE};
            memset(w->gadgets[device].cccd, 0, sizeof w->gadgets[device].cccd);
            w->gadgets[device].busy_until = 0;
        }
    } else if (m->request_type == DEVICE_REQUEST_CLEAR_CACHE) {
        w->cleared++;
        if (w->gadgets[device].silent != MESSAGE_DEVICE_REQUEST)
            say_result(w->f, step->source, MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE, device, 0);
        return true;
    } else if (m->request_type == DEVICE_REQUEST_UNPAIR) {
        w->unpaired++;
        if (w->gadgets[device].silent != MESSAGE_DEVICE_REQUEST)
            say_result(w->f, step->source, MESSAGE_DEVICE_UNPAIRING_RESPONSE, device,
                       w->unpair_error);
        return true;
    }
    return false;
}

static inline bool guest_obeys(struct fixture *f, const struct step *step)
{
    struct gatt_world *w = world_of(f);
    uint64_t address = step->message.gatt.address;
    struct fake_slot *slot = fake_find(&f->fakes[step->source], address);
    bool is_command = step->message.type == MESSAGE_GATT_WRITE_REQUEST && !step->message.gatt.flag;
    struct gadget *gadget;
    struct step *act;

    if (step->message.type == MESSAGE_DEVICE_REQUEST)
        return obey_device_request(w, step);
    if (step->message.type == MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST)
        return false;
    if (step->message.type == MESSAGE_SET_CONNECTION_PARAMS_REQUEST) {
        say_result(f, step->source, MESSAGE_SET_CONNECTION_PARAMS_RESPONSE,
                   NUMBER(step->message.connection_params.address), w->parameters_error);
        return true;
    }
    gadget = &w->gadgets[NUMBER(address)];
    gadget->busy_until = clock_later(gadget->busy_until, f->now) + gadget->slow +
                         (is_command ? COMMAND : OPERATION);
    act = fixture_step(f, STEP_GUEST, step->source, gadget->busy_until - f->now);
    act->message = step->message;
    step_keep(act, step->message.gatt.data);
    act->address = address;
    act->serial = slot ? slot->serial : 0;
    w->on_air[step->source][NUMBER(address)]++;
    if (w->on_air[step->source][NUMBER(address)] > w->most_on_air)
        w->most_on_air = w->on_air[step->source][NUMBER(address)];
    return true;
}

/* ---- the room ---- */

static inline void guest_settle(struct fixture *f)
{
    struct gatt_world *w = world_of(f);

    while (w->events_heard < f->told_count) {
        struct link_event event = f->told[w->events_heard++ % TOLD_MAX];

        gatt_link_event(w->gatt, &event);
    }
}

static inline void guest_deliver(struct fixture *f, const struct step *step)
{
    guest_settle(f);
    if (step->message.type == MESSAGE_GATT_GET_SERVICES_RESPONSE)
        deliver_service(world_of(f), step);
    else
        gatt_message(world_of(f)->gatt, step->source, &step->message, f->now);
}

static inline usec_t guest_deadline(struct fixture *f)
{
    return gatt_deadline(world_of(f)->gatt);
}

static inline void guest_advance(struct fixture *f)
{
    guest_settle(f);
    gatt_advance(world_of(f)->gatt, f->now);
}

static inline bool guest_is_proved(struct fixture *f, uint16_t source, uint64_t address,
                                   uint32_t *ret_mtu)
{
    return gatt_cache_is_proved(gatt_get_cache(world_of(f)->gatt), address, source, ret_mtu);
}

static inline int gatt_house_send(void *user, uint16_t source, const struct message *message)
{
    struct gatt_world *w = user;
    int result = house_send(w->f, source, message);

    if (result == 0)
        w->sent[message->type]++;
    return result;
}

static inline int64_t gatt_house_wall(void *user, usec_t moment)
{
    (void) user;
    return (int64_t) moment;
}

static inline uint32_t gatt_house_features(void *user, uint16_t source)
{
    return ((struct gatt_world *) user)->f->fakes[source].features;
}

static inline void gatt_house_on_value(void *user, const struct gatt_value *value)
{
    struct gatt_world *w = user;
    struct told_value *told = &w->values[w->values_count++ % VALUES_MAX];

    *told = (struct told_value){.address = value->address,
                                .counter = value->counter,
                                .handle = value->handle,
                                .size = value->value.size};
    if (w->on_value)
        w->on_value(w, value);
    assert_true(value->time >= w->f->now); /* a test may turn the clock back, the room does not */
    if (value->value.size > 0)
        memcpy(told->octets, value->value.data, value->value.size < 8 ? value->value.size : 8);
}

static inline void gatt_house_on_subscriptions(void *user, uint64_t address)
{
    (void) address;
    ((struct gatt_world *) user)->subscription_changes++;
}

static inline void gatt_house_on_bond(void *user, uint16_t source, uint64_t address, bool is_bonded)
{
    (void) source, (void) address;
    ((struct gatt_world *) user)->unbonded += !is_bonded;
}

/* ---- programs ---- */

static inline void program_done(void *user, const struct gatt_answer *a)
{
    struct program *p = user;

    assert_non_null(p->request);
    p->request = NULL;
    p->answers++;
    p->world->answered++;
    p->code = a->code;
    p->has_number = a->has_number;
    p->number = a->number;
    p->handle = a->handle;
    p->source = a->source;
    p->with_response = a->with_response;
    p->is_discovered = a->is_discovered;
    p->cleared_proxy = a->cleared_proxy;
    p->max = a->max;
    p->handles_count = a->handles_count;
    memcpy(p->handles, a->handles, sizeof p->handles);
    p->link_code = a->link ? a->link->code : 0;
    p->services = a->known ? gatt_tree_services(a->known->tree) : 0;
    p->value_size = a->value.size;
    if (a->value.size > 0)
        memcpy(p->value, a->value.data, a->value.size);
    snprintf(p->lease, sizeof p->lease, "%s", a->lease ? a->lease : "");
    snprintf(p->feature, sizeof p->feature, "%s", a->feature ? a->feature : "");
    p->answered = p->world->f->now;
    if (p->on_done)
        p->on_done(p);
}

static inline struct gatt_wish gatt_wish_for(size_t device, enum gatt_verb verb, uint16_t handle)
{
    return (struct gatt_wish){
            .verb = verb,
            .target = {.has_handle = true, .handle = handle},
            .clears_cccd = true,
            .link = wish_for(device),
            .timeout = SECONDS(30),
            .tries = 2,
    };
}

static inline struct gatt_wish gatt_wish_of(size_t device, enum gatt_verb verb, uint32_t uuid)
{
    struct gatt_wish wish = gatt_wish_for(device, verb, 0);

    wish.target = (struct gatt_target){.uuid = ble_uuid_from_short(uuid)};
    return wish;
}

static inline int world_ask(struct gatt_world *w, size_t program, const struct gatt_wish *wish)
{
    struct program *p = &w->programs[program];
    int result;

    assert_null(p->request);
    p->world = w;
    p->code = 1;
    p->asked = w->f->now;
    p->reads_before = w->gadgets[NUMBER(wish->link.address)].reads;
    result = gatt_submit(w->gatt, wish, program_done, p, w->f->now, &p->request);
    w->accepted += result == 0;
    assert_int_equal(p->code, 1); /* never from inside */
    return result;
}

static inline struct program *world_want(struct gatt_world *w, size_t program,
                                         const struct gatt_wish *wish)
{
    assert_int_equal(world_ask(w, program, wish), 0);
    return &w->programs[program];
}

/* The same, and what comes of it. */
static inline struct program *world_do(struct gatt_world *w, size_t program,
                                       const struct gatt_wish *wish)
{
    struct program *p = world_want(w, program, wish);
    usec_t until = w->f->now + SECONDS(200);

    while (p->request && w->f->now < until)
        if (!fixture_turn(w->f, until))
            break;
    assert_null(p->request);
    return p;
}

static inline void world_cancel(struct gatt_world *w, size_t program)
{
    struct program *p = &w->programs[program];

    if (!p->request)
        return;
    gatt_cancel(w->gatt, p->request, w->f->now);
    p->request = NULL;
    w->accepted--;
}

static inline void world_run(struct gatt_world *w, usec_t span)
{
    fixture_run(w->f, span);
}

static inline struct fake_slot *world_slot(struct gatt_world *w, uint16_t source, size_t device)
{
    struct fake_slot *slot = fake_find(&w->f->fakes[source], DEVICE(device));

    return slot && slot->phase == FAKE_OPEN ? slot : NULL;
}

/* The device sends a value of 8 octets; whether a proxy passes it on. */
static inline bool gadget_notify(struct gatt_world *w, size_t device, uint16_t handle,
                                 uint16_t cccd, uint64_t value)
{
    struct gadget *gadget = &w->gadgets[device];
    uint8_t octets[8];

    memcpy(octets, &value, sizeof octets);
    for (uint16_t i = 0; i < PROXIES; i++) {
        if (!w->f->fakes[i].is_online || !world_slot(w, i, device) || !gadget->cccd[cccd] ||
            !w->ways[i][device].listens[handle])
            continue;
        gadget->sent++;
        say(w->f, i, LATENCY, MESSAGE_GATT_NOTIFY_DATA_RESPONSE, device, handle,
            (struct bytes){octets, sizeof octets}, 0);
        return true;
    }
    return false;
}

/* ---- life ---- */

static inline int world_setup(void **state)
{
    struct gatt_world *w = xnew(struct gatt_world, 1);
    struct gatt_house house = {.send = gatt_house_send,
                               .wall = gatt_house_wall,
                               .features = gatt_house_features,
                               .on_value = gatt_house_on_value,
                               .on_subscriptions = gatt_house_on_subscriptions,
                               .on_bond = gatt_house_on_bond,
                               .user = w};

    fixture_setup((void **) &w->f);
    w->settings = (struct gatt_settings){
            .operations_queue = 32, .notify_queue = 16, .cache_entries = 128};
    w->gatt = gatt_new(&w->settings, &house, w->f->links);
    w->f->guest = (struct guest){.obeys = guest_obeys,
                                 .act = gadget_act,
                                 .deliver = guest_deliver,
                                 .settle = guest_settle,
                                 .deadline = guest_deadline,
                                 .advance = guest_advance,
                                 .is_proved = guest_is_proved,
                                 .user = w};
    *state = w;
    return 0;
}

/* A proxy that hears the first hundred devices. */
static inline struct fake *world_proxy(struct gatt_world *w, uint16_t source, int rssi)
{
    struct fake *fake = &w->f->fakes[source];

    for (size_t i = 0; i < 100; i++)
        w->f->air[i][source].rssi = rssi;
    fixture_proxy(w->f, source, 3);
    fake->features = ALL_FEATURES;
    links_proxy_online(w->f->links, source, &(struct link_proxy){.features = fake->features},
                       w->f->now);
    return fake;
}

static inline int world_setup_with_proxy(void **state)
{
    world_setup(state);
    world_proxy(*state, 0, -50);
    return 0;
}

static inline int world_teardown(void **state)
{
    struct gatt_world *w = *state;
    struct fixture *f = w->f;
    struct gatt_statistics statistics;

    f->on_step = NULL;
    gatt_close(w->gatt, f->now);
    links_close(f->links, f->now);
    fixture_run(f, SECONDS(60));
    assert_int_equal(w->accepted, w->answered);
    gatt_get_statistics(w->gatt, &statistics);
    assert_int_equal(statistics.waiting, 0);
    assert_int_equal(statistics.requests, statistics.answered + statistics.failed);
    assert_int_equal(statistics.subscriptions, 0);
    gatt_free(w->gatt);
    f->guest = (struct guest){0};
    fixture_teardown((void **) &w->f);
    free(w);
    return 0;
}

#define gatt_test(name)                                                                            \
    cmocka_unit_test_setup_teardown(name, world_setup_with_proxy, world_teardown)
