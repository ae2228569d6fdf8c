/* The story: a request to connect takes a free slot, which waits until the scanner has stopped and
 * nobody else is connecting. Then the attempt runs: the world says how long it takes and how it
 * ends. The link is open; without cache, MTU and services are discovered first; "connected" is told
 * with the numbers of slots behind it. A link ends because one of the two wants it, because its
 * life is over or because the device went too far: the air is closed (DISCONNECT), then the
 * controller (CLOSE), and the slot is free.
 *
 * What goes wrong is the point: an attempt fails with an error, or nobody answers and the stack
 * gives up; a request finds no slot; a DISCONNECT that comes while connecting is remembered until
 * the attempt is over; a request without a type of address leaves its slot held. What a client that
 * is gone had coming is not said (is_mute). */
#include "slots.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define NOT_CONNECTED    (-1)
#define INVALID_ARGUMENT 0x102 /* of the firmware's framework */
#define KEY_MISSING      0x06  /* the device has forgotten its bond */
#define DEFAULT_MTU      23
#define AIR_CLOSES       (30 * USEC_PER_MSEC) /* from the request to disconnect to DISCONNECT */
#define REFUSED_WITHIN   (20 * USEC_PER_MSEC) /* by a controller that has not closed yet */
#define PAIRING          (200 * USEC_PER_MSEC)
#define REACH_PERIOD     USEC_PER_SEC /* so often a link's loudness is looked at */
#define GHOSTS_MAX       16
#define NOBODY           0xdeadbeef0001u /* the address in lists that are wrong */

enum state { FREE, HELD, WAITING, CONNECTING, DISCOVERING, CONNECTED, DISCONNECTING, CLOSING };

struct slot {
    enum state state;
    uint64_t address;
    uint32_t address_type;
    uint32_t mtu;  /* of the link; of the one before while there is none */
    uint64_t turn; /* in the line of those that wait */
    bool uses_cache;
    bool is_first_version;
    bool wants_end; /* a DISCONNECT came while connecting */
    bool is_local;  /* we ended it */
    bool is_linked; /* the world counts the link */
    bool is_mute;   /* its client is gone */
    bool is_foreign;
    bool is_paired;
    int32_t error;  /* how the attempt will end, why the link ends */
    usec_t began;   /* the attempt */
    usec_t due;     /* the next step of the state; USEC_NEVER */
    usec_t ends;    /* the link by itself */
    usec_t reaches; /* when its loudness is looked at */
    usec_t pairs;   /* when a pairing is done */
    struct peripheral_link link;
    struct gatt_link *gatt_link; /* while is_linked */
    struct gatt_client *gatt;    /* while connected; NULL: GATT is not possible */
};

/* What the proxy remembers of a device's services. */
struct kept {
    uint64_t address; /* 0: nothing */
    const struct gatt *gatt;
};

/* A slot was freed at DISCONNECT: the controller still closes. */
struct ghost {
    uint64_t address; /* 0: none */
    bool is_told;     /* its second message 69 is to be sent */
    usec_t closes;
};

struct slots {
    struct slots_options options;
    struct world *world; /* borrowed, or NULL */
    size_t listener;
    struct dice dice;
    slots_send_fn *on_send;
    void *user;
    struct slot slots[SLOTS_MAX];
    struct ghost ghosts[GHOSTS_MAX];
    size_t next_ghost;
    struct bonds bonds;
    struct kept kept[SLOTS_KEPT_MAX];
    size_t next_kept;
    uint64_t turns;
};

bool slots_list_from_name(const char *name, enum slots_list *ret_list)
{
    static const char *const NAMES[] = {"right", "absent", "longer", "shorter", "other"};

    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        if (strcmp(NAMES[i], name) != 0)
            continue;
        *ret_list = (enum slots_list) i;
        return true;
    }
    return false;
}

static struct slot *find(struct slots *s, uint64_t address)
{
    for (size_t i = 0; i < s->options.limit; i++)
        if (s->slots[i].state != FREE && s->slots[i].address == address)
            return &s->slots[i];
    return NULL;
}

static struct slot *find_free(struct slots *s)
{
    for (size_t i = 0; i < s->options.limit; i++)
        if (s->slots[i].state == FREE)
            return &s->slots[i];
    return NULL;
}

static bool is_open(const struct slot *slot)
{
    return slot != NULL && (slot->state == DISCOVERING || slot->state == CONNECTED);
}

