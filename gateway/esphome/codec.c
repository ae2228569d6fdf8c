/* One row per message: its shape on the wire, who sends it, and the pair of functions that copy
 * between the shape and the plain value. Reading lets protobuf-c unpack into the arena and then
 * arranges the value in the same arena; writing fills a shape on the stack (nested parts in an
 * arena of the call) and packs it into the buffer.
 *
 * A body that protobuf-c refuses, that repeats more than the limits of the header, or that would
 * take more than the arena's limit is malformed: the amplification of many tiny parts ends there.
 */
#include "codec.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "advertisements.h"
#include "base/error.h"
#include "base/memory.h"
#include "esphome_api.pb-c.h"

#define BODY_MAX       65535
#define SHAPE_MAX_SIZE 512 /* of a generated struct at the top of a message */

struct row {
    const ProtobufCMessageDescriptor *shape; /* NULL: the number is not known here */
    unsigned senders;                        /* of enum codec_role */
    int (*read)(const void *wire, struct arena *arena, struct message *ret_message);
    int (*write)(const struct message *message, struct arena *arena, void *wire);
};

static struct text to_text(ProtobufCBinaryData wire)
{
    return (struct text){(const char *) wire.data, wire.len};
}

static struct bytes to_bytes(ProtobufCBinaryData wire)
{
    return (struct bytes){wire.data, wire.len};
}

/* protobuf-c does not write through these. */
static ProtobufCBinaryData from_text(struct text text)
{
    return (ProtobufCBinaryData){text.size, (uint8_t *) (uintptr_t) text.data};
}

static ProtobufCBinaryData from_bytes(struct bytes bytes)
{
    return (ProtobufCBinaryData){bytes.size, (uint8_t *) (uintptr_t) bytes.data};
}

static int read_nothing(const void *wire, struct arena *arena, struct message *ret_message)
{
    (void) wire;
    (void) arena;
    (void) ret_message;
    return 0;
}

static int write_nothing(const struct message *message, struct arena *arena, void *wire)
{
    (void) message;
    (void) arena;
    (void) wire;
    return 0;
}

/* The plain pairs: most shapes are copied field by field. READ and WRITE keep the signature and its
 * unused arena out of sight. */
#define READ(name, Shape)                                                                          \
    static void copy_from_##name(const Wire__##Shape *wire, struct message *m);                    \
    static int read_##name(const void *wire, struct arena *arena, struct message *ret_message)     \
    {                                                                                              \
        (void) arena;                                                                              \
        copy_from_##name(wire, ret_message);                                                       \
        return 0;                                                                                  \
    }                                                                                              \
    static void copy_from_##name(const Wire__##Shape *wire, struct message *m)
#define WRITE(name, Shape)                                                                         \
    static void copy_to_##name(const struct message *m, Wire__##Shape *wire);                      \
    static int write_##name(const struct message *message, struct arena *arena, void *wire)        \
    {                                                                                              \
        (void) arena;                                                                              \
        copy_to_##name(message, wire);                                                             \
        return 0;                                                                                  \
    }                                                                                              \
    static void copy_to_##name(const struct message *m, Wire__##Shape *wire)

READ(hello_request, HelloRequest)
{
    m->hello.info = to_text(wire->client_info);
    m->hello.api_major = wire->api_version_major;
    m->hello.api_minor = wire->api_version_minor;
}

WRITE(hello_request, HelloRequest)
{
    wire->client_info = from_text(m->hello.info);
    wire->api_version_major = m->hello.api_major;
    wire->api_version_minor = m->hello.api_minor;
}

READ(hello_response, HelloResponse)
{
    m->hello.info = to_text(wire->server_info);
    m->hello.name = to_text(wire->name);
    m->hello.api_major = wire->api_version_major;
    m->hello.api_minor = wire->api_version_minor;
}

WRITE(hello_response, HelloResponse)
{
    wire->server_info = from_text(m->hello.info);
    wire->name = from_text(m->hello.name);
    wire->api_version_major = m->hello.api_major;
    wire->api_version_minor = m->hello.api_minor;
}

READ(password, Octets)
{
    m->password = to_text(wire->value);
}

WRITE(password, Octets)
{
    wire->value = from_text(m->password);
}

READ(noise_key, Octets)
{
    m->noise_key = to_bytes(wire->value);
}

