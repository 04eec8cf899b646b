/* SPDX-License-Identifier: BSD-3-Clause */
/* Header fields are found by name, in any case, the first of several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/header.h"

static void
test_absent_field_is_not_found(void **state)
{
    struct header fields[] = {{span_of_text("user-token-x"), span_of_text("1")},
                              {span_of_text("user"), span_of_text("2")}};
    struct span value = span_of_text("before");
    assert_false(header_find(fields, 2, "user-token", &value));
    assert_false(header_find(NULL, 0, "user-token", &value));
    assert_true(span_is(value, "before"));
}

static void
test_first_of_several_in_any_case(void **state)
{
    struct header fields[] = {{span_of_text("Host"), span_of_text("h")},
                              {span_of_text("ADMIN-Token"), span_of_text("first")},
                              {span_of_text("admin-token"), span_of_text("second")}};
    struct span value;
    assert_true(header_find(fields, 3, "admin-token", &value));
    assert_true(span_is(value, "first"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent_field_is_not_found),
        cmocka_unit_test(test_first_of_several_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
