/* The story: a client sends a line, a row of a table handles it and builds the answer. A line that
 * is no JSON, asks for what is not known, or has a wrong value is answered with {"error": …}, where
 * faults of values carry their JSON pointers. A line that never ends, or a client that does not
 * read its answers, is dropped. */
#include "control.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ble/address.h"
#include "gatt_requests.h"

#define LINE_MAX_SIZE ((size_t) 256 * 1024)
#define WAITING_MAX   ((size_t) 64 * 1024 * 1024) /* octets of answers that a client has not read */
#define BACKLOG       16

struct control_client {
    uv_tcp_t tcp;
    struct control *control;
    struct control_client *next;
    struct buffer line;
    char octets[16384];
};

struct control {
    uv_loop_t *loop;
    uv_tcp_t listener;
    struct fleet *fleet; /* borrowed until control_close() */
    void (*on_quit)(void *user);
    void *user;
    bool is_quitting, is_closing;
    unsigned handles;
    struct control_client *clients;
    char address[CONTROL_ADDRESS_SIZE];
};

struct answer {
    uv_write_t request;
    char *text;
};

/* ---- requests ---- */

/* Each fills the answer, or notes faults at the request. */
typedef void handler(struct control *c, const struct spot *request, json_t *answer);

static void set_number(json_t *object, const char *key, uint64_t value)
{
    (void) json_object_set_new(object, key, json_integer((json_int_t) value));
}

static void set_text(json_t *object, const char *key, const char *text)
{
    (void) json_object_set_new(object, key, json_string(text));
}

static bool read_proxy(struct control *c, const struct spot *request, size_t *ret_number)
{
    struct spot spot = spot_member(request, "proxy");
    const char *name = spot_text(&spot, "");

    if (strcmp(name, "*") == 0) {
        *ret_number = SCENARIO_ALL;
        return true;
    }
    *ret_number = scenario_find_proxy(fleet_scenario(c->fleet), name);
    if (*ret_number == SIZE_MAX)
        spot_fault(&spot, "there is no proxy of that name");
    return *ret_number != SIZE_MAX;
}

static usec_t read_span(const struct spot *request, enum fault_kind kind)
{
    struct spot spot = spot_member(request, "seconds");
    if (spot.value == NULL)
        return fault_default_span(kind);
    return (usec_t) (spot_number(&spot, 0, 1e6, 0) * (double) USEC_PER_SEC);
}

static void do_fault(struct control *c, const struct spot *request, json_t *answer)
{
    struct spot name = spot_member(request, "fault"), octets = spot_member(request, "octets");
    enum fault_kind kind;
    size_t proxy;

    (void) answer;
    if (!read_proxy(c, request, &proxy))
        return;
    if (strcmp(spot_text(&name, ""), "clear") == 0) {
        fleet_clear(c->fleet, proxy);
        return;
    }
    if (!fault_from_name(spot_text(&name, ""), &kind)) {
        spot_fault(&name, "is no known fault");
        return;
    }
    usec_t span = read_span(request, kind);
    size_t size = (size_t) spot_integer(&octets, 1, FAULT_GARBAGE_MAX, FAULT_GARBAGE_SIZE);
    if (request->reader->faults > 0)
        return;
    if (fleet_fault(c->fleet, proxy, kind, span, size) != 0)
        spot_fault(&name, "makes no sense at a proxy without encryption");
}

static void do_clear(struct control *c, const struct spot *request, json_t *answer)
{
    size_t proxy;
    (void) answer;
    if (read_proxy(c, request, &proxy))
        fleet_clear(c->fleet, proxy);
}

static bool read_address(const struct spot *request, uint64_t *ret_address)
{
    struct spot spot = spot_member(request, "device");
    if (ble_address_parse(spot_text(&spot, ""), ret_address))
        return true;
    spot_fault(&spot, "must be an address");
    return false;
}

