/* A fleet that changes while the program runs: proxies of this test come, change, get other names
 * and go, with packets and links under way. A fleet is written as "name:fake" words; what stands
 * behind a comma in a word goes into the entry. */
#include "fake_proxy.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "store/store.h"

#define FAKES    6
#define REQUESTS 64
#define ROUNDS   400

struct request {
    struct fixture *fixture;
    struct gateway_link_request *request; /* NULL: none is open */
    unsigned answers;
    int code;
    char proxy[32];
};

struct fixture {
    uv_loop_t loop;
    struct fake fakes[FAKES];
    struct fake_device device;
    char folder[40];
    struct gateway *gateway; /* NULL: closed */
    struct gateway_subscription *subscription;
    bool is_closed;
    char told[2048]; /* what happened to proxies and links */
    struct request requests[REQUESTS];
    unsigned links;                  /* that were asked for and came */
    unsigned asked, answered, reads; /* operations of GATT, those that succeeded */
    uint64_t dice;
};

/* ---- the configuration ---- */

static void write_entry(const struct fixture *f, const char *word, size_t size, char *text,
                        size_t room)
{
    size_t name = strcspn(word, ":"), extra = name + 2;

    (void) snprintf(text, room, "{\"name\":\"%.*s\",\"host\":\"127.0.0.1\",\"port\":%d%.*s}",
                    (int) name, word, f->fakes[word[name + 1] - '0'].port, (int) (size - extra),
                    word + extra);
}

static struct config *make_config(const struct fixture *f, const char *fleet)
{
    char text[4096] = "{\"discovery\":{\"mdns\":false},\"proxies\":[";
    struct config_faults faults = {0};
    struct config *config;

    while (*fleet) {
        size_t size = strcspn(fleet, " "), at = strlen(text);

        write_entry(f, fleet, size, text + at, sizeof text - at);
        fleet += size + (fleet[size] == ' ');
        if (*fleet)
            strcat(text, ",");
    }
    strcat(text, "]}");
    config = config_parse(text, strlen(text),
                          (const char *const[]){"core", "ears", "recorder", "links", "gatt", NULL},
                          &faults);
    assert_non_null(config);
    config_faults_done(&faults);
    return config;
}

/* ---- what is told ---- */

static void tell(struct fixture *f, const char *what, const char *proxy)
{
    size_t length = strlen(f->told);

    (void) snprintf(f->told + length, sizeof f->told - length, "%s:%s ", what, proxy ? proxy : "-");
}

static void on_proxy(void *user, enum gateway_proxy_reason reason, size_t index)
{
    static const char *const names[] = {[GATEWAY_PROXY_ADDED] = "added",
                                        [GATEWAY_PROXY_REMOVED] = "removed",
                                        [GATEWAY_PROXY_RENAMED] = "renamed",
                                        [GATEWAY_PROXY_SETTINGS] = "settings"};
    struct fixture *f = user;
    struct gateway_proxy proxy;

    gateway_get_proxy(f->gateway, index, &proxy);
    if (reason < ARRAY_SIZE(names) && names[reason])
        tell(f, names[reason], proxy.config->name);
}

static void on_link(void *user, const struct gateway_link_change *change)
{
    if (change->action)
        tell(user, change->action, change->proxy);
}

static void on_device(void *user, const struct gateway_device_change *change)
{
    if (change->owner && change->owner->from)
        tell(user, change->owner->why, change->owner->to);
}

/* ---- life ---- */

static struct store *open_store(struct fixture *f)
{
    const struct store_settings settings = {
            .folder = f->folder, .devices_max = 10, .hash_seed = 1, .flush_ms = 1};
    char error[256] = "";
    struct store *store;

    if (store_open(&f->loop, &settings, &store, error, sizeof error) < 0)
        fail_msg("%s", error);
    return store;
}

static bool get_proxy(const struct fixture *f, const char *name, struct gateway_proxy *ret_proxy)
{
    size_t index;

    if (gateway_find_proxy(f->gateway, name, &index) != 0)
        return false;
    gateway_get_proxy(f->gateway, index, ret_proxy);
    return true;
}

