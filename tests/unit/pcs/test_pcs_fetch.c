/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCS client against a scripted server on loopback: what it asks for each kind of item, and
 * what each answer becomes (api.md, When upstream fails; pcs.md). Tries, redirects, TLS, proxies
 * and threads: test_pcs_tries.c.
 */
#include "pcs_rig.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

/* ---- the options ---- */

static void
test_refuses_options_that_cannot_work(void **state)
{
    static const struct {
        const char *uri, *api_key, *proxy, *ca_file, *named;
    } cases[] = {
        {"", "", "", "", "uri"},
        {"ftp://pcs.example/sgx/certification/v4/", "", "", "", "uri"},
        {"http://pcs.example/sgx/certification/v4/", "", "", "", "loopback"},
        {"http://127.0.0.1.example/sgx/certification/v4/", "", "", "", "loopback"},
        {"https://pcs.example/sgx/certification/v4", "", "", "", "uri"},
        {"https://pcs.example/sgx/certification/v5/", "", "", "", "uri"},
        {"https://pcs.example/", "", "", "", "uri"},
        {"https://me:secret@pcs.example/sgx/certification/v4/", "", "", "", "uri"},
        {"https://pcs.example/sgx/certification/v4/", "a\r\nb: c", "", "", "ApiKey"},
        {"https://pcs.example/sgx/certification/v4/", "", "a\nb", "", "proxy"},
        {"https://pcs.example/sgx/certification/v4/", "", "", "/nonexistent/ca.pem",
         "UpstreamCaFile"},
        {"https://pcs.example/sgx/certification/v4/", "", "", "/dev/null", "UpstreamCaFile"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct pcs_options options = {.uri = cases[i].uri,
                                      .api_key = cases[i].api_key,
                                      .proxy = cases[i].proxy,
                                      .ca_file = cases[i].ca_file};
        struct upstream *upstream = NULL;
        struct fault why = {0};
        int rc = pcs_client_new(&options, &upstream, &why);
        if (rc != FAULT_CONFIG || upstream != NULL || strstr(why.text, cases[i].named) == NULL) {
            fail_msg("case %zu: %d, \"%s\"", i, rc, why.text);
        }
    }
}

/* ---- what is asked ---- */

struct asked {
    struct item_key key;
    const char *ppid, *manifest;
    const char *line; /* the request's first line */
};

static void
expect_asked(const char *version_in_uri, const struct asked *asked, size_t count)
{
    struct script_answer answer = {.bytes = OK(HEADERS_ALL)};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    snprintf(rig.uri, sizeof rig.uri, "http://127.0.0.1:%d/base/sgx/certification/%s/",
             script_server_port(rig.server), version_in_uri);
    for (size_t i = 0; i < count; i++) {
        rig_ask(&rig, &(struct upstream_query){.key = &asked[i].key,
                                               .encrypted_ppid = span_of_text(asked[i].ppid),
                                               .manifest = span_of_text(asked[i].manifest)});
        if (rig.rc != 0) {
            fail_msg("%s: %s", asked[i].line, rig.why.text);
        }
    }
    assert_int_equal(rig_requests(&rig), count);
    for (size_t i = 0; i < count; i++) {
        const char *request = script_server_request(rig.server, i);
        if (strncmp(request, asked[i].line, strlen(asked[i].line)) != 0 ||
            strncmp(request + strlen(asked[i].line), " HTTP/1.1\r\n", 11) != 0) {
            fail_msg("asked %.120s, not %s", request, asked[i].line);
        }
        assert_null(strcasestr(request, "accept-encoding"));
    }
    assert_int_equal(script_server_connection_count(rig.server), 1);
    rig_done(&rig);
}

#define V4 "/base/sgx/certification/v4/"
#define TDX_V4 "/base/tdx/certification/v4/"

static void
test_asks_for_each_kind_of_item_at_its_place(void **state)
{
    static const struct asked asked[] = {
        {{.kind = ITEM_TCBINFO, .api_version = 4, .fmspc = {"00A067110000"}},
         NULL,
         NULL,
         "GET " V4 "tcb?fmspc=00A067110000&update=standard"},
        {{.kind = ITEM_TCBINFO,
          .api_version = 4,
          .product = PRODUCT_TDX,
          .update = UPDATE_EARLY,
          .fmspc = {"00A067110000"}},
         NULL,
         NULL,
         "GET " TDX_V4 "tcb?fmspc=00A067110000&update=early"},
        {{.kind = ITEM_TCBINFO,
          .api_version = 4,
          .update = UPDATE_NUMBERED,
          .eval_number = 17,
          .fmspc = {"00A067110000"}},
         NULL,
         NULL,
         "GET " V4 "tcb?fmspc=00A067110000&tcbEvaluationDataNumber=17"},
        {{.kind = ITEM_IDENTITY, .api_version = 4, .enclave = ENCLAVE_QE},
         NULL,
         NULL,
         "GET " V4 "qe/identity?update=standard"},
        {{.kind = ITEM_IDENTITY, .api_version = 4, .enclave = ENCLAVE_QVE, .update = UPDATE_EARLY},
         NULL,
         NULL,
         "GET " V4 "qve/identity?update=early"},
        {{.kind = ITEM_IDENTITY, .api_version = 4, .enclave = ENCLAVE_TDQE},
         NULL,
         NULL,
         "GET " TDX_V4 "qe/identity?update=standard"},
        {{.kind = ITEM_IDENTITY,
          .api_version = 4,
          .enclave = ENCLAVE_QAE,
          .update = UPDATE_NUMBERED,
          .eval_number = 4294967295},
         NULL,
         NULL,
         "GET " V4 "qae/identity?tcbEvaluationDataNumber=4294967295"},
        {{.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM},
         NULL,
         NULL,
         "GET " V4 "pckcrl?ca=platform&encoding=der"},
        {{.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PROCESSOR},
         NULL,
         NULL,
         "GET " V4 "pckcrl?ca=processor&encoding=der"},
        {{.kind = ITEM_EVALNUMBERS, .api_version = 4, .product = PRODUCT_TDX},
         NULL,
         NULL,
         "GET " TDX_V4 "tcbevaluationdatanumbers"},
        {{.kind = ITEM_FMSPCS, .api_version = 4, .url = "E3"},
         NULL,
         NULL,
         "GET " V4 "fmspcs?platform=E3"},
        {{.kind = ITEM_FMSPCS, .api_version = 4, .url = "a&b=c d"},
         NULL,
         NULL,
         "GET " V4 "fmspcs?platform=a%26b%3Dc%20d"},
        {{.kind = ITEM_PCK, .api_version = 4, .platform = {.pceid = "0A00"}},
         PPID_4,
         NULL,
         "GET " V4 "pckcerts?encrypted_ppid=ABCD&pceid=0A00"},
        {{.kind = ITEM_PCK, .api_version = 4, .platform = {.pceid = "0A00"}},
         PPID_4,
         "0123",
         "POST " V4 "pckcerts"},
    };
    expect_asked("v4", asked, ARRAY_COUNT(asked));
}

static void
test_asks_for_the_version_of_the_key_or_else_of_the_uri(void **state)
{
    static const struct asked of_v4[] = {
        {{.kind = ITEM_TCBINFO, .api_version = 3, .fmspc = {"00A067110000"}},
         NULL,
         NULL,
         "GET /base/sgx/certification/v3/tcb?fmspc=00A067110000&update=standard"},
    };
    expect_asked("v4", of_v4, ARRAY_COUNT(of_v4));
    static const struct asked of_v3[] = {
        {{.kind = ITEM_IDENTITY, .api_version = 4, .enclave = ENCLAVE_QE},
         NULL,
         NULL,
         "GET " V4 "qe/identity?update=standard"},
        {{.kind = ITEM_PCK, .api_version = 4, .platform = {.pceid = "0A00"}},
         PPID_4,
         NULL,
         "GET /base/sgx/certification/v3/pckcerts?encrypted_ppid=ABCD&pceid=0A00"},
        {{.kind = ITEM_PCK_CRL, .api_version = 4},
         NULL,
         NULL,
         "GET /base/sgx/certification/v3/pckcrl?ca=processor&encoding=der"},
    };
    expect_asked("v3", of_v3, ARRAY_COUNT(of_v3));
}

static void
test_posts_a_manifest_as_json(void **state)
{
    struct script_answer answer = {.bytes = OK(HEADERS_ALL)};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    struct item_key key = {.kind = ITEM_PCK, .platform = {.pceid = "0A00"}};
    rig_ask(&rig, &(struct upstream_query){.key = &key, .manifest = span_of_text("0a1B")});
    assert_int_equal(rig.rc, 0);
    assert_int_equal(rig_requests(&rig), 1);
    const char *request = script_server_request(rig.server, 0);
    assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
    assert_null(strstr(request, "Expect:"));
    const char *body = strstr(request, "\r\n\r\n");
    assert_non_null(body);
    assert_string_equal(body + 4, "{\"platformManifest\":\"0a1B\",\"pceid\":\"0A00\"}");
    assert_string_equal(rig.last_endpoint, "pckcerts");
    rig_done(&rig);
}

static void
test_the_api_key_goes_with_pckcerts_only(void **state)
{
    struct script_answer answer = {.bytes = OK(HEADERS_ALL)};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    struct item_key key = {.kind = ITEM_PCK, .platform = {.pceid = "0000"}};
    struct upstream_query query = {.key = &key, .encrypted_ppid = span_of_text(PPID_4)};
    rig_ask(&rig, &query);
    rig_ask_tcb(&rig);
    assert_int_equal(rig_requests(&rig), 2);
    assert_non_null(
        strstr(script_server_request(rig.server, 0), "\r\nOcp-Apim-Subscription-Key: hush\r\n"));
    assert_null(strstr(script_server_request(rig.server, 1), "Subscription"));
    rig_done(&rig);

    rig_serve(&rig, &answer, 1);
    rig.options.api_key = "";
    rig_ask(&rig, &query);
    assert_int_equal(rig_requests(&rig), 1);
    assert_null(strstr(script_server_request(rig.server, 0), "Subscription"));
    rig_done(&rig);
}

static void
test_crls_come_from_their_urls(void **state)
{
    struct script_answer answer = {.bytes = OK("")};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    char url[128];
    snprintf(url, sizeof url, "http://localhost:%d/IntelSGXRootCA.der",
             script_server_port(rig.server));
    struct item_key root = {.kind = ITEM_ROOT_CRL};
    rig_ask(&rig, &(struct upstream_query){.key = &root, .crl_url = url});
    assert_int_equal(rig.rc, 0);
    assert_null(rig.raw.issuer_chain);
    struct item_key crl = {.kind = ITEM_CRL};
    snprintf(crl.url, sizeof crl.url, "%s?x=1", url);
    rig_ask(&rig, &(struct upstream_query){.key = &crl});
    assert_int_equal(rig.rc, 0);
    assert_int_equal(rig_requests(&rig), 2);
    assert_non_null(strstr(script_server_request(rig.server, 0), "GET /IntelSGXRootCA.der HTTP"));
    assert_non_null(strstr(script_server_request(rig.server, 1), "GET /IntelSGXRootCA.der?x=1 "));
    rig_done(&rig);
}

static void
test_refuses_crl_urls_over_plain_http_or_without_form(void **state)
{
    static const char *const urls[] = {"http://crl.example/a.der", "file:///etc/passwd", "", NULL,
                                       "https://user:word@crl.example/a.der"};
    struct script_answer answer = {.bytes = OK("")};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
        struct item_key key = {.kind = ITEM_ROOT_CRL};
        rig_ask(&rig, &(struct upstream_query){.key = &key, .crl_url = urls[i]});
        assert_int_equal(rig.rc, FAULT_UPSTREAM_ODD);
    }
    assert_int_equal(rig.exchanges, 0);
    rig_done(&rig);
}

