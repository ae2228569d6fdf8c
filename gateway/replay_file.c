/* The story. The file is mapped; its first octet says whether it is lines of JSON or segments.
 * Lines become records as if a recorder had written them: a source is there from its first packet
 * on. All records are fed to one replay, then its results are printed.
 *
 * Failure modes: what is no recording at all is refused, as is a key that is not one of `scan` or a
 * value that is not valid. A recording that is damaged in the middle loses the rest of that
 * segment, and a file that was cut its end, with a warning. */
#include "replay_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "ble/address.h"
#include "recorder/recording_reader.h"
#include "replay_settings.h"
#include "json/recorder_line.h"

#define FAILED           2
#define DIFFERENCES_MAX  20 /* printed */
#define SOURCES_OF_LINES 256
#define ENDS             7 /* of attempts, that of later versions included */

struct run {
    const char *file;
    struct replay *replay;
    struct recording_reader *reader;
    char sources[SOURCES_OF_LINES][RECORDER_LINE_PROXY_SIZE]; /* of lines, by number */
    uint16_t sources_count;
    uint64_t attempts[RECORDING_SOURCES_MAX][ENDS]; /* how many ended how */
    uint64_t damaged;                               /* segments or lines */
    bool is_cut;
};

static int fail(const char *file, const char *text)
{
    (void) fprintf(stderr, "blefleet: --replay %s: %s\n", file, text);
    return FAILED;
}

/* ---- --set ---- */

static bool is_setting(const char *key, size_t size)
{
    size_t count;
    const struct config_setting *settings = config_settings(&count);

    for (size_t i = 0; i < count; i++) {
        if (strlen(settings[i].key) == size && memcmp(settings[i].key, key, size) == 0)
            return strncmp(key, "scan.", 5) == 0;
    }
    return false;
}

/* Whether the value is JSON as it is; else it is taken for a text. */
static bool is_json(const char *value)
{
    char *end;

    if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0 || value[0] == '"')
        return true;
    (void) strtod(value, &end);
    return *value != '\0' && *end == '\0';
}

/* "scan.a.b=1" becomes {"scan":{"a":{"b":1}}}; free() it. NULL: no such setting. */
static char *make_patch(const char *set)
{
    size_t size = strcspn(set, "=");
    const char *value = set + size + 1, *quote;
    struct buffer text = {0};
    size_t depth = 1;

    if (set[size] != '=' || !is_setting(set, size))
        return NULL;
    quote = is_json(value) ? "" : "\"";
    buffer_append_text(&text, "{\"");
    for (size_t i = 0; i < size; i++) {
        if (set[i] == '.')
            buffer_append_text(&text, "\":{\"");
        else
            buffer_append_char(&text, set[i]);
        depth += set[i] == '.';
    }
    buffer_append_format(&text, "\":%s%s%s", quote, value, quote);
    while (depth-- > 0)
        buffer_append_char(&text, '}');
    return buffer_take_text(&text);
}

static int check_sets(const struct replay_settings *settings, bool *ret_is_changed)
{
    struct config_faults faults = {0};

    if (replay_settings_check(settings, NULL, ret_is_changed, &faults))
        return 0;
    for (size_t i = 0; i < faults.count; i++)
        (void) fprintf(stderr, "blefleet: --set: %s: %s\n", faults.items[i].pointer,
                       faults.items[i].detail);
    config_faults_done(&faults);
    return FAILED;
}

/* ---- segments ---- */

static void count_attempt(struct run *run, const struct recording_attempt *a)
{
    run->attempts[a->source][a->result < ENDS ? a->result : ENDS - 1]++;
}

static bool feed_segment(struct run *run, const struct recording_segment *segment)
{
    struct recording_record record;
    int rc;

    recording_reader_begin(run->reader, segment);
    replay_begin_segment(run->replay, segment);
    while ((rc = recording_reader_next(run->reader, &record)) == 1) {
        if (!replay_feed(run->replay, &record, recording_reader_wall(run->reader, record.time)))
            return false;
        if (record.kind == RECORDING_ATTEMPT)
            count_attempt(run, &record.attempt);
    }
    run->damaged += rc < 0;
    return true;
}

static int feed_segments(struct run *run, struct bytes octets)
{
    struct recording_segment segment;
    bool is_first = true;
    int rc;

    while ((rc = recording_pull_segment(&octets, &segment, &run->is_cut)) == 1) {
        is_first = false;
        if (!feed_segment(run, &segment))
            return 0;
    }
    if (rc == -EPROTONOSUPPORT)
        return fail(run->file, "is a recording of another version of its format");
    if (rc < 0 && is_first)
        return fail(run->file, "is no recording");
    run->damaged += rc < 0;
    return 0;
}

