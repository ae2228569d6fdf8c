/* The publisher with its readers under virtual time: what is read is the text of the stream. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "fake_gatts.h"
#include "fake_links.h"
#include "rest/event_publisher.h"
#include "rest/event_reader.h"

#define ADDRESS   0xa4c13812ab56
#define BOOT      0x5f0c2a91
#define QUEUE     16 /* events that may wait for a reader */
#define KEPT      32 /* events that can be replayed */
#define SOON      (20 * USEC_PER_MSEC)
#define DATA_SIZE 4096

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct clients *clients;
    struct device_texts texts;
    struct event_publisher *publisher;
};

struct listener {
    struct answer_stream *stream;
    struct buffer text; /* read, not yet taken */
    unsigned wakes, stalls;
    bool is_at_end;
};

struct frame {
    char id[EVENT_ID_SIZE];
    char event[32]; /* ":" for a comment, "retry" for that */
    char data[DATA_SIZE];
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"},"
                            "{\"name\":\"hall\",\"host\":\"192.0.2.11\"}],"
                            "\"limits\":{\"sse_clients\":8,\"sse_queue\":16,\"event_ring\":32}}");
    f->gateway = fake_gateway_new(f->config);
    f->clients = clients_new();
    f->publisher = event_publisher_new(f->gateway, f->clients, &f->texts);
    event_publisher_set_boot(f->publisher, BOOT);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    event_publisher_free(f->publisher);
    assert_int_equal(clients_count(f->clients), 0);
    device_texts_done(&f->texts);
    clients_free(f->clients);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

/* ---- listening ---- */

static void on_wake(void *user)
{
    ((struct listener *) user)->wakes++;
}

static void on_stalled(void *user)
{
    ((struct listener *) user)->stalls++;
}

static int open_stream(struct fixture *f, struct listener *l, const char *text, const char *last)
{
    struct faults faults = {0};
    struct event_wish wish;
    struct query query;
    int result;

    *l = (struct listener){0};
    query_read(&query, text, event_wish_rules, &faults);
    event_wish_read(&wish, &query, last, &faults);
    assert_false(faults_any(&faults));
    result = event_publisher_open(f->publisher, &wish, "test", "192.0.2.7:1", &l->stream);
    event_wish_done(&wish);
    query_done(&query);
    if (result != 0)
        return result;
    l->stream->on_wake = on_wake;
    l->stream->on_stalled = on_stalled;
    l->stream->user = l;
    return 0;
}

/* Reads once; false when there was nothing. */
static bool read_some(struct listener *l, size_t capacity)
{
    ptrdiff_t size = l->stream->read(l->stream, buffer_reserve(&l->text, capacity), capacity);

    l->is_at_end = size == ANSWER_STREAM_END;
    if (size > 0)
        buffer_commit(&l->text, (size_t) size);
    return size > 0;
}

static void read_all(struct listener *l)
{
    while (read_some(l, 1000))
        ;
}

static void copy_field(char *target, size_t room, const char *line, size_t size, const char *name)
{
    size_t skipped = strlen(name);

    if (size < skipped || memcmp(line, name, skipped) != 0)
        return;
    assert_true(size - skipped < room);
    memcpy(target, line + skipped, size - skipped);
    target[size - skipped] = '\0';
}

/* Takes the next whole frame of what was read; false when there is none. */
static bool take(struct listener *l, struct frame *ret_frame)
{
    *ret_frame = (struct frame){0};
    for (size_t at = 0; at < buffer_size(&l->text);) {
        const char *line = (const char *) buffer_front(&l->text) + at;
        const char *end = memchr(line, '\n', buffer_size(&l->text) - at);
        size_t size;

        if (!end)
            return false;
        size = (size_t) (end - line);
        at += size + 1;
        if (size == 0) {
            buffer_consume(&l->text, at);
            return true;
        }
        copy_field(ret_frame->id, sizeof ret_frame->id, line, size, "id: ");
        copy_field(ret_frame->event, sizeof ret_frame->event, line, size, "event: ");
        copy_field(ret_frame->data, sizeof ret_frame->data, line, size, "data: ");
        if (line[0] == ':')
            memcpy(ret_frame->event, ":", 2);
        if (size == strlen("retry: 3000") && memcmp(line, "retry: 3000", size) == 0)
            memcpy(ret_frame->event, "retry", 6);
    }
    return false;
}

/* From the beginning on, behind the retry time. */
static void listen(struct fixture *f, struct listener *l, const char *text, const char *last)
{
    struct frame frame;

    assert_int_equal(open_stream(f, l, text, last), 0);
    assert_true(read_some(l, 1 << 16));
    assert_true(take(l, &frame));
    assert_string_equal(frame.event, "retry");
    read_all(l);
}

static void hang_up(struct listener *l)
{
    l->stream->free(l->stream);
    buffer_done(&l->text);
}

