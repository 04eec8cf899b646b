/* SPDX-License-Identifier: BSD-3-Clause */
/* Cron expressions: what is refused, which fields mean what, and clock changes (config.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "schedule/cron.h"

static void
set_zone(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

/* Central European time, written out so that no zone files are needed. */
#define CENTRAL_EUROPE "CET-1CEST,M3.5.0,M10.5.0/3"

static int64_t
at(const char *iso)
{
    int64_t value = 0;
    assert_true(clock_parse_iso8601(span_of_text(iso), &value));
    return value;
}

static void
expect_next(const char *schedule, const char *after, const char *expected)
{
    struct cron cron;
    struct fault why = {0};
    if (cron_parse(span_of_text(schedule), &cron, &why) != 0) {
        fail_msg("\"%s\" refused: %s", schedule, why.text);
    }
    char next[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(cron_next(&cron, at(after)), next);
    if (strcmp(next, expected) != 0) {
        fail_msg("\"%s\" after %s: %s, not %s", schedule, after, next, expected);
    }
}

/* ---- refusals ---- */

static void
test_refuses_what_is_no_schedule(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "*",
        "* * * *",
        "* * * * * * *",
        "60 * * * * *",
        "* 60 * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * 32 * *",
        "* * * * 0 *",
        "* * * * 13 *",
        "* * * * * 8",
        "* * * * FOO *",
        "* * * * * MO",
        "* * * MON * *",
        "MON * * * * *",
        "5- * * * * *",
        "-5 * * * * *",
        "9-5 * * * * *",
        "1,,2 * * * * *",
        "1, * * * * *",
        ", * * * * *",
        "*/0 * * * * *",
        "*/60 * * * * *",
        "*/ * * * * *",
        "*/x * * * * *",
        "5/2/2 * * * * *",
        "1-2-3 * * * * *",
        "** * * * * *",
        "? * * * * *",
        "001 * * * * *",
        "99999999999 * * * * *",
        "1.5 * * * * *",
        "+1 * * * * *",
        "* * * L * *",
        "* * * * * 5#2",
        "@daily",
        "*/MON * * * * *",
        "* * * * * FRI-WED",
    };
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct cron cron = {.seconds = 77};
        struct fault why = {0};
        if (cron_parse(span_of_text(texts[i]), &cron, &why) != FAULT_INPUT || cron.seconds != 77 ||
            why.text[0] == '\0') {
            fail_msg("\"%s\" was taken", texts[i]);
        }
    }
}

static void
test_refuses_a_schedule_above_its_ceiling(void **state)
{
    char text[LIMIT_CRON_CHARS + 2];
    memset(text, ' ', sizeof text);
    memcpy(text, "* * * * *", 9);
    struct cron cron;
    assert_int_equal(cron_parse(span_of(text, LIMIT_CRON_CHARS), &cron, NULL), 0);
    assert_int_equal(cron_parse(span_of(text, LIMIT_CRON_CHARS + 1), &cron, NULL), FAULT_INPUT);
}

static void
test_impossible_dates_have_no_next(void **state)
{
    set_zone("UTC");
    static const char *const texts[] = {"0 0 0 30 2 *", "0 0 0 31 4,6,9,11 *"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct cron cron;
        assert_int_equal(cron_parse(span_of_text(texts[i]), &cron, NULL), 0);
        assert_int_equal(cron_next(&cron, at("2026-01-01T00:00:00Z")), 0);
    }
}

