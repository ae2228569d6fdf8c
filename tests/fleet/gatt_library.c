/* The story: a spot is a name, whose file is read unless it was before, or an object. Services,
 * characteristics and descriptors are read in their order and added to a new database; it is kept
 * only if nothing was wrong with it. A fault in a file of the folder has the pointer of the name
 * with the one inside the file behind it. */
#include "gatt_library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ble/uuid.h"

#define SERVICES_MAX        256
#define CHARACTERISTICS_MAX 512
#define DESCRIPTORS_MAX     64

struct entry {
    char name[GATT_LIBRARY_NAME]; /* empty: stood in a scenario */
    struct gatt *gatt;
};

struct gatt_library {
    char *folder;
    struct entry *entries;
    size_t count, capacity;
};

/* ---- parts ---- */

static bool read_uuid(const struct spot *object, struct message_uuid *ret_uuid)
{
    struct spot spot = spot_member(object, "uuid");
    struct ble_uuid uuid;
    uint32_t short_uuid;
    uint64_t halves[2] = {0, 0};

    if (!ble_uuid_parse(spot_text(&spot, ""), &uuid)) {
        spot_fault(&spot, "must be a UUID of 16, 32 or 128 bits");
        return false;
    }
    for (size_t i = 0; i < sizeof(uuid.octets); i++)
        halves[i / 8] = halves[i / 8] << 8 | uuid.octets[i];
    *ret_uuid = (struct message_uuid){.high = halves[0], .low = halves[1]};
    if (ble_uuid_short(&uuid, &short_uuid) && short_uuid != 0)
        *ret_uuid = (struct message_uuid){.short_uuid = short_uuid};
    return true;
}

static uint32_t read_handle(const struct spot *object)
{
    struct spot spot = spot_member(object, "handle");
    return (uint32_t) spot_integer(&spot, 1, GATT_HANDLE_MAX, 0);
}

static uint32_t read_properties(const struct spot *object)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } NAMES[] = {{"broadcast", 0x01},
                 {"read", GATT_READ},
                 {"write", GATT_WRITE},
                 {"write-without-response", GATT_WRITE_COMMAND},
                 {"notify", GATT_NOTIFY},
                 {"indicate", GATT_INDICATE},
                 {"authenticated-signed-writes", 0x40},
                 {"extended-properties", 0x80}};
    struct spot spot = spot_member(object, "properties");
    size_t count = spot_items(&spot, ARRAY_SIZE(NAMES));
    uint32_t properties = 0;

    for (size_t i = 0; i < count; i++) {
        struct spot item = spot_item(&spot, i);
        const char *name = spot_text(&item, "");
        size_t at = 0;
        while (at < ARRAY_SIZE(NAMES) && strcmp(NAMES[at].name, name) != 0)
            at++;
        if (at < ARRAY_SIZE(NAMES))
            properties |= NAMES[at].bit;
        else
            spot_fault(&item, "is no property of a characteristic");
    }
    return properties;
}

static void fault_too_long(const struct spot *spot)
{
    spot_fault(spot, "must be of at most %d octets", GATT_VALUE_MAX);
}

/* "value" in hex, "text", or "size": so many octets 0, 1, 2, …; borrows octets. */
static struct bytes read_value(const struct spot *object, uint8_t octets[GATT_VALUE_MAX])
{
    struct spot value = spot_member(object, "value"), text_spot = spot_member(object, "text");
    struct spot size_spot = spot_member(object, "size");
    const char *text = spot_text(&text_spot, ""), *hex = spot_text(&value, "");
    size_t size = (size_t) spot_integer(&size_spot, 0, GATT_VALUE_MAX, 0);

    for (size_t i = 0; i < size; i++)
        octets[i] = (uint8_t) i;
    if (strlen(text) > GATT_VALUE_MAX) {
        fault_too_long(&text_spot);
    } else if (text[0] != '\0') {
        size = strlen(text);
        memcpy(octets, text, size);
    }
    if (hex[0] != '\0' && !bytes_from_hex(octets, GATT_VALUE_MAX, hex, strlen(hex), &size)) {
        spot_fault(&value, "must be hex of at most %d octets", GATT_VALUE_MAX);
        size = 0;
    }
    return (struct bytes){octets, size};
}

static enum gatt_way read_way(const struct spot *spot)
{
    static const char *const NAMES[] = {
            [GATT_BY_CHANCE] = "chance", [GATT_BY_COUNT] = "count", [GATT_BY_CLOCK] = "clock"};
    const char *name = spot_text(spot, "count");

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (strcmp(name, NAMES[i]) == 0)
            return (enum gatt_way) i;
    spot_fault(spot, "must be \"count\", \"chance\" or \"clock\"");
    return GATT_BY_COUNT;
}

static struct gatt_variation read_variation(const struct spot *object, size_t value_size)
{
    static const char *const NAMES[] = {"at", "size", "low", "high", "by", NULL};
    struct spot spot = spot_member(object, "vary");

