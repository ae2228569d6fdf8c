/* The settings of a replay: those that were recorded, and the same with changes. Any thread. */
#pragma once

#include "config/config.h"
#include "replay/replay.h"

struct replay_settings {
    const char *const *patches; /* merge patches of a configuration; NULL at the end; borrowed */
};

/* All of the configuration that a recording and its replay depend on, as JSON of a configuration;
 * free() it. */
char *replay_settings_dump(const struct config *config);

/* Whether the patches can be applied to the recorded settings (NULL: to the defaults), and whether
 * they change anything of `scan`. False: *ret_faults says why. */
bool replay_settings_check(const struct replay_settings *s, const char *recorded,
                           bool *ret_is_changed, struct config_faults *ret_faults);

/* For replay.h; user is a struct replay_settings. */
replay_settings_fn replay_settings_read;
