/* The recorded text is a configuration; each patch is applied to what the one before has made, as
 * text again. */
#include "replay_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "table_settings.h"

static const char *const no_parts[] = {NULL};

char *replay_settings_dump(const struct config *c)
{
    char *scan AUTO_FREE = config_dump_section(c, "scan", /* with_secrets= */ false);
    char *limits AUTO_FREE = config_dump_section(c, "limits", /* with_secrets= */ false);
    char *text;

    if (asprintf(&text, "{\"scan\":%s,\"limits\":%s}", scan, limits) < 0)
        abort(); /* no memory */
    return text;
}

/* NULL: *ret_faults says why. */
static struct config *read_patched(const struct replay_settings *s, struct config *recorded,
                                   struct config_faults *ret_faults)
{
    struct config *c = NULL;
    char *text = replay_settings_dump(recorded);

    *ret_faults = (struct config_faults){0};
    for (const char *const *patch = s->patches; *patch; patch++) {
        config_free(c);
        c = config_parse_patched(text, strlen(text), *patch, strlen(*patch), no_parts, ret_faults);
        free(text);
        if (!c)
            return NULL;
        text = replay_settings_dump(c);
    }
    if (!c)
        c = config_parse(text, strlen(text), no_parts, ret_faults);
    free(text);
    return c;
}

static struct config *read_recorded(struct bytes json, struct config_faults *ret_faults)
{
    if (json.size == 0)
        return config_parse("{}", 2, no_parts, ret_faults);
    return config_parse((const char *) json.data, json.size, no_parts, ret_faults);
}

/* Both; false: *ret_faults says why, and there is neither. */
static bool read_both(const struct replay_settings *s, struct bytes json,
                      struct config **ret_actual, struct config **ret_replayed,
                      struct config_faults *ret_faults)
{
    *ret_actual = read_recorded(json, ret_faults);
    if (!*ret_actual)
        return false;
    *ret_replayed = read_patched(s, *ret_actual, ret_faults);
    if (*ret_replayed)
        return true;
    config_free(*ret_actual);
    return false;
}

bool replay_settings_check(const struct replay_settings *s, const char *recorded,
                           bool *ret_is_changed, struct config_faults *ret_faults)
{
    const struct bytes json = {(const uint8_t *) recorded, recorded ? strlen(recorded) : 0};
    struct config *actual, *replayed;
    char *before, *after;

    if (!read_both(s, json, &actual, &replayed, ret_faults))
        return false;
    before = config_dump_section(actual, "scan", /* with_secrets= */ false);
    after = config_dump_section(replayed, "scan", /* with_secrets= */ false);
    *ret_is_changed = strcmp(before, after) != 0;
    free(before);
    free(after);
    config_free(actual);
    config_free(replayed);
    return true;
}

bool replay_settings_read(void *user, struct bytes json, struct device_table_settings *ret_actual,
                          struct device_table_settings *ret_replayed)
{
    struct config_faults faults;
    struct config *actual, *replayed;

    if (!read_both(user, json, &actual, &replayed, &faults)) {
        config_faults_done(&faults);
        return false;
    }
    *ret_actual = table_settings_make(actual);
    *ret_replayed = table_settings_make(replayed);
    config_free(actual);
    config_free(replayed);
    return true;
}
