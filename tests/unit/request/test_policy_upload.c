/* SPDX-License-Identifier: BSD-3-Clause */
/* PUT appraisalpolicy: the type is found, or the upload refused; never a crash, never a 500. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "request/request.h"
#include "json/json_scan.h"

#define SGX "3123ec35-8d38-4ea5-87a5-d6c48b567570"
#define TDX_1_0 "9EEC018B-7481-4b1c-8e1a-9f7c0c8c777f"
#define TDX_1_5 "f708b97f-0fb2-4e6b-8b03-8a5bcd1221d3"
#define TDQE "3769258c-75e6-4bc7-8d72-d2b0e224cad2"
#define ENTRY(class_id) "{\"environment\":{\"class_id\":\"" class_id "\"}}"

/* "head.<payload as base64url>.signature"; keeps the padding if asked to. */
static void
make_jwt(const char *payload, bool padded, char *out, size_t out_size)
{
    static char encoded[8192];
    int size = EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)payload,
                               (int)strlen(payload));
    for (int i = 0; i < size; i++) {
        encoded[i] = encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : encoded[i];
    }
    while (!padded && size > 0 && encoded[size - 1] == '=') {
        encoded[--size] = '\0';
    }
    snprintf(out, out_size, "eyJhbGciOiJFUzM4NCJ9.%s.c2lnbmF0dXJl", encoded);
}

static int
parse_jwt(const char *jwt, struct policy_upload *ret_upload, struct fault *why)
{
    auto_cleanup(buf_done) struct buf body = BUF_INIT(65536);
    buf_add_text(&body, "{\"is_default\": true, \"fmspc\": \"00906ea10000\", \"policy\": ");
    json_add_quoted(&body, span_of_text(jwt));
    buf_add_text(&body, ", \"more\": 1}");
    assert_int_equal(body.failed, 0);
    return policy_upload_parse(buf_span(&body), ret_upload, why);
}

/* inner is the text that policy_payload holds. */
static int
parse_inner(const char *inner, struct policy_upload *ret_upload, struct fault *why)
{
    auto_cleanup(buf_done) struct buf payload = BUF_INIT(8192);
    static char jwt[16384];
    buf_add_text(&payload, "{\"policy_payload\":");
    json_add_quoted(&payload, span_of_text(inner));
    buf_add_text(&payload, "}");
    make_jwt(buf_text(&payload), false, jwt, sizeof jwt);
    return parse_jwt(jwt, ret_upload, why);
}

static void
assert_inner_refused(const char *inner)
{
    struct policy_upload upload = {.type = 77};
    struct fault why = {0};
    assert_int_equal(parse_inner(inner, &upload, &why), FAULT_INPUT);
    assert_int_equal(why.code, FAULT_INPUT);
    assert_int_equal(upload.type, 77);
}

static void
assert_type(const char *inner, int type)
{
    struct policy_upload upload = {.type = 77};
    assert_int_equal(parse_inner(inner, &upload, NULL), 0);
    assert_int_equal(upload.type, type);
    policy_upload_done(&upload);
}

static void
test_refuses_bodies_without_the_three_members(void **state)
{
    static const char *const bodies[] = {
        "",
        "[]",
        "{}",
        "{\"is_default\":true,\"fmspc\":\"00906ea10000\"}",
        "{\"is_default\":true,\"policy\":\"a.b\"}",
        "{\"fmspc\":\"00906ea10000\",\"policy\":\"a.b\"}",
        "{\"is_default\":\"true\",\"fmspc\":\"00906ea10000\",\"policy\":\"a.b\"}",
        "{\"is_default\":1,\"fmspc\":\"00906ea10000\",\"policy\":\"a.b\"}",
        "{\"is_default\":true,\"fmspc\":\"00906ea1000\",\"policy\":\"a.b\"}",
        "{\"is_default\":true,\"fmspc\":null,\"policy\":\"a.b\"}",
        "{\"is_default\":true,\"fmspc\":\"00906ea10000\",\"policy\":\"\"}",
        "{\"is_default\":true,\"fmspc\":\"00906ea10000\",\"policy\":null}",
        "{\"is_default\":true,\"fmspc\":\"00906ea10000\",\"policy\":{}}",
    };
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        struct policy_upload upload = {.type = 77};
        assert_int_equal(policy_upload_parse(span_of_text(bodies[i]), &upload, NULL), FAULT_INPUT);
        assert_int_equal(upload.type, 77);
    }
}

static void
test_refuses_texts_that_are_no_jwt(void **state)
{
    static const char *const jwts[] = {"x",      "a.",        "a..c",      "a.b",      "a.e30",
                                       "a.!!!!", "a.e3=0",    "a.e30==",   "a.e30=.=", "a.bnVsbA",
                                       "a.W10",  "a.e30 x.c", "a.ey+/fQ.c"};
    for (size_t i = 0; i < ARRAY_COUNT(jwts); i++) {
        struct policy_upload upload;
        struct fault why = {0};
        assert_int_equal(parse_jwt(jwts[i], &upload, &why), FAULT_INPUT);
    }
}

