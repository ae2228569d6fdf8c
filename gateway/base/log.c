/* The happy path: what is not loud enough is turned away by one atomic read; the rest is formatted
 * on the stack, made clean, kept in the ring and written to stderr.
 *
 * The log is the one thing here that all threads share, and the one that has state of its own: it
 * must work before anything is built and after everything is gone. A lock guards the ring and the
 * levels; nothing is written, and nobody waits for a disk, while it is held. When stderr cannot be
 * written nobody is left to tell. */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/line_ring.h"
#include "base/utf8.h"

static _Atomic enum log_level loudest = LOG_LEVEL_INFO;
static _Atomic enum log_format line_format = LOG_FORMAT_TEXT;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { /* guarded by the lock */
    struct log_levels levels;
    struct line_ring *ring; /* NULL: nothing is kept */
    size_t shown;           /* lines of the ring that log_ring_read() gives */
    void (*wake)(void *user);
    void *user;
} shared = {.levels = {.level = LOG_LEVEL_INFO}};

void log_configure_levels(const struct log_levels *levels, enum log_format format)
{
    (void) pthread_mutex_lock(&lock);
    shared.levels = *levels;
    (void) pthread_mutex_unlock(&lock);
    loudest = log_levels_loudest(levels);
    line_format = format;
}

void log_configure(enum log_level level, enum log_format format)
{
    log_configure_levels(&(struct log_levels){.level = level}, format);
}

/* ---- a line ---- */

/* Appends text as the inside of a JSON string; cuts at the end of the room. */
static size_t append_escaped(char *out, size_t at, size_t room, const char *text)
{
    for (; *text && at + 2 < room; text++) {
        if (*text == '"' || *text == '\\')
            out[at++] = '\\';
        out[at++] = *text;
    }
    return at;
}

/* message is "event key=value …". */
static size_t format_json(char *out, size_t room, const char *time, enum log_level level,
                          const char *message)
{
    size_t module = strcspn(message, ". "), event = strcspn(message, " ");
    int n = snprintf(out, room,
                     "{\"time\":\"%s\",\"level\":\"%s\",\"module\":\"%.*s\",\"event\":\"%.*s\","
                     "\"message\":\"",
                     time, log_level_name(level), (int) module, message, (int) event, message);
    size_t at = n < 0 ? 0 : (size_t) n;

    at = append_escaped(out, at, room - 4, message + event + (message[event] == ' '));
    memcpy(out + at, "\"}", 2);
    return at + 2;
}

static size_t format_text(char *out, size_t room, const char *time, enum log_level level,
                          const char *message)
{
    int n = snprintf(out, room, "%s %-7s %s", time, log_level_name(level), message);

    return n < 0 ? 0 : (size_t) n;
}

