#include "metrics_text.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

#define WHOLE_MAX 9007199254740992.0 /* 2^53: up to there a double counts by ones */

static const char *const type_names[] = {
        [METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",
        [METRIC_HISTOGRAM] = "histogram",
};

static void append_number(struct buffer *b, double value)
{
    if (isnan(value))
        buffer_append_text(b, "NaN");
    else if (isinf(value))
        buffer_append_text(b, value > 0 ? "+Inf" : "-Inf");
    else if (value == trunc(value) && fabs(value) <= WHOLE_MAX)
        buffer_append_format(b, "%.0f", value);
    else
        buffer_append_format(b, "%.15g", value);
}

static void append_escaped(struct buffer *b, const char *text)
{
    size_t size = strlen(text);
    char *repaired AUTO_FREE = xnew(char, UTF8_REPAIRED_SIZE(size));

    (void) utf8_repair(repaired, (const uint8_t *) text, size);
    for (const char *c = repaired; *c; c++) {
        if (*c == '\n') {
            buffer_append_text(b, "\\n");
            continue;
        }
        if (*c == '\\' || *c == '"')
            buffer_append_char(b, '\\');
        buffer_append_char(b, *c);
    }
}

static void append_labels(struct buffer *b, const struct metric_label *labels, size_t count)
{
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        buffer_append_format(b, "%c%s=\"", i == 0 ? '{' : ',', labels[i].name);
        append_escaped(b, labels[i].value);
        buffer_append_char(b, '"');
    }
    buffer_append_char(b, '}');
}

/* One line; the suffix tells the parts of a histogram. */
static void append_sample(struct metrics_text *t, const char *suffix,
                          const struct metric_label *labels, size_t labels_count, double value)
{
    assert(t->family);
    buffer_append_text(&t->text, t->family);
    buffer_append_text(&t->text, suffix);
    append_labels(&t->text, labels, labels_count);
    buffer_append_char(&t->text, ' ');
    append_number(&t->text, value);
    buffer_append_char(&t->text, '\n');
}

static double seconds(usec_t span)
{
    return (double) span / (double) USEC_PER_SEC;
}

static void append_bucket(struct metrics_text *t, const char *bound, uint64_t count)
{
    append_sample(t, "_bucket", &(struct metric_label){"le", bound}, 1, (double) count);
}

void metrics_text_family(struct metrics_text *t, const char *name, enum metric_type type,
                         const char *help)
{
    t->family = name;
    buffer_append_format(&t->text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                         type_names[type]);
}

void metrics_text_sample(struct metrics_text *t, const struct metric_label *labels,
                         size_t labels_count, double value)
{
    append_sample(t, "", labels, labels_count, value);
}

void metrics_text_figure(struct metrics_text *t, const char *name, enum metric_type type,
                         const char *help, double value)
{
    metrics_text_family(t, name, type, help);
    metrics_text_sample(t, NULL, 0, value);
}

void metrics_text_histogram(struct metrics_text *t, const struct histogram *h)
{
    uint64_t below = 0;
    char bound[32];

    for (size_t i = 0; i < h->bounds_count; i++) {
        below += h->counts[i];
        (void) snprintf(bound, sizeof bound, "%g", seconds(h->bounds[i]));
        append_bucket(t, bound, below);
    }
    append_bucket(t, "+Inf", h->count);
    append_sample(t, "_sum", NULL, 0, seconds(h->sum));
    append_sample(t, "_count", NULL, 0, (double) h->count);
}
