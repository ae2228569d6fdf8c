/* The GATT database of a simulated device: its attributes by handle, how each behaves, and the same
 * as the list of services that a proxy tells.
 *
 * It is built once (gatt_new, gatt_add_…, gatt_seal) and then never changes: what a device writes,
 * counts and owes to whom is the gatt_server's. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "esphome/message.h"
#include "luck.h"

#define GATT_VALUE_MAX      512 /* octets of a value, by the specification */
#define GATT_ATTRIBUTES_MAX 1000
#define GATT_HANDLE_MAX     0xffff

enum gatt_property { /* bits of a characteristic's properties */
                     GATT_READ = 0x02,
                     GATT_WRITE_COMMAND = 0x04, /* without response */
                     GATT_WRITE = 0x08,
                     GATT_NOTIFY = 0x10,
                     GATT_INDICATE = 0x20,
};

enum gatt_uuid { /* short ones that mean something here */
                 GATT_UUID_CCCD = 0x2902,
                 GATT_UUID_SERVICE_CHANGED = 0x2a05,
                 GATT_UUID_DATABASE_HASH = 0x2b2a,
};

enum gatt_kind {
    GATT_SERVICE,
    GATT_DECLARATION, /* of a characteristic; its value has the handle behind */
    GATT_VALUE,
    GATT_CCCD, /* one value for each link */
    GATT_DESCRIPTOR,
};

enum gatt_way {
    GATT_BY_CHANCE, /* any of [low, high] */
    GATT_BY_COUNT,  /* the next one of [low, high] */
    GATT_BY_CLOCK,  /* the moment in microseconds, as much of it as there is room for */
};

/* Octets of a value that are another number each time it is read or notified, least significant
 * first. size 0: none vary. */
struct gatt_variation {
    size_t at, size;
    uint32_t low, high;
    enum gatt_way way;
};

/* How a value or a descriptor behaves; zeroed: it is empty, and nothing may be done to it. */
struct gatt_behaviour {
    uint32_t properties;           /* of descriptors GATT_READ and GATT_WRITE alone */
    struct bytes value;            /* copied */
    size_t length_min, length_max; /* of what is written: 0x0d otherwise; max 0: GATT_VALUE_MAX */
    struct gatt_variation variation;
    struct luck_span notify;  /* between notifications; high 0: none by itself */
    struct luck_span delay;   /* of one exchange; high 0: GATT_DELAY_LOW … GATT_DELAY_HIGH */
    int32_t error;            /* of every operation; 0: none */
    int32_t unpaired_error;   /* on links that are not encrypted; 0: none */
    bool is_silent;           /* operations are never answered */
    bool is_prompt;           /* operations take no time, whatever delay says */
    bool is_echo;             /* what is written is notified */
    bool changes_database;    /* when it was written */
    bool is_preparing_denied; /* long writes are refused with 0x06 */
};

#define GATT_DELAY_LOW  (10 * USEC_PER_MSEC)
#define GATT_DELAY_HIGH (40 * USEC_PER_MSEC)

struct gatt_attribute {
    enum gatt_kind kind;
    uint16_t handle;
    struct message_uuid uuid;
    struct gatt_behaviour behaviour; /* its value is ours */
};

struct gatt;

struct gatt *gatt_new(void);
/* Accepts NULL. */
void gatt_free(struct gatt *g);

/* Each adds what belongs to the last of the level above and returns 0. handle is that of the
 * service, of the value, of the descriptor; 0: the next one. -EINVAL when it is not behind all
 * others or there is no level above, -ENOSPC at the limits. */
int gatt_add_service(struct gatt *g, const struct message_uuid *uuid, uint32_t handle);
int gatt_add_characteristic(struct gatt *g, const struct message_uuid *uuid, uint32_t handle,
                            const struct gatt_behaviour *behaviour);
/* Protected as what stands before it. */
int gatt_add_cccd(struct gatt *g);
int gatt_add_descriptor(struct gatt *g, const struct message_uuid *uuid, uint32_t handle,
                        const struct gatt_behaviour *behaviour);

/* Nothing is added any more; the Database Hash gets its value if there is one without. */
void gatt_seal(struct gatt *g);

/* The least that every device has: the service Generic Access with the device's name. Shared by
 * all, not to be freed. */
const struct gatt *gatt_generic(void);

/* ---- a sealed one ---- */

#define GATT_NONE SIZE_MAX

size_t gatt_count(const struct gatt *g);
const struct gatt_attribute *gatt_attribute(const struct gatt *g, size_t index);
/* GATT_NONE when there is none. */
size_t gatt_find(const struct gatt *g, uint32_t handle);
size_t gatt_find_uuid(const struct gatt *g, uint32_t short_uuid); /* the first value of it */
/* The CCCD of the value at index, or the value of the CCCD at index; GATT_NONE. */
size_t gatt_cccd_of(const struct gatt *g, size_t index);
size_t gatt_value_of(const struct gatt *g, size_t index);

/* Services by handle, with short UUIDs as such or as 128 bits. */
const struct message_service *gatt_services(const struct gatt *g, bool are_short,
                                            size_t *ret_count);
