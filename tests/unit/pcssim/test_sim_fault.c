/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults on order: what is refused, what each does to an answer, and that it ends when counted
 * down.
 *
 * Takes orders as JSON and as --fail has them. Every test starts from a fresh simulator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sim_fixture.h"

#define TCB "/sgx/certification/v4/tcb"
#define QUERY "fmspc=00906EA10000"

static struct sim_answer *
get_with(void **state, const char *settings)
{
    char order[256];
    snprintf(order, sizeof(order), "{\"action\":\"fault\",\"endpoint\":\"tcb-sgx\",\"count\":1,%s}",
             settings);
    assert_int_equal(fixture_order(*state, order), 200);
    return fixture_get(*state, TCB, QUERY);
}

static void
test_refuses_orders_that_make_no_sense(void **state)
{
    assert_int_equal(fixture_order(*state, "{"), 400);
    assert_int_equal(fixture_order(*state, "{}"), 400);
    assert_int_equal(fixture_order(*state, "7"), 400);
    assert_int_equal(fixture_order(*state, "{\"action\":\"fault\"}"), 400);
    assert_int_equal(fixture_order(*state, "{\"action\":\"fault\",\"kind\":\"rain\"}"), 400);
    assert_int_equal(fixture_order(*state, "{\"action\":\"fault\",\"kind\":\"delay\"}"), 400);
    assert_int_equal(
        fixture_order(*state, "{\"action\":\"fault\",\"kind\":\"drop\",\"endpoint\":\"x\"}"), 400);
    assert_int_equal(
        fixture_order(*state, "{\"action\":\"fault\",\"kind\":\"status\",\"status\":99}"), 400);
    assert_int_equal(
        fixture_order(*state, "{\"action\":\"revoke\",\"what\":\"platform\",\"platform\":\"?\"}"),
        400);
}

static void
test_refuses_specs_that_make_no_sense(void **state)
{
    static const char *const bad[] = {
        "",        "tcb-sgx",        "tcb-sgx:",           "nowhere:drop",
        "*:rain",  "*:drop,count=x", "*:drop,count",       "*:drop,colour=1",
        "*:delay", "*:drop,=1",      "*:status,status=99", "*:huge,bytes=99999999999"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct sim_fault fault;
        struct fault why = {0};
        assert_int_equal(sim_fault_parse_spec(bad[i], &fault, &why), FAULT_INPUT);
        assert_true(why.text[0] != '\0');
    }
}

static void
test_refuses_more_faults_than_the_ceiling(void **state)
{
    const char *const order = "{\"action\":\"fault\",\"kind\":\"drop\"}";
    for (int i = 0; i < LIMIT_SIM_FAULTS; i++) {
        assert_int_equal(fixture_order(*state, order), 200);
    }
    assert_int_equal(fixture_order(*state, order), 400);
}

static void
test_a_spec_says_the_same_as_an_order(void **state)
{
    struct sim_fault fault;
    assert_int_equal(
        sim_fault_parse_spec("tcb-tdx:status,status=429,retry_after=2,count=3,match=5080", &fault,
                             NULL),
        0);
    assert_false(fault.everywhere);
    assert_int_equal(fault.endpoint, SIM_TCB_TDX);
    assert_int_equal(fault.kind, SIM_FAULT_STATUS);
    assert_int_equal(fault.status, 429);
    assert_int_equal(fault.retry_after_s, 2);
    assert_int_equal(fault.left, 3);
    assert_string_equal(fault.match, "5080");
}

static void
test_a_fault_ends_when_it_is_counted_down(void **state)
{
    assert_int_equal(fixture_order(*state, "{\"action\":\"fault\",\"kind\":\"status\","
                                           "\"status\":503,\"count\":2}"),
                     200);
    assert_int_equal(fixture_status(*state, TCB, QUERY), 503);
    assert_int_equal(fixture_status(*state, TCB, QUERY), 503);
    assert_int_equal(fixture_status(*state, TCB, QUERY), 200);
}

static void
test_a_fault_hits_only_what_it_matches(void **state)
{
    assert_int_equal(fixture_order(*state, "{\"action\":\"fault\",\"kind\":\"status\","
                                           "\"match\":\"EARLY\",\"endpoint\":\"tcb-sgx\"}"),
                     200);
    assert_int_equal(fixture_status(*state, TCB, QUERY), 200);
    assert_int_equal(fixture_status(*state, "/sgx/certification/v4/qe/identity", "update=early"),
                     200);
    assert_int_equal(fixture_status(*state, TCB, QUERY "&update=early"), 500);
    assert_int_equal(fixture_order(*state, "{\"action\":\"clear\"}"), 200);
    assert_int_equal(fixture_status(*state, TCB, QUERY "&update=early"), 200);
}

static void
test_429_carries_retry_after_and_no_body(void **state)
{
    struct sim_answer *answer =
        get_with(state, "\"kind\":\"status\",\"status\":429,\"retry_after\":7");
    auto_free char *retry = fixture_header(answer, "Retry-After");
    auto_free char *chain = fixture_header(answer, "TCB-Info-Issuer-Chain");
    assert_int_equal(answer->status, 429);
    assert_string_equal(retry, "7");
    assert_null(chain);
    assert_int_equal(answer->body.size, 0);
    sim_answer_free(answer);
}

static void
test_drop_and_truncate_cut_the_connection(void **state)
{
    struct sim_answer *answer = get_with(state, "\"kind\":\"drop\"");
    assert_true(answer->drop);
    sim_answer_free(answer);
    answer = get_with(state, "\"kind\":\"truncate\",\"bytes\":10");
    assert_true(answer->cut && !answer->drop);
    assert_int_equal(answer->cut_body_bytes, 10);
    sim_answer_free(answer);
}

