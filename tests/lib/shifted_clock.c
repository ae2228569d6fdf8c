/* Clocks that a test shifts while the program runs: to be preloaded (LD_PRELOAD) into it.
 *
 * The file that SHIFTED_CLOCK names holds two numbers of 64 bits, in microseconds: what is added to
 * the wall clock, and what is added to the clocks that count from the start of the machine. It is
 * mapped, so that what the test writes counts from the next reading on. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shifts; /* wall, monotonic; NULL: none */

__attribute__((constructor)) static void map_shifts(void)
{
    const char *path = getenv("SHIFTED_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0)
        return;
    map = mmap(NULL, 2 * sizeof *shifts, PROT_READ, MAP_SHARED, fd, 0);
    (void) close(fd);
    if (map != MAP_FAILED)
        shifts = map;
}

static int64_t shift_of(clockid_t id)
{
    if (!shifts)
        return 0;
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        return shifts[0];
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        return shifts[1];
    default:
        return 0;
    }
}

int clock_gettime(clockid_t id, struct timespec *ret_time)
{
    int64_t shift = shift_of(id), nanoseconds;

    if (syscall(SYS_clock_gettime, id, ret_time) < 0)
        return -1;
    nanoseconds = ret_time->tv_nsec + shift % 1000000 * 1000 + 1000000000;
    ret_time->tv_sec += shift / 1000000 + nanoseconds / 1000000000 - 1;
    ret_time->tv_nsec = nanoseconds % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
    struct timespec now;

    (void) zone;
    (void) clock_gettime(CLOCK_REALTIME, &now);
    *ret_time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret_time)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_REALTIME, &now);
    if (ret_time)
        *ret_time = now.tv_sec;
    return now.tv_sec;
}
