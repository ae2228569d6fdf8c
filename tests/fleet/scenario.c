/* The story: rooms, then proxies, then devices, then faults, because each refers to those before. A
 * value that is wrong is noted and replaced by its default, and reading goes on; in the end a
 * document with any fault gives no scenario.
 *
 * Lists of proxies and devices hold single ones and generators ("count"), in any mixture. A
 * generator draws what it was not told from dice that are seeded with the scenario's seed and its
 * place in the list. */
#include "scenario.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ble/address.h"
#include "dice.h"

#define ESPRESSIF_OUI  0x246f28000000u
#define ROW_ADDRESS    0xc0de00000000u /* random static, + the row's line */
#define COORDINATE_MAX 10000.0
#define SPACING        6.0 /* metres between generated proxies where there are no rooms */
#define DEFAULT_TX_DBM (-59.0)

/* ---- small parts ---- */

static bool copy_name(char *ret_name, size_t size, const struct spot *spot, const char *text)
{
    if (strlen(text) >= size) {
        spot_fault(spot, "has more than %zu octets", size - 1);
        return false;
    }
    (void) snprintf(ret_name, size, "%s", text);
    return true;
}

static usec_t seconds_to_usec(double seconds)
{
    return (usec_t) (seconds * (double) USEC_PER_SEC);
}

static usec_t spot_seconds(const struct spot *object, const char *key, usec_t fallback)
{
    struct spot spot = spot_member(object, key);
    if (spot.value == NULL)
        return fallback;
    return seconds_to_usec(spot_number(&spot, 0, 1e6, 0));
}

static const struct world_room *find_room(const struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->rooms_count; i++)
        if (strcmp(s->rooms[i].name, name) == 0)
            return &s->rooms[i];
    return NULL;
}

static const struct world_room *read_room_name(const struct scenario *s, const struct spot *spot)
{
    const char *name = spot_text(spot, NULL);
    if (name == NULL)
        return NULL;
    const struct world_room *room = find_room(s, name);
    if (room == NULL)
        spot_fault(spot, "there is no room of that name");
    return room;
}

bool scenario_read_place(const struct scenario *s, const struct spot *spot,
                         struct world_place *ret_place)
{
    if (json_is_string(spot->value)) {
        const struct world_room *room = read_room_name(s, spot);
        if (room == NULL)
            return false;
        *ret_place = world_room_centre(room);
        return true;
    }
    size_t size = json_array_size(spot->value);
    if (size != 2 && size != 3) {
        spot_fault(spot, "must be the name of a room, [x, y] or [x, y, floor]");
        return false;
    }
    size_t faults = spot->reader->faults;
    struct spot x = spot_item(spot, 0), y = spot_item(spot, 1), floor = spot_item(spot, 2);
    struct world_place place = {
            .x = spot_number(&x, -COORDINATE_MAX, COORDINATE_MAX, 0),
            .y = spot_number(&y, -COORDINATE_MAX, COORDINATE_MAX, 0),
            .floor = (int) spot_integer(&floor, -10, 100, 0),
    };
    if (spot->reader->faults != faults)
        return false;
    *ret_place = place;
    return true;
}

static struct world_place place_in_room(const struct world_room *room, struct dice *dice)
{
    double margin = fmin(0.5, fmin(room->right - room->left, room->top - room->bottom) / 4);
    return (struct world_place){
            .x = dice_between(dice, room->left + margin, room->right - margin),
            .y = dice_between(dice, room->bottom + margin, room->top - margin),
            .floor = room->floor,
    };
}

/* "at" or "room" of an object: false when it has neither, or a wrong one. */
static bool read_where(const struct scenario *s, const struct spot *object,
                       struct world_place *ret_place, const struct world_room **ret_room)
{
    struct spot at = spot_member(object, "at");
    struct spot room_spot = spot_member(object, "room");
    const struct world_room *room = read_room_name(s, &room_spot);

    if (room != NULL && ret_room != NULL)
        *ret_room = room;
    if (at.value != NULL)
        return scenario_read_place(s, &at, ret_place);
    if (room == NULL)
        return false;
    *ret_place = world_room_centre(room);
    return true;
}

static struct luck_span read_span_ms(const struct spot *object, const char *key, double max_ms,
                                     const struct luck_span *fallback)
{
    struct spot spot = spot_member(object, key);
    if (spot.value == NULL)
        return *fallback;
    struct spot_range ms = spot_range(&spot, 0, max_ms, 0);
    return (struct luck_span){.low = (usec_t) (ms.low * (double) USEC_PER_MSEC),
                              .high = (usec_t) (ms.high * (double) USEC_PER_MSEC)};
}

static int32_t read_error(const struct spot *spot, int32_t fallback)
{
    return (int32_t) spot_integer(spot, INT32_MIN, INT32_MAX, fallback);
}

/* A list of error numbers; more than once is more likely. */
static void read_errors(const struct spot *object, const char *key, struct luck_errors *ret_errors)
{
    struct spot spot = spot_member(object, key);

    ret_errors->count = spot_items(&spot, LUCK_ERRORS_MAX);
    for (size_t i = 0; i < ret_errors->count; i++) {
        struct spot number = spot_item(&spot, i);
        ret_errors->numbers[i] = read_error(&number, 0);
        if (ret_errors->numbers[i] == 0)
            spot_fault(&number, "must be a number other than 0");
    }
}

/* ---- rooms and radio ---- */

