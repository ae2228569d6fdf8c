#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "esphome/codec.h"
#include "vectors.h"

static struct arena arena;

static int open_arena(void **state)
{
    (void) state;
    arena_init(&arena, CODEC_ARENA_MAX);
    return 0;
}

static int close_arena(void **state)
{
    (void) state;
    arena_done(&arena);
    return 0;
}

static int decode(uint32_t type, const void *data, size_t size, struct message *ret_message)
{
    return codec_decode(type, (struct bytes){data, size}, &arena, ret_message);
}

static int decode_hex(uint32_t type, const char *hex, struct message *ret_message)
{
    const struct octets octets = octets_of(hex);

    return decode(type, octets.data, octets.size, ret_message);
}

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

static void assert_text(struct text text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    if (text.size > 0)
        assert_memory_equal(text.data, expected, text.size);
}

/* message -> body -> message; what came back is in *ret_message. */
static void around(const struct message *message, struct message *ret_message)
{
    struct buffer body = {0};

    assert_int_equal(codec_encode(message, &body), 0);
    assert_int_equal(decode(message->type, body.data, buffer_size(&body), ret_message), 0);
    assert_int_equal(ret_message->type, message->type);
    buffer_done(&body);
}

static void every_body_of_the_vectors_is_read_and_those_in_our_form_written_again(void **state)
{
    json_t *file = vectors_load(), *row;
    const json_t *c = vectors_case(file, "ok");
    size_t i, same = 0;

    (void) state;
    json_array_foreach(json_object_get(c, "transport"), i, row)
    {
        const uint32_t type = (uint32_t) json_integer_value(json_object_get(row, "type"));
        const struct octets octets = vectors_octets(row, "protobuf");
        struct buffer body = {0};
        struct message message;

        if (type == MESSAGE_RAW_ADVERTISEMENTS_RESPONSE)
            continue;
        assert_int_equal(decode(type, octets.data, octets.size, &message), 0);
        assert_int_equal(codec_encode(&message, &body), 0);
        if (!strstr(vectors_text(row, "label"), ", packed")) {
            assert_int_equal(buffer_size(&body), octets.size);
            if (octets.size > 0)
                assert_memory_equal(buffer_front(&body), octets.data, octets.size);
            same++;
        }
        buffer_done(&body);
    }
    assert_int_equal(same, 17);
    json_decref(file);
}

static void services_are_read_in_the_packed_and_the_unpacked_form(void **state)
{
    static const char *const bodies[] = {
            "08d6d6cac0939829121510011a0e1003181222051004188252288054208030"
            "12170893e78fad9b8080a06e089e95f3a6e2a1f9d4e0011010",
            "08d6d6cac0939829121510011a0e1003181222051004188252288054208030"
            "12170a1393e78fad9b8080a06e9e95f3a6e2a1f9d4e0011010",
    };

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        const struct message_characteristic *characteristic;
        struct message m;

        assert_int_equal(decode_hex(71, bodies[i], &m), 0);
        assert_true(m.services.address == UINT64_C(0xa4c13812ab56));
        assert_int_equal(m.services.count, 2);
        assert_int_equal(m.services.services[0].uuid.short_uuid, 0x1800);
        assert_int_equal(m.services.services[0].handle, 1);
        assert_int_equal(m.services.services[0].characteristics_count, 1);
        characteristic = &m.services.services[0].characteristics[0];
        assert_int_equal(characteristic->uuid.short_uuid, 0x2a00);
        assert_int_equal(characteristic->handle, 3);
        assert_int_equal(characteristic->properties, 0x12);
        assert_int_equal(characteristic->descriptors_count, 1);
        assert_int_equal(characteristic->descriptors[0].handle, 4);
        assert_int_equal(characteristic->descriptors[0].uuid.short_uuid, 0x2902);
        assert_true(m.services.services[1].uuid.high == UINT64_C(0x6e400001b5a3f393));
        assert_true(m.services.services[1].uuid.low == UINT64_C(0xe0a9e50e24dcca9e));
        assert_int_equal(m.services.services[1].handle, 16);
    }
}

