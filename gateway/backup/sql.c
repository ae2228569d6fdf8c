#include "sql.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>

#include "store/sqlite_cause.h"

static int run_text(sqlite3 *connection, const char *sql)
{
    return sql ? sqlite_cause(connection, sqlite3_exec(connection, sql, NULL, NULL, NULL))
               : -ENOMEM;
}

int sql_run(sqlite3 *connection, const char *format, ...)
{
    va_list arguments;
    char *sql;
    int rc;

    va_start(arguments, format);
    sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    rc = run_text(connection, sql);
    sqlite3_free(sql);
    return rc;
}

int sql_number(sqlite3 *connection, int64_t *ret_number, const char *format, ...)
{
    sqlite3_stmt *s = NULL;
    va_list arguments;
    char *sql;
    int rc;

    va_start(arguments, format);
    sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    rc = sql ? sqlite3_prepare_v2(connection, sql, -1, &s, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    *ret_number = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    rc = sqlite_cause(connection, rc);
    (void) sqlite3_finalize(s);
    return rc;
}

bool sql_has_table(sqlite3 *connection, const char *schema, const char *table)
{
    int64_t count = 0;

    return sql_number(
                   connection, &count,
                   "SELECT count(*) FROM \"%w\".sqlite_schema WHERE type = 'table' AND name = %Q",
                   schema, table) == 0 &&
           count == 1;
}

void sql_distrust(sqlite3 *connection)
{
    (void) sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void) sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void) sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void) sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
}
