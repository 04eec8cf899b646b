/* SPDX-License-Identifier: BSD-3-Clause */
/* Queries of every route: the nearest forms that are refused, then what they become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "request/request.h"

static const char zeros_768[] = {[0 ... 767] = '0', [768] = '\0'};

static struct request request; /* large; each test fills it anew */
static struct fault why;

static int
parse_version(enum route route, unsigned version, const char *query)
{
    struct route_match match = {.route = route, .api_version = version};
    why = (struct fault){0};
    return request_parse(&match, span_of_text(query), NULL, &request, &why);
}

static int
parse(enum route route, const char *query)
{
    return parse_version(route, 4, query);
}

static void
assert_refused(enum route route, const char *query, const char *word)
{
    assert_int_equal(parse(route, query), FAULT_INPUT);
    assert_int_equal(why.code, FAULT_INPUT);
    assert_non_null(strstr(why.text, word));
}

#define GOOD_TCB "cpusvn=0102030405060708090a0b0c0d0e0f10&pcesvn=0d00"

static void
test_pckcert_refuses_missing_and_malformed_values(void **state)
{
    assert_refused(ROUTE_PCKCERT, "", "qeid");
    assert_refused(ROUTE_PCKCERT, "qeid=&" GOOD_TCB "&pceid=0000", "qeid");
    assert_refused(ROUTE_PCKCERT, "QEID=ab&" GOOD_TCB "&pceid=0000", "qeid");
    assert_refused(ROUTE_PCKCERT, "qeid[a]=ab&" GOOD_TCB "&pceid=0000", "qeid");
    assert_refused(ROUTE_PCKCERT, "qeid=%zz&" GOOD_TCB "&pceid=0000", "qeid");
    assert_refused(ROUTE_PCKCERT, "qeid=%00&" GOOD_TCB "&pceid=0000", "qeid");
    assert_refused(ROUTE_PCKCERT, "qeid=%ff&" GOOD_TCB "&pceid=0000", "qeid");
    assert_refused(ROUTE_PCKCERT, "qeid=ab&pcesvn=0d00&pceid=0000", "cpusvn");
    assert_refused(ROUTE_PCKCERT, "qeid=ab&cpusvn=01&pcesvn=0d00&pceid=0000", "cpusvn");
    assert_refused(ROUTE_PCKCERT, "qeid=ab&" GOOD_TCB "&pceid=000", "pceid");
    assert_refused(ROUTE_PCKCERT, "qeid=ab&" GOOD_TCB "&pceid=000g", "pceid");
    assert_refused(ROUTE_PCKCERT, "qeid=ab&" GOOD_TCB "&pceid=00000", "pceid");
    assert_refused(ROUTE_PCKCERT, "qeid=ab&" GOOD_TCB, "pceid");
    assert_refused(ROUTE_PCKCERT,
                   "qeid=ab&" GOOD_TCB "&pceid=0000&encrypted_ppid=", "encrypted_ppid");
    assert_refused(ROUTE_PCKCERT, "qeid=ab&" GOOD_TCB "&pceid=0000&encrypted_ppid=00",
                   "encrypted_ppid");
}

static void
test_pckcert_takes_260_characters_of_qeid_and_no_more(void **state)
{
    char query[1600];
    char qeid[800] = "";
    for (int i = 0; i < 260; i++) {
        memcpy(qeid + strlen(qeid), "\xc3\xa4", 3); /* two bytes, one character */
    }
    snprintf(query, sizeof query, "qeid=%s&" GOOD_TCB "&pceid=0000", qeid);
    assert_int_equal(parse(ROUTE_PCKCERT, query), 0);
    assert_string_equal(request.key.platform.qeid, qeid);
    snprintf(query, sizeof query, "qeid=%sx&" GOOD_TCB "&pceid=0000", qeid);
    assert_refused(ROUTE_PCKCERT, query, "qeid");
}