static void report_missing(const struct spot *request, int error)
{
    struct spot spot = spot_member(request, "device");
    if (error == -ENOENT)
        spot_fault(&spot, "there is no such device");
    else if (error == -EEXIST)
        spot_fault(&spot, "there is a device of this address already");
    else if (error != 0)
        spot_fault(&spot, "there are too many devices");
}

static void do_move(struct control *c, const struct spot *request, json_t *answer)
{
    struct spot to = spot_member(request, "to");
    struct world_place place;
    uint64_t address;

    (void) answer;
    if (read_address(request, &address) &&
        scenario_read_place(fleet_scenario(c->fleet), &to, &place))
        report_missing(request, world_move_device(fleet_world(c->fleet), address, &place));
}

static void do_remove(struct control *c, const struct spot *request, json_t *answer)
{
    uint64_t address;
    (void) answer;
    if (read_address(request, &address))
        report_missing(request, world_remove_device(fleet_world(c->fleet), address));
}

static void do_add(struct control *c, const struct spot *request, json_t *answer)
{
    struct spot spot = spot_member(request, "device");
    struct scenario_device device;
    char text[BLE_ADDRESS_TEXT_SIZE];

    if (!scenario_read_device(fleet_scenario(c->fleet), &spot, &device))
        return;
    report_missing(request,
                   world_add_device(fleet_world(c->fleet), &device.options, fleet_now(c->fleet)));
    ble_address_format(text, device.options.address);
    set_text(answer, "device", text);
    scenario_device_done(&device);
}

static void do_payload(struct control *c, const struct spot *request, json_t *answer)
{
    static const char *const KEYS[] = {"raw", "scan_response", "id", "kind", "row"};
    json_t *selector = json_object();
    struct spot spot = *request;
    struct payload payload;
    uint64_t address;

    (void) answer;
    for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++) {
        json_t *value = json_object_get(request->value, KEYS[i]);
        if (value != NULL)
            (void) json_object_set(selector, KEYS[i], value);
    }
    spot.value = selector;
    if (read_address(request, &address) &&
        scenario_read_payload(fleet_scenario(c->fleet), &spot, &payload))
        report_missing(request, world_set_payloads(fleet_world(c->fleet), address, &payload, 1));
    json_decref(selector);
}

static void do_interval(struct control *c, const struct spot *request, json_t *answer)
{
    struct spot spot = spot_member(request, "ms");
    double ms = spot_number(&spot, 1, 3600000, 0);
    uint64_t address;

    (void) answer;
    if (ms <= 0 && request->reader->faults == 0)
        spot_fault(&spot, "must be a number from 1 to 3600000");
    if (!read_address(request, &address) || request->reader->faults > 0)
        return;
    usec_t interval = (usec_t) (ms * (double) USEC_PER_MSEC);
    report_missing(request, world_set_interval(fleet_world(c->fleet), address, interval,
                                               fleet_now(c->fleet)));
}

/* ---- what goes wrong with links ---- */

static struct station *read_station(struct control *c, const struct spot *request)
{
    struct spot spot = spot_member(request, "proxy");
    size_t number = scenario_find_proxy(fleet_scenario(c->fleet), spot_text(&spot, ""));

    if (number != SIZE_MAX)
        return fleet_station(c->fleet, number);
    spot_fault(&spot, "there is no proxy of that name");
    return NULL;
}

static int32_t read_error(const struct spot *request, int32_t fallback)
{
    struct spot spot = spot_member(request, "error");
    return (int32_t) spot_integer(&spot, INT32_MIN, INT32_MAX, fallback);
}

static void report_slot(const struct spot *request, int error)
{
    struct spot spot = spot_member(request, "device");
    if (error == -ENOENT)
        spot_fault(&spot, "has no link there");
    else if (error == -EEXIST)
        spot_fault(&spot, "has a slot there already");
    else if (error != 0)
        spot_fault(&spot, "no slot is free");
}

static void do_drop(struct control *c, const struct spot *request, json_t *answer)
{
    struct station *station = read_station(c, request);
    int32_t error = read_error(request, ERROR_SUPERVISION_TIMEOUT);
    uint64_t address;

    (void) answer;
    if (station != NULL && read_address(request, &address) && request->reader->faults == 0)
        report_slot(request,
                    slots_drop(station_slots(station), address, error, fleet_now(c->fleet)));
}

