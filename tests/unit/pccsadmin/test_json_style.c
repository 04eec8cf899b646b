/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON as json.dump of Python writes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pccsadmin/json_style.h"

static void
assert_style(const char *from, const char *to)
{
    struct buf b = BUF_INIT(256);
    assert_int_equal(json_style_add(&b, span_of_text(from)), 0);
    assert_string_equal(buf_text(&b), to);
    buf_done(&b);
}

static void
test_a_ceiling_is_kept(void **state)
{
    struct buf b = BUF_INIT(4);
    (void)state;
    assert_int_equal(json_style_add(&b, span_of_text("[1,2]")), FAULT_TOO_LARGE);
    buf_done(&b);
}

static void
test_blanks_stand_after_commas_and_colons_only(void **state)
{
    (void)state;
    assert_style("{ \"a\" :1 ,\n\"b\":[ true,null ] }", "{\"a\": 1, \"b\": [true, null]}");
    assert_style("[]", "[]");
    assert_style("{\"a\": {}}", "{\"a\": {}}");
}

static void
test_strings_and_numbers_stay_as_they_are(void **state)
{
    (void)state;
    assert_style("[\" , : \\\" \\\\\",1.0e5,-0]", "[\" , : \\\" \\\\\", 1.0e5, -0]");
    assert_style("\"\\u00e9\\n\"", "\"\\u00e9\\n\"");
}

static void
test_beyond_ascii_all_is_escaped(void **state)
{
    (void)state;
    assert_style("\"\xc3\xa9\xe2\x82\xac\"", "\"\\u00e9\\u20ac\"");
    assert_style("\"\xf0\x9f\x98\x80\"", "\"\\ud83d\\ude00\"");
}

static void
test_a_text_becomes_a_string(void **state)
{
    struct buf b = BUF_INIT(64);
    (void)state;
    assert_int_equal(json_style_add_text(&b, span_of_text("a\"\\\n\xc3\xa9")), 0);
    assert_string_equal(buf_text(&b), "\"a\\\"\\\\\\n\\u00e9\"");
    buf_done(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_ceiling_is_kept),
        cmocka_unit_test(test_blanks_stand_after_commas_and_colons_only),
        cmocka_unit_test(test_strings_and_numbers_stay_as_they_are),
        cmocka_unit_test(test_beyond_ascii_all_is_escaped),
        cmocka_unit_test(test_a_text_becomes_a_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
