/* A whole proxy in a world of three devices, driven by messages and virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fleet/dice.h"
#include "fleet/gatt_library.h"
#include "fleet/proxy_model.h"

#define START  ((usec_t) 1000000)
#define STEP   (5 * USEC_PER_MSEC)
#define SECOND USEC_PER_SEC
#define LAMP   0xc00000000001u
#define LOCK   0xc00000000002u
#define SCALE  0xc00000000003u
#define VALVE  0xc00000000004u
#define NOBODY 0xc0000000dead
#define MTU    247
#define NEAR   2.0
#define FAR    10000.0
#define ECHO   21 /* handles of TEST_DATA/gatt/bench.json */
#define MUTE   33
#define STATE  6 /* … and of lock.json */

struct sent {
    unsigned client;
    struct message message;
    uint64_t allocated[SLOTS_MAX + 1];
    usec_t time;
};

struct fixture {
    struct world *world;
    struct proxy_model *model, *other; /* other: a second proxy beside the first */
    struct sent sent[2000];
    size_t count, read;
    usec_t now;
    struct gatt_library *library;
    bool was_sent[MESSAGE_TYPE_MAX + 1];
};

static int on_send(void *user, unsigned client, const struct message *message)
{
    struct fixture *f = user;

    if (message->type == MESSAGE_SCANNER_STATE_RESPONSE ||
        message->type == MESSAGE_RAW_ADVERTISEMENTS_RESPONSE)
        return 0;
    f->was_sent[message->type] = true;
    assert_true(f->count < ARRAY_SIZE(f->sent));
    struct sent *sent = &f->sent[f->count++];
    *sent = (struct sent){.client = client, .message = *message, .time = f->now};
    if (message->type == MESSAGE_CONNECTIONS_FREE_RESPONSE &&
        message->connections_free.allocated_count > 0)
        memcpy(sent->allocated, message->connections_free.allocated,
               message->connections_free.allocated_count * sizeof(uint64_t));
    return 0;
}

static int on_other_send(void *user, unsigned client, const struct message *message)
{
    (void) user;
    (void) client;
    (void) message;
    return 0;
}

static struct world_device_options device_of(uint64_t address)
{
    static const struct payload PAYLOAD = {.data = {2, 1, 6}, .size = 3, .advertising_size = 3};
    struct world_device_options options = {
            .address = address,
            .address_type = 1,
            .place = {.x = NEAR},
            .interval = 100 * USEC_PER_MSEC,
            .tx_power_dbm = -59,
            .payloads = &PAYLOAD,
            .payloads_count = 1,
            .payload_events = 1,
            .peripheral = PERIPHERAL_USUAL,
    };
    options.peripheral.is_connectable = true;
    options.peripheral.connect = (struct luck_span){400 * USEC_PER_MSEC, 400 * USEC_PER_MSEC};
    return options;
}

static void add_device(struct fixture *f, const struct world_device_options *options)
{
    assert_int_equal(world_add_device(f->world, options, f->now), 0);
}

static struct proxy_model_options options_of(const char *profile)
{
    return proxy_model_usual(proxy_profile_find(profile));
}

static void send_request(struct fixture *f, struct proxy_model *model,
                         const struct message *message)
{
    proxy_model_receive(model, 0, message, f->now);
}

static void subscribe(struct fixture *f, struct proxy_model *model)
{
    send_request(f, model,
                 &(struct message){.type = MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST,
                                   .subscription_flags = 1});
}

/* Two proxies at the same place; client 0 of both is subscribed. */
static struct fixture *fixture_with(const struct proxy_model_options *options)
{
    static const struct world_radio RADIO = {
            .exponent = 2, .sensitivity_dbm = -95, .floor_height = 2.7};
    struct fixture *f = xnew(struct fixture, 1);
    const struct proxy_model_options other = options_of("2026");

    f->now = START;
    f->library = gatt_library_new(TEST_DATA "/gatt");
    f->world = world_new(&RADIO, 1);
    (void) world_add_listener(f->world, &(struct world_place){0}, 1.0);
    (void) world_add_listener(f->world, &(struct world_place){0}, 1.0);
    f->model = proxy_model_new(options, f->world, 0, 1, on_send, f, START);
    f->other = proxy_model_new(&other, f->world, 1, 2, on_other_send, f, START);
    assert_int_equal(proxy_model_join(f->model), 0);
    assert_int_equal(proxy_model_join(f->other), 0);
    subscribe(f, f->model);
    subscribe(f, f->other);
    return f;
}

static void add_usual(struct fixture *f, uint64_t address)
{
    const struct world_device_options options = device_of(address);
    add_device(f, &options);
}

/* One of the profile with four usual devices. */
static struct fixture *fixture_new(const char *profile)
{
    const struct proxy_model_options options = options_of(profile);
    struct fixture *f = fixture_with(&options);
    for (uint64_t address = LAMP; address <= VALVE; address++)
        add_usual(f, address);
    return f;
}

static void fixture_free(struct fixture *f)
{
    proxy_model_free(f->model);
    proxy_model_free(f->other);
    world_free(f->world);
    gatt_library_free(f->library);
    free(f);
}

static const struct gatt *load(struct fixture *f, const char *name)
{
    struct reader reader = {0};
    json_t *document = json_string(name);
    struct spot root = reader_root(&reader, document);
    const struct gatt *gatt = gatt_library_read(f->library, &root);

    json_decref(document);
    reader_done(&reader);
    assert_non_null(gatt);
    return gatt;
}

/* A device with one database, or with two that it goes round. */
static void add_with_gatt(struct fixture *f, uint64_t address, const char *a, const char *b)
{
    struct world_device_options options = device_of(address);

    options.peripheral.gatt.databases[options.peripheral.gatt.count++] = load(f, a);
    if (b != NULL)
        options.peripheral.gatt.databases[options.peripheral.gatt.count++] = load(f, b);
    add_device(f, &options);
}

/* A proxy of the profile, and one device at address LAMP with a database. */
static struct fixture *fixture_with_gatt(const char *profile, const char *database)
{
    const struct proxy_model_options options = options_of(profile);
    struct fixture *f = fixture_with(&options);
    add_with_gatt(f, LAMP, database, NULL);
    return f;
}

static void on_heard(void *user, const struct world_reception *r, usec_t now)
{
    struct fixture *f = user;
    proxy_model_heard(r->listener == 0 ? f->model : f->other, r->address, r->address_type, r->rssi,
                      r->payload, now);
}

static void pass(struct fixture *f, usec_t span)
{
    for (usec_t end = f->now + span; f->now < end;) {
        f->now += STEP;
        (void) world_advance(f->world, f->now, on_heard, f);
        proxy_model_tick(f->model, f->now);
        proxy_model_tick(f->other, f->now);
    }
}

static void ask_at(struct fixture *f, struct proxy_model *model, uint64_t address,
                   enum device_request_type type)
{
    const struct message message = {
            .type = MESSAGE_DEVICE_REQUEST,
            .device_request = {.address = address,
                               .request_type = (uint32_t) type,
                               .has_address_type = true,
                               .address_type = 1},
    };
    send_request(f, model, &message);
}

static void ask(struct fixture *f, uint64_t address, enum device_request_type type)
{
    ask_at(f, f->model, address, type);
}

static void ask_gatt(struct fixture *f, enum message_type type, uint64_t address, uint32_t handle)
{
    send_request(f, f->model,
                 &(struct message){.type = type, .gatt = {.address = address, .handle = handle}});
}

