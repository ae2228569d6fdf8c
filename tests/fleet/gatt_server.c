/* The story: somebody reads or writes; the attribute is found by its handle in the database that is
 * in force, and what it allows decides. A write to a CCCD subscribes the link; from then on each
 * interval of the value, each write to an echo and each value set from outside makes a notification
 * due there, which waits in its place until it is taken.
 *
 * When the database changes, what was written and subscribed is forgotten, but for Service Changed,
 * whose handle usually stays. The period of changes begins with the first look at the server. */
#include "gatt_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dice.h"

#define NOTIFIES  0x0001 /* bits of a CCCD */
#define INDICATES 0x0002
#define HEADER    3 /* octets of ATT before a value: of a notification, of a write */
#define PREPARED  5 /* … of a prepared write */

/* Of an attribute. */
struct state {
    uint8_t *value; /* NULL: that of the database */
    size_t size;
    uint32_t counter;
    unsigned fails_next;
    int32_t next_error;
    unsigned reads, writes, notifications;
};

/* Of a link, at the index of a CCCD's value. */
struct subscription {
    uint16_t bits;
    usec_t due; /* the next notification; USEC_NEVER */
};

struct gatt_link {
    struct gatt_server *server;
    struct gatt_link *next;
    struct subscription *subscriptions; /* one for each attribute */
    uint32_t mtu;
    bool is_encrypted;
    usec_t due;              /* not later than the first notification */
    uint16_t changed_handle; /* of Service Changed, to be indicated; 0: none */
};

struct gatt_server {
    struct gatt_server_options options;
    const struct gatt *gatt; /* in force */
    size_t database;
    struct state *states; /* one for each of its attributes */
    struct dice dice;
    struct gatt_link *links;
    struct bonds bonds;
    usec_t changes; /* when the database does by itself; 0: not set up */
    bool is_orphan; /* the device is gone */
};

/* ---- life ---- */

static void load(struct gatt_server *s, size_t database)
{
    s->database = database;
    s->gatt = s->options.count == 0 ? gatt_generic() : s->options.databases[database];
    s->states = xnew(struct state, gatt_count(s->gatt) + 1);
}

static void unload(struct gatt_server *s)
{
    for (size_t i = 0; i < gatt_count(s->gatt); i++)
        free(s->states[i].value);
    free(s->states);
}

struct gatt_server *gatt_server_new(const struct gatt_server_options *options, uint64_t seed)
{
    struct gatt_server *s = xnew(struct gatt_server, 1);

    s->options = *options;
    dice_seed(&s->dice, seed);
    load(s, 0);
    return s;
}

static void maybe_free(struct gatt_server *s)
{
    if (!s->is_orphan || s->links != NULL)
        return;
    unload(s);
    free(s);
}

void gatt_server_free(struct gatt_server *s)
{
    if (s == NULL)
        return;
    s->is_orphan = true;
    maybe_free(s);
}

static struct subscription *new_subscriptions(const struct gatt *gatt)
{
    struct subscription *all = xnew(struct subscription, gatt_count(gatt) + 1);
    for (size_t i = 0; i < gatt_count(gatt); i++)
        all[i].due = USEC_NEVER;
    return all;
}

static void advance(struct gatt_server *s, usec_t now)
{
    if (s->options.change_period == 0)
        return;
    if (s->changes == 0)
        s->changes = now + s->options.change_period;
    if (now < s->changes)
        return;
    gatt_server_change(s);
    s->changes += s->options.change_period;
    if (s->changes <= now) /* who was not looked at for long does not catch up */
        s->changes = now + s->options.change_period;
}

struct gatt_link *gatt_link_open(struct gatt_server *s, uint32_t mtu, usec_t now)
{
    struct gatt_link *l = xnew(struct gatt_link, 1);

    advance(s, now);
    l->server = s;
    l->mtu = mtu;
    l->due = USEC_NEVER;
    l->subscriptions = new_subscriptions(s->gatt);
    l->next = s->links;
    s->links = l;
    return l;
}

void gatt_link_close(struct gatt_link *l)
{
    if (l == NULL)
        return;
    struct gatt_server *s = l->server;
    struct gatt_link **at = &s->links;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    free(l->subscriptions);
    free(l);
    maybe_free(s);
}

void gatt_link_encrypt(struct gatt_link *l)
{
    l->is_encrypted = true;
}

uint32_t gatt_link_mtu(const struct gatt_link *l)
{
    return l->mtu;
}

const struct gatt *gatt_link_gatt(const struct gatt_link *l)
{
    return l->server->gatt;
}

