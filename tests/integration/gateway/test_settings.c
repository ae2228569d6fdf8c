/* Changes of the configuration through the facade, on a real loop and a real file, with proxies
 * that nobody answers for. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/memory.h"
#include "config/config_file.h"
#include "gateway/gateway.h"

#define FRIDGE  0xA4C13812AB56
#define NOBODY  0xA4C13812AB99
#define CHANGES 1000

/* Port 1 of loopback: nobody listens there, and an enabled proxy dials for ever. ThreadSanitizer
 * does not see how libuv closes sockets, and takes a file of the worker for one: where files are
 * written no proxy dials. */
#define CONFIG(enabled)                                                                            \
    "{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"127.0.0.1\",\"port\":1,\"password\":\"hush\"," \
    "\"enabled\":" enabled "},"                                                                    \
    "{\"name\":\"hall\",\"host\":\"127.0.0.1\",\"port\":1,\"enabled\":false}],"                    \
    "\"devices\":[{\"address\":\"A4:C1:38:12:AB:56\",\"alias\":\"Fridge\"},"                       \
    "{\"address\":\"A4:C1:38:12:AB:57\",\"alias\":\"Door\"}]}"
#define BASE CONFIG("false")

static const char *const parts[] = {"core", NULL};
static char *environment[] = {NULL};

struct fixture {
    uv_loop_t loop;
    char folder[64], path[96];
    struct config_file file;
    struct gateway *gateway;
    struct gateway_subscription *subscription;
    char told[4096]; /* what subscribers heard, a word each */
};

struct order { /* a change and how it ended */
    struct gateway_change change;
    unsigned done;
    int cause;
};

static void tell(struct fixture *f, const char *word)
{
    size_t length = strlen(f->told);

    (void) snprintf(f->told + length, sizeof f->told - length, "%s%s", length ? " " : "", word);
}

static void on_device(void *user, const struct gateway_device_change *change)
{
    struct fixture *f = user;
    char word[96];

    (void) snprintf(word, sizeof word, "%02x:%s:%s", (unsigned) (change->device->address & 0xff),
                    change->reasons == GATEWAY_DEVICE_SETTINGS    ? "settings"
                    : change->reasons == GATEWAY_DEVICE_FORGOTTEN ? "forgotten"
                                                                  : "other",
                    !change->device->config         ? "none"
                    : change->device->config->alias ? change->device->config->alias
                                                    : "-");
    tell(f, word);
}

static void on_proxy(void *user, enum gateway_proxy_reason reason, size_t index)
{
    struct fixture *f = user;
    struct gateway_proxy proxy;

    if (reason != GATEWAY_PROXY_SETTINGS)
        return;
    gateway_get_proxy(f->gateway, index, &proxy);
    tell(f, proxy.config->name);
    tell(f, proxy.config->scan_mode ? proxy.config->scan_mode : "-");
}

static void on_configuration(void *user)
{
    tell(user, "configuration");
}

