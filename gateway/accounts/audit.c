/* The story: each class is a ring of rows in order of their ids; reading takes the newest of the
 * three again and again. A row is one piece of memory, its texts behind it.
 *
 * Failure modes: a flood of refusals is folded, by who was refused how; when the little table of
 * these is full for this minute, nothing more is noted. */
#include "audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define MINUTE   (60 * USEC_PER_SEC)
#define RING_MIN 64

struct row {
    struct audit_entry entry;
    char texts[];
};

struct ring {
    struct row **rows;
    size_t first, count, capacity;
};

struct refusal {
    char remote[AUDIT_REMOTE_SIZE];
    int status;
    usec_t time; /* 0: free */
};

struct audit {
    struct ring rings[AUDIT_CLASSES];
    uint64_t last_id;
    struct refusal refusals[AUDIT_REFUSALS_A_MINUTE];
};

/* ---- rows ---- */

static char *append(char *at, const char *text, size_t size)
{
    size_t length = strnlen(text, size - 1);

    memcpy(at, text, length);
    at[length] = '\0';
    return at + length + 1;
}

static size_t room_of(const char *text, size_t size)
{
    return text ? strnlen(text, size - 1) + 1 : 0;
}

/* As many whole lines as fit. */
static size_t room_of_lines(const char *text)
{
    size_t length = strlen(text);

    if (length >= AUDIT_CHANGED_SIZE) {
        length = AUDIT_CHANGED_SIZE - 1;
        while (length > 0 && text[length] != '\n')
            length--;
    }
    return length + 1;
}

static struct row *make_row(const struct audit_entry *e)
{
    size_t changed = room_of_lines(e->changed);
    size_t size = room_of(e->actor, AUDIT_ACTOR_SIZE) + room_of(e->remote, AUDIT_REMOTE_SIZE) +
                  room_of(e->action, AUDIT_ACTION_SIZE) + changed;
    struct row *row = memory_zalloc(1, sizeof *row + size);
    char *at = row->texts;

    row->entry = *e;
    row->entry.actor = at;
    at = append(at, e->actor, AUDIT_ACTOR_SIZE);
    row->entry.action = at;
    at = append(at, e->action, AUDIT_ACTION_SIZE);
    row->entry.changed = at;
    at = append(at, e->changed, changed);
    if (e->remote) {
        row->entry.remote = at;
        (void) append(at, e->remote, AUDIT_REMOTE_SIZE);
    }
    return row;
}

/* ---- rings ---- */

static struct row *ring_get(const struct ring *r, size_t index)
{
    return r->rows[(r->first + index) % r->capacity];
}

static void ring_drop_first(struct ring *r)
{
    free(ring_get(r, 0));
    r->first = (r->first + 1) % r->capacity;
    r->count--;
}

static void ring_grow(struct ring *r, size_t max)
{
    size_t capacity = r->capacity ? 2 * r->capacity : RING_MIN;
    struct row **rows;

    capacity = capacity < max ? capacity : max;
    rows = xnew(struct row *, capacity);
    for (size_t i = 0; i < r->count; i++)
        rows[i] = ring_get(r, i);
    free(r->rows);
    *r = (struct ring){rows, 0, r->count, capacity};
}

static struct row *ring_add(struct ring *r, struct row *row, size_t max)
{
    if (r->count == max)
        ring_drop_first(r);
    if (r->count == r->capacity)
        ring_grow(r, max);
    r->rows[(r->first + r->count++) % r->capacity] = row;
    return row;
}

/* The newest below the id: ids grow, so that halving finds it. */
static const struct audit_entry *ring_before(const struct ring *r, uint64_t id)
{
    size_t low = 0, high = r->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ring_get(r, middle)->entry.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &ring_get(r, low - 1)->entry : NULL;
}

/* ---- refusals ---- */

/* Without its port, which is another one for each connection. */
static void copy_host(const char *remote, char ret_host[AUDIT_REMOTE_SIZE])
{
    const char *colon = remote ? strrchr(remote, ':') : NULL;
    size_t length = colon ? (size_t) (colon - remote) : 0;

    memset(ret_host, 0, AUDIT_REMOTE_SIZE);
    memcpy(ret_host, remote ? remote : "", length < AUDIT_REMOTE_SIZE ? length : 0);
}

static bool is_over(const struct refusal *r, usec_t now)
{
    return r->time == 0 || clock_since(r->time, now) >= MINUTE;
}

/* True when it is worth a row. */
static bool note_refusal(struct audit *a, const struct audit_entry *e, usec_t now)
{
    struct refusal *room = NULL;
    char host[AUDIT_REMOTE_SIZE];

    copy_host(e->remote, host);
    for (size_t i = 0; i < AUDIT_REFUSALS_A_MINUTE; i++) {
        struct refusal *r = &a->refusals[i];

        if (is_over(r, now))
            room = r;
        else if (r->status == e->status && strcmp(r->remote, host) == 0)
            return false;
    }
    if (!room)
        return false;
    room->status = e->status;
    room->time = now;
    memcpy(room->remote, host, sizeof host);
    return true;
}

/* ---- public ---- */

size_t audit_rows_max(enum audit_class class)
{
    return class == AUDIT_REFUSED ? AUDIT_REFUSALS_MAX : AUDIT_ROWS_MAX;
}

struct audit *audit_new(void)
{
    return xnew(struct audit, 1);
}

void audit_free(struct audit *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < AUDIT_CLASSES; i++) {
        while (a->rings[i].count > 0)
            ring_drop_first(&a->rings[i]);
        free(a->rings[i].rows);
    }
    free(a);
}

static const struct audit_entry *add(struct audit *a, const struct audit_entry *entry)
{
    struct row *row = make_row(entry);

    return &ring_add(&a->rings[entry->class], row, audit_rows_max(entry->class))->entry;
}

void audit_load(struct audit *a, const struct audit_entry *entry)
{
    if (entry->id <= a->last_id)
        return; /* ids grow, or the file is not ours */
    a->last_id = entry->id;
    (void) add(a, entry);
}

const struct audit_entry *audit_add(struct audit *a, const struct audit_entry *entry, usec_t now)
{
    struct audit_entry numbered = *entry;

    if (entry->class == AUDIT_REFUSED && !note_refusal(a, entry, now))
        return NULL;
    numbered.id = ++a->last_id;
    return add(a, &numbered);
}

const struct audit_entry *audit_before(const struct audit *a, uint64_t id)
{
    const struct audit_entry *newest = NULL;

    for (size_t i = 0; i < AUDIT_CLASSES; i++) {
        const struct audit_entry *e = ring_before(&a->rings[i], id);

        if (e && (!newest || e->id > newest->id))
            newest = e;
    }
    return newest;
}

bool audit_forget(struct audit *a, int64_t wall)
{
    bool is_any = false;

    for (size_t i = 0; i < AUDIT_CLASSES; i++) {
        while (a->rings[i].count > 0 && ring_get(&a->rings[i], 0)->entry.time < wall) {
            ring_drop_first(&a->rings[i]);
            is_any = true;
        }
    }
    return is_any;
}
