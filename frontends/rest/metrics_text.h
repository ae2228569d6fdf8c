/* The text format of Prometheus, version 0.0.4: families, each with its help, its type and its
 * samples. Pure.
 *
 * Names, helps and labels' names are ours (plain ASCII, as the format wants them); labels' values
 * may hold anything, since they are escaped and what is not UTF-8 becomes U+FFFD. */
#pragma once

#include <stddef.h>

#include "base/buffer.h"
#include "base/histogram.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_type {
    METRIC_COUNTER, /* its name ends in _total */
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
};

/* Valid when zeroed. */
struct metrics_text {
    struct buffer text; /* what was written so far; take it with buffer_take_text() */
    const char *family; /* the samples belong to it */
};

struct metric_label {
    const char *name, *value;
};

/* Begins a family; once per name. The name is borrowed until the next one. */
void metrics_text_family(struct metrics_text *t, const char *name, enum metric_type type,
                         const char *help);

/* A sample of the family, which has no histogram; its labels differ from those of all others. */
void metrics_text_sample(struct metrics_text *t, const struct metric_label *labels,
                         size_t labels_count, double value);

/* Family and sample of a figure without labels. */
void metrics_text_figure(struct metrics_text *t, const char *name, enum metric_type type,
                         const char *help, double value);

/* The samples of a histogram, in seconds: buckets, sum and count. */
void metrics_text_histogram(struct metrics_text *t, const struct histogram *h);
