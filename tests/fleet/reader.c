#include "reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void reader_done(struct reader *r)
{
    buffer_done(&r->text);
}

struct spot reader_root(struct reader *r, json_t *document)
{
    return (struct spot){.reader = r, .value = document};
}

void spot_fault(const struct spot *s, const char *format, ...)
{
    char sentence[300];
    va_list arguments;

    if (s->reader->faults++ >= READER_FAULTS_MAX)
        return;
    va_start(arguments, format);
    (void) vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    buffer_append_format(&s->reader->text, "%s: %s\n", s->pointer[0] != '\0' ? s->pointer : "/",
                         sentence);
}

/* A pointer that is too long is cut: it is only shown. */
static struct spot below(const struct spot *s, const char *step, json_t *value)
{
    struct spot child = {.reader = s->reader, .value = value};
    size_t length = strlen(s->pointer);
    memcpy(child.pointer, s->pointer, length);
    (void) snprintf(child.pointer + length, sizeof(child.pointer) - length, "/%s", step);
    return child;
}

struct spot spot_member(const struct spot *s, const char *key)
{
    return below(s, key, json_object_get(s->value, key));
}

struct spot spot_item(const struct spot *s, size_t index)
{
    char step[24];
    (void) snprintf(step, sizeof(step), "%zu", index);
    return below(s, step, json_array_get(s->value, index));
}

static bool is_among(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

bool spot_expect_object(const struct spot *s, const char *const *names)
{
    const char *key;
    json_t *value;
    bool is_good = true;

    if (!json_is_object(s->value)) {
        spot_fault(s, "must be an object");
        return false;
    }
    json_object_foreach(s->value, key, value)
    {
        if (is_among(key, names))
            continue;
        struct spot child = below(s, key, value);
        spot_fault(&child, "is not known here");
        is_good = false;
    }
    return is_good;
}

size_t spot_items(const struct spot *s, size_t max)
{
    if (s->value == NULL)
        return 0;
    if (!json_is_array(s->value)) {
        spot_fault(s, "must be an array");
        return 0;
    }
    size_t count = json_array_size(s->value);
    if (count <= max)
        return count;
    spot_fault(s, "has more than %zu items", max);
    return max;
}

double spot_number(const struct spot *s, double min, double max, double fallback)
{
    if (s->value == NULL)
        return fallback;
    double value = json_number_value(s->value);
    if (json_is_number(s->value) && value >= min && value <= max)
        return value;
    spot_fault(s, "must be a number from %g to %g", min, max);
    return fallback;
}

int64_t spot_integer(const struct spot *s, int64_t min, int64_t max, int64_t fallback)
{
    if (s->value == NULL)
        return fallback;
    int64_t value = json_integer_value(s->value);
    if (json_is_integer(s->value) && value >= min && value <= max)
        return value;
    spot_fault(s, "must be a whole number from %lld to %lld", (long long) min, (long long) max);
    return fallback;
}

bool spot_bool(const struct spot *s, bool fallback)
{
    if (s->value == NULL)
        return fallback;
    if (json_is_boolean(s->value))
        return json_is_true(s->value);
    spot_fault(s, "must be true or false");
    return fallback;
}

const char *spot_text(const struct spot *s, const char *fallback)
{
    if (s->value == NULL)
        return fallback;
    if (json_is_string(s->value))
        return json_string_value(s->value);
    spot_fault(s, "must be a text");
    return fallback;
}

struct spot_range spot_range(const struct spot *s, double min, double max, double fallback)
{
    if (!json_is_array(s->value)) {
        double value = spot_number(s, min, max, fallback);
        return (struct spot_range){value, value};
    }
    struct spot low = spot_item(s, 0), high = spot_item(s, 1);
    struct spot_range range = {spot_number(&low, min, max, fallback),
                               spot_number(&high, min, max, fallback)};
    if (json_array_size(s->value) == 2 && range.low <= range.high)
        return range;
    spot_fault(s, "must be a number or [low, high]");
    return (struct spot_range){fallback, fallback};
}
