#include "process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static size_t resident_bytes(void)
{
    unsigned long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    (void) fclose(file);
    return (size_t) resident * (size_t) sysconf(_SC_PAGESIZE);
}

static size_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    if (!directory)
        return 0;
    for (const struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    (void) closedir(directory);
    return count > 0 ? count - 1 : 0; /* without the one that looks */
}

static usec_t usec_of(const struct timeval *time)
{
    return (usec_t) time->tv_sec * USEC_PER_SEC + (usec_t) time->tv_usec;
}

void process_get_figures(struct process_figures *ret_figures)
{
    struct rusage usage = {0};
    struct rlimit limit = {0};

    (void) getrusage(RUSAGE_SELF, &usage); /* neither can fail */
    (void) getrlimit(RLIMIT_NOFILE, &limit);
    *ret_figures = (struct process_figures){
            .memory_bytes = resident_bytes(),
            .cpu = usec_of(&usage.ru_utime) + usec_of(&usage.ru_stime),
            .descriptors = count_descriptors(),
            .descriptors_max = (size_t) limit.rlim_cur,
    };
}
