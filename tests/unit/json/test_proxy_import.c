/* What is imported, what is skipped with a sentence, and what is refused with a pointer. */
#include "json/proxy_import.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

struct fixture {
    struct proxy_import import;
    char faults[512]; /* their pointers, a word each */
    char result[1024];
};

static int set_up(void **state)
{
    *state = xnew(struct fixture, 1);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    proxy_import_done(&f->import);
    free(f);
    return 0;
}

/* "kitchen" is there, and so is the device 00:00:00:00:00:07. */
static bool is_known(void *user, const struct proxy_import_candidate *candidate,
                     char ret_detail[PROXY_IMPORT_DETAIL_SIZE])
{
    (void) user;
    (void) snprintf(ret_detail, PROXY_IMPORT_DETAIL_SIZE, "known");
    return strcmp(candidate->name, "kitchen") == 0 || (candidate->has_mac && candidate->mac == 7);
}

static void on_fault(void *user, const char *pointer, const char *detail)
{
    struct fixture *f = user;
    size_t length = strlen(f->faults);

    assert_true(detail[0] && !strchr(detail, '\n'));
    (void) snprintf(f->faults + length, sizeof f->faults - length, "%s ", *pointer ? pointer : ".");
}

/* Names that are added, then those that are skipped, each with its cause. */
static const char *read(struct fixture *f, const char *body)
{
    size_t at;

    proxy_import_done(&f->import);
    f->faults[0] = '\0';
    if (proxy_import_read(body, strlen(body), is_known, on_fault, f, &f->import) < 0) {
        assert_null(f->import.patch);
        return NULL;
    }
    assert_string_equal(f->faults, "");
    f->result[0] = '\0';
    for (size_t i = 0; i < f->import.added_count; i++) {
        at = strlen(f->result);
        (void) snprintf(f->result + at, sizeof f->result - at, "%s ", f->import.added[i]);
    }
    for (size_t i = 0; i < f->import.skipped_count; i++) {
        at = strlen(f->result);
        (void) snprintf(f->result + at, sizeof f->result - at, "-%s(%s) ",
                        f->import.skipped[i].name, f->import.skipped[i].detail);
    }
    return f->result;
}

static void expect_faults(struct fixture *f, const char *body, const char *pointers)
{
    assert_null(read(f, body));
    assert_string_equal(f->faults, pointers);
}

static void entries_are_taken_as_they_are(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(read(f, "{\"proxies\":[{\"name\":\"hall\",\"host\":\"h\",\"area\":null},"
                                "{\"name\":\"attic\",\"host\":\"h\",\"port\":6054,"
                                "\"encryption_key\":\"" KEY "\"}]}"),
                        "hall attic ");
    assert_string_equal(f->import.patch, "[{\"name\":\"hall\",\"host\":\"h\",\"area\":null},"
                                         "{\"name\":\"attic\",\"host\":\"h\",\"port\":6054,"
                                         "\"encryption_key\":\"" KEY "\"}]");
    assert_int_equal(f->import.patch_size, strlen(f->import.patch));
    assert_false(f->import.is_dry_run);
}

static void what_is_there_or_comes_twice_is_skipped(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
            read(f, "{\"dry_run\":true,\"proxies\":[{\"name\":\"kitchen\",\"host\":\"a\"},"
                    "{\"name\":\"hall\",\"host\":\"b\"},{\"name\":\"hall\",\"host\":\"c\"},"
                    "{\"name\":\"other\",\"host\":\"b\"},"
                    "{\"name\":\"seven\",\"host\":\"d\",\"mac\":\"00:00:00:00:00:07\"}]}"),
            "hall -kitchen(known) -hall(another one of this import has that name) "
            "-other(another one of this import is at that host and port) -seven(known) ");
    assert_true(f->import.is_dry_run);
    assert_string_equal(read(f, "{\"proxies\":[]}"), "");
    assert_null(f->import.patch);
}

static void faults_of_entries_have_their_places(void **state)
{
    struct fixture *f = *state;

    expect_faults(f,
                  "{\"proxies\":[{\"name\":\"hall\",\"host\":\"h\"},"
                  "{\"name\":\"a b\",\"host\":\"h\",\"port\":-1},{\"name\":\"x\"},7,"
                  "{\"name\":\"y\",\"host\":\"h\",\"encryption_key\":\"***\"}]}",
                  "/proxies/1/name /proxies/1/port /proxies/2 /proxies/3 "
                  "/proxies/4/encryption_key ");
}

static void bodies_that_are_none_are_refused(void **state)
{
    struct fixture *f = *state;

    expect_faults(f, "[]", ". ");
    expect_faults(f, "7", ". ");
    expect_faults(f, "{}", ". ");
    expect_faults(f, "{\"proxies\":[],\"home_assistant\":\"\"}", ". ");
    expect_faults(f, "{\"proxies\":[],\"more\":1}", ". ");
    expect_faults(f, "{\"proxies\":{}}", "/proxies ");
    expect_faults(f, "{\"home_assistant\":7}", "/home_assistant ");
    expect_faults(f, "{\"proxies\":[],\"dry_run\":1}", "/dry_run ");
    expect_faults(f, "{\"home_assistant\":\"\"}", "/home_assistant ");
    expect_faults(f, "{\"home_assistant\":\"{\\\"data\\\":{}}\"}", "/home_assistant ");
}

