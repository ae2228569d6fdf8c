/* GATT through the facade, on a real loop, with two proxies of this test and a store: what programs
 * ask for reaches the device, and what is known of it outlives links, proxies and restarts. */
#include "fake_proxy.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "store/store.h"

#define PROXIES 2
#define TURN    (40 * USEC_PER_MSEC) /* between two readings of a stream */

struct fixture {
    uv_loop_t loop;
    struct fake fakes[PROXIES];
    struct fake_device device;
    char folder[40];
    struct gateway *gateway; /* NULL: closed */
    struct gateway_subscription *subscription;
    bool is_closed;
    /* what subscribers were told */
    char told[256];
    unsigned values, subscriptions, leases_ended;
    struct gateway_gatt_value value;
    uint8_t octet;
    char ended[16];
    /* the last answer */
    unsigned answers, ready;
    struct gateway_gatt_answer answer;
    char answered_by[32], lease[16];
    uint8_t octets[8];
    unsigned services;
};

/* ---- the gateway ---- */

static struct config *make_config(const struct fixture *f, const char *links)
{
    struct config_faults faults = {0};
    struct config *config;
    char text[512];

    (void) snprintf(text, sizeof text,
                    "{\"discovery\":{\"mdns\":false},\"proxies\":[{\"name\":\"kitchen\",\"host\":"
                    "\"127.0.0.1\",\"port\":%d},"
                    "{\"name\":\"hall\",\"host\":\"127.0.0.1\",\"port\":%d}],\"links\":{%s}}",
                    f->fakes[0].port, f->fakes[1].port, links);
    config = config_parse(text, strlen(text),
                          (const char *const[]){"core", "links", "gatt", "discovery.mdns", NULL},
                          &faults);
    assert_non_null(config);
    assert_int_equal(config->without_effect.count, 0);
    config_faults_done(&faults);
    return config;
}

static void on_link(void *user, const struct gateway_link_change *change)
{
    struct fixture *f = user;
    size_t length = strlen(f->told);

    if (change->action)
        (void) snprintf(f->told + length, sizeof f->told - length, "%s:%s ", change->action,
                        change->proxy ? change->proxy : "-");
    else
        f->subscriptions++;
}

static void on_value(void *user, const struct gateway_gatt_value *value)
{
    struct fixture *f = user;

    assert_int_equal(value->counter, f->values + 1); /* in order */
    f->value = *value;
    f->octet = value->value.data[0];
    f->values++;
}

static void on_lease_ended(void *user, uint64_t address, const char *lease)
{
    struct fixture *f = user;

    assert_int_equal(address, FRIDGE);
    (void) snprintf(f->ended, sizeof f->ended, "%s", lease);
    f->leases_ended++;
}

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

static bool is_heard_by_all(struct fixture *f)
{
    struct gateway_device device;
    struct gateway_source source;

    return gateway_find_device(f->gateway, FRIDGE, &device) == 0 &&
           gateway_get_source(f->gateway, &device, PROXIES - 1, &source);
}

static bool are_all_online(struct fixture *f)
{
    struct gateway_info info;

    gateway_get_info(f->gateway, &info);
    return info.proxies_online == PROXIES;
}

static void start(struct fixture *f, const char *links)
{
    const struct gateway_subscriber subscriber = {
            .on_link = on_link, .on_value = on_value, .on_lease_ended = on_lease_ended, .user = f};

    f->gateway = gateway_new(&f->loop, make_config(f, links), NULL, open_store(f));
    f->subscription = gateway_subscribe(f->gateway, &subscriber);
    while (!are_all_online(f) || !is_heard_by_all(f))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
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
    f->device.level = 87;
    for (size_t i = 0; i < PROXIES; i++)
        fake_start(&f->fakes[i], &f->loop, &f->device, FAKE_MAC + i);
    (void) snprintf(f->folder, sizeof f->folder, "/tmp/blefleet-gatt-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    start(f, "");
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
    for (size_t i = 0; i < PROXIES; i++)
        fake_stop(&f->fakes[i]);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < PROXIES; i++)
        fake_free(&f->fakes[i]);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    remove_folder(f->folder);
    free(f);
    return 0;
}

/* ---- asking ---- */

static void on_answer(void *user, const struct gateway_gatt_answer *answer)
{
    struct fixture *f = user;

    f->answers++;
    f->answer = *answer;
    (void) snprintf(f->answered_by, sizeof f->answered_by, "%s",
                    answer->proxy ? answer->proxy : "");
    (void) snprintf(f->lease, sizeof f->lease, "%s", answer->lease ? answer->lease : "");
    if (answer->value.size > 0)
        memcpy(f->octets, answer->value.data, answer->value.size);
    f->services = answer->gatt ? (unsigned) answer->gatt->services_count : 0;
}

