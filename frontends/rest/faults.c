#include "faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

static __attribute__((format(printf, 1, 0))) char *format_text(const char *format,
                                                               va_list arguments)
{
    char text[512]; /* longer ones hold a long text of the client, and are cut */

    vsnprintf(text, sizeof text, format, arguments);
    return memory_copy_text(text);
}

static void add_owned(struct faults *f, char *pointer, char *detail)
{
    if (f->count == FAULTS_MAX) {
        free(pointer);
        free(detail);
        return;
    }
    f->items[f->count++] = (struct problem_fault){pointer, detail};
}

void faults_done(struct faults *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free((char *) f->items[i].pointer);
        free((char *) f->items[i].detail);
    }
    free(f->unreadable);
    *f = (struct faults){0};
}

void faults_add_unreadable(struct faults *f, const char *format, ...)
{
    va_list arguments;

    if (f->unreadable)
        return;
    va_start(arguments, format);
    f->unreadable = format_text(format, arguments);
    va_end(arguments);
}

void faults_add(struct faults *f, const char *pointer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_owned(f, memory_copy_text(pointer), format_text(format, arguments));
    va_end(arguments);
}

void faults_add_query(struct faults *f, const char *name, const char *format, ...)
{
    struct buffer pointer = {0};
    va_list arguments;

    buffer_append_char(&pointer, '?');
    buffer_append_text(&pointer, name);
    va_start(arguments, format);
    add_owned(f, buffer_take_text(&pointer), format_text(format, arguments));
    va_end(arguments);
}

bool faults_any(const struct faults *f)
{
    return f->unreadable || f->count > 0;
}

void faults_answer(const struct faults *f, struct answer *ret_answer)
{
    struct problem problem = {.cause = E_INVALID_REQUEST, .status = 422};

    if (f->unreadable) {
        problem.status = 400;
        problem.detail = f->unreadable;
    } else {
        problem.detail =
                f->count == 1 ? f->items[0].detail : "the request is not valid, see errors";
        problem.faults = f->items;
        problem.faults_count = f->count;
    }
    answer_set_problem(ret_answer, &problem);
}