static bool is_heard_by(const struct fixture *f, const char *name)
{
    struct gateway_device device;
    struct gateway_source source;

    if (gateway_find_device(f->gateway, FRIDGE, &device) != 0)
        return false;
    for (size_t i = 0; gateway_get_source(f->gateway, &device, i, &source); i++) {
        if (source.proxy && strcmp(source.proxy, name) == 0)
            return true;
    }
    return false;
}

static void await_online(struct fixture *f, const char *name)
{
    struct gateway_proxy proxy;

    while (!get_proxy(f, name, &proxy) || !proxy.is_online || !is_heard_by(f, name))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
}

static void await_state(struct fixture *f, const char *name, const char *state)
{
    struct gateway_proxy proxy;

    while (!get_proxy(f, name, &proxy) || strcmp(proxy.state, state) != 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
}

static void start(struct fixture *f, const char *fleet)
{
    const struct gateway_subscriber subscriber = {
            .on_proxy = on_proxy, .on_link = on_link, .on_device = on_device, .user = f};

    f->gateway = gateway_new(&f->loop, make_config(f, fleet), NULL, open_store(f));
    f->subscription = gateway_subscribe(f->gateway, &subscriber);
}

static void change(struct fixture *f, const char *fleet)
{
    gateway_reconfigure(f->gateway, make_config(f, fleet));
}

static void on_closed(void *user)
{
    ((struct fixture *) user)->is_closed = true;
}

static void stop(struct fixture *f)
{
    gateway_unsubscribe(f->subscription);
    f->is_closed = false;
    gateway_close(f->gateway, on_closed, f);
    while (!f->is_closed)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    gateway_free(TAKE(f->gateway));
}

static int set_up(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->dice = 0x9e3779b97f4a7c15u;
    f->device.level = 87;
    for (size_t i = 0; i < FAKES; i++) {
        fake_start(&f->fakes[i], &f->loop, &f->device, FAKE_MAC + i);
        fake_stream(&f->fakes[i]);
    }
    (void) snprintf(f->folder, sizeof f->folder, "/tmp/blefleet-fleet-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char path[320];

    while ((entry = readdir(dir))) {
        (void) snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        (void) unlink(path);
    }
    (void) closedir(dir);
    (void) rmdir(folder);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->gateway)
        stop(f);
    for (size_t i = 0; i < FAKES; i++)
        fake_stop(&f->fakes[i]);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < FAKES; i++)
        fake_free(&f->fakes[i]);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    remove_folder(f->folder);
    free(f);
    return 0;
}

static void expect_told(struct fixture *f, const char *words)
{
    assert_string_equal(f->told, words);
    f->told[0] = '\0';
}

/* ---- links ---- */

static void on_answer(void *user, const struct gateway_link_answer *answer)
{
    struct request *r = user;

    r->request = NULL;
    r->answers++;
    r->code = answer->code;
    r->fixture->links += answer->code == 0;
    (void) snprintf(r->proxy, sizeof r->proxy, "%s", answer->proxy ? answer->proxy : "");
}

/* proxy NULL: any. */
static struct request *ask(struct fixture *f, size_t number, const char *proxy)
{
    struct request *r = &f->requests[number];
    struct gateway_wish wish;

    gateway_default_wish(f->gateway, &wish);
    wish.address = FRIDGE;
    wish.has_proxy = proxy != NULL;
    if (proxy)
        assert_int_equal(gateway_find_proxy(f->gateway, proxy, &wish.proxy_index), 0);
    *r = (struct request){.fixture = f};
    assert_int_equal(gateway_connect(f->gateway, &wish, on_answer, r, &r->request), 0);
    return r;
}