static void
test_pckcert_gives_normal_forms(void **state)
{
    assert_int_equal(parse(ROUTE_PCKCERT, "qeid=a+b%2fC&" GOOD_TCB "&pceid=0a0b&x=%zz&qeid="), 0);
    assert_int_equal(request.route, ROUTE_PCKCERT);
    assert_int_equal(request.key.kind, ITEM_PCK);
    assert_int_equal(request.key.api_version, 4);
    assert_string_equal(request.key.platform.qeid, "A B/C");
    assert_string_equal(request.key.platform.pceid, "0A0B");
    assert_string_equal(request.key.raw.cpusvn, "0102030405060708090A0B0C0D0E0F10");
    assert_string_equal(request.key.raw.pcesvn, "0D00");
    assert_string_equal(request.encrypted_ppid, "");
    assert_false(request.encrypted_ppid_is_zero);
}

static void
test_pckcert_knows_an_all_zero_ppid(void **state)
{
    char query[1000];
    snprintf(query, sizeof query, "qeid=q&" GOOD_TCB "&pceid=0000&encrypted_ppid=%s", zeros_768);
    assert_int_equal(parse(ROUTE_PCKCERT, query), 0);
    assert_true(request.encrypted_ppid_is_zero);
    query[strlen(query) - 1] = 'a';
    assert_int_equal(parse(ROUTE_PCKCERT, query), 0);
    assert_false(request.encrypted_ppid_is_zero);
    assert_int_equal(request.encrypted_ppid[767], 'A');
}

static void
test_v3_shares_all_but_tcb_infos_and_identities(void **state)
{
    assert_int_equal(parse_version(ROUTE_PCKCERT, 3, "qeid=q&" GOOD_TCB "&pceid=0000"), 0);
    assert_int_equal(request.key.api_version, 4);
    assert_int_equal(request.api_version, 3);
    assert_int_equal(parse_version(ROUTE_SGX_TCB, 3, "fmspc=00906ea10000"), 0);
    assert_int_equal(request.key.api_version, 3);
    assert_int_equal(parse_version(ROUTE_QE_IDENTITY, 3, ""), 0);
    assert_int_equal(request.key.api_version, 3);
    assert_int_equal(parse_version(ROUTE_PCKCRL, 3, "ca=platform"), 0);
    assert_int_equal(request.key.api_version, 4);
}

static void
test_pckcrl_refuses_unknown_cas(void **state)
{
    assert_refused(ROUTE_PCKCRL, "", "ca");
    assert_refused(ROUTE_PCKCRL, "ca=", "ca");
    assert_refused(ROUTE_PCKCRL, "ca=root", "ca");
    assert_refused(ROUTE_PCKCRL, "ca[a]=platform", "ca");
    assert_refused(ROUTE_PCKCRL, "Ca=platform", "ca");
    assert_refused(ROUTE_PCKCRL, "ca=root&ca=platform", "ca");
}

static void
test_pckcrl_falls_back_to_hex(void **state)
{
    static const struct {
        const char *query;
        enum crl_encoding encoding;
    } cases[] = {{"ca=Platform", CRL_ENCODING_HEX},
                 {"ca=platform&encoding=", CRL_ENCODING_HEX},
                 {"ca=platform&encoding=xyz", CRL_ENCODING_HEX},
                 {"ca=platform&encoding=%zz", CRL_ENCODING_HEX},
                 {"ca=platform&encoding[a]=der", CRL_ENCODING_HEX},
                 {"ca=platform&encoding=DeR", CRL_ENCODING_DER},
                 {"ca=platform&encoding=der&encoding=pem", CRL_ENCODING_DER},
                 {"ca=platform&encoding=pem", CRL_ENCODING_PEM}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(parse(ROUTE_PCKCRL, cases[i].query), 0);
        assert_int_equal(request.encoding, cases[i].encoding);
        assert_int_equal(request.key.kind, ITEM_PCK_CRL);
        assert_int_equal(request.key.ca, PCK_CA_PLATFORM);
    }
    assert_int_equal(parse(ROUTE_PCKCRL, "ca=PROCESSOR&ca=x"), 0);
    assert_int_equal(request.key.ca, PCK_CA_PROCESSOR);
}

