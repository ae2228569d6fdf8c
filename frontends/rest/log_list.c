#include "log_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rest/cursor.h"
#include "json/log_json.h"

#define LIMIT_STANDARD 100

/* ---- lines ---- */

static bool is_wanted(const struct log_list *l, const struct log_line *line)
{
    char module[LOG_MODULE_SIZE];

    if (line->level > l->level)
        return false;
    log_line_module(line, module);
    return !l->module || strcmp(module, l->module) == 0;
}

/* The newest wanted line below *before, which becomes its sequence; false: there is none. */
static bool next_line(const struct log_list *l, uint64_t *before, struct log_line *ret_line)
{
    while (log_ring_read(*before, ret_line)) {
        *before = ret_line->sequence;
        if (is_wanted(l, ret_line))
            return true;
    }
    return false;
}

void log_list_read(struct log_list *ret_list, const struct query *query, struct faults *faults)
{
    const char *cursor = query_text(query, "cursor"), *level = query_text(query, "level");

    *ret_list = (struct log_list){
            .level = LOG_LEVEL_INFO,
            .module = query_text(query, "module"),
            .limit = (size_t) query_integer(query, "limit", LIMIT_STANDARD),
            .before = UINT64_MAX,
    };
    if (level)
        (void) log_level_parse(level, &ret_list->level); /* the rules know the levels */
    if (cursor && !cursor_decode_number(cursor, &ret_list->before))
        faults_add_unreadable(faults, "cursor is not one of this list");
}

void log_list_write(const struct log_list *l, struct writer *w)
{
    uint64_t before = l->before, last = 0;
    char *next AUTO_FREE = NULL;
    struct log_line line;
    size_t items = 0;

    writer_begin_object(w, NULL);
    writer_begin_array(w, "items");
    while (next_line(l, &before, &line)) {
        if (items++ == l->limit) {
            next = cursor_encode_number(last);
            break;
        }
        log_json_write(w, NULL, &line);
        last = line.sequence;
    }
    writer_end_array(w);
    writer_text(w, "next", next);
    writer_end_object(w);
}
