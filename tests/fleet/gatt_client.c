/* The story: an operation comes and stands in line. The first in line is with the device for as
 * long as the device takes; then it is done there and answered, and the next one begins. Enabling
 * notifications is an affair of the proxy alone and answered at once. A list of services goes out
 * batch by batch; afterwards the firmware throws its copy away, and a second request is not
 * answered any more.
 *
 * What goes wrong: the device answers with an error (82), not at all (the link ends after 30 s),
 * the line is full, the list breaks off in the middle, or the client's connection takes no message:
 * then values and notifications are lost, and the rest depends on the generation. */
#include "gatt_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dice.h"

struct operation {
    enum message_type type;
    uint32_t handle;
    bool is_command;
    uint8_t value[GATT_VALUE_MAX + 1]; /* one too many is what the device refuses */
    size_t size;
};

enum listing { LISTING_IDLE, LISTING_RUNS, LISTING_OVER };

struct gatt_client {
    struct gatt_client_options options;
    uint64_t address;
    struct gatt_link *link; /* borrowed */
    const struct message_service *services;
    size_t services_count;
    const struct gatt *discovered; /* NULL: nothing */
    bool writes_cccd;
    struct dice dice;
    gatt_client_send_fn *on_send;
    void *user;

    struct operation line[GATT_CLIENT_LINE_MAX];
    size_t first, waiting;
    usec_t due;     /* when the first in line is done; USEC_NEVER */
    bool is_silent; /* … and then the patience with it ends */

    uint32_t notifying[GATT_CLIENT_NOTIFY_MAX];
    size_t notifying_count;

    enum listing listing;
    size_t told;      /* services */
    size_t breaks_at; /* so many services are told, and no more */
    usec_t pass;      /* the next message of the list, the next try of what is owed; USEC_NEVER */

    struct message owed; /* 82, 83, 84; type 0: nothing */
};

/* ---- telling ---- */

static bool is_acknowledgement(enum message_type type)
{
    return type == MESSAGE_GATT_ERROR_RESPONSE || type == MESSAGE_GATT_WRITE_RESPONSE ||
           type == MESSAGE_GATT_NOTIFY_RESPONSE;
}

static void tell(struct gatt_client *c, const struct message *message, usec_t now)
{
    if (c->on_send(c->user, message) == 0)
        return;
    if (!c->options.is_owing || !is_acknowledgement(message->type))
        return;
    c->owed = *message;
    if (c->pass == USEC_NEVER)
        c->pass = now + GATT_CLIENT_PASS;
}

static void answer(struct gatt_client *c, enum message_type type, uint32_t handle, int32_t error,
                   struct bytes value, usec_t now)
{
    const struct message message = {
            .type = error != 0 ? MESSAGE_GATT_ERROR_RESPONSE : type,
            .gatt = {.address = c->address,
                     .handle = handle,
                     .error = error,
                     .data = error != 0 ? (struct bytes){0} : value},
    };
    tell(c, &message, now);
}

/* ---- the list of services ---- */

static size_t size_of_uuid(const struct message_uuid *uuid)
{
    return uuid->short_uuid != 0 ? 4 : 22;
}

/* An upper bound of the octets that the service takes in a message. */
static size_t size_of_service(const struct message_service *service)
{
    size_t size = 4 + 4 + size_of_uuid(&service->uuid);

    for (size_t i = 0; i < service->characteristics_count; i++) {
        const struct message_characteristic *c = &service->characteristics[i];
        size += 4 + 4 + 3 + size_of_uuid(&c->uuid);
        for (size_t k = 0; k < c->descriptors_count; k++)
            size += 2 + 4 + size_of_uuid(&c->descriptors[k].uuid);
    }
    return size;
}

static size_t services_of_next_message(const struct gatt_client *c)
{
    size_t size = 0, count = 0;

    for (size_t i = c->told; i < c->breaks_at; i++) {
        size += size_of_service(&c->services[i]);
        if (count > 0 && (!c->options.is_packing || size > GATT_CLIENT_BATCH_MAX))
            break;
        count++;
    }
    return count;
}

static void begin_listing(struct gatt_client *c, usec_t now)
{
    c->listing = LISTING_RUNS;
    c->told = 0;
    c->breaks_at = c->services_count;
    c->pass = now + GATT_CLIENT_PASS;
    if (c->services_count > 0 && dice_between(&c->dice, 0.0, 1.0) < c->options.breaks)
        c->breaks_at = dice_below(&c->dice, c->services_count);
}

