/* A client's session and a server's session speak with each other over a wire that a script holds
 * in its hands. The first two octets are the options of both, the rest are commands (enum command)
 * with their arguments: octets move in parts of any size, are damaged, lost and made up, messages
 * are sent from either side, foreign messages are slipped in, time jumps, either side closes.
 *
 * So that slipped messages get through encryption, a tap sits in each direction. The keys of a run
 * are known: the tap opens every frame of the sender with them and seals it anew for the receiver,
 * with a counter of its own, and what is slipped in is sealed alike. It stands aside (octets pass
 * as they are) without encryption, and when it cannot read on.
 *
 * What must hold: callbacks come in the order of the states and never behind the end; reports keep
 * their bounds; an undamaged direction delivers every message once and in order; what waits for a
 * peer that does not read is bounded; a deadline that was met moves on; two sides that fit and were
 * left alone get ready; and left alone for long enough, both come to their end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "esphome/client_session.h"
#include "esphome/framer.h"
#include "esphome/server_session.h"
#include "fuzz_target.h"

#define START        (100 * USEC_PER_SEC)
#define MESSAGES_MAX 4096  /* numbers of messages, in one direction */
#define LARGE_MAX    16    /* messages of up to 64 KiB in a run */
#define SLIPPED_MAX  4096  /* messages slipped in, in a run */
#define ROUNDS_MAX   65536 /* of all that flows to and fro */
#define TICKS_MAX    24    /* that a silent session may live */
#define SMALL_OUTPUT 256   /* octets, where the server has little room */
#define REPORTS_MAX  512   /* of one message: more than a session gives at once */

/* Limit, what a session may answer beyond it, and one more message. */
#define CLIENT_OUTPUT_MAX        ((size_t) 262144 + 65536 + 65535 + 64)
#define SERVER_OUTPUT_MAX(limit) ((size_t) (limit) + 65536 + 65535 + 64)

enum side { CLIENT, SERVER };

/* The low four bits of an octet; the highest bit is the side (of a way: who sends). */
enum command {
    COMMAND_FLOW,       /* all there is, to and fro, until nothing moves */
    COMMAND_TAKE,       /* part: from the sender's output to the wire */
    COMMAND_DELIVER,    /* part: from the wire to the receiver */
    COMMAND_FLOW_PARTS, /* part: as FLOW, in parts of this size */
    COMMAND_SEND,       /* kind */
    COMMAND_SEND_LARGE, /* octets / 256 */
    COMMAND_SLIP,       /* type, size, octets */
    COMMAND_SLIP_MANY,  /* type, count: without a body */
    COMMAND_FLIP,       /* place, mask */
    COMMAND_DROP,       /* octets from the front of the wire */
    COMMAND_INSERT,     /* size, octets: behind the wire */
    COMMAND_PASS,       /* seconds */
    COMMAND_MEET,       /* time goes to the next deadline of the side */
    COMMAND_DISCONNECT,
    COMMAND_HANG_UP, /* cause */
    COMMAND_TICK,
};

enum option { /* of the first octet */
              OPTION_ENCRYPTED = 1,
              OPTION_LEGACY = 2,
              OPTION_PASSWORD = 4,
              OPTION_ASKS_TIME = 8,
              OPTION_SMALL_OUTPUT = 16,
              OPTION_TELLS_TIME = 32,
              OPTION_ANSWERS = 64, /* each message is answered from inside its callback */
              OPTION_DISCONNECTS =
                      128, /* the third message makes its receiver disconnect, from inside */
};

enum mismatch { /* of the second */
                MISMATCH_KEY = 1,
                MISMATCH_ENCRYPTION = 2,
                MISMATCH_PASSWORD = 4,
                MISMATCH_NAME = 8,
                MISMATCH_MAC = 16,
                MISMATCH_API = 32,
};

