/* Backup, restore and restart over a gateway that does what it is told. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fake_gateway.h"
#include "rest/rest.h"

#define BACKUP  "/api/v1/backup"
#define RESTORE "/api/v1/restore"
#define RESTART "/api/v1/restart"

struct fixture {
    struct config *config;
    struct gateway *gateway;
    struct rest *rest;
    unsigned done;
};

static int setup(void **state)
{
    struct fixture *f = xnew(struct fixture, 1);

    f->config = fake_config("{}");
    f->gateway = fake_gateway_new(f->config);
    f->rest = rest_new(f->gateway);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    rest_free(f->rest);
    fake_gateway_free(f->gateway);
    config_free(f->config);
    free(f);
    return 0;
}

static void on_done(struct rest_request *request)
{
    ((struct fixture *) request->user)->done++;
}

static struct rest_request make(struct fixture *f, const char *target, const char *body)
{
    return (struct rest_request){.method = "POST",
                                 .target = target,
                                 .body = body,
                                 .body_size = body ? strlen(body) : 0,
                                 .role = REST_ROLE_ADMIN,
                                 .done = on_done,
                                 .user = f};
}

static struct rest_request make_restore(struct fixture *f, const char *passphrase)
{
    struct rest_request request = make(f, RESTORE, NULL);

    request.content_type = "application/vnd.sqlite3";
    request.body_file = "/a/file";
    request.passphrase = passphrase;
    return request;
}

static void expect(struct fixture *f, struct rest_request *request, int status, const char *words)
{
    assert_int_equal(rest_submit(f->rest, request), REST_ANSWERED);
    assert_int_equal(request->answer.status, status);
    if (!strstr(request->answer.body, words))
        fail_msg("%s does not say \"%s\"", request->answer.body, words);
    answer_done(&request->answer);
}

static void backup_is_a_file_with_a_dated_name(void **state)
{
    struct fixture *f = *state;
    struct rest_request request = make(f, BACKUP, "{\"passphrase\":\"correct horse\"}");
    const struct gateway_backup backup = {
            .fd = open("/dev/null", O_RDONLY | O_CLOEXEC), .size = 5, .created = FAKE_WALL};
    bool is_named = false;

    assert_int_equal(rest_submit(f->rest, &request), 0);
    assert_string_equal(fake_gateway_backups(f->gateway)->passphrase, "correct horse");
    fake_gateway_end_backup(f->gateway, 0, &backup);
    assert_int_equal(f->done, 1);
    assert_int_equal(request.answer.status, 200);
    assert_string_equal(request.answer.content_type, "application/vnd.sqlite3");
    assert_true(request.answer.is_file);
    assert_int_equal(request.answer.file_size, 5);
    for (size_t i = 0; i < request.answer.headers_count; i++)
        is_named |= strcmp(request.answer.headers[i].value,
                           "attachment; filename=\"blefleet-20261121T100000Z.sqlite3\"") == 0;
    assert_true(is_named);
    answer_done(&request.answer);
    assert_int_equal(fcntl(backup.fd, F_GETFD), -1); /* closed */
}

static void backup_nobody_waits_for_is_closed(void **state)
{
    struct fixture *f = *state;
    struct rest_request request = make(f, BACKUP, "{\"secrets\":false}");
    const struct gateway_backup backup = {.fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};

    assert_int_equal(rest_submit(f->rest, &request), 0);
    assert_string_equal(fake_gateway_backups(f->gateway)->passphrase, "(none)");
    rest_cancel(f->rest, &request, E_CANCELLED);
    assert_int_equal(f->done, 1);
    assert_int_equal(request.answer.status, 503);
    answer_done(&request.answer);
    fake_gateway_end_backup(f->gateway, 0, &backup);
    assert_int_equal(fcntl(backup.fd, F_GETFD), -1);
}

static void backup_that_fails_says_why(void **state)
{
    static const struct {
        int cause, status;
        const char *words;
    } cases[] = {{-ENOSPC, 500, "No space left"},
                 {E_CONFLICT, 500, "configuration file has faults"},
                 {E_CANCELLED, 503, "shutting_down"}};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct rest_request request = make(f, BACKUP, "{\"secrets\":false}");

        assert_int_equal(rest_submit(f->rest, &request), 0);
        fake_gateway_end_backup(f->gateway, cases[i].cause, NULL);
        assert_int_equal(request.answer.status, cases[i].status);
        assert_non_null(strstr(request.answer.body, cases[i].words));
        answer_done(&request.answer);
    }
}

static void passphrase_has_12_to_1024_characters(void **state)
{
    char longest[1100], body[1200];
    struct fixture *f = *state;
    struct rest_request request;

    (void) snprintf(longest, sizeof longest, "%01024d", 0);
    for (int more = 0; more < 2; more++) {
        (void) snprintf(body, sizeof body, "{\"passphrase\":\"%s%s\"}", longest, more ? "1" : "");
        request = make(f, BACKUP, body);
        if (more) {
            expect(f, &request, 422, "/passphrase");
            continue;
        }
        assert_int_equal(rest_submit(f->rest, &request), 0);
        fake_gateway_end_backup(f->gateway, E_CANCELLED, NULL);
        answer_done(&request.answer);
    }
    request = make(f, BACKUP, "{\"passphrase\":\"\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\"}");
    expect(f, &request, 422, "12 to 1024"); /* of 6 characters, in 12 octets */
    request = make(f, BACKUP, "{}");
    expect(f, &request, 422, "need a passphrase");
    request = make(f, BACKUP, "{\"secrets\":false,\"passphrase\":\"correct horse\"}");
    expect(f, &request, 422, "nothing to encrypt");
}

