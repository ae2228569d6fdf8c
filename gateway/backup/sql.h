/* Short ways to say something to SQLite. All of them give causes of ours (store/sqlite_cause.h).
 * Internal to this room. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Runs statements without rows; the format is that of sqlite3_mprintf(): %w for names, %Q for
 * texts. */
int sql_run(sqlite3 *connection, const char *format, ...);

/* The first column of the first row; 0 when there is none. */
int sql_number(sqlite3 *connection, int64_t *ret_number, const char *format, ...);

/* Whether the attached database has a table of this name. */
bool sql_has_table(sqlite3 *connection, const char *schema, const char *table);

/* Forbids all that a schema could do by itself: triggers, views, functions that reach out. */
void sql_distrust(sqlite3 *connection);