static void
test_looks_five_years_ahead_and_no_further(void **state)
{
    set_zone("UTC");
    expect_next("0 0 29 FEB *", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z");
    struct cron cron;
    assert_int_equal(cron_parse(span_of_text("0 0 29 2 *"), &cron, NULL), 0);
    assert_int_equal(cron_next(&cron, at("2096-03-01T00:00:00Z")), 0); /* 2100 has none */
}

/* ---- meanings ---- */

static void
test_next_is_strictly_later(void **state)
{
    set_zone("UTC");
    expect_next("0 0 1 * * *", "2026-03-04T00:59:59Z", "2026-03-04T01:00:00Z");
    expect_next("0 0 1 * * *", "2026-03-04T01:00:00Z", "2026-03-05T01:00:00Z");
    expect_next("* * * * * *", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z");
}

static void
test_five_fields_are_without_seconds(void **state)
{
    set_zone("UTC");
    expect_next("30 2 * * *", "2026-03-04T00:00:00Z", "2026-03-04T02:30:00Z");
    expect_next("  30\t2  * * *  ", "2026-03-04T00:00:00Z", "2026-03-04T02:30:00Z");
    expect_next("* * * * *", "2026-03-04T00:00:01Z", "2026-03-04T00:01:00Z");
}

static void
test_lists_ranges_and_steps(void **state)
{
    set_zone("UTC");
    expect_next("5,10,20-22 0 0 * * *", "2026-03-04T00:00:10Z", "2026-03-04T00:00:20Z");
    expect_next("5,10,20-22 0 0 * * *", "2026-03-04T00:00:22Z", "2026-03-05T00:00:05Z");
    expect_next("0 */15 * * * *", "2026-03-04T00:15:00Z", "2026-03-04T00:30:00Z");
    expect_next("0 10-50/20 * * * *", "2026-03-04T00:30:00Z", "2026-03-04T00:50:00Z");
    expect_next("0 50/4 * * * *", "2026-03-04T00:54:00Z", "2026-03-04T00:58:00Z");
    expect_next("0 50/4 * * * *", "2026-03-04T00:58:00Z", "2026-03-04T01:50:00Z");
    expect_next("0 0 8-18/5,23 * * *", "2026-03-04T18:00:00Z", "2026-03-04T23:00:00Z");
}

static void
test_names_in_any_case(void **state)
{
    set_zone("UTC");
    /* 2026-03-04 is a Wednesday */
    expect_next("0 0 0 * * MON", "2026-03-04T00:00:00Z", "2026-03-09T00:00:00Z");
    expect_next("0 0 0 * * mon-fri", "2026-03-06T00:00:00Z", "2026-03-09T00:00:00Z");
    expect_next("0 0 0 1 Jan,jul *", "2026-03-04T00:00:00Z", "2026-07-01T00:00:00Z");
    expect_next("0 0 0 1 DEC *", "2026-03-04T00:00:00Z", "2026-12-01T00:00:00Z");
}

static void
test_sunday_is_0_and_7(void **state)
{
    set_zone("UTC");
    expect_next("0 0 0 * * 0", "2026-03-04T00:00:00Z", "2026-03-08T00:00:00Z");
    expect_next("0 0 0 * * 7", "2026-03-04T00:00:00Z", "2026-03-08T00:00:00Z");
    expect_next("0 0 0 * * SUN", "2026-03-04T00:00:00Z", "2026-03-08T00:00:00Z");
    expect_next("0 0 0 * * SAT-SUN", "2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z");
    expect_next("0 0 0 * * 5-7", "2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z");
}

static void
test_two_restricted_day_fields_match_either(void **state)
{
    set_zone("UTC");
    expect_next("0 0 0 6 * FRI", "2026-03-04T00:00:00Z", "2026-03-06T00:00:00Z");
    expect_next("0 0 0 15 * FRI", "2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z");
    expect_next("0 0 0 15 * FRI", "2026-03-13T00:00:00Z", "2026-03-15T00:00:00Z");
    expect_next("0 0 0 15 * *", "2026-03-13T00:00:00Z", "2026-03-15T00:00:00Z");
    expect_next("0 0 0 15 * ?", "2026-03-13T00:00:00Z", "2026-03-15T00:00:00Z");
    expect_next("0 0 0 ? * SAT", "2026-03-13T00:00:00Z", "2026-03-14T00:00:00Z");
}

static void
test_month_ends_and_leap_years(void **state)
{
    set_zone("UTC");
    expect_next("0 0 0 31 * *", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z");
    expect_next("0 0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z");
}

static void
test_fields_are_local_time(void **state)
{
    set_zone("IST-5:30");
    expect_next("0 0 1 * * *", "2026-03-04T00:00:00Z", "2026-03-04T19:30:00Z");
    set_zone("PST8");
    expect_next("0 0 1 * * *", "2026-03-04T00:00:00Z", "2026-03-04T09:00:00Z");
}

static void
test_a_time_left_out_by_summer_time_is_skipped(void **state)
{
    set_zone(CENTRAL_EUROPE); /* 2026-03-29 02:00 becomes 03:00 */
    expect_next("0 30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z");
    expect_next("0 30 * * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z");
    expect_next("0 0 1 * * *", "2026-03-28T12:00:00Z", "2026-03-29T00:00:00Z");
    expect_next("0 0 1 * * *", "2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z");
}

static void
test_a_doubled_hour_matches_once(void **state)
{
    set_zone(CENTRAL_EUROPE); /* 2026-10-25 03:00 becomes 02:00 */
    expect_next("0 30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z");
    expect_next("0 30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
    /* asked within the second passage */
    expect_next("0 30 2 * * *", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z");
    expect_next("0 */20 * * * *", "2026-10-25T00:40:00Z", "2026-10-25T02:00:00Z");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_is_no_schedule),
        cmocka_unit_test(test_refuses_a_schedule_above_its_ceiling),
        cmocka_unit_test(test_impossible_dates_have_no_next),
        cmocka_unit_test(test_looks_five_years_ahead_and_no_further),
        cmocka_unit_test(test_next_is_strictly_later),
        cmocka_unit_test(test_five_fields_are_without_seconds),
        cmocka_unit_test(test_lists_ranges_and_steps),
        cmocka_unit_test(test_names_in_any_case),
        cmocka_unit_test(test_sunday_is_0_and_7),
        cmocka_unit_test(test_two_restricted_day_fields_match_either),
        cmocka_unit_test(test_month_ends_and_leap_years),
        cmocka_unit_test(test_fields_are_local_time),
        cmocka_unit_test(test_a_time_left_out_by_summer_time_is_skipped),
        cmocka_unit_test(test_a_doubled_hour_matches_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