static struct slot *find_open(struct slots *s, uint64_t address)
{
    struct slot *slot = find(s, address);
    return is_open(slot) ? slot : NULL;
}

/* ---- what is told ---- */

struct message slots_message(const struct slots *s, uint64_t ret_addresses[SLOTS_MAX + 1])
{
    uint32_t used = 0;
    size_t count = 0;

    for (size_t i = 0; i < s->options.limit; i++)
        if (s->slots[i].state != FREE)
            ret_addresses[used++] = s->slots[i].address;
    switch (s->options.list) {
    case SLOTS_LIST_RIGHT:
        count = used;
        break;
    case SLOTS_LIST_ABSENT:
        break;
    case SLOTS_LIST_LONGER:
        ret_addresses[used] = NOBODY;
        count = used + 1;
        break;
    case SLOTS_LIST_SHORTER:
        count = used > 0 ? used - 1 : 0;
        break;
    case SLOTS_LIST_OTHER:
        if (used > 0)
            ret_addresses[used - 1] = NOBODY;
        count = used;
        break;
    }
    return (struct message){
            .type = MESSAGE_CONNECTIONS_FREE_RESPONSE,
            .connections_free = {.free = s->options.limit - used,
                                 .limit = s->options.limit,
                                 .allocated = ret_addresses,
                                 .allocated_count = count},
    };
}

static void tell_slots(struct slots *s)
{
    uint64_t addresses[SLOTS_MAX + 1];
    const struct message message = slots_message(s, addresses);
    (void) s->on_send(s->user, &message); /* whoever does not listen misses it */
}

static void tell_not_connected(struct slots *s, uint64_t address, int32_t error)
{
    const struct message message = {
            .type = MESSAGE_DEVICE_CONNECTION_RESPONSE,
            .device_connection = {.address = address, .error = error},
    };
    (void) s->on_send(s->user, &message); /* whoever does not listen misses it */
}

static void tell_connected(struct slots *s, const struct slot *slot, uint32_t mtu)
{
    const struct message message = {
            .type = MESSAGE_DEVICE_CONNECTION_RESPONSE,
            .device_connection = {.address = slot->address, .connected = true, .mtu = mtu},
    };
    (void) s->on_send(s->user, &message); /* whoever does not listen misses it */
    tell_slots(s);
}

/* Messages 85, 86, 88, 146. */
static void tell_result(struct slots *s, enum message_type type, uint64_t address, int32_t error)
{
    const struct message message = {
            .type = type,
            .result = {.address = address, .success = error == 0, .error = error},
    };
    (void) s->on_send(s->user, &message); /* whoever does not listen misses it */
}

/* ---- the end of a link ---- */

static void vacate(struct slots *s, struct slot *slot)
{
    *slot = (struct slot){.mtu = slot->mtu}; /* old firmware does not forget it */
    tell_slots(s);
}

static void add_ghost(struct slots *s, const struct slot *slot, usec_t now)
{
    s->ghosts[s->next_ghost++ % GHOSTS_MAX] = (struct ghost){
            .address = slot->address,
            .is_told = s->options.is_double_disconnect && !slot->is_mute && !slot->is_foreign,
            .closes = now + luck_span_draw(&s->options.close, &s->dice),
    };
}

static bool has_ghost(const struct slots *s, uint64_t address)
{
    for (size_t i = 0; i < GHOSTS_MAX; i++)
        if (s->ghosts[i].address == address)
            return true;
    return false;
}

/* The air is closed: the world and the device count the link no more. */
static void release_link(struct slots *s, struct slot *slot)
{
    gatt_client_free(slot->gatt);
    slot->gatt = NULL;
    gatt_link_close(slot->gatt_link);
    slot->gatt_link = NULL;
    if (slot->is_linked)
        world_close_link(s->world, slot->address);
    slot->is_linked = false;
}

static void end_slot(struct slots *s, struct slot *slot)
{
    bool was_connected = slot->link.mtu != 0;

    if (s->options.is_leaking && was_connected)
        *slot = (struct slot){
                .state = HELD, .address = slot->address, .mtu = slot->mtu, .due = USEC_NEVER};
    else
        vacate(s, slot);
}

static void tell_end(struct slots *s, const struct slot *slot, int32_t error)
{
    if (!slot->is_mute && !slot->is_foreign)
        tell_not_connected(s, slot->address, error);
}

