/* The messages of the ESPHome native API that Bluetooth proxies and their clients speak, as plain
 * values, for both roles (source: esphome-protocol 4; message numbers are the protocol's own).
 *
 * Texts and octets are borrowed: in a decoded message from the session's frame and arena, valid
 * until the callback that got it returns; in a message to send from the caller, for the call. A
 * `struct text` is not NUL-terminated and may be anything a peer can send. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ble/report.h"

enum message_type {
    MESSAGE_HELLO_REQUEST = 1,
    MESSAGE_HELLO_RESPONSE = 2,
    MESSAGE_AUTHENTICATION_REQUEST = 3,
    MESSAGE_AUTHENTICATION_RESPONSE = 4,
    MESSAGE_DISCONNECT_REQUEST = 5,
    MESSAGE_DISCONNECT_RESPONSE = 6,
    MESSAGE_PING_REQUEST = 7,
    MESSAGE_PING_RESPONSE = 8,
    MESSAGE_DEVICE_INFO_REQUEST = 9,
    MESSAGE_DEVICE_INFO_RESPONSE = 10,
    MESSAGE_LIST_ENTITIES_REQUEST = 11,
    MESSAGE_LIST_ENTITIES_DONE_RESPONSE = 19,
    MESSAGE_SUBSCRIBE_STATES_REQUEST = 20,
    MESSAGE_SUBSCRIBE_LOGS_REQUEST = 28,
    MESSAGE_SUBSCRIBE_HOMEASSISTANT_SERVICES_REQUEST = 34,
    MESSAGE_GET_TIME_REQUEST = 36,
    MESSAGE_GET_TIME_RESPONSE = 37,
    MESSAGE_SUBSCRIBE_HOME_ASSISTANT_STATES_REQUEST = 38,
    MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST = 66,
    MESSAGE_PARSED_ADVERTISEMENT_RESPONSE = 67,
    MESSAGE_DEVICE_REQUEST = 68,
    MESSAGE_DEVICE_CONNECTION_RESPONSE = 69,
    MESSAGE_GATT_GET_SERVICES_REQUEST = 70,
    MESSAGE_GATT_GET_SERVICES_RESPONSE = 71,
    MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE = 72,
    MESSAGE_GATT_READ_REQUEST = 73,
    MESSAGE_GATT_READ_RESPONSE = 74,
    MESSAGE_GATT_WRITE_REQUEST = 75,
    MESSAGE_GATT_READ_DESCRIPTOR_REQUEST = 76,
    MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST = 77,
    MESSAGE_GATT_NOTIFY_REQUEST = 78,
    MESSAGE_GATT_NOTIFY_DATA_RESPONSE = 79,
    MESSAGE_SUBSCRIBE_CONNECTIONS_FREE_REQUEST = 80,
    MESSAGE_CONNECTIONS_FREE_RESPONSE = 81,
    MESSAGE_GATT_ERROR_RESPONSE = 82,
    MESSAGE_GATT_WRITE_RESPONSE = 83,
    MESSAGE_GATT_NOTIFY_RESPONSE = 84,
    MESSAGE_DEVICE_PAIRING_RESPONSE = 85,
    MESSAGE_DEVICE_UNPAIRING_RESPONSE = 86,
    MESSAGE_UNSUBSCRIBE_ADVERTISEMENTS_REQUEST = 87,
    MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE = 88,
    MESSAGE_RAW_ADVERTISEMENTS_RESPONSE = 93,
    MESSAGE_NOISE_SET_KEY_REQUEST = 124,
    MESSAGE_NOISE_SET_KEY_RESPONSE = 125,
    MESSAGE_SCANNER_STATE_RESPONSE = 126,
    MESSAGE_SCANNER_SET_MODE_REQUEST = 127,
    MESSAGE_SET_CONNECTION_PARAMS_REQUEST = 145,
    MESSAGE_SET_CONNECTION_PARAMS_RESPONSE = 146,
    MESSAGE_DEVICE_CAPABILITIES_REQUEST = 149,
    MESSAGE_DEVICE_CAPABILITIES_RESPONSE = 150,
    MESSAGE_TYPE_MAX = 150,
};

struct text {
    const char *data; /* borrowed, may be NULL when size is 0 */
    size_t size;
};

/* Bits of DeviceInfo field 15 (esphome-protocol 5.1). */
enum proxy_feature {
    PROXY_FEATURE_PASSIVE_SCAN = 1 << 0,
    PROXY_FEATURE_ACTIVE_CONNECTIONS = 1 << 1,
    PROXY_FEATURE_REMOTE_CACHING = 1 << 2,
    PROXY_FEATURE_PAIRING = 1 << 3,
    PROXY_FEATURE_CACHE_CLEARING = 1 << 4,
    PROXY_FEATURE_RAW_ADVERTISEMENTS = 1 << 5,
    PROXY_FEATURE_STATE_AND_MODE = 1 << 6,
    PROXY_FEATURE_CONNECTION_PARAMS = 1 << 7,
};

