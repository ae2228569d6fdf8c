#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "config/config_edit.h"

static const char base[] =
        "{\"mqtt\":{\"min_interval_s\":0.3,\"host\":\"broker\"},\n"
        " \"scan\":{\"ownership\":{\"ewma_alpha\":0.30000000000000004}},"
        " \"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\",\"password\":\"hush\"},"
        "{\"host\":\"192.0.2.11\",\"name\":\"hall\",\"scan_mode\":\"active\"}],"
        " \"identities\":[{\"name\":\"Phone\",\"irk\":\"00112233445566778899aabbccddeeff\"}],"
        " \"devices\":["
        "{\"address\":\"a4-c1-38-12-ab-56\",\"alias\":\"Fridge\",\"route\":{\"prefer\":[\"hall\"]},"
        "\"bindkey\":\"00112233445566778899aabbccddeeff\"},"
        "{\"address\":\"A4C13812AB57\",\"expected_interval_s\":2.5}]}";

static struct config_edited edited;

static int teardown(void **state)
{
    (void) state;
    config_edited_done(&edited);
    return 0;
}

static int apply(const char *list, const char *entry, const char *patch)
{
    static const char *const parts[] = {"core", NULL};
    const struct config_edit edit = {
            .kind = patch ? CONFIG_EDIT_ENTRY : CONFIG_EDIT_REMOVE,
            .list = list,
            .entry = entry,
            .patch = patch,
            .patch_size = patch ? strlen(patch) : 0,
            .pointer = "/settings",
    };

    config_edited_done(&edited);
    return config_edit_apply(base, strlen(base), &edit, parts, (char *[]){NULL}, &edited);
}

static int patch_fridge(const char *patch)
{
    return apply("devices", "A4:C1:38:12:AB:56", patch);
}

/* The base with one JSON text in place of the other, compared as values. */
static void expect_text(const char *from, const char *to)
{
    const char *at = strstr(base, from);
    json_t *expected, *found = json_loadb(edited.text, edited.size, 0, NULL);
    char wanted[2048];

    assert_non_null(at);
    assert_true(strlen(base) + strlen(to) < sizeof wanted);
    (void) snprintf(wanted, sizeof wanted, "%.*s%s%s", (int) (at - base), base, to,
                    at + strlen(from));
    expected = json_loads(wanted, 0, NULL);
    assert_non_null(expected);
    assert_true(json_equal(expected, found));
    json_decref(expected);
    json_decref(found);
}

static void expect_fault(const char *pointer, const char *part)
{
    for (size_t i = 0; i < edited.faults.count; i++) {
        if (strcmp(edited.faults.items[i].pointer, pointer) == 0 &&
            strstr(edited.faults.items[i].detail, part))
            return;
    }
    for (size_t i = 0; i < edited.faults.count; i++)
        print_error("%s: %s\n", edited.faults.items[i].pointer, edited.faults.items[i].detail);
    fail();
}

static void patch_changes_what_it_names_and_nothing_else(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{\"alias\":\"Cold\"}"), 0);
    assert_true(edited.is_changed);
    assert_string_equal(edited.config->devices[0].alias, "Cold");
    expect_text("\"Fridge\"", "\"Cold\"");
}

static void the_new_text_is_as_precise_and_as_short_as_the_old(void **state)
{
    static const char plain[] = "{\"mqtt\":{\"min_interval_s\":0.3},\"devices\":[]}";
    static const char *const parts[] = {"core", NULL};
    const struct config_edit edit = {.list = "devices",
                                     .entry = "A4:C1:38:12:AB:56",
                                     .patch = "{}",
                                     .patch_size = 2,
                                     .pointer = ""};

    (void) state;
    assert_int_equal(patch_fridge("{\"alias\":\"Cold\"}"), 0);
    assert_non_null(strstr(edited.text, "0.30000000000000004"));
    config_edited_done(&edited);
    assert_int_equal(
            config_edit_apply(plain, strlen(plain), &edit, parts, (char *[]){NULL}, &edited), 0);
    assert_non_null(strstr(edited.text, "\"min_interval_s\": 0.3\n"));
    assert_int_equal(edited.text[edited.size - 1], '\n');
    assert_int_equal(strlen(edited.text), edited.size);
}

