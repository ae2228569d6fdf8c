#include "gatt.h"

#define READ 0x02 /* of a characteristic's properties */

static const struct message_characteristic GENERIC_ACCESS[] = {
        {.uuid = {.short_uuid = 0x2a00}, .handle = 3, .properties = READ},
};
static const struct message_service GENERIC[] = {
        {.uuid = {.short_uuid = 0x1800},
         .handle = 1,
         .characteristics = GENERIC_ACCESS,
         .characteristics_count = sizeof(GENERIC_ACCESS) / sizeof(GENERIC_ACCESS[0])},
};

struct gatt gatt_generic(void)
{
    return (struct gatt){.services = GENERIC, .count = sizeof(GENERIC) / sizeof(GENERIC[0])};
}