static int connect_to(struct fixture *f, const char *proxy)
{
    const struct request *r = ask(f, 0, proxy);

    while (r->answers == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    return r->code;
}

/* ---- one thing after the other ---- */

static void X10_a_proxy_that_is_added_is_told_and_heard_at_once(void **state)
{
    struct fixture *f = *state;
    struct gateway_proxy proxy;

    start(f, "kitchen:0");
    await_online(f, "kitchen");
    change(f, "kitchen:0 hall:1");
    expect_told(f, "added:hall ");
    assert_true(get_proxy(f, "hall", &proxy));
    assert_int_equal(proxy.index, 1);
    assert_string_equal(proxy.state, "resolving");
    await_online(f, "hall");
    assert_true(get_proxy(f, "hall", &proxy));
    assert_int_equal(proxy.mac, FAKE_MAC + 1);
    assert_true(proxy.advertisements_total > 0);
}

static void X10_a_proxy_that_is_removed_goes_with_its_links_and_its_devices_go_on(void **state)
{
    struct fixture *f = *state;
    struct gateway_device device;
    struct gateway_proxy proxy;
    struct gateway_link link;

    start(f, "kitchen:0 hall:1");
    await_online(f, "kitchen");
    await_online(f, "hall");
    assert_int_equal(connect_to(f, "kitchen"), 0);
    assert_int_equal(gateway_find_device(f->gateway, FRIDGE, &device), 0);
    f->told[0] = '\0';
    if (strcmp(device.proxy, "kitchen") == 0) {
        change(f, "hall:1");
        expect_told(f, "closed:kitchen proxy_offline:hall removed:kitchen ");
    } else {
        change(f, "hall:1");
        expect_told(f, "closed:kitchen removed:kitchen ");
    }
    assert_false(get_proxy(f, "kitchen", &proxy));
    assert_false(is_heard_by(f, "kitchen"));
    assert_false(gateway_get_link(f->gateway, FRIDGE, &link));
    assert_int_equal(gateway_find_device(f->gateway, FRIDGE, &device), 0);
    assert_string_equal(device.proxy, "hall");
    assert_true(device.is_available);
    while (f->fakes[0].peer) /* it was told goodbye */
        (void) uv_run(&f->loop, UV_RUN_ONCE);
}

static void X10_a_new_name_changes_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct gateway_proxy before, after;
    struct gateway_link link;

    start(f, "kitchen:0 hall:1");
    await_online(f, "kitchen");
    await_online(f, "hall");
    assert_int_equal(connect_to(f, "kitchen"), 0);
    f->told[0] = '\0';
    assert_true(get_proxy(f, "kitchen", &before));
    change(f, "pantry:0 hall:1");
    expect_told(f, "renamed:pantry ");
    assert_true(get_proxy(f, "pantry", &after));
    assert_true(after.is_online && after.since == before.since && after.id == before.id);
    assert_true(after.advertisements_total >= before.advertisements_total);
    assert_true(gateway_get_link(f->gateway, FRIDGE, &link));
    assert_string_equal(link.state, "connected");
    assert_string_equal(link.proxy, "pantry");
    assert_true(is_heard_by(f, "pantry"));
    assert_false(is_heard_by(f, "kitchen"));
    change(f, "hall:1 pantry:0"); /* nor does another place */
    expect_told(f, "");
    assert_true(get_proxy(f, "pantry", &after));
    assert_true(after.index == 1 && after.id == before.id);
}

static void X10_settings_that_do_not_concern_the_conversation_leave_it_alone(void **state)
{
    struct fixture *f = *state;
    struct gateway_proxy before, after;
    struct gateway_device device;

    start(f, "kitchen:0");
    await_online(f, "kitchen");
    assert_true(get_proxy(f, "kitchen", &before));
    change(f, "kitchen:0,\"area\":\"Kitchen\",\"weight\":3,\"scan_mode\":\"active\"");
    expect_told(f, "settings:kitchen ");
    assert_true(get_proxy(f, "kitchen", &after));
    assert_true(after.is_online && after.since == before.since);
    assert_string_equal(after.scan_wanted, "active");
    assert_int_equal(gateway_find_device(f->gateway, FRIDGE, &device), 0);
    assert_string_equal(device.area, "Kitchen");
    change(f, "kitchen:0,\"area\":\"Kitchen\",\"weight\":3,\"scan_mode\":\"active\"");
    expect_told(f, "");
}

