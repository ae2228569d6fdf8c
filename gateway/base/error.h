/* Every cause of failure that blefleet itself knows, in one table.
 *
 * Functions return 0 or a negative cause. Causes of the operating system (negative errno, also
 * libuv's) pass through unchanged; ours start at -10000. REST, MQTT, events and log lines all print
 * the token, so a cause has one name everywhere. Thread: any. */
#pragma once

/* XX(symbol, token, sentence) */
#define ERROR_MAP(XX)                                                                              \
    /* conversations with a proxy */                                                               \
    XX(RESOLVE_FAILED, "resolve_failed", "the host name could not be resolved")                    \
    XX(REFUSED, "refused", "nothing listens there")                                                \
    XX(UNREACHABLE, "unreachable", "the host cannot be reached")                                   \
    XX(TIMEOUT, "timeout", "no answer in time")                                                    \
    XX(CLOSED, "closed", "the peer closed the connection")                                         \
    XX(PROTOCOL, "protocol", "the peer broke the protocol")                                        \
    XX(KEY_REQUIRED, "key_required", "the proxy wants encryption and no key is configured")        \
    XX(KEY_NOT_EXPECTED, "key_not_expected", "a key is configured, the proxy speaks plaintext")    \
    XX(WRONG_KEY, "wrong_key", "the encryption key does not match")                                \
    XX(WRONG_PASSWORD, "wrong_password", "the password was not accepted")                          \
    XX(WRONG_DEVICE, "wrong_device", "another device answers at this address")                     \
    XX(NOT_A_PROXY, "not_a_proxy", "what answers there is no Bluetooth proxy")                     \
    XX(SUBSCRIPTION_REFUSED, "subscription_refused", "another client holds the proxy")             \
    XX(SUBSCRIPTION_LOST, "subscription_lost", "another client took the proxy over")               \
    XX(PING_TIMEOUT, "ping_timeout", "the proxy fell silent")                                      \
    XX(DISCONNECTED, "disconnected", "the peer said goodbye")                                      \
    /* requests of users */                                                                        \
    XX(INVALID_REQUEST, "invalid_request", "the request is not valid")                             \
    XX(NOT_FOUND, "not_found", "no such thing")                                                    \
    XX(DEVICE_NOT_FOUND, "device_not_found", "this device was never heard, or was forgotten")      \
    XX(PROXY_NOT_FOUND, "proxy_not_found", "no proxy of that name")                                \
    XX(UNAUTHORIZED, "unauthorized", "no token, or a wrong one")                                   \
    XX(FORBIDDEN, "forbidden", "not allowed")                                                      \
    XX(METHOD_NOT_ALLOWED, "method_not_allowed", "wrong method for this path")                     \
    XX(CONFLICT, "conflict", "not possible in this state")                                         \
    XX(BODY_TOO_LARGE, "body_too_large", "the body is over the limit")                             \
    XX(UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "this Content-Type is not known here")    \
    XX(INTERNAL, "internal", "a fault of the gateway")                                             \
    XX(OVERLOADED, "overloaded", "too many clients or connections")                                \
    XX(SHUTTING_DOWN, "shutting_down", "the gateway stops")                                        \
    XX(CANCELLED, "cancelled", "given up by the one who asked")                                    \
    XX(QUEUE_FULL, "queue_full", "the queue is full")                                              \
    XX(SCAN_REFUSED, "scan_refused", "no proxy could open a window")                               \
    XX(NOT_SUPPORTED, "not_supported", "the proxy cannot do that")                                 \
    XX(PROXY_OFFLINE, "proxy_offline", "the proxy is not online")                                  \
    XX(PRECONDITION_FAILED, "precondition_failed", "what is there is not what was expected")       \
    XX(NO_ROUTE, "no_route", "no proxy that is online and can connect hears the device now")       \
    XX(NO_FREE_SLOT, "no_free_slot", "no proxy has a free connection slot")                        \
    XX(CONNECT_FAILED, "connect_failed", "every attempt to connect failed")                        \
    XX(CONNECT_ABORTED, "connect_aborted", "the last attempt was broken off")                      \
    XX(CONNECT_TIMEOUT, "connect_timeout", "the device did not answer in time")                    \
    XX(PAIRING_FAILED, "pairing_failed", "the device did not pair")                                \
    XX(NOT_CONNECTED, "not_connected", "there is no link to the device")                           \
    XX(GONE, "gone", "the lease ended, or never was")                                              \
    XX(GATT_ERROR, "gatt_error", "the device refused the operation")                               \
    XX(GATT_TIMEOUT, "gatt_timeout", "the device did not answer the operation in time")            \
    XX(CHARACTERISTIC_NOT_FOUND, "characteristic_not_found",                                       \
       "the device has no such "                                                                   \
       "characteristic")                                                                           \
    XX(CHARACTERISTIC_AMBIGUOUS, "characteristic_ambiguous",                                       \
       "the device has several "                                                                   \
       "characteristics of this UUID")                                                             \
    XX(DESCRIPTOR_NOT_FOUND, "descriptor_not_found", "the device has no such descriptor")          \
    XX(NOT_PERMITTED, "not_permitted", "the characteristic does not have this property")           \
    XX(USE_SUBSCRIPTION, "use_subscription", "this descriptor is written by subscriptions alone")  \
    XX(VALUE_TOO_LONG, "value_too_long", "the value is too long")                                  \
    XX(OVERRIDDEN, "overridden", "an environment variable holds the setting")                      \
    XX(RATE_LIMITED, "rate_limited", "repeated wrong tokens from one address")

/* E_RESOLVE_FAILED is -10000, and so on downwards. */
enum {
#define XX(symbol, token, sentence) ERROR_ROW_##symbol,
    ERROR_MAP(XX)
#undef XX
};
enum {
#define XX(symbol, token, sentence) E_##symbol = -10000 - ERROR_ROW_##symbol,
    ERROR_MAP(XX)
#undef XX
};

/* The stable token ("wrong_key"); for a negative errno its symbol ("ECONNREFUSED").
 * Static storage, never NULL. */
const char *error_token(int cause);

/* One sentence without a full stop, for people. Static storage, never NULL. */
const char *error_sentence(int cause);
