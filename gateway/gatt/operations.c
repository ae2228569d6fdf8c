/* The story. An operation stands in line until nothing is on the air, goes out, and its answer is
 * known by device, kind and handle. Its requests, and the part of the room that made it, are told.
 *
 * Failure modes. A proxy does not answer: the operation ends with its deadline, and what it is
 * still owed is noted, so that the late answer is not taken for that of the next operation on the
 * same handle, until another answer of the device shows that it is lost; services that do not come,
 * or two such ends in a row, and the link is opened anew, since nothing good is to be expected of
 * it. A write without response is normally acknowledged by the proxy, which is the only brake there
 * is; firmware that does not is waited for COMMAND_PATIENCE and no longer. A message that the
 * connection does not take is tried again shortly. */
#include "gatt/operations.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define COMMAND_PATIENCE (50 * USEC_PER_MSEC)
#define SEND_AGAIN       (100 * USEC_PER_MSEC)
#define TIMEOUTS_MAX     2
#define NOT_CONNECTED    (-1) /* what the firmware says of a device that it holds no link to */

static uint32_t handle_of(const struct message *message)
{
    switch ((int) message->type) {
    case MESSAGE_DEVICE_REQUEST:
    case MESSAGE_SET_CONNECTION_PARAMS_REQUEST:
    case MESSAGE_DEVICE_UNPAIRING_RESPONSE:
    case MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE:
    case MESSAGE_SET_CONNECTION_PARAMS_RESPONSE:
        return 0;
    default:
        return message->gatt.handle;
    }
}

static bool is_gatt(const struct operation *o)
{
    return o->message.type != MESSAGE_DEVICE_REQUEST &&
           o->message.type != MESSAGE_SET_CONNECTION_PARAMS_REQUEST;
}

/* ---- which answer belongs to which request ---- */

static enum message_type device_answer(const struct message *request)
{
    return request->device_request.request_type == DEVICE_REQUEST_UNPAIR
                   ? MESSAGE_DEVICE_UNPAIRING_RESPONSE
                   : MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE;
}

/* Of requests about a handle, the kind of their answer: two kinds may share one. */
static int answer_of(enum message_type request)
{
    switch ((int) request) {
    case MESSAGE_GATT_GET_SERVICES_REQUEST:
        return MESSAGE_GATT_GET_SERVICES_DONE_RESPONSE;
    case MESSAGE_GATT_READ_REQUEST:
    case MESSAGE_GATT_READ_DESCRIPTOR_REQUEST:
        return MESSAGE_GATT_READ_RESPONSE;
    case MESSAGE_GATT_WRITE_REQUEST:
    case MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST:
        return MESSAGE_GATT_WRITE_RESPONSE;
    case MESSAGE_GATT_NOTIFY_REQUEST:
        return MESSAGE_GATT_NOTIFY_RESPONSE;
    case MESSAGE_SET_CONNECTION_PARAMS_REQUEST:
        return MESSAGE_SET_CONNECTION_PARAMS_RESPONSE;
    default:
        return 0;
    }
}

static bool fits(enum message_type request, uint32_t handle, const struct message *answer)
{
    bool is_error = answer->type == MESSAGE_GATT_ERROR_RESPONSE &&
                    request != MESSAGE_SET_CONNECTION_PARAMS_REQUEST;

    if ((int) answer->type != answer_of(request) && !is_error)
        return false;
    return handle_of(answer) == handle;
}

static bool answers(const struct operation *o, uint16_t source, const struct message *answer)
{
    if (o->source != source)
        return false;
    if (o->message.type == MESSAGE_DEVICE_REQUEST)
        return answer->type == device_answer(&o->message);
    return fits(o->message.type, handle_of(&o->message), answer);
}

/* ---- what is owed ---- */

/* Beyond the bound the oldest is forgotten: that so much is owed does not happen, since the link
 * is opened anew before. */
static void owe(struct peer *p, const struct operation *o)
{
    if (p->owed_count == GATT_OWED_MAX)
        memmove(p->owed, p->owed + 1, --p->owed_count * sizeof p->owed[0]);
    p->owed[p->owed_count++] = (struct owed){o->message.type, handle_of(&o->message)};
}

static bool pay(struct peer *p, const struct message *answer)
{
    for (size_t i = 0; i < p->owed_count; i++) {
        if (!fits(p->owed[i].request, p->owed[i].handle, answer))
            continue;
        memmove(p->owed + i, p->owed + i + 1, (--p->owed_count - i) * sizeof p->owed[0]);
        return true;
    }
    return false;
}

/* ---- the line ---- */

static void release(struct operation *o)
{
    free(o->octets);
    free(o);
}

static bool has_octets(enum message_type type)
{
    return type == MESSAGE_GATT_WRITE_REQUEST || type == MESSAGE_GATT_WRITE_DESCRIPTOR_REQUEST;
}

static void append(struct operation **list, struct operation *o)
{
    while (*list)
        list = &(*list)->next;
    o->next = NULL;
    *list = o;
}