static void
test_tcb_refuses_bad_fmspcs_and_updates(void **state)
{
    assert_refused(ROUTE_SGX_TCB, "", "fmspc");
    assert_refused(ROUTE_SGX_TCB, "fmspc=", "fmspc");
    assert_refused(ROUTE_SGX_TCB, "fmspc=00906ea1000", "fmspc");
    assert_refused(ROUTE_SGX_TCB, "fmspc=00906ea100000", "fmspc");
    assert_refused(ROUTE_SGX_TCB, "fmspc=00906ea1000g", "fmspc");
    assert_refused(ROUTE_TDX_TCB, "fmspc=00906ea10000&update=", "update");
    assert_refused(ROUTE_TDX_TCB, "fmspc=00906ea10000&update", "update");
    assert_refused(ROUTE_SGX_TCB, "fmspc=00906ea10000&update=all", "update");
    assert_refused(ROUTE_SGX_TCB, "fmspc=00906ea10000&update=numbered", "update");
    assert_refused(ROUTE_SGX_TCB, "fmspc=00906ea10000&update=late&update=early", "update");
}

static void
test_a_number_and_an_update_exclude_each_other(void **state)
{
    assert_refused(ROUTE_SGX_TCB, "fmspc=00906ea10000&update=early&tcbEvaluationDataNumber=17",
                   "exclude");
    assert_refused(ROUTE_QE_IDENTITY, "tcbEvaluationDataNumber=17&update=", "exclude");
}

static void
test_refuses_numbers_out_of_bounds(void **state)
{
    static const char *const bad[] = {"",    "0",   "-1",    "+1",         "017",
                                      "1.0", "1e3", "0x11",  "1000000001", "99999999999",
                                      "a",   "17a", "%2017", "17%20"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        char query[100];
        snprintf(query, sizeof query, "tcbEvaluationDataNumber=%s", bad[i]);
        assert_refused(ROUTE_QVE_IDENTITY, query, "tcbEvaluationDataNumber");
    }
    assert_int_equal(parse(ROUTE_QVE_IDENTITY, "tcbEvaluationDataNumber=1000000000"), 0);
    assert_int_equal(request.key.eval_number, 1000000000);
    assert_int_equal(parse(ROUTE_SGX_TCB, "fmspc=00906ea10000&tcbEvaluationDataNumber=1"), 0);
    assert_int_equal(request.key.update, UPDATE_NUMBERED);
    assert_int_equal(request.key.eval_number, 1);
}

static void
test_tcb_gives_a_key(void **state)
{
    assert_int_equal(parse(ROUTE_SGX_TCB, "fmspc=00906ea10000&customParameter=eA%3D%3D"), 0);
    assert_int_equal(request.key.kind, ITEM_TCBINFO);
    assert_int_equal(request.key.product, PRODUCT_SGX);
    assert_int_equal(request.key.update, UPDATE_STANDARD);
    assert_string_equal(request.key.fmspc.hex, "00906EA10000");
    assert_int_equal(parse(ROUTE_TDX_TCB, "update=EARLY&update=x&fmspc=00906EA10000&fmspc="), 0);
    assert_int_equal(request.key.product, PRODUCT_TDX);
    assert_int_equal(request.key.update, UPDATE_EARLY);
    /* a nested name is an unknown one: the reference fails with 500 */
    assert_int_equal(parse(ROUTE_TDX_TCB, "update[a]=x&fmspc=00906EA10000"), 0);
    assert_int_equal(request.key.update, UPDATE_STANDARD);
}