static struct gateway_gatt_wish wish_of(struct fixture *f, enum gateway_gatt_verb verb)
{
    struct gateway_gatt_wish wish;

    gateway_default_gatt_wish(f->gateway, &wish);
    wish.verb = verb;
    wish.uuid = ble_uuid_from_short(LEVEL);
    wish.link.address = FRIDGE;
    return wish;
}

static struct gateway_gatt_request *submit(struct fixture *f, const struct gateway_gatt_wish *wish)
{
    struct gateway_gatt_request *request = NULL;
    unsigned before = f->answers;

    assert_int_equal(gateway_gatt_submit(f->gateway, wish, on_answer, f, &request), 0);
    assert_int_equal(f->answers, before); /* never from inside the call */
    return request;
}

static int answer_of(struct fixture *f)
{
    while (f->answers == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->answers, 1);
    f->answers = 0;
    return f->answer.code;
}

static int ask(struct fixture *f, const struct gateway_gatt_wish *wish)
{
    (void) submit(f, wish);
    return answer_of(f);
}

static int read_through(struct fixture *f, size_t proxy)
{
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_READ);

    wish.link.has_proxy = true;
    wish.link.proxy_index = proxy;
    return ask(f, &wish);
}

static void close_link(struct fixture *f)
{
    struct gateway_link link;

    assert_int_equal(gateway_disconnect(f->gateway, FRIDGE, NULL), 0);
    while (gateway_get_link(f->gateway, FRIDGE, &link))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
}

static void pair_with(struct fixture *f, size_t proxy)
{
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_PAIR);

    wish.link.has_proxy = true;
    wish.link.proxy_index = proxy;
    assert_int_equal(ask(f, &wish), 0);
    close_link(f);
}

static unsigned discoveries(const struct fixture *f)
{
    return f->fakes[0].discoveries + f->fakes[1].discoveries;
}

/* ---- requests ---- */

static void G03_one_request_opens_a_link_reads_and_lets_it_linger(void **state)
{
    struct fixture *f = *state;
    struct gateway_link link;
    struct gateway_gatt gatt;

    assert_false(gateway_get_gatt(f->gateway, FRIDGE, &gatt));
    assert_int_equal(read_through(f, 1), 0);
    assert_int_equal(f->octets[0], 87);
    assert_int_equal(f->answer.handle, 3);
    assert_string_equal(f->answered_by, "hall");
    assert_non_null(strstr(f->told, "opened:hall"));
    assert_true(gateway_get_link(f->gateway, FRIDGE, &link));
    assert_int_equal(link.mtu, 247);
    assert_true(gateway_get_gatt(f->gateway, FRIDGE, &gatt));
    assert_int_equal(gatt.services_count, 1);
    assert_true(gatt.updated > 0);
    assert_false(gatt.has_hash);
}

static void G12_an_error_of_the_device_has_number_and_name(void **state)
{
    struct fixture *f = *state;

    f->fakes[0].error = 5;
    assert_int_equal(read_through(f, 0), E_GATT_ERROR);
    assert_true(f->answer.has_number);
    assert_int_equal(f->answer.number, 5);
    assert_string_equal(f->answer.number_name, "insufficient_authentication");
}

static void G10_a_device_that_does_not_answer_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_READ);

    f->fakes[0].is_silent = f->fakes[1].is_silent = true;
    wish.timeout = 1;
    assert_int_equal(ask(f, &wish), E_GATT_TIMEOUT);
}

static void what_the_link_was_refused_for_is_in_the_answer(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_READ);

    wish.link.address = 0x112233445566;
    (void) submit(f, &wish);
    assert_int_equal(answer_of(f), E_DEVICE_NOT_FOUND);
    wish.link.address = FRIDGE;
    wish.type = "often";
    assert_int_equal(gateway_gatt_submit(f->gateway, &wish, on_answer, f, NULL), E_INVALID_REQUEST);
}

static void who_gives_up_hears_nothing(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_READ);

    gateway_gatt_cancel(f->gateway, submit(f, &wish));
    assert_int_equal(read_through(f, 0), 0); /* what comes behind it is answered, once */
    close_link(f);
    assert_int_equal(f->answers, 0);
}

/* ---- what is remembered ---- */

