#include "clock.h"

#include <string.h>
#include <time.h>

#define USEC_PER_DAY (INT64_C(86400) * 1000000)

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

usec_t clock_later(usec_t a, usec_t b)
{
    return a > b ? a : b;
}

usec_t clock_earlier(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

usec_t clock_since(usec_t moment, usec_t now)
{
    return now > moment ? now - moment : 0;
}

usec_t clock_after(usec_t moment, usec_t span)
{
    return span < USEC_NEVER - moment ? moment + span : USEC_NEVER;
}

int64_t clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_to_wall(usec_t moment, usec_t now, int64_t wall)
{
    return wall - (int64_t) (now - moment);
}

/* Years, months and days of a day since 1970, by the calendar that begins its years in March: then
 * the leap day is the last of a year, and 400 years are a number of days that never varies. */
static void read_days(int64_t days, uint64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    const int64_t from_march_0000 = days + 719468;
    const int64_t era =
            (from_march_0000 >= 0 ? from_march_0000 : from_march_0000 - 146096) / 146097;
    const unsigned day = (unsigned) (from_march_0000 - era * 146097);
    const unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    const unsigned day_of_year = day - (365 * year + year / 4 - year / 100);
    const unsigned month = (5 * day_of_year + 2) / 153; /* 0: March */

    *ret_day = day_of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = (uint64_t) (era * 400 + year) + (*ret_month <= 2);
}

static char *put_digits(char *out, uint64_t value, int digits, char behind)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char) ('0' + value % 10);
        value /= 10;
    }
    out[digits] = behind;
    return out + digits + 1;
}

/* By hand, since each event carries several times. */
void clock_format(char ret_text[CLOCK_TEXT_SIZE], int64_t wall)
{
    int64_t days = wall / USEC_PER_DAY, rest = wall % USEC_PER_DAY;
    unsigned month, day, seconds;
    char *out = ret_text;
    uint64_t year;

    if (rest < 0) {
        days--;
        rest += USEC_PER_DAY;
    }
    read_days(days, &year, &month, &day);
    seconds = (unsigned) (rest / 1000000);
    out = put_digits(out, year % 10000, 4, '-');
    out = put_digits(out, month, 2, '-');
    out = put_digits(out, day, 2, 'T');
    out = put_digits(out, seconds / 3600, 2, ':');
    out = put_digits(out, seconds / 60 % 60, 2, ':');
    out = put_digits(out, seconds % 60, 2, '.');
    out = put_digits(out, (uint64_t) (rest / 1000 % 1000), 3, 'Z');
    *out = '\0';
}

/* Exactly so many digits, and the number in its range. */
static bool pull_digits(const char **at, int digits, unsigned low, unsigned high,
                        unsigned *ret_number)
{
    unsigned number = 0;

    for (int i = 0; i < digits; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        number = number * 10 + (unsigned) (**at - '0');
    }
    *ret_number = number;
    return number >= low && number <= high;
}

static bool pull_char(const char **at, const char *allowed)
{
    if (**at == '\0' || !strchr(allowed, **at))
        return false;
    (*at)++;
    return true;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && is_leap);
}

/* The way back of read_days(). */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    const unsigned from_march = (month + 9) % 12;
    const int64_t y = (int64_t) year - (month <= 2);
    const int64_t era = (y >= 0 ? y : y - 399) / 400, year_of_era = y - era * 400;
    const int64_t day_of_year = (153 * from_march + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static bool pull_fraction(const char **at, unsigned *ret_usec)
{
    unsigned usec = 0, place = 100000;

    if (!pull_char(at, "."))
        return true;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; (*at)++, place /= 10)
        usec += place * (unsigned) (**at - '0');
    *ret_usec = usec;
    return true;
}

static bool pull_zone(const char **at, int64_t *ret_minutes)
{
    const char sign = **at;
    unsigned hours, minutes;

    if (pull_char(at, "Zz"))
        return true;
    if (!pull_char(at, "+-") || !pull_digits(at, 2, 0, 23, &hours) || !pull_char(at, ":") ||
        !pull_digits(at, 2, 0, 59, &minutes))
        return false;
    *ret_minutes = (int64_t) (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
    return true;
}

bool clock_parse(const char *text, int64_t *ret_wall)
{
    unsigned year, month, day, hour, minute, second, usec = 0;
    int64_t zone = 0, seconds;

    if (!pull_digits(&text, 4, 0, 9999, &year) || !pull_char(&text, "-") ||
        !pull_digits(&text, 2, 1, 12, &month) || !pull_char(&text, "-") ||
        !pull_digits(&text, 2, 1, days_in(year, month), &day) || !pull_char(&text, "Tt") ||
        !pull_digits(&text, 2, 0, 23, &hour) || !pull_char(&text, ":") ||
        !pull_digits(&text, 2, 0, 59, &minute) || !pull_char(&text, ":") ||
        !pull_digits(&text, 2, 0, 60, &second) || !pull_fraction(&text, &usec) ||
        !pull_zone(&text, &zone) || *text != '\0')
        return false;
    seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone * 60;
    *ret_wall = seconds * 1000000 + usec;
    return true;
}