static void
test_delay_goes_together_with_another_fault(void **state)
{
    assert_int_equal(fixture_order(*state, "[{\"action\":\"fault\",\"kind\":\"status\"},"
                                           "{\"action\":\"fault\",\"kind\":\"delay\","
                                           "\"delay_ms\":250}]"),
                     200);
    struct sim_answer *answer = fixture_get(*state, TCB, QUERY);
    assert_int_equal(answer->status, 500);
    assert_int_equal(answer->delay_ms, 250);
    sim_answer_free(answer);
}

static void
test_bodies_are_spoiled_as_ordered(void **state)
{
    struct sim_answer *good = fixture_get(*state, TCB, QUERY);
    struct sim_answer *answer = get_with(state, "\"kind\":\"tamper\"");
    assert_int_equal(answer->body.size, good->body.size);
    size_t differing = 0;
    for (size_t i = 0; i < good->body.size; i++) {
        differing += answer->body.data[i] != good->body.data[i];
    }
    assert_int_equal(differing, 1);
    sim_answer_free(answer);
    answer = get_with(state, "\"kind\":\"empty\"");
    assert_int_equal(answer->body.size, 0);
    sim_answer_free(answer);
    answer = get_with(state, "\"kind\":\"huge\",\"bytes\":100000");
    assert_int_equal(answer->body.size, 100000);
    sim_answer_free(answer);
    answer = get_with(state, "\"kind\":\"garbage\"");
    assert_true(fixture_body_has(answer, "<html>"));
    sim_answer_free(answer);
    answer = get_with(state, "\"kind\":\"mismatch\"");
    assert_false(fixture_body_has(answer, "\"fmspc\":\"00906EA10000\""));
    sim_answer_free(answer);
    sim_answer_free(good);
}

static void
test_expired_is_past_and_older_is_still_fresh(void **state)
{
    struct sim_answer *answer = get_with(state, "\"kind\":\"expired\"");
    assert_true(fixture_body_has(answer, "\"nextUpdate\":\"2025-06-01T00:00:00Z\""));
    sim_answer_free(answer);
    answer = get_with(state, "\"kind\":\"older\"");
    assert_true(fixture_body_has(answer, "\"issueDate\":\"2025-06-21T00:00:00Z\","
                                         "\"nextUpdate\":\"2025-07-21T00:00:00Z\""));
    sim_answer_free(answer);
}

static void
test_missing_header_leaves_out_the_chain_or_what_is_named(void **state)
{
    struct sim_answer *answer = get_with(state, "\"kind\":\"missing-header\"");
    auto_free char *chain = fixture_header(answer, "TCB-Info-Issuer-Chain");
    auto_free char *type = fixture_header(answer, "Content-Type");
    assert_null(chain);
    assert_non_null(type);
    sim_answer_free(answer);
    answer = get_with(state, "\"kind\":\"missing-header\",\"header\":\"content-TYPE\"");
    auto_free char *second = fixture_header(answer, "Content-Type");
    assert_null(second);
    sim_answer_free(answer);
}

static void
test_redirects_go_here_or_elsewhere(void **state)
{
    struct sim_answer *answer = get_with(state, "\"kind\":\"redirect\"");
    auto_free char *here = fixture_header(answer, "Location");
    assert_int_equal(answer->status, 302);
    assert_string_equal(here, "http://127.0.0.1:8099" TCB "?" QUERY);
    sim_answer_free(answer);
    answer = get_with(state, "\"kind\":\"redirect-other\"");
    auto_free char *elsewhere = fixture_header(answer, "Location");
    assert_string_equal(elsewhere, "https://elsewhere.invalid/");
    sim_answer_free(answer);
}

static void
test_reset_goes_back_to_the_start(void **state)
{
    assert_int_equal(fixture_order(*state, "[{\"action\":\"time-shift\",\"seconds\":99},"
                                           "{\"action\":\"fault\",\"kind\":\"drop\"},"
                                           "{\"action\":\"tcb-recovery\",\"stage\":\"early\"},"
                                           "{\"action\":\"rotate-signer\"}]"),
                     200);
    assert_int_equal(fixture_order(*state, "{\"action\":\"reset\"}"), 200);
    const struct sim *sim = &((struct sim_fixture *)*state)->sim;
    assert_int_equal(sim_now(sim), FIXTURE_NOW);
    assert_int_equal(sim_issued_at(sim), FIXTURE_MIDNIGHT);
    assert_int_equal(sim->faults.count, 0);
    assert_int_equal(sim->early, SIM_NUMBER_EARLY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, sim_fixture_reset)
        TEST(test_refuses_orders_that_make_no_sense),
        TEST(test_refuses_specs_that_make_no_sense),
        TEST(test_refuses_more_faults_than_the_ceiling),
        TEST(test_a_spec_says_the_same_as_an_order),
        TEST(test_a_fault_ends_when_it_is_counted_down),
        TEST(test_a_fault_hits_only_what_it_matches),
        TEST(test_429_carries_retry_after_and_no_body),
        TEST(test_drop_and_truncate_cut_the_connection),
        TEST(test_delay_goes_together_with_another_fault),
        TEST(test_bodies_are_spoiled_as_ordered),
        TEST(test_expired_is_past_and_older_is_still_fresh),
        TEST(test_missing_header_leaves_out_the_chain_or_what_is_named),
        TEST(test_redirects_go_here_or_elsewhere),
        TEST(test_reset_goes_back_to_the_start),
#undef TEST
    };
    return cmocka_run_group_tests(tests, sim_fixture_setup, sim_fixture_teardown);
}
