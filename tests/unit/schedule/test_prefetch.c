/* SPDX-License-Identifier: BSD-3-Clause */
/* When an item is refetched ahead of expiry (config.md, RefreshBefore). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schedule/prefetch.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

static void
test_without_a_lead_nothing_is_early(void **state)
{
    assert_int_equal(prefetch_at(0, 30 * DAY, 0, 7), 30 * DAY);
    assert_int_equal(prefetch_at(0, 30 * DAY, -1, UINT32_MAX), 30 * DAY);
}

static void
test_an_item_that_never_lived_is_due_at_its_expiry(void **state)
{
    assert_int_equal(prefetch_at(100, 100, 6 * HOUR, 7), 100);
    assert_int_equal(prefetch_at(200, 100, 6 * HOUR, 7), 100);
}

static void
test_the_lead_is_kept_and_spread_by_a_quarter(void **state)
{
    assert_int_equal(prefetch_at(0, 30 * DAY, 8 * HOUR, 0), 30 * DAY - 8 * HOUR);
    int64_t earliest = prefetch_at(0, 30 * DAY, 8 * HOUR, UINT32_MAX);
    assert_true(earliest >= 30 * DAY - 10 * HOUR);
    assert_true(earliest <= 30 * DAY - 10 * HOUR + 1);
    assert_int_equal(prefetch_at(0, 30 * DAY, 8 * HOUR, UINT32_C(1) << 31), 30 * DAY - 9 * HOUR);
}

static void
test_a_short_life_is_halved(void **state)
{
    assert_int_equal(prefetch_at(0, 16 * HOUR, 8 * HOUR, 0), 8 * HOUR);
    assert_int_equal(prefetch_at(0, 8 * HOUR, 8 * HOUR, 0), 4 * HOUR);
    assert_true(prefetch_at(0, 8 * HOUR, 8 * HOUR, UINT32_MAX) >= 3 * HOUR);
}

static void
test_extreme_dates_do_not_overflow(void **state)
{
    assert_int_equal(prefetch_at(INT64_MIN, INT64_MAX, 6 * HOUR, 7), INT64_MAX);
    int64_t early = prefetch_at(0, INT64_MAX, INT64_MAX, UINT32_MAX);
    assert_true(early > INT64_MAX / 4 && early <= INT64_MAX / 2 + 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_lead_nothing_is_early),
        cmocka_unit_test(test_an_item_that_never_lived_is_due_at_its_expiry),
        cmocka_unit_test(test_the_lead_is_kept_and_spread_by_a_quarter),
        cmocka_unit_test(test_a_short_life_is_halved),
        cmocka_unit_test(test_extreme_dates_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