static void read_radio(struct scenario *s, const struct spot *root)
{
    static const char *const NAMES[] = {"path_loss_exponent", "noise_db",     "wall_db", "floor_db",
                                        "sensitivity_dbm",    "floor_height", NULL};
    struct spot radio = spot_member(root, "radio");

    if (radio.value != NULL)
        (void) spot_expect_object(&radio, NAMES);
    struct spot exponent = spot_member(&radio, "path_loss_exponent");
    struct spot noise = spot_member(&radio, "noise_db");
    struct spot wall = spot_member(&radio, "wall_db");
    struct spot floor = spot_member(&radio, "floor_db");
    struct spot sensitivity = spot_member(&radio, "sensitivity_dbm");
    struct spot height = spot_member(&radio, "floor_height");
    s->radio = (struct world_radio){
            .exponent = spot_number(&exponent, 0, 10, 2.2),
            .noise_db = spot_number(&noise, 0, 30, 4),
            .wall_db = spot_number(&wall, 0, 100, 5),
            .floor_db = spot_number(&floor, 0, 100, 12),
            .sensitivity_dbm = spot_number(&sensitivity, -127, 0, -95),
            .floor_height = spot_number(&height, 1, 100, 2.7),
    };
}

static void read_room(struct scenario *s, const struct spot *spot)
{
    static const char *const NAMES[] = {"name", "rect", "floor", NULL};
    struct world_room room = {.right = 1, .top = 1};
    double *edges[] = {&room.left, &room.bottom, &room.right, &room.top};

    if (!spot_expect_object(spot, NAMES))
        return;
    struct spot name = spot_member(spot, "name");
    struct spot rect = spot_member(spot, "rect");
    struct spot floor = spot_member(spot, "floor");
    const char *text = spot_text(&name, "");
    room.floor = (int) spot_integer(&floor, -10, 100, 0);
    if (json_array_size(rect.value) != 4) {
        spot_fault(&rect, "must be [left, bottom, right, top]");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
        struct spot edge = spot_item(&rect, i);
        *edges[i] = spot_number(&edge, -COORDINATE_MAX, COORDINATE_MAX, *edges[i]);
    }
    if (room.left >= room.right || room.bottom >= room.top)
        spot_fault(&rect, "has no area");
    if (text[0] == '\0')
        spot_fault(&name, "must be a text that is not empty");
    if (find_room(s, text) != NULL)
        spot_fault(&name, "is there already");
    if (copy_name(room.name, sizeof(room.name), &name, text))
        s->rooms[s->rooms_count++] = room;
}

static void read_rooms(struct scenario *s, const struct spot *root)
{
    struct spot rooms = spot_member(root, "rooms");
    size_t count = spot_items(&rooms, WORLD_ROOMS_MAX);

    s->rooms = xnew(struct world_room, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct spot room = spot_item(&rooms, i);
        read_room(s, &room);
    }
}

/* ---- proxies ---- */

