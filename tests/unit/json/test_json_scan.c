/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 8259 to the letter, spans cut from the original, depth with a ceiling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "json/json_scan.h"

static void
test_refuses_what_rfc_8259_does_not_know(void **state)
{
    static const char *const bad[] = {
        /* structure */
        "", " ", "{", "[", "}", "]", "[}", "{]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1,,2]",
        "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}", "{a:1}", "{'a':1}",
        "{1:1}", "{\"a\" 1}", "{\"a\"::1}", "[]]", "{}{}", "1 2", "[] x", "[[]", "{\"a\":[}",
        /* words */
        "True", "nul", "nulll", "truefalse", "NaN", "Infinity", "-Infinity", "undefined",
        /* numbers */
        "01", "-01", "-", "+1", ".5", "5.", "1.e1", "1e", "1e+", "0x1", "1_0", "1.2.3", "--1",
        /* strings */
        "\"", "\"a", "'a'", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u123g\"", "\"\\U0041\"",
        "\"a\nb\"", "\"a\tb\"", "\"\x01\"", "\"\x1f\"",
        /* no UTF-8; lone surrogates */
        "\"\xff\"", "\"\xc3\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\\ud800\"", "\"\\udc00\"",
        "\"\\ud800\\u0041\"", "\"\\ud800x\"", "\"\\ud800\\ud800\"",
        /* comments, marks, other white space */
        "/**/1", "1//", "#", "\xef\xbb\xbf{}", "\xc2\xa0{}", "\f1", "\v1", "{}\f"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct fault why = {0};
        if (json_check(span_of_text(bad[i]), &why) != FAULT_INPUT) {
            fail_msg("taken: %s", bad[i]);
        }
        assert_memory_equal(why.text, "byte ", 5);
    }
    assert_int_equal(json_check(span_of("1\0", 2), NULL), FAULT_INPUT);
    assert_int_equal(json_check(span_of("\"a\0b\"", 5), NULL), FAULT_INPUT);
    assert_int_equal(json_check(span_of(NULL, 0), NULL), FAULT_INPUT);
}

static void
test_takes_what_rfc_8259_allows(void **state)
{
    static const char *const good[] = {"{}",
                                       "[]",
                                       "0",
                                       "-0",
                                       "-1",
                                       "10",
                                       "1.0",
                                       "-0.0e-0",
                                       "1E+10",
                                       "1e10",
                                       "0.5",
                                       "true",
                                       "false",
                                       "null",
                                       "\"\"",
                                       " \t\r\n[ 1 , 2 ] \n",
                                       "{\"\":{}}",
                                       "{\"a\":[{},[],\"\"]}",
                                       "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uFFFF\\ud83d\\ude00\"",
                                       "\"\xf0\x9f\x98\x80\x7f\"",
                                       "[[[[1]]]]",
                                       "{\"a\":1,\"a\":2}",
                                       "[\"]\",\"}\",\",\"]"};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        struct fault why = {0};
        if (json_check(span_of_text(good[i]), &why) != 0) {
            fail_msg("refused: %s (%s)", good[i], why.text);
        }
    }
}

static void
test_says_where_it_went_wrong(void **state)
{
    struct fault why = {0};
    assert_int_equal(json_check(span_of_text("{\"a\": 1, b}"), &why), FAULT_INPUT);
    assert_string_equal(why.stage, "json");
    assert_string_equal(why.text, "byte 9 of 11: a member name is expected");
    assert_int_equal(json_check(span_of_text("[1] 2"), &why), FAULT_INPUT);
    assert_string_equal(why.text, "byte 4 of 5: nothing may stand behind the value");
}

static void
test_depth_has_a_ceiling_for_arrays_and_objects(void **state)
{
    for (int objects = 0; objects < 2; objects++) {
        for (int depth = LIMIT_JSON_DEPTH; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
            auto_cleanup(buf_done) struct buf text = BUF_INIT(1000);
            for (int i = 0; i < depth; i++) {
                buf_add_text(&text, objects == 1 ? "{\"a\":" : "[");
            }
            buf_add_text(&text, "1");
            for (int i = 0; i < depth; i++) {
                buf_add_text(&text, objects == 1 ? "}" : "]");
            }
            assert_int_equal(json_check(buf_span(&text), NULL),
                             depth > LIMIT_JSON_DEPTH ? FAULT_INPUT : 0);
        }
    }
}

static void
test_a_million_brackets_cost_no_stack(void **state)
{
    auto_free char *text = malloc(1000000);
    assert_non_null(text);
    memset(text, '[', 1000000);
    assert_int_equal(json_check(span_of(text, 1000000), NULL), FAULT_INPUT);
}

static void
test_brackets_of_both_kinds_are_told_apart_at_every_depth(void **state)
{
    assert_int_equal(json_check(span_of_text("[{\"a\":[{\"b\":[]}]}]"), NULL), 0);
    assert_int_equal(json_check(span_of_text("[{\"a\":[{\"b\":[]]}}]"), NULL), FAULT_INPUT);
    assert_int_equal(json_check(span_of_text("[[],{}]"), NULL), 0);
    assert_int_equal(json_check(span_of_text("[{},[}]"), NULL), FAULT_INPUT);
}

static void
assert_member(const char *text, const char *name, const char *expected)
{
    struct fault why = {0};
    struct span value;
    struct span whole = span_of_text(text);
    assert_int_equal(json_find_member(whole, name, &value, &why), 0);
    assert_true(span_is(value, expected));
    /* cut from the original, not copied */
    assert_true(value.data >= whole.data && value.data + value.size <= whole.data + whole.size);
}

