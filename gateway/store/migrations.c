/* The build puts the files one behind the other, each with a NUL behind it. */
#include "migrations.h"

#include <assert.h>
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