/* ---- answers that are taken ---- */

static void
test_a_whole_answer_comes_back_raw(void **state)
{
    struct script_answer answer = {.bytes = OK(HEADERS_ALL)};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    struct item_key key = {.kind = ITEM_PCK, .platform = {.pceid = "0000"}};
    rig_ask(&rig, &(struct upstream_query){.key = &key, .encrypted_ppid = span_of_text(PPID_4)});
    assert_int_equal(rig.rc, 0);
    assert_true(span_is(buf_span(&rig.raw.body), "0123456789"));
    assert_string_equal(rig.raw.issuer_chain, "pck%0A");
    assert_string_equal(rig.raw.fmspc, "00a067110000");
    assert_string_equal(rig.raw.ca, "platform");
    assert_string_equal(rig.raw.upstream_request_id, "abc123");
    assert_int_equal(rig.raw.upstream_status, 200);
    assert_int_equal(rig.retry_after_s, 0);
    assert_int_equal(rig.exchanges, 1);
    assert_int_equal(rig.last_status, 200);
    rig_done(&rig);
}

static void
test_takes_chunked_answers_and_header_names_in_any_case(void **state)
{
    struct rig rig;
    rig_tcb(&rig, "HTTP/1.1 100 Continue\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\ntcb-info-issuer-chain:tcb\r\n"
                  "Content-Encoding: identity\r\n\r\n4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n");
    assert_int_equal(rig.rc, 0);
    assert_true(span_is(buf_span(&rig.raw.body), "{\"a\":1}"));
    assert_string_equal(rig.raw.issuer_chain, "tcb");
    rig_done(&rig);
}

