/* Any patch on a configuration, as an entry, as new entries or for the whole, gives a new one whose
 * other entries are what they were, or a cause with its faults; a fault's detail is one line. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/config_edit.h"
#include "fuzz_target.h"

static const char base[] =
        "{\"proxies\":[{\"name\":\"kitchen\",\"host\":\"192.0.2.10\"}],"
        "\"identities\":[{\"name\":\"Phone\",\"irk\":\"00112233445566778899aabbccddeeff\"}],"
        "\"devices\":[{\"address\":\"A4:C1:38:12:AB:56\",\"alias\":\"Fridge\","
        "\"bindkey\":\"00112233445566778899aabbccddeeff\",\"route\":{\"prefer\":[\"kitchen\"]}},"
        "{\"address\":\"A4:C1:38:12:AB:57\",\"alias\":\"Door\"}]}";

/* The document without the entry that was edited. */
static json_t *without_entry(const char *text, size_t size, const char *list, size_t index)
{
    json_t *document = json_loadb(text, size, 0, NULL);

    if (json_array_remove(json_object_get(document, list), index) != 0)
        abort();
    return document;
}

static void check_others(const struct config_edited *edited, const char *list, size_t index)
{
    json_t *before = without_entry(base, strlen(base), list, index);
    json_t *after = without_entry(edited->text, edited->size, list, index);

    if (!json_equal(before, after))
        abort();
    json_decref(before);
    json_decref(after);
}

static void check_faults(const struct config_faults *faults)
{
    if (faults->count == 0)
        abort();
    for (size_t i = 0; i < faults->count; i++) {
        if (strpbrk(faults->items[i].detail, "\n\r") || !*faults->items[i].detail ||
            strncmp(faults->items[i].pointer, "/settings", 9) != 0)
            abort();
    }
}

static void edit_entry(const char *list, const char *entry, const uint8_t *data, size_t size)
{
    static const char *const parts[] = {"core", NULL};
    const struct config_edit edit = {.list = list,
                                     .entry = entry,
                                     .patch = (const char *) data,
                                     .patch_size = size,
                                     .pointer = "/settings"};
    struct config_edited edited;
    int rc = config_edit_apply(base, strlen(base), &edit, parts, (char *[]){NULL}, &edited);

    if ((rc == 0) != (edited.config != NULL) || (rc == E_CONFLICT) != (edited.holder != NULL))
        abort();
    if (rc == 0)
        check_others(&edited, list, /* index= */ 0);
    else if (rc == E_INVALID_REQUEST)
        check_faults(&edited.faults);
    else if (rc != E_CONFLICT)
        abort();
    config_edited_done(&edited);
}

/* What comes out is a configuration, and nothing changes when it is put back as it is shown. */
static void check_outcome(const struct config_edited *edited, int rc, char *held)
{
    static const char *const parts[] = {"core", NULL};
    char *dump;
    struct config_edit back = {.kind = CONFIG_EDIT_REPLACE, .pointer = ""};
    struct config_edited again;

    if ((rc == 0) != (edited->config != NULL) ||
        (rc == E_INVALID_REQUEST) != !!edited->faults.count)
        abort();
    if (rc != 0)
        return;
    dump = config_dump(edited->config, /* with_secrets= */ false);
    back.patch = dump;
    back.patch_size = strlen(dump);
    if (config_edit_apply(edited->text, edited->size, &back, parts, (char *[]){held, NULL},
                          &again) != 0 ||
        again.changed.count > 0)
        abort();
    config_edited_done(&again);
    free(dump);
}

static void edit_otherwise(enum config_edit_kind kind, const char *list, const char *entry,
                           const uint8_t *data, size_t size)
{
    static const char *const parts[] = {"core", NULL};
    char variable[] = "BLEFLEET_MQTT_HOST=elsewhere";
    const struct config_edit edit = {.kind = kind,
                                     .list = list,
                                     .entry = entry,
                                     .patch = (const char *) data,
                                     .patch_size = size,
                                     .pointer = "/settings"};
    struct config_edited edited;
    int rc = config_edit_apply(base, strlen(base), &edit, parts, (char *[]){variable, NULL},
                               &edited);

    if (rc == E_INVALID_REQUEST)
        check_faults(&edited.faults);
    if ((rc == E_CONFLICT) != (edited.holder != NULL) ||
        (rc == E_OVERRIDDEN) != (edited.variable != NULL))
        abort();
    check_outcome(&edited, rc, variable);
    config_edited_done(&edited);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t nothing = 0;
    const uint8_t *patch = size > 0 ? data : &nothing;

    edit_entry("devices", "A4:C1:38:12:AB:56", patch, size);
    edit_entry("proxies", "kitchen", patch, size);
    edit_otherwise(CONFIG_EDIT_CHANGE, "proxies", "kitchen", patch, size);
    edit_otherwise(CONFIG_EDIT_ADD, "proxies", NULL, patch, size);
    edit_otherwise(CONFIG_EDIT_ADD, "devices", NULL, patch, size);
    edit_otherwise(CONFIG_EDIT_MERGE, NULL, NULL, patch, size);
    edit_otherwise(CONFIG_EDIT_REPLACE, NULL, NULL, patch, size);
    return 0;
}