    if (spot.value == NULL || !spot_expect_object(&spot, NAMES))
        return (struct gatt_variation){0};
    struct spot at = spot_member(&spot, "at"), size = spot_member(&spot, "size");
    struct spot low = spot_member(&spot, "low"), high = spot_member(&spot, "high");
    struct spot by = spot_member(&spot, "by");
    struct gatt_variation variation = {
            .at = (size_t) spot_integer(&at, 0, GATT_VALUE_MAX, 0),
            .size = (size_t) spot_integer(&size, 1, 4, 1),
            .low = (uint32_t) spot_integer(&low, 0, UINT32_MAX, 0),
            .way = read_way(&by),
    };
    uint32_t all = (uint32_t) ((UINT64_C(1) << 8 * variation.size) - 1);
    variation.high = (uint32_t) spot_integer(&high, 0, all, all);
    if (variation.low > variation.high)
        spot_fault(&low, "must not be above \"high\"");
    if (variation.at + variation.size > value_size)
        spot_fault(&spot, "lies outside of the value");
    return variation;
}

static struct luck_span read_span(const struct spot *object, const char *key)
{
    struct spot spot = spot_member(object, key);
    struct spot_range ms = spot_range(&spot, 0, 3600000, 0);

    if (spot.value != NULL && ms.high < 1)
        spot_fault(&spot, "must be at least 1");
    return (struct luck_span){(usec_t) (ms.low * (double) USEC_PER_MSEC),
                              (usec_t) (ms.high * (double) USEC_PER_MSEC)};
}

static bool read_flag(const struct spot *object, const char *key, bool fallback)
{
    struct spot spot = spot_member(object, key);
    return spot_bool(&spot, fallback);
}

/* value in the result borrows octets. */
static struct gatt_behaviour read_behaviour(const struct spot *spot, uint8_t octets[GATT_VALUE_MAX])
{
    struct spot length = spot_member(spot, "length"), error = spot_member(spot, "error");
    struct spot unpaired = spot_member(spot, "unpaired_error");
    struct spot_range lengths = {0, GATT_VALUE_MAX};
    struct gatt_behaviour behaviour = {
            .value = read_value(spot, octets),
            .notify = read_span(spot, "notify_ms"),
            .delay = read_span(spot, "delay_ms"),
            .error = (int32_t) spot_integer(&error, INT32_MIN, INT32_MAX, 0),
            .unpaired_error = (int32_t) spot_integer(&unpaired, 0, 255, 0),
            .is_silent = read_flag(spot, "silent", false),
            .is_prompt = read_flag(spot, "prompt", false),
            .is_echo = read_flag(spot, "echo", false),
            .changes_database = read_flag(spot, "changes_database", false),
            .is_preparing_denied = !read_flag(spot, "long_writes", true),
    };

    if (length.value != NULL)
        lengths = spot_range(&length, 0, GATT_VALUE_MAX, GATT_VALUE_MAX);
    behaviour.length_min = (size_t) lengths.low;
    behaviour.length_max = (size_t) lengths.high;
    behaviour.variation = read_variation(spot, behaviour.value.size);
    return behaviour;
}

static void note_error(const struct spot *spot, int error)
{
    if (error == -ENOSPC)
        spot_fault(spot, "is one too many");
    else if (error != 0)
        spot_fault(spot, "has a handle that is not behind those before");
}

static void read_descriptor(struct gatt *gatt, const struct spot *spot)
{
    static const char *const NAMES[] = {
            "uuid",  "handle", "value",    "text",           "size",   "vary",   "writable",
            "error", "silent", "delay_ms", "unpaired_error", "length", "prompt", NULL};
    struct message_uuid uuid;
    uint8_t octets[GATT_VALUE_MAX];

    if (!spot_expect_object(spot, NAMES) || !read_uuid(spot, &uuid))
        return;
    struct gatt_behaviour behaviour = read_behaviour(spot, octets);
    behaviour.properties = GATT_READ | (read_flag(spot, "writable", false) ? GATT_WRITE : 0);
    if (uuid.short_uuid == GATT_UUID_CCCD)
        spot_fault(spot, "comes by itself where there is \"notify\" or \"indicate\"");
    note_error(spot, gatt_add_descriptor(gatt, &uuid, read_handle(spot), &behaviour));
}

