/* SPDX-License-Identifier: BSD-3-Clause */
/* What differs from answer to answer: Request-ID, warnings, Cache-Control, Retry-After, the reason;
 * and If-None-Match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cache/response.h"

#define WARNING_299                                                                                \
    "Warning: 299 - \"PCS API version 3 has reached its end of life. Cached version 3 "            \
    "collateral is deprecated, is not refreshed and may expire. Move to version 4.\"\r\n"
#define ETAG "\"00112233445566778899aabbccddeeff\""

static const struct response_extra AT_1000 = {.now = 1000, .client_cache_s = 86400};

static struct response
plain(void)
{
    return (struct response){.status = 200, .fresh_until = 2000, .etag = ETAG};
}

static void
expect_lines(const struct response *response, const struct response_extra *extra,
             const char *expected)
{
    char out[RESPONSE_EXTRA_SIZE];
    size_t size = response_extra_lines(response, extra, out);
    assert_string_equal(out, expected);
    assert_int_equal(size, strlen(expected));
}

static void
test_an_error_has_no_etag_and_says_why_and_when_to_try_again(void **state)
{
    struct response response = {.status = 503,
                                .fault = FAULT_UPSTREAM_DOWN,
                                .retry_after_s = 7,
                                .detail = "the PCS is 429"};
    struct response_extra extra = AT_1000;
    extra.request_id = "0123";
    expect_lines(&response, &extra,
                 "Request-ID: 0123\r\nRetry-After: 7\r\nPCCS-Error-Detail: the PCS is 429\r\n");
}

static void
test_max_age_is_the_time_to_the_earliest_expiry(void **state)
{
    struct response response = plain();
    expect_lines(&response, &AT_1000, "ETag: " ETAG "\r\nCache-Control: max-age=1000\r\n");
}

static void
test_max_age_is_no_more_than_client_cache_seconds(void **state)
{
    struct response response = plain();
    response.fresh_until = INT64_MAX;
    expect_lines(&response, &AT_1000, "ETag: " ETAG "\r\nCache-Control: max-age=86400\r\n");
    struct response_extra none = {.now = 1000, .client_cache_s = 0};
    expect_lines(&response, &none, "ETag: " ETAG "\r\nCache-Control: max-age=0\r\n");
}

static void
test_a_stale_answer_warns_and_is_not_to_be_cached(void **state)
{
    struct response response = plain();
    response.is_stale = true;
    expect_lines(&response, &AT_1000,
                 "Warning: 110 - \"Response is Stale\"\r\nETag: " ETAG
                 "\r\nCache-Control: no-cache\r\n");
}

static void
test_what_expires_this_second_is_not_to_be_cached(void **state)
{
    struct response response = plain();
    response.fresh_until = 1000;
    expect_lines(&response, &AT_1000, "ETag: " ETAG "\r\nCache-Control: no-cache\r\n");
}

static void
test_a_stale_answer_of_version_3_has_both_warnings(void **state)
{
    struct response response = plain();
    struct response_extra extra = AT_1000;
    extra.is_v3 = true;
    response.is_stale = true;
    expect_lines(&response, &extra,
                 WARNING_299 "Warning: 110 - \"Response is Stale\"\r\nETag: " ETAG
                             "\r\nCache-Control: no-cache\r\n");
}

static void
test_an_error_of_version_3_warns_too(void **state)
{
    struct response response = {.status = 410, .fault = FAULT_GONE};
    struct response_extra extra = AT_1000;
    extra.is_v3 = true;
    expect_lines(&response, &extra, WARNING_299);
}

static void
test_the_longest_lines_fit_whole(void **state)
{
    struct response response = plain();
    char id[65];
    memset(id, 'a', 64);
    id[64] = '\0';
    memset(response.detail, 'd', sizeof response.detail - 1);
    response.is_stale = true;
    response.retry_after_s = 2147483647;
    struct response_extra extra = {.request_id = id, .is_v3 = true, .now = 1000};
    char out[RESPONSE_EXTRA_SIZE];
    size_t size = response_extra_lines(&response, &extra, out);
    assert_true(size < RESPONSE_EXTRA_SIZE);
    assert_non_null(strstr(out, response.detail));
    assert_memory_equal(out + size - 2, "\r\n", 2);
}

static bool
matches(const char *if_none_match)
{
    struct response response = plain();
    return response_matches(&response, span_of_text(if_none_match));
}

static void
test_if_none_match_does_not_take_another_tag(void **state)
{
    assert_false(matches(""));
    assert_false(matches("\"\""));
    assert_false(matches("00112233445566778899aabbccddeeff")); /* without its quotes */
    assert_false(matches("\"00112233445566778899aabbccddeefF\""));
    assert_false(matches("w/" ETAG)); /* the W is upper case */
    assert_false(matches(", ,,"));
    struct response error = {.status = 404};
    assert_false(response_matches(&error, span_of_text("*")));
    assert_false(response_matches(&error, span_of_text("\"\"")));
}

static void
test_if_none_match_takes_lists_weak_forms_and_the_star(void **state)
{
    assert_true(matches(ETAG));
    assert_true(matches("W/" ETAG));
    assert_true(matches("*"));
    assert_true(matches("\"a\", " ETAG));
    assert_true(matches("\"a\",\t W/" ETAG " ,\"b\""));
}

static void
test_a_response_owns_its_bytes_and_lives_by_its_references(void **state)
{
    char head[] = "A: b\r\n";
    char body[] = "body";
    struct response *response = response_new(200, span_of_text(head), span_of_text(body));
    memset(head, 'x', sizeof head - 1);
    memset(body, 'x', sizeof body - 1);
    assert_true(span_is(response->head, "A: b\r\n"));
    assert_true(span_is(response->body, "body"));
    assert_true(response->memory_bytes >= sizeof *response + 10);
    assert_ptr_equal(response_ref(response), response);
    response_unref(response);
    assert_int_equal(response->status, 200);
    response_unref(response);
    response_unref(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_error_has_no_etag_and_says_why_and_when_to_try_again),
        cmocka_unit_test(test_max_age_is_the_time_to_the_earliest_expiry),
        cmocka_unit_test(test_max_age_is_no_more_than_client_cache_seconds),
        cmocka_unit_test(test_a_stale_answer_warns_and_is_not_to_be_cached),
        cmocka_unit_test(test_what_expires_this_second_is_not_to_be_cached),
        cmocka_unit_test(test_a_stale_answer_of_version_3_has_both_warnings),
        cmocka_unit_test(test_an_error_of_version_3_warns_too),
        cmocka_unit_test(test_the_longest_lines_fit_whole),
        cmocka_unit_test(test_if_none_match_does_not_take_another_tag),
        cmocka_unit_test(test_if_none_match_takes_lists_weak_forms_and_the_star),
        cmocka_unit_test(test_a_response_owns_its_bytes_and_lives_by_its_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