static void keys_keep_their_order(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{\"alias\":\"Cold\"}"), 0);
    assert_true(strstr(edited.text, "\"mqtt\"") < strstr(edited.text, "\"scan\""));
    assert_true(strstr(edited.text, "192.0.2.11") < strstr(edited.text, "\"hall\""));
    assert_true(strstr(edited.text, "\"alias\"") < strstr(edited.text, "\"route\""));
}

static void null_gives_the_default_back(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{\"alias\":null,\"area\":null}"), 0);
    assert_null(edited.config->devices[0].alias);
    expect_text("\"alias\":\"Fridge\",", "");
}

static void objects_in_a_patch_are_merged_and_lists_replaced(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{\"route\":{\"forbid\":[\"kitchen\"]},"
                                  "\"active_scan\":{\"interval_s\":600,\"duration_s\":null}}"),
                     0);
    expect_text("{\"prefer\":[\"hall\"]}", "{\"prefer\":[\"hall\"],\"forbid\":[\"kitchen\"]},"
                                           "\"active_scan\":{\"interval_s\":600}");
    assert_int_equal(edited.config->devices[0].active_scan_duration_s, 10);
    assert_int_equal(patch_fridge("{\"route\":{\"prefer\":[]}}"), 0);
    expect_text("[\"hall\"]", "[]");
    assert_int_equal(patch_fridge("{\"route\":{\"prefer\":null}}"), 0);
    expect_text("\"prefer\":[\"hall\"]", "");
}

static void device_that_has_no_entry_gets_one(void **state)
{
    (void) state;
    assert_int_equal(apply("devices", "A4:C1:38:12:AB:58", "{\"alias\":\"Door\"}"), 0);
    expect_text("2.5}", "2.5},{\"address\":\"A4:C1:38:12:AB:58\",\"alias\":\"Door\"}");
    assert_int_equal(apply("devices", "A4:C1:38:12:AB:58", "{}"), 0);
    assert_true(edited.is_changed);
}

static void list_that_is_not_there_is_made(void **state)
{
    static const char *const parts[] = {"core", NULL};
    const struct config_edit edit = {.list = "devices",
                                     .entry = "A4:C1:38:12:AB:56",
                                     .patch = "{\"alias\":\"X\"}",
                                     .patch_size = 13,
                                     .pointer = ""};

    (void) state;
    assert_int_equal(config_edit_apply("{}", 2, &edit, parts, (char *[]){NULL}, &edited), 0);
    assert_int_equal(edited.config->devices_count, 1);
}

static void patch_without_effect_changes_nothing(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{}"), 0);
    assert_false(edited.is_changed);
    assert_int_equal(patch_fridge("{\"alias\":\"Fridge\",\"area\":null}"), 0);
    assert_false(edited.is_changed);
    assert_non_null(edited.config);
}

static void removed_entry_is_gone_and_the_others_stay(void **state)
{
    (void) state;
    assert_int_equal(apply("devices", "a4c13812ab57", NULL), 0);
    assert_true(edited.is_changed);
    expect_text(",{\"address\":\"A4C13812AB57\",\"expected_interval_s\":2.5}", "");
    assert_int_equal(apply("devices", "A4:C1:38:12:AB:99", NULL), E_NOT_FOUND);
}

static void proxies_are_found_by_their_names(void **state)
{
    (void) state;
    assert_int_equal(apply("proxies", "hall", "{\"scan_mode\":\"passive\"}"), 0);
    expect_text("\"active\"", "\"passive\"");
    assert_int_equal(apply("proxies", "cellar", "{\"scan_mode\":\"passive\"}"), E_INVALID_REQUEST);
    expect_fault("/settings", "\"host\"");
}

