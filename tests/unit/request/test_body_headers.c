/* SPDX-License-Identifier: BSD-3-Clause */
/* Bodies are JSON in UTF-8 without a content coding; each other thing has its status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "request/request.h"

static struct header
field(const char *name, const char *value)
{
    return (struct header){.name = span_of_text(name), .value = span_of_text(value)};
}

static int
check_type(const char *value)
{
    struct header headers[] = {field("Content-Type", value)};
    return request_check_body_headers(headers, 1, NULL);
}

static void
test_refuses_a_missing_or_other_content_type(void **state)
{
    static const char *const others[] = {"",
                                         "text/plain",
                                         "application/x-www-form-urlencoded",
                                         "application/jsonx",
                                         "application/json+x",
                                         "application/ json",
                                         "application/json, text/plain",
                                         "json"};
    struct header none[] = {field("Host", "x")};
    struct fault why;
    assert_int_equal(request_check_body_headers(none, 1, &why), FAULT_INPUT);
    assert_int_equal(request_check_body_headers(NULL, 0, &why), FAULT_INPUT);
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        assert_int_equal(check_type(others[i]), FAULT_INPUT);
    }
}

static void
test_refuses_two_content_types(void **state)
{
    struct header headers[] = {field("Content-Type", "application/json"),
                               field("content-type", "application/json")};
    assert_int_equal(request_check_body_headers(headers, 2, NULL), FAULT_INPUT);
}

static void
test_refuses_other_charsets(void **state)
{
    static const char *const others[] = {"application/json; charset=utf-16",
                                         "application/json;charset=iso-8859-1",
                                         "application/json; charset=\"latin1\"",
                                         "application/json; charset=",
                                         "application/json; charset=utf-8; CHARSET=utf-7",
                                         "application/json; charset=us-ascii"};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        assert_int_equal(check_type(others[i]), FAULT_MEDIA_TYPE);
    }
}

static void
test_refuses_content_codings(void **state)
{
    static const char *const codings[] = {"gzip", "br", "deflate", "gzip, identity", "", "x"};
    for (size_t i = 0; i < ARRAY_COUNT(codings); i++) {
        struct header headers[] = {field("Content-Type", "application/json"),
                                   field("Content-Encoding", codings[i])};
        assert_int_equal(request_check_body_headers(headers, 2, NULL), FAULT_MEDIA_TYPE);
    }
}

static void
test_takes_json_in_utf8(void **state)
{
    static const char *const good[] = {"application/json",
                                       "Application/JSON",
                                       "application/json; charset=utf-8",
                                       "application/json;charset=UTF-8",
                                       "application/json ; Charset=\"utf-8\"",
                                       "application/json; profile=x",
                                       "application/json;"};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        assert_int_equal(check_type(good[i]), 0);
    }
    struct header headers[] = {field("content-encoding", "identity"),
                               field("content-type", "application/json")};
    assert_int_equal(request_check_body_headers(headers, 2, NULL), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_a_missing_or_other_content_type),
        cmocka_unit_test(test_refuses_two_content_types),
        cmocka_unit_test(test_refuses_other_charsets),
        cmocka_unit_test(test_refuses_content_codings),
        cmocka_unit_test(test_takes_json_in_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
