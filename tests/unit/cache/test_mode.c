/* SPDX-License-Identifier: BSD-3-Clause */
/* Every cell of the modes' table, as api.md and wire_details.md have it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/mode.h"

static void
expect(enum situation situation, enum action lazy, enum action req, enum action offline)
{
    assert_int_equal(mode_action(CACHE_MODE_LAZY, situation), lazy);
    assert_int_equal(mode_action(CACHE_MODE_REQ, situation), req);
    assert_int_equal(mode_action(CACHE_MODE_OFFLINE, situation), offline);
}

static void
test_a_miss_is_fetched_by_lazy_only(void **state)
{
    expect(SITUATION_ITEM_MISSING, ACTION_FETCH, ACTION_REFUSE_404, ACTION_REFUSE_404);
    expect(SITUATION_V4_MISSING, ACTION_FETCH, ACTION_REFUSE_404, ACTION_REFUSE_404);
}

static void
test_a_miss_of_version_3_is_gone_in_lazy_and_absent_elsewhere(void **state)
{
    expect(SITUATION_V3_MISSING, ACTION_REFUSE_410, ACTION_REFUSE_404, ACTION_REFUSE_404);
}

static void
test_what_expired_is_refetched_by_lazy_and_served_by_the_others(void **state)
{
    expect(SITUATION_ITEM_EXPIRED, ACTION_FETCH, ACTION_SERVE, ACTION_SERVE);
}

static void
test_version_3_is_not_refreshed(void **state)
{
    expect(SITUATION_V3_EXPIRED, ACTION_SERVE, ACTION_SERVE, ACTION_SERVE);
}

static void
test_an_unknown_platform_is_fetched_by_lazy_and_461_elsewhere(void **state)
{
    expect(SITUATION_PLATFORM_UNKNOWN, ACTION_FETCH, ACTION_REFUSE_461, ACTION_REFUSE_461);
}

static void
test_only_lazy_asks_again_for_certificates_not_available(void **state)
{
    expect(SITUATION_CERTS_INCOMPLETE, ACTION_FETCH, ACTION_SERVE, ACTION_SERVE);
}

static void
test_a_registration_is_fetched_queued_and_fetched_or_queued(void **state)
{
    expect(SITUATION_REGISTRATION_NEW, ACTION_FETCH, ACTION_QUEUE_AND_FETCH, ACTION_QUEUE);
    expect(SITUATION_REGISTRATION_KNOWN, ACTION_FETCH, ACTION_FETCH, ACTION_DONE);
}

static void
test_offline_refuses_to_refresh(void **state)
{
    expect(SITUATION_REFRESH, ACTION_FETCH, ACTION_FETCH, ACTION_REFUSE_503);
}

static void
test_the_tests_above_name_every_situation(void **state)
{
    assert_int_equal(SITUATION_COUNT, 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_miss_is_fetched_by_lazy_only),
        cmocka_unit_test(test_a_miss_of_version_3_is_gone_in_lazy_and_absent_elsewhere),
        cmocka_unit_test(test_what_expired_is_refetched_by_lazy_and_served_by_the_others),
        cmocka_unit_test(test_version_3_is_not_refreshed),
        cmocka_unit_test(test_an_unknown_platform_is_fetched_by_lazy_and_461_elsewhere),
        cmocka_unit_test(test_only_lazy_asks_again_for_certificates_not_available),
        cmocka_unit_test(test_a_registration_is_fetched_queued_and_fetched_or_queued),
        cmocka_unit_test(test_offline_refuses_to_refresh),
        cmocka_unit_test(test_the_tests_above_name_every_situation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
