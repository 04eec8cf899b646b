/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths, parameters and statuses of pcs.md, refusals first.
 *
 * Takes requests as the server would hand them over; no network. Every test starts from a fresh
 * simulator at 2025-07-01T12:00:00Z.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/mem.h"
#include "sim_fixture.h"

#define V4 "/sgx/certification/v4/"

static void
test_refuses_paths_that_intel_does_not_have(void **state)
{
    assert_int_equal(fixture_status(*state, "/sgx/certification/v2/tcb", ""), 404);
    assert_int_equal(fixture_status(*state, "/sgx/certification/v5/tcb", ""), 404);
    assert_int_equal(fixture_status(*state, "/tdx/certification/v3/tcb", ""), 404);
    assert_int_equal(fixture_status(*state, "/tdx/certification/v4/qve/identity", ""), 404);
    assert_int_equal(fixture_status(*state, "/sgx/certification/v4", ""), 404);
    assert_int_equal(fixture_status(*state, "/", ""), 404);
}

static void
test_refuses_a_wrong_method(void **state)
{
    struct sim_answer *answer =
        fixture_post(*state, V4 "tcb", "application/json", span_of_text("{}"));
    char *allow = fixture_header(answer, "Allow");
    assert_int_equal(answer->status, 405);
    assert_string_equal(allow, "GET, HEAD");
    free(allow);
    sim_answer_free(answer);
}

static void
test_refuses_update_together_with_a_number(void **state)
{
    assert_int_equal(fixture_status(*state, V4 "tcb",
                                    "fmspc=00906EA10000&update=early&tcbEvaluationDataNumber=17"),
                     400);
}

static void
test_refuses_bad_parameters(void **state)
{
    assert_int_equal(fixture_status(*state, V4 "tcb", ""), 400);
    assert_int_equal(fixture_status(*state, V4 "tcb", "fmspc=00906EA1000"), 400);
    assert_int_equal(fixture_status(*state, V4 "tcb", "fmspc=00906EA1000G"), 400);
    assert_int_equal(fixture_status(*state, V4 "tcb", "fmspc=00906EA10000&update=all"), 400);
    assert_int_equal(
        fixture_status(*state, V4 "tcb", "fmspc=00906EA10000&tcbEvaluationDataNumber=x"), 400);
    assert_int_equal(fixture_status(*state, V4 "pckcrl", "ca=other"), 400);
    assert_int_equal(fixture_status(*state, V4 "pckcrl", "ca=platform&encoding=hex"), 400);
    assert_int_equal(fixture_status(*state, V4 "fmspcs", "platform=E9"), 400);
    assert_int_equal(fixture_status(*state, V4 "pckcerts", "encrypted_ppid=00&pceid=0000"), 400);
}

static void
test_answers_410_for_a_number_no_longer_served_and_404_for_one_to_come(void **state)
{
    const char *const query = "fmspc=00906EA10000&tcbEvaluationDataNumber=";
    char text[96];
    snprintf(text, sizeof(text), "%s15", query);
    assert_int_equal(fixture_status(*state, V4 "tcb", text), 410);
    snprintf(text, sizeof(text), "%s16", query);
    assert_int_equal(fixture_status(*state, V4 "tcb", text), 200);
    snprintf(text, sizeof(text), "%s18", query);
    assert_int_equal(fixture_status(*state, V4 "tcb", text), 200);
    snprintf(text, sizeof(text), "%s19", query);
    assert_int_equal(fixture_status(*state, V4 "tcb", text), 404);
    assert_int_equal(fixture_status(*state, V4 "qe/identity", "tcbEvaluationDataNumber=15"), 410);
}

static void
test_knows_no_tdx_and_no_early_where_the_fleet_has_none(void **state)
{
    assert_int_equal(fixture_status(*state, V4 "tcb", "fmspc=FFFFFFFFFFFF"), 404);
    assert_int_equal(fixture_status(*state, "/tdx/certification/v4/tcb", "fmspc=00906EA10000"),
                     404);
    assert_int_equal(fixture_status(*state, "/tdx/certification/v4/tcb", "fmspc=50806F000000"),
                     200);
    assert_int_equal(fixture_status(*state, V4 "tcb", "fmspc=20906ED50000"), 200);
    assert_int_equal(fixture_status(*state, V4 "tcb", "fmspc=20906ED50000&update=early"), 404);
}