WRITE(noise_key, Octets)
{
    wire->value = from_bytes(m->noise_key);
}

READ(invalid_password, Flag)
{
    m->invalid_password = wire->value;
}

WRITE(invalid_password, Flag)
{
    wire->value = m->invalid_password;
}

READ(success, Flag)
{
    m->success = wire->value;
}

WRITE(success, Flag)
{
    wire->value = m->success;
}

READ(disconnect_reason, Number)
{
    m->disconnect_reason = wire->value;
}

WRITE(disconnect_reason, Number)
{
    wire->value = m->disconnect_reason;
}

READ(subscription_flags, Number)
{
    m->subscription_flags = wire->value;
}

WRITE(subscription_flags, Number)
{
    wire->value = m->subscription_flags;
}

READ(scanner_mode, Number)
{
    m->scanner_mode = wire->value;
}

WRITE(scanner_mode, Number)
{
    wire->value = m->scanner_mode;
}

READ(device_info, DeviceInfo)
{
    m->device_info = (struct message_device_info){
            .uses_password = wire->uses_password,
            .has_deep_sleep = wire->has_deep_sleep,
            .api_encryption_supported = wire->api_encryption_supported,
            .legacy_bluetooth_proxy_version = wire->legacy_bluetooth_proxy_version,
            .bluetooth_proxy_feature_flags = wire->bluetooth_proxy_feature_flags,
            .name = to_text(wire->name),
            .mac_address = to_text(wire->mac_address),
            .esphome_version = to_text(wire->esphome_version),
            .compilation_time = to_text(wire->compilation_time),
            .model = to_text(wire->model),
            .manufacturer = to_text(wire->manufacturer),
            .friendly_name = to_text(wire->friendly_name),
            .suggested_area = to_text(wire->suggested_area),
            .bluetooth_mac_address = to_text(wire->bluetooth_mac_address),
            .project_name = to_text(wire->project_name),
            .project_version = to_text(wire->project_version),
    };
}

WRITE(device_info, DeviceInfo)
{
    const struct message_device_info *info = &m->device_info;

    wire->uses_password = info->uses_password;
    wire->has_deep_sleep = info->has_deep_sleep;
    wire->api_encryption_supported = info->api_encryption_supported;
    wire->legacy_bluetooth_proxy_version = info->legacy_bluetooth_proxy_version;
    wire->bluetooth_proxy_feature_flags = info->bluetooth_proxy_feature_flags;
    wire->name = from_text(info->name);
    wire->mac_address = from_text(info->mac_address);
    wire->esphome_version = from_text(info->esphome_version);
    wire->compilation_time = from_text(info->compilation_time);
    wire->model = from_text(info->model);
    wire->manufacturer = from_text(info->manufacturer);
    wire->friendly_name = from_text(info->friendly_name);
    wire->suggested_area = from_text(info->suggested_area);
    wire->bluetooth_mac_address = from_text(info->bluetooth_mac_address);
    wire->project_name = from_text(info->project_name);
    wire->project_version = from_text(info->project_version);
}

READ(time, Time)
{
    m->time.epoch_seconds = wire->epoch_seconds;
    m->time.timezone = to_text(wire->timezone);
}

WRITE(time, Time)
{
    wire->epoch_seconds = m->time.epoch_seconds;
    wire->timezone = from_text(m->time.timezone);
}

READ(device_request, DeviceRequest)
{
    m->device_request = (struct message_device_request){
            .address = wire->address,
            .request_type = wire->request_type,
            .has_address_type = wire->has_address_type,
            .address_type = wire->address_type,
    };
}

WRITE(device_request, DeviceRequest)
{
    wire->address = m->device_request.address;
    wire->request_type = m->device_request.request_type;
    wire->has_address_type = m->device_request.has_address_type;
    wire->address_type = m->device_request.address_type;
}

READ(device_connection, DeviceConnection)
{
    m->device_connection = (struct message_device_connection){
            .address = wire->address,
            .connected = wire->connected,
            .mtu = wire->mtu,
            .error = wire->error,
    };
}

WRITE(device_connection, DeviceConnection)
{
    wire->address = m->device_connection.address;
    wire->connected = m->device_connection.connected;
    wire->mtu = m->device_connection.mtu;
    wire->error = m->device_connection.error;
}

READ(gatt_handle, GattHandle)
{
    m->gatt = (struct message_gatt){.address = wire->address, .handle = wire->handle};
}

