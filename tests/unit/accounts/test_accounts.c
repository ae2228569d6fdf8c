#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "accounts/accounts.h"
#include "accounts/token_table.h"
#include "accounts/wrong_tokens.h"
#include "base/error.h"

#define NOW   (1000 * USEC_PER_SEC)
#define WALL  ((int64_t) 1795255200 * 1000000)
#define HOUR  ((int64_t) 3600 * 1000000)
#define LASTS (24 * HOUR)

static const struct account_source here = {false, 0x7f000001}, there = {false, 0xc0000207};

struct kept {
    unsigned added, used, dropped, sessions, sessions_dropped, changes;
};

struct fixture {
    struct accounts *accounts;
    struct kept kept;
    char admin[SECRET_TOKEN_SIZE], reader[SECRET_TOKEN_SIZE];
};

static void on_add(void *user, const struct account_token *token)
{
    (void) token;
    ((struct kept *) user)->added++;
}

static void on_use(void *user, const struct account_token *token)
{
    (void) token;
    ((struct kept *) user)->used++;
}

static void on_drop(void *user, const char *name)
{
    (void) name;
    ((struct kept *) user)->dropped++;
}

static void on_session(void *user, const struct account_session *session)
{
    (void) session;
    ((struct kept *) user)->sessions++;
}

static void on_session_drop(void *user, const uint8_t id[SECRET_HASH_SIZE])
{
    (void) id;
    ((struct kept *) user)->sessions_dropped++;
}

static void on_audit(void *user, const struct audit_entry *entry)
{
    (void) user, (void) entry;
}

static void on_change(void *user)
{
    ((struct kept *) user)->changes++;
}

static int add(struct fixture *f, const char *name, enum account_role role, uint8_t chance,
               char ret_secret[SECRET_TOKEN_SIZE])
{
    uint8_t random[SECRET_RANDOM_SIZE];

    memset(random, chance, sizeof random);
    return accounts_add_token(f->accounts, name, role, random, WALL, ret_secret);
}

static struct account_identity identify(struct fixture *f, const char *bearer, const char *cookie,
                                        struct account_source source)
{
    const struct account_credentials c = {bearer, cookie, source, source.prefix == here.prefix};
    struct account_identity identity;

    (void) accounts_identify(f->accounts, &c, NOW, WALL, &identity);
    return identity;
}

static int sign_in(struct fixture *f, const char *token, uint8_t chance,
                   char ret_cookie[SECRET_ID_SIZE], struct account_identity *ret_identity)
{
    static const struct account_identity nobody;
    uint8_t random[SECRET_RANDOM_SIZE];
    const struct accounts_sign_in wish = {token, there, &nobody, LASTS, random};
    bool is_held;

    memset(random, chance, sizeof random);
    return accounts_sign_in(f->accounts, &wish, NOW, WALL, ret_cookie, ret_identity, &is_held);
}

static int set_up(void **state)
{
    static struct fixture f;
    const struct accounts_keeper keeper = {on_add,          on_use,   on_drop, on_session,
                                           on_session_drop, on_audit, &f.kept};

    f = (struct fixture){.accounts = accounts_new(&keeper)};
    accounts_watch(f.accounts, on_change, &f.kept);
    *state = &f;
    return 0;
}

/* With an admin and a reader. */
static int set_up_with_tokens(void **state)
{
    struct fixture *f;

    (void) set_up(state);
    f = *state;
    assert_int_equal(add(f, "ops", ACCOUNT_ADMIN, 1, f->admin), 0);
    assert_int_equal(add(f, "wall", ACCOUNT_READ, 2, f->reader), 0);
    f->kept.changes = 0;
    return 0;
}

static int tear_down(void **state)
{
    accounts_free(((struct fixture *) *state)->accounts);
    return 0;
}

static void without_tokens_loopback_is_admin_and_nobody_else_anything(void **state)
{
    assert_int_equal(identify(*state, NULL, NULL, here).role, ACCOUNT_ADMIN);
    assert_int_equal(identify(*state, "anything", NULL, here).via, ACCOUNT_VIA_LOOPBACK);
    assert_int_equal(identify(*state, NULL, NULL, there).role, ACCOUNT_NONE);
}

