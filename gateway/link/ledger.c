/* The story. A slot is reserved, and counts as taken at once. The request to connect goes out, the
 * proxy's next list has the address, and from then on both accounts mean the same slot by it. The
 * link opens, closes, the proxy says so, our entry goes, and the next list is without the address.
 *
 * What is taken is told by the proxy's numbers, and beside them by those of our entries that the
 * numbers cannot have in them yet. A list shows which these are. Where there is none, the numbers
 * are compared with those before: what they have grown by is ours if an answer of the proxy was
 * due, and somebody else's otherwise. In doubt a slot is taken.
 *
 * Failure modes. A list is judged only if it fits its numbers, for firmware that contradicts itself
 * would cost people their links. An open link that such a list misses is lost; but a list may have
 * been on its way when the link opened, so it counts only if an earlier one had the address or the
 * link is 2 s old. An address that stays in a list without an entry of ours is somebody else's,
 * unless we asked this proxy for it in this conversation, or carry its device elsewhere: then it is
 * an orphan, once it has stayed for some seconds; every slot is that for a moment when its link
 * closes. After a failure the address waits until it has left the list. If it is in no list by
 * then, since the firmware has none, or takes it out before its radio is done, it waits for 2 s. */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/map.h"
#include "base/memory.h"

#define PAST_MAX     64                 /* addresses a proxy was asked for that are remembered */
#define LIST_FOLLOWS (2 * USEC_PER_SEC) /* the list that has a link in it comes by then */

struct entry { /* ours */
    uint64_t address;
    enum slot_phase phase;
    bool is_listed;  /* the last list has it */
    bool was_listed; /* some list had it since the request was sent */
    bool is_counted; /* the proxy's numbers have it in them */
    bool is_lost;    /* found, not told yet */
    usec_t since, opened;
};

struct listed { /* by the proxy, whoever holds it */
    uint64_t address;
    bool was_ours; /* in this conversation */
    usec_t since;  /* without an entry of ours; means nothing while there is one */
    usec_t told;   /* as an orphan; 0: never */
};

struct past { /* what became of entries of ours, and of the attempts among them */
    uint64_t address;
    bool was_sent;    /* the proxy was asked for it */
    bool is_held_off; /* since released */
    bool awaits_list; /* to leave it */
    usec_t released;
};

enum complaint { COMPLAINT_NONE, COMPLAINT_DUE, COMPLAINT_TOLD };

struct account { /* of one conversation */
    uint16_t source;
    bool has_slots, tells_list, is_consistent;
    enum complaint complaint; /* that list and numbers do not fit */
    uint32_t limit, told_free;
    usec_t told;
    struct entry entries[LEDGER_ADDRESSES_MAX];
    size_t entries_count;
    struct listed listed[LEDGER_ADDRESSES_MAX];
    size_t listed_count;
    struct past past[PAST_MAX]; /* the oldest first */
    size_t past_count;
};

struct carried { /* a device that has entries of ours, wherever */
    size_t entries;
    usec_t since;
};

struct ledger {
    struct map *accounts; /* by source: those that are online */
    struct map *carried;  /* by address */
    usec_t now;           /* as it was told last */
    usec_t deadline;
};

/* ---- one account ---- */

static struct account *find_account(const struct ledger *l, uint16_t source)
{
    return map_find(l->accounts, source);
}

static struct entry *find_entry(const struct account *a, uint64_t address)
{
    for (size_t i = 0; i < a->entries_count; i++) {
        if (a->entries[i].address == address)
            return (struct entry *) &a->entries[i];
    }
    return NULL;
}

static struct listed *find_listed(const struct account *a, uint64_t address)
{
    for (size_t i = 0; i < a->listed_count; i++) {
        if (a->listed[i].address == address)
            return (struct listed *) &a->listed[i];
    }
    return NULL;
}

static struct past *find_past(const struct account *a, uint64_t address)
{
    for (size_t i = 0; i < a->past_count; i++) {
        if (a->past[i].address == address)
            return (struct past *) &a->past[i];
    }
    return NULL;
}

static bool is_establishing(const struct account *a)
{
    for (size_t i = 0; i < a->entries_count; i++) {
        if (a->entries[i].phase == SLOT_ESTABLISHING)
            return true;
    }
    return false;
}

static size_t counted_entries(const struct account *a)
{
    size_t count = 0;

    for (size_t i = 0; i < a->entries_count; i++)
        count += a->entries[i].is_counted;
    return count;
}

static size_t listed_entries(const struct account *a)
{
    size_t count = 0;

    for (size_t i = 0; i < a->entries_count; i++)
        count += a->entries[i].is_listed;
    return count;
}

