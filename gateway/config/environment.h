/* Settings that the environment overrides: BLEFLEET_ and the key in capitals, with _ for the dot.
 * The environment is an argument: this room reads none. Inside this room only. */
#pragma once

#include "config.h"
#include "values.h"

/* Reads all variables over what is there already, notes them in config->overrides, and those that
 * nobody knows in config->unknown_variables. */
void environment_read(char *const *environment, struct reading *reading, struct config *config);

/* Releases those notes. */
void environment_free(struct config *config);

#define ENVIRONMENT_VARIABLE_SIZE 96 /* room for any name that belongs to a setting */

/* What stands in the variable of this setting, as JSON of the file, and the name of the variable. A
 * new reference; NULL: there is no such variable, or its value is no text. */
json_t *environment_get(char *const *environment, const struct config_setting *setting,
                        char ret_variable[ENVIRONMENT_VARIABLE_SIZE]);