static void secret_of_three_stars_stays_what_it_is(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{\"bindkey\":\"***\",\"alias\":\"Cold\"}"), 0);
    expect_text("\"Fridge\"", "\"Cold\"");
    assert_int_equal(apply("proxies", "kitchen", "{\"password\":\"***\",\"area\":\"A\"}"), 0);
    expect_text("\"hush\"", "\"hush\",\"area\":\"A\"");
}

static void secret_of_three_stars_needs_one_that_is_there(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{\"irk\":\"***\"}"), E_INVALID_REQUEST);
    expect_fault("/settings/irk", "***");
    assert_int_equal(apply("proxies", "hall", "{\"password\":\"***\"}"), E_INVALID_REQUEST);
    expect_fault("/settings/password", "***");
}

static void new_secret_replaces_the_old(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{\"bindkey\":\"ffeeddccbbaa99887766554433221100\"}"), 0);
    assert_string_equal(edited.config->devices[0].bindkey, "ffeeddccbbaa99887766554433221100");
}

static void faults_point_into_what_the_caller_sent(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{\"alias\":\"a/b\",\"colour\":\"red\",\"active_scan\":"
                                  "{\"interval_s\":5,\"span\":1},\"publish\":\"yes\"}"),
                     E_INVALID_REQUEST);
    expect_fault("/settings/alias", "");
    expect_fault("/settings/colour", "");
    expect_fault("/settings/active_scan/interval_s", "60");
    expect_fault("/settings/active_scan/span", "");
    expect_fault("/settings/publish", "");
    assert_int_equal(edited.faults.count, 5);
    assert_null(edited.config);
}

static void unknown_keys_are_faults_even_when_null(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{\"colour\":null,\"route\":{\"via\":null}}"), E_INVALID_REQUEST);
    expect_fault("/settings/colour", "not a key");
    expect_fault("/settings/route/via", "not a key");
}

static void entry_keeps_its_address(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{\"address\":\"A4:C1:38:12:AB:59\"}"), E_INVALID_REQUEST);
    expect_fault("/settings/address", "names the entry");
    assert_int_equal(patch_fridge("{\"address\":null}"), E_INVALID_REQUEST);
}

static void patch_must_be_an_object(void **state)
{
    static const char *const patches[] = {"", "[]", "null", "{\"a\":", "7", "{\"a\":1,\"a\":2}"};

    (void) state;
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
        assert_int_equal(patch_fridge(patches[i]), E_INVALID_REQUEST);
        expect_fault("/settings", "object");
    }
}

static void alias_of_another_device_is_a_conflict_with_its_holder(void **state)
{
    (void) state;
    assert_int_equal(apply("devices", "A4:C1:38:12:AB:57", "{\"alias\":\"Fridge\"}"), E_CONFLICT);
    assert_string_equal(edited.holder, "A4:C1:38:12:AB:56");
    assert_null(edited.config);
    assert_int_equal(apply("devices", "A4:C1:38:12:AB:57", "{\"alias\":\"Phone\"}"), E_CONFLICT);
    assert_string_equal(edited.holder, "Phone");
}

static void route_that_contradicts_itself_is_told_at_its_place(void **state)
{
    (void) state;
    assert_int_equal(patch_fridge("{\"route\":{\"forbid\":[\"hall\"]}}"), E_INVALID_REQUEST);
    expect_fault("/settings/route/forbid/0", "preferred");
}

static void the_environment_holds_while_the_text_changes(void **state)
{
    static const char *const parts[] = {"core", NULL};
    char variable[] = "BLEFLEET_MQTT_HOST=elsewhere";
    char *environment[] = {variable, NULL};
    const struct config_edit edit = {.list = "devices",
                                     .entry = "A4:C1:38:12:AB:56",
                                     .patch = "{\"alias\":\"X\"}",
                                     .patch_size = 13,
                                     .pointer = ""};

    (void) state;
    assert_int_equal(config_edit_apply(base, strlen(base), &edit, parts, environment, &edited), 0);
    assert_string_equal(edited.config->mqtt_host, "elsewhere");
    assert_null(strstr(edited.text, "elsewhere"));
    expect_text("\"Fridge\"", "\"X\"");
}

