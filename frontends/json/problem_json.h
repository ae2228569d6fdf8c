/* An error as RFC 9457 problem document with our code. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "json/writer.h"

/* One fault of a request: a JSON Pointer into the body, or "?NAME" for a query parameter. */
struct problem_fault {
    const char *pointer;
    const char *detail;
};

/* A further field: JSON text as it is. */
struct problem_part {
    const char *name;
    const char *json;
};

#define PROBLEM_PARTS_MAX 3

struct problem {
    int cause;                          /* E_*; its token is the code */
    int status;                         /* of HTTP */
    const char *detail;                 /* a sentence for people; NULL: that of the cause */
    const struct problem_fault *faults; /* errors[]; always there with 422 */
    size_t faults_count;
    const char *needs_role; /* NULL: absent, like what is 0 below */
    const char *holder;
    const char *feature, *proxy;
    const char *variable, *etag;
    struct problem_part parts[PROBLEM_PARTS_MAX]; /* "windows", "attempts" …; name NULL: no more */
    uint64_t max;
    unsigned retry_after_s;
};

/* Adds a further field with what was written, which is taken; released by problem_done(). */
void problem_add_part(struct problem *problem, const char *name, struct writer *w);
void problem_done(struct problem *problem); /* only if all parts were added so */

void problem_json_write(struct writer *w, const struct problem *problem);