WRITE(gatt_handle, GattHandle)
{
    wire->address = m->gatt.address;
    wire->handle = m->gatt.handle;
}

READ(gatt_data, GattData)
{
    m->gatt = (struct message_gatt){
            .address = wire->address, .handle = wire->handle, .data = to_bytes(wire->data)};
}

WRITE(gatt_data, GattData)
{
    wire->address = m->gatt.address;
    wire->handle = m->gatt.handle;
    wire->data = from_bytes(m->gatt.data);
}

READ(gatt_write, GattWrite)
{
    m->gatt = (struct message_gatt){
            .address = wire->address,
            .handle = wire->handle,
            .flag = wire->response,
            .data = to_bytes(wire->data),
    };
}

WRITE(gatt_write, GattWrite)
{
    wire->address = m->gatt.address;
    wire->handle = m->gatt.handle;
    wire->response = m->gatt.flag;
    wire->data = from_bytes(m->gatt.data);
}

READ(gatt_notify, GattNotify)
{
    m->gatt = (struct message_gatt){
            .address = wire->address, .handle = wire->handle, .flag = wire->enable};
}

WRITE(gatt_notify, GattNotify)
{
    wire->address = m->gatt.address;
    wire->handle = m->gatt.handle;
    wire->enable = m->gatt.flag;
}

READ(gatt_error, GattError)
{
    m->gatt = (struct message_gatt){
            .address = wire->address, .handle = wire->handle, .error = wire->error};
}

WRITE(gatt_error, GattError)
{
    wire->address = m->gatt.address;
    wire->handle = m->gatt.handle;
    wire->error = m->gatt.error;
}

READ(result, Result)
{
    m->result = (struct message_result){
            .address = wire->address, .success = wire->success, .error = wire->error};
}

WRITE(result, Result)
{
    wire->address = m->result.address;
    wire->success = m->result.success;
    wire->error = m->result.error;
}

READ(params_result, ParamsResult)
{
    m->result = (struct message_result){
            .address = wire->address, .success = wire->error == 0, .error = wire->error};
}

WRITE(params_result, ParamsResult)
{
    wire->address = m->result.address;
    wire->error = m->result.error;
}

READ(scanner_state, ScannerState)
{
    m->scanner_state = (struct message_scanner_state){
            .state = wire->state, .mode = wire->mode, .configured_mode = wire->configured_mode};
}

WRITE(scanner_state, ScannerState)
{
    wire->state = m->scanner_state.state;
    wire->mode = m->scanner_state.mode;
    wire->configured_mode = m->scanner_state.configured_mode;
}

READ(connection_params, ConnectionParams)
{
    m->connection_params = (struct message_connection_params){
            .address = wire->address,
            .min_interval = wire->min_interval,
            .max_interval = wire->max_interval,
            .latency = wire->latency,
            .timeout = wire->timeout,
    };
}

WRITE(connection_params, ConnectionParams)
{
    wire->address = m->connection_params.address;
    wire->min_interval = m->connection_params.min_interval;
    wire->max_interval = m->connection_params.max_interval;
    wire->latency = m->connection_params.latency;
    wire->timeout = m->connection_params.timeout;
}

READ(capabilities, Capabilities)
{
    m->capabilities = (struct message_capabilities){0};
    if (wire->bluetooth_proxy) {
        m->capabilities.bluetooth_proxy_feature_flags = wire->bluetooth_proxy->feature_flags;
        m->capabilities.bluetooth_mac_address = to_text(wire->bluetooth_proxy->mac_address);
    }
}

static int write_capabilities(const struct message *m, struct arena *arena, void *to)
{
    Wire__Capabilities *wire = to;

    wire->bluetooth_proxy = arena_alloc(arena, sizeof *wire->bluetooth_proxy);
    if (!wire->bluetooth_proxy)
        return -EMSGSIZE;
    wire__proxy_capabilities__init(wire->bluetooth_proxy);
    wire->bluetooth_proxy->feature_flags = m->capabilities.bluetooth_proxy_feature_flags;
    wire->bluetooth_proxy->mac_address = from_text(m->capabilities.bluetooth_mac_address);
    return 0;
}