static void
test_refuses_a_member_that_stands_twice(void **state)
{
    struct fault why = {0};
    struct span value = span_of_text("before");
    assert_int_equal(json_find_member(span_of_text("{\"a\":1,\"b\":2,\"a\":3}"), "a", &value, &why),
                     FAULT_INPUT);
    /* written otherwise, it is the same name to every parser */
    assert_int_equal(json_find_member(span_of_text("{\"a\":1,\"\\u0061\":3}"), "a", &value, &why),
                     FAULT_INPUT);
    assert_non_null(strstr(why.text, "twice"));
    assert_true(span_is(value, "before"));
}

static void
test_refuses_to_look_into_what_is_no_object(void **state)
{
    static const char *const bad[] = {"", "[]", "\"{}\"", "1", "null", "{\"a\":1", "{\"a\"", "{a}"};
    struct span value = span_of_text("before");
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(json_find_member(span_of_text(bad[i]), "b", &value, NULL), FAULT_INPUT);
    }
    assert_true(span_is(value, "before"));
}

static void
test_a_member_of_an_inner_object_is_not_one(void **state)
{
    struct fault why = {0};
    struct span value = span_of_text("before");
    assert_int_equal(
        json_find_member(span_of_text("{\"x\":{\"a\":1},\"y\":[{\"a\":2}]}"), "a", &value, &why),
        FAULT_NOT_FOUND);
    assert_string_equal(why.text, "a is missing");
    assert_int_equal(
        json_find_member(span_of_text("{\"a\\u0000\":1,\"ab\":1,\"\":1}"), "a", &value, &why),
        FAULT_NOT_FOUND);
    assert_true(span_is(value, "before"));
}

static void
test_the_signed_object_is_cut_out_as_it_stands(void **state)
{
    assert_member("{\"tcbInfo\":{\"id\": \"SGX\" ,\"n\":1.0},\"signature\":\"ab\"}", "tcbInfo",
                  "{\"id\": \"SGX\" ,\"n\":1.0}");
    assert_member(" { \"s\" : \"a}\\\"\" , \"tcbInfo\" : [ 1 ] } ", "tcbInfo", "[ 1 ]");
    assert_member("{\"tcb\\u0049nfo\":-1e3}", "tcbInfo", "-1e3");
    assert_member("{\"\":true}", "", "true");
}

static void
test_walks_in_order_and_ends(void **state)
{
    struct json_walk walk;
    struct span name;
    struct span value;
    assert_int_equal(json_walk_init(&walk, span_of_text(" { \"a\" : 1 , \"b\\n\":[2, 3]}"), NULL),
                     0);
    assert_int_equal(json_walk_next(&walk, &name, &value), 0);
    assert_true(span_is(name, "a") && span_is(value, "1"));
    assert_int_equal(json_walk_next(&walk, &name, &value), 0);
    assert_true(span_is(name, "b\\n") && span_is(value, "[2, 3]"));
    assert_int_equal(json_walk_next(&walk, &name, &value), FAULT_NOT_FOUND);
    assert_int_equal(json_walk_next(&walk, &name, &value), FAULT_NOT_FOUND);

    assert_int_equal(json_walk_init(&walk, span_of_text("[ \"x\" , {} ]"), NULL), 0);
    assert_int_equal(json_walk_next(&walk, &name, &value), 0);
    assert_true(name.size == 0 && span_is(value, "\"x\""));
    assert_int_equal(json_walk_next(&walk, &name, &value), 0);
    assert_true(span_is(value, "{}"));
    assert_int_equal(json_walk_next(&walk, &name, &value), FAULT_NOT_FOUND);

    assert_int_equal(json_walk_init(&walk, span_of_text("[]"), NULL), 0);
    assert_int_equal(json_walk_next(&walk, &name, &value), FAULT_NOT_FOUND);
}

static void
test_walking_unchecked_text_fails_and_does_not_run_on(void **state)
{
    static const char *const bad[] = {"[",      "[1",      "[1,",   "[1,]",      "[1 2]",
                                      "{\"a\"", "{\"a\":", "{1:2}", "{\"a\":1,", "[\xff]"};
    struct fault why = {0};
    struct json_walk walk;
    assert_int_equal(json_walk_init(&walk, span_of_text("1"), &why), FAULT_INPUT);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct span name;
        struct span value;
        int code;
        unsigned steps = 0;
        assert_int_equal(json_walk_init(&walk, span_of_text(bad[i]), &why), 0);
        while ((code = json_walk_next(&walk, &name, &value)) == 0) {
            assert_true(++steps < 3);
        }
        assert_int_equal(code, FAULT_INPUT);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_rfc_8259_does_not_know),
        cmocka_unit_test(test_takes_what_rfc_8259_allows),
        cmocka_unit_test(test_says_where_it_went_wrong),
        cmocka_unit_test(test_depth_has_a_ceiling_for_arrays_and_objects),
        cmocka_unit_test(test_a_million_brackets_cost_no_stack),
        cmocka_unit_test(test_brackets_of_both_kinds_are_told_apart_at_every_depth),
        cmocka_unit_test(test_refuses_a_member_that_stands_twice),
        cmocka_unit_test(test_refuses_to_look_into_what_is_no_object),
        cmocka_unit_test(test_a_member_of_an_inner_object_is_not_one),
        cmocka_unit_test(test_the_signed_object_is_cut_out_as_it_stands),
        cmocka_unit_test(test_walks_in_order_and_ends),
        cmocka_unit_test(test_walking_unchecked_text_fails_and_does_not_run_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