/* From one side to the other. */
struct way {
    struct framer tap;
    bool has_tap;
    size_t frames; /* that the tap saw */
    struct buffer wire;
    bool is_disturbed;                  /* the receiver gets something else than was sent */
    uint32_t sent, delivered;           /* numbers of messages, from 1 */
    bool must_arrive[MESSAGES_MAX + 1]; /* the receiver was ready when it was sent */
};

struct conversation {
    struct client_session *client;
    struct server_session *server;
    struct way ways[2]; /* by sender */
    uint8_t options, mismatches;
    usec_t now;
    bool is_left_alone; /* nothing but octets moved */
    size_t large, slipped, rounds, heard[2];
    int last_state[2];
    bool is_ready_told;
    int64_t sum; /* of all octets reported, so that they are read */
};

/* The messages that sides send: each carries its number in a field, and reaches the owner. */
static const enum message_type client_kinds[] = {
        MESSAGE_DEVICE_REQUEST,      MESSAGE_GATT_GET_SERVICES_REQUEST,
        MESSAGE_GATT_READ_REQUEST,   MESSAGE_GATT_WRITE_REQUEST,
        MESSAGE_GATT_NOTIFY_REQUEST, MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST,
};
static const enum message_type server_kinds[] = {
        MESSAGE_RAW_ADVERTISEMENTS_RESPONSE, MESSAGE_DEVICE_CONNECTION_RESPONSE,
        MESSAGE_GATT_READ_RESPONSE,          MESSAGE_GATT_NOTIFY_DATA_RESPONSE,
        MESSAGE_GATT_WRITE_RESPONSE,         MESSAGE_DEVICE_PAIRING_RESPONSE,
};

/* ---- both sessions alike ---- */

static enum side other(enum side side)
{
    return side == CLIENT ? SERVER : CLIENT;
}

static bool is_ready(const struct conversation *c, enum side side)
{
    if (side == CLIENT)
        return client_session_state(c->client) == CLIENT_SESSION_READY;
    return server_session_state(c->server) == SERVER_SESSION_READY;
}

static bool is_closed(const struct conversation *c, enum side side)
{
    if (side == CLIENT)
        return client_session_state(c->client) == CLIENT_SESSION_CLOSED;
    return server_session_state(c->server) == SERVER_SESSION_CLOSED;
}

static const struct session_error *error_of(const struct conversation *c, enum side side)
{
    return side == CLIENT ? client_session_error(c->client) : server_session_error(c->server);
}

static usec_t deadline_of(const struct conversation *c, enum side side)
{
    return side == CLIENT ? client_session_deadline(c->client) : server_session_deadline(c->server);
}

static uint8_t *input_of(struct conversation *c, enum side side, size_t *ret_size)
{
    return side == CLIENT ? client_session_input(c->client, ret_size)
                          : server_session_input(c->server, ret_size);
}

static int tell_received(struct conversation *c, enum side side, size_t size)
{
    return side == CLIENT ? client_session_received(c->client, size, c->now)
                          : server_session_received(c->server, size, c->now);
}

static struct bytes output_of(const struct conversation *c, enum side side)
{
    struct bytes out;

    out.data = side == CLIENT ? client_session_output(c->client, &out.size)
                              : server_session_output(c->server, &out.size);
    return out;
}

static void tell_sent(struct conversation *c, enum side side, size_t size)
{
    if (side == CLIENT)
        client_session_sent(c->client, size);
    else
        server_session_sent(c->server, size);
}

static int send_from(struct conversation *c, enum side side, const struct message *message)
{
    return side == CLIENT ? client_session_send(c->client, message)
                          : server_session_send(c->server, message);
}

static void disconnect(struct conversation *c, enum side side)
{
    c->is_left_alone = false;
    if (side == CLIENT)
        client_session_disconnect(c->client, c->now);
    else
        server_session_disconnect(c->server, c->now);
}

/* ---- what must hold at any time ---- */