static void allocated_addresses_are_read_in_both_forms_and_zeros_left_out(void **state)
{
    struct message m;

    (void) state;
    assert_int_equal(decode_hex(81, "080210031800180518001807", &m), 0);
    assert_int_equal(m.connections_free.allocated_count, 2);
    assert_true(m.connections_free.allocated[0] == 5 && m.connections_free.allocated[1] == 7);
    assert_int_equal(decode_hex(81, "080210031a0400050007", &m), 0);
    assert_int_equal(m.connections_free.allocated_count, 2);
    assert_true(m.connections_free.allocated[0] == 5 && m.connections_free.allocated[1] == 7);
    assert_int_equal(decode_hex(81, "08021003", &m), 0);
    assert_int_equal(m.connections_free.allocated_count, 0);
    assert_int_equal(m.connections_free.free, 2);
    assert_int_equal(m.connections_free.limit, 3);
}

static void negative_errors_are_varints_of_ten_octets_both_ways(void **state)
{
    const struct octets expected = octets_of("08d6d6cac0939829102a18ffffffffffffffffff01");
    struct buffer body = {0};
    struct message m;

    (void) state;
    assert_int_equal(decode(82, expected.data, expected.size, &m), 0);
    assert_int_equal(m.gatt.error, -1);
    assert_int_equal(codec_encode(&m, &body), 0);
    assert_int_equal(buffer_size(&body), expected.size);
    assert_memory_equal(buffer_front(&body), expected.data, expected.size);
    buffer_done(&body);
    /* the short form of five octets, as a 32-bit writer may send it */
    assert_int_equal(decode_hex(82, "18ffffffff0f", &m), 0);
    assert_int_equal(m.gatt.error, -1);
}

static void hellos_and_texts_go_around(void **state)
{
    struct message m,
            request = {.type = MESSAGE_HELLO_REQUEST, .hello = {text_of("client"), {0}, 1, 14}};
    struct message response = {.type = MESSAGE_HELLO_RESPONSE,
                               .hello = {text_of("2026.8.0"), text_of("kitchen"), 1, 15}};
    const struct message password = {.type = MESSAGE_AUTHENTICATION_REQUEST,
                                     .password = {"a\0b", 3}};
    const struct message key = {.type = MESSAGE_NOISE_SET_KEY_REQUEST,
                                .noise_key = {(const uint8_t *) "AAEC", 4}};
    const struct message time = {.type = MESSAGE_GET_TIME_RESPONSE,
                                 .time = {0xfffffffe, text_of("CET-1CEST")}};

    (void) state;
    around(&request, &m);
    assert_text(m.hello.info, "client");
    assert_int_equal(m.hello.api_major, 1);
    assert_int_equal(m.hello.api_minor, 14);
    around(&response, &m);
    assert_text(m.hello.info, "2026.8.0");
    assert_text(m.hello.name, "kitchen");
    assert_int_equal(m.hello.api_minor, 15);
    around(&password, &m);
    assert_int_equal(m.password.size, 3);
    assert_memory_equal(m.password.data, "a\0b", 3);
    around(&key, &m);
    assert_int_equal(m.noise_key.size, 4);
    around(&time, &m);
    assert_true(m.time.epoch_seconds == 0xfffffffe);
    assert_text(m.time.timezone, "CET-1CEST");
}