static json_t *next(struct listener *l, const char *event)
{
    struct frame frame;
    json_t *data;

    read_all(l);
    do
        assert_true(take(l, &frame));
    while (strcmp(frame.event, ":") == 0);
    assert_string_equal(frame.event, event);
    data = json_loads(frame.data, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(data);
    return data;
}

static void assert_next(struct listener *l, const char *event, const char *key, const char *value)
{
    json_t *data = next(l, event);

    assert_string_equal(json_string_value(json_object_get(data, key)), value);
    json_decref(data);
}

static void assert_nothing(struct listener *l)
{
    struct frame frame;

    read_all(l);
    while (take(l, &frame)) {
        if (strcmp(frame.event, ":") != 0)
            fail_msg("unexpected %s %s", frame.event, frame.data);
    }
}

/* ---- happenings ---- */

static struct fake_device *add(struct fixture *f, uint64_t address)
{
    return fake_gateway_add(f->gateway, address);
}

static void change(struct fixture *f, unsigned reasons, const struct fake_device *d)
{
    fake_gateway_change(f->gateway, reasons, d);
}

static void flush(struct fixture *f)
{
    fake_gateway_advance(f->gateway, SOON);
}

static const uint8_t packet_data[] = {0x02, 0x01, 0x06};

/* A packet of the owner like the one before. */
static struct gateway_hearing same_packet(const struct fixture *f)
{
    usec_t before = gateway_now(f->gateway) - USEC_PER_SEC;

    return (struct gateway_hearing){
            .is_owner = true,
            .rssi = -60,
            .rssi_smoothed = -60,
            .heard_before = before,
            .silent_since = before,
            .data = packet_data,
            .size = sizeof packet_data,
    };
}

static void hear(struct fixture *f, const struct fake_device *d, int rssi, bool is_change)
{
    struct gateway_hearing hearing = same_packet(f);

    hearing.rssi = rssi;
    hearing.is_change = is_change;
    fake_gateway_packet(f->gateway, d, &hearing);
}

static void assert_rssi(struct listener *l, const char *event, int rssi)
{
    json_t *data = next(l, event);

    assert_int_equal(json_integer_value(json_object_get(data, "rssi")), rssi);
    json_decref(data);
}

/* ---- events ---- */

static void each_reason_of_a_change_is_an_event(void **state)
{
    const struct gateway_owner_change owner = {NULL, "kitchen", "first", -60, -60};
    struct fixture *f = *state;
    struct listener l;

    listen(f, &l, "", NULL);
    fake_gateway_change_owner(f->gateway, GATEWAY_DEVICE_OWNER | GATEWAY_DEVICE_FIRST_SEEN,
                              add(f, ADDRESS), &owner);
    flush(f);
    assert_int_equal(l.wakes, 1);
    assert_next(&l, "device", "reason", "first_seen");
    assert_next(&l, "device", "reason", "owner");
    assert_nothing(&l);
    hang_up(&l);
}

static void proxies_and_warnings_are_told(void **state)
{
    struct event_log_line line = {.level = "info", .module = "proxy", .message = "m"};
    struct fixture *f = *state;
    struct listener l;

    listen(f, &l, "", NULL);
    fake_gateway_change_proxy(f->gateway, GATEWAY_PROXY_SLOTS, 1);
    event_publisher_log(f->publisher, &line);
    line.level = "warning";
    event_publisher_log(f->publisher, &line);
    line.level = "error";
    event_publisher_log(f->publisher, &line);
    flush(f);
    assert_next(&l, "proxy", "reason", "slots");
    assert_next(&l, "log", "level", "warning");
    assert_next(&l, "log", "level", "error");
    assert_nothing(&l);
    hang_up(&l);
}

static void windows_are_events_of_their_proxy(void **state)
{
    struct fixture *f = *state;
    struct listener all, hall;
    uint64_t number;

    listen(f, &all, "", NULL);
    listen(f, &hall, "types=scan_window&proxy=hall", NULL);
    assert_int_equal(gateway_open_window(f->gateway, 0, ADDRESS, 10 * USEC_PER_SEC, &number), 0);
    fake_gateway_change_window(f->gateway, "opened", number);
    flush(f);
    assert_next(&all, "scan_window", "action", "opened");
    assert_nothing(&all);
    assert_nothing(&hall);
    hang_up(&all);
    hang_up(&hall);
}

static void G09_notifications_are_events_in_order_for_whoever_does_not_say_otherwise(void **state)
{
    const struct gatt_entry entry = {.uuid = ble_uuid_from_short(0x2a37), .handle = 21};
    struct fixture *f = *state;
    struct listener all, hall, devices;

    fake_gatts_hold(f->gateway, ADDRESS, &entry, "notify", "L1"); /* a device never heard, too */
    listen(f, &all, "", NULL);
    listen(f, &hall, "types=notification&proxy=hall", NULL);
    listen(f, &devices, "types=device", NULL);
    fake_gatts_value(f->gateway, ADDRESS, 21, "a", "kitchen");
    fake_gatts_value(f->gateway, ADDRESS, 21, "b", "hall");
    flush(f);
    assert_next(&all, "notification", "value", "61");
    assert_next(&all, "notification", "value", "62");
    assert_nothing(&all);
    assert_next(&hall, "notification", "value", "62");
    assert_nothing(&hall);
    assert_nothing(&devices);
    hang_up(&all);
    hang_up(&hall);
    hang_up(&devices);
}

static void links_are_events_of_their_device_and_proxy(void **state)
{
    struct fixture *f = *state;
    struct listener all, hall, other;

    (void) add(f, ADDRESS);
    listen(f, &all, "", NULL);
    listen(f, &hall, "types=connection&proxy=hall", NULL);
    listen(f, &other, "types=connection&address=112233445566", NULL);
    fake_links_change(f->gateway, "queued", ADDRESS, NULL);
    fake_links_change(f->gateway, NULL, ADDRESS, "kitchen"); /* no event */
    fake_links_change(f->gateway, "opened", ADDRESS, "kitchen");
    fake_links_change(f->gateway, "closed", ADDRESS, "hall");
    flush(f);
    assert_next(&all, "connection", "action", "queued");
    assert_next(&all, "connection", "action", "opened");
    assert_next(&all, "connection", "action", "closed");
    assert_nothing(&all);
    assert_next(&hall, "connection", "action", "closed");
    assert_nothing(&hall);
    assert_nothing(&other);
    hang_up(&all);
    hang_up(&hall);
    hang_up(&other);
}

static void A13_noise_is_told_when_it_becomes_something_else(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, ADDRESS);
    struct listener l;

    listen(f, &l, "", NULL);
    d->facts.is_noise = true;
    change(f, GATEWAY_DEVICE_FIRST_SEEN, d);
    change(f, GATEWAY_DEVICE_AVAILABILITY, d);
    flush(f);
    assert_nothing(&l);
    d->facts.is_noise = false;
    change(f, GATEWAY_DEVICE_PAYLOAD, d);
    flush(f);
    assert_next(&l, "device", "reason", "payload");
    assert_nothing(&l);
    hang_up(&l);
}

