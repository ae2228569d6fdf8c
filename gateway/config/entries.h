/* The entries of a list in a document of JSON, found by what they are known by: their first field,
 * an address, a name or a URL. Inside this room only. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "lists.h"

const struct field *entries_identity(const struct list *list);

/* What the entry is known by, in one form for all spellings of an address; NULL: it does not say.
 * free() it. */
char *entries_name(const struct list *list, const json_t *entry);

/* The place of the entry of this name, in any spelling; the size of the list when there is none. */
size_t entries_find(const struct list *list, const json_t *entries, const char *wanted);

/* Many are found by an index: from the name to the entry, NULL when it is not there. The index is a
 * new reference and holds the entries; what is found is borrowed from it. */
json_t *entries_index(const struct list *list, const json_t *entries);
json_t *entries_look_up(const struct list *list, const json_t *index, const json_t *entry);
