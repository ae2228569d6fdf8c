/* A request to the API, against a small house: an octet chooses role and abilities, then come
 * lines: method, target, Content-Type, If-None-Match, Last-Event-ID; what is left is the body.
 *
 * Each request is answered exactly once: at once, or by the deadline that it named itself, or when
 * everything stops. The answer has a status that the contract knows, never 500; JSON is JSON, and a
 * refusal is a problem document whose code and status are there. A stream that comes is read to the
 * end of what it has, and freed. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "fake_gatts.h"
#include "fake_links.h"
#include "fuzz_target.h"
#include "rest/rest.h"

#define WAIT_MAX  (601 * USEC_PER_SEC) /* longer than any wait_ms or timeout_ms */
#define READS_MAX 64                   /* of a stream */
#define LEVEL     14                   /* a characteristic's handle */

enum { /* 3: the role */
       BIT_STREAMS = 4,
       BIT_GZIP = 8,
       BIT_LATE_DEVICE = 16,
       BIT_STOP = 32,
       BIT_CANCEL = 64,
       BIT_OCTETS = 128,
};

static const char house[] =
        "{\"limits\":{\"body_bytes\":1024,\"devices\":100,\"event_ring\":64,\"sse_queue\":16},"
        "\"proxies\":["
        "{\"name\":\"kitchen\",\"host\":\"192.0.2.10\",\"area\":\"Down\"},"
        "{\"name\":\"attic\",\"host\":\"192.0.2.11\",\"area\":\"Up\"},"
        "{\"name\":\"cellar\",\"host\":\"192.0.2.12\",\"enabled\":false}],"
        "\"devices\":[{\"address\":\"A4:C1:38:12:AB:56\",\"alias\":\"Cellar\",\"area\":\"Down\"}]}";

/* A name, flags, a UUID list, service data, manufacturer data. */
static const uint8_t heard[] = {2,    1,    6,    3,    3,   0xaa, 0xfe, 5,    0x16,
                                0xd2, 0xfc, 0x40, 0x01, 5,   0xff, 0x4c, 0x00, 0x02,
                                0x15, 6,    9,    'T',  'h', 'e',  'r',  'm'};

struct house {
    struct gateway *gateway;
    struct rest *rest;
    size_t answers;
};

static void add_device(struct gateway *g, uint64_t address, int8_t rssi)
{
    struct fake_device *d = fake_gateway_add(g, address);

    d->facts.rssi = rssi;
    d->facts.rssi_smoothed = rssi == 0 ? NAN : rssi;
    fake_gateway_hear(g, d, "kitchen", heard, sizeof heard);
    fake_gateway_change(g, GATEWAY_DEVICE_FIRST_SEEN, d);
}

/* Read once: it does not change. */
static const struct config *configuration(void)
{
    static struct config *config;

    if (!config)
        config = fake_config(house);
    return config;
}

static const struct gatt_entry *level_of(const struct gatt_tree *tree)
{
    return gatt_tree_at(tree, GATT_CHARACTERISTIC, LEVEL);
}

static struct gatt_tree *make_tree(void)
{
    const struct ble_uuid service = ble_uuid_from_short(0x180f),
                          level = ble_uuid_from_short(0x2a19);
    struct gatt_tree *tree = gatt_tree_new();

    (void) gatt_tree_add(tree, GATT_SERVICE, &service, LEVEL - 2, 0);
    (void) gatt_tree_add(tree, GATT_CHARACTERISTIC, &level, LEVEL, GATT_READ | GATT_NOTIFY);
    return tree;
}

static void open_house(struct house *h)
{
    h->gateway = fake_gateway_new(configuration());
    add_device(h->gateway, UINT64_C(0xc0ffee000001), -60);
    add_device(h->gateway, UINT64_C(0xa4c13812ab56), -50);
    add_device(h->gateway, UINT64_C(0xffffffffffff), 0);
    add_device(h->gateway, UINT64_C(0x000000000001), -70);
    (void) fake_links_add(h->gateway, UINT64_C(0xc0ffee000001), "kitchen");
    fake_links_take_slot(h->gateway, 0, UINT64_C(0xc0ffee000001), "ours");
    fake_links_take_slot(h->gateway, 0, UINT64_C(0x000000000001), "orphan");
    fake_gatts_know(h->gateway, UINT64_C(0xc0ffee000001), make_tree(), NULL);
    h->rest = rest_new(h->gateway);
    rest_set_boot(h->rest, 0x1234abcd);
    h->answers = 0;
}