/* The event DISCONNECT: the air is closed. */
static void on_disconnect(struct slots *s, struct slot *slot, usec_t now)
{
    release_link(s, slot);
    if (s->options.is_early_release) {
        tell_end(s, slot, slot->error);
        add_ghost(s, slot, now);
        end_slot(s, slot);
        return;
    }
    if (s->options.is_double_disconnect)
        tell_end(s, slot, slot->error);
    slot->state = CLOSING;
    slot->due = now + luck_span_draw(&s->options.close, &s->dice);
}

/* The event CLOSE: the controller is done. A local end has no reason there. */
static void on_close(struct slots *s, struct slot *slot)
{
    bool is_bare = s->options.is_double_disconnect || slot->is_local;

    tell_end(s, slot, is_bare ? 0 : slot->error);
    end_slot(s, slot);
}

static void start_end(struct slot *slot, int32_t error, bool is_local, usec_t due)
{
    slot->state = DISCONNECTING;
    slot->error = error;
    slot->is_local = is_local;
    slot->due = due;
}

static void end_locally(struct slot *slot, usec_t now)
{
    start_end(slot, ERROR_LOCALLY_TERMINATED, /* is_local= */ true, now + AIR_CLOSES);
}

/* ---- the attempt ---- */

static usec_t give_up(const struct slots *s)
{
    return s->options.give_up > 0 ? s->options.give_up : SLOTS_GIVE_UP;
}

static struct peripheral_attempt draw_attempt(struct slots *s, const struct slot *slot)
{
    struct peripheral_attempt attempt = {0};

    if (has_ghost(s, slot->address))
        return (struct peripheral_attempt){true, REFUSED_WITHIN, ERROR_LIMITED_RESOURCES};
    if (s->world != NULL)
        attempt = world_attempt(s->world, s->listener, slot->address, (uint8_t) slot->address_type);
    if (!attempt.is_answered)
        return (struct peripheral_attempt){false, give_up(s), ERROR_CANCELLED};
    if (dice_between(&s->dice, 0.0, 1.0) < s->options.failure)
        attempt.error = luck_error_draw(&s->options.failures, &s->dice, ERROR_GATT);
    return attempt;
}

static bool is_connecting(const struct slots *s)
{
    for (size_t i = 0; i < s->options.limit; i++)
        if (s->slots[i].state == CONNECTING)
            return true;
    return false;
}

static struct slot *first_in_line(struct slots *s)
{
    struct slot *first = NULL;
    for (size_t i = 0; i < s->options.limit; i++)
        if (s->slots[i].state == WAITING && (first == NULL || s->slots[i].turn < first->turn))
            first = &s->slots[i];
    return first;
}

void slots_begin(struct slots *s, usec_t now)
{
    struct slot *slot = first_in_line(s);

    if (slot == NULL || is_connecting(s))
        return;
    const struct peripheral_attempt attempt = draw_attempt(s, slot);
    slot->state = CONNECTING;
    slot->began = now;
    slot->error = attempt.error;
    slot->due =
            attempt.error != 0 && s->options.is_silent_connecting ? USEC_NEVER : now + attempt.span;
}

/* ---- what is remembered ---- */

static struct kept *find_kept(struct slots *s, uint64_t address)
{
    for (size_t i = 0; i < SLOTS_KEPT_MAX; i++)
        if (s->kept[i].address == address)
            return &s->kept[i];
    return NULL;
}

/* What a discovery finds: the services of the device, or those of an earlier time. */
static const struct gatt *discover(struct slots *s, const struct slot *slot)
{
    const struct gatt *gatt = gatt_link_gatt(slot->gatt_link);
    const struct kept *kept = find_kept(s, slot->address);

    if (!s->options.keeps_services)
        return gatt;
    if (kept != NULL)
        return kept->gatt;
    s->kept[s->next_kept++ % SLOTS_KEPT_MAX] = (struct kept){slot->address, gatt};
    return gatt;
}

static void forget_services(struct slots *s, uint64_t address)
{
    struct kept *kept = find_kept(s, address);
    if (kept != NULL)
        *kept = (struct kept){0};
}

/* ---- the link ---- */

static void begin_gatt(struct slots *s, struct slot *slot, const struct gatt *services)
{
    slot->gatt = gatt_client_new(&s->options.gatt, slot->address, slot->gatt_link, services,
                                 slot->is_first_version, dice_next(&s->dice), s->on_send, s->user);
}