static void X10_a_proxy_may_be_switched_off_and_on(void **state)
{
    struct fixture *f = *state;
    struct gateway_proxy proxy;

    start(f, "kitchen:0");
    await_online(f, "kitchen");
    change(f, "kitchen:0,\"enabled\":false");
    expect_told(f, "settings:kitchen ");
    await_state(f, "kitchen", "disabled");
    assert_true(get_proxy(f, "kitchen", &proxy));
    assert_int_equal(proxy.retry_at, 0);
    assert_int_equal(proxy.last_error.code, 0);
    change(f, "kitchen:0");
    await_online(f, "kitchen");
    change(f, "kitchen:0,\"enabled\":false"); /* and off before it is gone */
    change(f, "kitchen:0");
    change(f, "kitchen:0,\"enabled\":false");
    await_state(f, "kitchen", "disabled");
    change(f, "");
    assert_false(get_proxy(f, "kitchen", &proxy));
}

/* ---- numbers that are used again ---- */

static void nothing_of_a_removed_proxy_is_told_of_the_next_with_its_number(void **state)
{
    struct fixture *f = *state;
    struct gateway_proxy_statistics statistics;
    struct gateway_proxy_links links;
    struct gateway_attempt attempt;
    struct gateway_device device;
    struct gateway_window window;
    struct gateway_proxy proxy;
    uint64_t number;

    start(f, "kitchen:0");
    await_online(f, "kitchen");
    assert_int_equal(connect_to(f, "kitchen"), 0);
    (void) gateway_open_window(f->gateway, 0, 0, 5 * USEC_PER_SEC, &number);
    change(f, "attic:5,\"enabled\":false"); /* at another host */
    change(f, "");
    change(f, "attic:5,\"enabled\":false");
    assert_true(get_proxy(f, "attic", &proxy));
    assert_false(proxy.is_online || proxy.has_mac || proxy.has_slots);
    assert_int_equal(proxy.devices, 0);
    assert_true(proxy.advertisements_total == 0 && !(proxy.advertisements_per_s > 0));
    assert_int_equal(proxy.window, 0);
    gateway_get_proxy_links(f->gateway, 0, &links);
    assert_int_equal(links.completed + links.failed + links.ours + links.last_success, 0);
    gateway_get_proxy_statistics(f->gateway, 0, &statistics);
    assert_int_equal(statistics.reports + statistics.dials, 0);
    assert_false(is_heard_by(f, "attic"));
    assert_int_equal(gateway_find_device(f->gateway, FRIDGE, &device), 0);
    assert_null(device.proxy);
    assert_true(gateway_get_attempt(f->gateway, FRIDGE, 0, &attempt));
    assert_null(attempt.proxy);
    assert_false(gateway_get_window(f->gateway, number, &window) && window.proxy);
}

static void the_past_of_a_removed_proxy_is_nobodys(void **state)
{
    struct gateway_past_position payloads = {0}, owners = {0};
    struct fixture *f = *state;
    struct gateway_device device;
    struct gateway_packet packet;
    struct gateway_past_owner owner;

    start(f, "kitchen:0");
    await_online(f, "kitchen");
    change(f, "");
    change(f, "attic:1");
    await_online(f, "attic");
    assert_int_equal(gateway_find_device(f->gateway, FRIDGE, &device), 0);
    assert_true(gateway_next_past_payload(f->gateway, &device, &payloads, &packet));
    assert_null(packet.proxy);
    assert_true(gateway_next_past_owner(f->gateway, &device, &owners, &owner));
    assert_null(owner.to);
}

static void another_device_at_a_new_host_is_another_proxy_under_the_same_name(void **state)
{
    struct fixture *f = *state;
    struct gateway_proxy before, after;

    start(f, "kitchen:0");
    await_online(f, "kitchen");
    assert_int_equal(connect_to(f, NULL), 0);
    assert_true(get_proxy(f, "kitchen", &before));
    change(f, "kitchen:1"); /* no MAC is configured, and the old host's is not expected there */
    expect_told(f, "opened:kitchen settings:kitchen ");
    while (!get_proxy(f, "kitchen", &after) || !after.is_online || after.mac != FAKE_MAC + 1)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    await_online(f, "kitchen");
    change(f, "kitchen:0"); /* and back */
    while (!get_proxy(f, "kitchen", &after) || !after.is_online || after.mac != FAKE_MAC)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(after.id, before.id);
}

