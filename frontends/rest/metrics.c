#include "metrics.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct entry {
    struct entry *next;
    void *user;
    void (*collect)(void *user, struct metrics_text *text); /* NULL: a single figure */
    const char *name, *help;
    enum metric_type type;
    double (*read)(void *user);
};

struct metrics {
    struct entry *first;
};

/* At the end, so that the text keeps its order. */
static void add(struct metrics *m, const struct entry *entry)
{
    struct entry **link = &m->first;

    while (*link)
        link = &(*link)->next;
    *link = xnew(struct entry, 1);
    **link = *entry;
}

static bool has_name(const struct metrics *m, const char *name)
{
    for (const struct entry *e = m->first; e; e = e->next) {
        if (e->name && strcmp(e->name, name) == 0)
            return true;
    }
    return false;
}

static bool is_named_well(const char *name, enum metric_type type)
{
    const char *end = strrchr(name, '_');

    return strncmp(name, METRICS_PREFIX, sizeof METRICS_PREFIX - 1) == 0 &&
           (type == METRIC_COUNTER) == (strcmp(end, "_total") == 0);
}

struct metrics *metrics_new(void)
{
    return xnew(struct metrics, 1);
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    while (m->first) {
        struct entry *e = m->first;

        m->first = e->next;
        free(e);
    }
    free(m);
}

void metrics_register(struct metrics *m, const char *name, enum metric_type type, const char *help,
                      double (*read)(void *user), void *user)
{
    assert(type != METRIC_HISTOGRAM && is_named_well(name, type) && !has_name(m, name));
    add(m, &(struct entry){.user = user, .name = name, .help = help, .type = type, .read = read});
}

void metrics_register_collector(struct metrics *m,
                                void (*collect)(void *user, struct metrics_text *text), void *user)
{
    add(m, &(struct entry){.user = user, .collect = collect});
}

void metrics_unregister(struct metrics *m, const void *user)
{
    struct entry **link = &m->first;

    while (*link) {
        struct entry *e = *link;

        if (e->user != user) {
            link = &e->next;
            continue;
        }
        *link = e->next;
        free(e);
    }
}

void metrics_write(const struct metrics *m, struct metrics_text *text)
{
    for (const struct entry *e = m->first; e; e = e->next) {
        if (e->collect)
            e->collect(e->user, text);
        else
            metrics_text_figure(text, e->name, e->type, e->help, e->read(e->user));
    }
}
