/* An array of pointers in order of the names: a name is found by halves, and a list needs no
 * sorting. What is seen twice (two interfaces, IPv4 and IPv6) is one entry with two sightings. */
#include "announcements.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct announcements {
    size_t count;
    struct announcement *items[ANNOUNCEMENTS_MAX];
};

struct announcements *announcements_new(void)
{
    return xnew(struct announcements, 1);
}

void announcements_free(struct announcements *a)
{
    if (a)
        announcements_clear(a);
    free(a);
}

/* The first that is not before the name, or (is_behind) that is behind it. */
static size_t find_place(const struct announcements *a, const char *name, bool is_behind)
{
    size_t low = 0, high = a->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(a->items[middle]->facts.name, name) < (int) is_behind)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct announcements *a, size_t place, const char *name)
{
    return place < a->count && strcmp(a->items[place]->facts.name, name) == 0;
}

static void drop(struct announcements *a, size_t place)
{
    free(a->items[place]);
    a->count--;
    memmove(&a->items[place], &a->items[place + 1], (a->count - place) * sizeof a->items[0]);
}

static void drop_oldest(struct announcements *a)
{
    size_t oldest = 0;

    for (size_t i = 1; i < a->count; i++) {
        if (a->items[i]->heard < a->items[oldest]->heard)
            oldest = i;
    }
    drop(a, oldest);
}

static struct announcement *insert(struct announcements *a, const char *name)
{
    size_t place;

    if (a->count == ANNOUNCEMENTS_MAX)
        drop_oldest(a);
    place = find_place(a, name, false);
    memmove(&a->items[place + 1], &a->items[place], (a->count - place) * sizeof a->items[0]);
    a->items[place] = xnew(struct announcement, 1);
    a->count++;
    return a->items[place];
}

static size_t find_sighting(const struct announcement *one, int interface, bool is_v6)
{
    size_t i = 0;

    while (i < one->sightings_count &&
           (one->sightings[i].interface != interface || one->sightings[i].is_v6 != is_v6))
        i++;
    return i;
}

static void drop_sighting(struct announcement *one, size_t place)
{
    one->sightings_count--;
    memmove(&one->sightings[place], &one->sightings[place + 1],
            (one->sightings_count - place) * sizeof one->sightings[0]);
}

static void insert_sighting(struct announcement *one, const struct announcement_sighting *sighting)
{
    size_t place = 0;

    while (place < one->sightings_count &&
           announcement_address_rank(&one->sightings[place]) <= announcement_address_rank(sighting))
        place++;
    memmove(&one->sightings[place + 1], &one->sightings[place],
            (one->sightings_count - place) * sizeof one->sightings[0]);
    one->sightings[place] = *sighting;
    one->sightings_count++;
}

static bool is_same_address(const struct announcement_sighting *a,
                            const struct announcement_sighting *b)
{
    return memcmp(a->octets, b->octets, sizeof a->octets) == 0;
}

/* True when it can be reached in a way that was not known. */
static bool take_sighting(struct announcement *one, const struct announcement_sighting *sighting)
{
    size_t place = find_sighting(one, sighting->interface, sighting->is_v6);

    if (place < one->sightings_count) {
        if (is_same_address(&one->sightings[place], sighting))
            return false;
        drop_sighting(one, place);
    }
    if (one->sightings_count == ANNOUNCEMENTS_SIGHTINGS_MAX)
        return false;
    insert_sighting(one, sighting);
    return true;
}

const struct announcement *announcements_heard(struct announcements *a,
                                               const struct announcement_facts *facts,
                                               const struct announcement_sighting *sighting,
                                               usec_t now, bool *ret_is_news)
{
    size_t place = find_place(a, facts->name, false);
    struct announcement *one =
            is_at(a, place, facts->name) ? a->items[place] : insert(a, facts->name);
    bool is_other = memcmp(&one->facts, facts, sizeof *facts) != 0;

    one->facts = *facts;
    one->heard = now;
    *ret_is_news = take_sighting(one, sighting) || is_other;
    if (*ret_is_news && one->inquiry == ANNOUNCEMENT_ASKED)
        one->inquiry = ANNOUNCEMENT_UNASKED;
    return one;
}

void announcements_gone(struct announcements *a, const char *name, int interface, bool is_v6)
{
    size_t place = find_place(a, name, false), sighting;

    if (!is_at(a, place, name))
        return;
    sighting = find_sighting(a->items[place], interface, is_v6);
    if (sighting == a->items[place]->sightings_count)
        return;
    drop_sighting(a->items[place], sighting);
    if (a->items[place]->sightings_count == 0)
        drop(a, place);
}

void announcements_note_inquiry(struct announcements *a, const char *name,
                                enum announcement_inquiry inquiry, uint64_t told_mac)
{
    size_t place = find_place(a, name, false);

    if (!is_at(a, place, name))
        return;
    a->items[place]->inquiry = inquiry;
    a->items[place]->told_mac = told_mac;
}

void announcements_note_try(struct announcements *a, const char *name)
{
    size_t place = find_place(a, name, false);

    if (is_at(a, place, name))
        a->items[place]->was_tried = true;
}

void announcements_clear(struct announcements *a)
{
    while (a->count > 0)
        free(a->items[--a->count]);
}

size_t announcements_count(const struct announcements *a)
{
    return a->count;
}

const struct announcement *announcements_get(const struct announcements *a, size_t index)
{
    return a->items[index];
}

size_t announcements_after(const struct announcements *a, const char *name)
{
    return find_place(a, name, true);
}
