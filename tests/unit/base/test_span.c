/* SPDX-License-Identifier: BSD-3-Clause */
/* Spans: compared by bytes, turned into C strings only where that loses nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/span.h"

static void
test_refuses_a_text_with_a_nul_inside(void **state)
{
    char out[8] = "before";
    assert_false(span_to_text(span_of("a\0b", 3), out, sizeof out));
    assert_string_equal(out, "before");
}

static void
test_refuses_a_text_that_leaves_no_room_for_the_nul(void **state)
{
    char out[4] = "xyz";
    assert_false(span_to_text(span_of_text("abcd"), out, sizeof out));
    assert_string_equal(out, "xyz");
    assert_true(span_to_text(span_of_text("abc"), out, sizeof out));
    assert_string_equal(out, "abc");
    assert_false(span_to_text(span_of(NULL, 0), out, 0));
    assert_true(span_to_text(span_of(NULL, 0), out, 1));
    assert_string_equal(out, "");
}

static void
test_case_is_ignored_for_ascii_letters_only(void **state)
{
    assert_true(span_is_nocase(span_of_text("Content-LENGTH"), "content-length"));
    assert_false(span_is_nocase(span_of_text("content-length"), "content_length"));
    assert_false(span_is_nocase(span_of_text("content"), "content-length"));
    /* '[' and '{' differ by the same bit as letters do */
    assert_false(span_is_nocase(span_of_text("["), "{"));
    assert_false(span_is_nocase(span_of_text("\xc3\x84"), "\xc3\xa4"));
}

static void
test_start_is_compared_within_the_span(void **state)
{
    assert_false(span_starts_with(span_of_text("ht"), "http"));
    assert_true(span_starts_with(span_of_text("https"), "http"));
    assert_true(span_starts_with(span_of(NULL, 0), ""));
    assert_false(span_starts_with(span_of(NULL, 0), "a"));
}

static void
test_empty_spans_are_equal_whatever_they_point_to(void **state)
{
    assert_true(span_equal(span_of(NULL, 0), span_of_text("")));
    assert_true(span_is(span_of(NULL, 0), ""));
    assert_true(span_equal(span_of_text(NULL), span_of(NULL, 0)));
    assert_false(span_equal(span_of_text("a"), span_of_text("b")));
}

static void
test_copy_ends_in_a_nul(void **state)
{
    auto_free char *text = span_dup_text(span_of_text("abc"));
    assert_string_equal(text, "abc");
    auto_free char *empty = span_dup_text(span_of(NULL, 0));
    assert_string_equal(empty, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_a_text_with_a_nul_inside),
        cmocka_unit_test(test_refuses_a_text_that_leaves_no_room_for_the_nul),
        cmocka_unit_test(test_case_is_ignored_for_ascii_letters_only),
        cmocka_unit_test(test_start_is_compared_within_the_span),
        cmocka_unit_test(test_empty_spans_are_equal_whatever_they_point_to),
        cmocka_unit_test(test_copy_ends_in_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
