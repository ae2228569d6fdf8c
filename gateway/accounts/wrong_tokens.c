#include "wrong_tokens.h"

#include <stdlib.h>

#include "base/memory.h"

static struct wrong_source *find(const struct wrong_tokens *w, struct account_source source)
{
    for (size_t i = 0; i < w->count; i++) {
        struct wrong_source *s = &w->items[i];

        if (s->source.is_six == source.is_six && s->source.prefix == source.prefix)
            return s;
    }
    return NULL;
}

static bool is_held(const struct wrong_source *s, usec_t now)
{
    return s->until > now;
}

/* Whether a goes before b. */
static bool goes_first(const struct wrong_source *a, const struct wrong_source *b, usec_t now)
{
    if (is_held(a, now) != is_held(b, now))
        return !is_held(a, now);
    return is_held(a, now) ? a->until < b->until : a->first < b->first;
}

static struct wrong_source *make_room(struct wrong_tokens *w, usec_t now)
{
    struct wrong_source *victim = w->items;

    if (w->count < WRONG_SOURCES_MAX) {
        if (w->count == w->capacity) {
            w->capacity = w->capacity ? 2 * w->capacity : 16;
            w->items = memory_resize(w->items, w->capacity, sizeof *w->items);
        }
        return &w->items[w->count++];
    }
    for (size_t i = 1; i < w->count; i++) {
        if (goes_first(&w->items[i], victim, now))
            victim = &w->items[i];
    }
    return victim;
}

void wrong_tokens_done(struct wrong_tokens *w)
{
    free(w->items);
    *w = (struct wrong_tokens){0};
}

usec_t wrong_tokens_hold(const struct wrong_tokens *w, struct account_source source, usec_t now)
{
    const struct wrong_source *s = find(w, source);

    return s && is_held(s, now) ? s->until - now : 0;
}

bool wrong_tokens_add(struct wrong_tokens *w, struct account_source source, usec_t now)
{
    struct wrong_source *s = find(w, source);

    if (s && is_held(s, now))
        return false;
    if (!s || clock_since(s->first, now) >= WRONG_TOKENS_WINDOW || s->until != 0) {
        s = s ? s : make_room(w, now);
        *s = (struct wrong_source){.source = source, .first = now};
    }
    if (++s->count < WRONG_TOKENS_MAX)
        return false;
    s->until = now + WRONG_TOKENS_HOLD;
    return true;
}
