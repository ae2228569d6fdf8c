/* The happy path: each single setting asks for its variable; the text becomes the JSON value that
 * would stand in the file, and the reader of the setting's type takes it.
 *
 * Failure modes: a value that its reader refuses is a fault of the setting, and the sentence begins
 * with the name of the variable, since that is what has to be mended. A variable with our prefix
 * that belongs to no setting is a slip or of another version: it is named, and the gateway
 * starts. */
#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fields.h"
#include "setting.h"

#define PREFIX        "BLEFLEET_"
#define NAME_MAX_SIZE 128 /* of a stranger's name that we repeat */
#define STRANGERS_MAX 100 /* that we name */

/* The variables with our prefix that are no settings. */
static const char *const others[] = {"BLEFLEET_TOKEN_FILE"};

/* "mqtt.host" -> "BLEFLEET_MQTT_HOST" */
static void name_variable(char ret_name[ENVIRONMENT_VARIABLE_SIZE], const char *key)
{
    size_t length = (size_t) snprintf(ret_name, ENVIRONMENT_VARIABLE_SIZE, PREFIX "%s", key);

    for (size_t i = strlen(PREFIX); i < length && i < ENVIRONMENT_VARIABLE_SIZE; i++) {
        if (ret_name[i] == '.')
            ret_name[i] = '_';
        else if (ret_name[i] >= 'a' && ret_name[i] <= 'z')
            ret_name[i] = (char) (ret_name[i] - 'a' + 'A');
    }
}

/* Whether "NAME=value" is of this name. */
static bool is_named(const char *entry, const char *name)
{
    size_t length = strlen(name);

    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/* The value, or NULL. The first one counts, as for getenv. */
static const char *find_value(char *const *environment, const char *name)
{
    for (; *environment; environment++) {
        if (is_named(*environment, name))
            return *environment + strlen(name) + 1;
    }
    return NULL;
}

/* A list of addresses may be held too: one address is its usual form. */
static bool is_single(const struct config_setting *setting)
{
    return setting_type(setting) != VALUE_TEXTS;
}

/* What would stand in the file; NULL when that cannot be text. */
static json_t *to_json(const struct config_setting *setting, const char *text)
{
    enum value_type type = setting_type(setting);
    json_t *json;

    if (!*text && setting_is_nullable(setting))
        return json_null();
    if (type != VALUE_BOOL && type != VALUE_INT && type != VALUE_NUMBER)
        return json_string(text);
    json = json_loads(text, JSON_DECODE_ANY, /* error= */ NULL);
    return json ? json : json_string(text);
}

static void note_override(struct config *config, const char *key, const char *variable)
{
    config->overrides = memory_resize(config->overrides, config->overrides_count + 1,
                                      sizeof(*config->overrides));
    config->overrides[config->overrides_count++] =
            (struct config_override){.key = key, .variable = memory_copy_text(variable)};
}

static void read_variable(const struct config_setting *setting, const char *variable,
                          const char *text, struct reading *reading, struct config *config)
{
    struct config_faults faults = {0};
    struct reading own = {.faults = &faults, .parts = reading->parts};
    struct value v = {.reading = &own, .json = to_json(setting, text)};

    if (v.json)
        setting_read(setting, &v, config);
    else
        fault_list_add(&faults, &v.at, "must be text in UTF-8");
    for (size_t i = 0; i < faults.count; i++)
        fault_list_add_key(reading->faults, setting->key, "%s %s", variable,
                           faults.items[i].detail);
    config_faults_done(&faults);
    json_decref(v.json);
    note_override(config, setting->key, variable);
    fields_note_effect(reading, setting->part, setting->key, /* key= */ NULL);
}

static bool is_known(const char *entry)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (is_named(entry, others[i]))
            return true;
    }
    for (size_t i = 0; i < count; i++) {
        char name[ENVIRONMENT_VARIABLE_SIZE];

        name_variable(name, settings[i].key);
        if (is_single(&settings[i]) && is_named(entry, name))
            return true;
    }
    return false;
}

static void note_strangers(char *const *environment, struct config_texts *strangers)
{
    for (; *environment; environment++) {
        char name[NAME_MAX_SIZE];

        if (strncmp(*environment, PREFIX, strlen(PREFIX)) != 0 || is_known(*environment) ||
            strangers->count == STRANGERS_MAX)
            continue;
        (void) snprintf(name, sizeof(name), "%.*s", (int) strcspn(*environment, "="), *environment);
        value_append_text(strangers, name);
    }
}

void environment_read(char *const *environment, struct reading *reading, struct config *config)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < count; i++) {
        char variable[ENVIRONMENT_VARIABLE_SIZE];
        const char *text;

        name_variable(variable, settings[i].key);
        text = is_single(&settings[i]) ? find_value(environment, variable) : NULL;
        if (text)
            read_variable(&settings[i], variable, text, reading, config);
    }
    note_strangers(environment, &config->unknown_variables);
}

json_t *environment_get(char *const *environment, const struct config_setting *setting,
                        char ret_variable[ENVIRONMENT_VARIABLE_SIZE])
{
    const char *text;

    name_variable(ret_variable, setting->key);
    text = is_single(setting) ? find_value(environment, ret_variable) : NULL;
    return text ? to_json(setting, text) : NULL;
}

void environment_free(struct config *config)
{
    for (size_t i = 0; i < config->overrides_count; i++)
        free(config->overrides[i].variable);
    free(config->overrides);
    value_free_texts(&config->unknown_variables);
}

const char *config_override(const struct config *config, const char *key)
{
    for (size_t i = 0; i < config->overrides_count; i++) {
        if (strcmp(config->overrides[i].key, key) == 0)
            return config->overrides[i].variable;
    }
    return NULL;
}
