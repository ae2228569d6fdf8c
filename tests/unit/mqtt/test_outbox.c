#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "mqtt/outbox.h"

static struct outbox_message *make(const char *topic, size_t size)
{
    return outbox_message_new(memory_copy_text(topic), memory_zalloc(1, size + 1), size);
}

static void expect(struct outbox *o, const char *topic)
{
    struct outbox_message *m = outbox_pop(o);

    assert_non_null(m);
    assert_string_equal(m->topic, topic);
    outbox_message_free(m);
}

static void gives_back_in_order(void **state)
{
    struct outbox o = {.count_max = 3, .bytes_max = 10000};

    (void) state;
    outbox_push(&o, make("a", 1));
    outbox_push(&o, make("b", 1));
    assert_string_equal(outbox_first(&o)->topic, "a");
    expect(&o, "a");
    expect(&o, "b");
    assert_null(outbox_pop(&o));
    assert_int_equal(o.bytes, 0);
    assert_int_equal(o.dropped, 0);
}

static void the_oldest_goes_when_there_are_too_many(void **state)
{
    struct outbox o = {.count_max = 2, .bytes_max = 10000};

    (void) state;
    outbox_push(&o, make("a", 1));
    outbox_push(&o, make("b", 1));
    outbox_push(&o, make("c", 1));
    assert_int_equal(o.dropped, 1);
    assert_int_equal(o.count, 2);
    expect(&o, "b");
    expect(&o, "c");
}

static void the_oldest_go_when_they_are_too_large(void **state)
{
    struct outbox o = {.count_max = 100, .bytes_max = 3000};

    (void) state;
    outbox_push(&o, make("a", 1000));
    outbox_push(&o, make("b", 1000));
    outbox_push(&o, make("c", 2000));
    assert_int_equal(o.dropped, 2);
    assert_true(o.bytes <= o.bytes_max);
    expect(&o, "c");
}

static void one_that_is_too_large_alone_stays(void **state)
{
    struct outbox o = {.count_max = 100, .bytes_max = 100};

    (void) state;
    outbox_push(&o, make("a", 5000));
    expect(&o, "a");
    outbox_push(&o, make("b", 5000));
    outbox_clear(&o);
    assert_int_equal(o.count, 0);
    assert_int_equal(o.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(gives_back_in_order),
            cmocka_unit_test(the_oldest_goes_when_there_are_too_many),
            cmocka_unit_test(the_oldest_go_when_they_are_too_large),
            cmocka_unit_test(one_that_is_too_large_alone_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