static void on_services(struct gatt_client *c, usec_t now)
{
    switch (c->listing) {
    case LISTING_IDLE:
        begin_listing(c, now);
        return;
    case LISTING_RUNS:
        if (c->options.is_restarting)
            begin_listing(c, now);
        return;
    case LISTING_OVER: /* what was never there cannot be thrown away */
        if (c->options.is_repeating || c->services_count == 0)
            begin_listing(c, now);
        return;
    }
}

/* A message that is not taken is repeated with the next pass. */
static void continue_listing(struct gatt_client *c)
{
    size_t count = services_of_next_message(c);
    const struct message services = {
            .type = MESSAGE_GATT_GET_SERVICES_RESPONSE,
            .services = {.address = c->address,
                         .services = count > 0 ? c->services + c->told : NULL,
                         .count = count},
    };
    const struct message done = {
            .type = MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE,
            .gatt = {.address = c->address},
    };

    if (count > 0) {
        if (c->on_send(c->user, &services) == 0)
            c->told += count;
    } else if (c->on_send(c->user, &done) == 0) {
        c->listing = LISTING_OVER;
    }
}

static enum gatt_client_state pass(struct gatt_client *c, usec_t now)
{
    c->pass = USEC_NEVER;
    if (c->owed.type != 0 && c->on_send(c->user, &c->owed) == 0)
        c->owed = (struct message){0};
    if (c->listing == LISTING_RUNS) {
        if (c->told == c->breaks_at && c->breaks_at < c->services_count) {
            c->listing = LISTING_OVER;
            return c->options.is_broken_told ? GATT_CLIENT_BROKEN : GATT_CLIENT_GOES_ON;
        }
        continue_listing(c);
    }
    if (c->owed.type != 0 || c->listing == LISTING_RUNS)
        c->pass = now + GATT_CLIENT_PASS;
    return GATT_CLIENT_GOES_ON;
}

/* ---- operations ---- */

static void begin_first(struct gatt_client *c, usec_t now)
{
    const struct operation *o = &c->line[c->first];

    c->due = USEC_NEVER;
    if (c->waiting == 0)
        return;
    usec_t span = o->is_command ? 0 : gatt_link_delay(c->link, o->handle, o->size);
    c->is_silent = span == USEC_NEVER;
    c->due = now + (c->is_silent ? GATT_CLIENT_PATIENCE : span);
}

static void stand_in_line(struct gatt_client *c, const struct message *message, usec_t now)
{
    const struct message_gatt *gatt = &message->gatt;

    if (c->waiting == GATT_CLIENT_LINE_MAX) {
        answer(c, message->type, gatt->handle, GATT_CLIENT_BUSY, (struct bytes){0}, now);
        return;
    }
    struct operation *o = &c->line[(c->first + c->waiting++) % GATT_CLIENT_LINE_MAX];
    *o = (struct operation){
            .type = message->type,
            .handle = gatt->handle,
            .is_command = message->type == MESSAGE_GATT_WRITE_REQUEST && !gatt->flag,
            .size = gatt->data.size < sizeof(o->value) ? gatt->data.size : sizeof(o->value),
    };
    if (o->size > 0)
        memcpy(o->value, gatt->data.data, o->size);
    if (c->waiting == 1)
        begin_first(c, now);
}

static void read_value(struct gatt_client *c, const struct operation *o, usec_t now)
{
    uint8_t value[GATT_VALUE_MAX];
    size_t size = 0;
    int32_t error = gatt_link_read(c->link, o->handle, now, value, &size);

    answer(c, MESSAGE_GATT_READ_RESPONSE, o->handle, error, (struct bytes){value, size}, now);
}

static void write_value(struct gatt_client *c, const struct operation *o, usec_t now)
{
    const struct bytes value = {o->value, o->size};
    int32_t error = 0;

    if (o->is_command)
        gatt_link_command(c->link, o->handle, value, now);
    else
        error = gatt_link_write(c->link, o->handle, value, now);
    if (!o->is_command || !c->options.is_command_silent)
        answer(c, MESSAGE_GATT_WRITE_RESPONSE, o->handle, error, (struct bytes){0}, now);
}

static size_t find_notifying(const struct gatt_client *c, uint32_t handle)
{
    size_t i = 0;
    while (i < c->notifying_count && c->notifying[i] != handle)
        i++;
    return i;
}