static void connect(struct fixture *f, uint64_t address)
{
    ask(f, address, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    pass(f, SECOND);
}

/* ---- what came, in order ---- */

static const struct sent *next(struct fixture *f, enum message_type type)
{
    assert_true(f->read < f->count);
    const struct sent *sent = &f->sent[f->read++];
    assert_int_equal(sent->message.type, type);
    return sent;
}

static void expect_nothing(const struct fixture *f)
{
    assert_int_equal(f->read, f->count);
}

static void forget(struct fixture *f)
{
    f->read = f->count;
}

static void expect_connected(struct fixture *f, uint64_t address, uint32_t mtu)
{
    const struct message_device_connection *c =
            &next(f, MESSAGE_DEVICE_CONNECTION_RESPONSE)->message.device_connection;
    assert_int_equal(c->address, address);
    assert_true(c->connected);
    assert_int_equal(c->mtu, mtu);
    assert_int_equal(c->error, 0);
}

static const struct sent *expect_not_connected(struct fixture *f, uint64_t address, int32_t error)
{
    const struct sent *sent = next(f, MESSAGE_DEVICE_CONNECTION_RESPONSE);
    assert_int_equal(sent->message.device_connection.address, address);
    assert_false(sent->message.device_connection.connected);
    assert_int_equal(sent->message.device_connection.mtu, 0);
    assert_int_equal(sent->message.device_connection.error, error);
    return sent;
}

/* The list in the order of the slots, ending with 0. */
static void expect_slots(struct fixture *f, uint32_t free_slots, const uint64_t *addresses)
{
    const struct sent *sent = next(f, MESSAGE_CONNECTIONS_FREE_RESPONSE);
    size_t count = 0;

    assert_int_equal(sent->message.connections_free.free, free_slots);
    assert_int_equal(sent->message.connections_free.limit, 3);
    for (; addresses[count] != 0; count++)
        assert_int_equal(sent->allocated[count], addresses[count]);
    assert_int_equal(sent->message.connections_free.allocated_count, count);
}
#define SLOTS(free_slots, ...) expect_slots(f, free_slots, (const uint64_t[]){__VA_ARGS__})

static void expect_result(struct fixture *f, enum message_type type, int32_t error)
{
    const struct message_result *result = &next(f, type)->message.result;
    assert_int_equal(result->error, error);
    assert_int_equal(result->success, error == 0);
}

static unsigned links_of(const struct fixture *f, uint64_t address)
{
    for (size_t i = 0; i < world_device_count(f->world); i++)
        if (world_device(f->world, i).address == address)
            return world_device(f->world, i).links;
    return 0;
}

/* The state of the index-th slot that is taken; NULL at the end. */
static const char *slots_at(const struct fixture *f, size_t index)
{
    struct slots_view view;
    return slots_view(proxy_model_slots(f->model), index, &view) ? view.state : NULL;
}

static enum scanner_state scanner(const struct fixture *f)
{
    return proxy_model_scanner_state(f->model);
}

/* ---- the life of a link ---- */

static void without_cache_connected_comes_after_the_discovery_with_the_mtu(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    SLOTS(2, LAMP, 0); /* before the radio link is attempted */
    pass(f, 600 * USEC_PER_MSEC);
    assert_int_equal(links_of(f, LAMP), 1);
    expect_nothing(f); /* open, and not discovered */
    pass(f, 300 * USEC_PER_MSEC);
    expect_connected(f, LAMP, MTU);
    SLOTS(2, LAMP, 0);
    expect_nothing(f);
    fixture_free(f);
}

static void with_cache_connected_comes_at_once_with_mtu_23(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    pass(f, 500 * USEC_PER_MSEC);
    SLOTS(2, LAMP, 0);
    expect_connected(f, LAMP, 23);
    fixture_free(f);
}

static void a_disconnect_of_2026_is_told_once_without_reason_when_all_is_closed(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    connect(f, LAMP);
    forget(f);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    expect_nothing(f);
    pass(f, SECOND);
    expect_not_connected(f, LAMP, 0);
    SLOTS(3, 0);
    expect_nothing(f);
    assert_int_equal(links_of(f, LAMP), 0);
    fixture_free(f);
}

static void connecting_again_to_what_is_connected_is_answered_at_once(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    connect(f, LAMP);
    forget(f);
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    expect_connected(f, LAMP, MTU);
    SLOTS(2, LAMP, 0);
    fixture_free(f);
}

static void a_request_while_connecting_or_disconnecting_is_not_answered(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE); /* it still waits */
    pass(f, 100 * USEC_PER_MSEC);
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    SLOTS(2, LAMP, 0);
    expect_nothing(f);
    pass(f, SECOND);
    forget(f);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    expect_nothing(f);
    pass(f, SECOND);
    expect_not_connected(f, LAMP, 0);
    SLOTS(3, 0);
    expect_nothing(f);
    fixture_free(f);
}

static void a_disconnect_while_connecting_is_done_when_the_link_opens(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    pass(f, 100 * USEC_PER_MSEC);
    forget(f);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    pass(f, 300 * USEC_PER_MSEC);
    expect_nothing(f);
    pass(f, 500 * USEC_PER_MSEC);
    expect_not_connected(f, LAMP, 0);
    SLOTS(3, 0);
    fixture_free(f);
}

static void a_connect_cancels_the_remembered_disconnect(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    pass(f, 100 * USEC_PER_MSEC);
    forget(f);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    pass(f, SECOND);
    expect_connected(f, LAMP, MTU);
    fixture_free(f);
}

static void a_disconnect_of_what_has_no_slot_is_answered_with_the_slots(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask(f, NOBODY, DEVICE_REQUEST_DISCONNECT);
    expect_not_connected(f, NOBODY, 0);
    SLOTS(3, 0);
    fixture_free(f);
}

static void the_first_version_of_connecting_is_gone(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask(f, LAMP, DEVICE_REQUEST_CONNECT);
    expect_not_connected(f, LAMP, 0);
    expect_nothing(f);
    assert_false(slots_need_silence(proxy_model_slots(f->model)));
    fixture_free(f);
}

static void without_a_type_of_address_the_slot_stays_taken_until_a_disconnect(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    send_request(f, f->model,
                 &(struct message){
                         .type = MESSAGE_DEVICE_REQUEST,
                         .device_request = {.address = LAMP,
                                            .request_type = DEVICE_REQUEST_CONNECT_WITHOUT_CACHE}});
    expect_not_connected(f, LAMP, 0);
    expect_nothing(f);
    pass(f, 60 * SECOND);
    send_request(f, f->model,
                 &(struct message){.type = MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST});
    SLOTS(2, LAMP, 0);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    expect_not_connected(f, LAMP, 0);
    SLOTS(3, 0);
    fixture_free(f);
}