static void establish(struct slots *s, struct slot *slot, usec_t now)
{
    bool is_stale = slot->uses_cache && s->options.is_mtu_stale && slot->mtu != 0;
    uint32_t mtu = is_stale ? slot->mtu : DEFAULT_MTU;

    slot->state = CONNECTED;
    slot->due = USEC_NEVER;
    slot->mtu = slot->link.mtu;
    begin_gatt(s, slot, slot->uses_cache ? NULL : discover(s, slot));
    tell_connected(s, slot, slot->uses_cache ? mtu : slot->mtu);
    if (slot->link.pairs_itself && !slot->is_paired)
        slot->pairs = now + PAIRING;
}

/* Both sides know each other: the link is encrypted from its beginning. */
static void hold_link(struct slots *s, struct slot *slot, usec_t now)
{
    slot->is_linked = true;
    slot->gatt_link = gatt_link_open(slot->link.server, slot->link.mtu, now);
    slot->is_paired = bonds_has(&s->bonds, slot->address) &&
                      bonds_has(gatt_server_bonds(slot->link.server), s->listener);
    if (slot->is_paired)
        gatt_link_encrypt(slot->gatt_link);
    slot->ends = slot->link.life == USEC_NEVER ? USEC_NEVER : now + slot->link.life;
    slot->reaches = now + REACH_PERIOD;
    slot->pairs = USEC_NEVER;
}

/* The attempt is over: failed, or the link is open, unless the device was taken meanwhile. */
static void on_attempt(struct slots *s, struct slot *slot, usec_t now)
{
    if (slot->error != 0) {
        on_disconnect(s, slot, now);
        return;
    }
    if (!world_open_link(s->world, slot->address, &slot->link)) {
        slot->error = ERROR_CANCELLED;
        slot->due = s->options.is_silent_connecting ? USEC_NEVER : slot->began + give_up(s);
        if (slot->due == USEC_NEVER && slot->wants_end)
            end_locally(slot, now);
        return;
    }
    hold_link(s, slot, now);
    if (slot->wants_end) {
        end_locally(slot, now);
    } else if (bonds_has(&s->bonds, slot->address) && !slot->is_paired) {
        start_end(slot, KEY_MISSING, /* is_local= */ false, now);
    } else if (slot->uses_cache) {
        establish(s, slot, now);
    } else {
        slot->state = DISCOVERING;
        slot->due = now + slot->link.discovery;
    }
}

/* ---- requests ---- */

static void stand_in_line(struct slots *s, struct slot *slot,
                          const struct message_device_request *request)
{
    slot->state = WAITING;
    slot->due = USEC_NEVER;
    slot->turn = ++s->turns;
    slot->address_type = request->address_type;
    slot->uses_cache = request->request_type == DEVICE_REQUEST_CONNECT_WITH_CACHE;
    slot->is_first_version = request->request_type == DEVICE_REQUEST_CONNECT;
    tell_slots(s);
}

/* The address has a slot. While connecting or disconnecting nothing is answered. */
static void on_connect_again(struct slots *s, struct slot *slot,
                             const struct message_device_request *request)
{
    switch (slot->state) {
    case HELD:
        stand_in_line(s, slot, request);
        return;
    case DISCOVERING:
    case CONNECTED:
        slot->is_foreign = false;
        tell_connected(s, slot, slot->mtu);
        return;
    case CONNECTING: /* a DISCONNECT that was remembered is forgotten */
        slot->wants_end = false;
        slot->is_mute = false;
        return;
    case FREE:
    case WAITING:
    case DISCONNECTING:
    case CLOSING:
        return;
    }
}

static void on_connect(struct slots *s, const struct message_device_request *request)
{
    struct slot *slot = find(s, request->address);

    if (slot == NULL) {
        slot = find_free(s);
        if (slot == NULL || dice_between(&s->dice, 0.0, 1.0) < s->options.refusal) {
            tell_not_connected(s, request->address, 0);
            return;
        }
        slot->state = HELD;
        slot->address = request->address;
        slot->due = USEC_NEVER;
    }
    if (request->has_address_type)
        on_connect_again(s, slot, request);
    else
        tell_not_connected(s, request->address, 0); /* and the slot stays held */
}

