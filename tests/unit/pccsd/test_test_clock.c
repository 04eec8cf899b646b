/* SPDX-License-Identifier: BSD-3-Clause */
/* The shifted clock for tests: only a well-formed variable shifts, and only the wall clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pccsd/test_clock.h"

static int
unset(void **state)
{
    unsetenv("PCCS_TEST_TIME_OFFSET");
    unsetenv("PCCS_TEST_TIME_AT");
    return 0;
}

static void
test_refuses_malformed_variables(void **state)
{
    static const char *const offsets[] = {"x", "1 day", "1e3", "99999999999", "-99999999999"};
    static const char *const times[] = {"now", "2025-07-01", "2025-02-30T00:00:00Z"};
    const struct clock *clock = NULL;
    struct fault why;
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        setenv("PCCS_TEST_TIME_OFFSET", offsets[i], 1);
        assert_int_equal(test_clock_pick(&clock, &why), FAULT_CONFIG);
    }
    unset(NULL);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        setenv("PCCS_TEST_TIME_AT", times[i], 1);
        assert_int_equal(test_clock_pick(&clock, &why), FAULT_CONFIG);
    }
    assert_null(clock);
}

static void
test_without_variables_it_is_the_systems(void **state)
{
    const struct clock *clock = NULL;
    assert_int_equal(test_clock_pick(&clock, NULL), 0);
    assert_ptr_equal(clock, clock_system());
    assert_int_equal(test_clock_offset(clock), 0);
}

static void
test_an_offset_shifts_the_wall_clock_and_no_other(void **state)
{
    const struct clock *clock = NULL;
    setenv("PCCS_TEST_TIME_OFFSET", "-86400", 1);
    assert_int_equal(test_clock_pick(&clock, NULL), 0);
    assert_int_equal(test_clock_offset(clock), -86400);
    assert_in_range(clock_now(clock_system()) - 86400 - clock_now(clock) + 5, 0, 10);
    assert_in_range(clock_monotonic_ms(clock) - clock_monotonic_ms(clock_system()) + 1000, 0, 2000);
}

static void
test_a_time_at_start_is_where_the_clock_begins(void **state)
{
    const struct clock *clock = NULL;
    int64_t at = 0;
    assert_true(clock_parse_iso8601(span_of_text("2025-07-01T00:00:00Z"), &at));
    setenv("PCCS_TEST_TIME_AT", "2025-07-01T00:00:00Z", 1);
    assert_int_equal(test_clock_pick(&clock, NULL), 0);
    assert_in_range(clock_now(clock) - at + 5, 0, 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refuses_malformed_variables, unset, unset),
        cmocka_unit_test_setup_teardown(test_without_variables_it_is_the_systems, unset, unset),
        cmocka_unit_test_setup_teardown(test_an_offset_shifts_the_wall_clock_and_no_other, unset,
                                        unset),
        cmocka_unit_test_setup_teardown(test_a_time_at_start_is_where_the_clock_begins, unset,
                                        unset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