/* ---- lines ---- */

static bool feed(struct run *run, const struct recorder_line *line, struct recording_record *record)
{
    record->time = CLOCK_START + (usec_t) line->time;
    return replay_feed(run->replay, record, line->time);
}

/* The number of the proxy; a new one is online from now on. */
static uint16_t number_of(struct run *run, const struct recorder_line *line)
{
    uint16_t number = 0;

    while (number < run->sources_count && strcmp(run->sources[number], line->proxy) != 0)
        number++;
    if (number == run->sources_count && number < SOURCES_OF_LINES) {
        struct recording_record record = {
                .kind = RECORDING_SOURCE,
                .source = {.source = number,
                           .is_online = true,
                           .name = {(const uint8_t *) line->proxy, strlen(line->proxy)}}};

        memcpy(run->sources[run->sources_count++], line->proxy, sizeof line->proxy);
        (void) feed(run, line, &record);
    }
    return number;
}

static void feed_line(struct run *run, const char *text, size_t size)
{
    struct recording_record record = {.kind = RECORDING_ADVERTISEMENT};
    struct recorder_line line;
    uint16_t source;

    if (!recorder_line_read(text, size, &line) || line.time < 0) {
        run->damaged++;
        return;
    }
    source = number_of(run, &line);
    if (source == SOURCES_OF_LINES) {
        run->damaged++;
        return;
    }
    record.advertisement.source = source;
    record.advertisement.report = (struct ble_report){.address = line.address,
                                                      .data = line.raw,
                                                      .size = line.size,
                                                      .rssi = line.rssi,
                                                      .address_type = line.address_type};
    (void) feed(run, &line, &record);
}

static int feed_lines(struct run *run, struct bytes octets)
{
    uint64_t lines = 0;

    while (octets.size > 0) {
        const uint8_t *end = memchr(octets.data, '\n', octets.size);
        size_t size = end ? (size_t) (end - octets.data) : octets.size;

        if (size > 0)
            feed_line(run, (const char *) octets.data, size);
        lines += size > 0;
        octets.data += size + (end != NULL);
        octets.size -= size + (end != NULL);
    }
    return run->damaged == lines ? fail(run->file, "is no recording") : 0;
}

/* ---- the table ---- */

static void print_outcome(const char *name, uint64_t actual, uint64_t replayed)
{
    (void) printf("%-22s %12llu %12llu %+12lld\n", name, (unsigned long long) actual,
                  (unsigned long long) replayed, (long long) (replayed - actual));
}

static void print_totals(const struct replay_totals *t)
{
    char since[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];

    clock_format(since, t->since);
    clock_format(until, t->until);
    (void) printf("%llu packets, %s to %s\n\n", (unsigned long long) t->packets, since, until);
    (void) printf("%-22s %12s %12s %12s\n", "", "recorded", "replayed", "difference");
    print_outcome("owner changes", t->actual.owner_changes, t->replayed.owner_changes);
    print_outcome("availability changes", t->actual.availability_changes,
                  t->replayed.availability_changes);
    print_outcome("events", t->actual.events, t->replayed.events);
    print_outcome("windows", t->actual.windows, t->replayed.windows);
}

/* How far the replay is to be believed. */
static void print_exactness(const struct replay_totals *t)
{
    if (t->recorded > 0)
        (void) printf("\nOf %llu recorded decisions %llu came again as they were, and %llu more.\n",
                      (unsigned long long) t->recorded, (unsigned long long) t->repeated,
                      (unsigned long long) t->added);
    if (t->is_partial)
        (void) printf(
                "\nThis recording does not begin with the start of the gateway, or parts of it "
                "are missing.\nWhat was known of a device before is not in it, so that its "
                "first decisions may differ.\n");
}

static const char *name_of(const struct replay *replay, uint16_t source)
{
    const char *name = replay_source_name(replay, source);

    return name[0] ? name : "-";
}

static void print_differences(const struct replay *replay)
{
    struct replay_difference all[DIFFERENCES_MAX];
    size_t found = replay_get_differences(replay, all, DIFFERENCES_MAX);

    if (found == 0) {
        (void) printf("\nNo device fares differently.\n");
        return;
    }
    (void) printf("\n%-22s %12s %12s  %s\n", "device", "recorded", "replayed",
                  "owner changes, and who owned it last");
    for (size_t i = 0; i < found && i < DIFFERENCES_MAX; i++) {
        char address[BLE_ADDRESS_TEXT_SIZE];

        ble_address_format(address, all[i].address);
        (void) printf("%-22s %12llu %12llu  %s, %s\n", address,
                      (unsigned long long) all[i].owner_changes_actual,
                      (unsigned long long) all[i].owner_changes_replayed,
                      name_of(replay, all[i].owner_actual), name_of(replay, all[i].owner_replayed));
    }
    if (found > DIFFERENCES_MAX)
        (void) printf("and %zu more\n", found - DIFFERENCES_MAX);
}