/* Zeros are slots without a link; they are left out in both directions. */
static int read_connections_free(const void *from, struct arena *arena, struct message *m)
{
    const Wire__ConnectionsFree *wire = from;
    uint64_t *allocated;
    size_t count = 0;

    if (wire->n_allocated > CODEC_ALLOCATED_MAX)
        return E_PROTOCOL;
    allocated = arena_alloc(arena, wire->n_allocated * sizeof *allocated);
    if (!allocated)
        return E_PROTOCOL;
    for (size_t i = 0; i < wire->n_allocated; i++) {
        if (wire->allocated[i] != 0)
            allocated[count++] = wire->allocated[i];
    }
    m->connections_free = (struct message_connections_free){
            .free = wire->free,
            .limit = wire->limit,
            .allocated = allocated,
            .allocated_count = count,
    };
    return 0;
}

static int write_connections_free(const struct message *m, struct arena *arena, void *to)
{
    const struct message_connections_free *from = &m->connections_free;
    Wire__ConnectionsFree *wire = to;

    if (from->allocated_count > CODEC_ALLOCATED_MAX)
        return -EMSGSIZE;
    wire->free = from->free;
    wire->limit = from->limit;
    wire->allocated = arena_alloc(arena, from->allocated_count * sizeof *wire->allocated);
    if (!wire->allocated)
        return -EMSGSIZE;
    for (size_t i = 0; i < from->allocated_count; i++) {
        if (from->allocated[i] != 0)
            wire->allocated[wire->n_allocated++] = from->allocated[i];
    }
    return 0;
}

/* Two halves, most significant first, or a short one; what is missing is 0. */
static struct message_uuid to_uuid(const uint64_t *halves, size_t count, uint32_t short_uuid)
{
    if (short_uuid != 0)
        return (struct message_uuid){.short_uuid = short_uuid};
    return (struct message_uuid){
            .high = count > 0 ? halves[0] : 0,
            .low = count > 1 ? halves[1] : 0,
    };
}

/* How many halves are to be written, into storage of two. */
static size_t from_uuid(const struct message_uuid *uuid, uint64_t halves[2])
{
    halves[0] = uuid->high;
    halves[1] = uuid->low;
    return uuid->short_uuid != 0 || (uuid->high == 0 && uuid->low == 0) ? 0 : 2;
}

static int read_characteristic(const Wire__Characteristic *wire, struct arena *arena,
                               struct message_characteristic *ret_characteristic)
{
    struct message_descriptor *descriptors;

    if (wire->n_descriptors > CODEC_DESCRIPTORS_MAX)
        return E_PROTOCOL;
    descriptors = arena_alloc(arena, wire->n_descriptors * sizeof *descriptors);
    if (!descriptors)
        return E_PROTOCOL;
    for (size_t i = 0; i < wire->n_descriptors; i++) {
        const Wire__Descriptor *d = wire->descriptors[i];

        descriptors[i].uuid = to_uuid(d->uuid, d->n_uuid, d->short_uuid);
        descriptors[i].handle = d->handle;
    }
    *ret_characteristic = (struct message_characteristic){
            .uuid = to_uuid(wire->uuid, wire->n_uuid, wire->short_uuid),
            .handle = wire->handle,
            .properties = wire->properties,
            .descriptors = descriptors,
            .descriptors_count = wire->n_descriptors,
    };
    return 0;
}

static int read_service(const Wire__Service *wire, struct arena *arena,
                        struct message_service *ret_service)
{
    struct message_characteristic *characteristics;

    if (wire->n_characteristics > CODEC_CHARACTERISTICS_MAX)
        return E_PROTOCOL;
    characteristics = arena_alloc(arena, wire->n_characteristics * sizeof *characteristics);
    if (!characteristics)
        return E_PROTOCOL;
    for (size_t i = 0; i < wire->n_characteristics; i++) {
        if (read_characteristic(wire->characteristics[i], arena, &characteristics[i]) != 0)
            return E_PROTOCOL;
    }
    *ret_service = (struct message_service){
            .uuid = to_uuid(wire->uuid, wire->n_uuid, wire->short_uuid),
            .handle = wire->handle,
            .characteristics = characteristics,
            .characteristics_count = wire->n_characteristics,
    };
    return 0;
}