static void
test_a_multi_package_platform_is_known_only_by_its_manifest(void **state)
{
    auto_free char *query = fixture_ppid_query(*state, "e5-double");
    auto_free char *body = fixture_manifest_body(*state, "e5-double");
    assert_int_equal(fixture_status(*state, V4 "pckcerts", query), 404);
    struct sim_answer *answer =
        fixture_post(*state, V4 "pckcerts", "application/json", span_of_text(body));
    auto_free char *fmspc = fixture_header(answer, "SGX-FMSPC");
    auto_free char *ca = fixture_header(answer, "SGX-PCK-Certificate-CA-Type");
    assert_int_equal(answer->status, 200);
    assert_string_equal(fmspc, "00606A000000");
    assert_string_equal(ca, "platform");
    sim_answer_free(answer);
    assert_int_equal(fixture_status(*state, V4 "pckcerts", query), 404);
    body[100] = body[100] == '0' ? '1' : '0'; /* another manifest is nobody's */
    answer = fixture_post(*state, V4 "pckcerts", "application/json", span_of_text(body));
    assert_int_equal(answer->status, 404);
    sim_answer_free(answer);
}

static struct sim_answer *
register_directly(struct sim_fixture *fixture, const char *platform)
{
    struct buf manifest = BUF_INIT(64 * 1024);
    struct sim_platform found;
    size_t index = 0;
    assert_true(sim_fleet_find_name(fixture->sim.fleet, platform, &index));
    sim_fleet_platform(fixture->sim.fleet, index, &found);
    assert_int_equal(sim_platform_add_manifest(&manifest, fixture->sim.fleet, &found), 0);
    struct sim_answer *answer = fixture_post(fixture, "/sgx/registration/v1/platform",
                                             "application/octet-stream", buf_span(&manifest));
    buf_done(&manifest);
    return answer;
}

static void
test_direct_registration_makes_a_platform_known_by_its_ppid(void **state)
{
    auto_free char *query = fixture_ppid_query(*state, "tdx-double");
    struct sim_answer *answer = register_directly(*state, "tdx-double");
    assert_int_equal(answer->status, 201);
    assert_int_equal(answer->body.size, 32);
    assert_true(hex_is(buf_span(&answer->body)));
    sim_answer_free(answer);
    assert_int_equal(fixture_status(*state, V4 "pckcerts", query), 200);
}

static void
test_indirect_registration_rules_direct_registration_out(void **state)
{
    auto_free char *body = fixture_manifest_body(*state, "e5-double");
    sim_answer_free(fixture_post(*state, V4 "pckcerts", "application/json", span_of_text(body)));
    struct sim_answer *answer = register_directly(*state, "e5-double");
    auto_free char *code = fixture_header(answer, "Error-Code");
    assert_int_equal(answer->status, 400);
    assert_string_equal(code, "CachedKeysPolicyViolation");
    sim_answer_free(answer);
}

static void
test_registration_refuses_other_media_types_and_unknown_manifests(void **state)
{
    const char *const path = "/sgx/registration/v1/platform";
    struct sim_answer *answer = fixture_post(*state, path, "text/plain", span_of_text("x"));
    assert_int_equal(answer->status, 415);
    sim_answer_free(answer);
    answer = fixture_post(*state, path, "application/octet-stream", span_of_text("x"));
    auto_free char *code = fixture_header(answer, "Error-Code");
    assert_int_equal(answer->status, 400);
    assert_string_equal(code, "InvalidPlatformManifest");
    sim_answer_free(answer);
}

static void
test_a_key_is_asked_for_only_where_it_is_required(void **state)
{
    struct sim_fixture *fixture = *state;
    auto_free char *query = fixture_ppid_query(fixture, "e3-1");
    assert_int_equal(fixture_status(fixture, V4 "pckcerts", query), 200);
    fixture->sim.key_required = true;
    assert_int_equal(fixture_status(fixture, V4 "pckcerts", query), 401);
    assert_int_equal(fixture_status(fixture, V4 "tcb", "fmspc=00906EA10000"), 200);
}

