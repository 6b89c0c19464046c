/*
 * Time. Dates are reckoned with the proleptic Gregorian calendar in closed form
 * (years that begin in March, eras of 400 years), never with the C library:
 * no time zone, no locale, no global state.
 */
#include "base/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#define MS_PER_DAY INT64_C(86400000)
#define FIRST_MS   INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define LAST_MS    INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS  5000

int64_t clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_mono_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void clock_sleep_ms(int64_t ms)
{
    if (ms <= 0)
        return;

    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&span, NULL);
}

/* Days from 1970-01-01 to a date; month and day count from 1. */
static int64_t days_from_date(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = (y >= 0 ? y : y - 399) / 400;
    int year_of_era = y - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (int64_t)era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;

    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int day_of_era = (int)(days - era * 146097);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int shifted_month = (5 * day_of_year + 2) / 153; /* 0 is March */

    *ret_day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    *ret_month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    *ret_year = (int)(year_of_era + era * 400) + (*ret_month <= 2);
}

static void put(char *out, int value, int n_digits)
{
    for (int i = n_digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void clock_format(int64_t wall_ms, char out[CLOCK_TEXT_LEN + 1])
{
    if (wall_ms < FIRST_MS)
        wall_ms = FIRST_MS;
    if (wall_ms > LAST_MS)
        wall_ms = LAST_MS;

    int64_t days = (wall_ms - FIRST_MS) / MS_PER_DAY + FIRST_MS / MS_PER_DAY;
    int ms = (int)(wall_ms - days * MS_PER_DAY);
    int year;
    int month;
    int day;
    date_from_days(days, &year, &month, &day);

    memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_TEXT_LEN + 1);
    put(out, year, 4);
    put(out + 5, month, 2);
    put(out + 8, day, 2);
    put(out + 11, ms / 3600000, 2);
    put(out + 14, ms / 60000 % 60, 2);
    put(out + 17, ms / 1000 % 60, 2);
    put(out + 20, ms % 1000, 3);
}

static int get(const char *s, int n_digits)
{
    int value = 0;

    for (int i = 0; i < n_digits; i++)
        value = value * 10 + (s[i] - '0');
    return value;
}

/* True when `s` has a digit wherever `form` has a '0', and the same byte everywhere else. */
static bool has_form(const char *s, size_t len, const char *form)
{
    if (len != strlen(form))
        return false;
    for (size_t i = 0; i < len; i++)
        if (form[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
            return false;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && is_leap);
}

int clock_parse(const char *s, size_t len, int64_t *ret_ms)
{
    bool has_ms = has_form(s, len, "0000-00-00T00:00:00.000Z");

    if (!has_ms && !has_form(s, len, "0000-00-00 00:00:00"))
        return ERR_INVALID;

    int year = get(s, 4);
    int month = get(s + 5, 2);
    int day = get(s + 8, 2);
    int hour = get(s + 11, 2);
    int minute = get(s + 14, 2);
    int second = get(s + 17, 2);
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return ERR_INVALID;
    if (hour > 23 || minute > 59 || second > 59)
        return ERR_INVALID;

    int64_t of_day = ((int64_t)hour * 60 + minute) * 60 + second;
    *ret_ms = days_from_date(year, month, day) * MS_PER_DAY + of_day * 1000 +
              (has_ms ? get(s + 20, 3) : 0);
    return 0;
}

void backoff_wait(struct backoff *b)
{
    clock_sleep_ms(b->wait_ms);
    b->wait_ms = b->wait_ms ? b->wait_ms * 2 : BACKOFF_FIRST_MS;
    if (b->wait_ms > BACKOFF_LAST_MS)
        b->wait_ms = BACKOFF_LAST_MS;
}
