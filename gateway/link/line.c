/* The story: few stand in line (no more than there are requests), each is put in its place, and the
 * line is walked from the front whenever something became free. */
#include "line.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void line_done(struct line *line)
{
    free(line->links);
    *line = (struct line){0};
}

static bool is_before(const struct opening *a, const struct opening *b)
{
    if (a->is_led != b->is_led)
        return a->is_led;
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return a->order < b->order;
}

void line_put(struct line *line, struct link *link)
{
    size_t place = 0;

    line_remove(line, link);
    if (line->count == line->capacity) {
        line->capacity = line->capacity ? 2 * line->capacity : 16;
        line->links = memory_resize(line->links, line->capacity, sizeof(struct link *));
    }
    while (place < line->count && is_before(line->links[place]->opening, link->opening))
        place++;
    memmove(line->links + place + 1, line->links + place,
            (line->count - place) * sizeof(struct link *));
    line->links[place] = link;
    line->count++;
}

static size_t find(const struct line *line, const struct link *link)
{
    size_t place = 0;

    while (place < line->count && line->links[place] != link)
        place++;
    return place;
}

void line_remove(struct line *line, struct link *link)
{
    size_t place = find(line, link);

    if (place == line->count)
        return;
    line->count--;
    memmove(line->links + place, line->links + place + 1,
            (line->count - place) * sizeof(struct link *));
}

unsigned line_position(const struct line *line, const struct link *link)
{
    size_t place = find(line, link);
    unsigned position = 1;

    if (place == line->count)
        return 0;
    for (size_t i = 0; i < place; i++) {
        uint16_t awaited = line->links[i]->opening->awaited;

        if (awaited == link->opening->awaited || awaited == LINK_NO_SOURCE ||
            link->opening->awaited == LINK_NO_SOURCE)
            position++;
    }
    return position;
}
