/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The only file that asks the system for the time, and the one form of time that Intel writes.
 * Takes ISO 8601 texts in UTC, gives seconds since 1970, and back; the calendar is computed here,
 * because timegm() takes impossible dates and gmtime() has opinions about zones.
 * Any room, any thread.
 * Must never accept an offset other than Z: a freshness decision would be off by hours.
 * trust.md: issueDate, nextUpdate, tcbDate.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

enum { SECONDS_PER_DAY = 86400, DAYS_PER_400_YEARS = 146097 };

/* Every hit asks, for no more than the second: the coarse clock, some milliseconds behind at most,
 * is read from memory, where the other waits for the processor's counter. */
static int64_t
system_now(void *self)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME_COARSE, &ts);
    return (int64_t)ts.tv_sec;
}

static int64_t
system_monotonic_ms(void *self)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

const struct clock *
clock_system(void)
{
    static const struct clock clock = {.now = system_now, .monotonic_ms = system_monotonic_ms};
    return &clock;
}

int64_t
clock_system_utc_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_system_monotonic_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar; the year is made to begin in March, so
 * that the leap day is its last. */
static int64_t
days_from_date(int64_t year, int month, int day)
{
    if (month <= 2) {
        year -= 1;
    }
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_400_YEARS + day_of_era - 719468;
}

static int
days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* The digits where the pattern has a 0, everything else as it stands there. */
static bool
matches(const uint8_t *text, const char *pattern)
{
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (pattern[i] == '0' ? !is_digit : text[i] != (uint8_t)pattern[i]) {
            return false;
        }
    }
    return true;
}

static int
number_at(const uint8_t *digits, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        value = value * 10 + (digits[i] - '0');
    }
    return value;
}

/* The tail after the seconds: Z, or a fraction and Z. */
static bool
tail_is_utc(struct span tail)
{
    size_t at = 0;
    if (tail.size > 0 && tail.data[0] == '.') {
        at = 1;
        while (at < tail.size && tail.data[at] >= '0' && tail.data[at] <= '9') {
            at++;
        }
        if (at == 1) {
            return false;
        }
    }
    return at + 1 == tail.size && tail.data[at] == 'Z';
}

bool
clock_parse_iso8601(struct span text, int64_t *ret_at)
{
    static const char pattern[] = "0000-00-00T00:00:00";
    enum { HEAD = sizeof pattern - 1 };
    if (text.size <= HEAD || !matches(text.data, pattern) ||
        !tail_is_utc(span_of(text.data + HEAD, text.size - HEAD))) {
        return false;
    }
    int year = number_at(text.data, 4);
    int month = number_at(text.data + 5, 2);
    int day = number_at(text.data + 8, 2);
    int hour = number_at(text.data + 11, 2);
    int minute = number_at(text.data + 14, 2);
    int second = number_at(text.data + 17, 2);
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
        minute > 59 || second > 59) {
        return false;
    }
    *ret_at =
        days_from_date(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    return true;
}

void
clock_format_iso8601(int64_t at, char out[CLOCK_ISO8601_SIZE])
{
    /* what has no four-digit year is shown as the nearest time that has one */
    const int64_t least = days_from_date(0, 1, 1) * SECONDS_PER_DAY;
    const int64_t most = days_from_date(10000, 1, 1) * SECONDS_PER_DAY - 1;
    at = at < least ? least : at > most ? most : at;

    int64_t second_of_day = at % SECONDS_PER_DAY;
    int64_t days = at / SECONDS_PER_DAY;
    if (second_of_day < 0) {
        second_of_day += SECONDS_PER_DAY;
        days -= 1;
    }
    int64_t shifted = days + 719468;
    int64_t era =
        (shifted >= 0 ? shifted : shifted - (DAYS_PER_400_YEARS - 1)) / DAYS_PER_400_YEARS;
    int64_t doe = shifted - era * DAYS_PER_400_YEARS;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t month_from_march = (5 * doy + 2) / 153;
    unsigned day = (unsigned)(doy - (153 * month_from_march + 2) / 5 + 1);
    unsigned month =
        (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    unsigned year = (unsigned)(yoe + era * 400 + (month <= 2 ? 1 : 0));
    unsigned second = (unsigned)second_of_day;
    snprintf(out, CLOCK_ISO8601_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", year % 10000, month % 100,
             day % 100, second / 3600 % 100, second / 60 % 60, second % 60);
}
