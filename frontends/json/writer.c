#include "writer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "ble/address.h"

static void begin_value(struct writer *w, const char *key)
{
    if (w->needs_comma)
        buffer_append_char(&w->text, ',');
    w->needs_comma = true;
    if (!key)
        return;
    buffer_append_char(&w->text, '"');
    buffer_append_text(&w->text, key);
    buffer_append(&w->text, "\":", 2);
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
    char digits[20];
    size_t at = sizeof digits;

    begin_value(w, key);
    do {
        digits[--at] = (char) ('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buffer_append(&w->text, digits + at, sizeof digits - at);
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
    char text[400]; /* the longest double has 309 digits before the point */
    int length;

    assert(decimals >= 0 && decimals <= 6);
    if (!isfinite(value)) {
        writer_null(w, key);
        return;
    }
    length = snprintf(text, sizeof text, "%.*f", decimals, value);
    if (decimals > 0) {
        while (text[length - 1] == '0')
            length--;
        if (text[length - 1] == '.')
            length--;
    }
    text[length] = '\0';
    begin_value(w, key);
    buffer_append_text(&w->text, strcmp(text, "-0") == 0 ? "0" : text);
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
    writer_text(w, key, text);
}

void writer_address(struct writer *w, const char *key, uint64_t address)
{
    char text[BLE_ADDRESS_TEXT_SIZE];

    ble_address_format(text, address);
    writer_text(w, key, text);
}