/* ---- other kinds ---- */

static int edit_under(const struct config_edit *edit, char *variable)
{
    static const char *const parts[] = {"core", NULL};
    char *environment[] = {variable, NULL};
    struct config_edit whole = *edit;

    if (whole.patch)
        whole.patch_size = strlen(whole.patch);
    if (!whole.pointer)
        whole.pointer = "";
    config_edited_done(&edited);
    return config_edit_apply(base, strlen(base), &whole, parts, environment, &edited);
}

static int edit(const struct config_edit *what)
{
    return edit_under(what, NULL);
}

static int add_proxies(const char *patch)
{
    return edit(&(struct config_edit){
            .kind = CONFIG_EDIT_ADD, .list = "proxies", .patch = patch, .pointer = "/proxies"});
}

static int change_proxy(const char *name, const char *patch)
{
    return edit(&(struct config_edit){
            .kind = CONFIG_EDIT_CHANGE, .list = "proxies", .entry = name, .patch = patch});
}

static int merge(const char *patch)
{
    return edit(&(struct config_edit){.kind = CONFIG_EDIT_MERGE, .patch = patch});
}

static int replace(const char *patch)
{
    return edit(&(struct config_edit){.kind = CONFIG_EDIT_REPLACE, .patch = patch});
}

/* wanted: the pointers with a blank between. */
static void expect_pointers(const struct config_texts *found, const char *wanted)
{
    char joined[1024] = "";

    for (size_t i = 0; i < found->count; i++)
        (void) snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s",
                        i ? " " : "", found->items[i]);
    assert_string_equal(joined, wanted);
}

static void new_entries_stand_at_the_end(void **state)
{
    (void) state;
    assert_int_equal(add_proxies("{\"name\":\"attic\",\"host\":\"192.0.2.12\",\"area\":null}"), 0);
    assert_int_equal(edited.config->proxies_count, 3);
    assert_string_equal(edited.config->proxies[2].name, "attic");
    expect_pointers(&edited.changed, "/proxies/2");
    assert_int_equal(add_proxies("[{\"name\":\"attic\",\"host\":\"192.0.2.12\"},"
                                 "{\"name\":\"cellar\",\"host\":\"192.0.2.13\"}]"),
                     0);
    assert_int_equal(edited.config->proxies_count, 4);
    expect_pointers(&edited.changed, "/proxies/2 /proxies/3");
    assert_int_equal(add_proxies("[]"), 0);
    assert_false(edited.is_changed);
}

static void faults_of_new_entries_point_into_the_patch(void **state)
{
    (void) state;
    assert_int_equal(
            add_proxies("[{\"name\":\"attic\",\"host\":\"192.0.2.12\"},"
                        "{\"name\":\"a b\",\"host\":\"192.0.2.13\"},"
                        "{\"name\":\"attic\",\"host\":\"192.0.2.13\",\"password\":\"***\"}]"),
            E_INVALID_REQUEST);
    expect_fault("/proxies/1/name", "");
    expect_fault("/proxies/2/name", "");
    expect_fault("/proxies/2/password", "***");
    assert_int_equal(add_proxies("{\"name\":\"attic\",\"colour\":null}"), E_INVALID_REQUEST);
    expect_fault("/proxies/colour", "not a key");
    assert_int_equal(add_proxies("[7]"), E_INVALID_REQUEST);
    expect_fault("/proxies/0", "object");
}