static void
test_says_not_available_where_the_fleet_does(void **state)
{
    auto_free char *query = fixture_ppid_query(*state, "e5-gaps");
    struct sim_answer *answer = fixture_get(*state, V4 "pckcerts", query);
    assert_int_equal(answer->status, 200);
    assert_true(fixture_body_has(answer, "\"cert\":\"Not available\""));
    assert_true(fixture_body_has(answer, "\"cert\":\"-----BEGIN%20CERTIFICATE-----%0A"));
    sim_answer_free(answer);
}

static void
test_headers_and_types_are_intels(void **state)
{
    struct sim_answer *answer = fixture_get(*state, V4 "tcb", "fmspc=00906ea10000");
    auto_free char *type = fixture_header(answer, "Content-Type");
    auto_free char *chain = fixture_header(answer, "TCB-Info-Issuer-Chain");
    auto_free char *id = fixture_header(answer, "Request-ID");
    assert_string_equal(type, "application/json");
    assert_int_equal(strlen(id), 32);
    assert_null(strpbrk(chain, "+ \n"));
    assert_string_equal(chain + strlen(chain) - 3, "%0A");
    sim_answer_free(answer);
    answer = fixture_get(*state, "/sgx/certification/v3/tcb", "fmspc=00906EA10000");
    auto_free char *chain_3 = fixture_header(answer, "SGX-TCB-Info-Issuer-Chain");
    assert_non_null(chain_3);
    assert_true(fixture_body_has(answer, "\"version\":2,"));
    assert_true(fixture_body_has(answer, "\"sgxtcbcomp16svn\":0,\"pcesvn\":13}"));
    sim_answer_free(answer);
}

static void
test_the_same_question_gets_the_same_bytes_until_midnight(void **state)
{
    struct sim_fixture *fixture = *state;
    auto_free char *query = fixture_ppid_query(fixture, "client-1");
    const char *const questions[][2] = {{V4 "tcb", "fmspc=00906EA10000"},
                                        {V4 "pckcrl", "ca=platform&encoding=der"},
                                        {V4 "qve/identity", ""},
                                        {V4 "pckcerts", query}};
    for (size_t i = 0; i < ARRAY_COUNT(questions); i++) {
        fixture->now = FIXTURE_NOW;
        struct sim_answer *first = fixture_get(fixture, questions[i][0], questions[i][1]);
        fixture->now = FIXTURE_MIDNIGHT + 86399;
        struct sim_answer *second = fixture_get(fixture, questions[i][0], questions[i][1]);
        fixture->now = FIXTURE_MIDNIGHT + 86400;
        struct sim_answer *third = fixture_get(fixture, questions[i][0], questions[i][1]);
        assert_true(first->body.size > 0);
        assert_true(span_equal(buf_span(&first->body), buf_span(&second->body)));
        /* PCK certificates have no day of issue */
        assert_int_equal(span_equal(buf_span(&first->body), buf_span(&third->body)), i == 3);
        sim_answer_free(first);
        sim_answer_free(second);
        sim_answer_free(third);
    }
}

static void
test_collateral_is_issued_at_midnight_for_thirty_days(void **state)
{
    struct sim_answer *answer = fixture_get(*state, V4 "tcb", "fmspc=00906EA10000");
    assert_true(fixture_body_has(answer, "\"issueDate\":\"2025-07-01T00:00:00Z\","
                                         "\"nextUpdate\":\"2025-07-31T00:00:00Z\""));
    sim_answer_free(answer);
}