static void ids_are_the_boot_and_a_number(void **state)
{
    struct fixture *f = *state;
    struct listener l;
    struct frame frame;

    listen(f, &l, "", NULL);
    change(f, GATEWAY_DEVICE_PAYLOAD, add(f, ADDRESS));
    flush(f);
    read_all(&l);
    assert_true(take(&l, &frame));
    assert_string_equal(frame.id, "5f0c2a91-1");
    hang_up(&l);
}

static void one_wake_serves_all_events_of_a_few_milliseconds(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, ADDRESS);
    struct listener l;

    listen(f, &l, "", NULL);
    for (int i = 0; i < 10; i++)
        change(f, GATEWAY_DEVICE_PAYLOAD, d);
    assert_int_equal(l.wakes, 0);
    fake_gateway_advance(f->gateway, 10 * USEC_PER_MSEC);
    assert_int_equal(l.wakes, 1);
    change(f, GATEWAY_DEVICE_PAYLOAD, d); /* it is awake already */
    flush(f);
    assert_int_equal(l.wakes, 1);
    for (int i = 0; i < 11; i++)
        assert_next(&l, "device", "reason", "payload");
    assert_nothing(&l);
    hang_up(&l);
}

static void text_is_the_same_in_pieces_of_any_size(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, ADDRESS);
    struct listener whole, pieces;

    assert_int_equal(open_stream(f, &whole, "snapshot=true", NULL), 0);
    assert_int_equal(open_stream(f, &pieces, "snapshot=true", NULL), 0);
    change(f, GATEWAY_DEVICE_PAYLOAD, d);
    flush(f);
    assert_true(read_some(&whole, 1 << 16));
    while (read_some(&pieces, 7))
        ;
    assert_int_equal(buffer_size(&pieces.text), buffer_size(&whole.text));
    assert_memory_equal(buffer_front(&pieces.text), buffer_front(&whole.text),
                        buffer_size(&whole.text));
    hang_up(&whole);
    hang_up(&pieces);
}

/* ---- modes ---- */

static void E01_standard_mode_tells_changes_alone(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, ADDRESS);
    struct listener l;

    listen(f, &l, "types=advertisement", NULL);
    hear(f, d, -60, false);
    hear(f, d, -20, false);
    hear(f, d, -61, true);
    hear(f, d, -62, false);
    flush(f);
    assert_rssi(&l, "advertisement", -61);
    assert_nothing(&l);
    hang_up(&l);
}

static void E02_every_mode_tells_its_own_from_the_same_packets(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, ADDRESS);
    struct gateway_hearing other = same_packet(f), late;
    struct listener all, owner, interval, reappear;

    listen(f, &all, "types=advertisement&mode=all&proxies=all", NULL);
    listen(f, &owner, "types=advertisement&mode=all", NULL);
    listen(f, &interval, "types=advertisement&mode=interval&min_interval_s=2", NULL);
    listen(f, &reappear, "types=advertisement&mode=reappear&silence_s=60", NULL);
    hear(f, d, -60, false);
    hear(f, d, -61, false);
    hear(f, d, -62, true);
    other.is_owner = false;
    other.proxy_id = 1;
    other.rssi = -80;
    fake_gateway_packet(f->gateway, d, &other);
    for (int i = 0; i < 10; i++)
        fake_gateway_advance(f->gateway, 10 * USEC_PER_SEC);
    late = same_packet(f);
    late.silent_since = gateway_now(f->gateway) - 100 * USEC_PER_SEC;
    late.rssi = -63;
    fake_gateway_packet(f->gateway, d, &late);
    flush(f);
    assert_rssi(&all, "advertisement", -60);
    assert_rssi(&all, "advertisement", -61);
    assert_rssi(&all, "advertisement", -62);
    assert_rssi(&all, "advertisement", -80);
    assert_rssi(&all, "advertisement", -63);
    assert_nothing(&all);
    assert_rssi(&owner, "advertisement", -60);
    assert_rssi(&owner, "advertisement", -61);
    assert_rssi(&owner, "advertisement", -62);
    assert_rssi(&owner, "advertisement", -63);
    assert_nothing(&owner);
    assert_rssi(&interval, "advertisement", -60);
    assert_rssi(&interval, "advertisement", -62); /* the newest, when the two seconds were over */
    assert_rssi(&interval, "advertisement", -63);
    assert_nothing(&interval);
    assert_rssi(&reappear, "advertisement", -63);
    assert_nothing(&reappear);
    hang_up(&all);
    hang_up(&owner);
    hang_up(&interval);
    hang_up(&reappear);
}

