#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "config/config_file.h"

#define TEXT "{\"devices\":[{\"address\":\"A4:C1:38:12:AB:56\",\"alias\":\"Fridge\"}]}"

static char folder[] = "/tmp/blefleet-config-file-XXXXXX", path[64], temporary[72];
static const char *const parts[] = {"core", NULL};
static char *environment[] = {NULL};

static void put(const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void expect_content(const char *part, bool is_there)
{
    static char text[4096];
    FILE *f = fopen(path, "r");
    size_t size;

    assert_non_null(f);
    size = fread(text, 1, sizeof text - 1, f);
    text[size] = '\0';
    assert_int_equal(fclose(f), 0);
    assert_int_equal(strstr(text, part) != NULL, is_there);
}

static int make_folder(void **state)
{
    (void) state;
    assert_non_null(mkdtemp(folder));
    (void) snprintf(path, sizeof path, "%s/blefleet.json", folder);
    (void) snprintf(temporary, sizeof temporary, "%s.new", path);
    return 0;
}

static int remove_folder(void **state)
{
    char name[80];

    (void) state;
    for (int i = 1; i <= 5; i++) {
        (void) snprintf(name, sizeof name, "%s.%d", path, i);
        (void) unlink(name);
    }
    (void) unlink(path);
    return rmdir(folder);
}

static struct config_file file;

static int forget_file(void **state)
{
    (void) state;
    config_file_done(&file);
    return 0;
}

static void load(void)
{
    struct config_faults faults;
    struct config *config;

    config_file_done(&file);
    file = (struct config_file){
            .path = path, .parts = parts, .environment = environment, .run = 0x5f3a9c21};
    config = config_file_load(&file, &faults);
    assert_non_null(config);
    config_free(config);
}

static int change(const char *patch)
{
    const struct config_edit edit = {.list = "devices",
                                     .entry = "A4:C1:38:12:AB:56",
                                     .patch = patch,
                                     .patch_size = strlen(patch),
                                     .pointer = ""};
    struct config_edited edited;
    int rc = config_file_change(&file, &edit, &edited);

    config_edited_done(&edited);
    return rc;
}

static void file_is_changed_again_and_again(void **state)
{
    (void) state;
    put(TEXT);
    load();
    assert_int_equal(change("{\"alias\":\"Cold\"}"), 0);
    expect_content("Cold", true);
    assert_int_equal(change("{\"alias\":\"Colder\"}"), 0);
    expect_content("Colder", true);
}

static void file_that_somebody_else_changed_is_left_alone(void **state)
{
    (void) state;
    put(TEXT);
    load();
    put("{\"devices\":[],\"log\":{\"level\":\"debug\"}}");
    assert_int_equal(change("{\"alias\":\"Cold\"}"), E_PRECONDITION_FAILED);
    expect_content("debug", true);
    put("no JSON at all");
    assert_int_equal(change("{\"alias\":\"Cold\"}"), E_PRECONDITION_FAILED);
    put(TEXT); /* back to what we know */
    assert_int_equal(change("{\"alias\":\"Cold\"}"), 0);
}

static void patch_without_effect_does_not_write(void **state)
{
    struct stat before, after;

    (void) state;
    put(TEXT);
    load();
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(change("{\"alias\":\"Fridge\"}"), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    expect_content(TEXT, true);
}

static void patch_with_faults_does_not_write(void **state)
{
    (void) state;
    put(TEXT);
    load();
    assert_int_equal(change("{\"alias\":\"a/b\"}"), E_INVALID_REQUEST);
    expect_content(TEXT, true);
}

/* A folder where the temporary file would be: like a full disk, for every user. */
static void file_that_cannot_be_written_stays_and_can_be_changed_later(void **state)
{
    (void) state;
    put(TEXT);
    load();
    assert_int_equal(mkdir(temporary, 0700), 0);
    assert_true(change("{\"alias\":\"Cold\"}") < 0);
    expect_content(TEXT, true);
    assert_int_equal(rmdir(temporary), 0);
    assert_int_equal(change("{\"alias\":\"Cold\"}"), 0);
    expect_content("Cold", true);
}

/* ---- ETags ---- */

static struct config_edited edited;

static int merge(const char *patch, const char *if_match)
{
    const struct config_edit edit = {.kind = CONFIG_EDIT_MERGE,
                                     .patch = patch,
                                     .patch_size = strlen(patch),
                                     .pointer = "",
                                     .if_match = if_match};

    config_edited_done(&edited);
    return config_file_change(&file, &edit, &edited);
}

static int reload(void)
{
    config_edited_done(&edited);
    return config_file_reload(&file, &edited);
}

static bool is_foreign(void)
{
    config_edited_done(&edited);
    assert_int_equal(config_file_check(&file, &edited), 0);
    return edited.is_foreign;
}

static int restore(int number, const char *if_match)
{
    config_edited_done(&edited);
    return config_file_restore(&file, number, if_match, &edited);
}

static int forget_edited(void **state)
{
    config_edited_done(&edited);
    return forget_file(state);
}

static void each_content_has_an_etag_of_its_own(void **state)
{
    char etag[CONFIG_FILE_ETAG_SIZE];

    (void) state;
    put(TEXT);
    load();
    config_file_get_etag(&file, etag);
    assert_string_equal(etag, "\"5f3a9c21-1\"");
    assert_int_equal(merge("{}", NULL), 0);
    assert_string_equal(edited.etag, etag);
    assert_int_equal(merge("{\"log\":{\"level\":\"debug\"}}", NULL), 0);
    assert_string_equal(edited.etag, "\"5f3a9c21-2\"");
}

static void etags_are_found_in_lists(void **state)
{
    (void) state;
    assert_true(config_file_is_etag_in("\"a-1\"", "\"a-1\""));
    assert_true(config_file_is_etag_in("*", "\"a-1\""));
    assert_true(config_file_is_etag_in(" \"b\" , W/\"a-1\"", "\"a-1\""));
    assert_false(config_file_is_etag_in("\"a-11\"", "\"a-1\""));
    assert_false(config_file_is_etag_in("\"a-\"", "\"a-1\""));
    assert_false(config_file_is_etag_in("a-1", "\"a-1\""));
    assert_false(config_file_is_etag_in("", "\"a-1\""));
    assert_false(config_file_is_etag_in(",,", "\"a-1\""));
}

static void change_of_another_content_than_was_meant_is_refused(void **state)
{
    (void) state;
    put(TEXT);
    load();
    assert_int_equal(merge("{\"log\":{\"level\":\"debug\"}}", "\"5f3a9c21-1\""), 0);
    assert_int_equal(merge("{\"log\":{\"level\":\"error\"}}", "\"5f3a9c21-1\""),
                     E_PRECONDITION_FAILED);
    assert_string_equal(edited.etag, "\"5f3a9c21-2\"");
    assert_false(edited.is_foreign);
    expect_content("debug", true);
    assert_int_equal(merge("{\"log\":{\"level\":\"error\"}}", "\"5f3a9c21-2\""), 0);
    expect_content("error", true);
}

static void listening_off_loopback_needs_a_token(void **state)
{
    (void) state;
    put(TEXT);
    load();
    assert_int_equal(merge("{\"http\":{\"listen\":\"0.0.0.0:80\"}}", NULL), E_INVALID_REQUEST);
    assert_string_equal(edited.faults.items[0].pointer, "/http/listen");
    expect_content("0.0.0.0", false);
    file.has_tokens = true;
    assert_int_equal(merge("{\"http\":{\"listen\":\"0.0.0.0:80\"}}", NULL), 0);
    assert_int_equal(edited.restart_required.count, 1);
    expect_content("0.0.0.0", true);
}

/* ---- somebody else's hand ---- */

static void what_somebody_else_wrote_is_taken_over_when_it_is_read_again(void **state)
{
    (void) state;
    put(TEXT);
    load();
    assert_int_equal(reload(), 0);
    assert_false(edited.is_changed);
    put("{\"log\":{\"level\":\"debug\"}}");
    assert_true(is_foreign());
    assert_int_equal(merge("{}", NULL), E_PRECONDITION_FAILED);
    assert_true(edited.is_foreign);
    assert_int_equal(reload(), 0);
    assert_true(edited.is_changed);
    assert_string_equal(edited.config->log_level, "debug");
    assert_string_equal(edited.changed.items[0], "/log/level");
    assert_string_equal(edited.changed.items[1], "/devices");
    assert_string_equal(edited.etag, "\"5f3a9c21-2\"");
    assert_false(is_foreign());
    assert_int_equal(merge("{\"log\":{\"level\":\"error\"}}", NULL), 0);
}

static void faults_that_somebody_else_wrote_leave_everything_as_it_was(void **state)
{
    (void) state;
    put(TEXT);
    load();
    put("{\"log\":{\"level\":\"loud\"},\"colour\":1}");
    assert_int_equal(reload(), E_INVALID_REQUEST);
    assert_int_equal(edited.faults.count, 2);
    assert_null(edited.config);
    assert_string_equal(edited.etag, "\"5f3a9c21-1\"");
    assert_int_equal(merge("{}", NULL), E_PRECONDITION_FAILED);
    expect_content("loud", true);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(reload(), -ENOENT);
}

/* ---- versions ---- */

static void versions_are_kept_and_can_be_read(void **state)
{
    struct config_versions versions;
    const char *const levels[] = {"error", "warning", "debug"};
    char patch[64];

    (void) state;
    put("{\"log\":{\"level\":\"info\"},\"mqtt\":{\"password\":\"hush\"}}");
    load();
    for (int i = 0; i < 8; i++) {
        (void) snprintf(patch, sizeof patch, "{\"log\":{\"level\":\"%s\"}}", levels[i % 3]);
        assert_int_equal(merge(patch, NULL), 0);
    }
    config_file_get_versions(&file, &versions);
    assert_int_equal(versions.count, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(versions.items[i].number, i + 1);
        assert_true(versions.items[i].size > 40 && versions.items[i].written > 0);
        config_edited_done(&edited);
        assert_int_equal(config_file_read_version(&file, i + 1, &edited), 0);
        assert_string_equal(edited.config->log_level, levels[(6 - i) % 3]);
    }
    config_edited_done(&edited);
    assert_int_equal(config_file_read_version(&file, 6, &edited), E_NOT_FOUND);
    assert_int_equal(config_file_read_version(&file, 0, &edited), E_NOT_FOUND);
}

static void restored_version_is_a_change_like_any_other(void **state)
{
    (void) state;
    put("{\"log\":{\"level\":\"info\"},\"mqtt\":{\"password\":\"hush\"}}");
    load();
    assert_int_equal(restore(1, NULL), E_NOT_FOUND);
    assert_int_equal(merge("{\"log\":{\"level\":\"error\"},\"mqtt\":null}", NULL), 0);
    assert_int_equal(restore(1, "\"5f3a9c21-1\""), E_PRECONDITION_FAILED);
    assert_int_equal(restore(1, "\"5f3a9c21-2\""), 0);
    assert_string_equal(edited.config->log_level, "info");
    assert_string_equal(edited.config->mqtt_password, "hush");
    assert_int_equal(edited.changed.count, 2);
    assert_int_equal(restore(1, NULL), 0); /* and back */
    assert_string_equal(edited.config->log_level, "error");
}

static void content_before_somebody_else_wrote_is_a_version(void **state)
{
    (void) state;
    put(TEXT);
    load();
    put("{}");
    assert_int_equal(reload(), 0);
    assert_int_equal(edited.config->devices_count, 0);
    assert_int_equal(restore(1, NULL), 0);
    assert_string_equal(edited.config->devices[0].alias, "Fridge");
}

static int remove_versions(void **state)
{
    char name[80];

    for (int i = 1; i <= 5; i++) {
        (void) snprintf(name, sizeof name, "%s.%d", path, i);
        (void) unlink(name);
    }
    return forget_edited(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test_teardown(file_is_changed_again_and_again, remove_versions),
            cmocka_unit_test_teardown(file_that_somebody_else_changed_is_left_alone,
                                      remove_versions),
            cmocka_unit_test_teardown(patch_without_effect_does_not_write, remove_versions),
            cmocka_unit_test_teardown(patch_with_faults_does_not_write, remove_versions),
            cmocka_unit_test_teardown(file_that_cannot_be_written_stays_and_can_be_changed_later,
                                      remove_versions),
            cmocka_unit_test_teardown(each_content_has_an_etag_of_its_own, remove_versions),
            cmocka_unit_test_teardown(etags_are_found_in_lists, remove_versions),
            cmocka_unit_test_teardown(change_of_another_content_than_was_meant_is_refused,
                                      remove_versions),
            cmocka_unit_test_teardown(listening_off_loopback_needs_a_token, remove_versions),
            cmocka_unit_test_teardown(what_somebody_else_wrote_is_taken_over_when_it_is_read_again,
                                      remove_versions),
            cmocka_unit_test_teardown(faults_that_somebody_else_wrote_leave_everything_as_it_was,
                                      remove_versions),
            cmocka_unit_test_teardown(versions_are_kept_and_can_be_read, remove_versions),
            cmocka_unit_test_teardown(restored_version_is_a_change_like_any_other, remove_versions),
            cmocka_unit_test_teardown(content_before_somebody_else_wrote_is_a_version,
                                      remove_versions),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
