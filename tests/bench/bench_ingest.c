/* How much CPU an advertisement costs from the octets of a frame to the device table, without the
 * kernel (ingest.h).
 *
 * The share of changed payloads is the case. Frames are made before the clock runs. Thread CPU
 * time, median and spread of RUNS runs. Prints one line a case, and with --json one JSON object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "ingest.h"

#define ROUNDS 200 /* each device is heard so often by each of its proxies */
#define RUNS   7

static double cpu_seconds(void)
{
    struct timespec t;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static double run_once(bool is_encrypted, bool is_recorded, unsigned changed_percent,
                       uint64_t *ret_reports)
{
    struct ingest *ingest = ingest_new(is_encrypted, changed_percent, ROUNDS);
    double started, used;

    if (is_recorded)
        ingest_record(ingest);
    started = cpu_seconds();
    *ret_reports = ingest_run(ingest);
    used = cpu_seconds() - started;
    ingest_free(ingest);
    return used;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        bool is_encrypted, is_recorded;
        unsigned changed_percent;
    } cases[] = {{"plaintext, unchanged payloads", false, false, 0},
                 {"plaintext, 20 % changed", false, false, 20},
                 {"the same, recorded", false, true, 20},
                 {"Noise, 20 % changed", true, false, 20}};
    bool is_json = argc > 1 && strcmp(argv[1], "--json") == 0;

    (void) printf(is_json ? "{\"unit\":\"ns of CPU per advertisement\",\"cases\":["
                          : "ns of CPU per advertisement, frame to table, without the kernel "
                            "(median, min..max of %d runs)\n",
                  RUNS);
    for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
        double ns[RUNS];
        uint64_t reports = 0;

        for (int r = 0; r < RUNS; r++)
            ns[r] = run_once(cases[c].is_encrypted, cases[c].is_recorded, cases[c].changed_percent,
                             &reports) *
                    1e9 / (double) reports;
        qsort(ns, RUNS, sizeof ns[0], compare);
        if (is_json)
            (void) printf("%s{\"name\":\"%s\",\"median\":%.1f,\"min\":%.1f,\"max\":%.1f,"
                          "\"advertisements\":%llu}",
                          c ? "," : "", cases[c].name, ns[RUNS / 2], ns[0], ns[RUNS - 1],
                          (unsigned long long) reports);
        else
            (void) printf("%-32s %7.1f  %6.1f..%.1f\n", cases[c].name, ns[RUNS / 2], ns[0],
                          ns[RUNS - 1]);
    }
    (void) printf(is_json ? "]}\n" : "");
    return 0;
}