static int read_services(const void *from, struct arena *arena, struct message *m)
{
    const Wire__Services *wire = from;
    struct message_service *services;

    if (wire->n_services > CODEC_SERVICES_MAX)
        return E_PROTOCOL;
    services = arena_alloc(arena, wire->n_services * sizeof *services);
    if (!services)
        return E_PROTOCOL;
    for (size_t i = 0; i < wire->n_services; i++) {
        if (read_service(wire->services[i], arena, &services[i]) != 0)
            return E_PROTOCOL;
    }
    m->services = (struct message_services){wire->address, services, wire->n_services};
    return 0;
}

/* An array of pointers to count shapes of the given size, behind one another. */
static void **make_parts(struct arena *arena, size_t count, size_t size)
{
    void **pointers = arena_alloc(arena, count * sizeof *pointers);
    uint8_t *parts = arena_alloc(arena, count * size);

    if (!pointers || !parts)
        return NULL;
    for (size_t i = 0; i < count; i++)
        pointers[i] = parts + i * size;
    return pointers;
}

static int write_characteristic(const struct message_characteristic *from, struct arena *arena,
                                Wire__Characteristic *wire)
{
    if (from->descriptors_count > CODEC_DESCRIPTORS_MAX)
        return -EMSGSIZE;
    wire__characteristic__init(wire);
    wire->handle = from->handle;
    wire->properties = from->properties;
    wire->short_uuid = from->uuid.short_uuid;
    wire->uuid = arena_alloc(arena, 2 * sizeof *wire->uuid);
    wire->descriptors = (Wire__Descriptor **) make_parts(arena, from->descriptors_count,
                                                         sizeof **wire->descriptors);
    if (!wire->uuid || !wire->descriptors)
        return -EMSGSIZE;
    wire->n_uuid = from_uuid(&from->uuid, wire->uuid);
    for (; wire->n_descriptors < from->descriptors_count; wire->n_descriptors++) {
        const struct message_descriptor *d = &from->descriptors[wire->n_descriptors];
        Wire__Descriptor *part = wire->descriptors[wire->n_descriptors];

        wire__descriptor__init(part);
        part->handle = d->handle;
        part->short_uuid = d->uuid.short_uuid;
        part->uuid = arena_alloc(arena, 2 * sizeof *part->uuid);
        if (!part->uuid)
            return -EMSGSIZE;
        part->n_uuid = from_uuid(&d->uuid, part->uuid);
    }
    return 0;
}

static int write_service(const struct message_service *from, struct arena *arena,
                         Wire__Service *wire)
{
    if (from->characteristics_count > CODEC_CHARACTERISTICS_MAX)
        return -EMSGSIZE;
    wire__service__init(wire);
    wire->handle = from->handle;
    wire->short_uuid = from->uuid.short_uuid;
    wire->uuid = arena_alloc(arena, 2 * sizeof *wire->uuid);
    wire->characteristics = (Wire__Characteristic **) make_parts(arena, from->characteristics_count,
                                                                 sizeof **wire->characteristics);
    if (!wire->uuid || !wire->characteristics)
        return -EMSGSIZE;
    wire->n_uuid = from_uuid(&from->uuid, wire->uuid);
    for (; wire->n_characteristics < from->characteristics_count; wire->n_characteristics++) {
        if (write_characteristic(&from->characteristics[wire->n_characteristics], arena,
                                 wire->characteristics[wire->n_characteristics]) != 0)
            return -EMSGSIZE;
    }
    return 0;
}

static int write_services(const struct message *m, struct arena *arena, void *to)
{
    Wire__Services *wire = to;

    if (m->services.count > CODEC_SERVICES_MAX)
        return -EMSGSIZE;
    wire->address = m->services.address;
    wire->services =
            (Wire__Service **) make_parts(arena, m->services.count, sizeof **wire->services);
    if (!wire->services)
        return -EMSGSIZE;
    for (; wire->n_services < m->services.count; wire->n_services++) {
        if (write_service(&m->services.services[wire->n_services], arena,
                          wire->services[wire->n_services]) != 0)
            return -EMSGSIZE;
    }
    return 0;
}

/* The oldest firmware wrote the octets as a list of numbers. */
static bool read_uuid_data(const Wire__UuidData *wire, struct arena *arena,
                           struct message_uuid_data *ret_data)
{
    uint8_t *octets;