size_t scenario_find_proxy(const struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->proxies_count; i++)
        if (strcmp(s->proxies[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

static bool is_mac_taken(const struct scenario *s, uint64_t mac)
{
    for (size_t i = 0; i < s->proxies_count; i++)
        if (s->proxies[i].mac == mac || s->proxies[i].mac + 2 == mac ||
            s->proxies[i].mac == mac + 2)
            return true;
    return false;
}

static uint64_t made_up_mac(const struct scenario *s, const char *name)
{
    uint64_t mac = ESPRESSIF_OUI | (dice_mix_text(s->seed, name) & 0xfffff8);
    while (is_mac_taken(s, mac))
        mac = ESPRESSIF_OUI | ((mac + 8) & 0xffffff);
    return mac;
}

static void made_up_key(uint8_t ret_key[KEY_SIZE], uint64_t seed, const char *name)
{
    struct dice dice;
    dice_seed(&dice, dice_mix_text(dice_mix(seed, 1), name));
    for (unsigned i = 0; i < KEY_SIZE; i++)
        ret_key[i] = (uint8_t) dice_below(&dice, 256);
}

static bool is_host_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_");
    return length > 0 && length < SCENARIO_NAME_SIZE && name[length] == '\0';
}

/* true: a key made up from the name; a text: the key itself. */
static void read_key(const struct scenario *s, const struct spot *spot,
                     struct scenario_proxy *proxy)
{
    if (spot->value == NULL || json_is_false(spot->value) || json_is_null(spot->value))
        return;
    proxy->is_encrypted = true;
    made_up_key(proxy->key, s->seed, proxy->name);
    if (json_is_true(spot->value))
        return;
    if (!json_is_string(spot->value) || !key_parse(json_string_value(spot->value), proxy->key))
        spot_fault(spot, "must be true, false or the base64 of 32 octets");
}

static bool member_bool(const struct spot *object, const char *key, bool fallback)
{
    struct spot spot = spot_member(object, key);
    return spot_bool(&spot, fallback);
}

static double member_number(const struct spot *object, const char *key, double max, double fallback)
{
    struct spot spot = spot_member(object, key);
    return spot_number(&spot, 0, max, fallback);
}

/* … and what is done on them. */
static void read_gatt_firmware(const struct spot *firmware, struct slots_options *slots)
{
    static const char *const NAMES[] = {
            "packs_services", "short_uuids",  "restarts_list",   "repeats_list",   "breaks",
            "tells_breaks",   "owes_answers", "silent_commands", "keeps_services", NULL};
    struct spot spot = spot_member(firmware, "gatt");
    struct gatt_client_options *gatt = &slots->gatt;

    if (spot.value == NULL || !spot_expect_object(&spot, NAMES))
        return;
    gatt->is_packing = member_bool(&spot, "packs_services", gatt->is_packing);
    gatt->has_short_uuids = member_bool(&spot, "short_uuids", gatt->has_short_uuids);
    gatt->is_restarting = member_bool(&spot, "restarts_list", gatt->is_restarting);
    gatt->is_repeating = member_bool(&spot, "repeats_list", gatt->is_repeating);
    gatt->breaks = member_number(&spot, "breaks", 1, gatt->breaks);
    gatt->is_broken_told = member_bool(&spot, "tells_breaks", gatt->is_broken_told);
    gatt->is_owing = member_bool(&spot, "owes_answers", gatt->is_owing);
    gatt->is_command_silent = member_bool(&spot, "silent_commands", gatt->is_command_silent);
    slots->keeps_services = member_bool(&spot, "keeps_services", slots->keeps_services);
}

/* How the firmware treats connections, where it differs from its profile. */
static void read_firmware(const struct spot *spot, struct proxy_model_options *model)
{
    static const char *const NAMES[] = {"features",
                                        "list",
                                        "early_release",
                                        "double_disconnect",
                                        "silent_connecting",
                                        "leaking",
                                        "close_ms",
                                        "give_up_ms",
                                        "refusal",
                                        "failure",
                                        "errors",
                                        "first_version",
                                        "gatt",
                                        NULL};
    struct slots_options *slots = &model->slots;

    if (spot->value == NULL || !spot_expect_object(spot, NAMES))
        return;
    struct spot features = spot_member(spot, "features"), list = spot_member(spot, "list");
    model->features = (uint32_t) spot_integer(&features, 0, UINT16_MAX, model->features);
    if (list.value != NULL && !slots_list_from_name(spot_text(&list, ""), &slots->list))
        spot_fault(&list, "must be right, absent, longer, shorter or other");
    slots->is_early_release = member_bool(spot, "early_release", slots->is_early_release);
    slots->is_double_disconnect =
            member_bool(spot, "double_disconnect", slots->is_double_disconnect);
    slots->is_silent_connecting = member_bool(spot, "silent_connecting", false);
    slots->is_leaking = member_bool(spot, "leaking", false);
    slots->close = read_span_ms(spot, "close_ms", 60000, &slots->close);
    slots->give_up = (usec_t) (member_number(spot, "give_up_ms", 600000,
                                             (double) (slots->give_up / USEC_PER_MSEC)) *
                               (double) USEC_PER_MSEC);
    slots->refusal = member_number(spot, "refusal", 1, 0);
    slots->failure = member_number(spot, "failure", 1, 0);
    read_errors(spot, "errors", &slots->failures);
    slots->has_first_version = member_bool(spot, "first_version", slots->has_first_version);
    read_gatt_firmware(spot, slots);
}

static void read_model(const struct spot *spot, struct proxy_model_options *model)
{
    struct spot scan = spot_member(spot, "scan");
    struct spot clients = spot_member(spot, "clients");
    struct spot slots = spot_member(spot, "slots");
    struct spot firmware = spot_member(spot, "firmware");
    struct spot mode_switch = spot_member(spot, "mode_switch_ms");
    const char *mode = spot_text(&scan, "active");

    if (strcmp(mode, "active") != 0 && strcmp(mode, "passive") != 0)
        spot_fault(&scan, "must be \"active\" or \"passive\"");
    *model = proxy_model_usual(model->profile);
    model->configured_mode = strcmp(mode, "passive") == 0 ? SCANNER_PASSIVE : SCANNER_ACTIVE;
    model->is_scan_response_always = member_bool(spot, "always_scan_response", false);
    model->clients_max =
            (unsigned) spot_integer(&clients, 1, PROXY_MODEL_CLIENTS_MAX, model->clients_max);
    model->slots.limit = (uint32_t) spot_integer(&slots, 0, SLOTS_MAX, model->slots.limit);
    model->mode_switch =
            (usec_t) spot_integer(&mode_switch, 0, 60000, PROXY_MODEL_MODE_SWITCH / USEC_PER_MSEC) *
            USEC_PER_MSEC;
    read_firmware(&firmware, model);
}

static const struct proxy_profile *read_profile(const struct spot *spot)
{
    const struct proxy_profile *profile = proxy_profile_find(spot_text(spot, "2026"));
    if (profile != NULL)
        return profile;
    spot_fault(spot, "must be 2022, 2024, 2025 or 2026, each also with -passive, or none");
    return proxy_profile_find("2026");
}

/* What single proxies and generated ones have in common; name and profile are there already. */
static void read_proxy_common(const struct scenario *s, const struct spot *spot,
                              struct scenario_proxy *proxy)
{
    struct spot duty = spot_member(spot, "duty");
    struct spot key = spot_member(spot, "encryption_key");
    struct spot password = spot_member(spot, "password");

    read_model(spot, &proxy->model);
    proxy->duty = spot_number(&duty, 0, 1, 1);
    read_key(s, &key, proxy);
    (void) copy_name(proxy->password, sizeof(proxy->password), &password, spot_text(&password, ""));
}

static bool add_proxy(struct scenario *s, const struct spot *spot,
                      const struct scenario_proxy *proxy)
{
    if (s->proxies_count >= WORLD_LISTENERS_MAX) {
        spot_fault(spot, "makes more than %d proxies", WORLD_LISTENERS_MAX);
        return false;
    }
    if (scenario_find_proxy(s, proxy->name) != SIZE_MAX) {
        spot_fault(spot, "there is a proxy %s already", proxy->name);
        return false;
    }
    if (s->proxies_count == s->proxies_capacity) {
        s->proxies_capacity = s->proxies_capacity == 0 ? 16 : 2 * s->proxies_capacity;
        s->proxies = memory_resize(s->proxies, s->proxies_capacity, sizeof(s->proxies[0]));
    }
    s->proxies[s->proxies_count++] = *proxy;
    return true;
}

static void read_proxy(struct scenario *s, const struct spot *spot)
{
    static const char *const NAMES[] = {"name",
                                        "friendly_name",
                                        "room",
                                        "at",
                                        "profile",
                                        "encryption_key",
                                        "password",
                                        "port",
                                        "scan",
                                        "always_scan_response",
                                        "clients",
                                        "slots",
                                        "duty",
                                        "mac",
                                        "mode_switch_ms",
                                        "firmware",
                                        NULL};
    struct scenario_proxy proxy = {0};
    const struct world_room *room = NULL;

    (void) spot_expect_object(spot, NAMES);
    struct spot name = spot_member(spot, "name");
    struct spot friendly = spot_member(spot, "friendly_name");
    struct spot port = spot_member(spot, "port");
    struct spot mac = spot_member(spot, "mac");
    struct spot profile = spot_member(spot, "profile");
    const char *text = spot_text(&name, "");
    if (!is_host_name(text)) {
        spot_fault(&name, "must be 1 to 31 of a-z, 0-9, - and _");
        return;
    }
    (void) copy_name(proxy.name, sizeof(proxy.name), &name, text);
    (void) copy_name(proxy.friendly_name, sizeof(proxy.friendly_name), &friendly,
                     spot_text(&friendly, text));
    proxy.model.profile = read_profile(&profile);
    read_proxy_common(s, spot, &proxy);
    if (!read_where(s, spot, &proxy.place, &room) && spot_member(spot, "at").value == NULL &&
        spot_member(spot, "room").value == NULL)
        spot_fault(spot, "needs \"room\" or \"at\"");
    if (room != NULL)
        (void) snprintf(proxy.room, sizeof(proxy.room), "%s", room->name);
    proxy.port = (uint16_t) spot_integer(&port, 0, 65535, 0);
    proxy.mac = made_up_mac(s, text);
    if (mac.value != NULL && !ble_address_parse(spot_text(&mac, ""), &proxy.mac))
        spot_fault(&mac, "must be an address");
    (void) add_proxy(s, spot, &proxy);
}

/* The number-th text of a text or an array of texts, round and round. */
static struct spot pick_spot(const struct spot *spot, size_t number)
{
    size_t size = json_array_size(spot->value);
    return size == 0 ? *spot : spot_item(spot, number % size);
}

static void place_generated_proxy(const struct scenario *s, struct scenario_proxy *proxy,
                                  size_t number, size_t count, double spacing)
{
    if (s->rooms_count > 0) {
        struct dice dice;
        const struct world_room *room = &s->rooms[number % s->rooms_count];
        dice_seed(&dice, dice_mix_text(dice_mix(s->seed, 2), proxy->name));
        proxy->place = place_in_room(room, &dice);
        (void) snprintf(proxy->room, sizeof(proxy->room), "%s", room->name);
        return;
    }
    size_t columns = (size_t) ceil(sqrt((double) count));
    proxy->place = (struct world_place){.x = (double) (number % columns) * spacing,
                                        .y = (double) (number / columns) * spacing};
}

static void generate_proxies(struct scenario *s, const struct spot *spot)
{
    static const char *const NAMES[] = {"count",
                                        "name",
                                        "profile",
                                        "encryption_key",
                                        "password",
                                        "scan",
                                        "always_scan_response",
                                        "clients",
                                        "slots",
                                        "duty",
                                        "mode_switch_ms",
                                        "firmware",
                                        "spacing",
                                        NULL};

    (void) spot_expect_object(spot, NAMES);
    struct spot count_spot = spot_member(spot, "count");
    struct spot prefix_spot = spot_member(spot, "name");
    struct spot spacing_spot = spot_member(spot, "spacing");
    struct spot profiles = spot_member(spot, "profile");
    size_t count = (size_t) spot_integer(&count_spot, 0, WORLD_LISTENERS_MAX, 0);
    const char *prefix = spot_text(&prefix_spot, "proxy");
    double spacing = spot_number(&spacing_spot, 0, 1000, SPACING);
    size_t faults = spot->reader->faults;

    if (!is_host_name(prefix) || strlen(prefix) > SCENARIO_NAME_SIZE - 6) {
        spot_fault(&prefix_spot, "must be 1 to 26 of a-z, 0-9, - and _");
        return;
    }
    for (size_t i = 0; i < count && spot->reader->faults == faults; i++) {
        struct scenario_proxy proxy = {0};
        struct spot profile = pick_spot(&profiles, i);
        (void) snprintf(proxy.name, sizeof(proxy.name), "%.26s-%03zu", prefix, (i + 1) % 10000);
        (void) snprintf(proxy.friendly_name, sizeof(proxy.friendly_name), "%s", proxy.name);
        proxy.model.profile = read_profile(&profile);
        read_proxy_common(s, spot, &proxy);
        place_generated_proxy(s, &proxy, i, count, spacing);
        proxy.mac = made_up_mac(s, proxy.name);
        if (!add_proxy(s, spot, &proxy))
            return;
    }
}

/* ---- payloads ---- */

static bool read_hex(const struct spot *spot, uint8_t *ret_octets, size_t capacity,
                     size_t *ret_size)
{
    const char *text = spot_text(spot, NULL);
    if (text != NULL && bytes_from_hex(ret_octets, capacity, text, strlen(text), ret_size))
        return true;
    spot_fault(spot, "must be hex of at most %zu octets", capacity);
    return false;
}

static bool read_raw_payload(const struct spot *raw, const struct spot *response,
                             struct payload *ret_payload)
{
    uint8_t octets[BLE_REPORT_DATA_MAX], answer[PAYLOAD_PART_MAX];
    size_t size, answer_size;

    if (!read_hex(raw, octets, sizeof(octets), &size))
        return false;
    if (response->value == NULL)
        return payload_divide(ret_payload, octets, size);
    if (!read_hex(response, answer, sizeof(answer), &answer_size))
        return false;
    if (payload_join(ret_payload, (struct bytes){octets, size},
                     (struct bytes){answer, answer_size}))
        return true;
    spot_fault(raw, "must have at most %d octets beside a scan response", PAYLOAD_PART_MAX);
    return false;
}

/* The row that {"id"} or {"kind", "row"} names; any is true: {} names the number-th of all. */
static const struct corpus_row *read_row(const struct scenario *s, const struct spot *spot,
                                         bool is_any, uint64_t number)
{
    struct spot id = spot_member(spot, "id"), kind = spot_member(spot, "kind");
    struct spot row_spot = spot_member(spot, "row");
    const struct corpus_row *row = NULL;

    if (id.value == NULL && kind.value == NULL && !is_any) {
        spot_fault(spot, "needs \"raw\", \"id\" or \"kind\"");
        return NULL;
    }
    if (s->corpus == NULL) {
        spot_fault(spot, "needs the file of /payloads");
        return NULL;
    }
    if (row_spot.value != NULL)
        number = (uint64_t) spot_integer(&row_spot, 0, CORPUS_ROWS_MAX, 0);
    if (id.value != NULL)
        row = corpus_find(s->corpus, spot_text(&id, ""));
    else
        row = corpus_pick(s->corpus, spot_text(&kind, NULL), number);
    if (row == NULL)
        spot_fault(id.value != NULL ? &id : &kind, "no such row in the payload file");
    return row;
}

static bool read_selector(const struct scenario *s, const struct spot *spot,
                          struct payload *ret_payload, const struct corpus_row **ret_row)
{
    static const char *const NAMES[] = {"raw", "scan_response", "id", "kind", "row", NULL};

    if (!spot_expect_object(spot, NAMES))
        return false;
    struct spot raw = spot_member(spot, "raw");
    struct spot response = spot_member(spot, "scan_response");
    if (raw.value != NULL)
        return read_raw_payload(&raw, &response, ret_payload);
    const struct corpus_row *row = read_row(s, spot, false, 0);
    if (row == NULL)
        return false;
    *ret_payload = row->payload;
    if (ret_row != NULL)
        *ret_row = row;
    return true;
}

bool scenario_read_payload(const struct scenario *s, const struct spot *spot,
                           struct payload *ret_payload)
{
    return read_selector(s, spot, ret_payload, NULL);
}

/* ---- devices ---- */

static void read_payloads(const struct scenario *s, const struct spot *spot,
                          struct scenario_device *device, const struct corpus_row **ret_row)
{
    struct spot one = spot_member(spot, "payload"), several = spot_member(spot, "payloads");
    struct spot events = spot_member(spot, "payload_events");
    size_t count = one.value != NULL ? 1 : spot_items(&several, SCENARIO_PAYLOADS_MAX);

    if (count == 0)
        spot_fault(spot, "needs \"payload\" or \"payloads\"");
    device->payloads = xnew(struct payload, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct spot payload = one.value != NULL ? one : spot_item(&several, i);
        (void) read_selector(s, &payload, &device->payloads[i], i == 0 ? ret_row : NULL);
    }
    device->options.payloads = device->payloads;
    device->options.payloads_count = count;
    device->options.payload_events = (unsigned) spot_integer(&events, 1, 1000000, 1);
}

static void read_path(const struct scenario *s, const struct spot *spot,
                      struct scenario_device *device)
{
    struct spot path = spot_member(spot, "path");
    struct spot speed = spot_member(spot, "speed");
    size_t count = spot_items(&path, SCENARIO_PATH_MAX);

    device->options.speed = spot_number(&speed, 0.01, 1000, 1);
    device->options.pause = spot_seconds(spot, "pause_seconds", 0);
    if (count == 0)
        return;
    device->path = xnew(struct world_place, count);
    for (size_t i = 0; i < count; i++) {
        struct spot point = spot_item(&path, i);
        (void) scenario_read_place(s, &point, &device->path[i]);
    }
    device->options.path = device->path;
    device->options.path_count = count;
}

static void add_database(const struct scenario *s, const struct spot *spot,
                         struct gatt_server_options *gatt)
{
    const struct gatt *database = gatt_library_read(s->gatts, spot);
    if (database != NULL)
        gatt->databases[gatt->count++] = database;
}

/* "gatt": a database, or the list of those that the device goes round. */
static void read_databases(const struct scenario *s, const struct spot *connect,
                           struct gatt_server_options *ret_gatt)
{
    struct spot spot = spot_member(connect, "gatt");
    struct spot period = spot_member(connect, "gatt_change_seconds");

    ret_gatt->change_period = seconds_to_usec(spot_number(&period, 0.1, 1e6, 0));
    if (!json_is_array(spot.value)) {
        if (spot.value != NULL)
            add_database(s, &spot, ret_gatt);
        return;
    }
    size_t count = spot_items(&spot, GATT_DATABASES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct spot item = spot_item(&spot, i);
        add_database(s, &item, ret_gatt);
    }
}

/* "connect": true for what is usual, or an object. */
static void read_peripheral(const struct scenario *s, const struct spot *device,
                            struct peripheral_options *ret_options)
{
    static const char *const NAMES[] = {"ms",
                                        "discovery_ms",
                                        "failure",
                                        "errors",
                                        "weak_dbm",
                                        "life_ms",
                                        "end_error",
                                        "links",
                                        "mtu",
                                        "linked_elsewhere",
                                        "advertises_linked",
                                        "pairing_error",
                                        "unanswered",
                                        "gatt",
                                        "pairs_itself",
                                        "gatt_change_seconds",
                                        NULL};
    struct spot spot = spot_member(device, "connect");

    *ret_options = PERIPHERAL_USUAL;
    ret_options->is_connectable = json_is_object(spot.value) || json_is_true(spot.value);
    if (spot.value == NULL || json_is_boolean(spot.value) || !spot_expect_object(&spot, NAMES))
        return;
    struct spot weak = spot_member(&spot, "weak_dbm"), links = spot_member(&spot, "links");
    struct spot end = spot_member(&spot, "end_error"), mtu = spot_member(&spot, "mtu");
    struct spot pairing = spot_member(&spot, "pairing_error");
    ret_options->connect = read_span_ms(&spot, "ms", 60000, &ret_options->connect);
    ret_options->discovery =
            (usec_t) (member_number(&spot, "discovery_ms", 60000,
                                    (double) (ret_options->discovery / USEC_PER_MSEC)) *
                      (double) USEC_PER_MSEC);
    ret_options->failure = member_number(&spot, "failure", 1, 0);
    read_errors(&spot, "errors", &ret_options->failures);
    ret_options->unanswered = member_number(&spot, "unanswered", 1, 0);
    ret_options->weak_dbm = spot_number(&weak, -127, 0, ret_options->weak_dbm);
    ret_options->life = read_span_ms(&spot, "life_ms", 86400000, &ret_options->life);
    ret_options->end_error = read_error(&end, ret_options->end_error);
    ret_options->links_max = (unsigned) spot_integer(&links, 1, 16, ret_options->links_max);
    ret_options->mtu = (uint32_t) spot_integer(&mtu, 23, 517, ret_options->mtu);
    ret_options->is_linked_elsewhere = member_bool(&spot, "linked_elsewhere", false);
    ret_options->advertises_linked = member_bool(&spot, "advertises_linked", false);
    ret_options->pairing_error = read_error(&pairing, 0);
    ret_options->pairs_itself = member_bool(&spot, "pairs_itself", false);
    read_databases(s, &spot, &ret_options->gatt);
}

static bool is_address_taken(const struct scenario *s, uint64_t address)
{
    for (size_t i = 0; i < s->devices_count; i++)
        if (s->devices[i].options.address == address)
            return true;
    return false;
}

/* The row's own address if nobody has it yet, else one with the same first half, else one made up.
 */
static void take_address(const struct scenario *s, const struct corpus_row *row, struct dice *dice,
                         struct world_device_options *options)
{
    uint64_t prefix = 0xc0ffee000000u;

    options->address_type = BLE_ADDRESS_RANDOM;
    if (row != NULL && row->has_address) {
        options->address_type = row->address_type;
        options->address = row->address;
        if (!is_address_taken(s, row->address))
            return;
        prefix = row->address & 0xffffff000000u;
    }
    do
        options->address = prefix | dice_below(dice, 0x1000000);
    while (is_address_taken(s, options->address));
}

static void read_address(const struct scenario *s, const struct spot *spot,
                         const struct corpus_row *row, struct world_device_options *options)
{
    struct spot address = spot_member(spot, "address"), type = spot_member(spot, "address_type");
    struct dice dice;

    dice_seed(&dice, dice_mix_text(s->seed, spot->pointer));
    if (address.value == NULL)
        take_address(s, row, &dice, options);
    else if (!ble_address_parse(spot_text(&address, ""), &options->address))
        spot_fault(&address, "must be an address");
    else
        options->address_type = row != NULL ? row->address_type : BLE_ADDRESS_RANDOM;
    options->address_type = (uint8_t) spot_integer(&type, 0, 3, options->address_type);
}

static void read_timing(const struct spot *spot, struct dice *dice,
                        struct world_device_options *options)
{
    struct spot interval = spot_member(spot, "interval_ms"),
                jitter = spot_member(spot, "jitter_ms");
    struct spot tx_power = spot_member(spot, "tx_power_dbm");
    struct spot_range ms = spot_range(&interval, 1, 3600000, 1000);
    struct spot_range dbm = spot_range(&tx_power, -127, 20, DEFAULT_TX_DBM);

    options->interval = (usec_t) (dice_between(dice, ms.low, ms.high) * (double) USEC_PER_MSEC);
    options->jitter = (usec_t) (spot_number(&jitter, 0, 60000, 10) * (double) USEC_PER_MSEC);
    options->tx_power_dbm = dice_between(dice, dbm.low, dbm.high);
}

void scenario_device_done(struct scenario_device *device)
{
    free(device->payloads);
    free(device->path);
    *device = (struct scenario_device){0};
}

bool scenario_read_device(const struct scenario *s, const struct spot *spot,
                          struct scenario_device *ret_device)
{
    static const char *const NAMES[] = {
            "name",      "address",      "address_type",   "room", "at",    "interval_ms",
            "payload",   "payloads",     "payload_events", "path", "speed", "pause_seconds",
            "jitter_ms", "tx_power_dbm", "connect",        NULL};
    struct scenario_device device = {0};
    struct world_device_options *options = &device.options;
    const struct corpus_row *row = NULL;
    struct dice dice;
    size_t faults = spot->reader->faults;

    if (!spot_expect_object(spot, NAMES))
        return false;
    struct spot name = spot_member(spot, "name");
    dice_seed(&dice, dice_mix_text(s->seed, spot->pointer));
    read_payloads(s, spot, &device, &row);
    read_path(s, spot, &device);
    read_timing(spot, &dice, options);
    read_peripheral(s, spot, &options->peripheral);
    read_address(s, spot, row, options);
    (void) copy_name(options->label, sizeof(options->label), &name, spot_text(&name, ""));
    if (!read_where(s, spot, &options->place, NULL) && options->path_count == 0 &&
        spot->reader->faults == faults)
        spot_fault(spot, "needs \"room\", \"at\" or \"path\"");
    if (spot->reader->faults != faults) {
        scenario_device_done(&device);
        return false;
    }
    *ret_device = device;
    return true;
}

/* Takes the device over. */
static void add_device(struct scenario *s, const struct spot *spot, struct scenario_device *device)
{
    if (s->devices_count >= WORLD_DEVICES_MAX) {
        spot_fault(spot, "makes more than %d devices", WORLD_DEVICES_MAX);
        scenario_device_done(device);
        return;
    }
    if (is_address_taken(s, device->options.address)) {
        spot_fault(spot, "there is a device of this address already");
        scenario_device_done(device);
        return;
    }
    if (s->devices_count == s->devices_capacity) {
        s->devices_capacity = s->devices_capacity == 0 ? 64 : 2 * s->devices_capacity;
        s->devices = memory_resize(s->devices, s->devices_capacity, sizeof(s->devices[0]));
    }
    s->devices[s->devices_count++] = *device;
}

/* Somewhere in the house; without rooms, somewhere among the proxies. */
static struct world_place random_place(const struct scenario *s, struct dice *dice)
{
    double left = 0, bottom = 0, right = SPACING, top = SPACING;

    if (s->rooms_count > 0)
        return place_in_room(&s->rooms[dice_below(dice, s->rooms_count)], dice);
    for (size_t i = 0; i < s->proxies_count; i++) {
        left = fmin(left, s->proxies[i].place.x - SPACING / 2);
        right = fmax(right, s->proxies[i].place.x + SPACING / 2);
        bottom = fmin(bottom, s->proxies[i].place.y - SPACING / 2);
        top = fmax(top, s->proxies[i].place.y + SPACING / 2);
    }
    return (struct world_place){.x = dice_between(dice, left, right),
                                .y = dice_between(dice, bottom, top)};
}

static void add_generated_device(struct scenario *s, const struct spot *spot, struct dice *dice,
                                 const struct corpus_row *row, bool has_row_address)
{
    struct scenario_device device = {.payloads = xnew(struct payload, 1)};
    struct world_device_options *options = &device.options;
    struct spot room_spot = spot_member(spot, "room");
    const struct world_room *room = read_room_name(s, &room_spot);

    device.payloads[0] = row->payload;
    options->payloads = device.payloads;
    options->payloads_count = 1;
    options->payload_events = 1;
    (void) snprintf(options->label, sizeof(options->label), "%.63s", row->id);
    read_timing(spot, dice, options);
    read_peripheral(s, spot, &options->peripheral);
    options->place = room != NULL ? place_in_room(room, dice) : random_place(s, dice);
    if (has_row_address) {
        options->address = ROW_ADDRESS + row->line;
        options->address_type = BLE_ADDRESS_RANDOM;
    } else {
        take_address(s, row, dice, options);
    }
    add_device(s, spot, &device);
}

/* {"rows": "all"}: every well-formed row under an address that tells its line. */
static void generate_every_row(struct scenario *s, const struct spot *spot, struct dice *dice)
{
    if (s->corpus == NULL) {
        spot_fault(spot, "needs the file of /payloads");
        return;
    }
    size_t faults = spot->reader->faults;
    for (size_t i = 0; i < corpus_size(s->corpus) && spot->reader->faults == faults; i++) {
        const struct corpus_row *row = corpus_row(s->corpus, i);
        if (row->is_well_formed)
            add_generated_device(s, spot, dice, row, true);
    }
}

static void generate_devices(struct scenario *s, const struct spot *spot)
{
    static const char *const NAMES[] = {"count",        "rows",        "kind",
                                        "room",         "interval_ms", "jitter_ms",
                                        "tx_power_dbm", "connect",     NULL};
    struct spot count_spot = spot_member(spot, "count"), rows = spot_member(spot, "rows");
    struct dice dice;
    size_t faults = spot->reader->faults;

    (void) spot_expect_object(spot, NAMES);
    dice_seed(&dice, dice_mix_text(s->seed, spot->pointer));
    if (rows.value != NULL) {
        if (strcmp(spot_text(&rows, "all"), "all") != 0)
            spot_fault(&rows, "must be \"all\"");
        generate_every_row(s, spot, &dice);
        return;
    }
    size_t count = (size_t) spot_integer(&count_spot, 0, WORLD_DEVICES_MAX, 0);
    for (size_t i = 0; i < count && spot->reader->faults == faults; i++) {
        const struct corpus_row *row = read_row(s, spot, true, dice_next(&dice));
        if (row != NULL)
            add_generated_device(s, spot, &dice, row, false);
    }
}

/* ---- faults ---- */

static void read_fault(struct scenario *s, const struct spot *spot)
{
    static const char *const NAMES[] = {"proxy", "fault", "at", "every", "seconds", "octets", NULL};
    struct scenario_fault fault = {.proxy = SCENARIO_ALL};

    if (!spot_expect_object(spot, NAMES))
        return;
    struct spot proxy = spot_member(spot, "proxy"), kind = spot_member(spot, "fault");
    struct spot octets = spot_member(spot, "octets");
    const char *name = spot_text(&proxy, "");
    if (strcmp(name, "*") != 0) {
        fault.proxy = scenario_find_proxy(s, name);
        if (fault.proxy == SIZE_MAX)
            spot_fault(&proxy, "there is no proxy of that name");
    }
    if (!fault_from_name(spot_text(&kind, ""), &fault.kind))
        spot_fault(&kind, "is no known fault");
    fault.at = spot_seconds(spot, "at", 0);
    fault.every = spot_seconds(spot, "every", 0);
    fault.span = spot_seconds(spot, "seconds", fault_default_span(fault.kind));
    fault.octets = (size_t) spot_integer(&octets, 1, FAULT_GARBAGE_MAX, FAULT_GARBAGE_SIZE);
    if (spot_member(spot, "every").value != NULL && fault.every < USEC_PER_SEC / 10) {
        struct spot every = spot_member(spot, "every");
        spot_fault(&every, "must be at least 0.1");
    }
    s->faults[s->faults_count++] = fault;
}

static void read_faults(struct scenario *s, const struct spot *root)
{
    struct spot faults = spot_member(root, "faults");
    size_t count = spot_items(&faults, SCENARIO_FAULTS_MAX);

    s->faults = xnew(struct scenario_fault, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct spot fault = spot_item(&faults, i);
        read_fault(s, &fault);
    }
}

/* ---- the whole ---- */

/* A list of single ones and generators, or one generator alone. */
static void read_list(struct scenario *s, const struct spot *list, size_t max,
                      void (*read_one)(struct scenario *, const struct spot *),
                      void (*generate)(struct scenario *, const struct spot *))
{
    if (json_is_object(list->value)) {
        generate(s, list);
        return;
    }
    size_t count = spot_items(list, max);
    for (size_t i = 0; i < count; i++) {
        struct spot item = spot_item(list, i);
        bool is_generator = spot_member(&item, "count").value != NULL ||
                            spot_member(&item, "rows").value != NULL;
        (is_generator ? generate : read_one)(s, &item);
    }
}

static void read_device(struct scenario *s, const struct spot *spot)
{
    struct scenario_device device;
    if (scenario_read_device(s, spot, &device))
        add_device(s, spot, &device);
}

/* false when the member is not there. */
static bool member_path(const struct spot *root, const char *key, const char *folder,
                        char ret_path[4096])
{
    struct spot spot = spot_member(root, key);
    const char *name = spot_text(&spot, NULL);

    if (name == NULL)
        return false;
    if (name[0] == '/')
        (void) snprintf(ret_path, 4096, "%s", name);
    else
        (void) snprintf(ret_path, 4096, "%s/%s", folder, name);
    return true;
}

static void read_gatts(struct scenario *s, const struct spot *root, const char *folder)
{
    char path[4096];
    s->gatts = gatt_library_new(member_path(root, "gatt", folder, path) ? path : NULL);
}

static void read_corpus(struct scenario *s, const struct spot *root, const char *folder)
{
    struct spot spot = spot_member(root, "payloads");
    char path[4096], reason[200];

    if (!member_path(root, "payloads", folder, path))
        return;
    s->corpus = corpus_load(path, reason);
    if (s->corpus == NULL)
        spot_fault(&spot, "%s", reason);
}

struct scenario *scenario_read(json_t *document, const char *folder, const uint64_t *seed,
                               struct reader *reader)
{
    static const char *const NAMES[] = {"comment", "seed",   "tick_ms", "payloads",
                                        "gatt",    "radio",  "rooms",   "proxies",
                                        "devices", "faults", NULL};
    struct scenario *s = xnew(struct scenario, 1);
    struct spot root = reader_root(reader, document);

    (void) spot_expect_object(&root, NAMES);
    struct spot seed_spot = spot_member(&root, "seed"), tick = spot_member(&root, "tick_ms");
    struct spot proxies = spot_member(&root, "proxies"), devices = spot_member(&root, "devices");
    s->seed = (uint64_t) spot_integer(&seed_spot, 0, INT64_MAX, 1);
    if (seed != NULL)
        s->seed = *seed;
    s->tick = (usec_t) spot_integer(&tick, 1, 100, SCENARIO_TICK_MSEC) * USEC_PER_MSEC;
    read_corpus(s, &root, folder);
    read_gatts(s, &root, folder);
    read_radio(s, &root);
    read_rooms(s, &root);
    read_list(s, &proxies, WORLD_LISTENERS_MAX, read_proxy, generate_proxies);
    read_list(s, &devices, WORLD_DEVICES_MAX, read_device, generate_devices);
    read_faults(s, &root);
    if (reader->faults == 0)
        return s;
    scenario_free(s);
    return NULL;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = memory_copy_text(slash == NULL ? "." : path);
    if (slash != NULL)
        folder[slash - path + (slash == path)] = '\0';
    return folder;
}

struct scenario *scenario_load(const char *path, const uint64_t *seed, struct reader *reader)
{
    json_error_t error;
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (document == NULL) {
        struct spot root = reader_root(reader, NULL);
        spot_fault(&root, "%s:%d:%d: %s", path, error.line, error.column, error.text);
        return NULL;
    }
    char *folder AUTO_FREE = folder_of(path);
    struct scenario *s = scenario_read(document, folder, seed, reader);
    json_decref(document);
    return s;
}

void scenario_free(struct scenario *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->devices_count; i++)
        scenario_device_done(&s->devices[i]);
    free(s->devices);
    free(s->proxies);
    free(s->rooms);
    free(s->faults);
    corpus_free(s->corpus);
    gatt_library_free(s->gatts);
    free(s);
}