static void device_info_goes_around(void **state)
{
    const struct message from = {
            .type = MESSAGE_DEVICE_INFO_RESPONSE,
            .device_info = {.uses_password = true,
                            .has_deep_sleep = true,
                            .api_encryption_supported = true,
                            .legacy_bluetooth_proxy_version = 5,
                            .bluetooth_proxy_feature_flags = 0xff,
                            .name = text_of("n"),
                            .mac_address = text_of("mac"),
                            .esphome_version = text_of("v"),
                            .compilation_time = text_of("c"),
                            .model = text_of("mo"),
                            .manufacturer = text_of("ma"),
                            .friendly_name = text_of("f"),
                            .suggested_area = text_of("s"),
                            .bluetooth_mac_address = text_of("b"),
                            .project_name = text_of("pn"),
                            .project_version = text_of("pv")},
    };
    struct message m;

    (void) state;
    around(&from, &m);
    assert_true(m.device_info.uses_password && m.device_info.has_deep_sleep &&
                m.device_info.api_encryption_supported);
    assert_int_equal(m.device_info.legacy_bluetooth_proxy_version, 5);
    assert_int_equal(m.device_info.bluetooth_proxy_feature_flags, 0xff);
    assert_text(m.device_info.name, "n");
    assert_text(m.device_info.mac_address, "mac");
    assert_text(m.device_info.esphome_version, "v");
    assert_text(m.device_info.compilation_time, "c");
    assert_text(m.device_info.model, "mo");
    assert_text(m.device_info.manufacturer, "ma");
    assert_text(m.device_info.friendly_name, "f");
    assert_text(m.device_info.suggested_area, "s");
    assert_text(m.device_info.bluetooth_mac_address, "b");
    assert_text(m.device_info.project_name, "pn");
    assert_text(m.device_info.project_version, "pv");
}

static void device_info_stands_in_the_fields_of_the_protocol(void **state)
{
    struct message m;

    (void) state;
    /* 2 name, 3 mac, 15 flags, 18 Bluetooth mac, 19 encryption; 26 and 22 {1: 2} are not ours */
    assert_int_equal(decode_hex(10,
                                "12016e1a016d787f920101629801"
                                "01d00101b201020802",
                                &m),
                     0);
    assert_text(m.device_info.name, "n");
    assert_text(m.device_info.mac_address, "m");
    assert_int_equal(m.device_info.bluetooth_proxy_feature_flags, 0x7f);
    assert_text(m.device_info.bluetooth_mac_address, "b");
    assert_true(m.device_info.api_encryption_supported);
}

static void small_messages_go_around(void **state)
{
    struct message m;

    (void) state;
    around(&(struct message){.type = MESSAGE_AUTHENTICATION_RESPONSE, .invalid_password = true},
           &m);
    assert_true(m.invalid_password);
    around(&(struct message){.type = MESSAGE_DISCONNECT_REQUEST, .disconnect_reason = 1}, &m);
    assert_int_equal(m.disconnect_reason, 1);
    around(&(struct message){.type = MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST,
                             .subscription_flags = 1},
           &m);
    assert_int_equal(m.subscription_flags, 1);
    around(&(struct message){.type = MESSAGE_SCANNER_SET_MODE_REQUEST, .scanner_mode = 1}, &m);
    assert_int_equal(m.scanner_mode, 1);
    around(&(struct message){.type = MESSAGE_NOISE_SET_KEY_RESPONSE, .success = true}, &m);
    assert_true(m.success);
    around(&(struct message){.type = MESSAGE_SCANNER_STATE_RESPONSE, .scanner_state = {9, 7, 1}},
           &m);
    assert_int_equal(m.scanner_state.state, 9); /* not known: stays a number */
    assert_int_equal(m.scanner_state.mode, 7);
    assert_int_equal(m.scanner_state.configured_mode, 1);
    around(&(struct message){.type = MESSAGE_DEVICE_REQUEST,
                             .device_request = {5, DEVICE_REQUEST_CLEAR_CACHE, true, 3}},
           &m);
    assert_true(m.device_request.address == 5 && m.device_request.has_address_type);
    assert_int_equal(m.device_request.request_type, DEVICE_REQUEST_CLEAR_CACHE);
    assert_int_equal(m.device_request.address_type, 3);
    around(&(struct message){.type = MESSAGE_DEVICE_CONNECTION_RESPONSE,
                             .device_connection = {5, true, 247, -2}},
           &m);
    assert_true(m.device_connection.connected);
    assert_int_equal(m.device_connection.mtu, 247);
    assert_int_equal(m.device_connection.error, -2);
    around(&(struct message){.type = MESSAGE_SET_CONNECTION_PARAMS_REQUEST,
                             .connection_params = {5, 1, 2, 3, 4}},
           &m);
    assert_int_equal(m.connection_params.min_interval, 1);
    assert_int_equal(m.connection_params.max_interval, 2);
    assert_int_equal(m.connection_params.latency, 3);
    assert_int_equal(m.connection_params.timeout, 4);
    around(&(struct message){.type = MESSAGE_DEVICE_CAPABILITIES_RESPONSE,
                             .capabilities = {0x7f, text_of("A0")}},
           &m);
    assert_int_equal(m.capabilities.bluetooth_proxy_feature_flags, 0x7f);
    assert_text(m.capabilities.bluetooth_mac_address, "A0");
    assert_int_equal(decode_hex(150, "", &m), 0);
    assert_int_equal(m.capabilities.bluetooth_proxy_feature_flags, 0);
}

