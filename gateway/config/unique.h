/* Names that may be given once: collected while reading, compared at the end. Inside this room
 * only. */
#pragma once

#include "fault_list.h"

struct unique_name {
    char *text;
    const char *list; /* "devices": static */
    size_t index;     /* in the list */
    const char *key;  /* "alias": static */
};

struct unique { /* valid when zeroed */
    struct unique_name *items;
    size_t count;
};

/* Notes that /list/index/key has this name. */
void unique_add(struct unique *u, const char *text, const char *list, size_t index,
                const char *key);

/* A fault for each name that an earlier place has already; then releases everything. */
void unique_check(struct unique *u, struct config_faults *faults);
