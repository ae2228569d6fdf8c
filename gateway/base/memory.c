#include "memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(size_t count, size_t size)
{
    (void) fprintf(stderr, "out of memory: %zu x %zu bytes\n", count, size);
    abort();
}

void *memory_zalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        die(count, size);
    return p;
}

void *memory_resize(void *old, size_t count, size_t size)
{
    void *p;

    if (count > SIZE_MAX / size)
        die(count, size);
    p = realloc(old, count * size);
    if (!p)
        die(count, size);
    return p;
}

char *memory_copy_text(const char *text)
{
    char *p;

    if (!text)
        return NULL;
    p = strdup(text);
    if (!p)
        die(1, strlen(text) + 1);
    return p;
}

void memory_free_pointer(void *pointer_to_pointer)
{
    void *p;

    memcpy(&p, pointer_to_pointer, sizeof p);
    free(p);
}
