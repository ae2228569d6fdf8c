/* Entries stand in an array by their sequence, their texts in a run of octets that is filled round
 * and round. A text is never parted: when it does not fit behind the last one, the octets up to the
 * end stay unused in this round. */
#include "line_ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define USUAL_SIZE 256 /* octets per line that are reserved; most lines have half of it */

struct entry {
    int64_t time;
    size_t at;   /* in octets */
    size_t size; /* NUL included */
    enum log_level level;
};

struct line_ring {
    size_t lines, room;
    uint64_t newest;
    size_t count;
    size_t end; /* where the next text goes, if it fits */
    struct entry *entries;
    char *octets;
};

struct line_ring *line_ring_new(size_t lines)
{
    struct line_ring *r = xnew(struct line_ring, 1);

    assert(lines > 0);
    r->lines = lines;
    r->room = lines * USUAL_SIZE + LOG_MESSAGE_SIZE;
    r->entries = xnew(struct entry, lines);
    r->octets = xnew(char, r->room);
    return r;
}

void line_ring_free(struct line_ring *r)
{
    if (!r)
        return;
    free(r->entries);
    free(r->octets);
    free(r);
}

static struct entry *get_entry(const struct line_ring *r, uint64_t sequence)
{
    return &r->entries[sequence % r->lines];
}

static const struct entry *get_oldest(const struct line_ring *r)
{
    return get_entry(r, r->newest - r->count + 1);
}

/* Room for size octets; the lines that lay there are gone. */
static size_t make_room(struct line_ring *r, size_t size)
{
    if (r->end + size > r->room) {
        while (r->count > 0 && get_oldest(r)->at >= r->end)
            r->count--;
        r->end = 0;
    }
    while (r->count > 0 && get_oldest(r)->at >= r->end && get_oldest(r)->at < r->end + size)
        r->count--;
    if (r->count == r->lines)
        r->count--;
    return r->end;
}

void line_ring_append(struct line_ring *r, int64_t time, enum log_level level, const char *message)
{
    size_t size = strnlen(message, LOG_MESSAGE_SIZE - 1) + 1;
    size_t at = make_room(r, size);

    memcpy(r->octets + at, message, size - 1);
    r->octets[at + size - 1] = '\0';
    r->end = at + size;
    r->newest++;
    r->count++;
    *get_entry(r, r->newest) = (struct entry){.time = time, .at = at, .size = size, .level = level};
}

uint64_t line_ring_newest(const struct line_ring *r)
{
    return r->newest;
}

size_t line_ring_count(const struct line_ring *r)
{
    return r->count;
}

bool line_ring_get(const struct line_ring *r, uint64_t sequence, struct log_line *ret_line)
{
    const struct entry *entry = get_entry(r, sequence);

    if (sequence > r->newest || sequence + r->count <= r->newest)
        return false;
    ret_line->sequence = sequence;
    ret_line->time = entry->time;
    ret_line->level = entry->level;
    memcpy(ret_line->message, r->octets + entry->at, entry->size);
    return true;
}