static void E06_rssi_of_every_proxy(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, ADDRESS);
    struct gateway_hearing other = same_packet(f);
    struct listener l;

    listen(f, &l, "types=rssi", NULL);
    hear(f, d, -60, false);
    other.is_owner = false;
    other.proxy_id = 1;
    other.rssi = -80;
    fake_gateway_packet(f->gateway, d, &other);
    fake_gateway_packet(f->gateway, d, &other);
    flush(f);
    assert_next(&l, "rssi", "proxy", "kitchen");
    assert_next(&l, "rssi", "proxy", "hall");
    assert_nothing(&l);
    hang_up(&l);
}

static void packet_whose_device_is_gone_when_its_time_comes_is_not_told(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, ADDRESS);
    struct listener l;

    listen(f, &l, "types=advertisement&mode=interval", NULL);
    hear(f, d, -60, false);
    hear(f, d, -61, false);
    fake_gateway_remove(f->gateway, ADDRESS);
    fake_gateway_advance(f->gateway, 2 * USEC_PER_SEC);
    flush(f);
    assert_rssi(&l, "advertisement", -60);
    assert_nothing(&l);
    hang_up(&l);
}

static void packets_are_listened_to_only_while_somebody_wants_them(void **state)
{
    struct fixture *f = *state;
    struct listener changes, packets;

    listen(f, &changes, "", NULL);
    assert_false(fake_gateway_is_heard(f->gateway));
    listen(f, &packets, "types=advertisement", NULL);
    assert_true(fake_gateway_is_heard(f->gateway));
    hang_up(&packets);
    fake_gateway_advance(f->gateway, 299 * USEC_PER_SEC);
    assert_true(fake_gateway_is_heard(f->gateway)); /* it may come back */
    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    assert_false(fake_gateway_is_heard(f->gateway));
    hang_up(&changes);
}

/* ---- filters ---- */

static void E04_filters_decide_who_gets_what(void **state)
{
    static const uint8_t apple[] = {0x05, 0xff, 0x4c, 0x00, 0x10, 0x05};
    static const uint8_t battery[] = {0x03, 0x03, 0x0f, 0x18, 0x03, 0x09, 'B', 'a'};
    static const struct {
        const char *query;
        bool gets_apple, gets_battery;
    } rows[] = {
            {"service_uuid=1111&service_uuid=180f", false, true},
            {"address=000000000001", true, false},
            {"address=000000000001&address=000000000002", true, true},
            {"name=BA", false, true},
            {"manufacturer_id=76", true, false},
            {"manufacturer_id=76&manufacturer_data_prefix=10", true, false},
            {"manufacturer_id=76&manufacturer_data_prefix=11", false, false},
    };
    struct fixture *f = *state;
    struct fake_device *a = add(f, 1), *b = add(f, 2);
    struct listener l[ARRAY_SIZE(rows)];

    fake_gateway_hear(f->gateway, a, "kitchen", apple, sizeof apple);
    fake_gateway_hear(f->gateway, b, "kitchen", battery, sizeof battery);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        listen(f, &l[i], rows[i].query, NULL);
    change(f, GATEWAY_DEVICE_PAYLOAD, a);
    change(f, GATEWAY_DEVICE_AVAILABILITY, b);
    fake_gateway_change_proxy(f->gateway, GATEWAY_PROXY_STATE, 0); /* has no device */
    flush(f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].gets_apple)
            assert_next(&l[i], "device", "reason", "payload");
        if (rows[i].gets_battery)
            assert_next(&l[i], "device", "reason", "availability");
        assert_next(&l[i], "proxy", "reason", "state");
        assert_nothing(&l[i]);
        hang_up(&l[i]);
    }
}

static void replay_is_filtered_though_the_device_is_forgotten(void **state)
{
    static const uint8_t battery[] = {0x03, 0x03, 0x0f, 0x18, 0x03, 0x09, 'B', 'a'};
    struct fixture *f = *state;
    struct fake_device *a = add(f, 1), *b = add(f, 2);
    struct listener l, back;

    fake_gateway_hear(f->gateway, b, "kitchen", battery, sizeof battery);
    listen(f, &l, "", NULL);
    change(f, GATEWAY_DEVICE_PAYLOAD, a);
    change(f, GATEWAY_DEVICE_FORGOTTEN, b);
    flush(f);
    fake_gateway_remove(f->gateway, 1);
    fake_gateway_remove(f->gateway, 2);
    listen(f, &back, "name=ba", "5f0c2a91-0");
    assert_next(&back, "device", "reason", "forgotten");
    assert_nothing(&back);
    hang_up(&l);
    hang_up(&back);
}