static void take(struct operation **list, struct operation *o)
{
    while (*list != o)
        list = &(*list)->next;
    *list = o->next;
}

struct operation *operations_add(struct gatt *g, struct peer *p, const struct message *message,
                                 uint16_t source)
{
    struct operation *o = xnew(struct operation, 1);

    o->message = *message;
    o->source = source;
    if (is_gatt(o))
        o->message.gatt.data = (struct bytes){0};
    if (has_octets(message->type) && message->gatt.data.size > 0) {
        o->octets = xnew(uint8_t, message->gatt.data.size);
        memcpy(o->octets, message->gatt.data.data, message->gatt.data.size);
        o->message.gatt.data = (struct bytes){o->octets, message->gatt.data.size};
    }
    o->is_command = message->type == MESSAGE_GATT_WRITE_REQUEST && !message->gatt.flag;
    append(&p->line, o);
    gatt_core_hurry(g, p);
    return o;
}

struct operation *operations_find(const struct peer *p, enum message_type type, uint32_t handle,
                                  bool is_sent)
{
    for (struct operation *o = is_sent ? p->air : p->line; o; o = o->next) {
        if (o->message.type == type && handle_of(&o->message) == handle)
            return o;
    }
    return NULL;
}

static bool is_read(const struct operation *o)
{
    return o->message.type == MESSAGE_GATT_READ_REQUEST ||
           o->message.type == MESSAGE_GATT_READ_DESCRIPTOR_REQUEST;
}

struct operation *operations_find_read(const struct peer *p, enum message_type type,
                                       uint32_t handle)
{
    struct operation *found = NULL;

    for (struct operation *o = p->line; o; o = o->next) {
        if (!is_read(o))
            found = NULL;
        else if (!o->done && o->message.type == type && handle_of(&o->message) == handle)
            found = o;
    }
    return found;
}

void operations_join(struct operation *operation, struct gatt_request *request)
{
    request->next_together = operation->together;
    operation->together = request;
    request->operation = operation;
    operation->deadline = clock_later(operation->deadline, request->deadline);
}

static bool is_wanted(const struct operation *o)
{
    return o->together || o->done;
}

void operations_leave(struct peer *p, struct gatt_request *request)
{
    struct operation *o = request->operation;

    gatt_core_leave(&o->together, request);
    request->operation = NULL;
    if (o->is_sent || is_wanted(o))
        return;
    take(&p->line, o);
    release(o);
}

/* It is in no list any more. */
static void complete(struct gatt *g, struct peer *p, struct operation *o,
                     const struct gatt_outcome *result)
{
    struct gatt_outcome outcome = *result;

    if (o->done)
        o->done(g, p, o, &outcome);
    gatt_core_tell(g, p, TAKE(o->together), &outcome);
    gatt_core_hurry(g, p);
    release(o);
}

static void land(struct gatt *g, struct peer *p, struct operation *o,
                 const struct gatt_outcome *outcome)
{
    take(&p->air, o);
    p->air_count--;
    complete(g, p, o, outcome);
}

/* ---- answers ---- */

static bool is_result(const struct message *m)
{
    return m->type == MESSAGE_DEVICE_UNPAIRING_RESPONSE ||
           m->type == MESSAGE_DEVICE_CLEAR_CACHE_RESPONSE ||
           m->type == MESSAGE_SET_CONNECTION_PARAMS_RESPONSE;
}

static struct gatt_outcome outcome_of(const struct message *m)
{
    bool is_error = m->type == MESSAGE_GATT_ERROR_RESPONSE;
    struct gatt_outcome outcome = {0};

    if (is_result(m)) {
        bool is_good = m->type == MESSAGE_SET_CONNECTION_PARAMS_RESPONSE ? m->result.error == 0
                                                                         : m->result.success;

        outcome.code = is_good ? 0 : E_GATT_ERROR;
        outcome.has_number = !is_good;
        outcome.number = m->result.error;
    } else if (is_error) {
        outcome.code = m->gatt.error == NOT_CONNECTED ? E_DISCONNECTED : E_GATT_ERROR;
        outcome.has_number = true;
        outcome.number = m->gatt.error;
    } else if (m->gatt.data.size > GATT_VALUE_MAX) {
        outcome.code = E_GATT_ERROR; /* no attribute is as long */
    } else if (m->type == MESSAGE_GATT_READ_RESPONSE) {
        outcome.value = m->gatt.data;
    }
    return outcome;
}

/* A device answers in order: when it has answered this one, what is owed for earlier ones is lost.
 */
static bool is_of_device(const struct operation *o)
{
    return is_read(o) || has_octets(o->message.type);
}

bool operations_answer(struct gatt *g, struct peer *p, uint16_t source,
                       const struct message *message)
{
    struct gatt_outcome outcome;

    if (p->is_open && p->source == source && pay(p, message))
        return false;
    for (struct operation *o = p->air; o; o = o->next) {
        if (!answers(o, source, message))
            continue;
        if (o->is_command)
            p->acknowledges_commands = true;
        else if (is_of_device(o))
            p->owed_count = 0;
        p->timeouts = 0;
        outcome = outcome_of(message);
        p->must_reopen = p->must_reopen || (is_gatt(o) && outcome.code == E_DISCONNECTED);
        land(g, p, o, &outcome);
        return true;
    }
    return false;
}

