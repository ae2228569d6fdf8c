#include "store/account_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct account_op token_op(enum account_op_kind kind, const char *name, int64_t last_used)
{
    struct account_op op = {.kind = kind, .token.last_used = last_used};

    (void) snprintf(op.token.name, sizeof op.token.name, "%s", name);
    return op;
}

static struct account_op session_op(enum account_op_kind kind, uint8_t id)
{
    return (struct account_op){.kind = kind, .session.id = {id}};
}

static void push(struct account_queue *q, struct account_op op)
{
    account_queue_push(q, &op);
}

static void of_one_thing_the_last_word_waits(void **state)
{
    struct account_queue q = {0};

    (void) state;
    push(&q, token_op(ACCOUNT_ADD_TOKEN, "a", 0));
    push(&q, session_op(ACCOUNT_PUT_SESSION, 1));
    push(&q, token_op(ACCOUNT_DROP_TOKEN, "a", 0));
    push(&q, session_op(ACCOUNT_DROP_SESSION, 1));
    push(&q, token_op(ACCOUNT_ADD_TOKEN, "b", 0));
    assert_int_equal(q.ops_count, 3);
    assert_int_equal(q.ops[0].kind, ACCOUNT_DROP_TOKEN);
    assert_int_equal(q.ops[1].kind, ACCOUNT_DROP_SESSION);
    account_queue_done(&q);
}

static void a_use_adds_to_what_was_said_and_never_replaces_it(void **state)
{
    struct account_queue q = {0};

    (void) state;
    push(&q, token_op(ACCOUNT_USE_TOKEN, "b", 5));
    assert_false(account_queue_has_tokens(&q)); /* the file knows the same tokens */
    push(&q, token_op(ACCOUNT_ADD_TOKEN, "a", 0));
    push(&q, token_op(ACCOUNT_USE_TOKEN, "a", 7));
    assert_int_equal(q.ops_count, 2);
    assert_int_equal(q.ops[1].kind, ACCOUNT_ADD_TOKEN);
    assert_int_equal(q.ops[1].token.last_used, 7);
    assert_true(account_queue_has_tokens(&q));
    account_queue_done(&q);
}

static void what_was_not_written_comes_back_but_for_what_was_said_since(void **state)
{
    struct audit_entry entry = {.id = 1, .actor = "ops", .action = "POST /tokens", .changed = ""};
    struct account_queue q = {0}, older = {0};

    (void) state;
    push(&older, token_op(ACCOUNT_ADD_TOKEN, "a", 0));
    push(&older, token_op(ACCOUNT_ADD_TOKEN, "b", 0));
    account_queue_push_audit(&older, &entry);
    push(&q, token_op(ACCOUNT_DROP_TOKEN, "a", 0));
    entry.id = 2;
    account_queue_push_audit(&q, &entry);
    account_queue_put_back(&q, &older);
    assert_int_equal(q.ops_count, 2);
    assert_string_equal(q.ops[0].token.name, "b");
    assert_int_equal(q.ops[1].kind, ACCOUNT_DROP_TOKEN);
    assert_int_equal(q.audit_count, 2);
    assert_int_equal(q.audit[0].id, 1);
    assert_true(account_queue_is_empty(&older));
    account_queue_done(&q);
    account_queue_done(&older);
}

static void a_disk_that_is_full_for_long_costs_bounded_memory(void **state)
{
    struct audit_entry entry = {.actor = "ops", .action = "POST /tokens", .changed = ""};
    struct account_queue q = {0};
    char name[16];

    (void) state;
    for (unsigned i = 0; i < ACCOUNT_OPS_MAX + 10; i++) {
        (void) snprintf(name, sizeof name, "t%u", i);
        push(&q, token_op(ACCOUNT_ADD_TOKEN, name, 0));
    }
    for (unsigned i = 0; i < ACCOUNT_AUDIT_MAX + 10; i++) {
        entry.id = i + 1;
        account_queue_push_audit(&q, &entry);
    }
    assert_int_equal(q.ops_count, ACCOUNT_OPS_MAX);
    assert_string_equal(q.ops[0].token.name, "t10");
    assert_int_equal(q.audit_count, ACCOUNT_AUDIT_MAX);
    assert_int_equal(q.audit[0].id, 11);
    account_queue_done(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(of_one_thing_the_last_word_waits),
            cmocka_unit_test(a_use_adds_to_what_was_said_and_never_replaces_it),
            cmocka_unit_test(what_was_not_written_comes_back_but_for_what_was_said_since),
            cmocka_unit_test(a_disk_that_is_full_for_long_costs_bounded_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