static void close_house(struct house *h)
{
    rest_free(h->rest);
    fake_gateway_free(h->gateway);
}

/* ---- what an answer must be ---- */

static bool is_status_of_contract(int status)
{
    static const int known[] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406,
                                409, 410, 412, 413, 415, 422, 429, 501, 502, 503, 504};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (known[i] == status)
            return true;
    }
    return false;
}

static bool has_type(const struct answer *a, const char *type)
{
    return a->content_type && strncmp(a->content_type, type, strlen(type)) == 0;
}

static void check_problem(const json_t *problem, int status)
{
    const json_t *code = json_object_get(problem, "code");

    if (!json_is_string(code) || json_string_length(code) == 0 ||
        json_integer_value(json_object_get(problem, "status")) != status)
        abort();
}

static void check_body(const struct answer *a)
{
    const bool is_problem = has_type(a, "application/problem+json");
    json_t *json;

    if ((a->status >= 400) != is_problem && !(a->status == 503 && has_type(a, "application/json")))
        abort(); /* /readyz says 503 in its own words */
    if (a->body_is_static || (!is_problem && !has_type(a, "application/json")))
        return;
    json = json_loadb(a->body, a->body_size, 0, NULL);
    if (!json)
        abort();
    if (is_problem)
        check_problem(json, a->status);
    json_decref(json);
}

/* Headers go out as lines. */
static void check_headers(const struct answer *a)
{
    for (size_t i = 0; i < a->headers_count; i++) {
        if (strpbrk(a->headers[i].value, "\r\n"))
            abort();
    }
}

static void on_wake(void *user)
{
    (void) user;
}

static void read_stream(struct answer_stream *stream)
{
    char text[512];
    ptrdiff_t size = 1;

    stream->on_wake = on_wake;
    stream->on_stalled = on_wake;
    for (size_t i = 0; i < READS_MAX && size > 0; i++) {
        size = stream->read(stream, text, sizeof text);
        if (size > (ptrdiff_t) sizeof text || size < ANSWER_STREAM_END)
            abort();
    }
}

static void check_answer(struct house *h, struct answer *a)
{
    if (!is_status_of_contract(a->status))
        abort();
    check_headers(a);
    if (!a->stream) {
        check_body(a);
        return;
    }
    read_stream(a->stream);
    add_device(h->gateway, 5, -40);
    fake_gateway_advance(h->gateway, USEC_PER_SEC);
    read_stream(a->stream);
}

/* ---- the request ---- */

static void on_done(struct rest_request *request)
{
    ++*(size_t *) request->user;
}

/* Cuts a line off the front, in place; NULL when it is empty. */
static char *take_line(char **rest)
{
    char *line = *rest, *end = strchr(line, '\n');

    *rest = end ? end + 1 : line + strlen(line);
    if (end)
        *end = '\0';
    return *line ? line : NULL;
}

/* The gateway answers a request for a link in one of its ways. */
static void answer_link(struct house *h, uint8_t options)
{
    static const int codes[] = {0, E_NO_ROUTE, E_NO_FREE_SLOT, E_CONNECT_TIMEOUT};
    const struct gateway_link_answer answer = {
            .code = codes[options % ARRAY_SIZE(codes)], .lease = "L1", .expires = FAKE_START};

    if (fake_links_request(h->gateway))
        fake_links_answer(h->gateway, &answer);
}

