#include "problem_json.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "proxy_not_found" becomes "Proxy not found". */
static void write_title(struct writer *w, const char *token)
{
    char title[64];
    size_t i;

    for (i = 0; token[i] && i + 1 < sizeof title; i++)
        title[i] = token[i] == '_' ? ' ' : token[i];
    title[i] = '\0';
    title[0] = (char) toupper((unsigned char) title[0]);
    writer_text(w, "title", title);
}

static void write_faults(struct writer *w, const struct problem *problem)
{
    writer_begin_array(w, "errors");
    for (size_t i = 0; i < problem->faults_count; i++) {
        writer_begin_object(w, NULL);
        writer_text(w, "pointer", problem->faults[i].pointer);
        writer_text(w, "detail", problem->faults[i].detail);
        writer_end_object(w);
    }
    writer_end_array(w);
}

void problem_add_part(struct problem *problem, const char *name, struct writer *w)
{
    size_t i = 0;

    while (i < PROBLEM_PARTS_MAX && problem->parts[i].name)
        i++;
    assert(i < PROBLEM_PARTS_MAX);
    problem->parts[i] = (struct problem_part){name, buffer_take_text(&w->text)};
    *w = (struct writer){0};
}

void problem_done(struct problem *problem)
{
    for (size_t i = 0; i < PROBLEM_PARTS_MAX; i++)
        free((char *) problem->parts[i].json);
}

void problem_json_write(struct writer *w, const struct problem *problem)
{
    const char *token = error_token(problem->cause);
    char type[96];

    snprintf(type, sizeof type, "/problems/%s", token);
    writer_begin_object(w, NULL);
    writer_text(w, "type", type);
    write_title(w, token);
    writer_integer(w, "status", problem->status);
    writer_text(w, "detail", problem->detail ? problem->detail : error_sentence(problem->cause));
    writer_text(w, "code", token);
    if (problem->status == 422 || problem->faults_count > 0)
        write_faults(w, problem);
    if (problem->needs_role)
        writer_text(w, "needs_role", problem->needs_role);
    if (problem->holder)
        writer_text(w, "holder", problem->holder);
    if (problem->feature)
        writer_text(w, "feature", problem->feature);
    if (problem->proxy)
        writer_text(w, "proxy", problem->proxy);
    if (problem->variable)
        writer_text(w, "variable", problem->variable);
    if (problem->etag)
        writer_text(w, "etag", problem->etag);
    for (size_t i = 0; i < PROBLEM_PARTS_MAX && problem->parts[i].name; i++)
        writer_json(w, problem->parts[i].name, problem->parts[i].json,
                    strlen(problem->parts[i].json));
    if (problem->max > 0)
        writer_unsigned(w, "max", problem->max);
    if (problem->retry_after_s > 0)
        writer_unsigned(w, "retry_after_s", problem->retry_after_s);
    writer_end_object(w);
}