static void check_error(const struct conversation *c, enum side side)
{
    const struct session_error *error = error_of(c, side);
    const bool is_over = is_closed(c, side) || (side == SERVER && server_session_state(c->server) ==
                                                                          SERVER_SESSION_FLUSHING);

    if (is_over != (error->code != 0))
        abort();
    for (const char *at = error->detail; *at; at++) {
        if (*at < 0x20 || *at > 0x7e)
            abort();
    }
}

static void check_side(const struct conversation *c, enum side side)
{
    const size_t limit = c->options & OPTION_SMALL_OUTPUT ? SMALL_OUTPUT : 65536;
    const size_t most = side == CLIENT ? CLIENT_OUTPUT_MAX : SERVER_OUTPUT_MAX(limit);

    check_error(c, side);
    if (output_of(c, side).size > most)
        abort();
    if (is_closed(c, side) && deadline_of(c, side) != USEC_NEVER)
        abort();
}

/* ---- messages with numbers ---- */

/* The field that carries the number; NULL: none of ours. */
static uint64_t *number_of(struct message *m)
{
    switch ((uint32_t) m->type) {
    case MESSAGE_DEVICE_REQUEST:
        return &m->device_request.address;
    case MESSAGE_DEVICE_CONNECTION_RESPONSE:
        return &m->device_connection.address;
    case MESSAGE_DEVICE_PAIRING_RESPONSE:
        return &m->result.address;
    case MESSAGE_GATT_GET_SERVICES_REQUEST:
    case MESSAGE_GATT_READ_REQUEST:
    case MESSAGE_GATT_WRITE_REQUEST:
    case MESSAGE_GATT_NOTIFY_REQUEST:
    case MESSAGE_GATT_READ_RESPONSE:
    case MESSAGE_GATT_NOTIFY_DATA_RESPONSE:
    case MESSAGE_GATT_WRITE_RESPONSE:
        return &m->gatt.address;
    default:
        return NULL;
    }
}

static void send_kind(struct conversation *c, enum side side, uint8_t kind, struct bytes data)
{
    struct way *way = &c->ways[side];
    const uint32_t number = way->sent + 1;
    const struct ble_report report = {.address = number, .rssi = -60};
    const bool is_expected = is_ready(c, other(side));
    struct message message = {.type = side == CLIENT
                                              ? client_kinds[kind % ARRAY_SIZE(client_kinds)]
                                              : server_kinds[kind % ARRAY_SIZE(server_kinds)]};
    uint64_t *field = number_of(&message);
    int cause;

    if (number > MESSAGES_MAX)
        return;
    if (message.type == MESSAGE_GATT_WRITE_REQUEST ||
        message.type == MESSAGE_GATT_NOTIFY_DATA_RESPONSE)
        message.gatt.data = data;
    if (field)
        *field = number;
    else if (message.type == MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST)
        message.subscription_flags = number;
    else
        message.raw_advertisements = (struct message_raw_advertisements){&report, 1};
    cause = send_from(c, side, &message);
    if ((cause == -ENOTCONN) != !is_ready(c, side))
        abort();
    if (cause == 0) {
        way->sent = number;
        way->must_arrive[number] = is_expected;
    } else if (cause != -ENOTCONN && cause != -ENOBUFS && cause != -EMSGSIZE) {
        abort();
    }
}

/* A message with this number was delivered. */
static void note_arrival(struct conversation *c, enum side sender, uint64_t number)
{
    struct way *way = &c->ways[sender];

    if (way->is_disturbed)
        return;
    if (number <= way->delivered || number > way->sent)
        abort();
    while (++way->delivered < number) {
        if (way->must_arrive[way->delivered])
            abort();
    }
}

/* ---- callbacks ---- */

static void react(struct conversation *c, enum side side)
{
    c->heard[side]++;
    if (c->options & OPTION_ANSWERS)
        send_kind(c, side, (uint8_t) c->heard[side], (struct bytes){NULL, 0});
    if ((c->options & OPTION_DISCONNECTS) && c->heard[side] == 3)
        disconnect(c, side);
}

