/* The files of the dashboard, as cmake/embed_page.py put them into the program. */
#pragma once

#include <stdbool.h>

struct page_file {
    const char *path; /* "/" is the page; NULL ends the table */
    const char *type;
    const char *tag;   /* of the content */
    bool is_immutable; /* the name has the hash of the content */
    const char *plain, *plain_end;
    const char *gzip, *gzip_end;
};

/* Ended by a row without a path; nothing else when the program was built without the dashboard. */
extern const struct page_file page_files[];
