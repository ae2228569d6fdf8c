/* The story: a target without its query is compared with the paths of the table; who accepts gzip
 * gets the file as it was compressed when the program was built.
 *
 * There is no folder behind it, so there is nothing to break out of: what is no row of the table,
 * however it is written, is not a file of ours. */
#include "page.h"

#include <stdio.h>
#include <string.h>

#include "http/page_files.h"

#define IMMUTABLE "public, max-age=31536000, immutable"

static const struct page_file *find(const char *target)
{
    size_t size = strcspn(target, "?");
    const struct page_file *file;

    for (file = page_files; file->path; file++) {
        if (strlen(file->path) == size && memcmp(file->path, target, size) == 0)
            return file;
    }
    return NULL;
}

static void set_body(struct answer *answer, const struct page_file *file, bool is_compressed)
{
    const char *start = is_compressed ? file->gzip : file->plain;
    const char *end = is_compressed ? file->gzip_end : file->plain_end;

    if (is_compressed)
        answer_add_header(answer, "Content-Encoding", "gzip");
    answer->status = 200;
    answer->content_type = file->type;
    answer->body = start;
    answer->body_size = (size_t) (end - start);
    answer->body_is_static = true;
}

bool page_answer(const char *target, const char *if_none_match, bool accepts_gzip,
                 struct answer *ret_answer)
{
    const struct page_file *file = find(target);
    const char *form = accepts_gzip ? "-gzip" : "";
    char tag[64];

    if (!file)
        return false;
    *ret_answer = (struct answer){0};
    snprintf(tag, sizeof tag, "\"%s%s\"", file->tag, form);
    answer_add_header(ret_answer, "ETag", "%s", tag);
    answer_add_header(ret_answer, "Vary", "Accept-Encoding");
    if (file->is_immutable)
        answer_add_header(ret_answer, "Cache-Control", "%s", IMMUTABLE);
    if (if_none_match && strstr(if_none_match, tag))
        ret_answer->status = 304;
    else
        set_body(ret_answer, file, accepts_gzip);
    return true;
}