static uint64_t count_ends(const uint64_t ends[ENDS])
{
    uint64_t count = 0;

    for (size_t i = 0; i < ENDS; i++)
        count += ends[i];
    return count;
}

/* One line: how many, and how they ended, as recording.h numbers it. */
static void print_ends(const char *name, const uint64_t ends[ENDS])
{
    static const char *const words[ENDS] = {"connected",  "timed out", "refused",        "failed",
                                            "proxy lost", "cancelled", "ended otherwise"};
    const char *between = "  ";

    (void) printf("%-22s %12llu", name, (unsigned long long) count_ends(ends));
    for (size_t i = 0; i < ENDS; i++) {
        if (ends[i] == 0)
            continue;
        (void) printf("%s%llu %s", between, (unsigned long long) ends[i], words[i]);
        between = ", ";
    }
    (void) printf("\n");
}

/* They are as they were: no setting of a replay changes them. */
static void print_attempts(const struct run *run)
{
    uint64_t all[ENDS] = {0};

    for (size_t source = 0; source < RECORDING_SOURCES_MAX; source++)
        for (size_t i = 0; i < ENDS; i++)
            all[i] += run->attempts[source][i];
    if (count_ends(all) == 0)
        return;
    (void) printf("\n");
    print_ends("connect attempts", all);
    for (uint16_t source = 0; source < RECORDING_SOURCES_MAX; source++) {
        if (count_ends(run->attempts[source]) > 0)
            print_ends(name_of(run->replay, source), run->attempts[source]);
    }
}

static void print_all(const struct run *run)
{
    struct replay_totals totals;

    if (run->damaged > 0)
        (void) fprintf(stderr, "blefleet: --replay %s: %llu damaged parts were left out\n",
                       run->file, (unsigned long long) run->damaged);
    if (run->is_cut)
        (void) fprintf(stderr, "blefleet: --replay %s: the file ends in the middle of a segment\n",
                       run->file);
    replay_get_totals(run->replay, &totals);
    print_totals(&totals);
    print_exactness(&totals);
    print_differences(run->replay);
    print_attempts(run);
}

/* ---- the run ---- */

static int run_octets(const char *file, struct bytes octets, const char *const *patches)
{
    struct replay_settings settings = {patches};
    struct replay_wish wish = {.since = INT64_MIN,
                               .until = INT64_MAX,
                               .read_settings = replay_settings_read,
                               .user = &settings};
    bool is_lines = octets.size > 0 && octets.data[0] == '{';
    struct run *run;
    int rc = check_sets(&settings, &wish.is_changed);

    if (rc != 0)
        return rc;
    wish.is_changed |= is_lines || patches[0] != NULL; /* lines have no ticks */
    run = xnew(struct run, 1);
    run->file = file;
    run->replay = replay_new(&wish);
    run->reader = recording_reader_new();
    rc = octets.size == 0 ? fail(file, "is empty")
         : is_lines       ? feed_lines(run, octets)
                          : feed_segments(run, octets);
    if (rc == 0)
        print_all(run);
    replay_free(run->replay);
    recording_reader_free(run->reader);
    free(run);
    return rc;
}

static int run_file(const char *file, const char *const *patches)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC), rc;
    struct stat status;
    void *octets = NULL;

    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        rc = fail(file, fd < 0 ? strerror(errno) : "is no file");
        if (fd >= 0)
            (void) close(fd);
        return rc;
    }
    if (status.st_size > 0)
        octets = mmap(NULL, (size_t) status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    (void) close(fd);
    if (octets == MAP_FAILED)
        return fail(file, strerror(errno));
    rc = run_octets(file, (struct bytes){octets, (size_t) status.st_size}, patches);
    if (octets)
        (void) munmap(octets, (size_t) status.st_size);
    return rc;
}

int replay_file_run(const char *file, const char *const *sets, size_t sets_count)
{
    char *patches[REPLAY_SETS_MAX + 1] = {NULL};
    int rc = 0;

    for (size_t i = 0; i < sets_count && rc == 0; i++) {
        patches[i] = make_patch(sets[i]);
        if (!patches[i]) {
            (void) fprintf(stderr, "blefleet: --set %s: not KEY=VALUE of a setting of scan\n",
                           sets[i]);
            rc = FAILED;
        }
    }
    if (rc == 0)
        rc = run_file(file, (const char *const *) patches);
    for (size_t i = 0; i < sets_count; i++)
        free(patches[i]);
    return rc;
}
