#include "writer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/utf8.h"
#include "ble/address.h"

#define NUMBER_SIZE 400 /* the longest double has 309 digits before the point */
#define COMMON_MAX  1e9 /* scaled: the error of scaling is far below the distance that is kept */

/* What fits in between comma, key and value is written in one go: an event has forty values. */
static void begin_value(struct writer *w, const char *key)
{
    size_t size = key ? strlen(key) : 0;
    uint8_t *out = buffer_reserve(&w->text, size + 4), *start = out;

    if (w->needs_comma)
        *out++ = ',';
    w->needs_comma = true;
    if (key) {
        *out++ = '"';
        memcpy(out, key, size);
        out += size;
        *out++ = '"';
        *out++ = ':';
    }
    buffer_commit(&w->text, (size_t) (out - start));
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void append_special(struct buffer *b, uint8_t c)
{
    if (c == '"' || c == '\\') {
        buffer_append_char(b, '\\');
        buffer_append_char(b, (char) c);
    } else {
        buffer_append_format(b, "\\u%04x", c);
    }
}

/* A run of octets beyond ASCII: no character of it reaches outside, so it can be repaired alone. */
static void append_repaired(struct buffer *b, const uint8_t *s, size_t size)
{
    char *room = (char *) buffer_reserve(b, UTF8_REPAIRED_SIZE(size));

    buffer_commit(b, utf8_repair(room, s, size));
}

static void append_escaped(struct buffer *b, const uint8_t *s, size_t size)
{
    size_t i = 0;

    while (i < size) {
        size_t start = i;

        while (i < size && is_plain(s[i]))
            i++;
        buffer_append(b, s + start, i - start);
        start = i;
        while (i < size && s[i] >= 0x80)
            i++;
        if (i > start)
            append_repaired(b, s + start, i - start);
        else if (i < size)
            append_special(b, s[i++]);
    }
}

/* A text of ours in which nothing is to be escaped. */
static void write_plain(struct writer *w, const char *key, const char *text, size_t size)
{
    uint8_t *out;

    begin_value(w, key);
    out = buffer_reserve(&w->text, size + 2);
    out[0] = '"';
    memcpy(out + 1, text, size);
    out[size + 1] = '"';
    buffer_commit(&w->text, size + 2);
}

/* What "%.*f" gives, for numbers of usual size that are not close to the middle between two
 * results: there the exact value decides, which printf knows. The size, or 0: it is not one. */
static size_t format_common(char ret_text[NUMBER_SIZE], double value, int decimals)
{
    static const uint64_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    const double scaled = fabs(value) * (double) tens[decimals];
    const uint64_t whole = (uint64_t) (scaled < COMMON_MAX ? scaled : 0);
    const double rest = scaled - (double) whole;
    const uint64_t rounded = whole + (rest > 0.5);
    char digits[DECIMAL_SIZE], *out = ret_text;

    if (!(scaled < COMMON_MAX) || fabs(rest - 0.5) < 1e-3)
        return 0;
    if (signbit(value))
        *out++ = '-';
    out += decimal_format(out, rounded / tens[decimals]);
    if (decimals > 0) {
        /* with a one before them, which keeps the leading zeros */
        (void) decimal_format(digits, tens[decimals] + rounded % tens[decimals]);
        *out++ = '.';
        memcpy(out, digits + 1, (size_t) decimals);
        out += decimals;
    }
    return (size_t) (out - ret_text);
}

void writer_done(struct writer *w)
{
    buffer_done(&w->text);
    w->needs_comma = false;
}

void writer_begin_object(struct writer *w, const char *key)
{
    begin_value(w, key);
    buffer_append_char(&w->text, '{');
    w->needs_comma = false;
}

void writer_end_object(struct writer *w)
{
    buffer_append_char(&w->text, '}');
    w->needs_comma = true;
}

void writer_begin_array(struct writer *w, const char *key)
{
    begin_value(w, key);
    buffer_append_char(&w->text, '[');
    w->needs_comma = false;
}

void writer_end_array(struct writer *w)
{
    buffer_append_char(&w->text, ']');
    w->needs_comma = true;
}

void writer_null(struct writer *w, const char *key)
{
    begin_value(w, key);
    buffer_append(&w->text, "null", 4);
}

void writer_bool(struct writer *w, const char *key, bool value)
{
    begin_value(w, key);
    buffer_append_text(&w->text, value ? "true" : "false");
}

void writer_unsigned(struct writer *w, const char *key, uint64_t value)
{
    begin_value(w, key);
    buffer_commit(&w->text, decimal_format((char *) buffer_reserve(&w->text, DECIMAL_SIZE), value));
}

void writer_integer(struct writer *w, const char *key, int64_t value)
{
    if (value >= 0) {
        writer_unsigned(w, key, (uint64_t) value);
        return;
    }
    begin_value(w, key);
    buffer_append_char(&w->text, '-');
    w->needs_comma = false;
    writer_unsigned(w, NULL, 0 - (uint64_t) value);
}

void writer_number(struct writer *w, const char *key, double value, int decimals)
{
    char text[NUMBER_SIZE];
    size_t size;

    assert(decimals >= 0 && decimals <= 6);
    if (!isfinite(value)) {
        writer_null(w, key);
        return;
    }
    size = format_common(text, value, decimals);
    if (size == 0)
        size = (size_t) snprintf(text, sizeof text, "%.*f", decimals, value);
    if (decimals > 0) {
        while (text[size - 1] == '0')
            size--;
        if (text[size - 1] == '.')
            size--;
    }
    begin_value(w, key);
    if (size == 2 && memcmp(text, "-0", 2) == 0)
        buffer_append_char(&w->text, '0');
    else
        buffer_append(&w->text, text, size);
}

void writer_text_sized(struct writer *w, const char *key, const void *text, size_t size)
{
    begin_value(w, key);
    buffer_append_char(&w->text, '"');
    append_escaped(&w->text, text, size);
    buffer_append_char(&w->text, '"');
}

void writer_text(struct writer *w, const char *key, const char *text)
{
    if (text)
        writer_text_sized(w, key, text, strlen(text));
    else
        writer_null(w, key);
}

void writer_json(struct writer *w, const char *key, const char *json, size_t size)
{
    begin_value(w, key);
    buffer_append(&w->text, json, size);
}

void writer_hex(struct writer *w, const char *key, const uint8_t *data, size_t size)
{
    begin_value(w, key);
    buffer_append_char(&w->text, '"');
    bytes_to_hex((char *) buffer_reserve(&w->text, 2 * size + 1), data, size);
    buffer_commit(&w->text, 2 * size);
    buffer_append_char(&w->text, '"');
}

void writer_time(struct writer *w, const char *key, int64_t wall)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(text, wall);
    write_plain(w, key, text, sizeof text - 1);
}

void writer_address(struct writer *w, const char *key, uint64_t address)
{
    char text[BLE_ADDRESS_TEXT_SIZE];

    ble_address_format(text, address);
    write_plain(w, key, text, sizeof text - 1);
}