static void note_state(struct conversation *c, enum side side, int state)
{
    if (state <= c->last_state[side])
        abort(); /* states only go forward; so nothing comes behind the last */
    c->last_state[side] = state;
}

static void on_client_state(void *user, enum client_session_state state)
{
    note_state(user, CLIENT, (int) state);
}

/* A client that does not show the key or the password is never served. */
static void on_server_state(void *user, enum server_session_state state)
{
    const struct conversation *c = user;

    note_state(user, SERVER, (int) state);
    if (state == SERVER_SESSION_READY && c->is_left_alone &&
        (c->mismatches & (MISMATCH_KEY | MISMATCH_ENCRYPTION | MISMATCH_PASSWORD)))
        abort();
}

static void require_ready(const struct conversation *c, enum side side)
{
    if (!is_ready(c, side) || (side == CLIENT && !c->is_ready_told))
        abort();
}

static void on_ready(void *user, const struct message_device_info *info, usec_t now)
{
    struct conversation *c = user;

    if (c->is_ready_told || !is_ready(c, CLIENT) || now != c->now)
        abort();
    c->is_ready_told = true;
    c->sum += (int64_t) info->name.size;
}

static void on_reports(void *user, const struct ble_report *reports, size_t count, usec_t now)
{
    struct conversation *c = user;

    require_ready(c, CLIENT);
    if (count == 0 || count > 256 || now != c->now)
        abort();
    for (const struct ble_report *r = reports; r < reports + count; r++) {
        if (r->address == 0 || r->address >> 48 != 0 || r->size > BLE_REPORT_DATA_MAX)
            abort();
        for (size_t i = 0; i < r->size; i++)
            c->sum += r->data[i];
        note_arrival(c, SERVER, r->address);
    }
    react(c, CLIENT);
}

static void on_message(struct conversation *c, enum side side, const struct message *message)
{
    struct message copy = *message;
    const uint64_t *field = number_of(&copy);

    require_ready(c, side);
    if (field)
        note_arrival(c, other(side), *field);
    else if (message->type == MESSAGE_SUBSCRIBE_ADVERTISEMENTS_REQUEST)
        note_arrival(c, other(side), message->subscription_flags);
    else if (!c->ways[CLIENT].is_disturbed && !c->ways[SERVER].is_disturbed)
        abort(); /* nobody asked for it */
    react(c, side);
}

static void on_client_message(void *user, const struct message *message, usec_t now)
{
    (void) now;
    on_message(user, CLIENT, message);
}

static void on_server_message(void *user, const struct message *message, usec_t now)
{
    (void) now;
    on_message(user, SERVER, message);
}

/* ---- the taps ---- */

static void handshake_keys(const struct client_session_options *client,
                           const struct server_session_options *server,
                           struct noise_cipher ret_keys[2])
{
    uint8_t first[NOISE_MESSAGE_SIZE], second[NOISE_MESSAGE_SIZE];
    struct noise_handshake initiator, responder;

    noise_start(&initiator, client->psk, client->ephemeral, (struct bytes){0});
    noise_start(&responder, server->psk, server->ephemeral, (struct bytes){0});
    noise_write_first(&initiator, first);
    if (noise_read_first(&responder, first) != 0 || noise_write_second(&responder, second) != 0)
        abort();
    noise_split(&responder, &ret_keys[CLIENT], &ret_keys[SERVER]);
    noise_wipe(&initiator, sizeof initiator);
}

/* A frame goes on to the receiver: as it is before the keys are there, sealed anew behind it. */
static void forward(struct way *way, const struct framer_frame *frame,
                    const struct noise_cipher *key)
{
    if (way->tap.is_secured) {
        (void) framer_write(&way->tap, &way->wire, frame->type, frame->body);
        return;
    }
    framer_write_handshake(&way->wire, -1, frame->body);
    if (++way->frames == 2) /* a hello and a handshake message from either side */
        framer_secure(&way->tap, key, key, FRAMER_BODY_MAX);
}

