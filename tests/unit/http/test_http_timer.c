/* SPDX-License-Identifier: BSD-3-Clause */
/* Deadlines: each in its time, in order, and none after it was stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/http_timer.h"

static const int durations[HTTP_TIMER_COUNT] = {
    [HTTP_TIMER_HEADERS] = 10,
    [HTTP_TIMER_REQUEST] = 15,
    [HTTP_TIMER_IDLE] = 60,
    [HTTP_TIMER_LINGER] = 2,
};

static void
test_nothing_expires_before_its_time_or_after_a_stop(void **state)
{
    struct http_timers timers;
    struct http_timer_link a = {0}, b = {0};
    http_timers_init(&timers, durations);
    assert_true(http_timers_next(&timers) == INT64_MAX);
    http_timer_start(&timers, &a, HTTP_TIMER_IDLE, 100);
    http_timer_start(&timers, &b, HTTP_TIMER_HEADERS, 101);
    assert_int_equal(http_timers_next(&timers), 111);
    assert_null(http_timers_take_expired(&timers, 110));
    http_timer_stop(&b);
    http_timer_stop(&b);
    assert_null(http_timers_take_expired(&timers, 111));
    assert_null(http_timers_take_expired(&timers, 159));
    assert_ptr_equal(http_timers_take_expired(&timers, 160), &a);
    assert_null(http_timers_take_expired(&timers, 1000));
    assert_true(http_timers_next(&timers) == INT64_MAX);
}

static void
test_a_restart_puts_the_deadline_off(void **state)
{
    struct http_timers timers;
    struct http_timer_link a = {0}, b = {0};
    http_timers_init(&timers, durations);
    http_timer_start(&timers, &a, HTTP_TIMER_IDLE, 0);
    http_timer_start(&timers, &b, HTTP_TIMER_IDLE, 1);
    assert_ptr_equal(http_timers_oldest(&timers, HTTP_TIMER_IDLE), &a);
    http_timer_start(&timers, &a, HTTP_TIMER_IDLE, 2);
    assert_ptr_equal(http_timers_oldest(&timers, HTTP_TIMER_IDLE), &b);
    assert_ptr_equal(http_timers_take_expired(&timers, 61), &b);
    assert_null(http_timers_take_expired(&timers, 61));
    http_timer_start(&timers, &a, HTTP_TIMER_LINGER, 3);
    assert_true(http_timer_is(&a, HTTP_TIMER_LINGER));
    assert_null(http_timers_oldest(&timers, HTTP_TIMER_IDLE));
    assert_int_equal(http_timers_next(&timers), 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_expires_before_its_time_or_after_a_stop),
        cmocka_unit_test(test_a_restart_puts_the_deadline_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
