/* How much memory a device takes in the device table, everything of the table included.
 *
 * Each device is heard by three proxies, for as long as it takes to learn its interval, and says 62
 * octets: 31 of advertising data and 31 of scan response, six elements. In the second case its
 * manufacturer data changes with every packet, so that the table keeps as many payloads of it as it
 * ever does. Each case is a process of its own, so that the growth of the resident set, without
 * what comes from files, is that of the table. Prints a line a case, with --json as JSON. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "scan/device_table.h"

#define PROXIES 3
#define ROUNDS  20

static const char payload[] = "020106"                       /* flags */
                              "0303aafe"                     /* a UUID */
                              "0916aafe20000bb81580"         /* its service data */
                              "0dff99040512fc5394c37c0004ff" /* manufacturer data */
                              "1b094c6976696e6720726f6f6d2073656e736f72206f6e6520413132" /* name */
                              "020a04"; /* TX power */
#define CHANGING 21                     /* octets at it change */

struct memory_case {
    const char *name;
    uint32_t devices;
    bool is_changing;
};

struct figures {
    size_t table, resident; /* octets of a device */
};

static size_t resident_octets(void)
{
    unsigned long long total, resident, shared;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%llu %llu %llu", &total, &resident, &shared) != 3)
        abort();
    (void) fclose(f);
    return (size_t) (resident - shared) * (size_t) sysconf(_SC_PAGESIZE);
}

static void hear_all(struct device_table *t, const struct memory_case *c, usec_t now)
{
    uint8_t data[BLE_REPORT_DATA_MAX];
    struct ble_report report = {.data = data, .size = sizeof data, .address_type = 1, .rssi = -70};
    size_t size;

    if (!bytes_from_hex(data, sizeof data, payload, strlen(payload), &size))
        abort();
    if (c->is_changing)
        memcpy(data + CHANGING, &now, 6);
    for (uint32_t d = 0; d < c->devices; d++) {
        report.address = UINT64_C(0xC00000000000) + d * UINT64_C(7919);
        for (uint16_t proxy = 0; proxy < PROXIES; proxy++)
            device_table_observe(t, proxy, &report, 1, now);
    }
}

static struct figures measure(const struct memory_case *c)
{
    const struct device_table_settings settings = {.devices_max = 50000,
                                                   .forget_after = 3600 * USEC_PER_SEC,
                                                   .forget_private_after = 900 * USEC_PER_SEC,
                                                   .stale_after = 900 * USEC_PER_SEC,
                                                   .quiet_after = 90 * USEC_PER_SEC,
                                                   .margin_db = 16,
                                                   .ewma_alpha = 0.3};
    struct device_table_statistics counts;
    size_t before = resident_octets();
    struct device_table *t = device_table_new(&settings, NULL, NULL);
    struct figures figures;

    for (uint16_t proxy = 0; proxy < PROXIES; proxy++)
        device_table_source_online(t, proxy, true, USEC_PER_SEC);
    for (unsigned round = 1; round <= ROUNDS; round++)
        hear_all(t, c, round * USEC_PER_SEC);
    device_table_get_statistics(t, &counts);
    assert(counts.reports == (uint64_t) c->devices * PROXIES * ROUNDS);
    figures = (struct figures){counts.memory_bytes / c->devices,
                               (resident_octets() - before) / c->devices};
    device_table_free(t);
    return figures;
}

/* In a process of its own; false: that failed. */
static bool measure_apart(const struct memory_case *c, struct figures *ret_figures)
{
    int ends[2], status = 0;
    bool is_read;
    pid_t child;

    if (pipe(ends) < 0 || (child = fork()) < 0)
        return false;
    if (child == 0) {
        struct figures figures = measure(c);

        _exit(write(ends[1], &figures, sizeof figures) == sizeof figures ? 0 : 1);
    }
    (void) close(ends[1]);
    is_read = read(ends[0], ret_figures, sizeof *ret_figures) == sizeof *ret_figures;
    (void) close(ends[0]);
    return waitpid(child, &status, 0) == child && status == 0 && is_read;
}

int main(int argc, char **argv)
{
    static const struct memory_case cases[] = {{"one payload", 1000, false},
                                               {"one payload", 20000, false},
                                               {"changing payloads", 1000, true},
                                               {"changing payloads", 20000, true}};
    bool is_json = argc > 1 && strcmp(argv[1], "--json") == 0;

    (void) printf(is_json ? "{\"unit\":\"octets per device\",\"cases\":["
                          : "octets per device, of 3 proxies and 62 octets of payload\n");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct figures f;

        (void) fflush(stdout);
        if (!measure_apart(&cases[i], &f))
            return 1;
        (void) printf(is_json ? "%s{\"name\":\"%s\",\"devices\":%u,\"table\":%zu,"
                                "\"resident\":%zu}"
                              : "%s%-18s %6u devices: %5zu by its own count, %5zu resident\n",
                      is_json && i ? "," : "", cases[i].name, cases[i].devices, f.table,
                      f.resident);
    }
    (void) printf(is_json ? "]}\n" : "");
    return 0;
}
