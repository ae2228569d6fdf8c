#include "fault_list.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define DETAIL_SIZE 400 /* a sentence; what is quoted in it is cut much earlier */

void place_append(struct buffer *out, const struct place *at)
{
    if (!at->parent)
        return;
    place_append(out, at->parent);
    buffer_append_char(out, '/');
    if (!at->key) {
        buffer_append_format(out, "%zu", at->index);
        return;
    }
    for (const char *c = at->key; *c; c++) {
        if (*c == '~')
            buffer_append_text(out, "~0");
        else if (*c == '/')
            buffer_append_text(out, "~1");
        else
            buffer_append_char(out, *c);
    }
}

struct quoted quote(const char *utf8)
{
    struct quoted quoted;
    const size_t room = sizeof(quoted.text) - sizeof("…");
    size_t size = strlen(utf8);
    bool is_cut = size > room;

    if (is_cut) {
        size = room;
        while (size > 0 && ((uint8_t) utf8[size] & 0xc0) == 0x80) /* not inside of a character */
            size--;
    }
    for (size_t i = 0; i < size; i++)
        quoted.text[i] = (uint8_t) utf8[i] < ' ' || utf8[i] == 0x7f ? '?' : utf8[i];
    memcpy(quoted.text + size, is_cut ? "…" : "", is_cut ? sizeof("…") : 1);
    return quoted;
}

static void add(struct config_faults *faults, const struct place *at, const char *format,
                va_list arguments)
{
    struct buffer pointer = {0};
    char detail[DETAIL_SIZE];

    if (faults->count == CONFIG_FAULTS_MAX) {
        faults->more++;
        return;
    }
    (void) vsnprintf(detail, sizeof(detail), format, arguments);
    place_append(&pointer, at);
    if ((faults->count & (faults->count - 1)) == 0) /* grows at 0, 1, 2, 4, 8 … */
        faults->items = memory_resize(faults->items, faults->count ? 2 * faults->count : 1,
                                      sizeof(*faults->items));
    faults->items[faults->count++] = (struct config_fault){
            .pointer = buffer_take_text(&pointer),
            .detail = memory_copy_text(detail),
    };
}

void fault_list_add(struct config_faults *faults, const struct place *at, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(faults, at, format, arguments);
    va_end(arguments);
}

void fault_list_add_key(struct config_faults *faults, const char *key, const char *format, ...)
{
    char names[128]; /* room for any dotted key */
    char *rest = NULL;
    struct place places[8] = {{0}};
    size_t depth = 0;
    va_list arguments;

    (void) snprintf(names, sizeof(names), "%s", key);
    for (char *name = strtok_r(names, ".", &rest); name; name = strtok_r(NULL, ".", &rest)) {
        assert(depth + 1 < ARRAY_SIZE(places));
        places[depth + 1] = (struct place){.parent = &places[depth], .key = name};
        depth++;
    }
    va_start(arguments, format);
    add(faults, &places[depth], format, arguments);
    va_end(arguments);
}

void config_faults_done(struct config_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        free(faults->items[i].pointer);
        free(faults->items[i].detail);
    }
    free(faults->items);
    *faults = (struct config_faults){0};
}