/* ---- values ---- */

static struct bytes stored_value(const struct gatt_server *s, size_t index)
{
    const struct state *state = &s->states[index];
    return state->value != NULL ? (struct bytes){state->value, state->size}
                                : gatt_attribute(s->gatt, index)->behaviour.value;
}

static void store_value(struct gatt_server *s, size_t index, struct bytes value)
{
    struct state *state = &s->states[index];

    uint8_t *octets = xnew(uint8_t, value.size + 1);
    if (value.size > 0)
        memcpy(octets, value.data, value.size);
    free(state->value);
    state->value = octets;
    state->size = value.size;
}

static uint64_t next_number(struct gatt_server *s, size_t index, usec_t now)
{
    const struct gatt_variation *v = &gatt_attribute(s->gatt, index)->behaviour.variation;
    uint64_t span = (uint64_t) v->high - v->low + 1;

    switch (v->way) {
    case GATT_BY_COUNT:
        return v->low + s->states[index].counter++ % span;
    case GATT_BY_CLOCK:
        return now;
    case GATT_BY_CHANCE:
        break;
    }
    return v->low + dice_below(&s->dice, span);
}

static void vary(struct gatt_server *s, size_t index, usec_t now, uint8_t *value, size_t size)
{
    const struct gatt_variation *v = &gatt_attribute(s->gatt, index)->behaviour.variation;

    if (v->size == 0 || v->at + v->size > size)
        return;
    uint64_t number = next_number(s, index, now);
    for (size_t i = 0; i < v->size; i++)
        value[v->at + i] = (uint8_t) (number >> (8 * i));
}

static size_t copy_value(struct gatt_server *s, size_t index, usec_t now,
                         uint8_t ret_value[GATT_VALUE_MAX])
{
    struct bytes value = stored_value(s, index);

    if (value.size > 0)
        memcpy(ret_value, value.data, value.size);
    vary(s, index, now, ret_value, value.size);
    return value.size;
}

/* ---- notifications ---- */

static void make_due(struct gatt_link *l, size_t value_index, usec_t due)
{
    struct subscription *subscription = &l->subscriptions[value_index];

    if (subscription->bits == 0)
        return;
    if (due < subscription->due)
        subscription->due = due;
    if (due < l->due)
        l->due = due;
}

static void notify_all(struct gatt_server *s, size_t value_index, usec_t now)
{
    for (struct gatt_link *l = s->links; l != NULL; l = l->next)
        make_due(l, value_index, now);
}

static usec_t next_by_itself(struct gatt_server *s, size_t value_index, usec_t now)
{
    const struct luck_span *span = &gatt_attribute(s->gatt, value_index)->behaviour.notify;
    return span->high == 0 ? USEC_NEVER : now + luck_span_draw(span, &s->dice);
}

static int32_t write_cccd(struct gatt_link *l, size_t index, struct bytes value, usec_t now)
{
    struct gatt_server *s = l->server;
    size_t value_index = gatt_value_of(s->gatt, index);
    uint32_t properties = gatt_attribute(s->gatt, value_index)->behaviour.properties;
    uint16_t bits = (uint16_t) (value.data[0] | value.data[1] << 8);

    if ((bits & ~(NOTIFIES | INDICATES)) != 0 ||
        ((bits & NOTIFIES) != 0 && (properties & GATT_NOTIFY) == 0) ||
        ((bits & INDICATES) != 0 && (properties & GATT_INDICATE) == 0))
        return GATT_VALUE_NOT_ALLOWED;
    l->subscriptions[value_index] = (struct subscription){.bits = bits, .due = USEC_NEVER};
    make_due(l, value_index, next_by_itself(s, value_index, now));
    return 0;
}

/* The last one sets the link's deadline right, which may have become too early. */
static size_t find_due(struct gatt_link *l, usec_t now)
{
    usec_t earliest = USEC_NEVER;

    for (size_t i = 0; i < gatt_count(l->server->gatt); i++) {
        if (l->subscriptions[i].due <= now)
            return i;
        if (l->subscriptions[i].due < earliest)
            earliest = l->subscriptions[i].due;
    }
    l->due = earliest;
    return GATT_NONE;
}

static void take_service_changed(struct gatt_link *l, struct gatt_notification *ret_notification)
{
    *ret_notification = (struct gatt_notification){
            .handle = l->changed_handle, .value = {0x01, 0x00, 0xff, 0xff}, .size = 4};
    l->changed_handle = 0;
}

