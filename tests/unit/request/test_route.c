/* SPDX-License-Identifier: BSD-3-Clause */
/* Routes: what exists, for whom, and what each version of the upstream takes away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "request/request.h"

static int
find(const char *method, const char *path, unsigned upstream, struct route_match *ret_match)
{
    return route_find(span_of_text(method), span_of_text(path), upstream, ret_match);
}

static void
test_refuses_paths_that_nobody_answers(void **state)
{
    static const char *const unknown[] = {
        "",
        "//",
        "*",
        "/sgx",
        "/sgx/certification/v4",
        "/sgx/certification/v4/",
        "/sgx/certification/v2/tcb",
        "/sgx/certification/v5/tcb",
        "/sgx/certification/v44/tcb",
        "/sgx/certification/v4/tcb/x",
        "/sgx/certification/v4/tcb//",
        "//sgx/certification/v4/tcb",
        "/sgx/certification//v4/tcb",
        "/sgx/certification/{V}/tcb",
        "/sgx/certification/v4/tc",
        "/sgx/certification/v4/tcbs",
        "/tdx/certification/v3/tcb",
        "/tdx/certification/v3/qe/identity",
        "/tdx/certification/v4/qve/identity",
        "/tdx/certification/v4/pckcert",
        "/sgx/certification/v3/qae/identity",
        "/sgx/certification/v3/fmspcs",
        "/sgx/certification/v3/tcbevaluationdatanumbers",
        "/health",
        "/healthz/alive",
        "/metrics/x",
    };
    for (size_t i = 0; i < ARRAY_COUNT(unknown); i++) {
        struct route_match match = {.route = ROUTE_COUNT};
        assert_int_equal(find("GET", unknown[i], 4, &match), FAULT_NO_ROUTE);
        assert_int_equal(match.route, ROUTE_COUNT);
    }
}

static void
test_refuses_a_percent_encoded_path(void **state)
{
    struct route_match match;
    assert_int_equal(find("GET", "/sgx/certification/v4/%74cb", 4, &match), FAULT_NO_ROUTE);
    assert_int_equal(find("GET", "/sgx%2Fcertification/v4/tcb", 4, &match), FAULT_NO_ROUTE);
}

static void
test_upstream_v3_has_neither_v4_nor_tdx(void **state)
{
    struct route_match match;
    assert_int_equal(find("GET", "/sgx/certification/v4/tcb", 3, &match), FAULT_NO_ROUTE);
    assert_int_equal(find("GET", "/tdx/certification/v4/tcb", 3, &match), FAULT_NO_ROUTE);
    assert_int_equal(find("PUT", "/sgx/certification/v4/tcb", 3, &match), FAULT_NO_ROUTE);
    assert_int_equal(find("GET", "/sgx/certification/v3/tcb", 3, &match), 0);
    assert_int_equal(match.api_version, 3);
    assert_int_equal(find("GET", "/healthz/live", 3, &match), 0);
}

static void
test_wrong_method_says_what_is_allowed(void **state)
{
    static const struct {
        const char *method, *path, *allow;
        enum route_auth auth;
    } cases[] = {
        {"POST", "/sgx/certification/v4/tcb", "GET, HEAD", ROUTE_AUTH_NONE},
        {"OPTIONS", "/sgx/certification/v3/pckcert", "GET, HEAD", ROUTE_AUTH_NONE},
        {"get", "/sgx/certification/v4/tcb", "GET, HEAD", ROUTE_AUTH_NONE},
        {"DELETE", "/sgx/certification/v4/platforms", "GET, HEAD, POST", ROUTE_AUTH_NONE},
        {"GET", "/sgx/certification/v4/platforms/ack", "POST", ROUTE_AUTH_NONE},
        {"POST", "/sgx/certification/v4/appraisalpolicy", "GET, HEAD, PUT", ROUTE_AUTH_NONE},
        {"GET", "/sgx/certification/v4/platformcollateral", "PUT", ROUTE_AUTH_ADMIN},
        {"DELETE", "/sgx/certification/v4/refresh", "GET, POST", ROUTE_AUTH_ADMIN},
        {"HEAD", "/sgx/certification/v4/refresh", "GET, POST", ROUTE_AUTH_ADMIN},
        {"PUT", "/sgx/certification/v3/refresh", "GET, POST", ROUTE_AUTH_ADMIN},
        {"POST", "/", "GET, HEAD", ROUTE_AUTH_NONE},
        {"POST", "/readyz", "GET, HEAD", ROUTE_AUTH_NONE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct route_match match = {0};
        assert_int_equal(find(cases[i].method, cases[i].path, 4, &match), FAULT_METHOD);
        assert_string_equal(match.allow, cases[i].allow);
        assert_int_equal(match.auth, cases[i].auth);
        assert_false(match.takes_body);
    }
}

static void
test_every_endpoint_of_the_contract_is_there(void **state)
{
    static const struct {
        const char *method, *path;
        enum route route;
        unsigned version;
        enum route_auth auth;
        bool takes_body;
    } cases[] = {
        {"GET", "/sgx/certification/v4/pckcert", ROUTE_PCKCERT, 4, ROUTE_AUTH_NONE, false},
        {"GET", "/sgx/certification/v3/pckcert", ROUTE_PCKCERT, 3, ROUTE_AUTH_NONE, false},
        {"GET", "/sgx/certification/v3/pckcrl", ROUTE_PCKCRL, 3, ROUTE_AUTH_NONE, false},
        {"GET", "/sgx/certification/v3/tcb", ROUTE_SGX_TCB, 3, ROUTE_AUTH_NONE, false},
        {"GET", "/tdx/certification/v4/tcb", ROUTE_TDX_TCB, 4, ROUTE_AUTH_NONE, false},
        {"GET", "/sgx/certification/v4/qe/identity", ROUTE_QE_IDENTITY, 4, ROUTE_AUTH_NONE, false},
        {"GET", "/sgx/certification/v4/qve/identity", ROUTE_QVE_IDENTITY, 4, ROUTE_AUTH_NONE,
         false},
        {"GET", "/tdx/certification/v4/qe/identity", ROUTE_TDQE_IDENTITY, 4, ROUTE_AUTH_NONE,
         false},
        {"GET", "/sgx/certification/v4/qae/identity", ROUTE_QAE_IDENTITY, 4, ROUTE_AUTH_NONE,
         false},
        {"GET", "/sgx/certification/v4/rootcacrl", ROUTE_ROOTCACRL, 4, ROUTE_AUTH_NONE, false},
        {"GET", "/sgx/certification/v4/crl", ROUTE_CRL, 4, ROUTE_AUTH_NONE, false},
        {"GET", "/sgx/certification/v4/tcbevaluationdatanumbers", ROUTE_SGX_EVALNUMBERS, 4,
         ROUTE_AUTH_NONE, false},
        {"GET", "/tdx/certification/v4/tcbevaluationdatanumbers", ROUTE_TDX_EVALNUMBERS, 4,
         ROUTE_AUTH_NONE, false},
        {"GET", "/sgx/certification/v4/fmspcs", ROUTE_FMSPCS, 4, ROUTE_AUTH_NONE, false},
        {"POST", "/sgx/certification/v4/platforms", ROUTE_PLATFORMS_POST, 4, ROUTE_AUTH_USER, true},
        {"GET", "/sgx/certification/v4/platforms", ROUTE_PLATFORMS_GET, 4, ROUTE_AUTH_ADMIN, false},
        {"POST", "/sgx/certification/v3/platforms/ack", ROUTE_PLATFORMS_ACK, 3, ROUTE_AUTH_ADMIN,
         true},
        {"PUT", "/sgx/certification/v4/platformcollateral", ROUTE_COLLATERAL_PUT, 4,
         ROUTE_AUTH_ADMIN, true},
        {"GET", "/sgx/certification/v4/refresh", ROUTE_REFRESH, 4, ROUTE_AUTH_ADMIN, false},
        {"POST", "/sgx/certification/v4/refresh", ROUTE_REFRESH, 4, ROUTE_AUTH_ADMIN, false},
        {"PUT", "/sgx/certification/v4/appraisalpolicy", ROUTE_POLICY_PUT, 4, ROUTE_AUTH_ADMIN,
         true},
        {"GET", "/sgx/certification/v4/appraisalpolicy", ROUTE_POLICY_GET, 4, ROUTE_AUTH_NONE,
         false},
        {"GET", "/healthz/live", ROUTE_HEALTH_LIVE, 0, ROUTE_AUTH_NONE, false},
        {"GET", "/healthz/ready", ROUTE_HEALTH_READY, 0, ROUTE_AUTH_NONE, false},
        {"GET", "/healthz/startup", ROUTE_HEALTH_STARTUP, 0, ROUTE_AUTH_NONE, false},
        {"GET", "/healthz", ROUTE_HEALTH_LIVE, 0, ROUTE_AUTH_NONE, false},
        {"GET", "/livez", ROUTE_HEALTH_LIVE, 0, ROUTE_AUTH_NONE, false},
        {"GET", "/readyz", ROUTE_HEALTH_READY, 0, ROUTE_AUTH_NONE, false},
        {"GET", "/health/live", ROUTE_HEALTH_LIVE, 0, ROUTE_AUTH_NONE, false},
        {"GET", "/health/ready", ROUTE_HEALTH_READY, 0, ROUTE_AUTH_NONE, false},
        {"GET", "/health/startup", ROUTE_HEALTH_STARTUP, 0, ROUTE_AUTH_NONE, false},
        {"GET", "/metrics", ROUTE_METRICS, 0, ROUTE_AUTH_NONE, false},
        {"GET", "/", ROUTE_DASHBOARD, 0, ROUTE_AUTH_NONE, false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct route_match match = {0};
        assert_int_equal(find(cases[i].method, cases[i].path, 4, &match), 0);
        assert_int_equal(match.route, cases[i].route);
        assert_int_equal(match.api_version, cases[i].version);
        assert_int_equal(match.auth, cases[i].auth);
        assert_int_equal(match.takes_body, cases[i].takes_body);
        assert_false(match.is_head);
    }
}

static void
test_paths_match_in_any_case_and_with_one_slash_more(void **state)
{
    static const char *const same[] = {"/SGX/Certification/V4/TCB", "/sgx/certification/v4/tcb/",
                                       "/Sgx/CERTIFICATION/v4/tCb/"};
    for (size_t i = 0; i < ARRAY_COUNT(same); i++) {
        struct route_match match = {0};
        assert_int_equal(find("GET", same[i], 4, &match), 0);
        assert_int_equal(match.route, ROUTE_SGX_TCB);
        assert_int_equal(match.api_version, 4);
    }
    struct route_match match = {0};
    assert_int_equal(find("GET", "/HealthZ/", 4, &match), 0);
    assert_int_equal(match.route, ROUTE_HEALTH_LIVE);
    assert_int_equal(find("GET", "/METRICS/", 4, &match), 0);
}

static void
test_head_matches_as_get(void **state)
{
    struct route_match match = {0};
    assert_int_equal(find("HEAD", "/sgx/certification/v4/platforms", 4, &match), 0);
    assert_int_equal(match.route, ROUTE_PLATFORMS_GET);
    assert_int_equal(match.auth, ROUTE_AUTH_ADMIN);
    assert_true(match.is_head);
    assert_int_equal(find("HEAD", "/readyz", 4, &match), 0);
    assert_true(match.is_head);
    assert_int_equal(find("HEAD", "/sgx/certification/v4/platforms/ack", 4, &match), FAULT_METHOD);
}

static void
test_every_route_has_a_word_of_its_own(void **state)
{
    for (int i = 0; i < ROUTE_COUNT; i++) {
        assert_true(route_word((enum route)i)[0] != '\0');
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(route_word((enum route)i), route_word((enum route)j));
        }
    }
    assert_string_equal(route_word(ROUTE_PCKCERT), "pckcert");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_paths_that_nobody_answers),
        cmocka_unit_test(test_refuses_a_percent_encoded_path),
        cmocka_unit_test(test_upstream_v3_has_neither_v4_nor_tdx),
        cmocka_unit_test(test_wrong_method_says_what_is_allowed),
        cmocka_unit_test(test_every_endpoint_of_the_contract_is_there),
        cmocka_unit_test(test_paths_match_in_any_case_and_with_one_slash_more),
        cmocka_unit_test(test_head_matches_as_get),
        cmocka_unit_test(test_every_route_has_a_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