/* ---- snapshot ---- */

static void E03_snapshot_comes_first_then_what_happened_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, 1);
    struct listener l;
    struct frame frame;
    json_t *data;

    add(f, 2);
    assert_int_equal(open_stream(f, &l, "snapshot=true", NULL), 0);
    change(f, GATEWAY_DEVICE_AVAILABILITY, d);
    flush(f);
    read_all(&l);
    assert_true(take(&l, &frame)); /* retry */
    assert_next(&l, "device", "reason", "snapshot");
    assert_next(&l, "device", "reason", "snapshot");
    data = next(&l, "ready");
    assert_int_equal(json_integer_value(json_object_get(data, "devices")), 2);
    json_decref(data);
    assert_next(&l, "device", "reason", "availability");
    assert_nothing(&l);
    hang_up(&l);
}

static void snapshot_is_filtered_and_leaves_out_who_has_gone(void **state)
{
    struct fixture *f = *state;
    struct listener l;
    struct frame frame;
    json_t *data;

    add(f, 1)->facts.rssi_smoothed = -80;
    add(f, 2);
    add(f, 3);
    assert_int_equal(open_stream(f, &l, "snapshot=true&rssi_min=-70", NULL), 0);
    fake_gateway_remove(f->gateway, 3);
    read_all(&l);
    assert_true(take(&l, &frame)); /* retry */
    assert_next(&l, "device", "reason", "snapshot");
    data = next(&l, "ready");
    assert_int_equal(json_integer_value(json_object_get(data, "devices")), 1);
    json_decref(data);
    hang_up(&l);
}

/* Many devices take many turns; meanwhile more happens than a reader may have waiting, and nothing
 * of it is lost as long as the ring has it. */
static void large_snapshot_takes_turns_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = NULL;
    struct listener l;
    struct frame frame;
    size_t devices = 0, turns = 0;

    for (uint64_t address = 1; address <= 2000; address++)
        d = add(f, address);
    d->facts.area = "Far";
    assert_int_equal(open_stream(f, &l, "snapshot=true&area=Far", NULL), 0);
    for (int i = 0; i < KEPT; i++)
        change(f, GATEWAY_DEVICE_PAYLOAD, d);
    flush(f);
    for (bool is_ready = false; !is_ready; turns++) {
        read_all(&l);
        while (take(&l, &frame)) {
            devices += strcmp(frame.event, "device") == 0;
            is_ready = is_ready || strcmp(frame.event, "ready") == 0;
        }
        assert_true(turns < 100);
        if (!is_ready)
            assert_int_equal(devices, 0);
        fake_gateway_turn(f->gateway);
    }
    assert_true(turns > 5);
    assert_int_equal(devices, 1 + KEPT);
    assert_int_equal(l.wakes, turns - 1);
    hang_up(&l);
}

/* ---- coming back ---- */

static void ready_carries_the_place_to_come_back_to(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, 1);
    struct listener l, back;
    struct frame frame;

    listen(f, &l, "", NULL);
    change(f, GATEWAY_DEVICE_PAYLOAD, d);
    flush(f);
    listen(f, &back, "snapshot=true&types=log", NULL);
    assert_next(&back, "device", "reason", "snapshot");
    read_all(&back);
    assert_true(take(&back, &frame));
    assert_string_equal(frame.event, "ready");
    assert_string_equal(frame.id, "5f0c2a91-1");
    hang_up(&back);
    change(f, GATEWAY_DEVICE_AVAILABILITY, d);
    flush(f);
    listen(f, &back, "", frame.id);
    assert_next(&back, "device", "reason", "availability");
    assert_nothing(&back);
    hang_up(&back);
    hang_up(&l);
}

static void what_was_missed_comes_before_the_snapshot(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, 1);
    struct listener l;

    listen(f, &l, "", NULL);
    hang_up(&l);
    change(f, GATEWAY_DEVICE_PAYLOAD, d);
    flush(f);
    listen(f, &l, "snapshot=true", "5f0c2a91-0");
    assert_next(&l, "device", "reason", "payload");
    assert_next(&l, "device", "reason", "snapshot");
    json_decref(next(&l, "ready"));
    hang_up(&l);
}

static void assert_reset(struct fixture *f, const char *query, const char *last, const char *reason,
                         const char *oldest)
{
    struct listener l;
    json_t *data;

    listen(f, &l, query, last);
    data = next(&l, "reset");
    assert_string_equal(json_string_value(json_object_get(data, "reason")), reason);
    if (oldest)
        assert_string_equal(json_string_value(json_object_get(data, "oldest")), oldest);
    else
        assert_true(json_is_null(json_object_get(data, "oldest")));
    json_decref(data);
    assert_nothing(&l);
    hang_up(&l);
}