bool gatt_link_take(struct gatt_link *l, usec_t now, struct gatt_notification *ret_notification)
{
    struct gatt_server *s = l->server;

    advance(s, now);
    if (l->changed_handle != 0) {
        take_service_changed(l, ret_notification);
        return true;
    }
    size_t index = now >= l->due ? find_due(l, now) : GATT_NONE;
    if (index == GATT_NONE)
        return false;
    l->subscriptions[index].due = USEC_NEVER;
    make_due(l, index, next_by_itself(s, index, now));
    s->states[index].notifications++;
    ret_notification->handle = gatt_attribute(s->gatt, index)->handle;
    ret_notification->size = copy_value(s, index, now, ret_notification->value);
    if (ret_notification->size > l->mtu - HEADER)
        ret_notification->size = l->mtu - HEADER;
    return true;
}

usec_t gatt_link_deadline(const struct gatt_link *l)
{
    usec_t changes = l->server->changes;

    if (l->changed_handle != 0)
        return 0;
    return changes != 0 && changes < l->due ? changes : l->due;
}

/* ---- the device itself ---- */

static bool is_told_of_changes(const struct gatt_link *l, size_t index)
{
    return index != GATT_NONE && (l->subscriptions[index].bits & INDICATES) != 0;
}

/* The subscription to Service Changed goes over to the new database where its handle is the same.
 */
static void carry_over(struct gatt_link *l, uint16_t changed_handle, bool is_told)
{
    const struct gatt *gatt = l->server->gatt;
    size_t index = gatt_find_uuid(gatt, GATT_UUID_SERVICE_CHANGED);

    free(l->subscriptions);
    l->subscriptions = new_subscriptions(gatt);
    l->due = USEC_NEVER;
    if (!is_told)
        return;
    l->changed_handle = changed_handle;
    if (index != GATT_NONE && gatt_attribute(gatt, index)->handle == changed_handle)
        l->subscriptions[index].bits = INDICATES;
}

void gatt_server_change(struct gatt_server *s)
{
    size_t index = gatt_find_uuid(s->gatt, GATT_UUID_SERVICE_CHANGED);
    uint16_t handle = index == GATT_NONE ? 0 : gatt_attribute(s->gatt, index)->handle;

    unload(s);
    load(s, s->options.count == 0 ? 0 : (s->database + 1) % s->options.count);
    for (struct gatt_link *l = s->links; l != NULL; l = l->next)
        carry_over(l, handle, is_told_of_changes(l, index));
}

size_t gatt_server_database(const struct gatt_server *s)
{
    return s->database;
}

const struct gatt *gatt_server_gatt(const struct gatt_server *s)
{
    return s->gatt;
}

int gatt_server_set(struct gatt_server *s, uint32_t handle, struct bytes value, usec_t now)
{
    size_t index = gatt_find(s->gatt, handle);

    if (index == GATT_NONE || gatt_attribute(s->gatt, index)->kind != GATT_VALUE)
        return -ENOENT;
    if (value.size > GATT_VALUE_MAX)
        return -E2BIG;
    store_value(s, index, value);
    notify_all(s, index, now);
    return 0;
}

int gatt_server_fail_next(struct gatt_server *s, uint32_t handle, unsigned times, int32_t error)
{
    size_t index = gatt_find(s->gatt, handle);

    if (index == GATT_NONE)
        return -ENOENT;
    s->states[index].fails_next = times;
    s->states[index].next_error = error;
    return 0;
}

struct bonds *gatt_server_bonds(struct gatt_server *s)
{
    return &s->bonds;
}

static unsigned count_subscribers(const struct gatt_server *s, size_t cccd)
{
    size_t value_index = gatt_value_of(s->gatt, cccd);
    unsigned count = 0;

    for (const struct gatt_link *l = s->links; l != NULL; l = l->next)
        count += l->subscriptions[value_index].bits != 0;
    return count;
}

struct gatt_server_view gatt_server_view(const struct gatt_server *s, size_t index)
{
    const struct state *state = &s->states[index];
    bool is_cccd = gatt_attribute(s->gatt, index)->kind == GATT_CCCD;

    return (struct gatt_server_view){
            .value = stored_value(s, index),
            .reads = state->reads,
            .writes = state->writes,
            .notifications = state->notifications,
            .subscribers = is_cccd ? count_subscribers(s, index) : 0,
    };
}

/* ---- operations ---- */

/* How many exchanges of the Attribute Protocol a value needs. */
static size_t exchanges(const struct gatt_link *l, size_t read_size, size_t written_size)
{
    if (written_size > l->mtu - HEADER)
        return (written_size + l->mtu - PREPARED - 1) / (l->mtu - PREPARED) + 1;
    return written_size > 0 ? 1 : read_size / (l->mtu - 1) + 1;
}