static void P01_the_second_link_needs_no_discovery(void **state)
{
    struct fixture *f = *state;
    struct gateway_link link;

    assert_int_equal(read_through(f, 0), 0);
    assert_int_equal(f->fakes[0].uncached, 1);
    close_link(f);
    assert_int_equal(read_through(f, 0), 0);
    assert_int_equal(f->fakes[0].cached, 1);
    assert_int_equal(f->fakes[0].uncached, 1);
    assert_int_equal(discoveries(f), 1);
    assert_true(gateway_get_link(f->gateway, FRIDGE, &link));
    assert_int_equal(link.mtu, 247);
    assert_string_equal(link.mtu_source, "stored");
}

static void P02_nor_does_one_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt gatt;

    assert_int_equal(read_through(f, 0), 0);
    stop(f);
    start(f, "");
    assert_true(gateway_get_gatt(f->gateway, FRIDGE, &gatt));
    assert_int_equal(read_through(f, 0), 0);
    assert_int_equal(discoveries(f), 1);
    assert_int_equal(f->fakes[0].cached, 1);
}

static void P02_nor_does_one_through_another_proxy_or_after_its_reboot(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_through(f, 0), 0);
    close_link(f);
    assert_int_equal(read_through(f, 1), 0);
    assert_int_equal(f->fakes[1].uncached, 1); /* nothing was proved there */
    fake_hang_up(&f->fakes[1]);
    while (are_all_online(f))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(gateway_reconnect_proxy(f->gateway, 1), 0);
    while (!are_all_online(f))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(read_through(f, 1), 0);
    assert_int_equal(f->fakes[1].cached, 1);
    assert_int_equal(discoveries(f), 1);
}

static void P05_a_database_that_changed_is_not_believed_twice(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_statistics statistics;

    assert_int_equal(read_through(f, 0), 0);
    close_link(f);
    f->device = (struct fake_device){.layout = 1, .level = 12};
    assert_int_equal(read_through(f, 0), 0);
    assert_int_equal(f->octets[0], 12);
    assert_int_equal(f->answer.handle, 13);
    assert_int_equal(discoveries(f), 2);
    gateway_get_gatt_statistics(f->gateway, &statistics);
    assert_string_equal(gateway_gatt_doubt_name(2), "invalid_handle");
    assert_int_equal(statistics.forgotten[2], 1);
    stop(f);
    start(f, "");
    assert_int_equal(read_through(f, 0), 0);
    assert_int_equal(f->answer.handle, 13);
    assert_int_equal(discoveries(f), 2);
}

static void what_had_no_room_after_a_restart_has_proved_nothing_either(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt gatt;

    pair_with(f, 0);
    assert_int_equal(read_through(f, 0), 0);
    stop(f);
    start(f, "\"cache_entries\":0");
    assert_false(gateway_get_gatt(f->gateway, FRIDGE, &gatt));
    stop(f);
    start(f, "");
    assert_int_equal(read_through(f, 0), 0);
    assert_int_equal(f->fakes[0].cached, 0);
    assert_int_equal(discoveries(f), 2);
    assert_string_equal(gateway_next_bond(f->gateway, FRIDGE, &(size_t){0}), "kitchen");
}

static void a_device_that_somebody_forgets_is_discovered_anew(void **state)
{
    struct fixture *f = *state;
    struct gateway_change change = {0};
    struct gateway_gatt gatt;

    assert_int_equal(read_through(f, 0), 0);
    close_link(f);
    assert_int_equal(gateway_remove_device(f->gateway, FRIDGE, &change), GATEWAY_DONE);
    assert_false(gateway_get_gatt(f->gateway, FRIDGE, &gatt));
    fake_stream(&f->fakes[0]);
    fake_stream(&f->fakes[1]);
    while (!is_heard_by_all(f))
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(read_through(f, 0), 0);
    assert_int_equal(f->fakes[0].uncached, 2);
    assert_int_equal(discoveries(f), 2);
}

/* ---- values ---- */

static void G09_values_come_in_order_until_the_lease_ends(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_SUBSCRIBE);
    struct gateway_gatt_subscription subscription;

    wish.link.has_proxy = true;
    assert_int_equal(ask(f, &wish), 0);
    assert_int_equal(f->fakes[0].last.gatt.handle, 4);
    assert_int_equal(f->fakes[0].octets[0], 1);
    assert_true(gateway_get_gatt_subscription(f->gateway, FRIDGE, 0, &subscription));
    assert_string_equal(subscription.type, "notify");
    assert_int_equal(subscription.holders, 1);
    assert_string_equal(gateway_get_gatt_holder(f->gateway, FRIDGE, 0, 0), f->lease);
    assert_true(f->subscriptions > 0);
    for (uint8_t i = 1; i <= 3; i++)
        fake_notify(&f->fakes[0], i);
    while (f->values < 3)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->octet, 3);
    assert_int_equal(f->value.handle, 3);
    assert_string_equal(f->value.proxy, "kitchen");
    assert_int_equal(gateway_disconnect(f->gateway, FRIDGE, f->lease), 0);
    while (f->fakes[0].octets[0] != 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->fakes[0].last.gatt.handle, 4);
    assert_int_equal(f->leases_ended, 1);
    assert_string_equal(f->ended, f->lease);
    assert_false(gateway_get_gatt_subscription(f->gateway, FRIDGE, 0, &subscription));
}