static void results_go_around(void **state)
{
    static const enum message_type types[] = {MESSAGE_DEVICE_PAIRING_RESPONSE,
                                              MESSAGE_DEVICE_UNPAIRING_RESPONSE,
                                              MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE};
    struct message m;

    (void) state;
    for (size_t i = 0; i < 3; i++) {
        around(&(struct message){.type = types[i], .result = {5, true, -3}}, &m);
        assert_true(m.result.address == 5 && m.result.success);
        assert_int_equal(m.result.error, -3);
    }
    around(&(struct message){.type = MESSAGE_SET_CONNECTION_PARAMS_RESPONSE, .result = {5, 0, 0}},
           &m);
    assert_true(m.result.success);
    around(&(struct message){.type = MESSAGE_SET_CONNECTION_PARAMS_RESPONSE, .result = {5, 1, 8}},
           &m);
    assert_false(m.result.success);
    assert_int_equal(m.result.error, 8);
}

static void operations_on_handles_go_around(void **state)
{
    static const struct {
        enum message_type type;
        bool has_flag, has_error, has_data;
    } rows[] = {
            {MESSAGE_GATT_READ_REQUEST, false, false, false},
            {MESSAGE_GATT_READ_RESPONSE, false, false, true},
            {MESSAGE_GATT_WRITE_REQUEST, true, false, true},
            {MESSAGE_GATT_READ_DESCRIPTOR_REQUEST, false, false, false},
            {MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST, false, false, true},
            {MESSAGE_GATT_NOTIFY_REQUEST, true, false, false},
            {MESSAGE_GATT_NOTIFY_DATA_RESPONSE, false, false, true},
            {MESSAGE_GATT_ERROR_RESPONSE, false, true, false},
            {MESSAGE_GATT_WRITE_RESPONSE, false, false, false},
            {MESSAGE_GATT_NOTIFY_RESPONSE, false, false, false},
            {MESSAGE_GATT_GET_SERVICES_REQUEST, false, false, false},
            {MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE, false, false, false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct message from = {
                .type = rows[i].type,
                .gatt = {UINT64_C(0xffffffffffff), 42, true, -1, {(const uint8_t *) "xyz", 3}}};
        struct message m;

        around(&from, &m);
        assert_true(m.gatt.address == from.gatt.address);
        assert_int_equal(m.gatt.handle, 42);
        assert_int_equal(m.gatt.flag, rows[i].has_flag);
        assert_int_equal(m.gatt.error, rows[i].has_error ? -1 : 0);
        assert_int_equal(m.gatt.data.size, rows[i].has_data ? 3 : 0);
        if (rows[i].has_data)
            assert_memory_equal(m.gatt.data.data, "xyz", 3);
    }
}

static void data_of_writes_stands_in_the_field_of_its_message(void **state)
{
    struct message m;

    (void) state;
    assert_int_equal(decode_hex(75, "0805102a1801220155", &m), 0);
    assert_true(m.gatt.flag && m.gatt.data.size == 1 && m.gatt.data.data[0] == 0x55);
    assert_int_equal(decode_hex(77, "0805102a1a0155", &m), 0);
    assert_true(m.gatt.data.size == 1 && m.gatt.data.data[0] == 0x55);
}

static void a_parsed_advertisement_goes_around_and_its_oldest_form_is_read(void **state)
{
    const struct text uuids[] = {text_of("0x180F"), text_of("0x1809")};
    const struct message_uuid_data data[] = {{text_of("0xFE95"), {(const uint8_t *) "ab", 2}}};
    const struct message_uuid_data makers[] = {{text_of("0x004C"), {(const uint8_t *) "c", 1}},
                                               {text_of("0x0059"), {(const uint8_t *) "def", 3}}};
    const struct message from = {.type = MESSAGE_PARSED_ADVERTISEMENT_RESPONSE,
                                 .parsed_advertisement = {.address = 9,
                                                          .rssi = -70,
                                                          .address_type = 1,
                                                          .name = text_of("lamp"),
                                                          .service_uuids_count = 2,
                                                          .service_data_count = 1,
                                                          .manufacturer_data_count = 2,
                                                          .service_uuids = uuids,
                                                          .service_data = data,
                                                          .manufacturer_data = makers}};
    struct message m;

    (void) state;
    around(&from, &m);
    assert_true(m.parsed_advertisement.address == 9);
    assert_int_equal(m.parsed_advertisement.rssi, -70);
    assert_text(m.parsed_advertisement.name, "lamp");
    assert_int_equal(m.parsed_advertisement.service_uuids_count, 2);
    assert_text(m.parsed_advertisement.service_uuids[1], "0x1809");
    assert_int_equal(m.parsed_advertisement.service_data_count, 1);
    assert_text(m.parsed_advertisement.service_data[0].uuid, "0xFE95");
    assert_memory_equal(m.parsed_advertisement.service_data[0].data.data, "ab", 2);
    assert_int_equal(m.parsed_advertisement.manufacturer_data_count, 2);
    assert_text(m.parsed_advertisement.manufacturer_data[1].uuid, "0x0059");
    assert_memory_equal(m.parsed_advertisement.manufacturer_data[1].data.data, "def", 3);
    /* manufacturer data {1 "4c", 2 [2, 21]} as a list of numbers */
    assert_int_equal(decode_hex(67,
                                "0809320a0a023463"
                                "10021015"
                                "1a00",
                                &m),
                     0);
    assert_int_equal(m.parsed_advertisement.manufacturer_data[0].data.size, 2);
    assert_int_equal(m.parsed_advertisement.manufacturer_data[0].data.data[1], 21);
}

static void fleets_of_services_go_around(void **state)
{
    const struct message_descriptor descriptors[] = {{{.short_uuid = 0x2902}, 5},
                                                     {{.high = 1, .low = 2}, 6}};
    const struct message_characteristic characteristics[] = {
            {{.high = 3}, 4, 0x1a, descriptors, 2}, {{.short_uuid = 0x12345678}, 9, 2, NULL, 0}};
    const struct message_service services[] = {{{.low = 4}, 1, characteristics, 2},
                                               {{0}, 20, NULL, 0}};
    const struct message from = {.type = MESSAGE_GATT_GET_SERVICES_RESPONSE,
                                 .services = {7, services, 2}};
    struct message m;

    (void) state;
    around(&from, &m);
    assert_int_equal(m.services.count, 2);
    assert_true(m.services.services[0].uuid.high == 0 && m.services.services[0].uuid.low == 4);
    assert_int_equal(m.services.services[0].characteristics_count, 2);
    assert_true(m.services.services[0].characteristics[0].uuid.high == 3);
    assert_int_equal(m.services.services[0].characteristics[0].descriptors_count, 2);
    assert_true(m.services.services[0].characteristics[0].descriptors[1].uuid.low == 2);
    assert_int_equal(m.services.services[0].characteristics[1].uuid.short_uuid, 0x12345678);
    assert_int_equal(m.services.services[1].handle, 20);
    assert_int_equal(m.services.services[1].characteristics_count, 0);
}

/* `count` parts of the given octets. */
static int decode_repeated(uint32_t type, size_t count, const char *part)
{
    const struct octets octets = octets_of(part);
    struct buffer body = {0};
    struct message m;
    int cause;

    for (size_t i = 0; i < count; i++)
        buffer_append(&body, octets.data, octets.size);
    cause = decode(type, buffer_front(&body), buffer_size(&body), &m);
    arena_reset(&arena);
    buffer_done(&body);
    return cause;
}

static void what_repeats_more_than_the_limits_is_refused(void **state)
{
    (void) state;
    assert_int_equal(decode_repeated(71, CODEC_SERVICES_MAX, "1200"), 0);
    assert_int_equal(decode_repeated(71, CODEC_SERVICES_MAX + 1, "1200"), E_PROTOCOL);
    assert_int_equal(decode_repeated(71, 32767, "1200"), E_PROTOCOL);
    assert_int_equal(decode_repeated(81, CODEC_ALLOCATED_MAX, "1801"), 0);
    assert_int_equal(decode_repeated(81, CODEC_ALLOCATED_MAX + 1, "1801"), E_PROTOCOL);
    assert_int_equal(decode_repeated(67, CODEC_PARSED_MAX, "2200"), 0);
    assert_int_equal(decode_repeated(67, CODEC_PARSED_MAX + 1, "2200"), E_PROTOCOL);
    assert_int_equal(decode_repeated(67, CODEC_PARSED_MAX + 1, "2a00"), E_PROTOCOL);
    assert_int_equal(decode_repeated(67, CODEC_PARSED_MAX + 1, "3200"), E_PROTOCOL);
}

/* A service whose characteristics or descriptors are these octets again and again. */
static int decode_nested(size_t count, bool is_descriptor)
{
    struct buffer body = {0};
    struct message m;
    const size_t parts = 2 * count, inner = parts + (is_descriptor ? 4 : 0);
    int cause;

    buffer_append(&body, (const uint8_t[]){0x12, (uint8_t) (inner | 0x80), (uint8_t) (inner >> 7)},
                  3);
    if (is_descriptor)
        buffer_append(
                &body,
                (const uint8_t[]){0x1a, (uint8_t) (parts | 0x80), (uint8_t) (parts >> 7 | 0x80), 0},
                4);
    for (size_t i = 0; i < count; i++)
        buffer_append(&body, (const uint8_t[]){is_descriptor ? 0x22 : 0x1a, 0}, 2);
    cause = decode(71, buffer_front(&body), buffer_size(&body), &m);
    arena_reset(&arena);
    buffer_done(&body);
    return cause;
}

static void services_that_are_larger_than_the_limits_are_refused(void **state)
{
    (void) state;
    assert_int_equal(decode_nested(CODEC_CHARACTERISTICS_MAX, false), 0);
    assert_int_equal(decode_nested(CODEC_CHARACTERISTICS_MAX + 1, false), E_PROTOCOL);
    assert_int_equal(decode_nested(CODEC_DESCRIPTORS_MAX, true), 0);
    assert_int_equal(decode_nested(CODEC_DESCRIPTORS_MAX + 1, true), E_PROTOCOL);
}

static int encode_alone(const struct message *message)
{
    struct buffer body = {0};
    int cause = codec_encode(message, &body);

    if (cause != 0)
        assert_int_equal(buffer_size(&body), 0);
    buffer_done(&body);
    return cause;
}

/* A parsed advertisement with so many of each kind. */
static int encode_parsed(size_t uuids_count, size_t service_data_count,
                         size_t manufacturer_data_count)
{
    static struct text uuids[CODEC_PARSED_MAX + 1];
    static struct message_uuid_data data[CODEC_PARSED_MAX + 1];

    return encode_alone(&(struct message){
            .type = MESSAGE_PARSED_ADVERTISEMENT_RESPONSE,
            .parsed_advertisement = {.service_uuids = uuids,
                                     .service_data = data,
                                     .manufacturer_data = data,
                                     .service_uuids_count = uuids_count,
                                     .service_data_count = service_data_count,
                                     .manufacturer_data_count = manufacturer_data_count}});
}

static void a_parsed_advertisement_is_written_up_to_the_limits(void **state)
{
    const size_t max = CODEC_PARSED_MAX;

    (void) state;
    assert_int_equal(encode_parsed(max, max, max), 0);
    assert_int_equal(encode_parsed(max + 1, 0, 0), -EMSGSIZE);
    assert_int_equal(encode_parsed(0, max + 1, 0), -EMSGSIZE);
    assert_int_equal(encode_parsed(0, 0, max + 1), -EMSGSIZE);
}

/* Services of which the first has so many characteristics, of which the first has so many
 * descriptors. */
static int encode_services(size_t services_count, size_t characteristics_count,
                           size_t descriptors_count)
{
    static struct message_descriptor descriptors[CODEC_DESCRIPTORS_MAX + 1];
    static struct message_characteristic characteristics[CODEC_CHARACTERISTICS_MAX + 1];
    static struct message_service services[CODEC_SERVICES_MAX + 1];

    characteristics[0].descriptors = descriptors;
    characteristics[0].descriptors_count = descriptors_count;
    services[0].characteristics = characteristics;
    services[0].characteristics_count = characteristics_count;
    return encode_alone(&(struct message){.type = MESSAGE_GATT_GET_SERVICES_RESPONSE,
                                          .services = {7, services, services_count}});
}

static void services_are_written_up_to_the_limits(void **state)
{
    (void) state;
    assert_int_equal(
            encode_services(CODEC_SERVICES_MAX, CODEC_CHARACTERISTICS_MAX, CODEC_DESCRIPTORS_MAX),
            0);
    assert_int_equal(encode_services(CODEC_SERVICES_MAX + 1, 0, 0), -EMSGSIZE);
    assert_int_equal(encode_services(1, CODEC_CHARACTERISTICS_MAX + 1, 0), -EMSGSIZE);
    assert_int_equal(encode_services(1, 1, CODEC_DESCRIPTORS_MAX + 1), -EMSGSIZE);
}

static void malformed_bodies_are_refused(void **state)
{
    struct message m;

    (void) state;
    assert_int_equal(decode_hex(1, "0a05", &m), E_PROTOCOL);
    assert_int_equal(decode_hex(2, "08ffffffffffffffffffff01", &m), E_PROTOCOL);
    assert_int_equal(decode_hex(7, "ff", &m), E_PROTOCOL);
    assert_int_equal(decode_hex(69, "0a00", &m), E_PROTOCOL);
    assert_int_equal(decode_hex(71, "12ff", &m), E_PROTOCOL);
}

static void unknown_fields_are_passed_over(void **state)
{
    struct message m;

    (void) state;
    assert_int_equal(decode_hex(7, "0801120261621d01020304", &m), 0);
    assert_int_equal(decode_hex(69, "080510017a0161ad0101020304", &m), 0);
    assert_true(m.device_connection.address == 5 && m.device_connection.connected);
}

static void unknown_numbers_are_told_apart_from_malformed_ones(void **state)
{
    struct message m;

    (void) state;
    assert_int_equal(decode_hex(0, "", &m), -ENOTSUP);
    assert_int_equal(decode_hex(12, "ff", &m), -ENOTSUP);
    assert_int_equal(decode_hex(93, "", &m), -ENOTSUP);
    assert_int_equal(decode_hex(151, "", &m), -ENOTSUP);
    assert_int_equal(decode_hex(UINT32_MAX, "", &m), -ENOTSUP);
}

static void each_message_has_the_sender_of_the_protocol(void **state)
{
    (void) state;
    assert_true(codec_is_sent_by(CODEC_CLIENT, 1) && !codec_is_sent_by(CODEC_SERVER, 1));
    assert_true(codec_is_sent_by(CODEC_SERVER, 93) && !codec_is_sent_by(CODEC_CLIENT, 93));
    assert_true(codec_is_sent_by(CODEC_CLIENT, 7) && codec_is_sent_by(CODEC_SERVER, 7));
    assert_false(codec_is_sent_by(CODEC_CLIENT, 0) || codec_is_sent_by(CODEC_SERVER, 151));
}

static void what_fits_no_frame_is_not_written(void **state)
{
    static const uint8_t data[70000];
    static struct ble_report reports[1000];
    struct buffer body = {0};

    (void) state;
    buffer_append_text(&body, "before");
    assert_int_equal(codec_encode(&(struct message){.type = MESSAGE_GATT_READ_RESPONSE,
                                                    .gatt.data = {data, sizeof data}},
                                  &body),
                     -EMSGSIZE);
    for (size_t i = 0; i < 1000; i++)
        reports[i] = (struct ble_report){.address = UINT64_MAX >> 16, .data = data, .size = 62};
    assert_int_equal(codec_encode(&(struct message){.type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
                                                    .raw_advertisements = {reports, 1000}},
                                  &body),
                     -EMSGSIZE);
    assert_int_equal(buffer_size(&body), 6);
    buffer_done(&body);
}

static void random_octets_never_do_harm(void **state)
{
    uint32_t seed = 0xc0dec;
    size_t read = 0;

    (void) state;
    for (size_t round = 0; round < 20000; round++) {
        uint8_t data[40];
        size_t size;
        struct message m;

        for (size_t i = 0; i < sizeof data; i++) {
            seed = seed * 1664525 + 1013904223;
            data[i] = (uint8_t) (seed >> 24);
            if (i % 3 == 0)
                data[i] &= 0x3f; /* more tags that are known */
        }
        size = round % 14;
        read += decode((uint32_t) (round % 155), data, size, &m) == 0;
        arena_reset(&arena);
    }
    assert_true(read > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_body_of_the_vectors_is_read_and_those_in_our_form_written_again),
            cmocka_unit_test(services_are_read_in_the_packed_and_the_unpacked_form),
            cmocka_unit_test(allocated_addresses_are_read_in_both_forms_and_zeros_left_out),
            cmocka_unit_test(negative_errors_are_varints_of_ten_octets_both_ways),
            cmocka_unit_test(hellos_and_texts_go_around),
            cmocka_unit_test(device_info_goes_around),
            cmocka_unit_test(device_info_stands_in_the_fields_of_the_protocol),
            cmocka_unit_test(small_messages_go_around),
            cmocka_unit_test(results_go_around),
            cmocka_unit_test(operations_on_handles_go_around),
            cmocka_unit_test(data_of_writes_stands_in_the_field_of_its_message),
            cmocka_unit_test(a_parsed_advertisement_goes_around_and_its_oldest_form_is_read),
            cmocka_unit_test(fleets_of_services_go_around),
            cmocka_unit_test(what_repeats_more_than_the_limits_is_refused),
            cmocka_unit_test(services_that_are_larger_than_the_limits_are_refused),
            cmocka_unit_test(a_parsed_advertisement_is_written_up_to_the_limits),
            cmocka_unit_test(services_are_written_up_to_the_limits),
            cmocka_unit_test(malformed_bodies_are_refused),
            cmocka_unit_test(unknown_fields_are_passed_over),
            cmocka_unit_test(unknown_numbers_are_told_apart_from_malformed_ones),
            cmocka_unit_test(each_message_has_the_sender_of_the_protocol),
            cmocka_unit_test(what_fits_no_frame_is_not_written),
            cmocka_unit_test(random_octets_never_do_harm),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