/* Slots that are taken by the numbers of the proxy. */
static uint64_t told_taken(const struct account *a)
{
    uint64_t taken = a->limit - a->told_free;

    return taken > a->listed_count ? taken : a->listed_count;
}

static uint64_t taken_by_others(const struct account *a)
{
    uint64_t taken = told_taken(a), ours = counted_entries(a);

    return taken > ours ? taken - ours : 0;
}

static uint64_t taken(const struct account *a)
{
    uint64_t by_numbers = taken_by_others(a) + a->entries_count;
    uint64_t by_names = a->listed_count + a->entries_count - listed_entries(a);

    return by_numbers > by_names ? by_numbers : by_names;
}

/* Slots that may be reserved. */
static uint32_t count_free(const struct account *a)
{
    uint32_t room = (uint32_t) (LEDGER_ADDRESSES_MAX - a->entries_count);
    uint64_t all_taken = taken(a);
    uint64_t left = all_taken < a->limit ? a->limit - all_taken : 0;

    if (!a->has_slots)
        return room > 0 ? UINT32_MAX : 0;
    return left < room ? (uint32_t) left : room;
}

static usec_t hold_off_end(const struct past *p)
{
    return p->released + (p->awaits_list ? LEDGER_HOLD_OFF : LEDGER_SETTLE);
}

/* The record of the address; the oldest one goes for a new one. */
static struct past *remember(struct account *a, uint64_t address)
{
    struct past *p = find_past(a, address);
    struct past next = {.address = address, .was_sent = p && p->was_sent};

    if (!p && a->past_count < PAST_MAX)
        p = &a->past[a->past_count++];
    else if (!p)
        p = a->past;
    memmove(p, p + 1, (size_t) (&a->past[a->past_count] - (p + 1)) * sizeof(*p));
    a->past[a->past_count - 1] = next;
    return &a->past[a->past_count - 1];
}

static void end_hold_offs(struct account *a, usec_t now)
{
    for (size_t i = 0; i < a->past_count; i++) {
        if (now >= hold_off_end(&a->past[i]))
            a->past[i].is_held_off = false;
    }
}

/* ---- across accounts ---- */

static void carry(struct ledger *l, uint64_t address, usec_t now)
{
    struct carried *c = map_find(l->carried, address);

    if (!c) {
        c = xnew(struct carried, 1);
        c->since = now;
        map_put(l->carried, address, c);
    }
    c->entries++;
}

static void carry_no_more(struct ledger *l, uint64_t address)
{
    struct carried *c = map_find(l->carried, address);

    if (--c->entries == 0)
        free(map_take(l->carried, address));
}

/* Since when a listed address has been nobody's; USEC_NEVER: it is ours, somebody else's, or in a
 * list that is not to be believed. */
static usec_t nobodys_since(const struct ledger *l, const struct account *a, const struct listed *s)
{
    const struct carried *c;

    if (!a->is_consistent || find_entry(a, s->address))
        return USEC_NEVER;
    if (s->was_ours)
        return s->since;
    c = map_find(l->carried, s->address);
    if (!c)
        return USEC_NEVER;
    return c->since > s->since ? c->since : s->since;
}

static bool is_orphan(const struct ledger *l, const struct account *a, const struct listed *s,
                      usec_t now)
{
    usec_t since = nobodys_since(l, a, s);

    return since != USEC_NEVER && now >= since + LEDGER_ORPHAN_AFTER;
}

/* When an orphan is to be told, for the first time or again. */
static usec_t orphan_due(const struct ledger *l, const struct account *a, const struct listed *s)
{
    usec_t since = nobodys_since(l, a, s);
    usec_t again = s->told ? s->told + LEDGER_ORPHAN_AGAIN : 0;

    if (since == USEC_NEVER)
        return USEC_NEVER;
    return since + LEDGER_ORPHAN_AFTER > again ? since + LEDGER_ORPHAN_AFTER : again;
}

static usec_t account_deadline(const struct ledger *l, const struct account *a)
{
    usec_t next = a->complaint == COMPLAINT_DUE ? a->told : USEC_NEVER;

    for (size_t i = 0; i < a->entries_count; i++) {
        if (a->entries[i].is_lost)
            next = clock_earlier(next, a->told);
    }
    for (size_t i = 0; i < a->listed_count; i++)
        next = clock_earlier(next, orphan_due(l, a, &a->listed[i]));
    for (size_t i = 0; i < a->past_count; i++) {
        if (a->past[i].is_held_off)
            next = clock_earlier(next, hold_off_end(&a->past[i]));
    }
    return next;
}