static void the_first_token_is_an_admin_and_ends_what_loopback_may(void **state)
{
    struct fixture *f = *state;
    struct account_identity before = identify(f, NULL, NULL, here);
    char secret[SECRET_TOKEN_SIZE];

    assert_int_equal(add(f, "wall", ACCOUNT_READ, 1, secret), E_INVALID_REQUEST);
    assert_false(accounts_has_tokens(f->accounts));
    assert_int_equal(add(f, "ops", ACCOUNT_ADMIN, 1, secret), 0);
    assert_int_equal(f->kept.changes, 1);
    assert_false(accounts_stands(f->accounts, &before, WALL));
    assert_int_equal(identify(f, NULL, NULL, here).role, ACCOUNT_NONE);
    assert_int_equal(identify(f, secret, NULL, here).role, ACCOUNT_ADMIN);
    assert_int_equal(add(f, "ops", ACCOUNT_ADMIN, 2, secret), E_CONFLICT);
}

static void a_token_says_who_somebody_is(void **state)
{
    struct fixture *f = *state;
    struct account_identity identity = identify(f, f->reader, NULL, there);

    assert_int_equal(identity.role, ACCOUNT_READ);
    assert_int_equal(identity.via, ACCOUNT_VIA_BEARER);
    assert_string_equal(identity.name, "wall");
    assert_int_equal(identity.expires, 0);
    assert_int_equal(identify(f, NULL, f->reader, there).role,
                     ACCOUNT_NONE); /* no cookie of ours */
}

static void a_use_is_kept_once_an_hour(void **state)
{
    struct fixture *f = *state;
    const struct account_credentials c = {f->reader, NULL, there, false};
    struct account_identity identity;

    for (int i = 0; i < 5; i++)
        (void) accounts_identify(f->accounts, &c, NOW, WALL + i, &identity);
    assert_int_equal(f->kept.used, 1);
    (void) accounts_identify(f->accounts, &c, NOW, WALL + HOUR, &identity);
    assert_int_equal(f->kept.used, 2);
    assert_int_equal(accounts_find_token(f->accounts, "wall")->last_used, WALL + HOUR);
}

static void a_session_stands_for_its_token_until_it_ends(void **state)
{
    struct fixture *f = *state;
    struct account_identity identity, again;
    char cookie[SECRET_ID_SIZE];

    assert_int_equal(sign_in(f, f->reader, 7, cookie, &identity), 0);
    again = identify(f, NULL, cookie, there);
    assert_int_equal(again.role, ACCOUNT_READ);
    assert_int_equal(again.via, ACCOUNT_VIA_COOKIE);
    assert_int_equal(again.expires, WALL + LASTS);
    assert_true(accounts_stands(f->accounts, &again, WALL));
    assert_false(accounts_stands(f->accounts, &again, WALL + LASTS));
    accounts_sign_out(f->accounts, &again);
    assert_int_equal(f->kept.sessions_dropped, 1);
    assert_int_equal(f->kept.changes, 1);
    assert_false(accounts_stands(f->accounts, &again, WALL));
    assert_int_equal(identify(f, NULL, cookie, there).role, ACCOUNT_NONE);
}

static void a_session_that_is_over_is_swept(void **state)
{
    struct fixture *f = *state;
    struct account_identity identity;
    char cookie[SECRET_ID_SIZE];

    assert_int_equal(sign_in(f, f->reader, 7, cookie, &identity), 0);
    accounts_sweep(f->accounts, WALL + LASTS - 1);
    assert_int_equal(f->kept.changes, 0);
    accounts_sweep(f->accounts, WALL + LASTS);
    assert_int_equal(f->kept.sessions_dropped, 1);
    assert_int_equal(f->kept.changes, 1);
}

