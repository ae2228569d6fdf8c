#include "payload.h"

#include <string.h>

/* Octets of the whole AD structures within the first 31. */
static size_t advertising_part(const uint8_t *octets, size_t size)
{
    if (size <= PAYLOAD_PART_MAX)
        return size;
    size_t end = 0;
    for (;;) {
        size_t next = end + 1 + octets[end];
        if (next > PAYLOAD_PART_MAX)
            break;
        end = next;
    }
    return end > 0 ? end : size;
}

bool payload_divide(struct payload *ret_payload, const uint8_t *octets, size_t size)
{
    if (size > BLE_REPORT_DATA_MAX)
        return false;
    *ret_payload = (struct payload){
            .size = (uint8_t) size,
            .advertising_size = (uint8_t) advertising_part(octets, size),
    };
    if (size > 0)
        memcpy(ret_payload->data, octets, size);
    return true;
}

bool payload_join(struct payload *ret_payload, struct bytes advertising, struct bytes response)
{
    if (advertising.size > PAYLOAD_PART_MAX || response.size > PAYLOAD_PART_MAX)
        return false;
    *ret_payload = (struct payload){
            .size = (uint8_t) (advertising.size + response.size),
            .advertising_size = (uint8_t) advertising.size,
    };
    if (advertising.size > 0)
        memcpy(ret_payload->data, advertising.data, advertising.size);
    if (response.size > 0)
        memcpy(ret_payload->data + advertising.size, response.data, response.size);
    return true;
}