static void a_device_that_is_not_the_one_at_its_host_is_refused(void **state)
{
    struct fixture *f = *state;
    struct gateway_proxy proxy;
    char fleet[64];

    start(f, "kitchen:0");
    await_online(f, "kitchen");
    (void) snprintf(fleet, sizeof fleet, "kitchen:0,\"mac\":\"A0:B1:C2:D3:E4:09\"");
    change(f, fleet);
    await_state(f, "kitchen", "failed");
    assert_true(get_proxy(f, "kitchen", &proxy));
    assert_int_equal(proxy.last_error.code, E_WRONG_DEVICE);
}

/* ---- what waits ---- */

static void who_wants_a_proxy_that_is_removed_is_told_so(void **state)
{
    struct fixture *f = *state;
    struct request *r;

    start(f, "kitchen:0 hall:1");
    await_online(f, "kitchen");
    await_online(f, "hall");
    r = ask(f, 1, "kitchen"); /* under way */
    change(f, "hall:1");
    assert_int_equal(r->answers, 1);
    assert_int_equal(r->code, E_PROXY_OFFLINE);
    r = ask(f, 2, NULL); /* and others are served by who is there */
    while (r->answers == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(r->code, 0);
    assert_string_equal(r->proxy, "hall");
}

/* ---- restarts ---- */

static void pair_with(struct fixture *f, const char *proxy)
{
    struct gateway_wish wish;
    struct request *r = &f->requests[3];

    gateway_default_wish(f->gateway, &wish);
    wish.address = FRIDGE;
    wish.has_proxy = wish.pair = true;
    assert_int_equal(gateway_find_proxy(f->gateway, proxy, &wish.proxy_index), 0);
    *r = (struct request){.fixture = f};
    assert_int_equal(gateway_connect(f->gateway, &wish, on_answer, r, &r->request), 0);
    while (r->answers == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(r->code, 0);
}

static const char *bonded_with(const struct fixture *f)
{
    size_t index = 0;
    const char *name = gateway_next_bond(f->gateway, FRIDGE, &index);

    return name ? name : "";
}

static void a_renamed_proxy_has_its_bonds_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct gateway_proxy proxy;

    start(f, "kitchen:0 hall:1");
    await_online(f, "kitchen");
    await_online(f, "hall");
    pair_with(f, "kitchen");
    assert_string_equal(bonded_with(f), "kitchen");
    change(f, "pantry:0 hall:1");
    assert_string_equal(bonded_with(f), "pantry");
    stop(f);
    start(f, "pantry:0,\"enabled\":false hall:1,\"enabled\":false");
    assert_string_equal(bonded_with(f), "pantry"); /* known by its MAC before it is online */
    assert_true(get_proxy(f, "pantry", &proxy));
    assert_true(proxy.has_mac && proxy.mac == FAKE_MAC);
    change(f, "hall:1,\"enabled\":false");
    assert_string_equal(bonded_with(f), "");
    change(f, "hall:1,\"enabled\":false again:0"); /* the bond is the device's: it is back */
    await_online(f, "again");
    assert_string_equal(bonded_with(f), "again");
}

static void names_that_are_swapped_keep_what_is_theirs_over_a_restart(void **state)
{
    struct fixture *f = *state;
    struct gateway_proxy proxy;

    start(f, "kitchen:0,\"mac\":\"A0:B1:C2:D3:E4:00\" hall:1,\"mac\":\"A0:B1:C2:D3:E4:01\"");
    await_online(f, "kitchen");
    await_online(f, "hall");
    change(f, "hall:0,\"mac\":\"A0:B1:C2:D3:E4:00\" kitchen:1,\"mac\":\"A0:B1:C2:D3:E4:01\"");
    assert_true(get_proxy(f, "hall", &proxy) && proxy.is_online);
    stop(f);
    start(f, "hall:0,\"enabled\":false kitchen:1,\"enabled\":false");
    assert_true(get_proxy(f, "hall", &proxy));
    assert_true(proxy.has_mac && proxy.mac == FAKE_MAC);
    assert_true(get_proxy(f, "kitchen", &proxy));
    assert_true(proxy.has_mac && proxy.mac == FAKE_MAC + 1);
}

/* ---- all at once ---- */

static unsigned roll(struct fixture *f, unsigned sides)
{
    f->dice ^= f->dice << 13;
    f->dice ^= f->dice >> 7;
    f->dice ^= f->dice << 17;
    return (unsigned) (f->dice >> 33) % sides;
}

struct entry {
    bool is_there, is_enabled;
    unsigned name, fake, weight;
};

static void write_fleet(const struct entry *entries, char *text, size_t size)
{
    text[0] = '\0';
    for (unsigned i = 0; i < FAKES; i++) {
        size_t at = strlen(text);

        if (entries[i].is_there)
            (void) snprintf(text + at, size - at, "%sp%u:%u,\"enabled\":%s,\"weight\":%u",
                            at > 0 ? " " : "", entries[i].name, entries[i].fake,
                            entries[i].is_enabled ? "true" : "false", entries[i].weight);
    }
}

static void disturb(struct fixture *f, struct entry *entries)
{
    static unsigned names = FAKES;
    struct entry *e = &entries[roll(f, FAKES)];

    switch (roll(f, 5)) {
    case 0:
        e->is_there = !e->is_there;
        e->name = names++;
        break;
    case 1:
        e->name = names++;
        break;
    case 2:
        e->is_enabled = !e->is_enabled;
        break;
    case 3:
        e->weight = roll(f, 10);
        break;
    default:
        fake_hang_up(&f->fakes[e->fake]);
        break;
    }
}

static void check_names(const struct fixture *f, const struct entry *entries)
{
    struct gateway_device device;
    struct gateway_source source;
    struct gateway_proxy proxy;
    struct gateway_link link;
    size_t count = 0, index;

    for (size_t i = 0; i < FAKES; i++)
        count += entries[i].is_there;
    assert_int_equal(gateway_proxies_count(f->gateway), count);
    for (size_t i = 0; i < count; i++) {
        gateway_get_proxy(f->gateway, i, &proxy);
        assert_int_equal(gateway_find_proxy_id(f->gateway, proxy.id, &index), 0);
        assert_int_equal(index, i);
        if (proxy.has_mac) /* of the fake that it is configured for */
            assert_int_equal(f->fakes[proxy.mac - FAKE_MAC].port, proxy.config->port);
    }
    if (gateway_find_device(f->gateway, FRIDGE, &device) != 0)
        return;
    for (size_t i = 0; gateway_get_source(f->gateway, &device, i, &source); i++)
        assert_true(source.proxy && get_proxy(f, source.proxy, &proxy));
    if (gateway_get_link(f->gateway, FRIDGE, &link) && link.proxy)
        assert_true(get_proxy(f, link.proxy, &proxy));
}

static void on_read(void *user, const struct gateway_gatt_answer *answer)
{
    struct fixture *f = user;

    f->answered++;
    f->reads += answer->code == 0;
}

/* Reads, pairs or ends a bond, through any proxy or through one. */
static void operate(struct fixture *f)
{
    static const enum gateway_gatt_verb verbs[] = {GATEWAY_GATT_READ, GATEWAY_GATT_READ,
                                                   GATEWAY_GATT_PAIR, GATEWAY_GATT_UNPAIR};
    size_t count = gateway_proxies_count(f->gateway);
    struct gateway_gatt_request *request;
    struct gateway_gatt_wish wish;

    gateway_default_gatt_wish(f->gateway, &wish);
    wish.verb = verbs[roll(f, ARRAY_SIZE(verbs))];
    wish.uuid = ble_uuid_from_short(LEVEL);
    wish.timeout = USEC_PER_SEC;
    wish.link.timeout = 2 * USEC_PER_SEC;
    wish.link.address = FRIDGE;
    wish.link.has_proxy = count > 0 && roll(f, 2) == 0;
    if (wish.link.has_proxy)
        wish.link.proxy_index = roll(f, (unsigned) count);
    if (gateway_gatt_submit(f->gateway, &wish, on_read, f, &request) == 0)
        f->asked++;
}

static void listen_closely(struct fixture *f)
{
    size_t count = gateway_proxies_count(f->gateway);
    uint64_t number;

    if (count > 0)
        (void) gateway_open_window(f->gateway, roll(f, (unsigned) count), FRIDGE, 5 * USEC_PER_SEC,
                                   &number);
}

static void ask_somebody(struct fixture *f, size_t number)
{
    struct request *r = &f->requests[number % REQUESTS];
    struct gateway_device device;
    size_t count = gateway_proxies_count(f->gateway);
    struct gateway_proxy proxy;

    if (r->request || gateway_find_device(f->gateway, FRIDGE, &device) != 0)
        return;
    if (count == 0 || roll(f, 2) == 0) {
        (void) ask(f, number % REQUESTS, NULL);
        return;
    }
    gateway_get_proxy(f->gateway, roll(f, (unsigned) count), &proxy);
    (void) ask(f, number % REQUESTS, proxy.config->name);
}

static void a_fleet_that_changes_all_the_time_stays_in_order(void **state)
{
    struct entry entries[FAKES];
    struct fixture *f = *state;
    struct gateway_recorder recorder;
    char fleet[512];

    for (unsigned i = 0; i < FAKES; i++)
        entries[i] = (struct entry){true, true, i, i, 0};
    write_fleet(entries, fleet, sizeof fleet);
    start(f, fleet);
    await_online(f, "p0");
    for (size_t round = 0; round < ROUNDS; round++) {
        ask_somebody(f, round);
        operate(f);
        listen_closely(f);
        for (unsigned i = roll(f, 20); i > 0; i--)
            (void) uv_run(&f->loop, UV_RUN_NOWAIT);
        disturb(f, entries);
        write_fleet(entries, fleet, sizeof fleet);
        change(f, fleet);
        check_names(f, entries);
        if (roll(f, 10) == 0)
            (void) gateway_disconnect(f->gateway, FRIDGE, NULL);
        (void) uv_run(&f->loop, UV_RUN_ONCE);
        check_names(f, entries);
        f->told[0] = '\0';
    }
    gateway_get_recorder(f->gateway, &recorder);
    assert_true(recorder.advertisements > 0 && f->links > 0 && f->reads > 0);
    for (unsigned i = 0; i < FAKES; i++)
        entries[i] = (struct entry){true, true, 1000 + i, i, 0};
    write_fleet(entries, fleet, sizeof fleet);
    change(f, fleet);
    for (unsigned i = 0; i < FAKES; i++) { /* and all are there in the end */
        char name[16];

        (void) snprintf(name, sizeof name, "p%u", 1000 + i);
        await_online(f, name);
    }
    stop(f);
    for (size_t i = 0; i < REQUESTS; i++)
        assert_null(f->requests[i].request); /* each was answered */
    assert_int_equal(f->answered, f->asked);
}

#define FLEET_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            FLEET_TEST(X10_a_proxy_that_is_added_is_told_and_heard_at_once),
            FLEET_TEST(X10_a_proxy_that_is_removed_goes_with_its_links_and_its_devices_go_on),
            FLEET_TEST(X10_a_new_name_changes_nothing_else),
            FLEET_TEST(X10_settings_that_do_not_concern_the_conversation_leave_it_alone),
            FLEET_TEST(X10_a_proxy_may_be_switched_off_and_on),
            FLEET_TEST(nothing_of_a_removed_proxy_is_told_of_the_next_with_its_number),
            FLEET_TEST(the_past_of_a_removed_proxy_is_nobodys),
            FLEET_TEST(another_device_at_a_new_host_is_another_proxy_under_the_same_name),
            FLEET_TEST(a_device_that_is_not_the_one_at_its_host_is_refused),
            FLEET_TEST(who_wants_a_proxy_that_is_removed_is_told_so),
            FLEET_TEST(a_renamed_proxy_has_its_bonds_after_a_restart),
            FLEET_TEST(names_that_are_swapped_keep_what_is_theirs_over_a_restart),
            FLEET_TEST(a_fleet_that_changes_all_the_time_stays_in_order),
    };

    (void) signal(SIGPIPE, SIG_IGN); /* a proxy is told something when its peer has gone */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
