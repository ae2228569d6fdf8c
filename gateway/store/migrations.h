/* The steps that make a store of an empty file: schema/store/NNNN_name.sql, in order, built in.
 *
 * They are only ever added to. A file knows how many it has had (PRAGMA user_version). */
#pragma once

#include <stddef.h>

#define STORE_APPLICATION_ID 0x626c6566 /* "blef", in the header of the file */

struct sqlite3;

/* How many there are: the version of the schema. */
size_t migrations_count(void);

/* The SQL of one, index from 0 and below the count. Static storage. */
const char *migrations_get(size_t index);

/* Brings the main database of the connection, which has had `from` of them, to `to`: each in a
 * transaction of its own, together with the marks of the header. A result code of SQLite; after a
 * failure the last transaction may still be open. */
int migrations_run(struct sqlite3 *connection, size_t from, size_t to);