/* Ends what the slot does, in the words of a request to disconnect. */
static void end_by_request(struct slots *s, struct slot *slot, usec_t now)
{
    switch (slot->state) {
    case HELD:
    case WAITING:
        tell_end(s, slot, 0);
        vacate(s, slot);
        return;
    case CONNECTING:
        slot->wants_end = true;
        if (slot->due == USEC_NEVER)
            end_locally(slot, now); /* the attempt of silent firmware has no end of its own */
        return;
    case DISCOVERING:
    case CONNECTED:
        slot->is_foreign = false;
        end_locally(slot, now);
        return;
    case FREE:
    case DISCONNECTING:
    case CLOSING:
        return;
    }
}

static void on_disconnect_request(struct slots *s, uint64_t address, usec_t now)
{
    struct slot *slot = find(s, address);

    if (slot != NULL) {
        slot->is_mute = false;
        end_by_request(s, slot, now);
        return;
    }
    tell_not_connected(s, address, 0);
    tell_slots(s);
}

static void on_pair(struct slots *s, uint64_t address, usec_t now)
{
    struct slot *slot = find_open(s, address);

    if (slot == NULL) {
        if (!s->options.is_pair_silent)
            tell_result(s, MESSAGE_DEVICE_PAIRING_RESPONSE, address, NOT_CONNECTED);
    } else if (slot->is_paired) {
        tell_result(s, MESSAGE_DEVICE_PAIRING_RESPONSE, address, 0);
    } else {
        slot->pairs = now + PAIRING;
    }
}

static void on_device_request(struct slots *s, const struct message_device_request *request,
                              usec_t now)
{
    switch (request->request_type) {
    case DEVICE_REQUEST_CONNECT_WITH_CACHE:
    case DEVICE_REQUEST_CONNECT_WITHOUT_CACHE:
        on_connect(s, request);
        return;
    case DEVICE_REQUEST_DISCONNECT:
        on_disconnect_request(s, request->address, now);
        return;
    case DEVICE_REQUEST_PAIR:
        on_pair(s, request->address, now);
        return;
    case DEVICE_REQUEST_UNPAIR:
        bonds_remove(&s->bonds, request->address);
        tell_result(s, MESSAGE_DEVICE_UNPAIRING_RESPONSE, request->address, 0);
        return;
    case DEVICE_REQUEST_CLEAR_CACHE:
        forget_services(s, request->address);
        tell_result(s, MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE, request->address, 0);
        return;
    case DEVICE_REQUEST_CONNECT:
        if (s->options.has_first_version)
            on_connect(s, request);
        else
            tell_not_connected(s, request->address, 0);
        return;
    default:
        tell_not_connected(s, request->address, 0);
        return;
    }
}

static void tell_gatt_error(struct slots *s, const struct message_gatt *gatt, uint32_t handle,
                            int32_t error)
{
    const struct message message = {
            .type = MESSAGE_GATT_ERROR_RESPONSE,
            .gatt = {.address = gatt->address, .handle = handle, .error = error},
    };
    (void) s->on_send(s->user, &message); /* whoever does not listen misses it */
}

static void on_gatt(struct slots *s, const struct message *message, usec_t now)
{
    struct slot *slot = find_open(s, message->gatt.address);
    bool is_list = message->type == MESSAGE_GATT_GET_SERVICES_REQUEST;

    if (slot != NULL && slot->gatt != NULL)
        gatt_client_receive(slot->gatt, message, now);
    else
        tell_gatt_error(s, &message->gatt, is_list ? 0 : message->gatt.handle, NOT_CONNECTED);
}

static bool are_acceptable(const struct message_connection_params *p)
{
    return p->min_interval >= 6 && p->max_interval <= 3200 && p->min_interval <= p->max_interval &&
           p->latency <= 499 && p->timeout >= 10 && p->timeout <= 3200 &&
           4 * p->timeout > (1 + p->latency) * p->max_interval;
}

/* Answered when the stack has accepted it; what the device thinks of it is not told. */
static void on_parameters(struct slots *s, const struct message_connection_params *parameters)
{
    int32_t error = are_acceptable(parameters) ? 0 : INVALID_ARGUMENT;

    if (find_open(s, parameters->address) == NULL)
        error = NOT_CONNECTED;
    tell_result(s, MESSAGE_SET_CONNECTION_PARAMS_RESPONSE, parameters->address, error);
}