enum scanner_state {
    SCANNER_IDLE,
    SCANNER_STARTING,
    SCANNER_RUNNING,
    SCANNER_FAILED,
    SCANNER_STOPPING,
    SCANNER_STOPPED,
};

enum scanner_mode { SCANNER_PASSIVE, SCANNER_ACTIVE };

/* Field 2 of message 68. */
enum device_request_type {
    DEVICE_REQUEST_CONNECT,
    DEVICE_REQUEST_DISCONNECT,
    DEVICE_REQUEST_PAIR,
    DEVICE_REQUEST_UNPAIR,
    DEVICE_REQUEST_CONNECT_WITH_CACHE,
    DEVICE_REQUEST_CONNECT_WITHOUT_CACHE,
    DEVICE_REQUEST_CLEAR_CACHE,
};

struct message_hello { /* 1 and 2 */
    struct text info;  /* client_info, server_info */
    struct text name;  /* 2 alone */
    uint32_t api_major, api_minor;
};

struct message_device_info { /* 10; fields that nobody here reads are not kept */
    bool uses_password;
    bool has_deep_sleep;
    bool api_encryption_supported;
    uint32_t legacy_bluetooth_proxy_version;
    uint32_t bluetooth_proxy_feature_flags;
    struct text name, mac_address, esphome_version, compilation_time, model, manufacturer;
    struct text friendly_name, suggested_area, bluetooth_mac_address, project_name, project_version;
};

struct message_uuid_data { /* of message 67 */
    struct text uuid;      /* as text; a company id in hex for manufacturer data */
    struct bytes data;
};

struct message_parsed_advertisement { /* 67 */
    uint64_t address;
    int32_t rssi;
    uint32_t address_type;
    struct text name;
    size_t service_uuids_count, service_data_count, manufacturer_data_count;
    const struct text *service_uuids;
    const struct message_uuid_data *service_data, *manufacturer_data;
};

struct message_raw_advertisements { /* 93 */
    const struct ble_report *reports;
    size_t count;
};

struct message_connections_free { /* 81 */
    uint32_t free, limit;
    const uint64_t *allocated; /* zeros skipped */
    size_t allocated_count;
};

struct message_scanner_state { /* 126; values that are not known stay as numbers */
    uint32_t state, mode, configured_mode;
};

struct message_device_request { /* 68 */
    uint64_t address;
    uint32_t request_type;
    bool has_address_type;
    uint32_t address_type;
};

struct message_device_connection { /* 69 */
    uint64_t address;
    bool connected;
    uint32_t mtu;
    int32_t error;
};

/* 70, 72 (handle 0), 73, 74, 75, 76, 77, 78, 79, 82, 83, 84: an operation on one handle. */
struct message_gatt {
    uint64_t address;
    uint32_t handle;
    bool flag;         /* 75: response wanted; 78: enable */
    int32_t error;     /* 82 */
    struct bytes data; /* 74, 75, 77, 79 */
};

struct message_result { /* 85, 86, 88, 146 */
    uint64_t address;
    bool success; /* 146: has none, error == 0 says it */
    int32_t error;
};

struct message_uuid { /* 128 bits, most significant half first, or a short one (high and low 0) */
    uint64_t high, low;
    uint32_t short_uuid;
};
struct message_descriptor {
    struct message_uuid uuid;
    uint32_t handle;
};
struct message_characteristic {
    struct message_uuid uuid;
    uint32_t handle, properties;
    const struct message_descriptor *descriptors;
    size_t descriptors_count;
};
struct message_service {
    struct message_uuid uuid;
    uint32_t handle;
    const struct message_characteristic *characteristics;
    size_t characteristics_count;
};
struct message_services { /* 71 */
    uint64_t address;
    const struct message_service *services;
    size_t count;
};

struct message_connection_params { /* 145; BLE units */
    uint64_t address;
    uint32_t min_interval, max_interval, latency, timeout;
};

struct message_time { /* 37 */
    uint32_t epoch_seconds;
    struct text timezone;
};

struct message_capabilities { /* 150 */
    uint32_t bluetooth_proxy_feature_flags;
    struct text bluetooth_mac_address;
};

struct message {
    enum message_type type;
    union { /* by type; messages without fields use none */
        struct message_hello hello;
        struct text password;       /* 3 */
        bool invalid_password;      /* 4 */
        uint32_t disconnect_reason; /* 5 */
        struct message_device_info device_info;
        struct message_time time;
        uint32_t subscription_flags; /* 66 */
        struct message_parsed_advertisement parsed_advertisement;
        struct message_raw_advertisements raw_advertisements;
        struct message_device_request device_request;
        struct message_device_connection device_connection;
        struct message_gatt gatt;
        struct message_services services;
        struct message_connections_free connections_free;
        struct message_result result;
        struct message_scanner_state scanner_state;
        uint32_t scanner_mode; /* 127 */
        struct message_connection_params connection_params;
        struct bytes noise_key; /* 124, base64 text */
        bool success;           /* 125 */
        struct message_capabilities capabilities;
    };
};