static void stand_aside(struct way *way)
{
    const struct bytes rest = framer_pending(&way->tap);

    way->has_tap = false;
    way->is_disturbed = true;
    buffer_append(&way->wire, rest.data, rest.size);
    framer_clear(&way->tap);
}

static void pass_through_tap(struct way *way, struct bytes part, const struct noise_cipher *key)
{
    enum framer_result result = FRAMER_MORE;
    struct framer_frame frame;

    while (part.size > 0 && result == FRAMER_MORE) {
        size_t room;
        uint8_t *to = framer_input(&way->tap, &room);

        if (room > part.size)
            room = part.size;
        memcpy(to, part.data, room);
        framer_received(&way->tap, room);
        part = (struct bytes){part.data + room, part.size - room};
        while ((result = framer_next(&way->tap, &frame)) == FRAMER_FRAME)
            forward(way, &frame, key);
    }
    if (result != FRAMER_MORE) {
        stand_aside(way);
        buffer_append(&way->wire, part.data, part.size);
    }
}

/* ---- commands ---- */

struct script {
    struct bytes rest;
    struct noise_cipher keys[2]; /* by sender */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Octets moved. */
static size_t take(struct conversation *c, const struct script *script, enum side sender,
                   size_t most)
{
    struct way *way = &c->ways[sender];
    struct bytes part = output_of(c, sender);

    part.size = least(part.size, most);
    if (part.size == 0)
        return 0;
    if (way->has_tap)
        pass_through_tap(way, part, &script->keys[sender]);
    else
        buffer_append(&way->wire, part.data, part.size);
    tell_sent(c, sender, part.size);
    return part.size;
}

static size_t deliver(struct conversation *c, enum side sender, size_t most)
{
    struct buffer *wire = &c->ways[sender].wire;
    const size_t size = least(buffer_size(wire), most);
    const enum side receiver = other(sender);

    for (size_t left = size; left > 0;) {
        size_t part;
        uint8_t *to = input_of(c, receiver, &part);

        part = least(part, left);
        memcpy(to, buffer_front(wire), part);
        buffer_consume(wire, part);
        left -= part;
        if (tell_received(c, receiver, part) != error_of(c, receiver)->code)
            abort();
    }
    return size;
}

static void flow(struct conversation *c, const struct script *script, size_t most)
{
    size_t moved = 1;

    while (moved > 0 && c->rounds++ < ROUNDS_MAX) {
        moved = take(c, script, CLIENT, most) + deliver(c, CLIENT, most);
        moved += take(c, script, SERVER, most) + deliver(c, SERVER, most);
    }
}

/* A message that the sender's session never sent. */
static void slip(struct conversation *c, enum side sender, uint8_t type, struct bytes body)
{
    struct way *way = &c->ways[sender];

    if (c->slipped++ >= SLIPPED_MAX)
        return;
    c->is_left_alone = false;
    way->is_disturbed = true;
    if (way->has_tap && !way->tap.is_secured)
        framer_write_handshake(&way->wire, -1, body);
    else if (way->has_tap || way->tap.kind == FRAMER_PLAINTEXT)
        (void) framer_write(&way->tap, &way->wire, type, body);
}

static void slip_many(struct conversation *c, enum side sender, uint8_t type, uint8_t count)
{
    for (size_t i = 0; i < count; i++)
        slip(c, sender, type, (struct bytes){NULL, 0});
}

static void disturb(struct conversation *c, enum side sender)
{
    c->is_left_alone = false;
    c->ways[sender].is_disturbed = true;
}

static void flip(struct conversation *c, enum side sender, uint8_t place, uint8_t mask)
{
    struct buffer *wire = &c->ways[sender].wire;

    if (buffer_size(wire) == 0)
        return;
    disturb(c, sender);
    wire->data[wire->start + place % buffer_size(wire)] ^= mask;
}

/* One message with so many reports, each with a number of its own. */
static void send_reports(struct conversation *c, size_t count)
{
    struct way *way = &c->ways[SERVER];
    struct ble_report reports[REPORTS_MAX];
    const bool is_expected = is_ready(c, CLIENT);

    if (way->sent + count > MESSAGES_MAX)
        return;
    for (size_t i = 0; i < count; i++)
        reports[i] = (struct ble_report){.address = way->sent + i + 1, .rssi = -60};
    if (send_from(c, SERVER,
                  &(struct message){.type = MESSAGE_RAW_ADVERTISEMENTS_RESPONSE,
                                    .raw_advertisements = {reports, count}}) != 0)
        return;
    for (size_t i = 0; i < count; i++)
        way->must_arrive[++way->sent] = is_expected;
}

/* A write or a notification with much data; of an odd size and from the server, many reports. */
static void send_large(struct conversation *c, enum side side, uint8_t size)
{
    static const uint8_t zeros[256 * 256];

    c->is_left_alone = false; /* a server takes half as much, and drops what it has no room for */
    if (c->large++ >= LARGE_MAX)
        return;
    if (side == SERVER && size % 2)
        send_reports(c, (size_t) size * 2);
    else
        send_kind(c, side, 3, (struct bytes){zeros, (size_t) size * 256});
}

static void tick(struct conversation *c, enum side side)
{
    if (side == CLIENT)
        client_session_tick(c->client, c->now);
    else
        server_session_tick(c->server, c->now);
    if (deadline_of(c, side) <= c->now)
        abort(); /* the owner would spin */
}

static void pass(struct conversation *c, usec_t span)
{
    c->is_left_alone = false;
    c->now += span;
    tick(c, CLIENT);
    tick(c, SERVER);
}

static void meet(struct conversation *c, enum side side)
{
    const usec_t deadline = deadline_of(c, side);

    c->is_left_alone = false;
    if (deadline != USEC_NEVER && deadline > c->now)
        c->now = deadline;
    tick(c, side);
}

static void hang_up(struct conversation *c, enum side side, uint8_t which)
{
    static const int causes[] = {0, -ECONNRESET, -EPIPE, -ETIMEDOUT};
    const int cause = causes[which % ARRAY_SIZE(causes)];

    c->is_left_alone = false;
    if (side == CLIENT)
        client_session_end_of_input(c->client, cause, c->now);
    else
        server_session_end_of_input(c->server, cause, c->now);
}

/* Commands with an octet of size and so many octets. */
static bool make_up(struct conversation *c, struct script *script, enum side side,
                    enum command command)
{
    uint8_t type = 0, size = 0;
    struct bytes octets;

