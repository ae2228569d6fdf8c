/* Accounts in the file: kept, told again when another program changes them, and written at once. */
#include "shelf.h"

#include "store/token_file.h"

struct seen { /* what the store told */
    struct account_token tokens[8];
    size_t tokens_count, sessions_count, audit_count, told;
    struct account_session session;
    uint64_t last_audit;
    int written; /* results, so many that were 0 */
};

static struct seen seen;

static void on_tokens(void *user, const struct account_token *tokens, size_t count)
{
    struct seen *s = user;

    assert_true(count <= 8);
    memcpy(s->tokens, tokens, count * sizeof *tokens);
    s->tokens_count = count;
    s->told++;
}

static void on_session(void *user, const struct account_session *session)
{
    struct seen *s = user;

    s->session = *session;
    s->sessions_count++;
}

static void on_audit(void *user, const struct audit_entry *entry)
{
    struct seen *s = user;

    assert_true(entry->id > s->last_audit);
    assert_string_equal(entry->actor, "ops");
    assert_string_equal(entry->changed, "/a\n/b");
    s->last_audit = entry->id;
    s->audit_count++;
}

static void load(struct shelf *f)
{
    const struct store_accounts to = {on_tokens, on_session, on_audit, &seen};

    seen = (struct seen){0};
    assert_int_equal(store_load_accounts(f->store, &to), 0);
}

static void put_token(struct shelf *f, enum account_op_kind kind, const char *name, uint8_t hash)
{
    struct account_op op = {.kind = kind,
                            .token = {.role = ACCOUNT_CONTROL, .created = MOMENT, .hash = {hash}}};

    (void) snprintf(op.token.name, sizeof op.token.name, "%s", name);
    op.token.last_used = kind == ACCOUNT_USE_TOKEN ? MOMENT + 1 : 0;
    store_put_account(f->store, &op);
}

static void on_written(void *user, int result)
{
    const struct shelf *f = user;

    assert_int_equal(result, 0);
    seen.written++;
    assert_false(store_is_behind_with_tokens(f->store));
}

static void tokens_sessions_and_rows_come_back(void **state)
{
    struct shelf *f = *state;
    const struct account_op session = {.kind = ACCOUNT_PUT_SESSION,
                                       .session = {.id = {1}, .token = {7}, .expires = MOMENT}};
    struct audit_entry entry = {.id = 3,
                                .class = AUDIT_CONTROL,
                                .time = MOMENT,
                                .role = ACCOUNT_ADMIN,
                                .status = 200,
                                .actor = "ops",
                                .action = "PUT /x",
                                .changed = "/a\n/b"};

    put_token(f, ACCOUNT_ADD_TOKEN, "ops", 7);
    put_token(f, ACCOUNT_USE_TOKEN, "ops", 7);
    store_put_account(f->store, &session);
    store_put_audit(f->store, &entry);
    entry.id = 4;
    store_put_audit(f->store, &entry);
    shelf_reopen(f);
    load(f);
    assert_int_equal(seen.tokens_count, 1);
    assert_string_equal(seen.tokens[0].name, "ops");
    assert_int_equal(seen.tokens[0].role, ACCOUNT_CONTROL);
    assert_int_equal(seen.tokens[0].hash[0], 7);
    assert_true(seen.tokens[0].last_used == MOMENT + 1);
    assert_int_equal(seen.sessions_count, 1);
    assert_int_equal(seen.session.id[0], 1);
    assert_int_equal(seen.audit_count, 2);
    assert_int_equal(seen.last_audit, 4);
}

static void a_token_is_written_at_once_and_who_waits_is_told(void **state)
{
    struct shelf *f = *state;

    load(f);
    store_on_written(f->store, on_written, f);
    put_token(f, ACCOUNT_ADD_TOKEN, "ops", 7);
    assert_true(store_is_behind_with_tokens(f->store));
    while (seen.written == 0) /* the timer would take its time */
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_false(store_is_behind_with_tokens(f->store));
}

