/* One link of a proxy to a device with the database of TEST_DATA/gatt/bench.json, driven by
 * messages and virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "esphome/codec.h"
#include "fleet/gatt_client.h"
#include "fleet/gatt_library.h"

#define START   ((usec_t) 1000000)
#define SECOND  USEC_PER_SEC
#define ADDRESS 0xc0ffee000001u
#define MTU     247
#define LARGE   18 /* handles of bench.json */
#define NOTE    19
#define ECHO    21
#define COUNT   25
#define BAD     29
#define SLOW    31
#define MUTE    33
#define SHORT   35

struct sent {
    enum message_type type;
    uint32_t handle;
    int32_t error;
    size_t size;   /* of the value; services of a message 71 */
    size_t wire;   /* octets of a message 71 */
    uint32_t uuid; /* short, of the first service */
    usec_t time;
};

struct fixture {
    struct gatt_library *library;
    struct gatt *made; /* a database of its own */
    struct gatt_server *server;
    struct gatt_link *link;
    struct gatt_client *client;
    enum gatt_client_state state;
    struct sent sent[600];
    size_t count, read;
    bool is_deaf; /* the API's connection takes nothing */
    usec_t now;
};

static size_t wire_size(const struct message *message)
{
    struct buffer buffer = {0};
    assert_int_equal(codec_encode(message, &buffer), 0);
    size_t size = buffer_size(&buffer);
    buffer_done(&buffer);
    return size;
}