static void one_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct rest_request first = make_restore(f, NULL),
                        second = make(f, BACKUP, "{\"secrets\":false}");

    assert_int_equal(rest_submit(f->rest, &first), 0);
    assert_string_equal(fake_gateway_backups(f->gateway)->path, "/a/file");
    expect(f, &second, 503, "overloaded");
    rest_cancel(f->rest, &first, E_CANCELLED);
    answer_done(&first.answer);
    expect(f, &second, 503, "overloaded"); /* it still runs */
    fake_gateway_end_restore(f->gateway, E_CANCELLED, NULL);
}

static void what_was_staged_is_told(void **state)
{
    static char *pointers[] = {"/log/level"};
    static const struct config_texts changed = {pointers, 1};
    const struct gateway_restored restored = {.version = "0.1.0",
                                              .created = "2026-11-21T10:00:00.000Z",
                                              .has_secrets = true,
                                              .changed = &changed};
    struct fixture *f = *state;
    struct rest_request request = make_restore(f, "correct horse");

    assert_int_equal(rest_submit(f->rest, &request), 0);
    assert_string_equal(fake_gateway_backups(f->gateway)->passphrase, "correct horse");
    fake_gateway_end_restore(f->gateway, 0, &restored);
    assert_int_equal(request.answer.status, 200);
    assert_string_equal(request.answer.body,
                        "{\"version\":\"0.1.0\",\"created\":\"2026-11-21T10:00:00.000Z\","
                        "\"secrets\":true,\"restart_required\":[\"/log/level\"]}");
    answer_done(&request.answer);
}

static void what_is_wrong_with_a_backup_is_told(void **state)
{
    static struct config_fault items[] = {{"/moon", "is not a key"}};
    static const struct config_faults faults = {.items = items, .count = 1}, none = {0};
    static const struct {
        int cause, status;
        struct gateway_restored restored;
        const char *words;
    } cases[] = {
            {-EBADMSG, 400, {.sentence = "it is damaged", .faults = &none}, "it is damaged"},
            {E_INVALID_REQUEST, 422, {.sentence = "it is newer", .faults = &none}, "it is newer"},
            {E_INVALID_REQUEST, 422, {.sentence = "", .faults = &faults}, "/configuration/moon"},
            {-EIO, 500, {.sentence = "", .faults = &none}, "cannot be staged"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct rest_request request = make_restore(f, NULL);

        assert_int_equal(rest_submit(f->rest, &request), 0);
        fake_gateway_end_restore(f->gateway, cases[i].cause, &cases[i].restored);
        assert_int_equal(request.answer.status, cases[i].status);
        assert_non_null(strstr(request.answer.body, cases[i].words));
        answer_done(&request.answer);
    }
}

static void restore_wants_a_file_of_its_type(void **state)
{
    struct fixture *f = *state;
    struct rest_request request = make_restore(f, NULL);

    request.content_type = "application/json";
    expect(f, &request, 415, "application/vnd.sqlite3");
    request.content_type = NULL;
    expect(f, &request, 415, "application/vnd.sqlite3");
    request = make_restore(f, NULL);
    request.body_file = NULL;
    expect(f, &request, 400, "no backup");
    request = make_restore(f, "short");
    expect(f, &request, 422, "12 to 1024");
}

static void restart_is_answered_first(void **state)
{
    struct fixture *f = *state;
    struct rest_request request = make(f, RESTART, NULL);

    expect(f, &request, 503, "nobody can start it again");
    fake_gateway_backups(f->gateway)->can_restart = true;
    expect(f, &request, 202, "{\"restarting\":true}");
    assert_int_equal(fake_gateway_backups(f->gateway)->restarts, 2);
}

static void nobody_but_an_admin_may(void **state)
{
    static const char *const targets[] = {BACKUP, RESTORE, RESTART};
    struct fixture *f = *state;

    fake_gateway_backups(f->gateway)->can_restart = true;
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        struct rest_request request = make(f, targets[i], NULL);

        request.role = REST_ROLE_CONTROL;
        expect(f, &request, 403, "forbidden");
    }
    assert_int_equal(fake_gateway_backups(f->gateway)->restarts, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(backup_is_a_file_with_a_dated_name),
            TEST(backup_nobody_waits_for_is_closed),
            TEST(backup_that_fails_says_why),
            TEST(passphrase_has_12_to_1024_characters),
            TEST(one_at_a_time),
            TEST(what_was_staged_is_told),
            TEST(what_is_wrong_with_a_backup_is_told),
            TEST(restore_wants_a_file_of_its_type),
            TEST(restart_is_answered_first),
            TEST(nobody_but_an_admin_may),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
