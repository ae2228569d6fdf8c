/* The one waiting line of the fleet: links to be opened, in the order in which they are to be
 * considered. Who is wanted by a request stands before links that are opened only because they are
 * kept; then the higher priority, then who came first. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "link/link.h"

/* Valid when zeroed. */
struct line {
    struct link **links; /* borrowed; each has an opening */
    size_t count, capacity;
};

void line_done(struct line *line);

/* Puts the link where it belongs; also one that is in and whose order changed. */
void line_put(struct line *line, struct link *link);
/* Takes it out if it is in. */
void line_remove(struct line *line, struct link *link);

/* How many stand before it who may be given what it waits for, and itself: from 1; 0: not in. */
unsigned line_position(const struct line *line, const struct link *link);