static int on_send(void *user, const struct message *message)
{
    struct fixture *f = user;
    bool is_list = message->type == MESSAGE_GATT_GET_SERVICES_RESPONSE;

    if (f->is_deaf)
        return -ENOBUFS;
    assert_true(f->count < ARRAY_SIZE(f->sent));
    struct sent *sent = &f->sent[f->count++];
    *sent = (struct sent){.type = message->type, .time = f->now};
    if (is_list) {
        sent->size = message->services.count;
        sent->wire = wire_size(message);
        sent->uuid = message->services.services[0].uuid.short_uuid;
        return 0;
    }
    assert_int_equal(message->gatt.address, ADDRESS);
    sent->handle = message->gatt.handle;
    sent->error = message->gatt.error;
    sent->size = message->gatt.data.size;
    return 0;
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

/* made: a database, taken over; NULL: bench.json. services: whether they were discovered. */
static struct fixture *fixture_with(const struct gatt_client_options *options, struct gatt *made,
                                    bool is_discovered, bool writes_cccd)
{
    struct fixture *f = xnew(struct fixture, 1);
    struct gatt_server_options server = {.count = 1};

    f->now = START;
    f->made = made;
    f->library = gatt_library_new(TEST_DATA "/gatt");
    server.databases[0] = made != NULL ? made : load(f, "bench");
    f->server = gatt_server_new(&server, 1);
    f->link = gatt_link_open(f->server, MTU, f->now);
    f->client =
            gatt_client_new(options, ADDRESS, f->link, is_discovered ? server.databases[0] : NULL,
                            writes_cccd, 1, on_send, f);
    return f;
}

static struct fixture *fixture_of(const struct gatt_client_options *options)
{
    return fixture_with(options, NULL, true, false);
}

static struct fixture *usual(void)
{
    return fixture_of(&(const struct gatt_client_options){.is_packing = true});
}

static void fixture_free(struct fixture *f)
{
    gatt_client_free(f->client);
    gatt_link_close(f->link);
    gatt_server_free(f->server);
    gatt_library_free(f->library);
    gatt_free(f->made);
    free(f);
}

/* From deadline to deadline. */
static void pass(struct fixture *f, usec_t span)
{
    usec_t end = f->now + span, due;

    while (f->state == GATT_CLIENT_GOES_ON && (due = gatt_client_deadline(f->client)) <= end) {
        f->now = due > f->now ? due : f->now;
        f->state = gatt_client_tick(f->client, f->now);
        assert_true(f->state != GATT_CLIENT_GOES_ON || gatt_client_deadline(f->client) > f->now);
    }
    f->now = end;
}

static void ask(struct fixture *f, enum message_type type, uint32_t handle, bool flag, size_t size)
{
    static const uint8_t OCTETS[1000] = {1};
    const struct message message = {
            .type = type,
            .gatt = {.address = ADDRESS, .handle = handle, .flag = flag, .data = {OCTETS, size}}};
    gatt_client_receive(f->client, &message, f->now);
}

static void ask_services(struct fixture *f)
{
    ask(f, MESSAGE_GATT_GET_SERVICES_REQUEST, 0, false, 0);
}

static void ask_read(struct fixture *f, uint32_t handle)
{
    ask(f, MESSAGE_GATT_READ_REQUEST, handle, false, 0);
}

static void ask_write(struct fixture *f, uint32_t handle, size_t size)
{
    ask(f, MESSAGE_GATT_WRITE_REQUEST, handle, true, size);
}

static void ask_command(struct fixture *f, uint32_t handle, size_t size)
{
    ask(f, MESSAGE_GATT_WRITE_REQUEST, handle, false, size);
}

static void ask_notify(struct fixture *f, uint32_t handle, bool enable)
{
    ask(f, MESSAGE_GATT_NOTIFY_REQUEST, handle, enable, 0);
}

/* "01 00": the octets of ask() and one more. */
static void write_cccd(struct fixture *f, uint32_t handle)
{
    ask(f, MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST, handle, false, 2);
}

static const struct sent *next(struct fixture *f, enum message_type type)
{
    assert_true(f->read < f->count);
    const struct sent *sent = &f->sent[f->read++];
    assert_int_equal(sent->type, type);
    return sent;
}

static void expect_error(struct fixture *f, uint32_t handle, int32_t error)
{
    const struct sent *sent = next(f, MESSAGE_GATT_ERROR_RESPONSE);
    assert_int_equal(sent->handle, handle);
    assert_int_equal(sent->error, error);
}

static void expect_nothing(const struct fixture *f)
{
    assert_int_equal(f->read, f->count);
}

/* Services of so many characteristics each. */
static struct gatt *large_database(size_t services, size_t characteristics)
{
    static const struct gatt_behaviour READABLE = {.properties = GATT_READ};
    struct gatt *g = gatt_new();

    for (uint32_t i = 0; i < services; i++) {
        const struct message_uuid uuid = {.short_uuid = 0x1800 + i};
        assert_int_equal(gatt_add_service(g, &uuid, 0), 0);
        for (uint32_t k = 0; k < characteristics; k++)
            assert_int_equal(gatt_add_characteristic(g, &uuid, 0, &READABLE), 0);
    }
    gatt_seal(g);
    return g;
}

/* ---- the list of services ---- */

static void old_firmware_tells_a_service_a_message_and_a_message_a_pass(void **state)
{
    struct fixture *f =
            fixture_with(&(const struct gatt_client_options){0}, large_database(5, 3), true, false);

    (void) state;
    ask_services(f);
    expect_nothing(f);
    pass(f, SECOND);
    for (usec_t i = 0; i < 5; i++) {
        const struct sent *sent = next(f, MESSAGE_GATT_GET_SERVICES_RESPONSE);
        assert_int_equal(sent->size, 1);
        assert_int_equal(sent->uuid, 0); /* told in 128 bits */
        assert_int_equal(sent->time, START + (i + 1) * GATT_CLIENT_PASS);
    }
    assert_int_equal(next(f, MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE)->time,
                     START + 6 * GATT_CLIENT_PASS);
    expect_nothing(f);
    fixture_free(f);
}

static void new_firmware_packs_services_as_they_fit(void **state)
{
    const struct gatt_client_options options = {.is_packing = true, .has_short_uuids = true};
    struct fixture *f = fixture_with(&options, large_database(50, 8), true, false);
    size_t services = 0, messages = 0;
    uint32_t uuid = 0x1800;

    (void) state;
    ask_services(f);
    pass(f, SECOND);
    while (f->sent[f->read].type == MESSAGE_GATT_GET_SERVICES_RESPONSE) {
        const struct sent *sent = next(f, MESSAGE_GATT_GET_SERVICES_RESPONSE);
        assert_in_range(sent->wire, 1, GATT_CLIENT_BATCH_MAX);
        assert_int_equal(sent->uuid, uuid + services);
        services += sent->size;
        messages++;
    }
    next(f, MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE);
    assert_int_equal(services, 50);
    assert_in_range(messages, 2, 12);
    fixture_free(f);
}

static void a_service_that_is_too_large_goes_alone(void **state)
{
    const struct gatt_client_options options = {.is_packing = true};
    struct fixture *f = fixture_with(&options, large_database(2, 100), true, false);

    (void) state;
    ask_services(f);
    pass(f, SECOND);
    assert_in_range(f->sent[0].wire, GATT_CLIENT_BATCH_MAX, 65535);
    assert_int_equal(next(f, MESSAGE_GATT_GET_SERVICES_RESPONSE)->size, 1);
    assert_int_equal(next(f, MESSAGE_GATT_GET_SERVICES_RESPONSE)->size, 1);
    next(f, MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE);
    fixture_free(f);
}

static void a_second_request_is_not_answered_unless_the_firmware_repeats(void **state)
{
    (void) state;
    for (unsigned repeats = 0; repeats < 2; repeats++) {
        struct fixture *f = fixture_of(&(const struct gatt_client_options){
                .is_packing = true, .is_repeating = repeats != 0});
        ask_services(f);
        pass(f, SECOND);
        next(f, MESSAGE_GATT_GET_SERVICES_RESPONSE);
        next(f, MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE);
        ask_services(f);
        pass(f, 60 * SECOND);
        assert_int_equal(f->count - f->read, 2 * repeats);
        fixture_free(f);
    }
}

static void a_request_in_the_middle_restarts_the_list_or_is_ignored(void **state)
{
    (void) state;
    for (unsigned restarts = 0; restarts < 2; restarts++) {
        const struct gatt_client_options options = {.is_restarting = restarts != 0};
        struct fixture *f = fixture_with(&options, large_database(5, 1), true, false);
        ask_services(f);
        pass(f, 2 * GATT_CLIENT_PASS);
        ask_services(f);
        pass(f, SECOND);
        assert_int_equal(f->count, 6 + 2 * restarts);
        assert_int_equal(f->sent[f->count - 1].type, MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE);
        fixture_free(f);
    }
}

static void what_was_not_discovered_is_an_empty_list_each_time(void **state)
{
    const struct gatt_client_options options = {.is_packing = true};
    struct fixture *f = fixture_with(&options, NULL, false, false);

    (void) state;
    for (unsigned i = 0; i < 2; i++) {
        ask_services(f);
        pass(f, SECOND);
        next(f, MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE);
        expect_nothing(f);
    }
    fixture_free(f);
}

static void a_list_that_breaks_off_has_no_end_and_new_firmware_ends_the_link(void **state)
{
    (void) state;
    for (unsigned tells = 0; tells < 2; tells++) {
        const struct gatt_client_options options = {.breaks = 1, .is_broken_told = tells != 0};
        struct fixture *f = fixture_with(&options, large_database(5, 1), true, false);
        ask_services(f);
        pass(f, SECOND);
        assert_in_range(f->count, 0, 4);
        while (f->read < f->count)
            next(f, MESSAGE_GATT_GET_SERVICES_RESPONSE);
        assert_int_equal(f->state, tells ? GATT_CLIENT_BROKEN : GATT_CLIENT_GOES_ON);
        fixture_free(f);
    }
}

static void a_list_waits_for_a_client_that_takes_nothing(void **state)
{
    const struct gatt_client_options options = {0};
    struct fixture *f = fixture_with(&options, large_database(5, 1), true, false);

    (void) state;
    ask_services(f);
    pass(f, 2 * GATT_CLIENT_PASS);
    f->is_deaf = true;
    pass(f, SECOND);
    f->is_deaf = false;
    pass(f, SECOND);
    assert_int_equal(f->count, 6);
    assert_int_equal(f->sent[5].type, MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE);
    fixture_free(f);
}

/* ---- operations ---- */

static void operations_are_answered_with_their_handles(void **state)
{
    struct fixture *f = usual();

    (void) state;
    ask_read(f, LARGE);
    expect_nothing(f);
    ask_write(f, ECHO, 7);
    ask(f, MESSAGE_GATT_READ_DESCRIPTOR_REQUEST, NOTE, false, 0);
    ask(f, MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST, NOTE, false, 3);
    assert_int_equal(gatt_client_waiting(f->client), 4);
    pass(f, 2 * SECOND);
    const struct sent *sent = next(f, MESSAGE_GATT_READ_RESPONSE);
    assert_int_equal(sent->handle, LARGE);
    assert_int_equal(sent->size, 512);
    assert_int_equal(next(f, MESSAGE_GATT_WRITE_RESPONSE)->handle, ECHO);
    assert_int_equal(next(f, MESSAGE_GATT_READ_RESPONSE)->handle, NOTE);
    assert_int_equal(next(f, MESSAGE_GATT_WRITE_RESPONSE)->handle, NOTE);
    assert_int_equal(gatt_client_waiting(f->client), 0);
    fixture_free(f);
}

static void an_error_of_the_device_is_told_with_its_number(void **state)
{
    struct fixture *f = usual();

    (void) state;
    ask_read(f, 1000);
    ask_write(f, 1000, 1);
    ask_read(f, BAD);
    ask_write(f, SHORT, 5);
    ask_write(f, LARGE, 513);
    ask_write(f, LARGE, 1000);
    pass(f, 2 * SECOND);
    expect_error(f, 1000, GATT_INVALID_HANDLE);
    expect_error(f, 1000, GATT_INVALID_HANDLE);
    expect_error(f, BAD, 128);
    expect_error(f, SHORT, GATT_INVALID_LENGTH);
    expect_error(f, LARGE, GATT_INVALID_LENGTH);
    expect_error(f, LARGE, GATT_INVALID_LENGTH);
    fixture_free(f);
}

static void a_slow_value_holds_up_what_stands_behind_it(void **state)
{
    struct fixture *f = usual();

    (void) state;
    ask_read(f, SLOW);
    pass(f, 1499 * USEC_PER_MSEC);
    expect_nothing(f);
    ask_read(f, ECHO); /* and is not held up by it */
    pass(f, SECOND);
    assert_int_equal(f->sent[f->read].time, START + 1500 * USEC_PER_MSEC);
    assert_int_equal(next(f, MESSAGE_GATT_READ_RESPONSE)->handle, SLOW);
    assert_int_equal(next(f, MESSAGE_GATT_READ_RESPONSE)->handle, ECHO);
    fixture_free(f);
}

static void a_silent_value_ends_the_link_when_patience_is_over(void **state)
{
    struct fixture *f = usual();

    (void) state;
    ask_read(f, MUTE);
    ask_read(f, ECHO);
    pass(f, GATT_CLIENT_PATIENCE - 1);
    assert_int_equal(f->state, GATT_CLIENT_GOES_ON);
    pass(f, 1);
    assert_int_equal(f->state, GATT_CLIENT_TIMED_OUT);
    expect_nothing(f);
    fixture_free(f);
}

static void a_line_that_is_full_is_busy(void **state)
{
    struct fixture *f = usual();

    (void) state;
    for (unsigned i = 0; i < GATT_CLIENT_LINE_MAX; i++)
        ask_read(f, ECHO);
    expect_nothing(f);
    ask_read(f, SLOW);
    expect_error(f, SLOW, GATT_CLIENT_BUSY);
    pass(f, 10 * SECOND);
    assert_int_equal(f->count - f->read, GATT_CLIENT_LINE_MAX);
    fixture_free(f);
}

static void writes_without_response_are_acknowledged_too_where_the_firmware_does(void **state)
{
    (void) state;
    for (unsigned is_silent = 0; is_silent < 2; is_silent++) {
        struct fixture *f = fixture_of(
                &(const struct gatt_client_options){.is_command_silent = is_silent != 0});
        ask_command(f, LARGE, 400); /* the stack cuts it to MTU - 3 */
        ask_command(f, 1000, 1);
        pass(f, 1);
        assert_int_equal(f->count, is_silent ? 0 : 2);
        ask_read(f, LARGE);
        pass(f, SECOND);
        assert_int_equal(f->sent[f->count - 1].type, MESSAGE_GATT_READ_RESPONSE);
        assert_int_equal(f->sent[f->count - 1].size, MTU - 3);
        fixture_free(f);
    }
}

/* ---- notifications ---- */

static void notifications_need_both_the_proxy_and_the_cccd(void **state)
{
    struct fixture *f = usual();

    (void) state;
    ask_notify(f, COUNT, true);
    assert_int_equal(next(f, MESSAGE_GATT_NOTIFY_RESPONSE)->handle, COUNT);
    pass(f, SECOND);
    expect_nothing(f);
    write_cccd(f, COUNT + 1);
    pass(f, 50 * USEC_PER_MSEC);
    next(f, MESSAGE_GATT_WRITE_RESPONSE);
    pass(f, SECOND);
    assert_in_range(f->count - f->read, 9, 10);
    assert_int_equal(f->sent[f->read].type, MESSAGE_GATT_NOTIFY_DATA_RESPONSE);
    assert_int_equal(f->sent[f->read].handle, COUNT);
    assert_int_equal(f->sent[f->read].size, 4);
    f->read = f->count;
    ask_notify(f, COUNT, false);
    next(f, MESSAGE_GATT_NOTIFY_RESPONSE);
    pass(f, SECOND); /* the device goes on, and the proxy keeps it to itself */
    expect_nothing(f);
    ask_notify(f, COUNT, true);
    next(f, MESSAGE_GATT_NOTIFY_RESPONSE);
    pass(f, SECOND);
    assert_in_range(f->count - f->read, 9, 10);
    fixture_free(f);
}

static void an_echo_comes_behind_the_answer_to_its_write(void **state)
{
    struct fixture *f = usual();

    (void) state;
    ask_notify(f, ECHO, true);
    write_cccd(f, ECHO + 1);
    for (unsigned i = 0; i < 5; i++)
        ask_write(f, ECHO, 1 + i);
    pass(f, SECOND);
    next(f, MESSAGE_GATT_NOTIFY_RESPONSE);
    next(f, MESSAGE_GATT_WRITE_RESPONSE);
    for (unsigned i = 0; i < 5; i++) {
        next(f, MESSAGE_GATT_WRITE_RESPONSE);
        assert_int_equal(next(f, MESSAGE_GATT_NOTIFY_DATA_RESPONSE)->size, 1 + i);
    }
    fixture_free(f);
}

static void in_the_first_version_the_proxy_writes_the_cccd(void **state)
{
    const struct gatt_client_options options = {0};
    struct fixture *f = fixture_with(&options, NULL, true, true);

    (void) state;
    ask_notify(f, COUNT, true);
    next(f, MESSAGE_GATT_NOTIFY_RESPONSE);
    pass(f, 50 * USEC_PER_MSEC);
    assert_int_equal(next(f, MESSAGE_GATT_WRITE_RESPONSE)->handle, COUNT + 1);
    ask_notify(f, SHORT, true); /* indications alone */
    next(f, MESSAGE_GATT_NOTIFY_RESPONSE);
    pass(f, 50 * USEC_PER_MSEC);
    assert_int_equal(next(f, MESSAGE_GATT_WRITE_RESPONSE)->handle, SHORT + 1);
    pass(f, SECOND);
    assert_in_range(f->count - f->read, 9, 10);
    fixture_free(f);
}

static void only_so_many_handles_can_notify(void **state)
{
    struct fixture *f = usual();

    (void) state;
    for (uint32_t i = 0; i < GATT_CLIENT_NOTIFY_MAX; i++) {
        ask_notify(f, 100 + i, true);
        ask_notify(f, 100 + i, true); /* again is nothing new */
        next(f, MESSAGE_GATT_NOTIFY_RESPONSE);
        next(f, MESSAGE_GATT_NOTIFY_RESPONSE);
    }
    ask_notify(f, 200, true);
    expect_error(f, 200, GATT_CLIENT_NO_RESOURCES);
    ask_notify(f, 100, false);
    ask_notify(f, 200, true);
    next(f, MESSAGE_GATT_NOTIFY_RESPONSE);
    next(f, MESSAGE_GATT_NOTIFY_RESPONSE);
    ask_notify(f, 999, false); /* was never on */
    next(f, MESSAGE_GATT_NOTIFY_RESPONSE);
    fixture_free(f);
}

/* ---- what the API's connection does not take ---- */

static void one_acknowledgement_is_owed_and_a_value_is_lost(void **state)
{
    struct fixture *f = fixture_of(&(const struct gatt_client_options){.is_owing = true});

    (void) state;
    f->is_deaf = true;
    ask_notify(f, ECHO, true);
    ask_write(f, ECHO, 1);
    ask_read(f, ECHO);
    pass(f, SECOND);
    f->is_deaf = false;
    pass(f, SECOND);
    assert_int_equal(next(f, MESSAGE_GATT_WRITE_RESPONSE)->handle, ECHO); /* the later one */
    pass(f, 60 * SECOND);
    expect_nothing(f);
    assert_int_equal(gatt_client_deadline(f->client), USEC_NEVER);
    fixture_free(f);
}

static void old_firmware_owes_nothing(void **state)
{
    struct fixture *f = usual();

    (void) state;
    f->is_deaf = true;
    ask_notify(f, ECHO, true);
    f->is_deaf = false;
    pass(f, SECOND);
    expect_nothing(f);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(old_firmware_tells_a_service_a_message_and_a_message_a_pass),
            cmocka_unit_test(new_firmware_packs_services_as_they_fit),
            cmocka_unit_test(a_service_that_is_too_large_goes_alone),
            cmocka_unit_test(a_second_request_is_not_answered_unless_the_firmware_repeats),
            cmocka_unit_test(a_request_in_the_middle_restarts_the_list_or_is_ignored),
            cmocka_unit_test(what_was_not_discovered_is_an_empty_list_each_time),
            cmocka_unit_test(a_list_that_breaks_off_has_no_end_and_new_firmware_ends_the_link),
            cmocka_unit_test(a_list_waits_for_a_client_that_takes_nothing),
            cmocka_unit_test(operations_are_answered_with_their_handles),
            cmocka_unit_test(an_error_of_the_device_is_told_with_its_number),
            cmocka_unit_test(a_slow_value_holds_up_what_stands_behind_it),
            cmocka_unit_test(a_silent_value_ends_the_link_when_patience_is_over),
            cmocka_unit_test(a_line_that_is_full_is_busy),
            cmocka_unit_test(writes_without_response_are_acknowledged_too_where_the_firmware_does),
            cmocka_unit_test(notifications_need_both_the_proxy_and_the_cccd),
            cmocka_unit_test(an_echo_comes_behind_the_answer_to_its_write),
            cmocka_unit_test(in_the_first_version_the_proxy_writes_the_cccd),
            cmocka_unit_test(only_so_many_handles_can_notify),
            cmocka_unit_test(one_acknowledgement_is_owed_and_a_value_is_lost),
            cmocka_unit_test(old_firmware_owes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