    if (command == COMMAND_SLIP && !bytes_pull_u8(&script->rest, &type))
        return false;
    if (!bytes_pull_u8(&script->rest, &size) || !bytes_pull(&script->rest, size, &octets))
        return false;
    if (command == COMMAND_SLIP) {
        slip(c, side, type, octets);
    } else if (size > 0) {
        disturb(c, side);
        buffer_append(&c->ways[side].wire, octets.data, octets.size);
    }
    return true;
}

static bool needs_argument(enum command command)
{
    return command != COMMAND_FLOW && command != COMMAND_MEET && command != COMMAND_DISCONNECT &&
           command != COMMAND_TICK && command != COMMAND_SLIP && command != COMMAND_INSERT;
}

static void obey(struct conversation *c, const struct script *script, enum side side,
                 enum command command, uint8_t argument, uint8_t second)
{
    switch (command) {
    case COMMAND_FLOW:
        flow(c, script, SIZE_MAX);
        break;
    case COMMAND_TAKE:
        (void) take(c, script, side, argument);
        break;
    case COMMAND_DELIVER:
        (void) deliver(c, side, argument);
        break;
    case COMMAND_FLOW_PARTS:
        flow(c, script, (size_t) argument + 1);
        break;
    case COMMAND_SEND:
        send_kind(c, side, argument, (struct bytes){&argument, 1});
        break;
    case COMMAND_SEND_LARGE:
        send_large(c, side, argument);
        break;
    case COMMAND_SLIP_MANY:
        slip_many(c, side, argument, second);
        break;
    case COMMAND_FLIP:
        flip(c, side, argument, second);
        break;
    case COMMAND_DROP:
        disturb(c, side);
        buffer_consume(&c->ways[side].wire, least(argument, buffer_size(&c->ways[side].wire)));
        break;
    case COMMAND_PASS:
        pass(c, argument * USEC_PER_SEC);
        break;
    case COMMAND_MEET:
        meet(c, side);
        break;
    case COMMAND_DISCONNECT:
        disconnect(c, side);
        break;
    case COMMAND_HANG_UP:
        hang_up(c, side, argument);
        break;
    case COMMAND_TICK:
        tick(c, side);
        break;
    case COMMAND_SLIP:
    case COMMAND_INSERT:
        break; /* make_up() */
    }
}

/* False when the script is at its end. */
static bool step(struct conversation *c, struct script *script)
{
    uint8_t octet, argument = 0, second = 0;
    enum command command;
    enum side side;

    if (!bytes_pull_u8(&script->rest, &octet))
        return false;
    command = (enum command)(octet & 15);
    side = octet & 128 ? SERVER : CLIENT;
    if (command == COMMAND_SLIP || command == COMMAND_INSERT)
        return make_up(c, script, side, command);
    if (needs_argument(command) && !bytes_pull_u8(&script->rest, &argument))
        return false;
    if ((command == COMMAND_SLIP_MANY || command == COMMAND_FLIP) &&
        !bytes_pull_u8(&script->rest, &second))
        return false;
    obey(c, script, side, command, argument, second);
    return true;
}

/* ---- the end ---- */

static void check_arrivals(const struct conversation *c, enum side sender)
{
    const struct way *way = &c->ways[sender];

    if (way->is_disturbed || !is_ready(c, other(sender)) || buffer_size(&way->wire) > 0 ||
        output_of(c, sender).size > 0)
        return;
    for (uint32_t number = way->delivered + 1; number <= way->sent; number++) {
        if (way->must_arrive[number])
            abort();
    }
}

static void check_readiness(const struct conversation *c)
{
    if (c->is_left_alone && c->mismatches == 0 && (!is_ready(c, CLIENT) || !is_ready(c, SERVER)))
        abort();
    if (c->is_left_alone && c->mismatches != 0 && is_ready(c, CLIENT))
        abort(); /* each of them is a reason to end */
}

/* Without a word from the other, each comes to its end. */
static void wait_for_end(struct conversation *c, enum side side)
{
    size_t ticks = 0;

    while (!is_closed(c, side)) {
        if (ticks++ == TICKS_MAX || deadline_of(c, side) == USEC_NEVER)
            abort();
        meet(c, side);
        check_side(c, side);
    }
}

/* ---- both ends ---- */

static int64_t wall_clock(void *user)
{
    (void) user;
    return 1795255200;
}

/* A mismatch counts where it can be seen: of keys and passwords, when there are any. */
static uint8_t effective_mismatches(uint8_t options, uint8_t mismatches)
{
    const bool is_encrypted = options & OPTION_ENCRYPTED;

    mismatches &= MISMATCH_KEY | MISMATCH_ENCRYPTION | MISMATCH_PASSWORD | MISMATCH_NAME |
                  MISMATCH_MAC | MISMATCH_API;
    if (!is_encrypted)
        mismatches &= (uint8_t) ~MISMATCH_KEY;
    if (!(options & OPTION_PASSWORD))
        mismatches &= (uint8_t) ~MISMATCH_PASSWORD;
    return mismatches;
}

static struct client_session_options client_options(uint8_t options, uint8_t mismatches)
{
    struct client_session_options o = {
            .client_info = "fuzz",
            .password = options & OPTION_PASSWORD ? "sesame" : NULL,
            .expected_name = mismatches & MISMATCH_NAME ? "attic" : "kitchen",
            .has_expected_mac = true,
            .expected_mac = mismatches & MISMATCH_MAC ? 0xa0b0c0d0e0f1 : 0xa0b0c0d0e0f0,
            .is_encrypted = options & OPTION_ENCRYPTED,
            .ephemeral = {1},
            .wall_clock = options & OPTION_TELLS_TIME ? wall_clock : NULL,
    };

