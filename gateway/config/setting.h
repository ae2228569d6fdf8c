/* A row of the table of settings, at work on a configuration. Inside this room only. */
#pragma once

#include "config.h"
#include "values.h"

/* The row with this key, or NULL. */
const struct config_setting *setting_find(const char *key);

/* What the type of the row is made of. */
enum value_type setting_type(const struct config_setting *setting);
bool setting_is_nullable(const struct config_setting *setting);

/* Reads the value; its limits are set from the row. */
void setting_read(const struct config_setting *setting, struct value *v, struct config *config);

/* The value again (a new reference). */
json_t *setting_dump(const struct config_setting *setting, const struct config *config,
                     bool with_secrets);

/* Releases what the field points to. */
void setting_release(const struct config_setting *setting, struct config *config);