/* After each change: what is due next. It is kept, since it is asked for far more often. */
static void settle(struct ledger *l)
{
    const struct account *a;
    size_t position = 0;

    l->deadline = USEC_NEVER;
    while ((a = map_next(l->accounts, &position)))
        l->deadline = clock_earlier(l->deadline, account_deadline(l, a));
}

/* ---- what a proxy tells ---- */

/* An address that stays keeps its record. */
static struct listed record_of(const struct account *a, uint64_t address, usec_t now)
{
    const struct listed *old = find_listed(a, address);
    const struct past *past = find_past(a, address);

    if (old)
        return *old;
    return (struct listed){.address = address, .was_ours = past && past->was_sent, .since = now};
}

static bool contains(const struct listed *list, size_t count, uint64_t address)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].address == address)
            return true;
    }
    return false;
}

/* Replaces the list; each address once, as many as are kept. */
static void take_list(struct account *a, const uint64_t *addresses, size_t count, usec_t now)
{
    struct listed next[LEDGER_ADDRESSES_MAX];
    size_t next_count = 0;

    for (size_t i = 0; i < count && next_count < LEDGER_ADDRESSES_MAX; i++) {
        if (!contains(next, next_count, addresses[i]))
            next[next_count++] = record_of(a, addresses[i], now);
    }
    memcpy(a->listed, next, next_count * sizeof(next[0]));
    a->listed_count = next_count;
    a->tells_list = a->tells_list || count > 0;
}

/* Which of ours the numbers have in them, when the list does not say: open ones, those that had
 * been in before, and as many that the proxy was asked for as the numbers have grown by. */
static void count_by_numbers(struct account *a, uint64_t others)
{
    uint64_t all = told_taken(a), known = others;

    for (size_t i = 0; i < a->entries_count; i++) {
        struct entry *e = &a->entries[i];

        e->is_counted = e->is_counted || e->is_listed || e->phase == SLOT_OPEN;
        known += e->is_counted;
    }
    for (size_t i = 0; i < a->entries_count && known < all; i++) {
        struct entry *e = &a->entries[i];

        if (e->is_counted || e->phase == SLOT_RESERVED)
            continue;
        e->is_counted = true;
        known++;
    }
}

static void match_entry(struct account *a, struct entry *e, usec_t now)
{
    e->is_listed = find_listed(a, e->address) != NULL;
    if (a->is_consistent)
        e->is_counted = e->is_listed;
    if (e->is_listed && e->phase != SLOT_RESERVED)
        e->was_listed = true;
    e->is_lost = a->is_consistent && !e->is_listed && e->phase == SLOT_OPEN &&
                 (e->was_listed || now - e->opened >= LIST_FOLLOWS);
}

/* A hold-off that waited for the address to leave the list is over; one that did not begins to,
 * when the address comes into the list belatedly. */
static void match_past(const struct account *a, struct past *p)
{
    if (find_listed(a, p->address))
        p->awaits_list = true;
    else if (a->is_consistent && p->awaits_list)
        p->is_held_off = false;
}

static void match(struct account *a, uint64_t others, usec_t now)
{
    for (size_t i = 0; i < a->entries_count; i++)
        match_entry(a, &a->entries[i], now);
    for (size_t i = 0; i < a->past_count; i++)
        match_past(a, &a->past[i]);
    if (!a->is_consistent)
        count_by_numbers(a, others);
}

/* Numbers that make sense, and without a list where there never was one. */
static bool is_mere_numbers(const struct account *a, uint32_t told_free, size_t count)
{
    return !a->tells_list && count == 0 && told_free <= a->limit;
}

/* ---- our entries ---- */

static void drop_entry(struct ledger *l, struct account *a, struct entry *e)
{
    carry_no_more(l, e->address);
    a->entries_count--;
    memmove(e, e + 1, (size_t) (&a->entries[a->entries_count] - e) * sizeof(*e));
}

/* The proxy may still have the address, or have it again: then it is known whose it was. */
static void keep_in_mind(struct account *a, const struct entry *e, bool is_failure, usec_t now)
{
    struct listed *s = find_listed(a, e->address);
    bool was_sent = e->phase != SLOT_RESERVED;
    struct past *p;

    if (s && was_sent)
        *s = (struct listed){.address = e->address, .was_ours = true, .since = now};
    if (!was_sent && !is_failure)
        return;
    p = remember(a, e->address);
    p->was_sent = p->was_sent || was_sent;
    p->is_held_off = is_failure;
    p->awaits_list = s != NULL;
    p->released = now;
}

static void close_account(struct ledger *l, struct account *a)
{
    while (a->entries_count > 0)
        drop_entry(l, a, &a->entries[a->entries_count - 1]);
    free(map_take(l->accounts, a->source));
}

