/* The story: services, characteristics and descriptors are added in the order of their handles, and
 * sealing makes the nested lists that message 71 wants, once with short UUIDs and once with long
 * ones. Attributes stand in an array by handle.
 *
 * What can fail is adding: at the limits of the codec, or with a handle that went back. */
#include "gatt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dice.h"
#include "esphome/codec.h"

#define BASE_UUID_HIGH 0x0000000000001000u
#define BASE_UUID_LOW  0x800000805f9b34fbu
#define HASH_SIZE      16

/* The lists of message 71, one array for each level. */
struct listing {
    struct message_service *services;
    struct message_characteristic *characteristics;
    struct message_descriptor *descriptors;
};

struct gatt {
    struct gatt_attribute *attributes;
    size_t count, capacity;
    size_t services, characteristics, descriptors; /* of all */
    size_t characteristics_here, descriptors_here; /* of the last service, characteristic */
    struct listing listings[2];                    /* long, short UUIDs */
    uint8_t hash[HASH_SIZE];
};

/* ---- building ---- */

struct gatt *gatt_new(void)
{
    return xnew(struct gatt, 1);
}

static void free_listing(struct listing *l)
{
    free(l->services);
    free(l->characteristics);
    free(l->descriptors);
}

void gatt_free(struct gatt *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->count; i++)
        if (g->attributes[i].behaviour.value.data != g->hash)
            free((void *) (uintptr_t) g->attributes[i].behaviour.value.data);
    free(g->attributes);
    free_listing(&g->listings[0]);
    free_listing(&g->listings[1]);
    free(g);
}

static uint32_t next_handle(const struct gatt *g)
{
    return g->count == 0 ? 1u : g->attributes[g->count - 1].handle + 1u;
}

static int check_handle(const struct gatt *g, uint32_t handle, size_t attributes)
{
    if (handle < next_handle(g) || handle > GATT_HANDLE_MAX)
        return -EINVAL;
    return g->count + attributes > GATT_ATTRIBUTES_MAX ? -ENOSPC : 0;
}

static void add(struct gatt *g, enum gatt_kind kind, uint32_t handle,
                const struct message_uuid *uuid, const struct gatt_behaviour *behaviour)
{
    if (g->count == g->capacity) {
        g->capacity = g->capacity == 0 ? 16 : 2 * g->capacity;
        g->attributes = memory_resize(g->attributes, g->capacity, sizeof(g->attributes[0]));
    }
    struct gatt_attribute *a = &g->attributes[g->count++];
    *a = (struct gatt_attribute){.kind = kind, .handle = (uint16_t) handle, .uuid = *uuid};
    if (behaviour == NULL)
        return;
    a->behaviour = *behaviour;
    if (a->behaviour.length_max == 0)
        a->behaviour.length_max = GATT_VALUE_MAX;
    if (a->behaviour.delay.high == 0)
        a->behaviour.delay = (struct luck_span){GATT_DELAY_LOW, GATT_DELAY_HIGH};
    if (behaviour->value.size == 0) {
        a->behaviour.value.data = NULL;
        return;
    }
    uint8_t *value = xnew(uint8_t, behaviour->value.size);
    memcpy(value, behaviour->value.data, behaviour->value.size);
    a->behaviour.value.data = value;
}

int gatt_add_service(struct gatt *g, const struct message_uuid *uuid, uint32_t handle)
{
    handle = handle != 0 ? handle : next_handle(g);
    int error = check_handle(g, handle, 1);

    if (error == 0 && g->services >= CODEC_SERVICES_MAX)
        error = -ENOSPC;
    if (error != 0)
        return error;
    add(g, GATT_SERVICE, handle, uuid, NULL);
    g->services++;
    g->characteristics_here = 0;
    return 0;
}

int gatt_add_characteristic(struct gatt *g, const struct message_uuid *uuid, uint32_t handle,
                            const struct gatt_behaviour *behaviour)
{
    handle = handle != 0 ? handle : next_handle(g) + 1;
    int error = check_handle(g, handle - 1, 2);

    if (error == 0 && handle > GATT_HANDLE_MAX)
        error = -EINVAL;
    if (error == 0 && g->services == 0)
        error = -EINVAL;
    if (error == 0 && g->characteristics_here >= CODEC_CHARACTERISTICS_MAX)
        error = -ENOSPC;
    if (error != 0)
        return error;
    add(g, GATT_DECLARATION, handle - 1, uuid, NULL);
    add(g, GATT_VALUE, handle, uuid, behaviour);
    g->characteristics++;
    g->characteristics_here++;
    g->descriptors_here = 0;
    return 0;
}