void slots_receive(struct slots *s, const struct message *message, usec_t now)
{
    switch ((unsigned) message->type) {
    case MESSAGE_DEVICE_REQUEST:
        on_device_request(s, &message->device_request, now);
        return;
    case MESSAGE_GATT_GET_SERVICES_REQUEST:
    case MESSAGE_GATT_READ_REQUEST:
    case MESSAGE_GATT_WRITE_REQUEST:
    case MESSAGE_GATT_READ_DESCRIPTOR_REQUEST:
    case MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST:
    case MESSAGE_GATT_NOTIFY_REQUEST:
        on_gatt(s, message, now);
        return;
    case MESSAGE_SET_CONNECTION_PARAMS_REQUEST:
        on_parameters(s, &message->connection_params);
        return;
    default:
        return;
    }
}

/* ---- time ---- */

bool slots_need_silence(const struct slots *s)
{
    for (size_t i = 0; i < s->options.limit; i++)
        if (s->slots[i].state == WAITING || s->slots[i].state == CONNECTING)
            return true;
    return false;
}

static void end_pairing(struct slots *s, struct slot *slot)
{
    slot->pairs = USEC_NEVER;
    slot->is_paired = slot->link.pairing_error == 0;
    if (slot->is_paired) {
        gatt_link_encrypt(slot->gatt_link);
        bonds_add(gatt_server_bonds(slot->link.server), s->listener);
        bonds_add(&s->bonds, slot->address);
    }
    tell_result(s, MESSAGE_DEVICE_PAIRING_RESPONSE, slot->address, slot->link.pairing_error);
}

static void tick_gatt(struct slot *slot, usec_t now)
{
    switch (gatt_client_tick(slot->gatt, now)) {
    case GATT_CLIENT_GOES_ON:
        return;
    case GATT_CLIENT_TIMED_OUT:
        end_locally(slot, now);
        return;
    case GATT_CLIENT_BROKEN:
        start_end(slot, ERROR_GATT, /* is_local= */ false, now);
        return;
    }
}

/* What a link does by itself. */
static void tick_link(struct slots *s, struct slot *slot, usec_t now)
{
    if (now >= slot->reaches) {
        slot->reaches = now + REACH_PERIOD;
        if (!world_reaches(s->world, s->listener, slot->address)) {
            start_end(slot, ERROR_SUPERVISION_TIMEOUT, /* is_local= */ false, now);
            return;
        }
    }
    if (now >= slot->ends) {
        start_end(slot, slot->link.end_error, /* is_local= */ false, now);
        return;
    }
    if (now >= slot->pairs)
        end_pairing(s, slot);
    if (slot->gatt != NULL)
        tick_gatt(slot, now);
}

static void tick_slot(struct slots *s, struct slot *slot, usec_t now)
{
    if (slot->is_linked && is_open(slot))
        tick_link(s, slot, now);
    if (slot->state == FREE || now < slot->due)
        return;
    switch (slot->state) {
    case CONNECTING:
        on_attempt(s, slot, now);
        return;
    case DISCOVERING:
        establish(s, slot, now);
        return;
    case DISCONNECTING:
        on_disconnect(s, slot, now);
        return;
    case CLOSING:
        on_close(s, slot);
        return;
    case FREE:
    case HELD:
    case WAITING:
    case CONNECTED:
        return;
    }
}

static void tick_ghosts(struct slots *s, usec_t now)
{
    for (size_t i = 0; i < GHOSTS_MAX; i++) {
        struct ghost ghost = s->ghosts[i];
        if (ghost.address == 0 || now < ghost.closes)
            continue;
        s->ghosts[i] = (struct ghost){0};
        if (ghost.is_told)
            tell_not_connected(s, ghost.address, 0);
    }
}

void slots_tick(struct slots *s, usec_t now)
{
    tick_ghosts(s, now);
    for (size_t i = 0; i < s->options.limit; i++)
        tick_slot(s, &s->slots[i], now);
}

static usec_t earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