static void put(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static int set_up_with(void **state, const char *text)
{
    struct fixture *f = xnew(struct fixture, 1);
    struct gateway_subscriber subscriber = {.on_device = on_device,
                                            .on_proxy = on_proxy,
                                            .on_configuration = on_configuration,
                                            .user = f};
    struct config_faults faults;
    struct config *config;

    (void) snprintf(f->folder, sizeof f->folder, "/tmp/blefleet-settings-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void) snprintf(f->path, sizeof f->path, "%s/blefleet.json", f->folder);
    put(f, text);
    f->file = (struct config_file){.path = f->path, .parts = parts, .environment = environment};
    config = config_file_load(&f->file, &faults);
    assert_non_null(config);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->gateway = gateway_new(&f->loop, config, &f->file, NULL);
    f->subscription = gateway_subscribe(f->gateway, &subscriber);
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, BASE);
}

static int set_up_dialling(void **state)
{
    return set_up_with(state, CONFIG("true"));
}

static void close_gateway(struct fixture *f)
{
    gateway_unsubscribe(TAKE(f->subscription));
    gateway_close(f->gateway, NULL, NULL);
    (void) uv_run(&f->loop, UV_RUN_DEFAULT);
    gateway_free(TAKE(f->gateway));
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char name[128];

    if (f->gateway)
        close_gateway(f);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    config_file_done(&f->file);
    for (int i = 1; i <= 5; i++) {
        (void) snprintf(name, sizeof name, "%s.%d", f->path, i);
        (void) unlink(name);
    }
    (void) unlink(f->path);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static void on_done(struct gateway_change *change, int cause, const struct config_edited *edited)
{
    struct order *order = CONTAINER_OF(change, struct order, change);

    (void) edited;
    order->done++;
    order->cause = cause;
}

static int patch(struct fixture *f, uint64_t address, const char *text, struct order *order)
{
    *order = (struct order){.change = {.done = on_done}};
    return gateway_change_device(f->gateway, address, text, strlen(text), "/settings",
                                 &order->change);
}

static int wait_for(struct fixture *f, const struct order *order)
{
    assert_int_equal(order->done, 0); /* never from inside the call */
    while (order->done == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(order->done, 1);
    return order->cause;
}

static void expect_told(struct fixture *f, const char *words)
{
    assert_string_equal(f->told, words);
    f->told[0] = '\0';
}

/* What a new start would run with. */
static struct config *load_again(const struct fixture *f)
{
    struct config_file file = {.path = f->path, .parts = parts, .environment = environment};
    struct config_faults faults;
    struct config *config = config_file_load(&file, &faults);

    config_file_done(&file);
    assert_non_null(config);
    return config;
}

static void patched_device_runs_is_kept_and_is_told(void **state)
{
    struct fixture *f = *state;
    struct gateway_device device;
    struct config *kept;
    struct order order;

    assert_int_equal(patch(f, FRIDGE, "{\"alias\":\"Cold\",\"expected_interval_s\":2.5}", &order),
                     0);
    assert_int_equal(wait_for(f, &order), 0);
    expect_told(f, "56:settings:Cold configuration");
    assert_int_equal(gateway_find_device(f->gateway, FRIDGE, &device), 0);
    assert_string_equal(device.config->alias, "Cold");
    assert_int_equal(device.interval, 2500000);
    kept = load_again(f);
    assert_string_equal(kept->devices[0].alias, "Cold");
    assert_int_equal(kept->devices_count, 2);
    config_free(kept);
}

static void device_that_was_never_heard_is_configured_and_removed(void **state)
{
    struct fixture *f = *state;
    struct gateway_device device;
    struct order order;

    assert_int_equal(gateway_find_device(f->gateway, NOBODY, &device), E_DEVICE_NOT_FOUND);
    assert_int_equal(patch(f, NOBODY, "{}", &order), 0);
    assert_int_equal(wait_for(f, &order), 0);
    expect_told(f, "99:settings:- configuration");
    assert_int_equal(gateway_find_device(f->gateway, NOBODY, &device), 0);
    order = (struct order){.change = {.done = on_done}};
    assert_int_equal(gateway_remove_device(f->gateway, NOBODY, &order.change), 0);
    assert_int_equal(wait_for(f, &order), 0);
    expect_told(f, "99:forgotten:none configuration");
    assert_int_equal(gateway_find_device(f->gateway, NOBODY, &device), E_DEVICE_NOT_FOUND);
    assert_int_equal(gateway_remove_device(f->gateway, NOBODY, &order.change), E_DEVICE_NOT_FOUND);
}

static void every_single_setting_of_a_device_is_a_difference(void **state)
{
    static const char *const patches[] = {
            "{\"alias\":null}",
            "{\"area\":\"Kitchen\"}",
            "{\"area\":\"Cellar\"}",
            "{\"route\":{\"require\":[\"hall\"]}}",
            "{\"route\":{\"prefer\":[\"hall\"]}}",
            "{\"route\":{\"prefer\":[\"kitchen\"]}}",
            "{\"route\":{\"require\":[],\"prefer\":[\"kitchen\"]}}",
            "{\"route\":{\"forbid\":[\"hall\"]}}",
            "{\"keep_connected\":true}",
            "{\"active_scan\":{\"interval_s\":600}}",
            "{\"active_scan\":{\"duration_s\":11}}",
            "{\"expected_interval_s\":2.5}",
            "{\"expected_interval_s\":1.5}",
            "{\"bindkey\":\"00112233445566778899aabbccddeeff\"}",
            "{\"irk\":\"00112233445566778899aabbccddeeff\"}",
            "{\"publish\":false}",
            "{\"publish\":true}",
            "{\"clear_cccd_on_stop\":false}",
    };
    struct fixture *f = *state;
    struct order order;

    for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
        assert_int_equal(patch(f, FRIDGE, patches[i], &order), 0);
        assert_int_equal(wait_for(f, &order), 0);
        expect_told(f, "56:settings:- configuration");
    }
}

static void patch_without_effect_tells_nothing(void **state)
{
    struct fixture *f = *state;
    struct order order;

    assert_int_equal(patch(f, FRIDGE, "{\"alias\":\"Fridge\"}", &order), 0);
    assert_int_equal(wait_for(f, &order), 0);
    expect_told(f, "");
}

static void changes_run_in_order_and_each_sees_the_one_before(void **state)
{
    struct fixture *f = *state;
    struct order orders[4];

    assert_int_equal(patch(f, FRIDGE, "{\"alias\":\"Ice\"}", &orders[0]), 0);
    assert_int_equal(patch(f, NOBODY, "{\"alias\":\"Fridge\"}", &orders[1]), 0);
    assert_int_equal(patch(f, FRIDGE, "{\"alias\":\"Fridge\"}", &orders[2]), 0);
    assert_int_equal(patch(f, FRIDGE, "{\"area\":\"Kitchen\"}", &orders[3]), 0);
    while (orders[3].done == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(orders[0].cause, 0);
    assert_int_equal(orders[1].cause, 0);
    assert_int_equal(orders[2].cause, E_CONFLICT);
    assert_int_equal(orders[3].cause, 0);
    expect_told(f, "56:settings:Ice configuration 99:settings:Fridge configuration "
                   "56:settings:Ice configuration");
}

static void scan_mode_is_kept_and_told(void **state)
{
    struct fixture *f = *state;
    struct order order = {.change = {.done = on_done}};
    struct config *kept;

    assert_int_equal(gateway_set_scan_mode(f->gateway, 1, "passive", &order.change), 0);
    assert_int_equal(wait_for(f, &order), 0);
    expect_told(f, "hall passive configuration");
    kept = load_again(f);
    assert_string_equal(kept->proxies[1].scan_mode, "passive");
    assert_null(kept->proxies[0].scan_mode);
    config_free(kept);
}

static void failed_change_leaves_what_runs(void **state)
{
    struct fixture *f = *state;
    const struct config *running = gateway_config(f->gateway);
    struct order order;

    assert_int_equal(patch(f, FRIDGE, "{\"alias\":\"a/b\"}", &order), 0);
    assert_int_equal(wait_for(f, &order), E_INVALID_REQUEST);
    put(f, "{}");
    assert_int_equal(patch(f, FRIDGE, "{\"alias\":\"Cold\"}", &order), 0);
    assert_int_equal(wait_for(f, &order), E_PRECONDITION_FAILED);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(patch(f, FRIDGE, "{\"alias\":\"Cold\"}", &order), 0);
    assert_int_equal(wait_for(f, &order), -ENOENT);
    assert_ptr_equal(gateway_config(f->gateway), running);
    expect_told(f, "");
    put(f, BASE);
}

static void too_many_changes_are_refused(void **state)
{
    static struct order orders[64];
    struct fixture *f = *state;
    struct order one_more;

    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        assert_int_equal(patch(f, FRIDGE, "{}", &orders[i]), 0);
    assert_int_equal(patch(f, FRIDGE, "{}", &one_more), E_OVERLOADED);
    while (orders[63].done == 0)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        assert_int_equal(orders[i].done, 1);
    assert_int_equal(patch(f, FRIDGE, "{}", &one_more), 0);
    assert_int_equal(wait_for(f, &one_more), 0);
}

static void cancelled_change_goes_on_unheard(void **state)
{
    struct fixture *f = *state;
    struct order *given_up = xnew(struct order, 1), next;

    assert_int_equal(patch(f, FRIDGE, "{\"alias\":\"Cold\"}", given_up), 0);
    assert_int_equal(patch(f, FRIDGE, "{\"area\":\"A\"}", &next), 0);
    gateway_change_cancel(&given_up->change);
    free(given_up);
    assert_int_equal(wait_for(f, &next), 0);
    assert_string_equal(gateway_config(f->gateway)->devices[0].alias, "Cold");
}

static void end_waits_for_the_change_under_way_and_gives_up_the_others(void **state)
{
    struct fixture *f = *state;
    struct order orders[3];
    struct config *kept;

    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        assert_int_equal(patch(f, FRIDGE, i == 0 ? "{\"alias\":\"Cold\"}" : "{\"alias\":\"Ice\"}",
                               &orders[i]),
                         0);
    close_gateway(f);
    assert_int_equal(orders[0].cause, 0);
    assert_int_equal(orders[1].cause, E_SHUTTING_DOWN);
    assert_int_equal(orders[2].cause, E_SHUTTING_DOWN);
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        assert_int_equal(orders[i].done, 1);
    kept = load_again(f);
    assert_string_equal(kept->devices[0].alias, "Cold");
    config_free(kept);
}

/* The sanitizers count by themselves. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated_bytes(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks;
}

static void a_thousand_configurations_cost_the_memory_of_one(void **state)
{
    struct fixture *f = *state;
    struct config_faults faults;
    size_t before = 0;
    char text[256];

    for (int i = 0; i < CHANGES; i++) {
        (void) snprintf(text, sizeof text,
                        "{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"127.0.0.1\",\"port\":1},"
                        "{\"name\":\"hall\",\"host\":\"127.0.0.1\",\"enabled\":false}],"
                        "\"devices\":[{\"address\":\"A4:C1:38:12:A0:%02X\",\"alias\":\"d%d\"}]}",
                        i % 256, i);
        gateway_reconfigure(f->gateway, config_parse(text, strlen(text), parts, &faults));
        (void) uv_run(&f->loop, UV_RUN_NOWAIT);
        f->told[0] = '\0';
        if (i == CHANGES / 10)
            before = allocated_bytes();
    }
    assert_int_equal(gateway_devices_count(f->gateway), 1);
    assert_true(allocated_bytes() < before + 100 * 1024); /* a configuration is 4 KB and more */
    gateway_reconnect_proxy(f->gateway, 0); /* its name and host are of the first one */
    (void) uv_run(&f->loop, UV_RUN_NOWAIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(patched_device_runs_is_kept_and_is_told),
            TEST(device_that_was_never_heard_is_configured_and_removed),
            TEST(every_single_setting_of_a_device_is_a_difference),
            TEST(patch_without_effect_tells_nothing),
            TEST(changes_run_in_order_and_each_sees_the_one_before),
            TEST(scan_mode_is_kept_and_told),
            TEST(failed_change_leaves_what_runs),
            TEST(too_many_changes_are_refused),
            TEST(cancelled_change_goes_on_unheard),
            TEST(end_waits_for_the_change_under_way_and_gives_up_the_others),
            cmocka_unit_test_setup_teardown(a_thousand_configurations_cost_the_memory_of_one,
                                            set_up_dialling, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