static void a_removed_token_takes_its_sessions_with_it(void **state)
{
    struct fixture *f = *state;
    struct account_identity signed_in, bearer = identify(f, f->reader, NULL, there);
    char cookie[SECRET_ID_SIZE];

    assert_int_equal(sign_in(f, f->reader, 7, cookie, &signed_in), 0);
    assert_int_equal(accounts_remove_token(f->accounts, "wall"), 0);
    assert_int_equal(f->kept.dropped, 1);
    assert_int_equal(f->kept.sessions_dropped, 1);
    assert_int_equal(f->kept.changes, 1);
    assert_false(accounts_stands(f->accounts, &bearer, WALL));
    assert_false(accounts_stands(f->accounts, &signed_in, WALL));
    assert_int_equal(identify(f, NULL, cookie, there).role, ACCOUNT_NONE);
    assert_int_equal(accounts_remove_token(f->accounts, "wall"), E_NOT_FOUND);
}

static void the_last_admin_stays(void **state)
{
    struct fixture *f = *state;
    char secret[SECRET_TOKEN_SIZE];

    assert_int_equal(accounts_remove_token(f->accounts, "ops"), E_CONFLICT);
    assert_int_equal(add(f, "second", ACCOUNT_ADMIN, 9, secret), 0);
    assert_int_equal(accounts_remove_token(f->accounts, "ops"), 0);
}

static void ten_wrong_tokens_are_held_off_and_sessions_go_on(void **state)
{
    struct fixture *f = *state;
    const struct account_credentials wrong = {"blf_wrong", NULL, there, false};
    struct account_identity identity;
    char cookie[SECRET_ID_SIZE], unused[SECRET_ID_SIZE];

    assert_int_equal(sign_in(f, f->reader, 7, cookie, &identity), 0);
    for (int i = 1; i < WRONG_TOKENS_MAX; i++)
        assert_false(accounts_identify(f->accounts, &wrong, NOW, WALL, &identity));
    assert_true(accounts_identify(f->accounts, &wrong, NOW, WALL, &identity));
    assert_int_equal(identity.retry_after, 0); /* this one was looked at */
    identity = identify(f, f->admin, NULL, there);
    assert_int_equal(identity.role, ACCOUNT_NONE);
    assert_int_equal(identity.retry_after, WRONG_TOKENS_HOLD);
    assert_int_equal(identify(f, NULL, cookie, there).role, ACCOUNT_READ);
    assert_int_equal(identify(f, f->admin, NULL, here).role, ACCOUNT_ADMIN);
    assert_int_equal(sign_in(f, f->admin, 8, unused, &identity), E_RATE_LIMITED);
    assert_int_equal(identity.retry_after, WRONG_TOKENS_HOLD);
}

static void wrong_cookies_do_not_count(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3 * WRONG_TOKENS_MAX; i++)
        assert_int_equal(identify(f, NULL, "stale", there).retry_after, 0);
    assert_int_equal(identify(f, f->admin, NULL, there).role, ACCOUNT_ADMIN);
}

static void tokens_that_somebody_else_removed_are_gone_with_all_they_had(void **state)
{
    struct fixture *f = *state;
    struct account_token left = *accounts_find_token(f->accounts, "ops");
    struct account_identity identity;
    char cookie[SECRET_ID_SIZE];

    assert_int_equal(sign_in(f, f->reader, 7, cookie, &identity), 0);
    (void) identify(f, f->admin, NULL, there);
    accounts_set_tokens(f->accounts, &left, 1);
    assert_int_equal(f->kept.sessions_dropped, 1);
    assert_false(accounts_stands(f->accounts, &identity, WALL));
    assert_null(accounts_find_token(f->accounts, "wall"));
    assert_int_equal(accounts_find_token(f->accounts, "ops")->last_used,
                     WALL); /* the file is behind */
}

static void a_smaller_role_does_not_stand_for_the_larger_one(void **state)
{
    struct fixture *f = *state;
    struct account_identity identity = identify(f, f->admin, NULL, there);
    struct account_token less = *accounts_find_token(f->accounts, "ops");

    less.role = ACCOUNT_READ;
    accounts_set_tokens(f->accounts, &less, 1);
    assert_false(accounts_stands(f->accounts, &identity, WALL));
}

