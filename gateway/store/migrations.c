/* The build puts the files one behind the other, each with a NUL behind it. */
#include "migrations.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

extern const char migrations_data[], migrations_data_end[];

size_t migrations_count(void)
{
    size_t count = 0;

    for (const char *at = migrations_data; at < migrations_data_end; at += strlen(at) + 1)
        count++;
    return count;
}

const char *migrations_get(size_t index)
{
    const char *at = migrations_data;

    for (; index > 0; index--) {
        assert(at < migrations_data_end);
        at += strlen(at) + 1;
    }
    assert(at < migrations_data_end);
    return at;
}

static int run_one(sqlite3 *connection, size_t index)
{
    char marks[100];
    int rc = sqlite3_exec(connection, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    (void) snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = %zu",
                    STORE_APPLICATION_ID, index + 1);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(connection, migrations_get(index), NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(connection, marks, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(connection, "COMMIT", NULL, NULL, NULL);
    return rc;
}

int migrations_run(struct sqlite3 *connection, size_t from, size_t to)
{
    int rc = SQLITE_OK;

    for (size_t i = from; i < to && rc == SQLITE_OK; i++)
        rc = run_one(connection, i);
    return rc;
}