static void
test_takes_the_chain_under_the_name_of_version_3(void **state)
{
    struct rig rig;
    rig_tcb(&rig, OK("SGX-TCB-Info-Issuer-Chain: three\r\n"));
    assert_int_equal(rig.rc, 0);
    assert_string_equal(rig.raw.issuer_chain, "three");
    rig_done(&rig);
}

static void
test_the_first_of_two_equal_headers_counts(void **state)
{
    struct rig rig;
    rig_tcb(&rig, OK("TCB-Info-Issuer-Chain: one\r\nTCB-Info-Issuer-Chain: two\r\n"));
    assert_string_equal(rig.raw.issuer_chain, "one");
    rig_done(&rig);
}

static void
test_turns_hex_of_a_peers_root_crl_into_der(void **state)
{
    struct script_answer answer = {.bytes =
                                       "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n3082aB00\n"};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/sgx/certification/v4/rootcacrl",
             script_server_port(rig.server));
    struct item_key key = {.kind = ITEM_ROOT_CRL};
    rig_ask(&rig, &(struct upstream_query){.key = &key, .crl_url = url});
    assert_int_equal(rig.rc, 0);
    assert_int_equal(rig.raw.body.size, 4);
    assert_memory_equal(rig.raw.body.data, "\x30\x82\xab\x00", 4);
    rig_done(&rig);
}