static void the_environment_hides_names_of_the_store_and_cannot_be_removed(void **state)
{
    static const char text[] = "ops read 0123456789abcdef0123456789abcdef";
    struct fixture *f = *state;
    char fault[TOKEN_LINES_FAULT];
    static struct token_lines lines;

    assert_true(token_lines_read(text, sizeof text - 1, &lines, fault));
    assert_true(accounts_set_environment(f->accounts, &lines));
    assert_int_equal(identify(f, "0123456789abcdef0123456789abcdef", NULL, there).role,
                     ACCOUNT_READ);
    assert_int_equal(identify(f, f->admin, NULL, there).role, ACCOUNT_NONE); /* hidden */
    assert_true(accounts_find_token(f->accounts, "ops")->is_environment);
    assert_int_equal(accounts_remove_token(f->accounts, "ops"), E_OVERRIDDEN);
    assert_string_equal(accounts_get_token(f->accounts, 1)->name, "wall");
    assert_null(accounts_get_token(f->accounts, 2));
    lines.count = 0;
    assert_true(accounts_set_environment(f->accounts, &lines));
    assert_int_equal(identify(f, f->admin, NULL, there).role, ACCOUNT_ADMIN);
}

static void there_is_a_bound_of_tokens(void **state)
{
    struct fixture *f = *state;
    char secret[SECRET_TOKEN_SIZE], name[16];

    for (int i = 2; i < TOKENS_MAX; i++) {
        (void) snprintf(name, sizeof name, "t%d", i);
        assert_int_equal(add(f, name, ACCOUNT_READ, (uint8_t) i, secret), 0);
    }
    assert_int_equal(add(f, "more", ACCOUNT_READ, 255, secret), E_OVERLOADED);
    assert_int_equal(secret[0], '\0');
}

static void kept_sessions_come_back_with_their_tokens_alone(void **state)
{
    struct fixture *f = *state;
    struct account_session session = {.id = {1}, .expires = WALL + 1};

    accounts_load_session(f->accounts, &session, WALL);
    assert_int_equal(f->kept.sessions_dropped, 0); /* the environment comes later */
    accounts_sweep(f->accounts, WALL);
    assert_int_equal(f->kept.sessions_dropped, 1); /* of no token */
    memcpy(session.token, accounts_find_token(f->accounts, "ops")->hash, SECRET_HASH_SIZE);
    accounts_load_session(f->accounts, &session, WALL + 1);
    assert_int_equal(f->kept.sessions_dropped, 2); /* over */
    accounts_load_session(f->accounts, &session, WALL);
    assert_int_equal(f->kept.sessions_dropped, 2);
}

#define TEST(name, up) cmocka_unit_test_setup_teardown(name, up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(without_tokens_loopback_is_admin_and_nobody_else_anything, set_up),
            TEST(the_first_token_is_an_admin_and_ends_what_loopback_may, set_up),
            TEST(a_token_says_who_somebody_is, set_up_with_tokens),
            TEST(a_use_is_kept_once_an_hour, set_up_with_tokens),
            TEST(a_session_stands_for_its_token_until_it_ends, set_up_with_tokens),
            TEST(a_session_that_is_over_is_swept, set_up_with_tokens),
            TEST(a_removed_token_takes_its_sessions_with_it, set_up_with_tokens),
            TEST(the_last_admin_stays, set_up_with_tokens),
            TEST(ten_wrong_tokens_are_held_off_and_sessions_go_on, set_up_with_tokens),
            TEST(wrong_cookies_do_not_count, set_up_with_tokens),
            TEST(tokens_that_somebody_else_removed_are_gone_with_all_they_had, set_up_with_tokens),
            TEST(a_smaller_role_does_not_stand_for_the_larger_one, set_up_with_tokens),
            TEST(the_environment_hides_names_of_the_store_and_cannot_be_removed,
                 set_up_with_tokens),
            TEST(there_is_a_bound_of_tokens, set_up_with_tokens),
            TEST(kept_sessions_come_back_with_their_tokens_alone, set_up_with_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