/* The text of Home Assistant, quoted into a body. */
static const char *read_theirs(struct fixture *f, const char *entries)
{
    char *body AUTO_FREE = memory_zalloc(1, 2 * strlen(entries) + 128);
    size_t at = strlen(strcpy(body, "{\"home_assistant\":\"{\\\"data\\\":{\\\"entries\\\":["));

    for (; *entries; entries++) {
        if (*entries == '"' || *entries == '\\')
            body[at++] = '\\';
        body[at++] = *entries;
    }
    strcpy(body + at, "]}}\"}");
    return read(f, body);
}

static void entries_of_home_assistant_are_translated(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
            read_theirs(f, "{\"domain\":\"hue\",\"title\":\"Bridge\",\"data\":{\"host\":\"x\"}},"
                           "{\"domain\":\"esphome\",\"title\":\"Hall\",\"unique_id\":"
                           "\"24:6f:28:aa:bb:cc\",\"data\":{\"host\":\"192.0.2.1\",\"port\":6053,"
                           "\"device_name\":\"hall-proxy\",\"password\":\"\",\"noise_psk\":\"" KEY
                           "\"}},"
                           "{\"domain\":\"esphome\",\"title\":\"Küche (oben)\",\"data\":"
                           "{\"host\":\"192.0.2.2\",\"port\":6054,\"password\":\"hush\"}},"
                           "{\"domain\":\"esphome\",\"title\":\"...\",\"data\":{\"host\":"
                           "\"10.0.0.9\"}}"),
            "hall-proxy K-che--oben- 10.0.0.9 ");
    assert_string_equal(f->import.patch,
                        "[{\"name\":\"hall-proxy\",\"host\":\"192.0.2.1\","
                        "\"mac\":\"24:6f:28:aa:bb:cc\",\"encryption_key\":\"" KEY "\"},"
                        "{\"name\":\"K-che--oben-\",\"host\":\"192.0.2.2\",\"port\":6054,"
                        "\"password\":\"hush\"},"
                        "{\"name\":\"10.0.0.9\",\"host\":\"10.0.0.9\"}]");
}

static void odd_entries_of_home_assistant_are_skipped_one_by_one(void **state)
{
    struct fixture *f = *state;
    const char *result = read_theirs(
            f, "7,null,[],\"esphome\",{\"domain\":7},{\"domain\":\"esphome\"},"
               "{\"domain\":\"esphome\",\"title\":\"a\",\"data\":{\"host\":\"\"}},"
               "{\"domain\":\"esphome\",\"title\":\"b\",\"data\":{\"host\":7,\"port\":\"x\"}},"
               "{\"domain\":\"esphome\",\"title\":\"c\",\"disabled_by\":\"user\",\"data\":"
               "{\"host\":\"h\"}},"
               "{\"domain\":\"esphome\",\"title\":\"d\",\"data\":{\"host\":\"h\",\"noise_psk\":"
               "\"secret\"}},"
               "{\"domain\":\"esphome\",\"title\":\"e\",\"data\":{\"host\":\"h\",\"port\":99999}},"
               "{\"domain\":\"esphome\",\"title\":\"import\",\"data\":{\"host\":\"h\"}},"
               "{\"domain\":\"esphome\",\"title\":\"kitchen\",\"data\":{\"host\":\"h\"}}");

    assert_non_null(result);
    assert_int_equal(f->import.added_count, 0);
    assert_int_equal(f->import.skipped_count, 8);
    assert_null(strstr(result, "secret")); /* a key that is none is a secret all the same */
    assert_non_null(strstr(result, "-c(it is disabled in Home Assistant)"));
    assert_non_null(strstr(result, "-d(encryption_key: "));
    assert_non_null(strstr(result, "-e(port: "));
    assert_non_null(strstr(result, "-kitchen(known)"));
}

static void an_import_is_bounded(void **state)
{
    size_t room = (PROXY_IMPORT_MAX + 2) * 64, at;
    char *body AUTO_FREE = memory_zalloc(1, room);
    struct fixture *f = *state;

    at = strlen(strcpy(body, "{\"proxies\":["));
    for (unsigned i = 0; i <= PROXY_IMPORT_MAX; i++)
        at += (size_t) snprintf(body + at, room - at, "%s{\"name\":\"p%u\",\"host\":\"h%u\"}",
                                i > 0 ? "," : "", i, i);
    strcpy(body + at, "]}");
    expect_faults(f, body, "/proxies ");
}

static void names_are_cut_to_their_bound(void **state)
{
    struct fixture *f = *state;
    char entries[300];

    (void) snprintf(entries, sizeof entries,
                    "{\"domain\":\"esphome\",\"title\":\"%0100d\",\"data\":{\"host\":\"h\"}}", 1);
    assert_non_null(read_theirs(f, entries));
    assert_int_equal(f->import.added_count, 1);
    assert_int_equal(strlen(f->import.added[0]), 64);
}

#define IMPORT_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
            IMPORT_TEST(entries_are_taken_as_they_are),
            IMPORT_TEST(what_is_there_or_comes_twice_is_skipped),
            IMPORT_TEST(faults_of_entries_have_their_places),
            IMPORT_TEST(bodies_that_are_none_are_refused),
            IMPORT_TEST(entries_of_home_assistant_are_translated),
            IMPORT_TEST(odd_entries_of_home_assistant_are_skipped_one_by_one),
            IMPORT_TEST(an_import_is_bounded),
            IMPORT_TEST(names_are_cut_to_their_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