usec_t slots_deadline(const struct slots *s)
{
    usec_t deadline = USEC_NEVER;

    for (size_t i = 0; i < s->options.limit; i++) {
        const struct slot *slot = &s->slots[i];
        if (slot->state == FREE)
            continue;
        deadline = earlier(deadline, slot->due);
        if (slot->is_linked && is_open(slot))
            deadline = earlier(earlier(deadline, slot->reaches), earlier(slot->ends, slot->pairs));
        if (slot->gatt != NULL && is_open(slot))
            deadline = earlier(deadline, gatt_client_deadline(slot->gatt));
    }
    for (size_t i = 0; i < GHOSTS_MAX; i++)
        if (s->ghosts[i].address != 0)
            deadline = earlier(deadline, s->ghosts[i].closes);
    return deadline;
}

/* ---- what goes wrong ---- */

int slots_drop(struct slots *s, uint64_t address, int32_t error, usec_t now)
{
    struct slot *slot = find_open(s, address);
    if (slot == NULL)
        return -ENOENT;
    start_end(slot, error, /* is_local= */ false, now);
    return 0;
}

static int take_slot(struct slots *s, uint64_t address, struct slot **ret_slot)
{
    struct slot *slot = find_free(s);

    if (find(s, address) != NULL)
        return -EEXIST;
    if (slot == NULL)
        return -ENOSPC;
    slot->address = address;
    slot->due = USEC_NEVER;
    *ret_slot = slot;
    return 0;
}

int slots_leak(struct slots *s, uint64_t address)
{
    struct slot *slot;
    int error = take_slot(s, address, &slot);

    if (error != 0)
        return error;
    slot->state = HELD;
    tell_slots(s);
    return 0;
}

int slots_occupy(struct slots *s, uint64_t address, usec_t now)
{
    struct slot *slot;
    int error = take_slot(s, address, &slot);

    if (error != 0)
        return error;
    slot->state = CONNECTED;
    slot->is_foreign = true;
    if (s->world != NULL && world_open_link(s->world, address, &slot->link)) {
        hold_link(s, slot, now);
        begin_gatt(s, slot, NULL);
    }
    slot->mtu = slot->link.mtu;
    tell_slots(s);
    return 0;
}

/* ---- life ---- */

struct slots *slots_new(const struct slots_options *options, struct world *world, size_t listener,
                        uint64_t seed, slots_send_fn *on_send, void *user)
{
    assert(options->limit <= SLOTS_MAX);
    struct slots *s = xnew(struct slots, 1);

    s->options = *options;
    s->world = world;
    s->listener = listener;
    s->on_send = on_send;
    s->user = user;
    dice_seed(&s->dice, seed);
    return s;
}

void slots_free(struct slots *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->options.limit; i++) { /* the world may be gone already */
        gatt_client_free(s->slots[i].gatt);
        gatt_link_close(s->slots[i].gatt_link);
    }
    free(s);
}

void slots_restart(struct slots *s)
{
    for (size_t i = 0; i < s->options.limit; i++) {
        release_link(s, &s->slots[i]);
        s->slots[i] = (struct slot){0};
    }
    memset(s->ghosts, 0, sizeof(s->ghosts));
}

void slots_abandon(struct slots *s, usec_t now)
{
    for (size_t i = 0; i < s->options.limit; i++) {
        struct slot *slot = &s->slots[i];
        slot->is_mute = slot->state != FREE && slot->state != HELD;
        if (slot->is_mute)
            end_by_request(s, slot, now);
    }
    for (size_t i = 0; i < GHOSTS_MAX; i++)
        s->ghosts[i].is_told = false;
}

/* ---- for those who watch ---- */

const struct bonds *slots_bonds(const struct slots *s)
{
    return &s->bonds;
}

bool slots_view(const struct slots *s, size_t index, struct slots_view *ret_view)
{
    static const char *const STATES[] = {"free",        "held",      "waiting",       "connecting",
                                         "discovering", "connected", "disconnecting", "closing"};

    for (size_t i = 0; i < s->options.limit; i++) {
        const struct slot *slot = &s->slots[i];
        if (slot->state == FREE || index-- > 0)
            continue;
        *ret_view = (struct slots_view){
                .address = slot->address,
                .state = STATES[slot->state],
                .is_foreign = slot->is_foreign,
                .is_paired = slot->is_paired,
                .waiting = slot->gatt != NULL ? gatt_client_waiting(slot->gatt) : 0,
        };
        return true;
    }
    for (size_t i = 0; i < GHOSTS_MAX; i++) {
        if (s->ghosts[i].address == 0 || index-- > 0)
            continue;
        *ret_view = (struct slots_view){.address = s->ghosts[i].address, .state = "released"};
        return true;
    }
    return false;
}