/* ---- findings ---- */

static bool find_in_account(struct ledger *l, struct account *a, enum ledger_finding *ret_finding,
                            uint64_t *ret_address)
{
    if (a->complaint == COMPLAINT_DUE) {
        a->complaint = COMPLAINT_TOLD;
        *ret_finding = LEDGER_INCONSISTENT;
        *ret_address = 0;
        return true;
    }
    for (size_t i = 0; i < a->entries_count; i++) {
        if (!a->entries[i].is_lost)
            continue;
        a->entries[i].is_lost = false;
        *ret_finding = LEDGER_LOST;
        *ret_address = a->entries[i].address;
        return true;
    }
    for (size_t i = 0; i < a->listed_count; i++) {
        if (orphan_due(l, a, &a->listed[i]) > l->now)
            continue;
        a->listed[i].told = l->now;
        *ret_finding = LEDGER_ORPHANED;
        *ret_address = a->listed[i].address;
        return true;
    }
    return false;
}

/* ---- for all ---- */

const char *slot_holder_name(enum slot_holder holder)
{
    switch (holder) {
    case SLOT_OURS:
        return "ours";
    case SLOT_FOREIGN:
        return "foreign";
    case SLOT_ORPHAN:
        return "orphan";
    }
    return "foreign";
}

struct ledger *ledger_new(void)
{
    struct ledger *l = xnew(struct ledger, 1);

    l->accounts = map_new(0);
    l->carried = map_new(0);
    l->deadline = USEC_NEVER;
    return l;
}

void ledger_free(struct ledger *l)
{
    struct account *a;
    size_t position;

    if (!l)
        return;
    while (position = 0, (a = map_next(l->accounts, &position)))
        close_account(l, a);
    map_free(l->accounts);
    map_free(l->carried);
    free(l);
}

void ledger_online(struct ledger *l, uint16_t source, usec_t now)
{
    struct account *a;

    ledger_offline(l, source);
    a = xnew(struct account, 1);
    a->source = source;
    map_put(l->accounts, source, a);
    l->now = now;
}

void ledger_offline(struct ledger *l, uint16_t source)
{
    struct account *a = find_account(l, source);

    if (!a)
        return;
    close_account(l, a);
    settle(l);
}

void ledger_told(struct ledger *l, uint16_t source, uint32_t limit, uint32_t told_free,
                 const uint64_t *addresses, size_t count, usec_t now)
{
    struct account *a = find_account(l, source);
    uint64_t others;

    l->now = now;
    if (!a)
        return;
    end_hold_offs(a, now);
    others = taken_by_others(a);
    a->has_slots = limit > 0;
    a->limit = limit;
    a->told_free = told_free < limit ? told_free : limit;
    a->told = now;
    take_list(a, addresses, count, now);
    a->is_consistent = limit > 0 && told_free <= limit && count == limit - told_free &&
                       count == a->listed_count;
    if (a->complaint == COMPLAINT_NONE && limit > 0 && !a->is_consistent &&
        !is_mere_numbers(a, told_free, count))
        a->complaint = COMPLAINT_DUE;
    match(a, others, now);
    settle(l);
}

int ledger_reserve(struct ledger *l, uint16_t source, uint64_t address, usec_t now)
{
    struct account *a = find_account(l, source);
    bool is_listed;

    l->now = now;
    if (!a)
        return E_PROXY_OFFLINE;
    if (find_entry(a, address) || ledger_held_off(l, source, address, now))
        return E_CONFLICT;
    if (count_free(a) == 0)
        return E_NO_FREE_SLOT;
    is_listed = find_listed(a, address) != NULL;
    a->entries[a->entries_count++] = (struct entry){.address = address,
                                                    .phase = SLOT_RESERVED,
                                                    .is_listed = is_listed,
                                                    .is_counted = is_listed,
                                                    .since = now};
    carry(l, address, now);
    settle(l);
    return 0;
}

bool ledger_establish(struct ledger *l, uint16_t source, uint64_t address, usec_t now)
{
    struct account *a = find_account(l, source);
    struct entry *e = a ? find_entry(a, address) : NULL;

    l->now = now;
    if (!e || e->phase != SLOT_RESERVED || is_establishing(a))
        return false;
    e->phase = SLOT_ESTABLISHING;
    return true;
}

void ledger_discovering(struct ledger *l, uint16_t source, usec_t now)
{
    struct account *a = find_account(l, source);

    l->now = now;
    for (size_t i = 0; a && i < a->entries_count; i++)
        if (a->entries[i].phase == SLOT_ESTABLISHING)
            a->entries[i].phase = SLOT_DISCOVERING;
}