static void
test_identities_give_keys(void **state)
{
    static const struct {
        enum route route;
        enum enclave enclave;
    } cases[] = {{ROUTE_QE_IDENTITY, ENCLAVE_QE},
                 {ROUTE_QVE_IDENTITY, ENCLAVE_QVE},
                 {ROUTE_TDQE_IDENTITY, ENCLAVE_TDQE},
                 {ROUTE_QAE_IDENTITY, ENCLAVE_QAE}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_refused(cases[i].route, "update=all", "update");
        assert_int_equal(parse(cases[i].route, "update=Standard"), 0);
        assert_int_equal(request.key.kind, ITEM_IDENTITY);
        assert_int_equal(request.key.enclave, cases[i].enclave);
    }
}

static void
test_crl_refuses_what_the_allow_list_does_not_hold(void **state)
{
    assert_refused(ROUTE_CRL, "", "uri");
    assert_refused(ROUTE_CRL, "uri=", "uri");
    assert_refused(ROUTE_CRL, "uri=https://evil.example/IntelSGXRootCA.der", "uri");
    assert_refused(ROUTE_CRL, "uri=https://certprx.adsdcsp.com/IntelSGXRootCA.%00", "uri");
    assert_refused(ROUTE_CRL, "uri=https://certprx.adsdcsp.com/IntelSGXRootCA.%0d%0aX", "uri");
    assert_refused(ROUTE_CRL, "uri=https://certprx.adsdcsp.com/IntelSGXRootCA.%", "uri");
    char query[2200] = "uri=https://certprx.adsdcsp.com/IntelSGXRootCA.";
    memset(query + strlen(query), 'x', 2100 - strlen(query));
    assert_refused(ROUTE_CRL, query, "2048");
}

static void
test_crl_takes_the_uri_raw_or_escaped(void **state)
{
    static const char url[] = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";
    assert_int_equal(
        parse(ROUTE_CRL,
              "uri=https://certificates.trustedservices.intel.com/IntelSGXRootCA.der&x=1"),
        0);
    assert_int_equal(request.key.kind, ITEM_CRL);
    assert_string_equal(request.key.url, url);
    assert_int_equal(parse(ROUTE_CRL, "uri=https%3A%2F%2Fcertificates.trustedservices.intel.com"
                                      "%2FIntelSGXRootCA.der"),
                     0);
    assert_string_equal(request.key.url, url);
    assert_int_equal(parse(ROUTE_CRL, "uri=https://certprx.adsdcsp.com/IntelSGXRootCA.a+b"), 0);
    assert_string_equal(request.key.url, "https://certprx.adsdcsp.com/IntelSGXRootCA.a+b");
}

static void
test_crl_takes_configured_origins(void **state)
{
    struct request_policy policy = {.extra_origin_count = 1};
    policy.extra_origins[0] = span_of_text("http://localhost:9000");
    struct route_match match = {.route = ROUTE_CRL, .api_version = 4};
    struct span query = span_of_text("uri=http://localhost:9000/IntelSGXRootCA.der");
    assert_int_equal(request_parse(&match, query, &policy, &request, NULL), 0);
    assert_int_equal(request_parse(&match, query, NULL, &request, NULL), FAULT_INPUT);
}

static void
test_fmspcs_takes_the_words_of_the_pcs(void **state)
{
    assert_refused(ROUTE_FMSPCS, "platform=", "platform");
    assert_refused(ROUTE_FMSPCS, "platform=E4", "platform");
    assert_int_equal(parse(ROUTE_FMSPCS, ""), 0);
    assert_int_equal(request.key.kind, ITEM_FMSPCS);
    assert_string_equal(request.key.url, "all");
    assert_int_equal(parse(ROUTE_FMSPCS, "platform=e5"), 0);
    assert_string_equal(request.key.url, "E5");
}

