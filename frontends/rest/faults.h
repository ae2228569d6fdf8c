/* The faults of one request, collected to be told all at once.
 *
 * Two kinds: what cannot be read at all (400, the first one counts) and what can be read but is not
 * valid (422, all of them with their places). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rest/answer.h"

#define FAULTS_MAX 100 /* told of one request; the rest is only counted as "invalid" */

struct faults {
    char *unreadable;                       /* ours; NULL: none */
    struct problem_fault items[FAULTS_MAX]; /* texts are ours */
    size_t count;
};

/* Valid when zeroed. */
void faults_done(struct faults *f);

void faults_add_unreadable(struct faults *f, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
void faults_add(struct faults *f, const char *pointer, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* The same for a parameter of the query. */
void faults_add_query(struct faults *f, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

bool faults_any(const struct faults *f);
void faults_answer(const struct faults *f, struct answer *ret_answer);