static void what_cannot_be_replayed_is_reset(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, 1);
    struct listener l;

    assert_reset(f, "", "00000001-5", "other_boot", NULL);
    assert_reset(f, "", "5f0c2a91-5", "other_boot", NULL); /* from the future */
    listen(f, &l, "", NULL);
    for (int i = 0; i < KEPT + 3; i++)
        change(f, GATEWAY_DEVICE_PAYLOAD, d);
    flush(f);
    read_all(&l);
    hang_up(&l);
    assert_reset(f, "", "5f0c2a91-2", "too_old", "5f0c2a91-4");
    listen(f, &l, "", "5f0c2a91-3");
    for (int i = 0; i < KEPT; i++)
        assert_next(&l, "device", "reason", "payload");
    assert_nothing(&l);
    hang_up(&l);
}

/* Nobody wanted packets then: that there were none in the ring does not mean that none came. */
static void packets_that_nobody_kept_are_reset(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, 1);
    struct listener l;

    listen(f, &l, "", NULL);
    change(f, GATEWAY_DEVICE_PAYLOAD, d);
    flush(f);
    assert_reset(f, "types=advertisement", "5f0c2a91-0", "too_old", NULL);
    change(f, GATEWAY_DEVICE_PAYLOAD, d);
    flush(f);
    assert_reset(f, "types=advertisement", "5f0c2a91-0", "too_old", "5f0c2a91-2");
    hang_up(&l);
}

static void who_comes_back_in_time_finds_its_packets(void **state)
{
    static const char query[] = "types=advertisement&mode=interval&min_interval_s=0.5";
    struct fixture *f = *state;
    struct fake_device *d = add(f, 1);
    struct listener l;

    listen(f, &l, query, NULL);
    hang_up(&l);
    hear(f, d, -60, false);
    hear(f, d, -61, false);
    fake_gateway_advance(f->gateway, USEC_PER_SEC);
    flush(f);
    listen(f, &l, query, "5f0c2a91-0");
    assert_rssi(&l, "advertisement", -60);
    assert_rssi(&l, "advertisement", -61);
    assert_nothing(&l);
    hang_up(&l);
}

static void a_packet_held_back_is_told_in_time_though_another_reader_came_first(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, 1);
    struct listener calm, l;

    listen(f, &calm, "types=log", NULL);
    listen(f, &l, "types=advertisement&mode=interval&min_interval_s=0.1", NULL);
    hear(f, d, -60, false);
    hear(f, d, -61, false);
    flush(f);
    assert_rssi(&l, "advertisement", -60);
    assert_nothing(&l);
    fake_gateway_advance(f->gateway, 200 * USEC_PER_MSEC);
    flush(f);
    assert_rssi(&l, "advertisement", -61);
    hang_up(&l);
    hang_up(&calm);
}

/* ---- slow readers ---- */

static void E05_slow_reader_loses_its_own_oldest_alone(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, 1);
    struct listener slow, quick;
    json_t *data;

    listen(f, &slow, "", NULL);
    listen(f, &quick, "", NULL);
    for (int i = 0; i < QUEUE + 5; i++) {
        change(f, GATEWAY_DEVICE_PAYLOAD, d);
        flush(f);
        assert_next(&quick, "device", "reason", "payload");
    }
    assert_nothing(&quick);
    data = next(&slow, "dropped");
    assert_int_equal(json_integer_value(json_object_get(data, "count")), 5);
    assert_int_equal(json_integer_value(json_object_get(data, "total")), 5);
    json_decref(data);
    for (int i = 0; i < QUEUE; i++)
        assert_next(&slow, "device", "reason", "payload");
    assert_nothing(&slow);
    hang_up(&slow);
    hang_up(&quick);
}

static void burst_beyond_the_ring_is_offered_before_it_is_overwritten(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, 1), *rare = add(f, 2);
    struct listener l;

    listen(f, &l, "address=000000000002", NULL);
    for (int i = 0; i < 5; i++) {
        change(f, GATEWAY_DEVICE_AVAILABILITY, rare);
        for (int k = 0; k < KEPT - 1; k++)
            change(f, GATEWAY_DEVICE_PAYLOAD, d);
        assert_int_equal(l.wakes, i + 1); /* without a turn of the loop */
        assert_next(&l, "device", "reason", "availability");
        assert_nothing(&l);
    }
    hang_up(&l);
}

static void sign_of_life_comes_every_15_seconds(void **state)
{
    struct fixture *f = *state;
    struct listener l;
    struct frame frame;

    listen(f, &l, "", NULL);
    for (unsigned i = 1; i <= 4; i++) {
        fake_gateway_advance(f->gateway, EVENT_READER_COMMENT - USEC_PER_MSEC);
        read_all(&l);
        assert_int_equal(buffer_size(&l.text), 0);
        fake_gateway_advance(f->gateway, USEC_PER_MSEC + USEC_PER_SEC / 2);
        assert_int_equal(l.wakes, i);
        read_all(&l);
        assert_true(take(&l, &frame));
        assert_string_equal(frame.event, ":");
        fake_gateway_advance(f->gateway, 0);
    }
    hang_up(&l);
}

static void a_reader_woken_for_its_sign_of_life_is_not_cut_while_time_passes(void **state)
{
    struct fixture *f = *state;
    struct listener l;

    listen(f, &l, "", NULL);
    fake_gateway_let_time_pass(f->gateway, 1);
    fake_gateway_advance(f->gateway, EVENT_READER_COMMENT + USEC_PER_SEC / 2);
    assert_int_equal(l.wakes, 1);
    assert_int_equal(l.stalls, 0);
    hang_up(&l);
}