static void G09_a_lost_link_ends_leases_and_subscriptions(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_SUBSCRIBE);
    struct gateway_gatt_subscription subscription;

    wish.link.has_proxy = true;
    assert_int_equal(ask(f, &wish), 0);
    fake_hang_up(&f->fakes[0]);
    while (f->leases_ended == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_string_equal(f->ended, f->lease);
    assert_false(gateway_get_gatt_subscription(f->gateway, FRIDGE, 0, &subscription));
}

static void on_ready(void *user)
{
    ((struct fixture *) user)->ready++;
}

static void a_reader_takes_one_value_after_the_other_and_is_told_what_it_lost(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_SUBSCRIBE);
    struct gateway_gatt_reader *reader;
    struct gateway_gatt_value value;
    uint64_t lost;

    gateway_reconfigure(f->gateway, make_config(f, "\"notify_queue\":2"));
    wish.link.has_proxy = true;
    assert_int_equal(ask(f, &wish), 0);
    assert_int_equal(gateway_gatt_reader_open(f->gateway, FRIDGE, 3, on_ready, f, &reader), 0);
    for (uint8_t i = 1; i <= 3; i++)
        fake_notify(&f->fakes[0], i);
    while (f->values < 3)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->ready, 1);
    assert_true(gateway_gatt_reader_next(reader, &value, &lost));
    assert_int_equal(value.counter, 2);
    assert_int_equal(value.value.data[0], 2);
    assert_int_equal(lost, 1);
    assert_string_equal(value.proxy, "kitchen");
    assert_true(gateway_gatt_reader_next(reader, &value, &lost));
    assert_int_equal(value.counter, 3);
    assert_int_equal(lost, 0);
    assert_false(gateway_gatt_reader_next(reader, &value, &lost));
    gateway_gatt_reader_close(reader);
    gateway_gatt_reader_close(NULL);
}

/* ---- bonds ---- */

static void P09_bonds_outlive_a_restart_and_end_on_every_proxy(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_wish wish;
    size_t index = 0;

    pair_with(f, 0);
    pair_with(f, 1);
    stop(f);
    start(f, "");
    assert_string_equal(gateway_next_bond(f->gateway, FRIDGE, &index), "kitchen");
    assert_string_equal(gateway_next_bond(f->gateway, FRIDGE, &index), "hall");
    assert_null(gateway_next_bond(f->gateway, FRIDGE, &index));
    wish = wish_of(f, GATEWAY_GATT_UNPAIR);
    assert_int_equal(ask(f, &wish), 0);
    assert_int_equal(f->fakes[0].unpairs, 1);
    assert_int_equal(f->fakes[1].unpairs, 1);
    index = 0;
    assert_null(gateway_next_bond(f->gateway, FRIDGE, &index));
}

static void G14_one_proxy_may_be_named(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_UNPAIR);
    size_t index = 0;

    pair_with(f, 0);
    pair_with(f, 1);
    wish.link.has_proxy = true;
    wish.link.proxy_index = 1;
    assert_int_equal(ask(f, &wish), 0);
    assert_int_equal(f->fakes[0].unpairs, 0);
    assert_string_equal(f->answered_by, "hall");
    assert_string_equal(gateway_next_bond(f->gateway, FRIDGE, &index), "kitchen");
    assert_null(gateway_next_bond(f->gateway, FRIDGE, &index));
}

/* ---- settings, time, the end ---- */

static void what_a_request_does_not_say_the_configuration_says(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_READ);
    struct gateway_gatt gatt;

    assert_int_equal(wish.timeout, 30 * USEC_PER_SEC);
    assert_int_equal(wish.tries, 2);
    assert_int_equal(read_through(f, 0), 0);
    gateway_reconfigure(f->gateway, make_config(f, "\"gatt_timeout_ms\":5000,\"retry_attempts\":1,"
                                                   "\"operations_queue\":1,\"cache_entries\":0"));
    assert_false(gateway_get_gatt(f->gateway, FRIDGE, &gatt));
    wish = wish_of(f, GATEWAY_GATT_READ);
    assert_int_equal(wish.timeout, 5 * USEC_PER_SEC);
    assert_int_equal(wish.tries, 1);
    (void) submit(f, &wish);
    assert_int_equal(gateway_gatt_submit(f->gateway, &wish, on_answer, f, NULL), E_QUEUE_FULL);
    assert_int_equal(answer_of(f), 0);
}