    ret_data->uuid = to_text(wire->uuid);
    ret_data->data = to_bytes(wire->data);
    if (wire->data.len > 0 || wire->n_legacy_data == 0)
        return true;
    octets = arena_alloc(arena, wire->n_legacy_data);
    if (!octets)
        return false;
    for (size_t i = 0; i < wire->n_legacy_data; i++)
        octets[i] = (uint8_t) wire->legacy_data[i];
    ret_data->data = (struct bytes){octets, wire->n_legacy_data};
    return true;
}

static const struct message_uuid_data *read_uuid_data_list(Wire__UuidData **wire, size_t count,
                                                           struct arena *arena)
{
    struct message_uuid_data *list;

    if (count > CODEC_PARSED_MAX)
        return NULL;
    list = arena_alloc(arena, count * sizeof *list);
    for (size_t i = 0; list && i < count; i++) {
        if (!read_uuid_data(wire[i], arena, &list[i]))
            return NULL;
    }
    return list;
}

static int read_parsed_advertisement(const void *from, struct arena *arena, struct message *m)
{
    const Wire__ParsedAdvertisement *wire = from;
    struct message_parsed_advertisement *to = &m->parsed_advertisement;
    struct text *uuids;

    if (wire->n_service_uuids > CODEC_PARSED_MAX)
        return E_PROTOCOL;
    uuids = arena_alloc(arena, wire->n_service_uuids * sizeof *uuids);
    for (size_t i = 0; uuids && i < wire->n_service_uuids; i++)
        uuids[i] = to_text(wire->service_uuids[i]);
    *to = (struct message_parsed_advertisement){
            .address = wire->address,
            .rssi = wire->rssi,
            .address_type = wire->address_type,
            .name = to_text(wire->name),
            .service_uuids_count = wire->n_service_uuids,
            .service_data_count = wire->n_service_data,
            .manufacturer_data_count = wire->n_manufacturer_data,
            .service_uuids = uuids,
            .service_data = read_uuid_data_list(wire->service_data, wire->n_service_data, arena),
            .manufacturer_data =
                    read_uuid_data_list(wire->manufacturer_data, wire->n_manufacturer_data, arena),
    };
    return to->service_uuids && to->service_data && to->manufacturer_data ? 0 : E_PROTOCOL;
}

static Wire__UuidData **write_uuid_data_list(const struct message_uuid_data *list, size_t count,
                                             struct arena *arena)
{
    Wire__UuidData **parts;

    if (count > CODEC_PARSED_MAX)
        return NULL;
    parts = (Wire__UuidData **) make_parts(arena, count, sizeof **parts);
    for (size_t i = 0; parts && i < count; i++) {
        wire__uuid_data__init(parts[i]);
        parts[i]->uuid = from_text(list[i].uuid);
        parts[i]->data = from_bytes(list[i].data);
    }
    return parts;
}

static int write_parsed_advertisement(const struct message *m, struct arena *arena, void *to)
{
    const struct message_parsed_advertisement *from = &m->parsed_advertisement;
    Wire__ParsedAdvertisement *wire = to;

    if (from->service_uuids_count > CODEC_PARSED_MAX)
        return -EMSGSIZE;
    wire->address = from->address;
    wire->rssi = from->rssi;
    wire->address_type = from->address_type;
    wire->name = from_text(from->name);
    wire->service_uuids =
            arena_alloc(arena, from->service_uuids_count * sizeof *wire->service_uuids);
    wire->service_data = write_uuid_data_list(from->service_data, from->service_data_count, arena);
    wire->manufacturer_data =
            write_uuid_data_list(from->manufacturer_data, from->manufacturer_data_count, arena);
    if (!wire->service_uuids || !wire->service_data || !wire->manufacturer_data)
        return -EMSGSIZE;
    wire->n_service_data = from->service_data_count;
    wire->n_manufacturer_data = from->manufacturer_data_count;
    for (; wire->n_service_uuids < from->service_uuids_count; wire->n_service_uuids++)
        wire->service_uuids[wire->n_service_uuids] =
                from_text(from->service_uuids[wire->n_service_uuids]);
    return 0;
}

