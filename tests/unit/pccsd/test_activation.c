/* SPDX-License-Identifier: BSD-3-Clause */
/* Which descriptors systemd passed, by its variables; only to the process that is meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "pccsd/activation.h"

static int
take(const char *pid, const char *count, size_t *ret_count)
{
    int fds[LIMIT_CONFIG_HOSTS];
    struct fault why;
    char own[24];
    snprintf(own, sizeof own, "%ld", (long)getpid());
    assert_int_equal(setenv("LISTEN_PID", pid != NULL ? pid : own, 1), 0);
    assert_int_equal(setenv("LISTEN_FDS", count, 1), 0);
    int failed = activation_take(fds, ret_count, &why);
    assert_null(getenv("LISTEN_PID")); /* nobody inherits them */
    assert_null(getenv("LISTEN_FDS"));
    return failed;
}

static void
test_refuses_numbers_that_are_none_or_too_large(void **state)
{
    static const char *const numbers[] = {"17",   "-1", "",  "x",
                                          "0x10", "1 ", "+", "99999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        size_t count = 7;
        assert_int_equal(take(NULL, numbers[i], &count), FAULT_CONFIG);
        assert_int_equal(count, 7);
    }
}

static void
test_what_is_for_another_process_is_not_taken(void **state)
{
    static const char *const pids[] = {"1", "", "x", "-1", "0"};
    (void)state;
    for (size_t i = 0; i < sizeof pids / sizeof pids[0]; i++) {
        size_t count = 7;
        assert_int_equal(take(pids[i], "1", &count), 0);
        assert_int_equal(count, 0);
    }
}

static void
test_takes_none_where_nobody_passed_any(void **state)
{
    int fds[LIMIT_CONFIG_HOSTS];
    size_t count = 7;
    (void)state;
    assert_int_equal(activation_take(fds, &count, NULL), 0);
    assert_int_equal(count, 0);
    assert_int_equal(take(NULL, "0", &count), 0);
    assert_int_equal(count, 0);
}

static void
test_takes_as_many_as_there_may_be(void **state)
{
    size_t count = 0;
    (void)state;
    assert_int_equal(take(NULL, "16", &count), 0);
    assert_int_equal(count, LIMIT_CONFIG_HOSTS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_numbers_that_are_none_or_too_large),
        cmocka_unit_test(test_what_is_for_another_process_is_not_taken),
        cmocka_unit_test(test_takes_none_where_nobody_passed_any),
        cmocka_unit_test(test_takes_as_many_as_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