    if (mismatches & MISMATCH_ENCRYPTION)
        o.is_encrypted = !o.is_encrypted;
    if (mismatches & MISMATCH_KEY)
        o.psk[0] = 1;
    return o;
}

static struct server_session_options server_options(uint8_t options, uint8_t mismatches)
{
    static const char model[1000]; /* so that few answers fill the output */
    struct server_session_options o = {
            .name = "kitchen",
            .mac = 0xa0b0c0d0e0f0,
            .server_info = "2026.8.0",
            .api_major = mismatches & MISMATCH_API ? 3 : 1,
            .api_minor = options & OPTION_LEGACY ? 10 : 15,
            .is_encrypted = options & OPTION_ENCRYPTED,
            .ephemeral = {2},
            .password = options & OPTION_PASSWORD ? "sesame" : NULL,
            .is_legacy_hello = options & OPTION_LEGACY,
            .asks_time = options & OPTION_ASKS_TIME,
            .output_limit = options & OPTION_SMALL_OUTPUT ? SMALL_OUTPUT : 0,
            .device_info = {.name = {"kitchen", 7},
                            .mac_address = {"A0:B0:C0:D0:E0:F0", 17},
                            .model = {model, sizeof model}},
    };

    if (mismatches & MISMATCH_PASSWORD)
        o.password = "open";
    return o;
}

static void open_ways(struct conversation *c, bool is_tapped)
{
    for (int side = CLIENT; side <= SERVER; side++) {
        struct way *way = &c->ways[side];

        framer_init(&way->tap, c->options & OPTION_ENCRYPTED ? FRAMER_NOISE : FRAMER_PLAINTEXT,
                    FRAMER_BODY_MAX);
        way->has_tap = is_tapped;
        c->last_state[side] = -1;
    }
}

static struct conversation *open_conversation(uint8_t options, uint8_t mismatches,
                                              struct script *script)
{
    static const struct client_session_callbacks client_callbacks = {on_client_state, on_ready,
                                                                     on_reports, on_client_message};
    static const struct server_session_callbacks server_callbacks = {on_server_state,
                                                                     on_server_message};
    struct conversation *c = xnew(struct conversation, 1);
    struct client_session_options client;
    struct server_session_options server;

