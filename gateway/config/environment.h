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