/* The proxy writes what the client would have to write itself in later versions of connecting. */
static void write_cccd(struct gatt_client *c, uint32_t handle, usec_t now)
{
    size_t value = c->discovered == NULL ? GATT_NONE : gatt_find(c->discovered, handle);
    size_t cccd = value == GATT_NONE ? GATT_NONE : gatt_cccd_of(c->discovered, value);

    if (cccd == GATT_NONE)
        return;
    uint32_t properties = gatt_attribute(c->discovered, value)->behaviour.properties;
    const uint8_t bits[2] = {(properties & GATT_NOTIFY) != 0 ? 1 : 2, 0};
    const struct message message = {
            .type = MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST,
            .gatt = {.handle = gatt_attribute(c->discovered, cccd)->handle, .data = {bits, 2}},
    };
    stand_in_line(c, &message, now);
}

static void on_notify(struct gatt_client *c, const struct message_gatt *gatt, usec_t now)
{
    size_t at = find_notifying(c, gatt->handle);
    bool is_new = gatt->flag && at == c->notifying_count;
    int32_t error = 0;

    if (is_new && at == GATT_CLIENT_NOTIFY_MAX)
        error = GATT_CLIENT_NO_RESOURCES;
    else if (is_new)
        c->notifying[c->notifying_count++] = gatt->handle;
    else if (!gatt->flag && at < c->notifying_count)
        c->notifying[at] = c->notifying[--c->notifying_count];
    answer(c, MESSAGE_GATT_NOTIFY_RESPONSE, gatt->handle, error, (struct bytes){0}, now);
    if (error == 0 && gatt->flag && c->writes_cccd)
        write_cccd(c, gatt->handle, now);
}

void gatt_client_receive(struct gatt_client *c, const struct message *message, usec_t now)
{
    switch ((unsigned) message->type) {
    case MESSAGE_GATT_GET_SERVICES_REQUEST:
        on_services(c, now);
        return;
    case MESSAGE_GATT_NOTIFY_REQUEST:
        on_notify(c, &message->gatt, now);
        return;
    default:
        stand_in_line(c, message, now);
        return;
    }
}

/* ---- time ---- */

static void pass_notifications_on(struct gatt_client *c, usec_t now)
{
    struct gatt_notification notification;

    while (gatt_link_take(c->link, now, &notification)) {
        const struct bytes value = {notification.value, notification.size};
        if (find_notifying(c, notification.handle) < c->notifying_count)
            answer(c, MESSAGE_GATT_NOTIFY_DATA_RESPONSE, notification.handle, 0, value, now);
    }
}

/* What the value of a write leads to comes behind the answer and before the next operation. */
static void end_first(struct gatt_client *c, usec_t now)
{
    const struct operation *o = &c->line[c->first];

    if (o->type == MESSAGE_GATT_READ_REQUEST || o->type == MESSAGE_GATT_READ_DESCRIPTOR_REQUEST)
        read_value(c, o, now);
    else
        write_value(c, o, now);
    c->first = (c->first + 1) % GATT_CLIENT_LINE_MAX;
    c->waiting--;
    begin_first(c, now);
    pass_notifications_on(c, now);
}

enum gatt_client_state gatt_client_tick(struct gatt_client *c, usec_t now)
{
    pass_notifications_on(c, now);
    while (now >= c->due) {
        if (c->is_silent)
            return GATT_CLIENT_TIMED_OUT;
        end_first(c, now);
    }
    return now >= c->pass ? pass(c, now) : GATT_CLIENT_GOES_ON;
}

static usec_t earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

usec_t gatt_client_deadline(const struct gatt_client *c)
{
    return earlier(earlier(c->due, c->pass), gatt_link_deadline(c->link));
}

size_t gatt_client_waiting(const struct gatt_client *c)
{
    return c->waiting;
}

/* ---- life ---- */

struct gatt_client *gatt_client_new(const struct gatt_client_options *options, uint64_t address,
                                    struct gatt_link *link, const struct gatt *services,
                                    bool writes_cccd, uint64_t seed, gatt_client_send_fn *on_send,
                                    void *user)
{
    struct gatt_client *c = xnew(struct gatt_client, 1);

    c->options = *options;
    c->address = address;
    c->link = link;
    c->discovered = services;
    c->writes_cccd = writes_cccd;
    c->on_send = on_send;
    c->user = user;
    c->due = USEC_NEVER;
    c->pass = USEC_NEVER;
    dice_seed(&c->dice, seed);
    if (services != NULL)
        c->services = gatt_services(services, options->has_short_uuids, &c->services_count);
    return c;
}

void gatt_client_free(struct gatt_client *c)
{
    free(c);
}