/* ---- statuses ---- */

static void
test_each_status_becomes_its_fault(void **state)
{
    static const struct {
        const char *answer;
        int status, rc;
        size_t requests; /* 3: tried again twice */
    } cases[] = {
        {STATUS("404 Not Found", ""), 404, FAULT_NOT_FOUND, 1},
        {STATUS("410 Gone", ""), 410, FAULT_NOT_FOUND, 1},
        {STATUS("400 Bad Request", ""), 400, FAULT_UPSTREAM_REFUSED, 1},
        {STATUS("401 Unauthorized", ""), 401, FAULT_UPSTREAM_REFUSED, 1},
        {STATUS("403 Forbidden", ""), 403, FAULT_UPSTREAM_REFUSED, 1},
        {STATUS("429 Too Many Requests", ""), 429, FAULT_UPSTREAM_DOWN, 3},
        {STATUS("500 Internal Server Error", ""), 500, FAULT_UPSTREAM_DOWN, 3},
        {STATUS("502 Bad Gateway", ""), 502, FAULT_UPSTREAM_DOWN, 3},
        {STATUS("503 Service Unavailable", ""), 503, FAULT_UPSTREAM_DOWN, 3},
        {STATUS("504 Gateway Timeout", ""), 504, FAULT_UPSTREAM_DOWN, 3},
        {STATUS("201 Created", HEADERS_ALL), 201, FAULT_UPSTREAM_ODD, 1},
        {"HTTP/1.1 204 No Content\r\n\r\n", 204, FAULT_UPSTREAM_ODD, 1},
        {STATUS("300 Multiple Choices", ""), 300, FAULT_UPSTREAM_ODD, 1},
        {STATUS("402 Payment Required", ""), 402, FAULT_UPSTREAM_ODD, 1},
        {STATUS("407 Proxy Authentication Required", ""), 407, FAULT_UPSTREAM_ODD, 1},
        {STATUS("451 Unavailable For Legal Reasons", ""), 451, FAULT_UPSTREAM_ODD, 1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct rig rig;
        rig_tcb(&rig, cases[i].answer);
        assert_int_equal(rig.raw.body.size, 0);
        assert_int_equal(rig.exchanges, cases[i].requests);
        rig_expect(&rig, cases[i].rc, cases[i].status, cases[i].requests);
    }
}

static void
test_a_fault_names_url_error_code_and_request_id_but_no_ppid(void **state)
{
    struct script_answer answer = {
        .bytes = STATUS("400 Bad Request", "Error-Code: InvalidX\r\nRequest-ID: ab-12\r\n")};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    struct item_key key = {.kind = ITEM_PCK, .platform = {.pceid = "0000"}};
    rig_ask(&rig, &(struct upstream_query){.key = &key, .encrypted_ppid = span_of_text(PPID_4)});
    assert_int_equal(rig.rc, FAULT_UPSTREAM_REFUSED);
    assert_non_null(strstr(rig.why.text, "400"));
    assert_non_null(strstr(rig.why.text, "InvalidX"));
    assert_non_null(strstr(rig.why.text, "ab-12"));
    assert_non_null(strstr(rig.why.text, "/sgx/certification/v4/pckcerts"));
    assert_null(strstr(rig.why.text, PPID_4));
    rig_done(&rig);
}

/* ---- answers that cannot be used ---- */

static void
test_refuses_an_empty_body(void **state)
{
    struct rig rig;
    rig_tcb(&rig, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTCB-Info-Issuer-Chain: x\r\n\r\n");
    rig_expect(&rig, FAULT_UPSTREAM_ODD, 200, 1);
}

static void
test_refuses_an_encoding_that_was_not_asked_for(void **state)
{
    struct rig rig;
    rig_tcb(&rig, OK("TCB-Info-Issuer-Chain: x\r\nContent-Encoding: gzip\r\n"));
    rig_expect(&rig, FAULT_UPSTREAM_ODD, 200, 1);
}

static void
test_refuses_a_missing_header_of_each_endpoint(void **state)
{
    static const struct {
        struct item_key key;
        const char *answer;
    } cases[] = {
        {{.kind = ITEM_TCBINFO, .api_version = 4, .fmspc = {"00A067110000"}}, OK("")},
        {{.kind = ITEM_TCBINFO, .api_version = 4, .fmspc = {"00A067110000"}},
         OK("TCB-Info-Issuer-Chain: \r\n")},
        {{.kind = ITEM_IDENTITY, .api_version = 4, .enclave = ENCLAVE_QE},
         OK("TCB-Info-Issuer-Chain: x\r\n")},
        {{.kind = ITEM_PCK_CRL}, OK("SGX-PCK-Certificate-Issuer-Chain: x\r\n")},
        {{.kind = ITEM_EVALNUMBERS}, OK("TCB-Info-Issuer-Chain: x\r\n")},
        {{.kind = ITEM_PCK, .platform = {.pceid = "0000"}},
         OK("SGX-FMSPC: 00a067110000\r\nSGX-PCK-Certificate-CA-Type: platform\r\n")},
        {{.kind = ITEM_PCK, .platform = {.pceid = "0000"}},
         OK("SGX-PCK-Certificate-Issuer-Chain: x\r\nSGX-PCK-Certificate-CA-Type: platform\r\n")},
        {{.kind = ITEM_PCK, .platform = {.pceid = "0000"}},
         OK("SGX-PCK-Certificate-Issuer-Chain: x\r\nSGX-FMSPC: 00a067110000\r\n")},
        {{.kind = ITEM_PCK, .platform = {.pceid = "0000"}},
         OK("SGX-PCK-Certificate-Issuer-Chain: x\r\nSGX-FMSPC: 00a06711000\r\n"
            "SGX-PCK-Certificate-CA-Type: platform\r\n")},
        {{.kind = ITEM_PCK, .platform = {.pceid = "0000"}},
         OK("SGX-PCK-Certificate-Issuer-Chain: x\r\nSGX-FMSPC: 00a067110000\r\n"
            "SGX-PCK-Certificate-CA-Type: root\r\n")},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct script_answer answer = {.bytes = cases[i].answer};
        struct rig rig;
        rig_serve(&rig, &answer, 1);
        rig_ask(&rig, &(struct upstream_query){.key = &cases[i].key,
                                               .encrypted_ppid = span_of_text(PPID_4)});
        assert_non_null(strstr(rig.why.text, "missing"));
        rig_expect(&rig, FAULT_UPSTREAM_ODD, 200, 1);
    }
}

static void
test_refuses_what_is_not_http(void **state)
{
    struct script_answer answer = {.bytes = "SSH-2.0-OpenSSH_9.2\r\n", .closes = true};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    rig_ask_tcb(&rig);
    rig_expect(&rig, FAULT_UPSTREAM_ODD, -CURLE_UNSUPPORTED_PROTOCOL, 1);
}

/* head, then size bytes of 'a'; the caller frees. */
static char *
long_answer(const char *head, size_t size, const char *tail)
{
    char *answer = malloc(strlen(head) + size + strlen(tail) + 1);
    assert_non_null(answer);
    memcpy(answer, head, strlen(head));
    memset(answer + strlen(head), 'a', size);
    memcpy(answer + strlen(head) + size, tail, strlen(tail) + 1);
    return answer;
}

static void
test_refuses_a_body_above_its_ceiling(void **state)
{
    auto_free char *large =
        long_answer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", LIMIT_CRL_BYTES + 1, "");
    struct script_answer answer = {.bytes = large, .closes = true};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/x.der", script_server_port(rig.server));
    struct item_key key = {.kind = ITEM_ROOT_CRL};
    rig_ask(&rig, &(struct upstream_query){.key = &key, .crl_url = url});
    assert_non_null(strstr(rig.why.text, "ceiling"));
    rig_expect(&rig, FAULT_UPSTREAM_ODD, 200, 1);

    auto_free char *largest =
        long_answer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", LIMIT_CRL_BYTES, "");
    answer.bytes = largest;
    rig_serve(&rig, &answer, 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/x.der", script_server_port(rig.server));
    rig_ask(&rig, &(struct upstream_query){.key = &key, .crl_url = url});
    assert_int_equal(rig.raw.body.size, LIMIT_CRL_BYTES);
    rig_expect(&rig, 0, 0, 1);
}

static void
test_refuses_a_head_above_its_ceiling(void **state)
{
    static const struct {
        const char *before;
        size_t size;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nTCB-Info-Issuer-Chain: ", LIMIT_UPSTREAM_HEAD_BYTES},
        {"HTTP/1.1 200 OK\r\nTCB-Info-Issuer-Chain: ", 4 * LIMIT_UPSTREAM_HEAD_BYTES},
        {"HTTP/1.1 200 ", 4 * LIMIT_UPSTREAM_HEAD_BYTES},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        auto_free char *head =
            long_answer(cases[i].before, cases[i].size, "\r\nContent-Length: 1\r\n\r\nx");
        struct script_answer answer = {.bytes = head, .closes = true};
        struct rig rig;
        rig_serve(&rig, &answer, 1);
        rig_ask_tcb(&rig);
        if (strstr(rig.why.text, "ceiling") == NULL) {
            fail_msg("case %zu: %s", i, rig.why.text);
        }
        rig_expect(&rig, FAULT_UPSTREAM_ODD, rig.why.number, 1);
    }
}

static void
test_an_endless_error_page_is_not_read_to_its_end(void **state)
{
    auto_free char *page =
        long_answer("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n", 4 * 1024 * 1024, "");
    struct script_answer answer = {.bytes = page, .closes = true};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    rig_ask_tcb(&rig);
    rig_expect(&rig, FAULT_NOT_FOUND, 404, 1);
}

/* ---- misuse ---- */

static void
test_refuses_queries_that_name_nothing(void **state)
{
    static const struct {
        struct item_key key;
        const char *ppid, *manifest;
    } cases[] = {
        {{.kind = ITEM_POLICIES, .fmspc = {"00A067110000"}}, NULL, NULL},
        {{.kind = ITEM_PCK, .platform = {.pceid = "0000"}}, NULL, NULL},
        {{.kind = ITEM_PCK, .platform = {.pceid = ""}}, PPID_4, NULL},
        {{.kind = ITEM_PCK, .platform = {.pceid = "0000"}}, "00&x=y", NULL},
        {{.kind = ITEM_PCK, .platform = {.pceid = "0000"}}, NULL, "00\",\"x\":\""},
        {{.kind = ITEM_TCBINFO, .api_version = 4, .update = UPDATE_ALL}, NULL, NULL},
        {{.kind = ITEM_IDENTITY, .api_version = 4}, NULL, NULL},
    };
    struct script_answer answer = {.bytes = GOOD};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        rig_ask(&rig, &(struct upstream_query){.key = &cases[i].key,
                                               .encrypted_ppid = span_of_text(cases[i].ppid),
                                               .manifest = span_of_text(cases[i].manifest)});
        assert_int_equal(rig.rc, FAULT_INTERNAL);
    }
    assert_int_equal(rig.exchanges, 0);
    rig_done(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_options_that_cannot_work),
        cmocka_unit_test(test_asks_for_each_kind_of_item_at_its_place),
        cmocka_unit_test(test_asks_for_the_version_of_the_key_or_else_of_the_uri),
        cmocka_unit_test(test_posts_a_manifest_as_json),
        cmocka_unit_test(test_the_api_key_goes_with_pckcerts_only),
        cmocka_unit_test(test_crls_come_from_their_urls),
        cmocka_unit_test(test_refuses_crl_urls_over_plain_http_or_without_form),
        cmocka_unit_test(test_a_whole_answer_comes_back_raw),
        cmocka_unit_test(test_takes_chunked_answers_and_header_names_in_any_case),
        cmocka_unit_test(test_takes_the_chain_under_the_name_of_version_3),
        cmocka_unit_test(test_the_first_of_two_equal_headers_counts),
        cmocka_unit_test(test_turns_hex_of_a_peers_root_crl_into_der),
        cmocka_unit_test(test_each_status_becomes_its_fault),
        cmocka_unit_test(test_a_fault_names_url_error_code_and_request_id_but_no_ppid),
        cmocka_unit_test(test_refuses_an_empty_body),
        cmocka_unit_test(test_refuses_an_encoding_that_was_not_asked_for),
        cmocka_unit_test(test_refuses_a_missing_header_of_each_endpoint),
        cmocka_unit_test(test_refuses_what_is_not_http),
        cmocka_unit_test(test_refuses_a_body_above_its_ceiling),
        cmocka_unit_test(test_refuses_a_head_above_its_ceiling),
        cmocka_unit_test(test_an_endless_error_page_is_not_read_to_its_end),
        cmocka_unit_test(test_refuses_queries_that_name_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