    c->options = options;
    c->mismatches = effective_mismatches(options, mismatches);
    c->now = START;
    c->is_left_alone = true;
    client = client_options(options, c->mismatches);
    server = server_options(options, c->mismatches);
    open_ways(c, (options & OPTION_ENCRYPTED) && c->mismatches == 0);
    if (c->ways[CLIENT].has_tap)
        handshake_keys(&client, &server, script->keys);
    c->client = client_session_new(&client, &client_callbacks, c, c->now);
    c->server = server_session_new(&server, &server_callbacks, c, c->now);
    return c;
}

static void free_conversation(struct conversation *c)
{
    client_session_free(c->client);
    server_session_free(c->server);
    for (int side = CLIENT; side <= SERVER; side++) {
        framer_done(&c->ways[side].tap);
        buffer_done(&c->ways[side].wire);
    }
    free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {0};
    struct conversation *c;

    if (size < 2)
        return 0;
    script.rest = (struct bytes){data + 2, size - 2};
    c = open_conversation(data[0], data[1], &script);
    while (step(c, &script)) {
        check_side(c, CLIENT);
        check_side(c, SERVER);
    }
    c->rounds = 0;
    flow(c, &script, SIZE_MAX);
    check_arrivals(c, CLIENT);
    check_arrivals(c, SERVER);
    check_readiness(c);
    wait_for_end(c, CLIENT);
    wait_for_end(c, SERVER);
    free_conversation(c);
    return 0;
}
