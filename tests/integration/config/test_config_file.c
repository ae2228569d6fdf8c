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

static struct config_file load(void)
{
    struct config_file file = {.path = path, .parts = parts, .environment = environment};
    struct config_faults faults;
    struct config *config;

    config = config_file_load(&file, &faults);
    assert_non_null(config);
    config_free(config);
    return file;
}

static int change(struct config_file *file, const char *patch)
{
    const struct config_edit edit = {.list = "devices",
                                     .entry = "A4:C1:38:12:AB:56",
                                     .patch = patch,
                                     .patch_size = strlen(patch),
                                     .pointer = ""};
    struct config_edited edited;
    int rc = config_file_change(file, &edit, &edited);

    config_edited_done(&edited);
    return rc;
}

static void file_is_changed_again_and_again(void **state)
{
    struct config_file file;

    (void) state;
    put(TEXT);
    file = load();
    assert_int_equal(change(&file, "{\"alias\":\"Cold\"}"), 0);
    expect_content("Cold", true);
    assert_int_equal(change(&file, "{\"alias\":\"Colder\"}"), 0);
    expect_content("Colder", true);
}

static void file_that_somebody_else_changed_is_left_alone(void **state)
{
    struct config_file file;

    (void) state;
    put(TEXT);
    file = load();
    put("{\"devices\":[],\"log\":{\"level\":\"debug\"}}");
    assert_int_equal(change(&file, "{\"alias\":\"Cold\"}"), E_PRECONDITION_FAILED);
    expect_content("debug", true);
    put("no JSON at all");
    assert_int_equal(change(&file, "{\"alias\":\"Cold\"}"), E_PRECONDITION_FAILED);
    put(TEXT); /* back to what we know */
    assert_int_equal(change(&file, "{\"alias\":\"Cold\"}"), 0);
}

static void patch_without_effect_does_not_write(void **state)
{
    struct config_file file;
    struct stat before, after;

    (void) state;
    put(TEXT);
    file = load();
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(change(&file, "{\"alias\":\"Fridge\"}"), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    expect_content(TEXT, true);
}

static void patch_with_faults_does_not_write(void **state)
{
    struct config_file file;

    (void) state;
    put(TEXT);
    file = load();
    assert_int_equal(change(&file, "{\"alias\":\"a/b\"}"), E_INVALID_REQUEST);
    expect_content(TEXT, true);
}

/* A folder where the temporary file would be: like a full disk, for every user. */
static void file_that_cannot_be_written_stays_and_can_be_changed_later(void **state)
{
    struct config_file file;

    (void) state;
    put(TEXT);
    file = load();
    assert_int_equal(mkdir(temporary, 0700), 0);
    assert_true(change(&file, "{\"alias\":\"Cold\"}") < 0);
    expect_content(TEXT, true);
    assert_int_equal(rmdir(temporary), 0);
    assert_int_equal(change(&file, "{\"alias\":\"Cold\"}"), 0);
    expect_content("Cold", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
            cmocka_unit_test(file_is_changed_again_and_again),
            cmocka_unit_test(file_that_somebody_else_changed_is_left_alone),
            cmocka_unit_test(patch_without_effect_does_not_write),
            cmocka_unit_test(patch_with_faults_does_not_write),
            cmocka_unit_test(file_that_cannot_be_written_stays_and_can_be_changed_later),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
