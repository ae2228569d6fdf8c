/* What frontends do with packets, over a gateway of facts: readers of different kinds select them,
 * events go into the ring as JSON, each reader reads its text, and pages of /devices are rendered.
 * The same every time. Any failure aborts. */
#pragma once

#include <stdio.h>

struct faces;

struct faces *faces_new(void);
void faces_free(struct faces *f);

/* All packets, read by all readers, then the pages. Once. */
void faces_run(struct faces *f);

/* What came out, in a line; aborts when a reader or the pages got nothing. */
void faces_report(const struct faces *f, FILE *out);