static void new_entry_with_a_name_that_is_taken_is_a_conflict(void **state)
{
    (void) state;
    assert_int_equal(add_proxies("[{\"name\":\"attic\",\"host\":\"192.0.2.12\"},"
                                 "{\"name\":\"hall\",\"host\":\"192.0.2.12\"}]"),
                     E_CONFLICT);
    assert_string_equal(edited.holder, "hall");
    assert_string_equal(edited.pointer, "/proxies/1/name");
    assert_int_equal(edit(&(struct config_edit){.kind = CONFIG_EDIT_ADD,
                                                .list = "devices",
                                                .patch = "{\"address\":\"A4:C1:38:12:AB:56\"}"}),
                     E_CONFLICT);
    assert_string_equal(edited.holder, "A4:C1:38:12:AB:56");
    assert_string_equal(edited.pointer, "/address");
}

static void renamed_proxy_keeps_its_place_and_its_routes(void **state)
{
    (void) state;
    assert_int_equal(change_proxy("hall", "{\"name\":\"stairs\"}"), 0);
    assert_string_equal(edited.config->proxies[1].name, "stairs");
    assert_string_equal(edited.config->devices[0].route_prefer.items[0], "stairs");
    expect_pointers(&edited.changed, "/proxies/1/name /devices/0/route");
    assert_int_equal(change_proxy("kitchen", "{\"name\":\"galley\",\"password\":\"***\"}"), 0);
    assert_string_equal(edited.config->proxies[0].password, "hush");
    expect_pointers(&edited.changed, "/proxies/0/name");
}

static void change_needs_an_entry_that_is_there(void **state)
{
    (void) state;
    assert_int_equal(change_proxy("attic", "{\"host\":\"192.0.2.12\"}"), E_NOT_FOUND);
    assert_int_equal(change_proxy("kitchen", "{\"name\":\"hall\"}"), E_CONFLICT);
    assert_string_equal(edited.holder, "hall");
    assert_string_equal(edited.pointer, "/name");
    assert_int_equal(change_proxy("kitchen", "{\"name\":\"kitchen\"}"), 0);
    assert_false(edited.is_changed);
    assert_int_equal(change_proxy("kitchen", "{\"name\":null}"), E_INVALID_REQUEST);
    expect_fault("", "\"name\"");
}

static void removed_proxy_leaves_the_routes(void **state)
{
    (void) state;
    assert_int_equal(edit(&(struct config_edit){
                             .kind = CONFIG_EDIT_REMOVE, .list = "proxies", .entry = "hall"}),
                     0);
    assert_int_equal(edited.config->proxies_count, 1);
    assert_int_equal(edited.config->devices[0].route_prefer.count, 0);
    expect_pointers(&edited.changed, "/proxies /devices/0/route");
}

static void merge_changes_what_it_names_and_nothing_else(void **state)
{
    (void) state;
    assert_int_equal(merge("{\"mqtt\":{\"host\":\"other\",\"min_interval_s\":0.3}}"), 0);
    expect_text("\"broker\"", "\"other\"");
    expect_pointers(&edited.changed, "/mqtt/host");
    expect_pointers(&edited.restart_required, "");
    assert_int_equal(merge("{\"mqtt\":null,\"limits\":{\"devices\":100}}"), 0);
    assert_string_equal(edited.config->mqtt_host, "127.0.0.1");
    expect_pointers(&edited.changed, "/mqtt/host /mqtt/min_interval_s /limits/devices");
    expect_pointers(&edited.restart_required, "/limits/devices");
}

static void default_that_is_written_down_is_kept_and_changes_no_setting(void **state)
{
    (void) state;
    assert_int_equal(merge("{\"mqtt\":{\"port\":1883},\"http\":{\"listen\":[\"127.0.0.1:8080\"]}}"),
                     0);
    assert_true(edited.is_changed);
    assert_non_null(strstr(edited.text, "1883"));
    assert_int_equal(edited.changed.count, 0);
    assert_int_equal(merge("{}"), 0);
    assert_false(edited.is_changed);
}