void ledger_opened(struct ledger *l, uint16_t source, uint64_t address, usec_t now)
{
    struct account *a = find_account(l, source);
    struct entry *e = a ? find_entry(a, address) : NULL;

    l->now = now;
    if (!e || (e->phase != SLOT_ESTABLISHING && e->phase != SLOT_DISCOVERING))
        return;
    e->phase = SLOT_OPEN;
    e->opened = now;
}

void ledger_closing(struct ledger *l, uint16_t source, uint64_t address, usec_t now)
{
    struct account *a = find_account(l, source);
    struct entry *e = a ? find_entry(a, address) : NULL;

    l->now = now;
    if (!e)
        return;
    e->phase = SLOT_CLOSING;
    e->is_lost = false;
    settle(l);
}

void ledger_released(struct ledger *l, uint16_t source, uint64_t address, bool is_failure,
                     usec_t now)
{
    struct account *a = find_account(l, source);
    struct entry *e = a ? find_entry(a, address) : NULL;

    l->now = now;
    if (!e)
        return;
    keep_in_mind(a, e, is_failure, now);
    drop_entry(l, a, e);
    settle(l);
}

usec_t ledger_held_off(const struct ledger *l, uint16_t source, uint64_t address, usec_t now)
{
    const struct account *a = find_account(l, source);
    const struct past *p = a ? find_past(a, address) : NULL;

    if (!p || !p->is_held_off || now >= hold_off_end(p))
        return 0;
    return hold_off_end(p);
}

void ledger_get_proxy(const struct ledger *l, uint16_t source, usec_t now,
                      struct ledger_proxy *ret_proxy)
{
    const struct account *a = find_account(l, source);

    *ret_proxy = (struct ledger_proxy){0};
    if (!a)
        return;
    *ret_proxy = (struct ledger_proxy){.is_online = true,
                                       .has_slots = a->has_slots,
                                       .tells_list = a->tells_list,
                                       .is_consistent = a->is_consistent,
                                       .limit = a->limit,
                                       .told_free = a->told_free,
                                       .free = count_free(a),
                                       .ours = (unsigned) a->entries_count,
                                       .is_establishing = is_establishing(a)};
    for (size_t i = 0; i < a->entries_count; i++) {
        enum slot_phase phase = a->entries[i].phase;

        ret_proxy->in_progress += phase <= SLOT_ESTABLISHING;
        ret_proxy->discovering += phase == SLOT_DISCOVERING;
    }
    for (size_t i = 0; i < a->listed_count; i++) {
        if (find_entry(a, a->listed[i].address))
            continue;
        if (is_orphan(l, a, &a->listed[i], now))
            ret_proxy->orphans++;
        else
            ret_proxy->foreign++;
    }
}

static const struct listed *find_other(const struct account *a, size_t index)
{
    for (size_t i = 0; i < a->listed_count; i++) {
        if (!find_entry(a, a->listed[i].address) && index-- == 0)
            return &a->listed[i];
    }
    return NULL;
}

bool ledger_get_slot(const struct ledger *l, uint16_t source, size_t index,
                     struct ledger_slot *ret_slot)
{
    const struct account *a = find_account(l, source);
    const struct listed *s;

    if (!a)
        return false;
    if (index < a->entries_count) {
        const struct entry *e = &a->entries[index];

        *ret_slot = (struct ledger_slot){.address = e->address,
                                         .holder = SLOT_OURS,
                                         .phase = e->phase,
                                         .is_listed = e->is_listed,
                                         .since = e->since};
        return true;
    }
    s = find_other(a, index - a->entries_count);
    if (!s)
        return false;
    *ret_slot =
            (struct ledger_slot){.address = s->address,
                                 .holder = is_orphan(l, a, s, l->now) ? SLOT_ORPHAN : SLOT_FOREIGN,
                                 .is_listed = true,
                                 .since = s->since};
    return true;
}

bool ledger_find(struct ledger *l, usec_t now, enum ledger_finding *ret_finding,
                 uint16_t *ret_source, uint64_t *ret_address)
{
    struct account *a;
    size_t position = 0;
    bool is_found = false;

    l->now = now;
    if (now < l->deadline)
        return false;
    while (!is_found && (a = map_next(l->accounts, &position))) {
        end_hold_offs(a, now);
        is_found = find_in_account(l, a, ret_finding, ret_address);
        if (is_found)
            *ret_source = a->source;
    }
    settle(l);
    return is_found;
}

usec_t ledger_deadline(const struct ledger *l)
{
    return l->deadline;
}