static void who_does_not_read_for_30_seconds_is_cut_once(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, 1);
    struct listener stalled, idle;

    listen(f, &stalled, "", NULL);
    listen(f, &idle, "types=log", NULL);
    change(f, GATEWAY_DEVICE_PAYLOAD, d);
    flush(f);
    for (unsigned i = 0; i < 29; i++) {
        fake_gateway_advance(f->gateway, USEC_PER_SEC);
        read_all(&idle);
    }
    assert_int_equal(stalled.stalls, 0);
    for (unsigned i = 0; i < 5; i++) {
        fake_gateway_advance(f->gateway, USEC_PER_SEC);
        read_all(&idle);
    }
    assert_int_equal(stalled.stalls, 1);
    assert_int_equal(idle.stalls, 0);
    hang_up(&stalled);
    hang_up(&idle);
}

/* ---- readers ---- */

static void readers_beyond_the_limit_are_refused(void **state)
{
    struct fixture *f = *state;
    struct listener l[9];

    for (size_t i = 0; i < 8; i++)
        listen(f, &l[i], "", NULL);
    assert_int_equal(open_stream(f, &l[8], "", NULL), E_OVERLOADED);
    hang_up(&l[3]);
    listen(f, &l[3], "", NULL);
    for (size_t i = 0; i < 8; i++)
        hang_up(&l[i]);
}

static void readers_are_clients_with_figures(void **state)
{
    struct fixture *f = *state;
    struct fake_device *d = add(f, 1);
    struct event_statistics statistics;
    struct writer w = {0};
    struct listener l;

    listen(f, &l, "", NULL);
    for (int i = 0; i < 3; i++)
        change(f, GATEWAY_DEVICE_PAYLOAD, d);
    flush(f);
    assert_int_equal(clients_write(f->clients, &w, f->gateway, NULL, NULL, 100), 0);
    buffer_append_char(&w.text, '\0');
    assert_non_null(strstr((const char *) buffer_front(&w.text),
                           "\"name\":\"test\",\"remote\":\"192.0.2.7:1\""));
    assert_non_null(strstr((const char *) buffer_front(&w.text), "\"queued\":3"));
    writer_done(&w);
    read_all(&l);
    hang_up(&l);
    assert_int_equal(clients_count(f->clients), 0);
    event_publisher_get_statistics(f->publisher, &statistics);
    assert_int_equal(statistics.published, 3);
    assert_int_equal(statistics.delivered, 3);
    assert_int_equal(statistics.readers, 0);
    assert_int_equal(statistics.ring_events, 3);
}

static void stopping_ends_all_streams_and_opens_none(void **state)
{
    struct fixture *f = *state;
    struct listener l[2], late;

    listen(f, &l[0], "", NULL);
    listen(f, &l[1], "", NULL);
    event_publisher_stop(f->publisher);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(l[i].wakes, 1);
        read_all(&l[i]);
        assert_true(l[i].is_at_end);
        hang_up(&l[i]);
    }
    assert_int_equal(open_stream(f, &late, "", NULL), E_OVERLOADED);
}

/* ---- the whole, against a model ---- */

enum { MODEL_DEVICES = 4, MODEL_READERS = 6, MODEL_EVENTS = 40000, MODEL_STEPS = 60000 };

struct model_reader {
    struct listener listener;
    bool is_here;
    uint64_t wanted; /* bit: device */
    uint64_t last;   /* number of the last event it knows of */
    uint64_t untold; /* told to be lost since */
};

struct model {
    uint8_t device_of[MODEL_EVENTS]; /* by number */
    uint64_t count;
    struct model_reader readers[MODEL_READERS];
    unsigned losses, resets; /* seen: so that the model does not pass for want of them */
};

static const char *const model_queries[MODEL_READERS] = {
        "",
        "address=000000000001",
        "address=000000000002",
        "address=000000000001&address=000000000003",
        "types=device",
        "address=000000000004",
};
static const uint64_t model_wants[MODEL_READERS] = {0xf, 1, 2, 5, 0xf, 8};

/* The number that must come next: behind the lost ones. */
static uint64_t expected_number(const struct model *m, const struct model_reader *r)
{
    uint64_t number = r->last, lost = r->untold;

    for (;;) {
        number++;
        assert_true(number <= m->count);
        if (!(r->wanted >> m->device_of[number] & 1))
            continue;
        if (lost == 0)
            return number;
        lost--;
    }
}

static void check_frames(struct model *m, struct model_reader *r)
{
    struct frame frame;
    uint32_t boot;
    uint64_t number;

    while (take(&r->listener, &frame)) {
        if (strcmp(frame.event, "dropped") == 0) {
            r->untold += strtoull(frame.data + strlen("{\"count\":"), NULL, 10);
            m->losses++;
        } else if (strcmp(frame.event, "device") == 0) {
            assert_true(event_id_parse(frame.id, &boot, &number));
            assert_int_equal(number, expected_number(m, r));
            r->last = number;
            r->untold = 0;
        } else {
            assert_string_equal(frame.event, ":");
        }
    }
}

