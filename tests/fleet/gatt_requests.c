/* The story: the device is found by its address, then its GATT server does what was asked. What can
 * go wrong is the request: no such device, no such handle, a value that is too long. */
#include "gatt_requests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ble/address.h"

#define UNLIKELY_ERROR 0x0e /* of operations that fail where nothing else is said */

static struct gatt_server *read_server(struct world *w, const struct spot *request)
{
    struct spot spot = spot_member(request, "device");
    uint64_t address;
    struct gatt_server *server = NULL;

    if (ble_address_parse(spot_text(&spot, ""), &address))
        server = world_gatt_server(w, address);
    if (server == NULL)
        spot_fault(&spot, "there is no device of this address");
    return server;
}

static uint32_t read_handle(const struct spot *request)
{
    struct spot spot = spot_member(request, "handle");
    uint32_t handle = (uint32_t) spot_integer(&spot, 1, GATT_HANDLE_MAX, 0);

    if (handle == 0 && request->reader->faults == 0)
        spot_fault(&spot, "must be a whole number from 1 to %d", GATT_HANDLE_MAX);
    return handle;
}

static void report(const struct spot *request, int error)
{
    struct spot spot = spot_member(request, "handle");
    if (error != 0)
        spot_fault(&spot, "there is no such value");
}

static json_t *attribute_view(const struct gatt_server *server, size_t index)
{
    static const char *const KINDS[] = {"service", "declaration", "value", "cccd", "descriptor"};
    const struct gatt_attribute *a = gatt_attribute(gatt_server_gatt(server), index);
    const struct gatt_server_view view = gatt_server_view(server, index);
    char value[2 * GATT_VALUE_MAX + 1] = "", uuid[40];

    if (view.value.size > 0)
        bytes_to_hex(value, view.value.data, view.value.size);
    if (a->uuid.short_uuid != 0)
        (void) snprintf(uuid, sizeof(uuid), "%04x", a->uuid.short_uuid);
    else
        (void) snprintf(uuid, sizeof(uuid), "%016llx%016llx", (unsigned long long) a->uuid.high,
                        (unsigned long long) a->uuid.low);
    return json_pack("{s:i, s:s, s:s, s:s, s:i, s:i, s:i, s:i}", "handle", (int) a->handle, "kind",
                     KINDS[a->kind], "uuid", uuid, "value", value, "reads", (int) view.reads,
                     "writes", (int) view.writes, "notifications", (int) view.notifications,
                     "subscribers", (int) view.subscribers);
}

void gatt_request_view(struct world *w, const struct spot *request, json_t *answer)
{
    const struct gatt_server *server = read_server(w, request);

    if (server == NULL)
        return;
    json_t *attributes = json_array();
    for (size_t i = 0; i < gatt_count(gatt_server_gatt(server)); i++)
        (void) json_array_append_new(attributes, attribute_view(server, i));
    (void) json_object_set_new(answer, "database",
                               json_integer((json_int_t) gatt_server_database(server)));
    (void) json_object_set_new(answer, "attributes", attributes);
}

void gatt_request_change(struct world *w, const struct spot *request)
{
    struct gatt_server *server = read_server(w, request);
    if (server != NULL)
        gatt_server_change(server);
}

void gatt_request_set(struct world *w, const struct spot *request, usec_t now)
{
    struct spot spot = spot_member(request, "value");
    struct gatt_server *server = read_server(w, request);
    uint32_t handle = read_handle(request);
    const char *hex = spot_text(&spot, "");
    uint8_t octets[GATT_VALUE_MAX];
    size_t size;

    if (!bytes_from_hex(octets, sizeof(octets), hex, strlen(hex), &size))
        spot_fault(&spot, "must be hex of at most %d octets", GATT_VALUE_MAX);
    if (request->reader->faults == 0)
        report(request, gatt_server_set(server, handle, (struct bytes){octets, size}, now));
}

void gatt_request_fail(struct world *w, const struct spot *request)
{
    struct gatt_server *server = read_server(w, request);
    struct spot times = spot_member(request, "times"), error = spot_member(request, "error");
    uint32_t handle = read_handle(request);
    unsigned count = (unsigned) spot_integer(&times, 0, 1000000, 1);
    int32_t number = (int32_t) spot_integer(&error, INT32_MIN, INT32_MAX, UNLIKELY_ERROR);

    if (request->reader->faults == 0)
        report(request, gatt_server_fail_next(server, handle, count, number));
}

void gatt_request_forget_bonds(struct world *w, const struct spot *request)
{
    struct gatt_server *server = read_server(w, request);
    if (server != NULL)
        *gatt_server_bonds(server) = (struct bonds){0};
}