static void do_leak(struct control *c, const struct spot *request, json_t *answer)
{
    struct station *station = read_station(c, request);
    uint64_t address;

    (void) answer;
    if (station != NULL && read_address(request, &address))
        report_slot(request, slots_leak(station_slots(station), address));
}

static void do_occupy(struct control *c, const struct spot *request, json_t *answer)
{
    struct station *station = read_station(c, request);
    uint64_t address;

    (void) answer;
    if (station != NULL && read_address(request, &address))
        report_slot(request, slots_occupy(station_slots(station), address, fleet_now(c->fleet)));
}

static void do_fail_next(struct control *c, const struct spot *request, json_t *answer)
{
    struct spot attempts = spot_member(request, "attempts");
    unsigned count = (unsigned) spot_integer(&attempts, 0, 1000000, 1);
    int32_t error = read_error(request, ERROR_NOT_ESTABLISHED);
    uint64_t address;

    (void) answer;
    if (read_address(request, &address) && request->reader->faults == 0)
        report_missing(request, world_fail_next(fleet_world(c->fleet), address, count, error));
}

/* ---- GATT ---- */

static void do_gatt(struct control *c, const struct spot *request, json_t *answer)
{
    gatt_request_view(fleet_world(c->fleet), request, answer);
}

static void do_change_gatt(struct control *c, const struct spot *request, json_t *answer)
{
    (void) answer;
    gatt_request_change(fleet_world(c->fleet), request);
}

static void do_set_value(struct control *c, const struct spot *request, json_t *answer)
{
    (void) answer;
    gatt_request_set(fleet_world(c->fleet), request, fleet_now(c->fleet));
}

static void do_fail_gatt(struct control *c, const struct spot *request, json_t *answer)
{
    (void) answer;
    gatt_request_fail(fleet_world(c->fleet), request);
}

static void do_forget_bonds(struct control *c, const struct spot *request, json_t *answer)
{
    (void) answer;
    gatt_request_forget_bonds(fleet_world(c->fleet), request);
}

/* ---- the status ---- */

static const char *scanner_name(enum scanner_state state)
{
    static const char *const NAMES[] = {"idle",   "starting", "running",
                                        "failed", "stopping", "stopped"};
    return NAMES[state];
}

static json_t *active_faults(const struct station *station)
{
    json_t *list = json_array();
    for (unsigned kind = 0; kind < FAULT_COUNT; kind++)
        if (station_has_fault(station, (enum fault_kind) kind))
            (void) json_array_append_new(list, json_string(fault_name((enum fault_kind) kind)));
    return list;
}

static json_t *slots_status(const struct station *station)
{
    const struct slots *slots = proxy_model_slots(station_model(station));
    char text[BLE_ADDRESS_TEXT_SIZE];
    struct slots_view view;
    json_t *list = json_array();

    for (size_t i = 0; slots_view(slots, i, &view); i++) {
        ble_address_format(text, view.address);
        (void) json_array_append_new(list,
                                     json_pack("{s:s, s:s, s:b, s:b, s:i}", "device", text, "state",
                                               view.state, "foreign", view.is_foreign, "paired",
                                               view.is_paired, "waiting", (int) view.waiting));
    }
    return list;
}