/* ---- sending ---- */

static bool may_go(const struct peer *p, const struct operation *o)
{
    bool needs_link = o->source == LINK_NO_SOURCE;
    bool is_one_of_many = o->is_command && p->air && p->air->is_command;

    if (needs_link && (!p->is_open || p->must_reopen))
        return false;
    return p->air_count == 0 || (is_one_of_many && p->air_count < GATT_COMMANDS_MAX);
}

static bool send_now(struct gatt *g, struct peer *p, struct operation *o)
{
    uint16_t source = o->source == LINK_NO_SOURCE ? p->source : o->source;

    if (g->house.send(g->house.user, source, &o->message))
        return false;
    o->source = source;
    o->is_sent = true;
    if (o->is_command)
        o->deadline = g->now + COMMAND_PATIENCE;
    else if (o->deadline <= g->now) /* nobody said how long, or who did is gone */
        o->deadline = g->now + GATT_PATIENCE;
    g->counted.operations++;
    return true;
}

void operations_pump(struct gatt *g, struct peer *p)
{
    static const struct gatt_outcome offline = {.code = E_PROXY_OFFLINE};

    while (p->line && may_go(p, p->line) && g->now >= p->send_again_at) {
        struct operation *o = p->line;

        if (send_now(g, p, o)) {
            take(&p->line, o);
            append(&p->air, o);
            p->air_count++;
        } else if (o->source == LINK_NO_SOURCE) {
            p->send_again_at = g->now + SEND_AGAIN;
        } else {
            take(&p->line, o);
            complete(g, p, o, &offline);
        }
    }
}

/* ---- time ---- */

/* A link that ever acknowledged a command owes this one's as well. */
static void command_is_old(struct gatt *g, struct peer *p, struct operation *o)
{
    static const struct gatt_outcome outcome = {0};

    if (p->acknowledges_commands)
        owe(p, o);
    land(g, p, o, &outcome);
}

static void is_too_late(struct gatt *g, struct peer *p, struct operation *o)
{
    static const struct gatt_outcome outcome = {.code = E_GATT_TIMEOUT};

    if (is_gatt(o)) {
        owe(p, o);
        p->timeouts++;
        if (p->timeouts >= TIMEOUTS_MAX || o->message.type == MESSAGE_GATT_GET_SERVICES_REQUEST)
            p->must_reopen = true;
    }
    land(g, p, o, &outcome);
}

void operations_expire(struct gatt *g, struct peer *p)
{
    for (struct operation *o = p->air, *next; o; o = next) {
        next = o->next;
        if (o->deadline > g->now)
            continue;
        if (o->is_command)
            command_is_old(g, p, o);
        else
            is_too_late(g, p, o);
    }
}

usec_t operations_deadline(const struct peer *p)
{
    usec_t due = USEC_NEVER;

    for (const struct operation *o = p->air; o; o = o->next)
        due = clock_earlier(due, o->deadline);
    if (p->line && may_go(p, p->line))
        due = clock_earlier(due, p->send_again_at);
    return due;
}

/* ---- the end ---- */

static bool needs_link(const struct operation *o)
{
    return o->message.type != MESSAGE_DEVICE_REQUEST;
}

/* Those of the list that are to end go over to the other one. */
static void move_ending(struct operation **list, uint16_t source, struct operation **ending)
{
    while (*list) {
        struct operation *o = *list;
        bool ends =
                source == LINK_NO_SOURCE ? needs_link(o) : !needs_link(o) && o->source == source;

        if (!ends) {
            list = &o->next;
            continue;
        }
        *list = o->next;
        append(ending, o);
    }
}

static void end_all(struct gatt *g, struct peer *p, uint16_t source,
                    const struct gatt_outcome *outcome)
{
    struct operation *ending = NULL;

    move_ending(&p->air, source, &ending);
    move_ending(&p->line, source, &ending);
    p->air_count = 0;
    for (struct operation *o = p->air; o; o = o->next)
        p->air_count++;
    while (ending) {
        struct operation *o = ending;

        ending = o->next;
        complete(g, p, o, outcome);
    }
}

void operations_end(struct gatt *g, struct peer *p, const struct gatt_outcome *outcome)
{
    p->owed_count = 0;
    p->timeouts = 0;
    p->acknowledges_commands = false;
    p->send_again_at = 0;
    end_all(g, p, LINK_NO_SOURCE, outcome);
}

void operations_end_of_source(struct gatt *g, struct peer *p, uint16_t source,
                              const struct gatt_outcome *outcome)
{
    end_all(g, p, source, outcome);
}

static void drop_list(struct operation *o)
{
    while (o) {
        struct operation *next = o->next;

        release(o);
        o = next;
    }
}

void operations_drop(struct peer *p)
{
    drop_list(TAKE(p->air));
    drop_list(TAKE(p->line));
}
