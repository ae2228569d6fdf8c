/* Which settings differ between two documents that are valid configurations. Inside this room only.
 */
#pragma once

#include "config.h"
#include "setting.h"

#define DIFFERENCE_ENTRIES_MAX 100 /* of a list: when more differ, the list alone is named */

/* Appends the JSON Pointers of what differs in its effect: a default that is written down is none,
 * nor is another spelling, nor another order of entries. A setting is "/mqtt/host", a field of an
 * entry "/proxies/3/host" with its place in the newer one, a new entry "/proxies/3"; for entries
 * that are gone it is "/proxies". To the second list those that count from the next start on. */
void difference_find(const json_t *older, const json_t *newer, char *const *environment,
                     struct config_texts *changed, struct config_texts *restart_required);

/* What the value of a setting amounts to, in one spelling; NULL as value is the default. A new
 * reference; NULL: it is not valid. */
json_t *difference_effect(const struct config_setting *setting, json_t *value);