static void
test_refuses_payloads_of_other_types(void **state)
{
    static const char *const payloads[] = {"{}",
                                           "{\"policy_payload\":null}",
                                           "{\"policy_payload\":{}}",
                                           "{\"policy_payload\":\"\"}",
                                           "{\"policy_payload\":\"x\"}",
                                           "{\"policy_payload\":\"{}\",\"policy_payload\":\"{}\"}"};
    for (size_t i = 0; i < ARRAY_COUNT(payloads); i++) {
        char jwt[512];
        struct policy_upload upload;
        make_jwt(payloads[i], false, jwt, sizeof jwt);
        assert_int_equal(parse_jwt(jwt, &upload, NULL), FAULT_INPUT);
    }
}

static void
test_refuses_policy_arrays_that_cannot_be_walked(void **state)
{
    assert_inner_refused("[]");
    assert_inner_refused("{}");
    assert_inner_refused("{\"policy_array\":null}");
    assert_inner_refused("{\"policy_array\":5}"); /* the reference: 500 */
    assert_inner_refused("{\"policy_array\":{}}");
    assert_inner_refused("{\"policy_array\":\"" SGX "\"}");
    assert_inner_refused("{\"policy_array\":[]}");
    assert_inner_refused("{\"policy_array\":[null]}");
    assert_inner_refused("{\"policy_array\":[{}]}");
    assert_inner_refused("{\"policy_array\":[{\"environment\":\"x\"}]}");
    assert_inner_refused("{\"policy_array\":[{\"environment\":{}}]}");
    assert_inner_refused("{\"policy_array\":[{\"environment\":{\"class_id\":5}}]}"); /* 500 too */
}

static void
test_refuses_unknown_classes_and_those_that_say_nothing(void **state)
{
    assert_inner_refused("{\"policy_array\":[" ENTRY("x") "]}");
    assert_inner_refused("{\"policy_array\":[" ENTRY("") "]}");
    assert_inner_refused("{\"policy_array\":[" ENTRY(TDQE) "]}");
    assert_inner_refused("{\"policy_array\":[" ENTRY(TDQE) "," ENTRY("x") "," ENTRY(SGX) "]}");
}

static void
test_the_first_known_class_gives_the_type(void **state)
{
    assert_type("{\"policy_array\":[" ENTRY(SGX) "]}", 0);
    assert_type("{\"policy_array\":[" ENTRY(TDX_1_0) "]}", 1);
    assert_type("{\"policy_array\":[" ENTRY(TDX_1_5) "]}", 2);
    assert_type("{\"policy_array\":[" ENTRY(TDQE) "," ENTRY(TDX_1_5) "," ENTRY("x") "]}", 2);
    assert_type("{\"policy_array\":[" ENTRY(TDX_1_5) "," ENTRY(SGX) "]}", 2);
}

static void
test_the_id_is_the_sha384_of_the_text(void **state)
{
    static const char inner[] = "{\"policy_payload\":\"{\\\"policy_array\\\":[{\\\"environment\\\":"
                                "{\\\"class_id\\\":\\\"" SGX "\\\"}}]}\"}";
    char jwt[1024];
    struct policy_upload upload = {0};
    make_jwt(inner, false, jwt, sizeof jwt);
    assert_int_equal(parse_jwt(jwt, &upload, NULL), 0);
    unsigned char digest[48];
    char expected[97] = "";
    assert_int_equal(EVP_Q_digest(NULL, "SHA384", NULL, jwt, strlen(jwt), digest, NULL), 1);
    for (int i = 0; i < 48; i++) {
        snprintf(expected + 2 * i, 3, "%02x", digest[i]);
    }
    assert_string_equal(upload.id, expected);
    assert_string_equal(upload.policy, jwt);
    assert_true(upload.is_default);
    assert_string_equal(upload.fmspc.hex, "00906EA10000");
    policy_upload_done(&upload);
    assert_null(upload.policy);
    policy_upload_done(&upload);
    policy_upload_done(NULL);
}

static void
test_padding_and_a_last_newline_do_no_harm(void **state)
{
    static const char inner[] = "{\"policy_payload\":\"{\\\"policy_array\\\":[{\\\"environment\\\":"
                                "{\\\"class_id\\\":\\\"" SGX "\\\"}}]}\"   }";
    char jwt[1024];
    struct policy_upload upload = {0};
    make_jwt(inner, true, jwt, sizeof jwt);
    assert_int_equal(parse_jwt(jwt, &upload, NULL), 0);
    policy_upload_done(&upload);
    *strrchr(jwt, '.') = '\n'; /* two parts, then the end of the file */
    jwt[strlen(jwt) - strlen("c2lnbmF0dXJl")] = '\0';
    assert_int_equal(parse_jwt(jwt, &upload, NULL), 0);
    policy_upload_done(&upload);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_bodies_without_the_three_members),
        cmocka_unit_test(test_refuses_texts_that_are_no_jwt),
        cmocka_unit_test(test_refuses_payloads_of_other_types),
        cmocka_unit_test(test_refuses_policy_arrays_that_cannot_be_walked),
        cmocka_unit_test(test_refuses_unknown_classes_and_those_that_say_nothing),
        cmocka_unit_test(test_the_first_known_class_gives_the_type),
        cmocka_unit_test(test_the_id_is_the_sha384_of_the_text),
        cmocka_unit_test(test_padding_and_a_last_newline_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
