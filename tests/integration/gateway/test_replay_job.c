/* A replay on its worker while the loop records on, which drops what the worker reads. Whether they
 * touch the same memory is what ThreadSanitizer sees here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "base/error.h"
#include "recorder/recorder.h"
#include "replay_job.h"

#define START   (1000 * USEC_PER_SEC)
#define DEVICES 50
#define PACKETS 60000 /* more than the ring holds */

struct fixture {
    uv_loop_t loop;
    uv_idle_t idle;
    struct recorder *recorder;
    struct replay_job *job;
    uint64_t recorded, packets;
    unsigned done;
    int rc;
};

static void record(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t payload[20] = {19, 0xff, 0x99, 4};
        struct ble_report report = {.address = 0xc00000000000 + f->recorded % DEVICES,
                                    .address_type = 1,
                                    .data = payload,
                                    .size = sizeof payload,
                                    .rssi = -60};

        memcpy(payload + 4, &f->recorded, sizeof f->recorded);
        recorder_advertisements(f->recorder, (uint16_t) (f->recorded % 3), &report, 1,
                                START + f->recorded * USEC_PER_MSEC);
        f->recorded++;
    }
}

static void on_done(void *user, int rc, const struct gateway_replay_result *result)
{
    struct fixture *f = user;

    f->done++;
    f->rc = rc;
    f->packets = result ? result->packets : 0;
    uv_close((uv_handle_t *) &f->idle, NULL);
}

/* The loop has other things to do. */
static void on_idle(uv_idle_t *idle)
{
    record(idle->data, 500);
}

static void start(struct fixture *f)
{
    const struct recorder_settings settings = {(size_t) 1 << 20, 86400 * USEC_PER_SEC, 7};
    const struct gateway_replay_wish wish = {.since = INT64_MIN,
                                             .until = INT64_MAX,
                                             .patch = "{\"scan\":{\"ownership\":"
                                                      "{\"margin_db\":4}}}"};

    *f = (struct fixture){.rc = 1};
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->recorder = recorder_new(&settings, NULL, NULL, START, 0);
    record(f, PACKETS);
    (void) uv_idle_init(&f->loop, &f->idle);
    f->idle.data = f;
    (void) uv_idle_start(&f->idle, on_idle);
    f->job = replay_job_start(&f->loop, f->recorder, &wish, /* is_changed= */ true, on_done, f);
}

static void end(struct fixture *f)
{
    recorder_free(f->recorder);
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

static void the_ring_moves_on_while_its_past_is_replayed(void **state)
{
    struct recorder_status status;
    struct fixture f;

    (void) state;
    start(&f);
    assert_int_equal(uv_run(&f.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(f.done, 1);
    assert_int_equal(f.rc, 0);
    assert_true(f.packets > 1000 && f.packets < PACKETS);
    recorder_get_status(f.recorder, &status);
    assert_true(status.advertisements > PACKETS && status.dropped > 0);
    end(&f);
}

static void a_replay_that_is_cancelled_ends_without_a_result(void **state)
{
    struct fixture f;

    (void) state;
    start(&f);
    replay_job_cancel(f.job);
    assert_int_equal(uv_run(&f.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(f.done, 1);
    assert_int_equal(f.rc, E_CANCELLED);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_ring_moves_on_while_its_past_is_replayed),
            cmocka_unit_test(a_replay_that_is_cancelled_ends_without_a_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