static void
test_a_recovery_comes_early_first_and_standard_later(void **state)
{
    struct sim_answer *answer;
    assert_int_equal(fixture_order(*state, "{\"action\":\"tcb-recovery\",\"stage\":\"early\"}"),
                     200);
    answer = fixture_get(*state, V4 "tcb", "fmspc=00906EA10000&update=early");
    assert_true(fixture_body_has(answer, "\"tcbEvaluationDataNumber\":19"));
    assert_true(fixture_body_has(answer, "\"issueDate\":\"2025-07-01T12:00:00Z\""));
    sim_answer_free(answer);
    answer = fixture_get(*state, V4 "tcb", "fmspc=00906EA10000");
    assert_true(fixture_body_has(answer, "\"tcbEvaluationDataNumber\":17"));
    sim_answer_free(answer);
    assert_int_equal(fixture_order(*state, "{\"action\":\"tcb-recovery\",\"stage\":\"standard\"}"),
                     200);
    answer = fixture_get(*state, V4 "tcb", "fmspc=00906EA10000");
    assert_true(fixture_body_has(answer, "\"tcbEvaluationDataNumber\":19"));
    assert_true(fixture_body_has(answer, "\"sgxtcbcomponents\":[{\"svn\":20,"));
    sim_answer_free(answer);
}

static void
test_requests_are_counted_by_endpoint_and_item(void **state)
{
    fixture_status(*state, V4 "tcb", "fmspc=00906ea10000");
    fixture_status(*state, V4 "tcb", "fmspc=00906EA10000&update=standard");
    fixture_status(*state, V4 "tcb", "fmspc=00906EA10000&update=early");
    struct sim_answer *answer = fixture_get(*state, "/sim/stats", "");
    assert_true(fixture_body_has(answer,
                                 "\"tcb-sgx\":{\"count\":3,\"statuses\":{\"200\":3},\"keys\":{"
                                 "\"00906EA10000/STANDARD\":2,\"00906EA10000/EARLY\":1}}"));
    sim_answer_free(answer);
}

static void
test_the_control_endpoint_is_for_loopback_only(void **state)
{
    struct sim_fixture *fixture = *state;
    const struct http_request request = {
        .method = HTTP_GET,
        .method_text = span_of_text("GET"),
        .path = span_of_text("/sim/stats"),
        .peer = "192.0.2.1",
    };
    struct sim_answer *answer = sim_handle(&fixture->sim, &request);
    assert_int_equal(answer->status, 403);
    sim_answer_free(answer);
}

static void
test_the_log_never_holds_the_key(void **state)
{
    struct sim_fixture *fixture = *state;
    const struct header header = {span_of_text("Ocp-Apim-Subscription-Key"),
                                  span_of_text("0123456789abcdef")};
    const struct http_request request = {
        .method = HTTP_GET,
        .method_text = span_of_text("GET"),
        .path = span_of_text(V4 "fmspcs"),
        .headers = &header,
        .header_count = 1,
    };
    sim_answer_free(sim_handle(&fixture->sim, &request));
    struct sim_answer *answer = fixture_get(fixture, "/sim/log", "");
    assert_true(fixture_body_has(answer, "\"api_key\":true"));
    assert_false(fixture_body_has(answer, "0123456789abcdef"));
    sim_answer_free(answer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, sim_fixture_reset)
        TEST(test_refuses_paths_that_intel_does_not_have),
        TEST(test_refuses_a_wrong_method),
        TEST(test_refuses_update_together_with_a_number),
        TEST(test_refuses_bad_parameters),
        TEST(test_answers_410_for_a_number_no_longer_served_and_404_for_one_to_come),
        TEST(test_knows_no_tdx_and_no_early_where_the_fleet_has_none),
        TEST(test_a_multi_package_platform_is_known_only_by_its_manifest),
        TEST(test_direct_registration_makes_a_platform_known_by_its_ppid),
        TEST(test_indirect_registration_rules_direct_registration_out),
        TEST(test_registration_refuses_other_media_types_and_unknown_manifests),
        TEST(test_a_key_is_asked_for_only_where_it_is_required),
        TEST(test_says_not_available_where_the_fleet_does),
        TEST(test_headers_and_types_are_intels),
        TEST(test_the_same_question_gets_the_same_bytes_until_midnight),
        TEST(test_collateral_is_issued_at_midnight_for_thirty_days),
        TEST(test_a_recovery_comes_early_first_and_standard_later),
        TEST(test_requests_are_counted_by_endpoint_and_item),
        TEST(test_the_control_endpoint_is_for_loopback_only),
        TEST(test_the_log_never_holds_the_key),
#undef TEST
    };
    return cmocka_run_group_tests(tests, sim_fixture_setup, sim_fixture_teardown);
}
