/* The devices that are announced now, by name. Bounded: when one more comes, the one that was
 * silent for longest goes. Pure. Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "mdns/announcement.h"

#define ANNOUNCEMENTS_MAX           4096
#define ANNOUNCEMENTS_SIGHTINGS_MAX 8 /* of one device; those beyond are passed over */

/* Whether it is a Bluetooth proxy: nothing that it announces tells. */
enum announcement_inquiry {
    ANNOUNCEMENT_UNASKED,
    ANNOUNCEMENT_ASKED, /* and has not answered */
    ANNOUNCEMENT_NO_BLUETOOTH,
    ANNOUNCEMENT_BLUETOOTH,
};

struct announcement {
    struct announcement_facts facts; /* as they were told last */
    usec_t heard;                    /* when it last said something new, or came again */
    struct announcement_sighting sightings[ANNOUNCEMENTS_SIGHTINGS_MAX]; /* by their rank */
    size_t sightings_count;
    enum announcement_inquiry inquiry; /* one without an answer is forgotten with the next news */
    uint64_t told_mac;                 /* what it said when it was asked; 0: nothing */
    bool was_tried;                    /* somebody tried to make a proxy of it */
};

struct announcements;

struct announcements *announcements_new(void);
void announcements_free(struct announcements *a); /* accepts NULL */

/* Seen this way, saying this. The entry, until the next change; *ret_is_news tells whether it was
 * not there before or said, or is to be reached, otherwise. */
const struct announcement *announcements_heard(struct announcements *a,
                                               const struct announcement_facts *facts,
                                               const struct announcement_sighting *sighting,
                                               usec_t now, bool *ret_is_news);

/* Not seen on this interface by this protocol any more. It goes with the last way it was seen. */
void announcements_gone(struct announcements *a, const char *name, int interface, bool is_v6);

/* What came of asking it, and that it was tried. Without effect when it is not there. */
void announcements_note_inquiry(struct announcements *a, const char *name,
                                enum announcement_inquiry inquiry, uint64_t told_mac);
void announcements_note_try(struct announcements *a, const char *name);

/* Nothing is known any more. */
void announcements_clear(struct announcements *a);

/* In order of the names, octet by octet. */
size_t announcements_count(const struct announcements *a);
const struct announcement *announcements_get(const struct announcements *a, size_t index);
/* The place of the first whose name comes behind this one. */
size_t announcements_after(const struct announcements *a, const char *name);
