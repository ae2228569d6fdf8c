#include "clock.h"

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

/* Takes so many digits and the character behind them from the front of *text. */
static bool pull_digits(const char **text, int digits, char behind, int64_t *ret_value)
{
    int64_t value = 0;

    for (int i = 0; i < digits; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        value = value * 10 + (**text - '0');
    }
    *ret_value = value;
    return behind == '\0' || *(*text)++ == behind;
}

/* Microseconds of what stands behind the point, and the Z. */
static bool pull_fraction(const char *text, int64_t *ret_fraction)
{
    int64_t fraction = 0, scale = 100000;
    int digits = 0;

    for (; *text >= '0' && *text <= '9'; text++, digits++, scale /= 10)
        fraction += (*text - '0') * scale;
    *ret_fraction = fraction;
    return digits >= 1 && digits <= 9 && text[0] == 'Z' && text[1] == '\0';
}

/* Days since 1970: read_days() the other way round. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t years = month > 2 ? year : year - 1, months = month > 2 ? month - 3 : month + 9;
    int64_t era = (years >= 0 ? years : years - 399) / 400, of_era = years - era * 400;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * months + 2) / 5 + day -
           1 - 719468;
}

static bool is_day(int64_t days, int64_t month, int64_t day)
{
    unsigned of_month, of_year_month;
    uint64_t year;

    read_days(days, &year, &of_year_month, &of_month);
    return of_year_month == (unsigned) month && of_month == (unsigned) day;
}

bool clock_parse(const char *text, int64_t *ret_wall)
{
    int64_t year, month, day, hour, minute, second, fraction = 0, days;

    if (!pull_digits(&text, 4, '-', &year) || !pull_digits(&text, 2, '-', &month) ||
        !pull_digits(&text, 2, 'T', &day) || !pull_digits(&text, 2, ':', &hour) ||
        !pull_digits(&text, 2, ':', &minute) || !pull_digits(&text, 2, '\0', &second))
        return false;
    if (*text == '.' ? !pull_fraction(text + 1, &fraction) : text[0] != 'Z' || text[1] != '\0')
        return false;
    days = days_of(year, month, day);
    if (month < 1 || month > 12 || !is_day(days, month, day) || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    *ret_wall = days * USEC_PER_DAY + (hour * 3600 + minute * 60 + second) * 1000000 + fraction;
    return true;
}