usec_t gatt_link_delay(struct gatt_link *l, uint32_t handle, size_t size)
{
    static const struct luck_span USUAL = {GATT_DELAY_LOW, GATT_DELAY_HIGH};
    struct gatt_server *s = l->server;
    size_t index = gatt_find(s->gatt, handle);

    if (index == GATT_NONE || gatt_attribute(s->gatt, index)->kind < GATT_VALUE)
        return luck_span_draw(&USUAL, &s->dice);
    const struct gatt_behaviour *b = &gatt_attribute(s->gatt, index)->behaviour;
    struct state *state = &s->states[index];
    if (b->is_silent)
        return USEC_NEVER;
    if (state->fails_next > 0 && state->next_error == 0) {
        state->fails_next--;
        return USEC_NEVER;
    }
    if (b->is_prompt)
        return 0;
    size_t count = exchanges(l, stored_value(s, index).size, size);
    return count * luck_span_draw(&b->delay, &s->dice);
}

/* What stands in the way before the value matters: of reads and writes alike. */
static int32_t check_access(struct gatt_link *l, size_t index, uint32_t property, int32_t refusal)
{
    if (index == GATT_NONE)
        return GATT_INVALID_HANDLE;
    const struct gatt_attribute *a = gatt_attribute(l->server->gatt, index);
    const struct gatt_behaviour *b = &a->behaviour;
    struct state *state = &l->server->states[index];

    if (state->fails_next > 0) {
        state->fails_next--;
        return state->next_error;
    }
    if (b->error != 0)
        return b->error;
    if ((b->properties & property) == 0)
        return refusal;
    return l->is_encrypted ? 0 : b->unpaired_error;
}

int32_t gatt_link_read(struct gatt_link *l, uint32_t handle, usec_t now, uint8_t *ret_value,
                       size_t *ret_size)
{
    struct gatt_server *s = l->server;

    advance(s, now);
    size_t index = gatt_find(s->gatt, handle);
    int32_t error = check_access(l, index, GATT_READ, GATT_READ_NOT_PERMITTED);
    if (error != 0)
        return error;
    s->states[index].reads++;
    if (gatt_attribute(s->gatt, index)->kind == GATT_CCCD) {
        uint16_t bits = l->subscriptions[gatt_value_of(s->gatt, index)].bits;
        ret_value[0] = (uint8_t) bits;
        ret_value[1] = 0;
        *ret_size = 2;
        return 0;
    }
    *ret_size = copy_value(s, index, now, ret_value);
    return 0;
}

static int32_t check_value(const struct gatt_link *l, const struct gatt_behaviour *b,
                           struct bytes value)
{
    if (value.size > l->mtu - HEADER && b->is_preparing_denied)
        return GATT_NOT_SUPPORTED;
    if (value.size < b->length_min || value.size > b->length_max)
        return GATT_INVALID_LENGTH;
    return 0;
}

/* What follows from a write; last, because the database may be another afterwards. */
static void accept_value(struct gatt_server *s, size_t index, struct bytes value, usec_t now)
{
    const struct gatt_behaviour *b = &gatt_attribute(s->gatt, index)->behaviour;

    store_value(s, index, value);
    if (b->is_echo)
        notify_all(s, index, now);
    if (b->changes_database)
        gatt_server_change(s);
}

static int32_t write(struct gatt_link *l, uint32_t handle, struct bytes value, uint32_t property,
                     usec_t now)
{
    struct gatt_server *s = l->server;

    advance(s, now);
    size_t index = gatt_find(s->gatt, handle);
    int32_t error = check_access(l, index, property, GATT_WRITE_NOT_PERMITTED);
    if (error != 0)
        return error;
    const struct gatt_attribute *a = gatt_attribute(s->gatt, index);
    error = check_value(l, &a->behaviour, value);
    if (error != 0)
        return error;
    s->states[index].writes++;
    if (a->kind == GATT_CCCD)
        return write_cccd(l, index, value, now);
    accept_value(s, index, value, now);
    return 0;
}

int32_t gatt_link_write(struct gatt_link *l, uint32_t handle, struct bytes value, usec_t now)
{
    return write(l, handle, value, GATT_WRITE, now);
}

void gatt_link_command(struct gatt_link *l, uint32_t handle, struct bytes value, usec_t now)
{
    if (value.size > l->mtu - HEADER)
        value.size = l->mtu - HEADER;
    (void) write(l, handle, value, GATT_WRITE_COMMAND, now); /* the device says nothing */
}
