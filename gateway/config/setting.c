#include "setting.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const struct config_setting settings[] = {
#define XX(type_, field_, key_, standard_, low_, high_, values_, restart_, part_, help_)           \
    {.type = CONFIG_##type_,                                                                       \
     .key = key_,                                                                                  \
     .standard = standard_,                                                                        \
     .low = low_,                                                                                  \
     .high = high_,                                                                                \
     .values = values_,                                                                            \
     .needs_restart = restart_,                                                                    \
     .part = part_,                                                                                \
     .help = help_,                                                                                \
     .offset = offsetof(struct config, field_)},
        CONFIG_SETTINGS(XX)
#undef XX
};

static const struct {
    enum value_type type;
    bool is_nullable;
} types[] = {
        [CONFIG_BOOL] = {VALUE_BOOL, false},
        [CONFIG_INT] = {VALUE_INT, false},
        [CONFIG_INT_OR_NULL] = {VALUE_INT, true},
        [CONFIG_NUM] = {VALUE_NUMBER, false},
        [CONFIG_TEXT] = {VALUE_TEXT, false},
        [CONFIG_TEXT_OR_NULL] = {VALUE_TEXT, true},
        [CONFIG_SECRET_OR_NULL] = {VALUE_SECRET, true},
        [CONFIG_KEY_OR_NULL] = {VALUE_KEY, true},
        [CONFIG_ENUM] = {VALUE_ENUM, false},
        [CONFIG_ADDRESS] = {VALUE_ADDRESS, false},
        [CONFIG_ADDRESSES] = {VALUE_ADDRESSES, false},
        [CONFIG_TEXTS] = {VALUE_TEXTS, false},
};

const struct config_setting *setting_find(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        if (strcmp(settings[i].key, key) == 0)
            return &settings[i];
    }
    return NULL;
}

enum value_type setting_type(const struct config_setting *setting)
{
    return types[setting->type].type;
}

bool setting_is_nullable(const struct config_setting *setting)
{
    return types[setting->type].is_nullable;
}

void setting_read(const struct config_setting *setting, struct value *v, struct config *config)
{
    v->low = setting->low;
    v->high = setting->high;
    v->rule = setting->values;
    v->is_nullable = setting_is_nullable(setting);
    value_read(setting_type(setting), v, (char *) config + setting->offset);
}

json_t *setting_dump(const struct config_setting *setting, const struct config *config,
                     bool with_secrets)
{
    return value_dump(setting_type(setting), (const char *) config + setting->offset, with_secrets);
}

void setting_release(const struct config_setting *setting, struct config *config)
{
    void *field = (char *) config + setting->offset;

    switch (setting_type(setting)) {
    case VALUE_TEXT:
    case VALUE_ENUM:
        free(*(char **) field);
        return;
    case VALUE_SECRET:
    case VALUE_KEY:
        value_free_secret(*(char **) field);
        return;
    case VALUE_TEXTS:
        value_free_texts(field);
        return;
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_NUMBER:
    case VALUE_ADDRESS:
    case VALUE_ADDRESSES:
    case VALUE_MAC:
    case VALUE_OBJECT:
        return;
    }
}

const struct config_setting *config_settings(size_t *ret_count)
{
    *ret_count = ARRAY_SIZE(settings);
    return settings;
}