static void where_no_slot_is_free_the_answer_is_one_message(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    for (uint64_t address = LAMP; address <= SCALE; address++)
        connect(f, address);
    forget(f);
    ask(f, VALVE, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    expect_not_connected(f, VALVE, 0);
    expect_nothing(f);
    fixture_free(f);
}

static void a_proxy_that_only_listens_has_no_slots(void **state)
{
    struct fixture *f = fixture_new("2026-passive");

    (void) state;
    send_request(f, f->model,
                 &(struct message){.type = MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST});
    assert_int_equal(next(f, MESSAGE_CONNECTIONS_FREE_RESPONSE)->message.connections_free.limit, 0);
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    expect_not_connected(f, LAMP, 0);
    fixture_free(f);
}

/* ---- the scanner ---- */

static void links_are_established_one_after_the_other(void **state)
{
    struct fixture *f = fixture_new("2026");
    usec_t opened[3];

    (void) state;
    for (uint64_t address = LAMP; address <= SCALE; address++)
        ask(f, address, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    SLOTS(2, LAMP, 0);
    SLOTS(1, LAMP, LOCK, 0);
    SLOTS(0, LAMP, LOCK, SCALE, 0);
    pass(f, 2 * SECOND);
    for (unsigned i = 0; i < ARRAY_SIZE(opened); i++) {
        opened[i] = f->sent[f->read].time;
        expect_connected(f, LAMP + i, 23); /* in the order of their requests */
        SLOTS(0, LAMP, LOCK, SCALE, 0);
    }
    assert_true(opened[1] >= opened[0] + 400 * USEC_PER_MSEC);
    assert_true(opened[2] >= opened[1] + 400 * USEC_PER_MSEC);
    fixture_free(f);
}

static void nothing_is_heard_while_a_link_is_established(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    pass(f, SECOND);
    assert_true(proxy_model_counters(f->model)->heard > 0);
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    assert_int_equal(scanner(f), SCANNER_STOPPING);
    pass(f, 100 * USEC_PER_MSEC);
    assert_int_equal(scanner(f), SCANNER_IDLE);
    uint64_t heard = proxy_model_counters(f->model)->heard;
    pass(f, 300 * USEC_PER_MSEC);
    assert_int_equal(proxy_model_counters(f->model)->heard, heard);
    pass(f, 40 * USEC_PER_MSEC);
    assert_int_equal(scanner(f), SCANNER_STARTING);
    pass(f, SECOND);
    assert_int_equal(scanner(f), SCANNER_RUNNING);
    assert_true(proxy_model_counters(f->model)->heard > heard);
    fixture_free(f);
}

static void a_device_that_is_linked_is_silent_and_out_of_reach_for_others(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    for (uint64_t address = LOCK; address <= VALVE; address++)
        assert_int_equal(world_remove_device(f->world, address), 0);
    connect(f, LAMP);
    uint64_t heard = proxy_model_counters(f->other)->heard;
    ask_at(f, f->other, LAMP, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    pass(f, 19 * SECOND);
    assert_int_equal(proxy_model_counters(f->other)->heard, heard);
    assert_int_equal(links_of(f, LAMP), 1);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    pass(f, 4 * SECOND);
    assert_true(proxy_model_counters(f->other)->heard > heard);
    fixture_free(f);
}

static void of_two_proxies_that_connect_at_once_one_wins(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask_at(f, f->other, LAMP, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    pass(f, STEP);
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    SLOTS(2, LAMP, 0);
    pass(f, 19 * SECOND);
    assert_int_equal(links_of(f, LAMP), 1);
    expect_nothing(f);
    pass(f, 2 * SECOND);
    expect_not_connected(f, LAMP, ERROR_CANCELLED);
    SLOTS(3, 0);
    fixture_free(f);
}

/* ---- how attempts and links fail ---- */

static void where_nobody_answers_the_stack_gives_up(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask(f, NOBODY, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    SLOTS(2, NOBODY, 0);
    pass(f, SLOTS_GIVE_UP);
    expect_nothing(f);
    pass(f, SECOND);
    expect_not_connected(f, NOBODY, ERROR_CANCELLED);
    SLOTS(3, 0);
    fixture_free(f);
}

static void a_wrong_type_of_address_reaches_nobody(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    send_request(f, f->model,
                 &(struct message){
                         .type = MESSAGE_DEVICE_REQUEST,
                         .device_request = {.address = LAMP,
                                            .request_type = DEVICE_REQUEST_CONNECT_WITHOUT_CACHE,
                                            .has_address_type = true}});
    pass(f, SLOTS_GIVE_UP + SECOND);
    SLOTS(2, LAMP, 0);
    expect_not_connected(f, LAMP, ERROR_CANCELLED);
    fixture_free(f);
}

static void the_next_attempts_fail_with_the_error_that_was_ordered(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    assert_int_equal(world_fail_next(f->world, LAMP, 2, 0x85), 0);
    for (unsigned i = 0; i < 2; i++) {
        connect(f, LAMP);
        SLOTS(2, LAMP, 0);
        expect_not_connected(f, LAMP, 0x85);
        SLOTS(3, 0);
    }
    connect(f, LAMP);
    SLOTS(2, LAMP, 0);
    expect_connected(f, LAMP, MTU);
    fixture_free(f);
}

static void a_link_whose_device_walks_off_is_lost(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    connect(f, LAMP);
    forget(f);
    assert_int_equal(world_move_device(f->world, LAMP, &(struct world_place){.x = FAR}), 0);
    pass(f, 2 * SECOND);
    expect_not_connected(f, LAMP, ERROR_SUPERVISION_TIMEOUT);
    SLOTS(3, 0);
    assert_int_equal(links_of(f, LAMP), 0);
    fixture_free(f);
}

static void a_link_ends_when_its_life_is_over(void **state)
{
    struct fixture *f = fixture_new("2026");
    struct world_device_options device = device_of(0xc0000000000a);

    (void) state;
    device.peripheral.life = (struct luck_span){3 * SECOND, 3 * SECOND};
    add_device(f, &device);
    connect(f, device.address);
    forget(f);
    pass(f, 2 * SECOND);
    expect_nothing(f);
    pass(f, SECOND);
    expect_not_connected(f, device.address, ERROR_PEER_TERMINATED);
    fixture_free(f);
}

static void a_link_can_be_dropped(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    connect(f, LAMP);
    forget(f);
    assert_int_equal(slots_drop(proxy_model_slots(f->model), LOCK, 0x22, f->now), -ENOENT);
    assert_int_equal(slots_drop(proxy_model_slots(f->model), LAMP, 0x22, f->now), 0);
    pass(f, SECOND);
    expect_not_connected(f, LAMP, 0x22);
    SLOTS(3, 0);
    fixture_free(f);
}

/* ---- generations and moods of firmware ---- */

static void firmware_of_2025_says_the_end_twice_and_frees_the_slot_last(void **state)
{
    struct proxy_model_options options = options_of("2025");
    options.slots.close = (struct luck_span){8 * SECOND, 10 * SECOND};
    struct fixture *f = fixture_with(&options);

    (void) state;
    add_usual(f, LAMP);
    connect(f, LAMP);
    forget(f);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    pass(f, SECOND);
    usec_t first = expect_not_connected(f, LAMP, ERROR_LOCALLY_TERMINATED)->time;
    expect_nothing(f);
    pass(f, 10 * SECOND);
    assert_true(expect_not_connected(f, LAMP, 0)->time >= first + 8 * SECOND);
    SLOTS(3, 0);
    expect_nothing(f);
    fixture_free(f);
}

static void old_firmware_frees_early_and_refuses_quick_reconnects(void **state)
{
    struct proxy_model_options options = options_of("2024");
    options.slots.list = SLOTS_LIST_RIGHT;
    options.slots.close = (struct luck_span){2 * SECOND, 2 * SECOND};
    struct fixture *f = fixture_with(&options);

    (void) state;
    add_usual(f, LAMP);
    connect(f, LAMP);
    forget(f);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    pass(f, 100 * USEC_PER_MSEC);
    expect_not_connected(f, LAMP, ERROR_LOCALLY_TERMINATED);
    SLOTS(3, 0);
    assert_string_equal(slots_at(f, 0), "released");
    connect(f, LAMP);
    SLOTS(2, LAMP, 0);
    expect_not_connected(f, LAMP, ERROR_LIMITED_RESOURCES);
    SLOTS(3, 0);
    pass(f, 3 * SECOND);
    expect_not_connected(f, LAMP, 0); /* the second words of both */
    expect_not_connected(f, LAMP, 0);
    connect(f, LAMP);
    SLOTS(2, LAMP, 0);
    expect_connected(f, LAMP, MTU);
    fixture_free(f);
}

static void old_firmware_names_no_addresses_and_reports_a_stale_mtu(void **state)
{
    struct fixture *f = fixture_new("2024");

    (void) state;
    connect(f, LAMP);
    SLOTS(2, 0);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    pass(f, SECOND);
    forget(f);
    ask(f, LOCK, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    pass(f, SECOND);
    SLOTS(2, 0);
    expect_connected(f, LOCK, MTU); /* the lamp's */
    ask(f, SCALE, DEVICE_REQUEST_PAIR);
    SLOTS(2, 0);
    expect_nothing(f); /* nor an answer to PAIR without a link */
    fixture_free(f);
}

static void lists_can_be_wrong(void **state)
{
    static const enum slots_list LISTS[] = {SLOTS_LIST_LONGER, SLOTS_LIST_SHORTER,
                                            SLOTS_LIST_OTHER};
    static const size_t COUNTS[] = {2, 0, 1};

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(LISTS); i++) {
        struct proxy_model_options options = options_of("2026");
        options.slots.list = LISTS[i];
        struct fixture *f = fixture_with(&options);
        ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
        const struct sent *sent = next(f, MESSAGE_CONNECTIONS_FREE_RESPONSE);
        assert_int_equal(sent->message.connections_free.free, 2);
        assert_int_equal(sent->message.connections_free.allocated_count, COUNTS[i]);
        assert_int_equal(sent->allocated[0] == LAMP, LISTS[i] == SLOTS_LIST_LONGER);
        fixture_free(f);
    }
}

static void silent_firmware_never_tells_a_failed_attempt(void **state)
{
    struct proxy_model_options options = options_of("2026");
    options.slots.is_silent_connecting = true;
    struct fixture *f = fixture_with(&options);

    (void) state;
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE); /* it is not there */
    SLOTS(2, LAMP, 0);
    pass(f, 120 * SECOND);
    expect_nothing(f);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    pass(f, SECOND);
    expect_not_connected(f, LAMP, 0);
    SLOTS(3, 0);
    fixture_free(f);
}

static void silent_firmware_obeys_a_remembered_disconnect_when_it_came_too_late(void **state)
{
    struct proxy_model_options options = options_of("2026");
    options.slots.is_silent_connecting = true;
    struct fixture *f = fixture_with(&options);

    (void) state;
    add_usual(f, LAMP);
    ask_at(f, f->other, LAMP, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    pass(f, STEP);
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    pass(f, 100 * USEC_PER_MSEC);
    forget(f);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    pass(f, SECOND); /* the other has got it */
    expect_not_connected(f, LAMP, 0);
    SLOTS(3, 0);
    fixture_free(f);
}

static void leaking_firmware_keeps_a_slot_until_disconnect_or_reboot(void **state)
{
    struct proxy_model_options options = options_of("2026");
    options.slots.is_leaking = true;
    struct fixture *f = fixture_with(&options);

    (void) state;
    add_usual(f, LAMP);
    connect(f, LAMP);
    assert_int_equal(slots_drop(proxy_model_slots(f->model), LAMP, 0x08, f->now), 0);
    forget(f);
    pass(f, SECOND);
    expect_not_connected(f, LAMP, 0x08);
    expect_nothing(f);
    proxy_model_leave(f->model, 0, f->now); /* a new conversation does not free it */
    assert_int_equal(proxy_model_join(f->model), 0);
    subscribe(f, f->model);
    send_request(f, f->model,
                 &(struct message){.type = MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST});
    SLOTS(2, LAMP, 0);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    expect_not_connected(f, LAMP, 0);
    SLOTS(3, 0);
    assert_int_equal(slots_leak(proxy_model_slots(f->model), LOCK), 0);
    SLOTS(2, LOCK, 0);
    proxy_model_leave(f->model, 0, f->now);
    proxy_model_restart(f->model, f->now);
    assert_null(slots_at(f, 0));
    fixture_free(f);
}

static void requests_can_be_refused_and_attempts_fail_at_a_proxy(void **state)
{
    struct proxy_model_options options = options_of("2026");
    options.slots.refusal = 1;
    struct fixture *f = fixture_with(&options);

    (void) state;
    add_usual(f, LAMP);
    connect(f, LAMP);
    expect_not_connected(f, LAMP, 0);
    expect_nothing(f);
    fixture_free(f);
    options.slots.refusal = 0;
    options.slots.failure = 1;
    options.slots.failures = (struct luck_errors){{0x22}, 1};
    f = fixture_with(&options);
    add_usual(f, LAMP);
    connect(f, LAMP);
    SLOTS(2, LAMP, 0);
    expect_not_connected(f, LAMP, 0x22);
    SLOTS(3, 0);
    fixture_free(f);
}

static void a_foreign_slot_is_listed_and_a_disconnect_frees_it(void **state)
{
    struct fixture *f = fixture_new("2026");
    struct slots *slots = proxy_model_slots(f->model);

    (void) state;
    assert_int_equal(slots_occupy(slots, LAMP, f->now), 0);
    SLOTS(2, LAMP, 0);
    assert_int_equal(links_of(f, LAMP), 1);
    assert_int_equal(slots_occupy(slots, LAMP, f->now), -EEXIST);
    assert_int_equal(slots_occupy(slots, NOBODY, f->now), 0);
    assert_int_equal(slots_leak(slots, LOCK), 0);
    assert_int_equal(slots_occupy(slots, SCALE, f->now), -ENOSPC);
    assert_string_equal(slots_at(f, 1), "connected");
    assert_string_equal(slots_at(f, 2), "held");
    forget(f);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    pass(f, SECOND);
    expect_not_connected(f, LAMP, 0);
    SLOTS(1, NOBODY, LOCK, 0);
    assert_int_equal(links_of(f, LAMP), 0);
    fixture_free(f);
}

/* ---- the owner ---- */

static void when_the_owner_goes_all_links_end_within_100_ms_and_nobody_is_told(void **state)
{
    struct fixture *f = fixture_new("2025");

    (void) state;
    connect(f, LAMP);
    connect(f, LOCK);
    ask(f, LOCK, DEVICE_REQUEST_PAIR);
    forget(f);
    proxy_model_leave(f->model, 0, f->now);
    assert_int_equal(proxy_model_join(f->model), 0);
    subscribe(f, f->model);
    pass(f, 100 * USEC_PER_MSEC);
    assert_int_equal(links_of(f, LAMP) + links_of(f, LOCK), 0);
    pass(f, SECOND);
    next(f, MESSAGE_CONNECTIONS_FREE_RESPONSE); /* either is first */
    SLOTS(3, 0);
    expect_nothing(f);
    fixture_free(f);
}

static void a_new_owner_finds_the_links_of_the_former_and_can_end_them(void **state)
{
    struct fixture *f = fixture_new("2026");
    const struct message subscription = {.type = MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST,
                                         .subscription_flags = 1};

    (void) state;
    connect(f, LAMP);
    forget(f);
    assert_int_equal(proxy_model_join(f->model), 1);
    proxy_model_receive(f->model, 1, &subscription, f->now);
    proxy_model_leave(f->model, 0, f->now); /* it owns nothing any more */
    pass(f, SECOND);
    assert_int_equal(links_of(f, LAMP), 1);
    expect_nothing(f);
    proxy_model_receive(
            f->model, 1,
            &(struct message){
                    .type = MESSAGE_DEVICE_REQUEST,
                    .device_request = {.address = LAMP, .request_type = DEVICE_REQUEST_DISCONNECT}},
            f->now);
    pass(f, SECOND);
    assert_int_equal(expect_not_connected(f, LAMP, 0)->client, 1);
    SLOTS(3, 0);
    fixture_free(f);
}

static void unsubscribing_ends_the_links_too(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    connect(f, LAMP);
    forget(f);
    send_request(f, f->model,
                 &(struct message){.type = MESSAGE_UNSUBSCRIBE_ADVERTISEMENTS_REQUEST});
    pass(f, 100 * USEC_PER_MSEC);
    assert_int_equal(links_of(f, LAMP), 0);
    expect_nothing(f);
    fixture_free(f);
}

/* The owner goes, and comes back as another conversation. */
static void come_back(struct fixture *f)
{
    proxy_model_leave(f->model, 0, f->now);
    assert_int_equal(proxy_model_join(f->model), 0);
    subscribe(f, f->model);
    forget(f);
}

static void what_old_firmware_owes_the_former_owner_is_not_said(void **state)
{
    struct fixture *f = fixture_new("2024");

    (void) state;
    connect(f, LAMP);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    pass(f, 40 * USEC_PER_MSEC); /* DISCONNECT was, CLOSE is to come */
    assert_string_equal(slots_at(f, 0), "released");
    come_back(f);
    pass(f, SECOND);
    expect_nothing(f);
    fixture_free(f);
}

static void a_new_owner_is_answered_about_what_the_former_left(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    connect(f, LAMP);
    come_back(f);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT); /* it is being closed already */
    pass(f, SECOND);
    expect_not_connected(f, LAMP, 0);
    SLOTS(3, 0);
    ask(f, LOCK, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    pass(f, 100 * USEC_PER_MSEC);
    come_back(f);
    ask(f, LOCK, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    pass(f, SECOND);
    expect_connected(f, LOCK, 23);
    SLOTS(2, LOCK, 0);
    assert_int_equal(slots_drop(proxy_model_slots(f->model), LOCK, 0x22, f->now), 0);
    pass(f, SECOND);
    expect_not_connected(f, LOCK, 0x22);
    fixture_free(f);
}

static void an_attempt_of_an_owner_that_is_gone_ends_when_it_opens(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    ask(f, LOCK, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    pass(f, 100 * USEC_PER_MSEC);
    forget(f);
    proxy_model_leave(f->model, 0, f->now);
    pass(f, SECOND);
    assert_null(slots_at(f, 0));
    assert_int_equal(links_of(f, LAMP) + links_of(f, LOCK), 0);
    expect_nothing(f);
    fixture_free(f);
}

static void a_reboot_ends_links_without_a_word(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    connect(f, LAMP);
    forget(f);
    proxy_model_leave(f->model, 0, f->now);
    proxy_model_restart(f->model, f->now);
    assert_int_equal(links_of(f, LAMP), 0);
    assert_int_equal(scanner(f), SCANNER_RUNNING);
    pass(f, SECOND);
    expect_nothing(f);
    fixture_free(f);
}

static void a_reboot_forgets_what_was_closing(void **state)
{
    struct fixture *f = fixture_new("2024");

    (void) state;
    connect(f, LAMP);
    ask(f, LAMP, DEVICE_REQUEST_DISCONNECT);
    pass(f, 40 * USEC_PER_MSEC);
    assert_string_equal(slots_at(f, 0), "released");
    proxy_model_leave(f->model, 0, f->now);
    proxy_model_restart(f->model, f->now);
    assert_null(slots_at(f, 0));
    fixture_free(f);
}

/* ---- on a link ---- */

static void services_are_listed_once_a_link(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask_gatt(f, MESSAGE_GATT_GET_SERVICES_REQUEST, LAMP, 0);
    assert_int_equal(next(f, MESSAGE_GATT_ERROR_RESPONSE)->message.gatt.error, -1);
    connect(f, LAMP);
    forget(f);
    ask_gatt(f, MESSAGE_GATT_GET_SERVICES_REQUEST, LAMP, 0);
    pass(f, 100 * USEC_PER_MSEC);
    const struct message_services *services =
            &next(f, MESSAGE_GATT_GET_SERVICES_RESPONSE)->message.services;
    assert_int_equal(services->count, 1);
    assert_int_equal(services->services[0].uuid.short_uuid, 0x1800);
    assert_int_equal(services->services[0].characteristics_count, 1);
    next(f, MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE);
    ask_gatt(f, MESSAGE_GATT_GET_SERVICES_REQUEST, LAMP, 0);
    pass(f, SECOND);
    expect_nothing(f);
    fixture_free(f);
}

static void with_cache_the_list_of_services_is_empty(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask(f, LAMP, DEVICE_REQUEST_CONNECT_WITH_CACHE);
    pass(f, SECOND);
    forget(f);
    ask_gatt(f, MESSAGE_GATT_GET_SERVICES_REQUEST, LAMP, 0);
    pass(f, SECOND);
    next(f, MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE);
    expect_nothing(f);
    fixture_free(f);
}

static void operations_on_handles_fail_in_two_ways(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    connect(f, LAMP);
    forget(f);
    ask_gatt(f, MESSAGE_GATT_READ_REQUEST, LAMP, 42);
    pass(f, 100 * USEC_PER_MSEC);
    assert_int_equal(f->sent[f->read].message.gatt.handle, 42);
    assert_int_equal(next(f, MESSAGE_GATT_ERROR_RESPONSE)->message.gatt.error, 0x01);
    ask_gatt(f, MESSAGE_GATT_READ_REQUEST, LOCK, 42);
    assert_int_equal(next(f, MESSAGE_GATT_ERROR_RESPONSE)->message.gatt.error, -1);
    fixture_free(f);
}

static void pairing_is_answered_when_it_is_done(void **state)
{
    struct fixture *f = fixture_new("2026");
    struct world_device_options shy = device_of(0xc0000000000b);

    (void) state;
    shy.peripheral.pairing_error = 82;
    add_device(f, &shy);
    ask(f, LAMP, DEVICE_REQUEST_PAIR);
    expect_result(f, MESSAGE_DEVICE_PAIRING_RESPONSE, -1);
    connect(f, LAMP);
    connect(f, shy.address);
    forget(f);
    ask(f, LAMP, DEVICE_REQUEST_PAIR);
    ask(f, shy.address, DEVICE_REQUEST_PAIR);
    expect_nothing(f);
    pass(f, SECOND);
    expect_result(f, MESSAGE_DEVICE_PAIRING_RESPONSE, 0);
    expect_result(f, MESSAGE_DEVICE_PAIRING_RESPONSE, 82);
    ask(f, LAMP, DEVICE_REQUEST_PAIR);
    expect_result(f, MESSAGE_DEVICE_PAIRING_RESPONSE, 0); /* it is paired on this link */
    fixture_free(f);
}

static void a_pairing_whose_link_drops_is_not_answered(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    connect(f, LAMP);
    forget(f);
    ask(f, LAMP, DEVICE_REQUEST_PAIR);
    assert_int_equal(slots_drop(proxy_model_slots(f->model), LAMP, 0x08, f->now), 0);
    pass(f, SECOND);
    expect_not_connected(f, LAMP, 0x08);
    SLOTS(3, 0);
    expect_nothing(f);
    fixture_free(f);
}

static void unpairing_and_clearing_need_no_link(void **state)
{
    struct fixture *f = fixture_new("2026");

    (void) state;
    ask(f, LAMP, DEVICE_REQUEST_UNPAIR);
    expect_result(f, MESSAGE_DEVICE_UNPAIRING_RESPONSE, 0);
    ask(f, LAMP, DEVICE_REQUEST_CLEAR_CACHE);
    expect_result(f, MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE, 0);
    fixture_free(f);
}

static void parameters_are_accepted_on_a_link_alone(void **state)
{
    struct fixture *f = fixture_new("2026");
    struct message request = {
            .type = MESSAGE_SET_CONNECTION_PARAMS_REQUEST,
            .connection_params = {
                    .address = LAMP, .min_interval = 6, .max_interval = 12, .timeout = 400}};

    (void) state;
    send_request(f, f->model, &request);
    assert_int_equal(next(f, MESSAGE_SET_CONNECTION_PARAMS_RESPONSE)->message.result.error, -1);
    connect(f, LAMP);
    forget(f);
    send_request(f, f->model, &request);
    assert_int_equal(next(f, MESSAGE_SET_CONNECTION_PARAMS_RESPONSE)->message.result.error, 0);
    request.connection_params.min_interval = 13;
    send_request(f, f->model, &request);
    assert_int_equal(next(f, MESSAGE_SET_CONNECTION_PARAMS_RESPONSE)->message.result.error, 0x102);
    fixture_free(f);
}

static int32_t read_error_of(struct fixture *f, uint64_t address, uint32_t handle)
{
    forget(f);
    ask_gatt(f, MESSAGE_GATT_READ_REQUEST, address, handle);
    pass(f, 500 * USEC_PER_MSEC);
    assert_int_equal(f->count - f->read, 1);
    const struct message *message = &f->sent[f->read++].message;
    if (message->type == MESSAGE_GATT_READ_RESPONSE)
        return 0;
    assert_int_equal(message->type, MESSAGE_GATT_ERROR_RESPONSE);
    return message->gatt.error;
}

static void reboot(struct fixture *f)
{
    proxy_model_leave(f->model, 0, f->now);
    proxy_model_restart(f->model, f->now);
    assert_int_equal(proxy_model_join(f->model), 0);
    subscribe(f, f->model);
}

static void disconnect(struct fixture *f, uint64_t address)
{
    ask(f, address, DEVICE_REQUEST_DISCONNECT);
    pass(f, SECOND);
}

static bool is_bonded(const struct fixture *f, uint64_t address)
{
    return bonds_has(slots_bonds(proxy_model_slots(f->model)), address);
}

static void a_bond_opens_what_is_protected_and_survives_a_reboot_of_the_proxy(void **state)
{
    struct fixture *f = fixture_with_gatt("2026", "lock");

    (void) state;
    connect(f, LAMP);
    assert_int_equal(read_error_of(f, LAMP, STATE), 0x05);
    ask(f, LAMP, DEVICE_REQUEST_PAIR);
    pass(f, SECOND);
    expect_result(f, MESSAGE_DEVICE_PAIRING_RESPONSE, 0);
    assert_true(is_bonded(f, LAMP));
    assert_int_equal(read_error_of(f, LAMP, STATE), 0);
    reboot(f);
    connect(f, LAMP);
    assert_int_equal(read_error_of(f, LAMP, STATE), 0);
    ask(f, LAMP, DEVICE_REQUEST_PAIR);
    expect_result(f, MESSAGE_DEVICE_PAIRING_RESPONSE, 0); /* at once */
    fixture_free(f);
}

static void unpairing_ends_the_bond_with_the_next_link(void **state)
{
    struct fixture *f = fixture_with_gatt("2026", "lock");

    (void) state;
    connect(f, LAMP);
    ask(f, LAMP, DEVICE_REQUEST_PAIR);
    pass(f, SECOND);
    ask(f, LAMP, DEVICE_REQUEST_UNPAIR);
    assert_false(is_bonded(f, LAMP));
    disconnect(f, LAMP);
    connect(f, LAMP);
    assert_int_equal(read_error_of(f, LAMP, STATE), 0x05);
    fixture_free(f);
}

static void a_bond_is_that_of_one_proxy(void **state)
{
    struct fixture *f = fixture_with_gatt("2026", "lock");

    (void) state;
    ask_at(f, f->other, LAMP, DEVICE_REQUEST_CONNECT_WITHOUT_CACHE);
    pass(f, SECOND);
    ask_at(f, f->other, LAMP, DEVICE_REQUEST_PAIR);
    pass(f, SECOND);
    ask_at(f, f->other, LAMP, DEVICE_REQUEST_DISCONNECT);
    pass(f, SECOND);
    connect(f, LAMP);
    assert_int_equal(read_error_of(f, LAMP, STATE), 0x05);
    fixture_free(f);
}

static void a_device_that_forgot_the_bond_ends_the_link_with_6(void **state)
{
    struct fixture *f = fixture_with_gatt("2026", "lock");

    (void) state;
    connect(f, LAMP);
    ask(f, LAMP, DEVICE_REQUEST_PAIR);
    pass(f, SECOND);
    disconnect(f, LAMP);
    *gatt_server_bonds(world_gatt_server(f->world, LAMP)) = (struct bonds){0};
    forget(f);
    connect(f, LAMP);
    SLOTS(2, LAMP, 0);
    expect_not_connected(f, LAMP, 0x06);
    SLOTS(3, 0);
    ask(f, LAMP, DEVICE_REQUEST_UNPAIR);
    expect_result(f, MESSAGE_DEVICE_UNPAIRING_RESPONSE, 0);
    connect(f, LAMP);
    assert_int_equal(read_error_of(f, LAMP, STATE), 0x05); /* and can be paired anew */
    fixture_free(f);
}

static void a_device_can_ask_for_pairing_itself(void **state)
{
    const struct proxy_model_options options = options_of("2026");
    struct fixture *f = fixture_with(&options);
    struct world_device_options device = device_of(LAMP);

    (void) state;
    device.peripheral.pairs_itself = true;
    add_device(f, &device);
    for (unsigned i = 0; i < 2; i++) {
        forget(f);
        connect(f, LAMP);
        pass(f, SECOND);
        SLOTS(2, LAMP, 0);
        expect_connected(f, LAMP, MTU);
        SLOTS(2, LAMP, 0);
        if (i == 0) /* with a bond the link is encrypted already */
            expect_result(f, MESSAGE_DEVICE_PAIRING_RESPONSE, 0);
        expect_nothing(f);
        disconnect(f, LAMP);
    }
    fixture_free(f);
}

/* How many services a new link lists. */
static size_t list_services(struct fixture *f)
{
    connect(f, LAMP);
    forget(f);
    ask_gatt(f, MESSAGE_GATT_GET_SERVICES_REQUEST, LAMP, 0);
    pass(f, SECOND);
    size_t count = next(f, MESSAGE_GATT_GET_SERVICES_RESPONSE)->message.services.count;
    next(f, MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE);
    disconnect(f, LAMP);
    return count;
}

static void firmware_that_keeps_services_lists_old_ones_until_its_cache_is_cleared(void **state)
{
    (void) state;
    for (unsigned keeps = 0; keeps < 2; keeps++) {
        struct proxy_model_options options = options_of("2026");
        options.slots.keeps_services = keeps != 0;
        struct fixture *f = fixture_with(&options);
        add_with_gatt(f, LAMP, "changed-a", "changed-b");
        assert_int_equal(list_services(f), 3);
        gatt_server_change(world_gatt_server(f->world, LAMP));
        assert_int_equal(list_services(f), keeps ? 3 : 4);
        reboot(f);
        assert_int_equal(list_services(f), keeps ? 3 : 4);
        ask(f, LAMP, DEVICE_REQUEST_CLEAR_CACHE);
        assert_int_equal(list_services(f), 4);
        fixture_free(f);
    }
}

static void firmware_before_2026_connects_in_the_first_version_and_writes_cccds(void **state)
{
    struct fixture *f = fixture_with_gatt("2025", "bench");
    const struct message enable = {.type = MESSAGE_GATT_NOTIFY_REQUEST,
                                   .gatt = {.address = LAMP, .handle = ECHO, .flag = true}};

    (void) state;
    ask(f, LAMP, DEVICE_REQUEST_CONNECT);
    pass(f, SECOND);
    SLOTS(2, LAMP, 0);
    expect_connected(f, LAMP, MTU);
    forget(f);
    send_request(f, f->model, &enable);
    pass(f, SECOND);
    next(f, MESSAGE_GATT_NOTIFY_RESPONSE);
    assert_int_equal(next(f, MESSAGE_GATT_WRITE_RESPONSE)->message.gatt.handle, ECHO + 1);
    assert_int_equal(gatt_server_set(world_gatt_server(f->world, LAMP), ECHO,
                                     (struct bytes){(const uint8_t *) "x", 1}, f->now),
                     0);
    pass(f, SECOND);
    next(f, MESSAGE_GATT_NOTIFY_DATA_RESPONSE);
    fixture_free(f);
}

static void a_device_that_stays_silent_loses_its_link(void **state)
{
    struct fixture *f = fixture_with_gatt("2025", "bench");

    (void) state;
    connect(f, LAMP);
    forget(f);
    ask_gatt(f, MESSAGE_GATT_READ_REQUEST, LAMP, MUTE);
    pass(f, 29 * SECOND);
    expect_nothing(f);
    pass(f, 2 * SECOND);
    expect_not_connected(f, LAMP, ERROR_LOCALLY_TERMINATED);
    fixture_free(f);
}

static void a_broken_list_ends_the_link_with_its_error_in_2026(void **state)
{
    struct proxy_model_options options = options_of("2026");
    options.slots.gatt.breaks = 1;
    struct fixture *f = fixture_with(&options);

    (void) state;
    add_with_gatt(f, LAMP, "bench", NULL);
    connect(f, LAMP);
    ask_gatt(f, MESSAGE_GATT_GET_SERVICES_REQUEST, LAMP, 0);
    pass(f, SECOND);
    assert_false(f->was_sent[MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE]);
    f->read = f->count - 2;
    expect_not_connected(f, LAMP, ERROR_GATT);
    SLOTS(3, 0);
    fixture_free(f);
}

static void what_waits_for_a_device_ends_with_the_link_unanswered(void **state)
{
    struct fixture *f = fixture_with_gatt("2026", "bench");

    (void) state;
    connect(f, LAMP);
    forget(f);
    ask_gatt(f, MESSAGE_GATT_READ_REQUEST, LAMP, ECHO);
    assert_int_equal(slots_drop(proxy_model_slots(f->model), LAMP, 0x08, f->now), 0);
    pass(f, SECOND);
    expect_not_connected(f, LAMP, 0x08);
    SLOTS(3, 0);
    expect_nothing(f);
    fixture_free(f);
}

static void a_device_that_is_taken_away_leaves_its_link_to_die(void **state)
{
    struct fixture *f = fixture_with_gatt("2026", "bench");

    (void) state;
    connect(f, LAMP);
    forget(f);
    assert_int_equal(world_remove_device(f->world, LAMP), 0);
    ask_gatt(f, MESSAGE_GATT_READ_REQUEST, LAMP, ECHO);
    pass(f, 3 * SECOND);
    next(f, MESSAGE_GATT_READ_RESPONSE); /* it was on its way */
    expect_not_connected(f, LAMP, 0x08);
    SLOTS(3, 0);
    fixture_free(f);
}

/* ---- all at once ---- */

/* One operation on a device, with whatever handle and size. */
static void operate_at_random(struct fixture *f, struct dice *dice, uint64_t address)
{
    static const enum message_type TYPES[] = {
            MESSAGE_GATT_READ_REQUEST,
            MESSAGE_GATT_WRITE_REQUEST,
            MESSAGE_GATT_READ_DESCRIPTOR_REQUEST,
            MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST,
            MESSAGE_GATT_NOTIFY_REQUEST,
    };
    static const uint8_t OCTETS[600] = {1};
    const size_t sizes[] = {0, 1, 2, 20, 300, 512, 513, 600};
    struct message message = {
            .type = TYPES[dice_below(dice, ARRAY_SIZE(TYPES))],
            .gatt = {.address = address,
                     .handle = (uint32_t) dice_below(dice, 32), /* without the silent one */
                     .flag = dice_below(dice, 2) == 0,
                     .data = {OCTETS, sizes[dice_below(dice, ARRAY_SIZE(sizes))]}},
    };
    send_request(f, f->model, &message);
}

static unsigned answers_among(const struct fixture *f)
{
    unsigned count = 0;
    for (size_t i = 0; i < f->count; i++) {
        enum message_type type = f->sent[i].message.type;
        count += type == MESSAGE_GATT_READ_RESPONSE || type == MESSAGE_GATT_WRITE_RESPONSE ||
                 type == MESSAGE_GATT_NOTIFY_RESPONSE || type == MESSAGE_GATT_ERROR_RESPONSE;
    }
    return count;
}

static void a_thousand_operations_have_a_thousand_answers(void **state)
{
    static const char *const PROFILES[] = {"2022", "2024", "2025", "2026"};

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(PROFILES); i++) {
        struct fixture *f = fixture_with_gatt(PROFILES[i], "bench");
        struct dice dice;
        dice_seed(&dice, 1);
        connect(f, LAMP);
        for (unsigned k = 0; k < 1000;) {
            f->count = 0;
            unsigned burst = 1 + (unsigned) dice_below(&dice, 20); /* more than the line holds */
            for (unsigned n = 0; n < burst; n++)
                operate_at_random(f, &dice, LAMP);
            pass(f, 60 * SECOND / 4);
            assert_int_equal(answers_among(f), burst);
            assert_int_equal(links_of(f, LAMP), 1);
            k += burst;
        }
        f->count = f->read = 0;
        disconnect(f, LAMP);
        assert_null(slots_at(f, 0));
        fixture_free(f);
    }
}

static void act_at_random(struct fixture *f, struct dice *dice)
{
    static const enum device_request_type REQUESTS[] = {
            DEVICE_REQUEST_CONNECT_WITHOUT_CACHE,
            DEVICE_REQUEST_CONNECT_WITH_CACHE,
            DEVICE_REQUEST_DISCONNECT,
            DEVICE_REQUEST_PAIR,
            DEVICE_REQUEST_CONNECT_WITHOUT_CACHE,
    };
    uint64_t address = LAMP + dice_below(dice, 6); /* two of them are nobody's */
    struct slots *slots = proxy_model_slots(f->model);

    switch (dice_below(dice, 11)) {
    case 0:
        (void) slots_drop(slots, address, ERROR_SUPERVISION_TIMEOUT, f->now);
        return;
    case 1:
        if (dice_below(dice, 20) > 0)
            return;
        come_back(f);
        return;
    case 2:
        ask_gatt(f, MESSAGE_GATT_GET_SERVICES_REQUEST, address, 0);
        return;
    case 3:
    case 4:
        operate_at_random(f, dice, address);
        return;
    default:
        ask(f, address, REQUESTS[dice_below(dice, ARRAY_SIZE(REQUESTS))]);
        return;
    }
}

static void check_slots(const struct fixture *f)
{
    unsigned connecting = 0, taken = 0, links = 0;
    const char *name;

    for (size_t i = 0; (name = slots_at(f, i)) != NULL; i++) {
        connecting += strcmp(name, "connecting") == 0;
        taken += strcmp(name, "released") != 0;
    }
    for (uint64_t address = LAMP; address <= VALVE; address++) {
        assert_in_range(links_of(f, address), 0, 1);
        links += links_of(f, address);
    }
    assert_in_range(connecting, 0, 1);
    assert_in_range(taken, links, 3);
    assert_true(proxy_model_deadline(f->model) > f->now);
}

static void calm_down(struct fixture *f)
{
    for (uint64_t address = LAMP; address < LAMP + 6; address++)
        ask(f, address, DEVICE_REQUEST_DISCONNECT);
    pass(f, SLOTS_GIVE_UP + 12 * SECOND);
    for (uint64_t address = LAMP; address < LAMP + 6; address++)
        ask(f, address, DEVICE_REQUEST_DISCONNECT); /* what leaked meanwhile */
    assert_null(slots_at(f, 0));
    assert_int_equal(scanner(f), SCANNER_RUNNING);
    for (uint64_t address = LAMP; address <= VALVE; address++)
        assert_int_equal(links_of(f, address), 0);
}

static void live_at_random(const struct proxy_model_options *options)
{
    struct fixture *f = fixture_with(options);
    struct dice dice;

    dice_seed(&dice, 1);
    for (uint64_t address = LAMP; address <= VALVE; address++)
        add_with_gatt(f, address, "bench", "lock");
    for (unsigned i = 0; i < 1000; i++) {
        f->count = 0;
        act_at_random(f, &dice);
        pass(f, dice_below(&dice, 300 * USEC_PER_MSEC));
        check_slots(f);
    }
    f->count = 0;
    calm_down(f);
    fixture_free(f);
}

static void whatever_is_asked_every_slot_can_be_had_back(void **state)
{
    static const char *const PROFILES[] = {"2024", "2025", "2026"};

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(PROFILES); i++) {
        struct proxy_model_options options = options_of(PROFILES[i]);
        live_at_random(&options);
        options.slots.close.high = 10 * SECOND;
        options.slots.failure = 0.3;
        live_at_random(&options);
        options.slots.is_leaking = true;
        options.slots.is_silent_connecting = true;
        live_at_random(&options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(without_cache_connected_comes_after_the_discovery_with_the_mtu),
            cmocka_unit_test(with_cache_connected_comes_at_once_with_mtu_23),
            cmocka_unit_test(a_disconnect_of_2026_is_told_once_without_reason_when_all_is_closed),
            cmocka_unit_test(connecting_again_to_what_is_connected_is_answered_at_once),
            cmocka_unit_test(a_request_while_connecting_or_disconnecting_is_not_answered),
            cmocka_unit_test(a_disconnect_while_connecting_is_done_when_the_link_opens),
            cmocka_unit_test(a_connect_cancels_the_remembered_disconnect),
            cmocka_unit_test(a_disconnect_of_what_has_no_slot_is_answered_with_the_slots),
            cmocka_unit_test(the_first_version_of_connecting_is_gone),
            cmocka_unit_test(without_a_type_of_address_the_slot_stays_taken_until_a_disconnect),
            cmocka_unit_test(where_no_slot_is_free_the_answer_is_one_message),
            cmocka_unit_test(a_proxy_that_only_listens_has_no_slots),
            cmocka_unit_test(links_are_established_one_after_the_other),
            cmocka_unit_test(nothing_is_heard_while_a_link_is_established),
            cmocka_unit_test(a_device_that_is_linked_is_silent_and_out_of_reach_for_others),
            cmocka_unit_test(of_two_proxies_that_connect_at_once_one_wins),
            cmocka_unit_test(where_nobody_answers_the_stack_gives_up),
            cmocka_unit_test(a_wrong_type_of_address_reaches_nobody),
            cmocka_unit_test(the_next_attempts_fail_with_the_error_that_was_ordered),
            cmocka_unit_test(a_link_whose_device_walks_off_is_lost),
            cmocka_unit_test(a_link_ends_when_its_life_is_over),
            cmocka_unit_test(a_link_can_be_dropped),
            cmocka_unit_test(firmware_of_2025_says_the_end_twice_and_frees_the_slot_last),
            cmocka_unit_test(old_firmware_frees_early_and_refuses_quick_reconnects),
            cmocka_unit_test(old_firmware_names_no_addresses_and_reports_a_stale_mtu),
            cmocka_unit_test(lists_can_be_wrong),
            cmocka_unit_test(silent_firmware_never_tells_a_failed_attempt),
            cmocka_unit_test(silent_firmware_obeys_a_remembered_disconnect_when_it_came_too_late),
            cmocka_unit_test(leaking_firmware_keeps_a_slot_until_disconnect_or_reboot),
            cmocka_unit_test(requests_can_be_refused_and_attempts_fail_at_a_proxy),
            cmocka_unit_test(a_foreign_slot_is_listed_and_a_disconnect_frees_it),
            cmocka_unit_test(when_the_owner_goes_all_links_end_within_100_ms_and_nobody_is_told),
            cmocka_unit_test(a_new_owner_finds_the_links_of_the_former_and_can_end_them),
            cmocka_unit_test(unsubscribing_ends_the_links_too),
            cmocka_unit_test(what_old_firmware_owes_the_former_owner_is_not_said),
            cmocka_unit_test(a_new_owner_is_answered_about_what_the_former_left),
            cmocka_unit_test(an_attempt_of_an_owner_that_is_gone_ends_when_it_opens),
            cmocka_unit_test(a_reboot_ends_links_without_a_word),
            cmocka_unit_test(a_reboot_forgets_what_was_closing),
            cmocka_unit_test(services_are_listed_once_a_link),
            cmocka_unit_test(with_cache_the_list_of_services_is_empty),
            cmocka_unit_test(operations_on_handles_fail_in_two_ways),
            cmocka_unit_test(pairing_is_answered_when_it_is_done),
            cmocka_unit_test(a_pairing_whose_link_drops_is_not_answered),
            cmocka_unit_test(unpairing_and_clearing_need_no_link),
            cmocka_unit_test(parameters_are_accepted_on_a_link_alone),
            cmocka_unit_test(a_bond_opens_what_is_protected_and_survives_a_reboot_of_the_proxy),
            cmocka_unit_test(unpairing_ends_the_bond_with_the_next_link),
            cmocka_unit_test(a_bond_is_that_of_one_proxy),
            cmocka_unit_test(a_device_that_forgot_the_bond_ends_the_link_with_6),
            cmocka_unit_test(a_device_can_ask_for_pairing_itself),
            cmocka_unit_test(
                    firmware_that_keeps_services_lists_old_ones_until_its_cache_is_cleared),
            cmocka_unit_test(firmware_before_2026_connects_in_the_first_version_and_writes_cccds),
            cmocka_unit_test(a_device_that_stays_silent_loses_its_link),
            cmocka_unit_test(a_broken_list_ends_the_link_with_its_error_in_2026),
            cmocka_unit_test(what_waits_for_a_device_ends_with_the_link_unanswered),
            cmocka_unit_test(a_device_that_is_taken_away_leaves_its_link_to_die),
            cmocka_unit_test(a_thousand_operations_have_a_thousand_answers),
            cmocka_unit_test(whatever_is_asked_every_slot_can_be_had_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
