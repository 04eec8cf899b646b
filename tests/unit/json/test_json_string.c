/* SPDX-License-Identifier: BSD-3-Clause */
/* Strings decoded and encoded, white space dropped and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "json/json_scan.h"

static void
test_refuses_to_decode_what_is_no_string(void **state)
{
    static const char *const bad[] = {
        "",         "\"",      "a",         "\"a",         "a\"",
        "1",        "null",    "\"a\"b\"",  " \"a\"",      "\"a\" ",
        "\"\\\"",   "\"\\x\"", "\"\\u00\"", "\"\\ud800\"", "\"\\udfff\\ud800\"",
        "\"\xff\"", "\"\n\""};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        auto_cleanup(buf_done) struct buf b = BUF_INIT(100);
        assert_int_equal(json_add_string(&b, span_of_text(bad[i])), FAULT_INPUT);
        assert_int_equal(b.size, 0);
    }
}

static void
test_ceilings_hold(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(3);
    assert_int_equal(json_add_string(&b, span_of_text("\"abcd\"")), FAULT_TOO_LARGE);
    auto_cleanup(buf_done) struct buf c = BUF_INIT(3);
    assert_int_equal(json_add_quoted(&c, span_of_text("ab")), FAULT_TOO_LARGE);
    /* compaction needs room for what it keeps only */
    auto_cleanup(buf_done) struct buf d = BUF_INIT(3);
    assert_int_equal(json_add_compact(&d, span_of_text("[      1      ]")), 0);
    assert_string_equal(buf_text(&d), "[1]");
    assert_int_equal(json_add_compact(&d, span_of_text("1")), FAULT_TOO_LARGE);
}

static void
assert_decoded(const char *value, struct span expected)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(1000);
    assert_int_equal(json_add_string(&b, span_of_text(value)), 0);
    assert_true(span_equal(buf_span(&b), expected));
}

static void
test_resolves_every_escape(void **state)
{
    assert_decoded("\"\"", span_of(NULL, 0));
    assert_decoded("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t.\"", span_of_text("a\"\\/\b\f\n\r\t."));
    assert_decoded("\"\\u0041\\u00e4\\u20AC\"", span_of_text("A\xc3\xa4\xe2\x82\xac"));
    assert_decoded("\"\\ud83d\\uDE00\"", span_of_text("\xf0\x9f\x98\x80"));
    assert_decoded("\"\\uDBFF\\uDFFF\"", span_of_text("\xf4\x8f\xbf\xbf"));
    assert_decoded("\"a\\u0000b\"", span_of("a\0b", 3));
    assert_decoded("\"\xc3\xa4\"", span_of_text("\xc3\xa4"));
}

static void
test_quoting_escapes_what_must_be_and_decodes_back(void **state)
{
    auto_cleanup(buf_done) struct buf quoted = BUF_INIT(10000);
    auto_cleanup(buf_done) struct buf back = BUF_INIT(10000);
    assert_int_equal(
        json_add_quoted(&quoted, span_of("\"\\/\b\f\n\r\t\x01\0\x1f\x7f'<\xc3\xa4", 16)), 0);
    assert_string_equal(buf_text(&quoted),
                        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u0000\\u001f\x7f'<\xc3\xa4\"");
    uint8_t ascii[128];
    for (unsigned i = 0; i < 128; i++) {
        ascii[i] = (uint8_t)i;
    }
    buf_clear(&quoted);
    assert_int_equal(json_add_quoted(&quoted, span_of(ascii, 128)), 0);
    assert_int_equal(json_check(buf_span(&quoted), NULL), 0);
    assert_int_equal(json_add_string(&back, buf_span(&quoted)), 0);
    assert_true(span_equal(buf_span(&back), span_of(ascii, 128)));
}

static void
test_what_is_no_utf8_is_quoted_as_a_mark(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(100);
    assert_int_equal(json_add_quoted(&b, span_of_text("a\xff\xc3")), 0);
    assert_string_equal(buf_text(&b), "\"a\\ufffd\\ufffd\"");
}

static void
test_compaction_drops_blanks_outside_strings_and_nothing_else(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(1000);
    const char *text =
        " {\t\"a b\" :\r\n[ 1.0 , 1e0,\"x \\\" , y \\\\\" ] , \"\\u0041\" : null } \n";
    assert_false(json_is_compact(span_of_text(text)));
    assert_int_equal(json_add_compact(&b, span_of_text(text)), 0);
    assert_string_equal(buf_text(&b), "{\"a b\":[1.0,1e0,\"x \\\" , y \\\\\"],\"\\u0041\":null}");
    assert_true(json_is_compact(buf_span(&b)));
}

static void
test_compact_text_comes_back_byte_for_byte(void **state)
{
    static const char *const compact[] = {"{}", "1", "\" \"", "{\"b\":1,\"a\":[\" \\\\\",2]}", ""};
    for (size_t i = 0; i < ARRAY_COUNT(compact); i++) {
        auto_cleanup(buf_done) struct buf b = BUF_INIT(100);
        assert_true(json_is_compact(span_of_text(compact[i])));
        assert_int_equal(json_add_compact(&b, span_of_text(compact[i])), 0);
        assert_string_equal(buf_text(&b), compact[i]);
    }
    assert_false(json_is_compact(span_of_text("{} ")));
    assert_false(json_is_compact(span_of_text("\n{}")));
    assert_false(json_is_compact(span_of_text("{\"a\\\\\" :1}")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_to_decode_what_is_no_string),
        cmocka_unit_test(test_ceilings_hold),
        cmocka_unit_test(test_resolves_every_escape),
        cmocka_unit_test(test_quoting_escapes_what_must_be_and_decodes_back),
        cmocka_unit_test(test_what_is_no_utf8_is_quoted_as_a_mark),
        cmocka_unit_test(test_compaction_drops_blanks_outside_strings_and_nothing_else),
        cmocka_unit_test(test_compact_text_comes_back_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
