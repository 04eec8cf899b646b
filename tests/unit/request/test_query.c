/* SPDX-License-Identifier: BSD-3-Clause */
/* Parameters: the first of equal names, names case-sensitive, values decoded once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "request/request_priv.h"

static bool
finds(const char *query, const char *name, const char *expected)
{
    struct span value = span_of_text("untouched");
    if (!query_find(span_of_text(query), name, &value)) {
        assert_true(span_is(value, "untouched"));
        return false;
    }
    assert_int_equal(value.size, expected != NULL ? strlen(expected) : 0);
    assert_true(span_is(value, expected));
    return true;
}

static bool
decodes(const char *raw, enum query_plus plus, const char *expected)
{
    char out[16];
    struct span value;
    return query_decode(span_of_text(raw), plus, out, sizeof out, &value) &&
           span_is(value, expected);
}

static void
test_does_not_find_names_that_are_nearly_right(void **state)
{
    assert_false(finds("", "a", NULL));
    assert_false(finds("ab=1", "a", NULL));
    assert_false(finds("a=1", "ab", NULL));
    assert_false(finds("CA=1", "ca", NULL));
    assert_false(finds("ca[a]=1", "ca", NULL));
    assert_false(finds("ca%5Ba%5D=1", "ca", NULL));
    assert_false(finds("c%6=1", "ca", NULL));
    assert_false(finds("x=ca", "ca", NULL));
    assert_false(finds("&&&", "a", NULL));
}

static void
test_the_first_of_equal_names_wins(void **state)
{
    assert_true(finds("ca=1&ca=2", "ca", "1"));
    assert_true(finds("x&ca&ca=2", "ca", ""));
    assert_true(finds("ca[]=0&%63a=1&ca=2", "ca", "1"));
}

static void
test_a_value_ends_at_the_ampersand_only(void **state)
{
    assert_true(finds("uri=https://h/p?a=b;c:d&x=1", "uri", "https://h/p?a=b;c:d"));
    assert_true(finds("&&uri=", "uri", ""));
    assert_true(finds("uri", "uri", ""));
}

static void
test_refuses_broken_escapes_and_nul(void **state)
{
    static const char *const bad[] = {"%", "%4", "%g1", "%1g", "a%", "%00", "a%00b"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        char out[16];
        struct span value = span_of_text("untouched");
        assert_false(
            query_decode(span_of_text(bad[i]), QUERY_PLUS_IS_BLANK, out, sizeof out, &value));
        assert_true(span_is(value, "untouched"));
    }
}

static void
test_refuses_values_that_do_not_fit(void **state)
{
    assert_true(decodes("1234567890123456", QUERY_PLUS_IS_PLUS, "1234567890123456"));
    assert_false(decodes("12345678901234567", QUERY_PLUS_IS_PLUS, "12345678901234567"));
}

static void
test_decodes_once(void **state)
{
    assert_true(decodes("%5B%5d", QUERY_PLUS_IS_BLANK, "[]"));
    assert_true(decodes("%2541", QUERY_PLUS_IS_BLANK, "%41"));
    assert_true(decodes("a+b", QUERY_PLUS_IS_BLANK, "a b"));
    assert_true(decodes("a+b%2B", QUERY_PLUS_IS_PLUS, "a+b+"));
    assert_true(decodes("", QUERY_PLUS_IS_PLUS, ""));
}

static void
test_hex_to_upper_takes_exactly_the_digits(void **state)
{
    char out[5] = "keep";
    assert_false(hex_to_upper(span_of_text("abc"), 4, out));
    assert_false(hex_to_upper(span_of_text("abcde"), 4, out));
    assert_false(hex_to_upper(span_of_text("abcg"), 4, out));
    assert_string_equal(out, "keep");
    assert_true(hex_to_upper(span_of_text("aB0f"), 4, out));
    assert_string_equal(out, "AB0F");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_does_not_find_names_that_are_nearly_right),
        cmocka_unit_test(test_the_first_of_equal_names_wins),
        cmocka_unit_test(test_a_value_ends_at_the_ampersand_only),
        cmocka_unit_test(test_refuses_broken_escapes_and_nul),
        cmocka_unit_test(test_refuses_values_that_do_not_fit),
        cmocka_unit_test(test_decodes_once),
        cmocka_unit_test(test_hex_to_upper_takes_exactly_the_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