static void
test_registration_takes_all_three_updates(void **state)
{
    assert_refused(ROUTE_PLATFORMS_POST, "update=", "update");
    assert_refused(ROUTE_PLATFORMS_POST, "update=some", "update");
    assert_int_equal(parse(ROUTE_PLATFORMS_POST, ""), 0);
    assert_int_equal(request.update, UPDATE_STANDARD);
    assert_int_equal(parse(ROUTE_PLATFORMS_POST, "update=All"), 0);
    assert_int_equal(request.update, UPDATE_ALL);
    assert_int_equal(parse(ROUTE_PLATFORMS_POST, "update=early"), 0);
    assert_int_equal(request.update, UPDATE_EARLY);
}

static void
test_platforms_refuses_other_sources(void **state)
{
    static const char *const bad[] = {"REG",
                                      "x",
                                      "00906EA10000",
                                      "[",
                                      "]",
                                      "[00906EA10000",
                                      "00906EA10000]",
                                      "[00906EA1000]",
                                      "[00906EA10000,]",
                                      "[,00906EA10000]",
                                      "[,]",
                                      "[00906EA10000,+20606A000000]",
                                      "[00906EA10000, 20606A000000]",
                                      "[00906EA10000;20606A000000]",
                                      "[[00906EA10000]]",
                                      "%5B%5D%5D"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        char query[100];
        snprintf(query, sizeof query, "source=%s", bad[i]);
        assert_refused(ROUTE_PLATFORMS_GET, query, "source");
    }
}

