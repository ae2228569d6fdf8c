/* A page begins behind the name that its cursor holds, and the cursor of the next holds the last
 * name of this one: devices that come or go in between move nothing else. */
#include "handlers_discovered.h"

#include <string.h>

#include "base/memory.h"
#include "rest/cursor.h"
#include "rest/handlers.h"
#include "json/discovered_json.h"

#define LIMIT_STANDARD 100

const struct query_rule handlers_discovered_query[] = {
        {.name = "limit", .type = QUERY_INTEGER, .low = 1, .high = 1000},
        {.name = "cursor", .type = QUERY_TEXT},
        {.name = NULL},
};

/* The cursor for what is behind this device, or NULL when nothing is; to be freed. */
static char *next_cursor(const struct gateway *g, const char *last)
{
    struct gateway_discovered one;

    if (!last || !gateway_get_discovered(g, gateway_discovered_after(g, last), &one))
        return NULL;
    return cursor_encode((const uint8_t *) last, strlen(last));
}

static void write_list(const struct call *call, const char *after, struct writer *w)
{
    int64_t limit = query_integer(call->query, "limit", LIMIT_STANDARD);
    size_t index = gateway_discovered_after(call->gateway, after);
    char *next AUTO_FREE = NULL;
    const char *last = NULL;
    struct gateway_discovered one;

    writer_begin_object(w, NULL);
    writer_begin_array(w, "items");
    for (; limit > 0 && gateway_get_discovered(call->gateway, index, &one); limit--, index++) {
        discovered_json_write(w, NULL, call->gateway, &one);
        last = one.name;
    }
    writer_end_array(w);
    next = next_cursor(call->gateway, last);
    writer_text(w, "next", next);
    writer_end_object(w);
}

int handlers_discovered(struct call *call)
{
    const char *cursor = query_text(call->query, "cursor");
    uint8_t after[CURSOR_SIZE_MAX + 1];
    struct writer w = {0};
    size_t size = 0;

    if (cursor && (!cursor_decode(after, cursor, &size) || size == 0 || memchr(after, 0, size))) {
        rest_refuse(&call->request->answer, 400, E_INVALID_REQUEST,
                    "cursor is not one of this list");
        return REST_ANSWERED;
    }
    after[size] = '\0';
    write_list(call, (const char *) after, &w);
    answer_set_json(&call->request->answer, 200, &w);
    return REST_ANSWERED;
}