static void unknown_keys_of_a_merge_are_faults_even_when_null(void **state)
{
    (void) state;
    assert_int_equal(
            merge("{\"colour\":null,\"mqtt\":{\"tls\":{\"red\":null}},\"mqtt.host\":null}"),
            E_INVALID_REQUEST);
    expect_fault("/colour", "not a key");
    expect_fault("/mqtt/tls/red", "not a key");
    expect_fault("/mqtt.host", "not a key");
    assert_int_equal(merge("{\"proxies\":{\"a\":1},\"mqtt\":{\"prot\":1}}"), E_INVALID_REQUEST);
    expect_fault("/proxies", "list");
    expect_fault("/mqtt/prot", "not a known key");
    assert_int_equal(merge("7"), E_INVALID_REQUEST);
    expect_fault("", "object");
}

static void secrets_of_a_list_stay_in_whichever_place_they_stand(void **state)
{
    (void) state;
    assert_int_equal(merge("{\"proxies\":[{\"name\":\"hall\",\"host\":\"192.0.2.11\"},"
                           "{\"name\":\"kitchen\",\"host\":\"192.0.2.10\",\"password\":\"***\"}]}"),
                     0);
    assert_string_equal(edited.config->proxies[1].password, "hush");
    expect_pointers(&edited.changed, "/proxies/0/scan_mode");
    assert_int_equal(merge("{\"proxies\":[{\"name\":\"hall\",\"host\":\"192.0.2.11\","
                           "\"password\":\"***\"}]}"),
                     E_INVALID_REQUEST);
    expect_fault("/proxies/0/password", "***");
    assert_int_equal(merge("{\"devices\":[{\"address\":\"A4C13812AB56\",\"bindkey\":\"***\"}]}"),
                     0);
    assert_string_equal(edited.config->devices[0].bindkey, "00112233445566778899aabbccddeeff");
    assert_int_equal(merge("{\"mqtt\":{\"password\":\"***\"}}"), E_INVALID_REQUEST);
    expect_fault("/mqtt/password", "***");
}

static void what_was_read_may_be_written_back(void **state)
{
    char *dump;

    (void) state;
    assert_int_equal(merge("{\"mqtt\":{\"password\":\"hush\"}}"), 0);
    assert_int_equal(replace(base), 0);
    assert_false(edited.is_changed);
    dump = config_dump(edited.config, /* with_secrets= */ false);
    assert_int_equal(replace(dump), 0);
    assert_true(edited.is_changed);
    expect_pointers(&edited.changed, "");
    assert_null(strstr(edited.text, "***"));
    free(dump);
}

static void replaced_document_is_the_new_one(void **state)
{
    (void) state;
    assert_int_equal(replace("{\"log\":{\"level\":\"debug\"}}"), 0);
    assert_int_equal(edited.config->proxies_count, 0);
    expect_pointers(&edited.changed,
                    "/mqtt/host /mqtt/min_interval_s "
                    "/scan/ownership/ewma_alpha /log/level /proxies /devices /identities");
    assert_int_equal(replace("{\"log\":{\"level\":null}}"), E_INVALID_REQUEST);
    expect_fault("/log/level", "");
}

static void setting_that_the_environment_holds_is_not_changed(void **state)
{
    char variable[] = "BLEFLEET_MQTT_HOST=elsewhere";
    struct config_edit change = {.kind = CONFIG_EDIT_MERGE,
                                 .patch = "{\"mqtt\":{\"host\":\"other\"}}"};

    (void) state;
    assert_int_equal(edit_under(&change, variable), E_OVERRIDDEN);
    assert_string_equal(edited.variable, "BLEFLEET_MQTT_HOST");
    assert_string_equal(edited.pointer, "/mqtt/host");
    assert_null(edited.config);
    change.patch = "{\"mqtt\":null}";
    assert_int_equal(edit_under(&change, variable), E_OVERRIDDEN);
    change.kind = CONFIG_EDIT_REPLACE;
    change.patch = "{\"mqtt\":{\"host\":\"other\"}}";
    assert_int_equal(edit_under(&change, variable), E_OVERRIDDEN);
}