/* Comes back with the last id it knows; what it knows it has lost it does not ask for again. */
static void come_back(struct fixture *f, struct model *m, struct model_reader *r, const char *query)
{
    bool is_kept = m->count < KEPT || r->last + 1 > m->count - KEPT;
    char last[EVENT_ID_SIZE];
    struct frame frame;

    event_id_format(last, BOOT, r->last);
    assert_int_equal(open_stream(f, &r->listener, query, last), 0);
    r->is_here = true;
    r->untold = 0;
    assert_true(read_some(&r->listener, 1 << 16));
    assert_true(take(&r->listener, &frame));
    if (is_kept)
        return;
    assert_true(take(&r->listener, &frame));
    assert_string_equal(frame.event, "reset");
    r->last = m->count;
    m->resets++;
}

static void nothing_is_lost_or_told_twice_but_what_is_told_to_be_lost(void **state)
{
    struct fixture *f = *state;
    struct model *m = xnew(struct model, 1);
    struct fake_device *devices[MODEL_DEVICES];

    srand(20261121);
    for (size_t i = 0; i < MODEL_DEVICES; i++)
        devices[i] = add(f, i + 1);
    for (size_t i = 0; i < MODEL_READERS; i++) {
        m->readers[i].wanted = model_wants[i];
        come_back(f, m, &m->readers[i], model_queries[i]);
    }
    for (int step = 0; step < MODEL_STEPS; step++) {
        size_t i = (size_t) rand() % MODEL_READERS, d = (size_t) rand() % MODEL_DEVICES;
        struct model_reader *r = &m->readers[i];

        if (rand() % 2 == 0 && m->count + 1 < MODEL_EVENTS) {
            m->device_of[++m->count] = (uint8_t) d;
            change(f, GATEWAY_DEVICE_PAYLOAD, devices[d]);
        } else if (rand() % 3 == 0) {
            fake_gateway_advance(f->gateway, (usec_t) (rand() % 10) * USEC_PER_MSEC);
        } else if (r->is_here && rand() % 50 == 0) {
            hang_up(&r->listener);
            r->is_here = false;
        } else if (r->is_here) {
            (void) read_some(&r->listener, 1 + (size_t) rand() % 3000);
        } else if (rand() % 20 == 0) {
            come_back(f, m, r, model_queries[i]);
        }
        if (r->is_here)
            check_frames(m, r);
    }
    flush(f);
    for (size_t i = 0; i < MODEL_READERS; i++) {
        struct model_reader *r = &m->readers[i];

        if (!r->is_here)
            come_back(f, m, r, model_queries[i]);
        read_all(&r->listener);
        check_frames(m, r);
        for (uint64_t n = r->last + 1; n <= m->count; n++)
            assert_false(r->wanted >> m->device_of[n] & 1);
        hang_up(&r->listener);
    }
    assert_true(m->losses > 100 && m->resets > 100);
    free(m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(each_reason_of_a_change_is_an_event),
            TEST(proxies_and_warnings_are_told),
            TEST(windows_are_events_of_their_proxy),
            TEST(G09_notifications_are_events_in_order_for_whoever_does_not_say_otherwise),
            TEST(links_are_events_of_their_device_and_proxy),
            TEST(A13_noise_is_told_when_it_becomes_something_else),
            TEST(ids_are_the_boot_and_a_number),
            TEST(one_wake_serves_all_events_of_a_few_milliseconds),
            TEST(text_is_the_same_in_pieces_of_any_size),
            TEST(E01_standard_mode_tells_changes_alone),
            TEST(E02_every_mode_tells_its_own_from_the_same_packets),
            TEST(E06_rssi_of_every_proxy),
            TEST(packet_whose_device_is_gone_when_its_time_comes_is_not_told),
            TEST(packets_are_listened_to_only_while_somebody_wants_them),
            TEST(E04_filters_decide_who_gets_what),
            TEST(replay_is_filtered_though_the_device_is_forgotten),
            TEST(E03_snapshot_comes_first_then_what_happened_meanwhile),
            TEST(snapshot_is_filtered_and_leaves_out_who_has_gone),
            TEST(large_snapshot_takes_turns_and_loses_nothing),
            TEST(ready_carries_the_place_to_come_back_to),
            TEST(what_was_missed_comes_before_the_snapshot),
            TEST(what_cannot_be_replayed_is_reset),
            TEST(packets_that_nobody_kept_are_reset),
            TEST(who_comes_back_in_time_finds_its_packets),
            TEST(a_packet_held_back_is_told_in_time_though_another_reader_came_first),
            TEST(E05_slow_reader_loses_its_own_oldest_alone),
            TEST(burst_beyond_the_ring_is_offered_before_it_is_overwritten),
            TEST(sign_of_life_comes_every_15_seconds),
            TEST(a_reader_woken_for_its_sign_of_life_is_not_cut_while_time_passes),
            TEST(who_does_not_read_for_30_seconds_is_cut_once),
            TEST(readers_beyond_the_limit_are_refused),
            TEST(readers_are_clients_with_figures),
            TEST(stopping_ends_all_streams_and_opens_none),
            TEST(nothing_is_lost_or_told_twice_but_what_is_told_to_be_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