static int add_descriptor(struct gatt *g, enum gatt_kind kind, const struct message_uuid *uuid,
                          uint32_t handle, const struct gatt_behaviour *behaviour)
{
    handle = handle != 0 ? handle : next_handle(g);
    int error = check_handle(g, handle, 1);

    if (error == 0 && (g->services == 0 || g->characteristics_here == 0))
        error = -EINVAL;
    if (error == 0 && g->descriptors_here >= CODEC_DESCRIPTORS_MAX)
        error = -ENOSPC;
    if (error != 0)
        return error;
    add(g, kind, handle, uuid, behaviour);
    g->descriptors++;
    g->descriptors_here++;
    return 0;
}

int gatt_add_cccd(struct gatt *g)
{
    const struct message_uuid uuid = {.short_uuid = GATT_UUID_CCCD};
    const struct gatt_behaviour behaviour = {
            .properties = GATT_READ | GATT_WRITE,
            .length_min = 2,
            .length_max = 2,
            .unpaired_error =
                    g->count == 0 ? 0 : g->attributes[g->count - 1].behaviour.unpaired_error,
    };
    return add_descriptor(g, GATT_CCCD, &uuid, 0, &behaviour);
}

int gatt_add_descriptor(struct gatt *g, const struct message_uuid *uuid, uint32_t handle,
                        const struct gatt_behaviour *behaviour)
{
    return add_descriptor(g, GATT_DESCRIPTOR, uuid, handle, behaviour);
}

/* ---- sealing ---- */

static struct message_uuid listed_uuid(const struct message_uuid *uuid, bool are_short)
{
    if (are_short || uuid->short_uuid == 0)
        return *uuid;
    return (struct message_uuid){.high = (uint64_t) uuid->short_uuid << 32 | BASE_UUID_HIGH,
                                 .low = BASE_UUID_LOW};
}

/* Fills the three arrays side by side; each upper level points to where its part begins. */
static void make_listing(const struct gatt *g, struct listing *l, bool are_short)
{
    struct message_service *service = NULL;
    struct message_characteristic *characteristic = NULL;
    size_t services = 0, characteristics = 0, descriptors = 0;

    l->services = xnew(struct message_service, g->services + 1);
    l->characteristics = xnew(struct message_characteristic, g->characteristics + 1);
    l->descriptors = xnew(struct message_descriptor, g->descriptors + 1);
    for (size_t i = 0; i < g->count; i++) {
        const struct gatt_attribute *a = &g->attributes[i];
        const struct message_uuid uuid = listed_uuid(&a->uuid, are_short);
        switch (a->kind) {
        case GATT_SERVICE:
            service = &l->services[services++];
            *service = (struct message_service){.uuid = uuid,
                                                .handle = a->handle,
                                                .characteristics =
                                                        l->characteristics + characteristics};
            break;
        case GATT_DECLARATION:
            break;
        case GATT_VALUE:
            characteristic = &l->characteristics[characteristics++];
            *characteristic =
                    (struct message_characteristic){.uuid = uuid,
                                                    .handle = a->handle,
                                                    .properties = a->behaviour.properties,
                                                    .descriptors = l->descriptors + descriptors};
            service->characteristics_count++;
            break;
        case GATT_CCCD:
        case GATT_DESCRIPTOR:
            l->descriptors[descriptors++] = (struct message_descriptor){uuid, a->handle};
            characteristic->descriptors_count++;
            break;
        }
    }
}

/* Not the AES-CMAC of the specification: equal for equal databases, another for others. */
static void make_hash(struct gatt *g)
{
    uint64_t halves[2] = {1, 2};

    for (size_t half = 0; half < ARRAY_SIZE(halves); half++)
        for (size_t i = 0; i < g->count; i++) {
            const struct gatt_attribute *a = &g->attributes[i];
            halves[half] = dice_mix(halves[half], (uint64_t) a->kind << 16 | a->handle);
            halves[half] = dice_mix(halves[half], a->uuid.high ^ a->uuid.low ^ a->uuid.short_uuid);
            halves[half] = dice_mix(halves[half], a->behaviour.properties);
        }
    memcpy(g->hash, halves, HASH_SIZE);
}