static void saying_what_the_environment_holds_leaves_the_file_alone(void **state)
{
    char variable[] = "BLEFLEET_MQTT_HOST=elsewhere", secret[] = "BLEFLEET_MQTT_PASSWORD=hush";
    struct config_edit change = {.kind = CONFIG_EDIT_MERGE,
                                 .patch = "{\"mqtt\":{\"host\":\"elsewhere\",\"port\":1884}}"};

    (void) state;
    assert_int_equal(edit_under(&change, variable), 0);
    assert_null(strstr(edited.text, "elsewhere"));
    assert_non_null(strstr(edited.text, "broker"));
    expect_pointers(&edited.changed, "/mqtt/port");
    change.kind = CONFIG_EDIT_REPLACE;
    change.patch = "{}";
    assert_int_equal(edit_under(&change, variable), 0);
    assert_string_equal(edited.config->mqtt_host, "elsewhere");
    change.patch = "{\"mqtt\":{\"password\":\"***\"}}";
    assert_int_equal(edit_under(&change, secret), 0);
    assert_null(strstr(edited.text, "***"));
    assert_null(strstr(edited.text, "hush"));
}

static void many_changed_entries_are_named_by_their_list(void **state)
{
    char patch[8192] = "[";

    (void) state;
    for (int i = 0; i < 101; i++)
        (void) snprintf(patch + strlen(patch), sizeof patch - strlen(patch),
                        "%s{\"name\":\"p%d\",\"host\":\"192.0.2.1\"}", i ? "," : "", i);
    assert_true(strlen(patch) + 2 < sizeof patch);
    strcat(patch, "]");
    assert_int_equal(add_proxies(patch), 0);
    expect_pointers(&edited.changed, "/proxies");
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
            TEST(patch_changes_what_it_names_and_nothing_else),
            TEST(the_new_text_is_as_precise_and_as_short_as_the_old),
            TEST(keys_keep_their_order),
            TEST(null_gives_the_default_back),
            TEST(objects_in_a_patch_are_merged_and_lists_replaced),
            TEST(device_that_has_no_entry_gets_one),
            TEST(list_that_is_not_there_is_made),
            TEST(patch_without_effect_changes_nothing),
            TEST(removed_entry_is_gone_and_the_others_stay),
            TEST(proxies_are_found_by_their_names),
            TEST(secret_of_three_stars_stays_what_it_is),
            TEST(secret_of_three_stars_needs_one_that_is_there),
            TEST(new_secret_replaces_the_old),
            TEST(faults_point_into_what_the_caller_sent),
            TEST(unknown_keys_are_faults_even_when_null),
            TEST(entry_keeps_its_address),
            TEST(patch_must_be_an_object),
            TEST(alias_of_another_device_is_a_conflict_with_its_holder),
            TEST(route_that_contradicts_itself_is_told_at_its_place),
            TEST(the_environment_holds_while_the_text_changes),
            TEST(new_entries_stand_at_the_end),
            TEST(faults_of_new_entries_point_into_the_patch),
            TEST(new_entry_with_a_name_that_is_taken_is_a_conflict),
            TEST(renamed_proxy_keeps_its_place_and_its_routes),
            TEST(change_needs_an_entry_that_is_there),
            TEST(removed_proxy_leaves_the_routes),
            TEST(merge_changes_what_it_names_and_nothing_else),
            TEST(default_that_is_written_down_is_kept_and_changes_no_setting),
            TEST(unknown_keys_of_a_merge_are_faults_even_when_null),
            TEST(secrets_of_a_list_stay_in_whichever_place_they_stand),
            TEST(what_was_read_may_be_written_back),
            TEST(replaced_document_is_the_new_one),
            TEST(setting_that_the_environment_holds_is_not_changed),
            TEST(saying_what_the_environment_holds_leaves_the_file_alone),
            TEST(many_changed_entries_are_named_by_their_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
