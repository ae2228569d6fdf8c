#include "clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    (void) clock_gettime(id, &t); /* cannot fail for these ids */
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

usec_t clock_now(void)
{
    return (usec_t) read_clock(CLOCK_MONOTONIC) + CLOCK_START;
}

int64_t clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_to_wall(usec_t moment, usec_t now, int64_t wall)
{
    return wall - (int64_t) (now - moment);
}

void clock_format(char ret_text[CLOCK_TEXT_SIZE], int64_t wall)
{
    int64_t seconds = wall / 1000000, rest = wall % 1000000;
    struct tm tm;
    time_t t;

    if (rest < 0) {
        seconds--;
        rest += 1000000;
    }
    t = (time_t) seconds;
    (void) gmtime_r(&t, &tm);
    (void) snprintf(ret_text, CLOCK_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                    (unsigned) (tm.tm_year + 1900) % 10000, (unsigned) (tm.tm_mon + 1) % 100,
                    (unsigned) tm.tm_mday % 100, (unsigned) tm.tm_hour % 100,
                    (unsigned) tm.tm_min % 100, (unsigned) tm.tm_sec % 100,
                    (unsigned) (rest / 1000) % 1000);
}