static void answer_gatt_once(struct house *h, uint8_t options)
{
    static const int codes[] = {0, E_GATT_ERROR, E_CHARACTERISTIC_AMBIGUOUS, E_VALUE_TOO_LONG};
    static const uint16_t handles[] = {LEVEL, 1};
    const struct gateway_gatt_wish *wish = fake_gatts_request(h->gateway, 0);
    struct gateway_gatt_answer answer = {.code = codes[options % ARRAY_SIZE(codes)],
                                         .handle = LEVEL,
                                         .value = {heard, options % sizeof heard},
                                         .max = 20,
                                         .handles = handles,
                                         .handles_count = ARRAY_SIZE(handles),
                                         .lease = "L1",
                                         .expires = FAKE_START};
    uint64_t address = wish->link.address;
    struct gateway_gatt_subscription held;
    struct gateway_gatt known;

    (void) gateway_get_gatt(h->gateway, UINT64_C(0xc0ffee000001), &known);
    answer.gatt = &known;
    answer.entry = level_of(known.tree);
    if (wish->verb == GATEWAY_GATT_SUBSCRIBE && answer.code == 0 &&
        !gateway_get_gatt_subscription(h->gateway, address, 0, &held))
        fake_gatts_hold(h->gateway, address, answer.entry, "notify", "L1");
    fake_gatts_answer(h->gateway, &answer);
}

/* A stream asks for one subscription after the other. */
static void answer_gatt(struct house *h, uint8_t options)
{
    while (fake_gatts_request(h->gateway, 0))
        answer_gatt_once(h, options);
}

/* Changes of the configuration and of the fleet. */
static void answer_orders(struct house *h, uint8_t options)
{
    static const int causes[] = {0, E_CONFLICT, E_PRECONDITION_FAILED, E_OVERLOADED};
    char holder[] = "hall";
    struct config_edited edited = {.holder = holder, .is_changed = true};

    while (fake_gateway_order(h->gateway))
        fake_gateway_finish_order(h->gateway, causes[options % ARRAY_SIZE(causes)], &edited);
}

static void answer_backup(struct house *h)
{
    if (fake_gateway_backups(h->gateway)->is_asked)
        fake_gateway_end_backup(h->gateway, E_OVERLOADED, /* backup= */ NULL);
}

/* One way or the other, the answer must come. */
static void wait_for_answer(struct house *h, struct rest_request *request, uint8_t options)
{
    if (options & BIT_CANCEL) {
        rest_cancel(h->rest, request, E_CANCELLED);
        return;
    }
    if (options & BIT_STOP)
        rest_stop(h->rest);
    if (options & BIT_LATE_DEVICE)
        add_device(h->gateway, 3, -30);
    answer_link(h, options);
    answer_gatt(h, options);
    answer_orders(h, options);
    answer_backup(h);
    fake_gateway_advance(h->gateway, WAIT_MAX);
    fake_gateway_turn(h->gateway);
}

static void submit(struct house *h, struct rest_request *request, uint8_t options)
{
    if (rest_submit(h->rest, request) == REST_ANSWERED)
        on_done(request);
    else if (h->answers != 0)
        abort(); /* from inside submit */
    else
        wait_for_answer(h, request, options);
    if (h->answers != 1)
        abort();
    check_answer(h, &request->answer);
    answer_done(&request->answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rest_request request = {.done = on_done, .user_agent = "fuzz", .remote = "192.0.2.1:1"};
    char *text AUTO_FREE = xnew(char, size + 1);
    const char *method, *target;
    char *rest = text;
    struct house h;

    if (size < 1)
        return 0;
    memcpy(text, data + 1, size - 1);
    method = take_line(&rest);
    target = take_line(&rest);
    request.method = method ? method : "GET";
    request.target = target ? target : "/";
    request.content_type = take_line(&rest);
    request.if_none_match = take_line(&rest);
    request.last_event_id = take_line(&rest);
    request.body = rest;
    request.body_size = (size_t) (text + size - 1 - rest);
    request.role = (enum rest_role)(data[0] & 3);
    request.takes_streams = data[0] & BIT_STREAMS;
    request.accepts_gzip = data[0] & BIT_GZIP;
    request.accept = data[0] & BIT_OCTETS ? "application/octet-stream" : NULL;
    request.user = &h.answers;
    open_house(&h);
    submit(&h, &request, data[0]);
    close_house(&h);
    return 0;
}
