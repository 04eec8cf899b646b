/* SPDX-License-Identifier: BSD-3-Clause */
/* The one form of time that Intel writes, and the calendar behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

static void
test_refuses_every_other_form(void **state)
{
    static const char *const bad[] = {
        "",
        "2025-06-19",
        "2025-06-19T10:56:11",
        "2025-06-19T10:56:11z",
        "2025-06-19t10:56:11Z",
        "2025-06-19 10:56:11Z",
        "2025-06-19T10:56:11+00:00",
        "2025-06-19T10:56:11Z ",
        " 2025-06-19T10:56:11Z",
        "2025-06-19T10:56:11.Z",
        "2025-06-19T10:56:11.12",
        "2025-06-19T10:56:11.1x2Z",
        "2025-6-19T10:56:11Z",
        "25-06-19T10:56:11Z",
        "12025-06-19T10:56:11Z",
        "-025-06-19T10:56:11Z",
        "2025/06/19T10:56:11Z",
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        int64_t at = 77;
        assert_false(clock_parse_iso8601(span_of_text(bad[i]), &at));
        assert_int_equal(at, 77);
    }
}

static void
test_refuses_impossible_dates(void **state)
{
    static const char *const bad[] = {
        "2025-00-19T10:56:11Z", "2025-13-19T10:56:11Z", "2025-06-00T10:56:11Z",
        "2025-06-31T10:56:11Z", "2025-02-29T10:56:11Z", "2100-02-29T10:56:11Z",
        "2025-06-19T24:00:00Z", "2025-06-19T10:60:00Z", "2025-06-19T10:56:60Z",
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        int64_t at;
        assert_false(clock_parse_iso8601(span_of_text(bad[i]), &at));
    }
}

static void
test_knows_days_that_are_known(void **state)
{
    static const struct {
        const char *text;
        int64_t at;
    } known[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59Z", -1},
        {"2000-02-29T12:00:00Z", 951825600},
        {"2024-02-29T23:59:59Z", 1709251199},
        {"2025-06-19T10:56:11Z", 1750330571},
        {"2038-01-19T03:14:08Z", INT64_C(2147483648)},
        {"2049-12-31T23:59:59Z", INT64_C(2524607999)},
        {"9999-12-31T23:59:59Z", INT64_C(253402300799)},
    };
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        int64_t at = 77;
        char text[CLOCK_ISO8601_SIZE];
        assert_true(clock_parse_iso8601(span_of_text(known[i].text), &at));
        assert_true(at == known[i].at);
        clock_format_iso8601(at, text);
        assert_string_equal(text, known[i].text);
    }
}

static void
test_a_fraction_is_dropped(void **state)
{
    int64_t at;
    assert_true(clock_parse_iso8601(span_of_text("1970-01-01T00:00:01.999Z"), &at));
    assert_int_equal(at, 1);
}

static void
test_agrees_with_the_c_library_day_by_day(void **state)
{
    /* a step that is no divisor of a day, over 400 years */
    for (int64_t at = INT64_C(-6000000000); at < INT64_C(7000000000); at += 86400 * 37 + 12345) {
        char ours[CLOCK_ISO8601_SIZE];
        char theirs[64];
        time_t seconds = (time_t)at;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%SZ", &tm);
        clock_format_iso8601(at, ours);
        assert_string_equal(ours, theirs);
        int64_t back;
        assert_true(clock_parse_iso8601(span_of_text(ours), &back));
        assert_true(back == at);
    }
}

static void
test_times_without_a_four_digit_year_are_shown_as_the_nearest(void **state)
{
    char text[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    clock_format_iso8601(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00Z");
}

static int64_t
fixed_now(void *self)
{
    return *(int64_t *)self;
}

static void
test_a_clock_can_be_replaced(void **state)
{
    int64_t now = 1234;
    struct clock clock = {.now = fixed_now, .monotonic_ms = fixed_now, .self = &now};
    assert_int_equal(clock_now(&clock), 1234);
    assert_int_equal(clock_monotonic_ms(&clock), 1234);
}

static void
test_the_system_clock_runs(void **state)
{
    time_t before = time(NULL);
    int64_t now = clock_now(clock_system());
    assert_true(now >= before - 1 && now <= before + 60);
    assert_true(clock_system_utc_ms() / 1000 >= before - 1);
    int64_t first = clock_monotonic_ms(clock_system());
    assert_true(clock_monotonic_ms(clock_system()) >= first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_every_other_form),
        cmocka_unit_test(test_refuses_impossible_dates),
        cmocka_unit_test(test_knows_days_that_are_known),
        cmocka_unit_test(test_a_fraction_is_dropped),
        cmocka_unit_test(test_agrees_with_the_c_library_day_by_day),
        cmocka_unit_test(test_times_without_a_four_digit_year_are_shown_as_the_nearest),
        cmocka_unit_test(test_a_clock_can_be_replaced),
        cmocka_unit_test(test_the_system_clock_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
