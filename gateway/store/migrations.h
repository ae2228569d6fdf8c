/* The steps that make a store of an empty file: schema/store/NNNN_name.sql, in order, built in.
 *
 * They are only ever added to. A file knows how many it has had (PRAGMA user_version). */
#pragma once

#include <stddef.h>

/* How many there are: the version of the schema. */
size_t migrations_count(void);

/* The SQL of one, index from 0 and below the count. Static storage. */
const char *migrations_get(size_t index);
