/* Allocation that cannot fail, and scoped cleanup.
 *
 * Sizes that a peer can influence are bounded before they get here; a small allocation that fails
 * nevertheless ends the process with one line on stderr, and the service manager starts it again.
 * Thread: any. */
#pragma once

#include <stddef.h>

/* Zeroed storage for count objects of the given size; never NULL. Release with free(). */
void *memory_zalloc(size_t count, size_t size);

/* Like realloc for count objects, but never NULL; growth is not zeroed. count * size must be > 0.
 */
void *memory_resize(void *old, size_t count, size_t size);

/* A copy of text, never NULL; memory_copy_text(NULL) is NULL. Release with free(). */
char *memory_copy_text(const char *text);

/* memory_zalloc, typed. */
#define xnew(type, count) ((type *) memory_zalloc((count), sizeof(type)))

/* char *x AUTO_FREE = …: freed at the end of the scope. */
void memory_free_pointer(void *pointer_to_pointer);
#define AUTO_FREE __attribute__((cleanup(memory_free_pointer)))

/* Hands ownership over: the variable becomes NULL, the value is returned. */
#define TAKE(pointer)                                                                              \
    ({                                                                                             \
        __typeof__(pointer) taken = (pointer);                                                     \
        (pointer) = NULL;                                                                          \
        taken;                                                                                     \
    })

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(member_pointer, type, member)                                                 \
    ((type *) (void *) ((char *) (member_pointer) -offsetof(type, member)))