/* Peers' names and errors end up in lines: only printable UTF-8 stays, cut between characters. */
static void clean(char ret_message[LOG_MESSAGE_SIZE], const char *raw)
{
    char repaired[UTF8_REPAIRED_SIZE(LOG_MESSAGE_SIZE)];
    size_t size = utf8_repair(repaired, (const uint8_t *) raw, strlen(raw));

    for (char *c = repaired; *c; c++) {
        if ((unsigned char) *c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    if (size >= LOG_MESSAGE_SIZE) {
        size = LOG_MESSAGE_SIZE - 1;
        while (size > 0 && ((uint8_t) repaired[size] & 0xc0) == 0x80)
            size--;
    }
    memcpy(ret_message, repaired, size);
    ret_message[size] = '\0';
}

static void write_line(enum log_level level, int64_t wall, const char *message)
{
    char line[2 * LOG_MESSAGE_SIZE + 256], time[CLOCK_TEXT_SIZE];
    size_t size;

    clock_format(time, wall);
    size = line_format == LOG_FORMAT_JSON
                   ? format_json(line, sizeof line - 1, time, level, message)
                   : format_text(line, sizeof line - 1, time, level, message);
    line[size++] = '\n';
    if (write(STDERR_FILENO, line, size) < 0)
        return; /* nobody is left to tell */
}

static bool is_loud_enough(enum log_level level, const char *event)
{
    bool is_wanted;

    if (level > loudest)
        return false;
    (void) pthread_mutex_lock(&lock);
    is_wanted = level <= log_levels_of(&shared.levels, event);
    (void) pthread_mutex_unlock(&lock);
    return is_wanted;
}

static void keep(enum log_level level, int64_t wall, const char *message)
{
    (void) pthread_mutex_lock(&lock);
    if (shared.ring)
        line_ring_append(shared.ring, wall, level, message);
    if (shared.ring && shared.wake && level <= LOG_LEVEL_WARNING)
        shared.wake(shared.user);
    (void) pthread_mutex_unlock(&lock);
}

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    char raw[LOG_MESSAGE_SIZE], message[LOG_MESSAGE_SIZE];
    int64_t wall = clock_wall();
    va_list arguments;
    size_t length;

    if (!is_loud_enough(level, event))
        return;
    (void) snprintf(raw, sizeof raw, "%s ", event);
    length = strlen(raw);
    va_start(arguments, format);
    (void) vsnprintf(raw + length, sizeof raw - length, format, arguments);
    va_end(arguments);
    if (!raw[length] && length > 0)
        raw[length - 1] = '\0'; /* an event alone has no blank behind it */
    clean(message, raw);
    keep(level, wall, message);
    write_line(level, wall, message);
}

/* ---- the ring ---- */

void log_ring_configure(size_t lines)
{
    struct line_ring *ring = line_ring_new(lines < LOG_BACKLOG ? LOG_BACKLOG : lines), *old;

    (void) pthread_mutex_lock(&lock);
    old = shared.ring;
    shared.ring = ring;
    shared.shown = lines;
    (void) pthread_mutex_unlock(&lock);
    line_ring_free(old);
}

uint64_t log_ring_sequence(void)
{
    uint64_t sequence;

    (void) pthread_mutex_lock(&lock);
    sequence = shared.ring ? line_ring_newest(shared.ring) : 0;
    (void) pthread_mutex_unlock(&lock);
    return sequence;
}

bool log_ring_read(uint64_t before, struct log_line *ret_line)
{
    bool is_found = false;

    (void) pthread_mutex_lock(&lock);
    if (shared.ring && before > 0) {
        uint64_t newest = line_ring_newest(shared.ring);
        uint64_t wanted = before > newest ? newest : before - 1;

        is_found = wanted + shared.shown > newest && line_ring_get(shared.ring, wanted, ret_line);
    }
    (void) pthread_mutex_unlock(&lock);
    return is_found;
}

bool log_ring_next(uint64_t after, struct log_line *ret_line)
{
    bool is_found = false;

    (void) pthread_mutex_lock(&lock);
    if (shared.ring) {
        uint64_t newest = line_ring_newest(shared.ring);
        uint64_t oldest = newest - line_ring_count(shared.ring) + 1;

        is_found = after < newest &&
                   line_ring_get(shared.ring, after < oldest ? oldest : after + 1, ret_line);
    }
    (void) pthread_mutex_unlock(&lock);
    return is_found;
}

void log_on_warning(void (*wake)(void *user), void *user)
{
    (void) pthread_mutex_lock(&lock);
    shared.wake = wake;
    shared.user = user;
    (void) pthread_mutex_unlock(&lock);
}

/* ---- limits ---- */

bool log_allowed(struct log_limit *limit, usec_t now, unsigned *ret_held_back)
{
    if (limit->started == 0 || now - limit->started >= limit->window) {
        limit->started = now;
        limit->used = 0;
    }
    if (limit->used >= limit->burst) {
        limit->held_back++;
        return false;
    }
    limit->used++;
    *ret_held_back = limit->held_back;
    limit->held_back = 0;
    return true;
}