static usec_t least_time_to_read(struct fixture *f, bool opens_link)
{
    usec_t least = USEC_NEVER;

    for (unsigned i = 0; i < 10; i++) {
        usec_t before, took;

        if (opens_link)
            close_link(f);
        before = clock_now();
        assert_int_equal(read_through(f, 0), 0);
        took = clock_now() - before;
        least = took < least ? took : least;
    }
    return least;
}

/* In turns each answer would come at the end of one. */
static void answers_do_not_wait_for_a_turn_while_packets_stream(void **state)
{
    struct fixture *f = *state;

    fake_stream(&f->fakes[0]);
    fake_stream(&f->fakes[1]);
    assert_int_equal(read_through(f, 0), 0);
    assert_true(least_time_to_read(f, /* opens_link= */ false) < TURN / 4);
    assert_true(least_time_to_read(f, /* opens_link= */ true) < TURN / 4);
}

/* The shortest time from a notification to its subscriber. */
static usec_t least_time_of_a_value(struct fixture *f)
{
    usec_t least = USEC_NEVER;

    for (unsigned i = 0; i < 9; i++) {
        unsigned before = f->values;
        usec_t began = clock_now();

        fake_notify(&f->fakes[0], 1);
        while (f->values == before)
            (void) uv_run(&f->loop, UV_RUN_ONCE);
        if (clock_now() - began < least)
            least = clock_now() - began;
    }
    return least;
}

static void nor_do_values_as_long_as_the_link_lives(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_SUBSCRIBE);

    wish.link.has_proxy = true;
    fake_stream(&f->fakes[0]);
    for (unsigned i = 0; i < 2; i++) { /* the second link as well */
        f->values = 0;
        assert_int_equal(ask(f, &wish), 0);
        assert_true(least_time_of_a_value(f) < TURN / 4);
        close_link(f);
    }
}

static void C18_the_end_answers_who_waits_and_refuses_who_comes(void **state)
{
    struct fixture *f = *state;
    struct gateway_gatt_wish wish = wish_of(f, GATEWAY_GATT_READ);

    f->fakes[0].is_silent = f->fakes[1].is_silent = true;
    (void) submit(f, &wish);
    while (f->fakes[0].operations + f->fakes[1].operations == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    gateway_close(f->gateway, on_closed, f);
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->answer.code, E_SHUTTING_DOWN);
    assert_int_equal(gateway_gatt_submit(f->gateway, &wish, on_answer, f, NULL), E_SHUTTING_DOWN);
    while (!f->is_closed)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    gateway_unsubscribe(f->subscription);
    gateway_free(TAKE(f->gateway));
    assert_false(f->fakes[0].is_linked || f->fakes[1].is_linked);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(G03_one_request_opens_a_link_reads_and_lets_it_linger),
            TEST(G12_an_error_of_the_device_has_number_and_name),
            TEST(G10_a_device_that_does_not_answer_is_given_up),
            TEST(what_the_link_was_refused_for_is_in_the_answer),
            TEST(who_gives_up_hears_nothing),
            TEST(P01_the_second_link_needs_no_discovery),
            TEST(P02_nor_does_one_after_a_restart),
            TEST(P02_nor_does_one_through_another_proxy_or_after_its_reboot),
            TEST(P05_a_database_that_changed_is_not_believed_twice),
            TEST(what_had_no_room_after_a_restart_has_proved_nothing_either),
            TEST(a_device_that_somebody_forgets_is_discovered_anew),
            TEST(G09_values_come_in_order_until_the_lease_ends),
            TEST(G09_a_lost_link_ends_leases_and_subscriptions),
            TEST(a_reader_takes_one_value_after_the_other_and_is_told_what_it_lost),
            TEST(P09_bonds_outlive_a_restart_and_end_on_every_proxy),
            TEST(G14_one_proxy_may_be_named),
            TEST(what_a_request_does_not_say_the_configuration_says),
            TEST(answers_do_not_wait_for_a_turn_while_packets_stream),
            TEST(nor_do_values_as_long_as_the_link_lives),
            TEST(C18_the_end_answers_who_waits_and_refuses_who_comes),
    };

    return cmocka_run_group_tests_name("gateway.gatt", tests, NULL, NULL);
}
