#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "accounts/audit.h"

#define START (1000 * USEC_PER_SEC)

static struct audit_entry make(enum audit_class class, int64_t time)
{
    return (struct audit_entry){
            .class = class,
            .time = time,
            .role = ACCOUNT_ADMIN,
            .status = class == AUDIT_REFUSED ? 401 : 200,
            .actor = "ops",
            .remote = "192.0.2.7:51234",
            .action = "PUT /config",
            .changed = "/log/level\n/mqtt/host",
    };
}

static void rows_come_back_newest_first_whatever_their_class(void **state)
{
    struct audit *a = audit_new();
    const struct audit_entry *e;
    uint64_t before = UINT64_MAX;

    (void) state;
    for (int i = 0; i < 300; i++) {
        struct audit_entry entry = make(i % 3 == 0 ? AUDIT_ADMIN : AUDIT_CONTROL, i);

        assert_non_null(audit_add(a, &entry, START));
    }
    for (int i = 299; i >= 0; i--) {
        e = audit_before(a, before);
        assert_non_null(e);
        assert_int_equal(e->time, i);
        before = e->id;
    }
    assert_null(audit_before(a, before));
    e = audit_before(a, UINT64_MAX);
    assert_string_equal(e->actor, "ops");
    assert_string_equal(e->remote, "192.0.2.7:51234");
    assert_string_equal(e->action, "PUT /config");
    assert_string_equal(e->changed, "/log/level\n/mqtt/host");
    audit_free(a);
}

static void small_things_do_not_push_out_what_admins_did(void **state)
{
    struct audit *a = audit_new();
    struct audit_entry entry = make(AUDIT_ADMIN, 1);
    size_t count = 0;

    (void) state;
    (void) audit_add(a, &entry, START);
    entry = make(AUDIT_CONTROL, 2);
    for (int i = 0; i < AUDIT_ROWS_MAX + 50; i++)
        (void) audit_add(a, &entry, START);
    assert_non_null(audit_before(a, 2));
    assert_int_equal(audit_before(a, 2)->class, AUDIT_ADMIN);
    for (const struct audit_entry *e = NULL; (e = audit_before(a, e ? e->id : UINT64_MAX));)
        count++;
    assert_int_equal(count, AUDIT_ROWS_MAX + 1);
    audit_free(a);
}

static void a_flood_of_refusals_is_a_row_a_minute_for_each_who_is_refused(void **state)
{
    struct audit *a = audit_new();
    struct audit_entry entry = make(AUDIT_REFUSED, 1);
    char remote[AUDIT_REMOTE_SIZE];
    unsigned rows = 0;

    (void) state;
    for (int i = 0; i < 1000; i++) {
        (void) snprintf(remote, sizeof remote, "192.0.2.7:%d", 1024 + i);
        entry.remote = remote;
        rows += audit_add(a, &entry, START + 1) != NULL;
    }
    assert_int_equal(rows, 1);
    entry.status = 429;
    assert_non_null(audit_add(a, &entry, START + 2));
    entry.status = 401;
    assert_null(audit_add(a, &entry, START + 60 * USEC_PER_SEC));
    assert_non_null(audit_add(a, &entry, START + 1 + 60 * USEC_PER_SEC));
    audit_free(a);
}

static void refusals_of_many_have_a_bound_in_all(void **state)
{
    struct audit *a = audit_new();
    struct audit_entry entry = make(AUDIT_REFUSED, 1);
    char remote[AUDIT_REMOTE_SIZE];
    unsigned rows = 0;

    (void) state;
    for (int i = 0; i < 500; i++) {
        (void) snprintf(remote, sizeof remote, "[2001:db8::%x]:1024", i);
        entry.remote = remote;
        rows += audit_add(a, &entry, START) != NULL;
    }
    assert_int_equal(rows, AUDIT_REFUSALS_A_MINUTE);
    audit_free(a);
}

static void long_texts_are_cut_and_pointers_left_out_as_a_whole(void **state)
{
    struct audit *a = audit_new();
    struct audit_entry entry = make(AUDIT_ADMIN, 1);
    char action[1000], changed[AUDIT_CHANGED_SIZE + 100];
    const struct audit_entry *e;

    (void) state;
    memset(action, 'x', sizeof action);
    action[sizeof action - 1] = '\0';
    memset(changed, 'y', sizeof changed);
    changed[sizeof changed - 1] = '\0';
    changed[1000] = '\n';
    entry.action = action;
    entry.changed = changed;
    e = audit_add(a, &entry, START);
    assert_int_equal(strlen(e->action), AUDIT_ACTION_SIZE - 1);
    assert_int_equal(strlen(e->changed), 1000);
    audit_free(a);
}

static void old_rows_go_and_loaded_ones_keep_their_ids(void **state)
{
    struct audit *a = audit_new();
    struct audit_entry entry = make(AUDIT_ADMIN, 5);

    (void) state;
    entry.id = 7;
    audit_load(a, &entry);
    entry.id = 7;
    audit_load(a, &entry); /* a second time: not ours */
    entry = make(AUDIT_CONTROL, 9);
    assert_int_equal(audit_add(a, &entry, START)->id, 8);
    assert_false(audit_forget(a, 5));
    assert_true(audit_forget(a, 6));
    assert_null(audit_before(a, 8));
    assert_non_null(audit_before(a, 9));
    audit_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(rows_come_back_newest_first_whatever_their_class),
            cmocka_unit_test(small_things_do_not_push_out_what_admins_did),
            cmocka_unit_test(a_flood_of_refusals_is_a_row_a_minute_for_each_who_is_refused),
            cmocka_unit_test(refusals_of_many_have_a_bound_in_all),
            cmocka_unit_test(long_texts_are_cut_and_pointers_left_out_as_a_whole),
            cmocka_unit_test(old_rows_go_and_loaded_ones_keep_their_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
