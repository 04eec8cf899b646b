/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cron expressions: when does the nightly refresh run next?
 *
 * Takes the text of RefreshSchedule: five fields, or six with seconds first; each a list of "*",
 * values, ranges and steps, months and days also by name. Gives sets of bits, and from them the
 * next match as UTC. Called when the configuration is read and by the timer thread. Fields are in
 * local time, which the C library knows from TZ; otherwise pure. Must never run twice in an hour
 * that comes twice, nor invent a time that a clock change leaves out.
 *
 * config.md, RefreshSchedule; crontab(5) for the meaning of the two day fields.
 */
#include "schedule/cron.h"

#include <time.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/reader.h"

enum { FIELDS_MAX = 6, YEARS_AHEAD = 5, DAY_S = 86400 };

static const char *const month_names[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                          "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const day_names[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

struct field {
    const char *word;
    unsigned least, most;
    const char *const *names; /* of least, least + 1, ...; NULL: none */
    unsigned name_count;
};

enum { SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK };
static const struct field fields[FIELDS_MAX] = {
    [SECOND] = {"seconds", 0, 59, NULL, 0},
    [MINUTE] = {"minutes", 0, 59, NULL, 0},
    [HOUR] = {"hours", 0, 23, NULL, 0},
    [DAY_OF_MONTH] = {"day of month", 1, 31, NULL, 0},
    [MONTH] = {"month", 1, 12, month_names, 12},
    [DAY_OF_WEEK] = {"day of week", 0, 7, day_names, 7}, /* 0 and 7 are Sunday */
};

/* ---- parsing ---- */

static int
refuse(const struct field *field, struct span text, struct fault *why)
{
    return fault_set(why, FAULT_INPUT, "parse",
                     "%s: \"%.*s\" is not of %u to %u, a list, range or step", field->word,
                     (int)(text.size < 40 ? text.size : 40), (const char *)text.data, field->least,
                     field->most);
}

/* A number of one or two digits, or a name. */
static bool
value_read(struct reader *r, const struct field *field, unsigned *ret_value)
{
    uint8_t c = 0;
    unsigned value = 0;
    int digits = 0;
    while (reader_peek(r, &c) && c >= '0' && c <= '9' && digits < 3) {
        value = value * 10 + (unsigned)(c - '0');
        digits++;
        (void)reader_byte(r, &c);
    }
    if (digits > 0) {
        *ret_value = value;
        return digits <= 2;
    }
    struct span word;
    struct reader ahead = *r;
    if (!reader_bytes(&ahead, 3, &word)) {
        return false;
    }
    for (unsigned i = 0; i < field->name_count; i++) {
        if (span_is_nocase(word, field->names[i])) {
            *ret_value = field->least + i;
            *r = ahead;
            return true;
        }
    }
    return false;
}

/* "*", "?", "5", "5-9": first and last value. A single value with a step behind it runs to the end
 * of the field. */
static bool
range_read(struct reader *r, const struct field *field, unsigned *first, unsigned *last)
{
    bool is_day = field == &fields[DAY_OF_MONTH] || field == &fields[DAY_OF_WEEK];
    if (reader_skip_text(r, "*") || (is_day && reader_skip_text(r, "?"))) {
        *first = field->least;
        *last = field->most;
        return true;
    }
    if (!value_read(r, field, first)) {
        return false;
    }
    *last = *first;
    if (reader_skip_text(r, "-")) {
        if (!value_read(r, field, last)) {
            return false;
        }
        /* FRI-SUN: a week that ends on Sunday */
        if (field == &fields[DAY_OF_WEEK] && *last == 0 && *first > 0) {
            *last = 7;
        }
    } else {
        uint8_t next = 0;
        *last = reader_peek(r, &next) && next == '/' ? field->most : *first;
    }
    return *first >= field->least && *first <= *last && *last <= field->most;
}

static bool
step_read(struct reader *r, const struct field *field, unsigned *ret_step)
{
    *ret_step = 1;
    if (!reader_skip_text(r, "/")) {
        return true;
    }
    struct field number = *field;
    number.name_count = 0;
    return value_read(r, &number, ret_step) && *ret_step >= 1 && *ret_step <= field->most;
}

static int
field_parse(struct span text, const struct field *field, uint64_t *ret_bits, struct fault *why)
{
    struct reader r = reader_of(text);
    uint64_t bits = 0;
    do {
        unsigned first = 0, last = 0, step = 1;
        if (!range_read(&r, field, &first, &last) || !step_read(&r, field, &step)) {
            return refuse(field, text, why);
        }
        for (unsigned value = first; value <= last; value += step) {
            bits |= UINT64_C(1) << value;
        }
    } while (reader_skip_text(&r, ","));
    if (!reader_at_end(&r)) {
        return refuse(field, text, why);
    }
    *ret_bits = bits;
    return 0;
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* The words of text between blanks; more than FIELDS_MAX count as FIELDS_MAX + 1. */
static size_t
words_split(struct span text, struct span words[FIELDS_MAX])
{
    size_t count = 0;
    size_t i = 0;
    while (i < text.size && count <= FIELDS_MAX) {
        size_t start = i;
        while (i < text.size && !is_blank(text.data[i])) {
            i++;
        }
        if (i > start) {
            if (count < FIELDS_MAX) {
                words[count] = span_of(text.data + start, i - start);
            }
            count++;
        }
        i++;
    }
    return count;
}

int
cron_parse(struct span text, struct cron *ret_cron, struct fault *why)
{
    struct span words[FIELDS_MAX];
    if (text.size > LIMIT_CRON_CHARS) {
        return fault_set(why, FAULT_INPUT, "parse", "a schedule has at most %d characters",
                         LIMIT_CRON_CHARS);
    }
    size_t count = words_split(text, words);
    if (count != FIELDS_MAX && count != FIELDS_MAX - 1) {
        return fault_set(why, FAULT_INPUT, "parse",
                         "a schedule has 5 fields, or 6 with seconds first");
    }
    uint64_t bits[FIELDS_MAX] = {[SECOND] = 1}; /* without seconds: at second 0 */
    size_t absent = FIELDS_MAX - count;
    for (size_t i = absent; i < FIELDS_MAX; i++) {
        int rc = field_parse(words[i - absent], &fields[i], &bits[i], why);
        if (rc != 0) {
            return rc;
        }
    }
    uint64_t week = (bits[DAY_OF_WEEK] | bits[DAY_OF_WEEK] >> 7) & 0x7f;
    *ret_cron = (struct cron){
        .seconds = bits[SECOND],
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days_of_month = (uint32_t)bits[DAY_OF_MONTH],
        .months = (uint32_t)bits[MONTH],
        .days_of_week = (uint8_t)week,
        .day_of_month_restricted = bits[DAY_OF_MONTH] != UINT64_C(0xfffffffe),
        .day_of_week_restricted = week != 0x7f,
    };
    return 0;
}

/* ---- the next match ---- */

/* Fields of a local time as if it were UTC: a plain calendar without clock changes. */
static bool
calendar_is(const struct tm *a, const struct tm *b)
{
    return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon && a->tm_mday == b->tm_mday &&
           a->tm_hour == b->tm_hour && a->tm_min == b->tm_min && a->tm_sec == b->tm_sec;
}

/* UTC of a local time; false if a clock change leaves it out. Of an hour that comes twice it is
 * the first. Tried with the offsets of a day before and a day after: no two changes are nearer. */
static bool
local_to_utc(const struct tm *local, int64_t *ret_at)
{
    struct tm copy = *local;
    time_t as_utc = timegm(&copy);
    bool found = false;
    for (int side = -1; side <= 1; side += 2) {
        time_t near = as_utc + side * DAY_S;
        struct tm at_near;
        if (localtime_r(&near, &at_near) == NULL) {
            return false;
        }
        time_t at = as_utc - at_near.tm_gmtoff;
        struct tm back;
        if (localtime_r(&at, &back) == NULL || !calendar_is(&back, local)) {
            continue;
        }
        *ret_at = !found || at < *ret_at ? (int64_t)at : *ret_at;
        found = true;
    }
    return found;
}

static bool
day_matches(const struct cron *cron, const struct tm *day)
{
    if ((cron->months >> (day->tm_mon + 1) & 1) == 0) {
        return false;
    }
    bool month_day = (cron->days_of_month >> day->tm_mday & 1) != 0;
    bool week_day = (cron->days_of_week >> day->tm_wday & 1) != 0;
    if (cron->day_of_month_restricted && cron->day_of_week_restricted) {
        return month_day || week_day;
    }
    return month_day && week_day;
}

/* The first match on this day at or after second start_s of it, later than after_at. */
static bool
day_find(const struct cron *cron, struct tm day, int start_s, int64_t after_at, int64_t *ret_at)
{
    for (int second = start_s; second < DAY_S; second++) {
        day.tm_hour = second / 3600;
        day.tm_min = second / 60 % 60;
        day.tm_sec = second % 60;
        if ((cron->hours >> day.tm_hour & 1) == 0) {
            second = (day.tm_hour + 1) * 3600 - 1;
            continue;
        }
        if ((cron->minutes >> day.tm_min & 1) == 0) {
            second = (second / 60 + 1) * 60 - 1;
            continue;
        }
        int64_t at = 0;
        if ((cron->seconds >> day.tm_sec & 1) != 0 && local_to_utc(&day, &at) && at > after_at) {
            *ret_at = at;
            return true;
        }
    }
    return false;
}

int64_t
cron_next(const struct cron *cron, int64_t after_at)
{
    time_t after = (time_t)after_at;
    struct tm now;
    if (localtime_r(&after, &now) == NULL) {
        return 0;
    }
    struct tm day = {.tm_year = now.tm_year, .tm_mon = now.tm_mon, .tm_mday = now.tm_mday};
    /* Nothing earlier in today's calendar can be later than now: of a doubled hour only the first
     * counts. */
    int start_s = now.tm_hour * 3600 + now.tm_min * 60 + now.tm_sec;
    for (int i = 0; i <= YEARS_AHEAD * 366; i++) {
        (void)timegm(&day); /* normalises: the 32nd is the first of the next month */
        day.tm_isdst = 0;
        int64_t at = 0;
        if (day_matches(cron, &day) && day_find(cron, day, start_s, after_at, &at)) {
            return at;
        }
        start_s = 0;
        day.tm_mday++;
    }
    return 0;
}
