/* Texts of changes that several faces tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "config/config.h"
#include "fake_gateway.h"
#include "json/device_texts.h"
#include "json/event_json.h"

static const uint8_t payload[] = {0x05, 0x09, 'l', 'a', 'm', 'p'};

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct fake_device *device;
    struct device_texts texts;
    struct gateway_device_change change;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}]}");
    f->gateway = fake_gateway_new(f->config);
    f->device = fake_gateway_add(f->gateway, 1);
    fake_gateway_hear(f->gateway, f->device, "kitchen", payload, sizeof payload);
    f->change = (struct gateway_device_change){.number = 1,
                                               .reasons = GATEWAY_DEVICE_PAYLOAD,
                                               .time = FAKE_START,
                                               .device = &f->device->facts};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    device_texts_done(&f->texts);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static bool has(const struct buffer *text, const char *part)
{
    return memmem(buffer_front(text), buffer_size(text), part, strlen(part)) != NULL;
}

static const struct buffer *event(struct fixture *f, unsigned reason)
{
    return device_texts_event(&f->texts, f->gateway, &f->change, reason);
}

static void the_event_holds_the_device(void **state)
{
    struct fixture *f = *state;
    const struct buffer *text = event(f, GATEWAY_DEVICE_PAYLOAD);
    char *device AUTO_FREE = memory_zalloc(buffer_size(&f->texts.device.text) + 1, 1);

    memcpy(device, buffer_front(&f->texts.device.text), buffer_size(&f->texts.device.text));
    assert_true(has(text, "\"reason\":\"payload\""));
    assert_true(has(text, device));
    assert_ptr_equal(device_texts_device(&f->texts, f->gateway, &f->change), &f->texts.device.text);
}

static void what_was_told_once_is_not_formatted_again(void **state)
{
    struct fixture *f = *state;

    (void) event(f, GATEWAY_DEVICE_PAYLOAD);
    f->device->facts.rssi = -33; /* which a text made anew would tell */
    assert_false(has(event(f, GATEWAY_DEVICE_PAYLOAD), "\"rssi\":-33"));
    assert_false(has(device_texts_device(&f->texts, f->gateway, &f->change), "\"rssi\":-33"));
}

static void each_reason_is_an_event_of_its_own(void **state)
{
    struct fixture *f = *state;

    assert_true(has(event(f, GATEWAY_DEVICE_PAYLOAD), "\"reason\":\"payload\""));
    assert_true(has(event(f, GATEWAY_DEVICE_FORGOTTEN), "\"reason\":\"forgotten\""));
    assert_true(has(event(f, GATEWAY_DEVICE_PAYLOAD), "\"reason\":\"payload\""));
}

static void the_next_change_of_the_same_moment_has_its_own_texts(void **state)
{
    struct fixture *f = *state;

    (void) event(f, GATEWAY_DEVICE_PAYLOAD);
    f->device->facts.rssi = -33;
    f->change.number = 2;
    assert_true(has(event(f, GATEWAY_DEVICE_PAYLOAD), "\"rssi\":-33"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(the_event_holds_the_device),
            TEST(what_was_told_once_is_not_formatted_again),
            TEST(each_reason_is_an_event_of_its_own),
            TEST(the_next_change_of_the_same_moment_has_its_own_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