static void read_characteristic(struct gatt *gatt, const struct spot *spot)
{
    static const char *const NAMES[] = {
            "uuid",  "handle",      "properties",       "value",       "text",
            "size",  "vary",        "notify_ms",        "delay_ms",    "length",
            "error", "silent",      "prompt",           "echo",        "unpaired_error",
            "cccd",  "long_writes", "changes_database", "descriptors", NULL};
    struct message_uuid uuid;
    uint8_t octets[GATT_VALUE_MAX];

    if (!spot_expect_object(spot, NAMES) || !read_uuid(spot, &uuid))
        return;
    struct gatt_behaviour behaviour = read_behaviour(spot, octets);
    behaviour.properties = read_properties(spot);
    bool is_pushed = (behaviour.properties & (GATT_NOTIFY | GATT_INDICATE)) != 0;
    int error = gatt_add_characteristic(gatt, &uuid, read_handle(spot), &behaviour);
    if (error == 0 && read_flag(spot, "cccd", is_pushed))
        error = gatt_add_cccd(gatt);
    note_error(spot, error);
    struct spot descriptors = spot_member(spot, "descriptors");
    size_t count = error == 0 ? spot_items(&descriptors, DESCRIPTORS_MAX) : 0;
    for (size_t i = 0; i < count; i++) {
        struct spot descriptor = spot_item(&descriptors, i);
        read_descriptor(gatt, &descriptor);
    }
}

static void read_service(struct gatt *gatt, const struct spot *spot)
{
    static const char *const NAMES[] = {"uuid", "handle", "characteristics", NULL};
    struct message_uuid uuid;

    if (!spot_expect_object(spot, NAMES) || !read_uuid(spot, &uuid))
        return;
    int error = gatt_add_service(gatt, &uuid, read_handle(spot));
    note_error(spot, error);
    struct spot characteristics = spot_member(spot, "characteristics");
    size_t count = error == 0 ? spot_items(&characteristics, CHARACTERISTICS_MAX) : 0;
    for (size_t i = 0; i < count; i++) {
        struct spot characteristic = spot_item(&characteristics, i);
        read_characteristic(gatt, &characteristic);
    }
}

static struct gatt *read_database(const struct spot *spot)
{
    static const char *const NAMES[] = {"comment", "services", NULL};
    size_t faults = spot->reader->faults;
    struct gatt *gatt = gatt_new();

    if (spot_expect_object(spot, NAMES)) {
        struct spot services = spot_member(spot, "services");
        size_t count = spot_items(&services, SERVICES_MAX);
        for (size_t i = 0; i < count; i++) {
            struct spot service = spot_item(&services, i);
            read_service(gatt, &service);
        }
    }
    if (spot->reader->faults != faults) {
        gatt_free(gatt);
        return NULL;
    }
    gatt_seal(gatt);
    return gatt;
}

/* ---- the library ---- */

static bool is_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_");
    return length > 0 && length < GATT_LIBRARY_NAME && name[length] == '\0';
}

static const struct gatt *keep(struct gatt_library *l, const char *name, struct gatt *gatt)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity == 0 ? 16 : 2 * l->capacity;
        l->entries = memory_resize(l->entries, l->capacity, sizeof(l->entries[0]));
    }
    struct entry *entry = &l->entries[l->count++];
    *entry = (struct entry){.gatt = gatt};
    (void) snprintf(entry->name, sizeof(entry->name), "%s", name);
    return gatt;
}

static const struct gatt *find(const struct gatt_library *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->entries[i].name, name) == 0)
            return l->entries[i].gatt;
    return NULL;
}

static struct gatt *read_file(const struct gatt_library *l, const struct spot *spot,
                              const char *name)
{
    char path[4096];
    json_error_t error;
    struct spot root = *spot;

    (void) snprintf(path, sizeof(path), "%s/%s.json", l->folder, name);
    root.value = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (root.value == NULL) {
        spot_fault(spot, "%s:%d:%d: %s", path, error.line, error.column, error.text);
        return NULL;
    }
    struct gatt *gatt = read_database(&root);
    json_decref(root.value);
    return gatt;
}

static const struct gatt *read_named(struct gatt_library *l, const struct spot *spot)
{
    const char *name = json_string_value(spot->value);

    if (l->folder == NULL || !is_name(name)) {
        spot_fault(spot, "names no file of the folder /gatt");
        return NULL;
    }
    const struct gatt *known = find(l, name);
    if (known != NULL)
        return known;
    struct gatt *gatt = read_file(l, spot, name);
    return gatt == NULL ? NULL : keep(l, name, gatt);
}

const struct gatt *gatt_library_read(struct gatt_library *l, const struct spot *spot)
{
    if (l->count >= GATT_LIBRARY_MAX) {
        spot_fault(spot, "makes more than %d databases", GATT_LIBRARY_MAX);
        return NULL;
    }
    if (json_is_string(spot->value))
        return read_named(l, spot);
    struct gatt *gatt = read_database(spot);
    return gatt == NULL ? NULL : keep(l, "", gatt);
}

struct gatt_library *gatt_library_new(const char *folder)
{
    struct gatt_library *l = xnew(struct gatt_library, 1);
    l->folder = memory_copy_text(folder);
    return l;
}

void gatt_library_free(struct gatt_library *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->count; i++)
        gatt_free(l->entries[i].gatt);
    free(l->entries);
    free(l->folder);
    free(l);
}
