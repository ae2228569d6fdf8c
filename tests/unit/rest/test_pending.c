#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest/pending.h"

struct waiting {
    struct pending pending;
    struct rest_request request;
    unsigned released, done;
};

static void on_release(struct pending *pending)
{
    struct waiting *w = CONTAINER_OF(pending, struct waiting, pending);

    assert_int_equal(w->done, 0);
    w->released++;
}

static void on_done(struct rest_request *request)
{
    struct waiting *w = CONTAINER_OF(request, struct waiting, request);

    assert_int_equal(w->released, 1);
    w->done++;
}

static int begin(struct pendings *s, struct waiting *w)
{
    *w = (struct waiting){.request = {.done = on_done}};
    return pendings_add(s, &w->pending, &w->request, on_release);
}

static void pending_request_is_released_and_then_done_once(void **state)
{
    struct pendings *s = pendings_new(2);
    struct waiting w;

    (void) state;
    assert_int_equal(begin(s, &w), 0);
    assert_ptr_equal(w.request.pending, &w.pending);
    pending_finish(&w.pending);
    assert_int_equal(w.done, 1);
    assert_null(w.request.pending);
    pendings_free(s);
}

static void pending_requests_of_all_kinds_share_one_bound(void **state)
{
    struct pendings *s = pendings_new(2);
    struct waiting a, b, c;

    (void) state;
    assert_int_equal(begin(s, &a), 0);
    assert_false(pendings_are_full(s));
    assert_int_equal(begin(s, &b), 0);
    assert_true(pendings_are_full(s));
    assert_int_equal(begin(s, &c), E_OVERLOADED);
    assert_null(c.request.pending);
    pending_finish(&a.pending);
    assert_int_equal(begin(s, &c), 0);
    pendings_cancel_all(s, E_CANCELLED);
    assert_int_equal(c.released, 1);
    answer_done(&b.request.answer);
    answer_done(&c.request.answer);
    pendings_free(s);
}

static void pending_requests_that_are_cancelled_are_answered_with_the_cause(void **state)
{
    struct pendings *s = pendings_new(3);
    struct waiting w[3];

    (void) state;
    for (size_t i = 0; i < ARRAY_SIZE(w); i++)
        assert_int_equal(begin(s, &w[i]), 0);
    pending_cancel(&w[1].pending, E_CANCELLED);
    assert_int_equal(w[1].done, 1);
    assert_int_equal(w[0].done + w[2].done, 0);
    assert_non_null(strstr(w[1].request.answer.body, "\"cancelled\""));
    pendings_cancel_all(s, E_SHUTTING_DOWN);
    for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
        assert_int_equal(w[i].done, 1);
        assert_int_equal(w[i].request.answer.status, 503);
        answer_done(&w[i].request.answer);
    }
    pendings_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(pending_request_is_released_and_then_done_once),
            cmocka_unit_test(pending_requests_of_all_kinds_share_one_bound),
            cmocka_unit_test(pending_requests_that_are_cancelled_are_answered_with_the_cause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