#define ROW(number, senders, Shape, name)                                                          \
    [number] = {&wire__##Shape##__descriptor, senders, read_##name, write_##name}

static const struct row rows[MESSAGE_TYPE_MAX + 1] = {
        ROW(MESSAGE_HELLO_REQUEST, CODEC_CLIENT, hello_request, hello_request),
        ROW(MESSAGE_HELLO_RESPONSE, CODEC_SERVER, hello_response, hello_response),
        ROW(MESSAGE_AUTHENTICATION_REQUEST, CODEC_CLIENT, octets, password),
        ROW(MESSAGE_AUTHENTICATION_RESPONSE, CODEC_SERVER, flag, invalid_password),
        ROW(MESSAGE_DISCONNECT_REQUEST, CODEC_CLIENT | CODEC_SERVER, number, disconnect_reason),
        ROW(MESSAGE_DISCONNECT_RESPONSE, CODEC_CLIENT | CODEC_SERVER, empty, nothing),
        ROW(MESSAGE_PING_REQUEST, CODEC_CLIENT | CODEC_SERVER, empty, nothing),
        ROW(MESSAGE_PING_RESPONSE, CODEC_CLIENT | CODEC_SERVER, empty, nothing),
        ROW(MESSAGE_DEVICE_INFO_REQUEST, CODEC_CLIENT, empty, nothing),
        ROW(MESSAGE_DEVICE_INFO_RESPONSE, CODEC_SERVER, device_info, device_info),
        ROW(MESSAGE_LIST_ENTITIES_REQUEST, CODEC_CLIENT, empty, nothing),
        ROW(MESSAGE_LIST_ENTITIES_DONE_RESPONSE, CODEC_SERVER, empty, nothing),
        ROW(MESSAGE_SUBSCRIBE_STATES_REQUEST, CODEC_CLIENT, empty, nothing),
        ROW(MESSAGE_SUBSCRIBE_LOGS_REQUEST, CODEC_CLIENT, empty, nothing),
        ROW(MESSAGE_SUBSCRIBE_HOMEASSISTANT_SERVICES_REQUEST, CODEC_CLIENT, empty, nothing),
        ROW(MESSAGE_GET_TIME_REQUEST, CODEC_SERVER, empty, nothing),
        ROW(MESSAGE_GET_TIME_RESPONSE, CODEC_CLIENT, time, time),
        ROW(MESSAGE_SUBSCRIBE_HOME_ASSISTANT_STATES_REQUEST, CODEC_CLIENT, empty, nothing),
        ROW(MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST, CODEC_CLIENT, number, subscription_flags),
        ROW(MESSAGE_PARSED_ADVERTISEMENT_RESPONSE, CODEC_SERVER, parsed_advertisement,
            parsed_advertisement),
        ROW(MESSAGE_DEVICE_REQUEST, CODEC_CLIENT, device_request, device_request),
        ROW(MESSAGE_DEVICE_CONNECTION_RESPONSE, CODEC_SERVER, device_connection, device_connection),
        ROW(MESSAGE_GATT_GET_SERVICES_REQUEST, CODEC_CLIENT, gatt_handle, gatt_handle),
        ROW(MESSAGE_GATT_GET_SERVICES_RESPONSE, CODEC_SERVER, services, services),
        ROW(MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE, CODEC_SERVER, gatt_handle, gatt_handle),
        ROW(MESSAGE_GATT_READ_REQUEST, CODEC_CLIENT, gatt_handle, gatt_handle),
        ROW(MESSAGE_GATT_READ_RESPONSE, CODEC_SERVER, gatt_data, gatt_data),
        ROW(MESSAGE_GATT_WRITE_REQUEST, CODEC_CLIENT, gatt_write, gatt_write),
        ROW(MESSAGE_GATT_READ_DESCRIPTOR_REQUEST, CODEC_CLIENT, gatt_handle, gatt_handle),
        ROW(MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST, CODEC_CLIENT, gatt_data, gatt_data),
        ROW(MESSAGE_GATT_NOTIFY_REQUEST, CODEC_CLIENT, gatt_notify, gatt_notify),
        ROW(MESSAGE_GATT_NOTIFY_DATA_RESPONSE, CODEC_SERVER, gatt_data, gatt_data),
        ROW(MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST, CODEC_CLIENT, empty, nothing),
        ROW(MESSAGE_CONNECTIONS_FREE_RESPONSE, CODEC_SERVER, connections_free, connections_free),
        ROW(MESSAGE_GATT_ERROR_RESPONSE, CODEC_SERVER, gatt_error, gatt_error),
        ROW(MESSAGE_GATT_WRITE_RESPONSE, CODEC_SERVER, gatt_handle, gatt_handle),
        ROW(MESSAGE_GATT_NOTIFY_RESPONSE, CODEC_SERVER, gatt_handle, gatt_handle),
        ROW(MESSAGE_DEVICE_PAIRING_RESPONSE, CODEC_SERVER, result, result),
        ROW(MESSAGE_DEVICE_UNPAIRING_RESPONSE, CODEC_SERVER, result, result),
        ROW(MESSAGE_UNSUBSCRIBE_ADVERTISEMENTS_REQUEST, CODEC_CLIENT, empty, nothing),
        ROW(MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE, CODEC_SERVER, result, result),
        [MESSAGE_RAW_ADVERTISEMENTS_RESPONSE] = {.senders = CODEC_SERVER},
        ROW(MESSAGE_NOISE_SET_KEY_REQUEST, CODEC_CLIENT, octets, noise_key),
        ROW(MESSAGE_NOISE_SET_KEY_RESPONSE, CODEC_SERVER, flag, success),
        ROW(MESSAGE_SCANNER_STATE_RESPONSE, CODEC_SERVER, scanner_state, scanner_state),
        ROW(MESSAGE_SCANNER_SET_MODE_REQUEST, CODEC_CLIENT, number, scanner_mode),
        ROW(MESSAGE_SET_CONNECTION_PARAMS_REQUEST, CODEC_CLIENT, connection_params,
            connection_params),
        ROW(MESSAGE_SET_CONNECTION_PARAMS_RESPONSE, CODEC_SERVER, params_result, params_result),
        ROW(MESSAGE_DEVICE_CAPABILITIES_REQUEST, CODEC_CLIENT, empty, nothing),
        ROW(MESSAGE_DEVICE_CAPABILITIES_RESPONSE, CODEC_SERVER, capabilities, capabilities),
};

static void *allocate(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void keep(void *arena, void *pointer)
{
    (void) arena; /* freed with the rest of the arena */
    (void) pointer;
}

static int pack(const ProtobufCMessage *wire, struct buffer *buffer)
{
    const size_t size = protobuf_c_message_get_packed_size(wire);

    if (size > BODY_MAX)
        return -EMSGSIZE;
    buffer_commit(buffer, protobuf_c_message_pack(wire, buffer_reserve(buffer, size)));
    return 0;
}

static int encode_advertisements(const struct message_raw_advertisements *from,
                                 struct buffer *buffer)
{
    const size_t before = buffer_size(buffer);

    if (from->count > BODY_MAX)
        return -EMSGSIZE;
    advertisements_encode(from->reports, from->count, buffer);
    if (buffer_size(buffer) - before <= BODY_MAX)
        return 0;
    buffer->end -= buffer_size(buffer) - before;
    return -EMSGSIZE;
}

bool codec_is_sent_by(enum codec_role role, uint32_t type)
{
    return type <= MESSAGE_TYPE_MAX && (rows[type].senders & role) != 0;
}

int codec_decode(uint32_t type, struct bytes body, struct arena *arena, struct message *ret_message)
{
    ProtobufCAllocator allocator = {allocate, keep, arena};
    struct message message = {0};
    const ProtobufCMessage *wire;

    if (type > MESSAGE_TYPE_MAX || !rows[type].shape)
        return -ENOTSUP;
    wire = protobuf_c_message_unpack(rows[type].shape, &allocator, body.size, body.data);
    if (!wire)
        return E_PROTOCOL;
    message.type = (enum message_type) type;
    if (rows[type].read(wire, arena, &message) != 0)
        return E_PROTOCOL;
    *ret_message = message;
    return 0;
}

int codec_encode(const struct message *message, struct buffer *buffer)
{
    alignas(max_align_t) uint8_t shape[SHAPE_MAX_SIZE];
    const struct row *row;
    struct arena arena;
    int cause;

    if (message->type == MESSAGE_RAW_ADVERTISEMENTS_RESPONSE)
        return encode_advertisements(&message->raw_advertisements, buffer);
    assert((uint32_t) message->type <= MESSAGE_TYPE_MAX);
    row = &rows[message->type];
    assert(row->shape && row->shape->sizeof_message <= sizeof shape);
    protobuf_c_message_init(row->shape, shape);
    arena_init(&arena, CODEC_ARENA_MAX);
    cause = row->write(message, &arena, shape);
    if (cause == 0)
        cause = pack((const ProtobufCMessage *) (const void *) shape, buffer);
    arena_done(&arena);
    return cause;
}