static json_t *bonds_status(const struct station *station)
{
    const struct bonds *bonds = slots_bonds(proxy_model_slots(station_model(station)));
    char text[BLE_ADDRESS_TEXT_SIZE];
    json_t *list = json_array();

    for (size_t i = 0; i < bonds->count; i++) {
        ble_address_format(text, bonds->who[i]);
        (void) json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *proxy_status(const struct station *station)
{
    const struct scenario_proxy *proxy = station_proxy(station);
    const struct proxy_model *model = station_model(station);
    const struct proxy_model_counters *counters = proxy_model_counters(model);
    int subscriber = proxy_model_subscriber(model);
    json_t *object = json_object();

    set_text(object, "name", proxy->name);
    set_number(object, "port", station_port(station));
    set_text(object, "profile", proxy->model.profile->name);
    set_number(object, "clients", station_clients(station));
    set_number(object, "connections_accepted", station_accepted(station));
    (void) json_object_set_new(object, "subscriber",
                               subscriber >= 0 ? json_integer(subscriber) : json_null());
    set_text(object, "mode", proxy_model_mode(model) == SCANNER_ACTIVE ? "active" : "passive");
    set_text(object, "scanner", scanner_name(proxy_model_scanner_state(model)));
    set_number(object, "heard", counters->heard);
    set_number(object, "advertisements_sent", counters->advertisements_sent);
    set_number(object, "advertisements_dropped", counters->advertisements_dropped);
    set_number(object, "messages_sent", counters->messages_sent);
    set_number(object, "slots_limit", proxy->model.slots.limit);
    (void) json_object_set_new(object, "slots", slots_status(station));
    (void) json_object_set_new(object, "bonds", bonds_status(station));
    (void) json_object_set_new(object, "faults", active_faults(station));
    return object;
}

static json_t *device_status(struct control *c, size_t number)
{
    const struct world *world = fleet_world(c->fleet);
    const struct scenario *scenario = fleet_scenario(c->fleet);
    struct world_device_view device = world_device(world, number);
    json_t *object = json_object(), *rssi = json_object();
    char text[BLE_ADDRESS_TEXT_SIZE];

    ble_address_format(text, device.address);
    set_text(object, "address", text);
    set_number(object, "address_type", device.address_type);
    set_text(object, "name", device.label);
    (void) json_object_set_new(
            object, "at",
            json_pack("[f, f, i]", device.place.x, device.place.y, device.place.floor));
    (void) json_object_set_new(object, "interval_ms",
                               json_real((double) device.interval / (double) USEC_PER_MSEC));
    set_number(object, "events", device.events);
    (void) json_object_set_new(object, "connectable", json_boolean(device.is_connectable));
    set_number(object, "links", device.links);
    for (size_t i = 0; i < scenario->proxies_count; i++)
        (void) json_object_set_new(rssi, scenario->proxies[i].name,
                                   json_real(world_device_mean_rssi(world, number, i)));
    (void) json_object_set_new(object, "mean_rssi", rssi);
    return object;
}

static void do_status(struct control *c, const struct spot *request, json_t *answer)
{
    struct spot wants_devices = spot_member(request, "devices");
    json_t *proxies = json_array(), *devices = json_array();

    for (size_t i = 0; i < fleet_station_count(c->fleet); i++)
        (void) json_array_append_new(proxies, proxy_status(fleet_station(c->fleet, i)));
    (void) json_object_set_new(answer, "proxies", proxies);
    if (spot_bool(&wants_devices, true))
        for (size_t i = 0; i < world_device_count(fleet_world(c->fleet)); i++)
            (void) json_array_append_new(devices, device_status(c, i));
    (void) json_object_set_new(answer, "devices", devices);
}

static void do_quit(struct control *c, const struct spot *request, json_t *answer)
{
    (void) request;
    (void) answer;
    c->is_quitting = true;
}

struct request_row {
    const char *name;
    handler *handle;
    const char *members[9]; /* "do" is always allowed */
};

static const struct request_row REQUESTS[] = {
        {"fault", do_fault, {"do", "proxy", "fault", "seconds", "octets"}},
        {"clear", do_clear, {"do", "proxy"}},
        {"move", do_move, {"do", "device", "to"}},
        {"add", do_add, {"do", "device"}},
        {"remove", do_remove, {"do", "device"}},
        {"payload", do_payload, {"do", "device", "raw", "scan_response", "id", "kind", "row"}},
        {"interval", do_interval, {"do", "device", "ms"}},
        {"drop_link", do_drop, {"do", "proxy", "device", "error"}},
        {"leak_slot", do_leak, {"do", "proxy", "device"}},
        {"occupy_slot", do_occupy, {"do", "proxy", "device"}},
        {"fail_next", do_fail_next, {"do", "device", "attempts", "error"}},
        {"gatt", do_gatt, {"do", "device"}},
        {"change_gatt", do_change_gatt, {"do", "device"}},
        {"set_value", do_set_value, {"do", "device", "handle", "value"}},
        {"fail_gatt", do_fail_gatt, {"do", "device", "handle", "times", "error"}},
        {"forget_bonds", do_forget_bonds, {"do", "device"}},
        {"status", do_status, {"do", "devices"}},
        {"quit", do_quit, {"do"}},
};

static void dispatch(struct control *c, const struct spot *request, json_t *answer)
{
    struct spot what = spot_member(request, "do");
    const char *name = spot_text(&what, "");

    for (size_t i = 0; i < ARRAY_SIZE(REQUESTS); i++) {
        if (strcmp(REQUESTS[i].name, name) != 0)
            continue;
        if (spot_expect_object(request, REQUESTS[i].members))
            REQUESTS[i].handle(c, request, answer);
        return;
    }
    spot_fault(&what, "is no known request");
}

/* The answer to one line: its text, ending in a line feed, to be freed. */
static char *answer_line(struct control *c, const char *line, size_t size)
{
    struct reader reader = {0};
    json_error_t error;
    json_t *document = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
    json_t *answer = json_object();
    struct spot request = reader_root(&reader, document);
    struct buffer text = {0};

    (void) json_object_set_new(answer, "ok", json_true());
    if (!json_is_object(document))
        spot_fault(&request, "a line must be a JSON object%s%s", document == NULL ? ": " : "",
                   error.text);
    else
        dispatch(c, &request, answer);
    if (reader.faults > 0) {
        json_decref(answer);
        char *faults AUTO_FREE = buffer_take_text(&reader.text);
        faults[strcspn(faults, "\n")] = '\0'; /* the first says enough */
        answer = json_pack("{s:s}", "error", faults);
    }
    char *dump AUTO_FREE = json_dumps(answer, JSON_COMPACT);
    buffer_append_text(&text, dump != NULL ? dump : "{\"error\":\"not UTF-8\"}");
    buffer_append_char(&text, '\n');
    json_decref(answer);
    json_decref(document);
    reader_done(&reader);
    return buffer_take_text(&text);
}

/* ---- the wire ---- */

static void maybe_free(struct control *c)
{
    if (c->is_closing && c->handles == 0)
        free(c);
}

static void on_client_closed(uv_handle_t *handle)
{
    struct control_client *client = handle->data;
    struct control *c = client->control;

    buffer_done(&client->line);
    free(client);
    c->handles--;
    maybe_free(c);
}

static void close_client(struct control_client *client)
{
    struct control_client **link = &client->control->clients;

    if (uv_is_closing((uv_handle_t *) &client->tcp))
        return;
    while (*link != NULL && *link != client)
        link = &(*link)->next;
    if (*link == client)
        *link = client->next;
    uv_close((uv_handle_t *) &client->tcp, on_client_closed);
}

static void on_answered(uv_write_t *request, int status)
{
    struct answer *answer = request->data;
    struct control_client *client = request->handle->data;

    free(answer->text);
    free(answer);
    if (status < 0)
        close_client(client);
}

/* Takes text over. */
static void send_answer(struct control_client *client, char *text)
{
    struct answer *answer = xnew(struct answer, 1);
    uv_buf_t buffer = uv_buf_init(text, (unsigned) strlen(text));

    answer->request.data = answer;
    answer->text = text;
    if (uv_stream_get_write_queue_size((uv_stream_t *) &client->tcp) <= WAITING_MAX &&
        uv_write(&answer->request, (uv_stream_t *) &client->tcp, &buffer, 1, on_answered) == 0)
        return;
    free(text);
    free(answer);
    close_client(client);
}

static void answer_lines(struct control_client *client)
{
    struct control *c = client->control;
    const uint8_t *end;

    while (buffer_size(&client->line) > 0 && !c->is_quitting &&
           !uv_is_closing((uv_handle_t *) &client->tcp) &&
           (end = memchr(buffer_front(&client->line), '\n', buffer_size(&client->line))) != NULL) {
        const char *line = (const char *) buffer_front(&client->line);
        size_t size = (size_t) (end - buffer_front(&client->line));
        send_answer(client, answer_line(c, line, size));
        buffer_consume(&client->line, size + 1);
    }
    if (buffer_size(&client->line) > LINE_MAX_SIZE)
        close_client(client);
    if (c->is_quitting)
        c->on_quit(c->user);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    struct control_client *client = handle->data;
    (void) suggested;
    *ret_buffer = uv_buf_init(client->octets, sizeof(client->octets));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct control_client *client = stream->data;

    if (size < 0) {
        close_client(client);
        return;
    }
    buffer_append(&client->line, buffer->base, (size_t) size);
    answer_lines(client);
}

static void on_connect(uv_stream_t *listener, int status)
{
    struct control *c = listener->data;

    if (status < 0 || c->is_closing)
        return;
    struct control_client *client = xnew(struct control_client, 1);
    client->control = c;
    if (uv_tcp_init(c->loop, &client->tcp) != 0) {
        free(client);
        return;
    }
    client->tcp.data = client;
    c->handles++;
    client->next = c->clients;
    c->clients = client;
    if (uv_accept(listener, (uv_stream_t *) &client->tcp) != 0 ||
        uv_read_start((uv_stream_t *) &client->tcp, on_alloc, on_read) != 0)
        close_client(client);
}

/* ---- life ---- */

static int parse_address(const char *text, struct sockaddr_in *ret_address)
{
    char host[CONTROL_ADDRESS_SIZE];
    const char *colon = strrchr(text, ':');
    char *end;

    if (colon == NULL || (size_t) (colon - text) >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, (size_t) (colon - text));
    host[colon - text] = '\0';
    long port = strtol(colon + 1, &end, 10);
    if (end == colon + 1 || *end != '\0' || port < 0 || port > 65535)
        return -EINVAL;
    return uv_ip4_addr(host, (int) port, ret_address);
}

static int listen_at(struct control *c, const struct sockaddr_in *wanted)
{
    struct sockaddr_in address;
    int size = sizeof(address);
    char host[INET_ADDRSTRLEN];
    int error = uv_tcp_bind(&c->listener, (const struct sockaddr *) wanted, 0);

    if (error == 0)
        error = uv_listen((uv_stream_t *) &c->listener, BACKLOG, on_connect);
    if (error == 0)
        error = uv_tcp_getsockname(&c->listener, (struct sockaddr *) &address, &size);
    if (error == 0)
        error = uv_ip4_name(&address, host, sizeof(host));
    if (error != 0)
        return error;
    (void) snprintf(c->address, sizeof(c->address), "%s:%u", host, ntohs(address.sin_port));
    return 0;
}

int control_new(uv_loop_t *loop, struct fleet *fleet, const char *address,
                void (*on_quit)(void *user), void *user, struct control **ret_control)
{
    struct sockaddr_in wanted;
    struct control *c = xnew(struct control, 1);
    int error = parse_address(address, &wanted);

    c->loop = loop;
    c->fleet = fleet;
    c->on_quit = on_quit;
    c->user = user;
    if (error == 0)
        error = uv_tcp_init(loop, &c->listener);
    if (error != 0) {
        free(c);
        return error;
    }
    c->listener.data = c;
    c->handles = 1;
    error = listen_at(c, &wanted);
    if (error != 0) {
        control_close(c);
        return error;
    }
    *ret_control = c;
    return 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct control *c = handle->data;
    c->handles--;
    maybe_free(c);
}

void control_close(struct control *c)
{
    assert(!c->is_closing);
    c->is_closing = true;
    while (c->clients != NULL)
        close_client(c->clients);
    uv_close((uv_handle_t *) &c->listener, on_listener_closed);
}

const char *control_address(const struct control *c)
{
    return c->address;
}