static void
test_platforms_knows_its_sources(void **state)
{
    static const struct {
        const char *query;
        enum platforms_source source;
        const char *list;
    } cases[] = {{"", PLATFORMS_SOURCE_REG, ""},
                 {"source=", PLATFORMS_SOURCE_REG, ""},
                 {"source=reg&source=reg_na", PLATFORMS_SOURCE_REG, ""},
                 {"source[]=x", PLATFORMS_SOURCE_REG, ""},
                 {"source=reg_na", PLATFORMS_SOURCE_REG_NA, ""},
                 {"source=reg_pending", PLATFORMS_SOURCE_REG_PENDING, ""},
                 {"source=[]", PLATFORMS_SOURCE_CACHED, ""},
                 {"source=%5B%20%5D", PLATFORMS_SOURCE_CACHED, ""},
                 {"source=[+]", PLATFORMS_SOURCE_CACHED, ""},
                 {"source=[00906ea10000]", PLATFORMS_SOURCE_CACHED, "00906EA10000"},
                 {"source=[+00906ea10000,20606A000000+]", PLATFORMS_SOURCE_CACHED,
                  "00906EA10000,20606A000000"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(parse(ROUTE_PLATFORMS_GET, cases[i].query), 0);
        assert_int_equal(request.source, cases[i].source);
        assert_string_equal(request.fmspc_list, cases[i].list);
        assert_false(request.peek);
    }
}

static void
test_platforms_refuses_a_peek_that_could_be_misread(void **state)
{
    assert_refused(ROUTE_PLATFORMS_GET, "peek=", "peek");
    assert_refused(ROUTE_PLATFORMS_GET, "peek=true", "peek");
    assert_refused(ROUTE_PLATFORMS_GET, "peek=2&peek=1", "peek");
    assert_int_equal(parse(ROUTE_PLATFORMS_GET, "peek=1"), 0);
    assert_true(request.peek);
    assert_int_equal(parse(ROUTE_PLATFORMS_GET, "peek=0&peek=1"), 0);
    assert_false(request.peek);
}

static void
test_head_of_platforms_marks_nothing(void **state)
{
    struct route_match match = {.route = ROUTE_PLATFORMS_GET, .api_version = 4, .is_head = true};
    assert_int_equal(request_parse(&match, span_of_text("peek=0"), NULL, &request, NULL), 0);
    assert_true(request.peek);
    assert_int_equal(request_parse(&match, span_of_text(""), NULL, &request, NULL), 0);
    assert_true(request.peek);
}

static void
test_lists_have_a_ceiling(void **state)
{
    static char query[6000];
    memcpy(query, "source=[", 9);
    for (int i = 0; i < 315; i++) {
        memcpy(query + strlen(query), i == 0 ? "00906EA10000" : ",00906EA10000", i == 0 ? 13 : 14);
    }
    size_t size = strlen(query);
    memcpy(query + size, "]", 2);
    assert_int_equal(parse(ROUTE_PLATFORMS_GET, query), 0);
    memcpy(query + size, ",00906EA10000]", 15);
    assert_refused(ROUTE_PLATFORMS_GET, query, "source");
}

static void
test_next_fmspc_walks_the_list(void **state)
{
    assert_int_equal(parse(ROUTE_REFRESH, "type=certs&fmspc=00906ea10000,20606A000000"), 0);
    size_t position = 0;
    struct fmspc fmspc;
    assert_true(request_next_fmspc(&request, &position, &fmspc));
    assert_string_equal(fmspc.hex, "00906EA10000");
    assert_true(request_next_fmspc(&request, &position, &fmspc));
    assert_string_equal(fmspc.hex, "20606A000000");
    assert_false(request_next_fmspc(&request, &position, &fmspc));
    assert_false(request_next_fmspc(&request, &position, &fmspc));
    assert_int_equal(parse(ROUTE_REFRESH, "type=certs"), 0);
    position = 0;
    assert_false(request_next_fmspc(&request, &position, &fmspc));
}

static void
test_refresh_refuses_other_types_and_lists(void **state)
{
    assert_refused(ROUTE_REFRESH, "type=all", "type");
    assert_refused(ROUTE_REFRESH, "type=CERTS", "type");
    assert_refused(ROUTE_REFRESH, "type=certs&fmspc=x", "fmspc");
    assert_refused(ROUTE_REFRESH, "type=certs&fmspc=[00906EA10000", "fmspc");
    assert_refused(ROUTE_REFRESH, "type=certs&fmspc=00906EA10000,", "fmspc");
    assert_refused(ROUTE_REFRESH, "type=certs&fmspc=00906EA10000,all", "fmspc");
}

static void
test_refresh_takes_every_form_of_the_admin_tool(void **state)
{
    static const struct {
        const char *query;
        bool certs;
        const char *list;
    } cases[] = {
        {"", false, ""},
        {"type=", false, ""},
        {"fmspc=nonsense", false, ""},
        {"type=certs", true, ""},
        {"type=certs&fmspc=", true, ""},
        {"type=certs&fmspc=all", true, ""},
        {"type=certs&fmspc=[]", true, ""},
        {"type=certs&fmspc=00906ea10000", true, "00906EA10000"},
        {"type=certs&fmspc=[00906ea10000,20606a000000]", true, "00906EA10000,20606A000000"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(parse(ROUTE_REFRESH, cases[i].query), 0);
        assert_int_equal(request.refresh_certs, cases[i].certs);
        assert_string_equal(request.fmspc_list, cases[i].list);
    }
}

static void
test_policies_want_an_fmspc(void **state)
{
    assert_refused(ROUTE_POLICY_GET, "", "fmspc");
    assert_refused(ROUTE_POLICY_GET, "fmspc=x", "fmspc");
    assert_int_equal(parse(ROUTE_POLICY_GET, "fmspc=00906ea10000"), 0);
    assert_int_equal(request.key.kind, ITEM_POLICIES);
    assert_string_equal(request.key.fmspc.hex, "00906EA10000");
}

static void
test_routes_without_parameters_ignore_them_all(void **state)
{
    static const enum route routes[] = {
        ROUTE_ROOTCACRL,      ROUTE_SGX_EVALNUMBERS, ROUTE_TDX_EVALNUMBERS, ROUTE_PLATFORMS_ACK,
        ROUTE_COLLATERAL_PUT, ROUTE_POLICY_PUT,      ROUTE_HEALTH_LIVE,     ROUTE_HEALTH_READY,
        ROUTE_HEALTH_STARTUP, ROUTE_METRICS,         ROUTE_DASHBOARD};
    for (size_t i = 0; i < ARRAY_COUNT(routes); i++) {
        assert_int_equal(parse(routes[i], "update=&fmspc=x&ca[a]=%zz&=&%"), 0);
        assert_int_equal(request.route, routes[i]);
    }
    assert_int_equal(parse(ROUTE_TDX_EVALNUMBERS, ""), 0);
    assert_int_equal(request.key.kind, ITEM_EVALNUMBERS);
    assert_int_equal(request.key.product, PRODUCT_TDX);
    assert_int_equal(parse(ROUTE_ROOTCACRL, ""), 0);
    assert_int_equal(request.key.kind, ITEM_ROOT_CRL);
}

static void
test_keys_of_a_request_hold_nothing_of_the_one_before(void **state)
{
    assert_int_equal(parse(ROUTE_CRL, "uri=https://certprx.adsdcsp.com/IntelSGXRootCA.der"), 0);
    assert_int_equal(parse(ROUTE_PCKCERT, "qeid=ab&" GOOD_TCB "&pceid=0000"), 0);
    assert_string_equal(request.key.url, "");
    assert_int_equal(parse(ROUTE_SGX_TCB, "fmspc=00906EA10000"), 0);
    struct item_key expected = {
        .kind = ITEM_TCBINFO, .api_version = 4, .product = PRODUCT_SGX, .fmspc = {"00906EA10000"}};
    assert_true(item_key_equal(&request.key, &expected)); /* which compares every member */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pckcert_refuses_missing_and_malformed_values),
        cmocka_unit_test(test_pckcert_takes_260_characters_of_qeid_and_no_more),
        cmocka_unit_test(test_pckcert_gives_normal_forms),
        cmocka_unit_test(test_pckcert_knows_an_all_zero_ppid),
        cmocka_unit_test(test_v3_shares_all_but_tcb_infos_and_identities),
        cmocka_unit_test(test_pckcrl_refuses_unknown_cas),
        cmocka_unit_test(test_pckcrl_falls_back_to_hex),
        cmocka_unit_test(test_tcb_refuses_bad_fmspcs_and_updates),
        cmocka_unit_test(test_a_number_and_an_update_exclude_each_other),
        cmocka_unit_test(test_refuses_numbers_out_of_bounds),
        cmocka_unit_test(test_tcb_gives_a_key),
        cmocka_unit_test(test_identities_give_keys),
        cmocka_unit_test(test_crl_refuses_what_the_allow_list_does_not_hold),
        cmocka_unit_test(test_crl_takes_the_uri_raw_or_escaped),
        cmocka_unit_test(test_crl_takes_configured_origins),
        cmocka_unit_test(test_fmspcs_takes_the_words_of_the_pcs),
        cmocka_unit_test(test_registration_takes_all_three_updates),
        cmocka_unit_test(test_platforms_refuses_other_sources),
        cmocka_unit_test(test_platforms_knows_its_sources),
        cmocka_unit_test(test_platforms_refuses_a_peek_that_could_be_misread),
        cmocka_unit_test(test_head_of_platforms_marks_nothing),
        cmocka_unit_test(test_lists_have_a_ceiling),
        cmocka_unit_test(test_next_fmspc_walks_the_list),
        cmocka_unit_test(test_refresh_refuses_other_types_and_lists),
        cmocka_unit_test(test_refresh_takes_every_form_of_the_admin_tool),
        cmocka_unit_test(test_policies_want_an_fmspc),
        cmocka_unit_test(test_routes_without_parameters_ignore_them_all),
        cmocka_unit_test(test_keys_of_a_request_hold_nothing_of_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
