/* Secrets in the text of a configuration: they become "***" when it goes out of the house, and are
 * what they were when it comes back. Pure. Thread: any. */
#pragma once

#include <stddef.h>

#include "config.h"

/* The text again with each secret that is set as "***"; free() it. NULL: it is no object in JSON.
 */
char *config_secrets_mask(const char *text, size_t size, size_t *ret_size);

/* The text again with each "***" as it is in the present one: the setting itself, or the entry with
 * the same name, address or URL. What is not there becomes null (an entry that cannot be without it
 * goes), and its JSON Pointer in the text is appended to the list. Wipe and free() it. NULL: one of
 * the texts is no object in JSON. */
char *config_secrets_fill(const char *text, size_t size, const char *present, size_t present_size,
                          size_t *ret_size, struct config_texts *missing);