static void a_dropped_token_takes_its_sessions_along(void **state)
{
    struct shelf *f = *state;
    struct account_op session = {.kind = ACCOUNT_PUT_SESSION,
                                 .session = {.id = {1}, .token = {7}, .expires = MOMENT}};

    put_token(f, ACCOUNT_ADD_TOKEN, "ops", 7);
    store_put_account(f->store, &session);
    session.session.id[0] = 2;
    session.session.token[0] = 8;
    store_put_account(f->store, &session);
    shelf_reopen(f);
    put_token(f, ACCOUNT_DROP_TOKEN, "ops", 0);
    shelf_reopen(f);
    load(f);
    assert_int_equal(seen.tokens_count, 0);
    assert_int_equal(seen.sessions_count, 1);
    assert_int_equal(seen.session.id[0], 2);
}

static void a_use_does_not_bring_a_removed_token_back(void **state)
{
    struct shelf *f = *state;

    put_token(f, ACCOUNT_USE_TOKEN, "ops", 7);
    shelf_reopen(f);
    load(f);
    assert_int_equal(seen.tokens_count, 0);
}

static void old_rows_go(void **state)
{
    struct shelf *f = *state;
    struct audit_entry entry = {.status = 200,
                                .role = ACCOUNT_ADMIN,
                                .actor = "ops",
                                .action = "PUT /x",
                                .changed = "/a\n/b"};

    for (int i = 1; i <= 4; i++) {
        entry.id = (uint64_t) i;
        entry.time = MOMENT + i;
        store_put_audit(f->store, &entry);
    }
    store_prune_audit(f->store, MOMENT + 3);
    shelf_reopen(f);
    load(f);
    assert_int_equal(seen.audit_count, 2);
    assert_int_equal(seen.last_audit, 4);
}

static void a_class_has_its_bound_in_the_file(void **state)
{
    struct shelf *f = *state;
    struct audit_entry entry = {.class = AUDIT_REFUSED,
                                .status = 401,
                                .role = ACCOUNT_ADMIN,
                                .actor = "ops",
                                .action = "PUT /x",
                                .changed = "/a\n/b"};

    for (int i = 1; i <= AUDIT_REFUSALS_MAX + 20; i++) {
        entry.id = (uint64_t) i;
        store_put_audit(f->store, &entry);
    }
    shelf_reopen(f);
    load(f);
    assert_int_equal(seen.audit_count, AUDIT_REFUSALS_MAX);
    assert_int_equal(seen.last_audit, AUDIT_REFUSALS_MAX + 20);
}

static void what_another_program_does_is_seen(void **state)
{
    struct shelf *f = *state;
    struct account_token token = {.name = "phone", .role = ACCOUNT_READ, .hash = {9}};
    struct token_file *file;
    char error[256];

    load(f);
    put_token(f, ACCOUNT_ADD_TOKEN, "ops", 7);
    store_watch_tokens(f->store, on_tokens, &seen);
    assert_int_equal(token_file_open(f->folder, &file, error, sizeof error), 0);
    assert_int_equal(token_file_add(file, &token), 0);
    token_file_close(file);
    while (seen.tokens_count < 2) /* STORE_LOOK_MS at most */
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_string_equal(seen.tokens[1].name, "phone");
    assert_int_equal(token_file_open(f->folder, &file, error, sizeof error), 0);
    assert_non_null(token_file_find(file, "ops"));
    assert_int_equal(token_file_remove(file, "ops"), 0);
    token_file_close(file);
    while (seen.tokens_count > 1)
        (void) uv_run(&f->loop, UV_RUN_ONCE);
    assert_string_equal(seen.tokens[0].name, "phone");
    assert_int_equal(shelf_count_files(f, "damaged"), 0);
}

static void tokens_are_looked_for_without_making_a_store(void **state)
{
    struct shelf *f = *state;
    char none[64];

    assert_false(token_file_has_any(f->folder));
    put_token(f, ACCOUNT_ADD_TOKEN, "ops", 7);
    shelf_close(f);
    assert_true(token_file_has_any(f->folder));
    (void) snprintf(none, sizeof none, "%s/none", f->folder);
    assert_false(token_file_has_any(none));
    assert_int_equal(shelf_count_files(f, "none"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, shelf_setup, shelf_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(tokens_sessions_and_rows_come_back),
            TEST(a_token_is_written_at_once_and_who_waits_is_told),
            TEST(a_dropped_token_takes_its_sessions_along),
            TEST(a_use_does_not_bring_a_removed_token_back),
            TEST(old_rows_go),
            TEST(a_class_has_its_bound_in_the_file),
            TEST(what_another_program_does_is_seen),
            TEST(tokens_are_looked_for_without_making_a_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
