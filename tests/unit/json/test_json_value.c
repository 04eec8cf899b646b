/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON values: duplicates and depth refused, getters that say what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "json/json_value.h"

static json_t *
parse(const char *text)
{
    struct fault why = {0};
    json_t *value = NULL;
    assert_int_equal(json_value_parse(span_of_text(text), &value, &why), 0);
    assert_non_null(value);
    return value;
}

static void
test_refuses_a_name_that_stands_twice_at_any_level(void **state)
{
    static const char *const bad[] = {"{\"a\":1,\"a\":1}", "[{\"x\":{\"a\":1,\"\\u0061\":2}}]"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct fault why = {0};
        json_t *value = NULL;
        assert_int_equal(json_value_parse(span_of_text(bad[i]), &value, &why), FAULT_INPUT);
        assert_null(value);
        assert_non_null(strstr(why.text, "twice"));
    }
}

static void
test_refuses_depth_beyond_the_ceiling(void **state)
{
    char text[2 * (LIMIT_JSON_DEPTH + 1) + 1] = "";
    json_t *value = NULL;
    memset(text, '[', LIMIT_JSON_DEPTH + 1);
    memset(text + LIMIT_JSON_DEPTH + 1, ']', LIMIT_JSON_DEPTH + 1);
    assert_int_equal(json_value_parse(span_of_text(text), &value, NULL), FAULT_INPUT);
    assert_null(value);
    auto_json json_t *good = NULL;
    assert_int_equal(json_value_parse(span_of(text + 1, 2 * LIMIT_JSON_DEPTH), &good, NULL), 0);
}

static void
test_a_fault_never_quotes_the_text(void **state)
{
    static const char *const bad[] = {
        "{\"token\":\"s3cret\" \"x\"}",      "{\"s3cret\":1,\"s3cret\":2}",
        "{\"token\":\"s3cret\\u0000\"}",     "[\"s3cret\",1e999]",
        "[\"s3cret\",99999999999999999999]", "\"s3cret"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct fault why = {0};
        json_t *value = NULL;
        assert_int_equal(json_value_parse(span_of_text(bad[i]), &value, &why), FAULT_INPUT);
        assert_null(strstr(why.text, "s3cret"));
        assert_memory_equal(why.text, "byte ", 5);
    }
}

static void
test_getters_refuse_other_types_and_name_them(void **state)
{
    struct fault why = {0};
    auto_json json_t *object =
        parse("{\"s\":\"x\",\"i\":1,\"r\":1.0,\"b\":true,\"n\":null,\"a\":[],"
              "\"o\":{}}");
    struct span text = span_of_text("before");
    int64_t number = 77;
    bool flag = true;
    json_t *member = object;
    assert_int_equal(json_get_string(object, "i", &text, &why), FAULT_INPUT);
    assert_string_equal(why.text, "i: expected a string, not an integer");
    assert_int_equal(json_get_string(object, "n", &text, &why), FAULT_INPUT);
    assert_string_equal(why.text, "n: expected a string, not null");
    assert_int_equal(json_get_integer(object, "r", 0, 9, &number, &why), FAULT_INPUT);
    assert_int_equal(json_get_integer(object, "s", 0, 9, &number, &why), FAULT_INPUT);
    assert_int_equal(json_get_integer(object, "b", 0, 9, &number, &why), FAULT_INPUT);
    assert_int_equal(json_get_bool(object, "i", &flag, &why), FAULT_INPUT);
    assert_string_equal(why.text, "i: expected true or false, not an integer");
    assert_int_equal(json_get_array(object, "o", &member, &why), FAULT_INPUT);
    assert_int_equal(json_get_object(object, "a", &member, &why), FAULT_INPUT);
    assert_true(span_is(text, "before") && number == 77 && flag && member == object);
}

static void
test_getters_tell_absent_from_wrong(void **state)
{
    struct fault why = {0};
    auto_json json_t *array = parse("[1]");
    auto_json json_t *object = parse("{\"A\":1}");
    struct span text;
    int64_t number;
    assert_int_equal(json_get_string(object, "a", &text, &why), FAULT_NOT_FOUND);
    assert_string_equal(why.text, "a: missing");
    assert_int_equal(json_get_integer(array, "a", 0, 1, &number, &why), FAULT_INPUT);
    assert_int_equal(json_get_integer(NULL, "a", 0, 1, &number, &why), FAULT_INPUT);
}

static void
test_integers_are_held_to_their_range(void **state)
{
    struct fault why = {0};
    auto_json json_t *object = parse("{\"n\":-5,\"m\":9223372036854775807}");
    int64_t number = 77;
    assert_int_equal(json_get_integer(object, "n", -4, 9, &number, &why), FAULT_INPUT);
    assert_string_equal(why.text, "n: -5 is not in -4 to 9");
    assert_int_equal(json_get_integer(object, "n", -9, -6, &number, &why), FAULT_INPUT);
    assert_int_equal(number, 77);
    assert_int_equal(json_get_integer(object, "n", -5, -5, &number, &why), 0);
    assert_int_equal(number, -5);
    assert_int_equal(json_get_integer(object, "m", INT64_MIN, INT64_MAX, &number, &why), 0);
    assert_true(number == INT64_MAX);
}

static void
test_values_come_out_as_they_went_in(void **state)
{
    auto_json json_t *object = parse("{\"s\":\"\\u00e4\",\"t\":true,\"f\":false,\"a\":[1,2],"
                                     "\"o\":{\"x\":\"y\"}}");
    struct span text;
    bool flag = false;
    json_t *member;
    assert_int_equal(json_get_string(object, "s", &text, NULL), 0);
    assert_true(span_is(text, "\xc3\xa4"));
    assert_int_equal(json_get_bool(object, "t", &flag, NULL), 0);
    assert_true(flag);
    assert_int_equal(json_get_bool(object, "f", &flag, NULL), 0);
    assert_false(flag);
    assert_int_equal(json_get_array(object, "a", &member, NULL), 0);
    assert_int_equal(json_array_size(member), 2);
    assert_int_equal(json_get_object(object, "o", &member, NULL), 0);
    assert_int_equal(json_get_string(member, "x", &text, NULL), 0);
    assert_true(span_is(text, "y"));
    auto_json json_t *bare = parse(" null ");
    assert_true(json_is_null(bare));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_a_name_that_stands_twice_at_any_level),
        cmocka_unit_test(test_refuses_depth_beyond_the_ceiling),
        cmocka_unit_test(test_a_fault_never_quotes_the_text),
        cmocka_unit_test(test_getters_refuse_other_types_and_name_them),
        cmocka_unit_test(test_getters_tell_absent_from_wrong),
        cmocka_unit_test(test_integers_are_held_to_their_range),
        cmocka_unit_test(test_values_come_out_as_they_went_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
