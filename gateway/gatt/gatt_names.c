/* Words for what has numbers. Where 82 has numbers of several origins for one value, it is that of
 * the Attribute Protocol, which is what devices say. */
#include "gatt/gatt.h"

#include "base/memory.h"

static const struct {
    int32_t number;
    const char *name;
} errors[] = {
        {-1, "not_connected"},
        {0x01, "invalid_handle"},
        {0x02, "read_not_permitted"},
        {0x03, "write_not_permitted"},
        {0x04, "invalid_pdu"},
        {0x05, "insufficient_authentication"},
        {0x06, "request_not_supported"},
        {0x07, "invalid_offset"},
        {0x08, "insufficient_authorization"},
        {0x09, "prepare_queue_full"},
        {0x0a, "attribute_not_found"},
        {0x0b, "attribute_not_long"},
        {0x0c, "insufficient_key_size"},
        {0x0d, "invalid_attribute_value_length"},
        {0x0e, "unlikely_error"},
        {0x0f, "insufficient_encryption"},
        {0x10, "unsupported_group_type"},
        {0x11, "insufficient_resources"},
        {0x12, "database_out_of_sync"},
        {0x13, "value_not_allowed"},
        {0x80, "application_error"},
        {0x81, "internal_error"},
        {0x82, "wrong_state"},
        {0x83, "database_full"},
        {0x84, "busy"},
        {0x85, "error"},
        {0x86, "command_started"},
        {0x87, "illegal_parameter"},
        {0x88, "pending"},
        {0x89, "authentication_failed"},
        {0x8a, "more"},
        {0x8b, "invalid_configuration"},
        {0x8c, "service_started"},
        {0x8d, "encrypted_no_mitm"},
        {0x8e, "not_encrypted"},
        {0x8f, "congested"},
        {0x90, "duplicate_registration"},
        {0x91, "already_open"},
        {0x92, "cancelled"},
        {0xe0, "stack_response"},
        {0xe1, "application_response"},
        {0xef, "unknown"},
        {0xfc, "write_request_rejected"},
        {0xfd, "cccd_improperly_configured"},
        {0xfe, "procedure_in_progress"},
        {0xff, "out_of_range"},
        {0x101, "no_memory"},
        {0x102, "invalid_argument"},
        {0x103, "invalid_state"},
        {0x105, "not_found"},
};

const char *gatt_att_error_name(int32_t number)
{
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        if (errors[i].number == number)
            return errors[i].name;
    }
    return NULL;
}

const char *gatt_subscription_type_name(enum gatt_subscription_type type)
{
    static const char *const names[] = {[GATT_SUBSCRIBE_AUTO] = "auto",
                                        [GATT_SUBSCRIBE_NOTIFY] = "notify",
                                        [GATT_SUBSCRIBE_INDICATE] = "indicate",
                                        [GATT_SUBSCRIBE_BOTH] = "both"};

    return names[type];
}