void gatt_seal(struct gatt *g)
{
    size_t hash = gatt_find_uuid(g, GATT_UUID_DATABASE_HASH);

    make_listing(g, &g->listings[false], false);
    make_listing(g, &g->listings[true], true);
    make_hash(g);
    if (hash != GATT_NONE && g->attributes[hash].behaviour.value.size == 0)
        g->attributes[hash].behaviour.value = (struct bytes){g->hash, HASH_SIZE};
}

const struct gatt *gatt_generic(void)
{
    static const struct gatt_attribute ATTRIBUTES[] = {
            {.kind = GATT_SERVICE, .handle = 1, .uuid = {.short_uuid = 0x1800}},
            {.kind = GATT_DECLARATION, .handle = 2, .uuid = {.short_uuid = 0x2a00}},
            {.kind = GATT_VALUE,
             .handle = 3,
             .uuid = {.short_uuid = 0x2a00},
             .behaviour = {.properties = GATT_READ,
                           .value = {(const uint8_t *) "device", 6},
                           .length_max = GATT_VALUE_MAX,
                           .delay = {GATT_DELAY_LOW, GATT_DELAY_HIGH}}},
    };
    static const struct message_characteristic LONG_NAME = {
            .uuid = {.high = UINT64_C(0x2a00) << 32 | BASE_UUID_HIGH, .low = BASE_UUID_LOW},
            .handle = 3,
            .properties = GATT_READ};
    static const struct message_characteristic NAME = {
            .uuid = {.short_uuid = 0x2a00}, .handle = 3, .properties = GATT_READ};
    static const struct message_service LONG_SERVICE = {
            .uuid = {.high = UINT64_C(0x1800) << 32 | BASE_UUID_HIGH, .low = BASE_UUID_LOW},
            .handle = 1,
            .characteristics = &LONG_NAME,
            .characteristics_count = 1};
    static const struct message_service SERVICE = {.uuid = {.short_uuid = 0x1800},
                                                   .handle = 1,
                                                   .characteristics = &NAME,
                                                   .characteristics_count = 1};
    /* never written to: gatt_generic() is const */
    static const struct gatt GENERIC = {
            .attributes = (struct gatt_attribute *) ATTRIBUTES,
            .count = ARRAY_SIZE(ATTRIBUTES),
            .services = 1,
            .listings = {{.services = (struct message_service *) &LONG_SERVICE},
                         {.services = (struct message_service *) &SERVICE}},
    };
    return &GENERIC;
}

/* ---- a sealed one ---- */

size_t gatt_count(const struct gatt *g)
{
    return g->count;
}

const struct gatt_attribute *gatt_attribute(const struct gatt *g, size_t index)
{
    return &g->attributes[index];
}

size_t gatt_find(const struct gatt *g, uint32_t handle)
{
    size_t low = 0, high = g->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (g->attributes[middle].handle < handle)
            low = middle + 1;
        else
            high = middle;
    }
    return low < g->count && g->attributes[low].handle == handle ? low : GATT_NONE;
}

size_t gatt_find_uuid(const struct gatt *g, uint32_t short_uuid)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->attributes[i].kind == GATT_VALUE && g->attributes[i].uuid.short_uuid == short_uuid)
            return i;
    return GATT_NONE;
}

size_t gatt_cccd_of(const struct gatt *g, size_t index)
{
    for (size_t i = index + 1; i < g->count && g->attributes[i].kind >= GATT_CCCD; i++)
        if (g->attributes[i].kind == GATT_CCCD)
            return i;
    return GATT_NONE;
}

size_t gatt_value_of(const struct gatt *g, size_t index)
{
    while (g->attributes[index].kind != GATT_VALUE)
        index--;
    return index;
}

const struct message_service *gatt_services(const struct gatt *g, bool are_short, size_t *ret_count)
{
    *ret_count = g->services;
    return g->listings[are_short].services;
}
