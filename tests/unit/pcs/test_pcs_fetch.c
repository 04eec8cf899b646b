/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCS client against a scripted server on loopback: what it asks for each kind of item, and
 * what each answer of the PCS, or of whoever stands in between, becomes (api.md, When upstream
 * fails; wire_details.md 16; pcs.md).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
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
#include "pcs/pcs.h"
#include "script_server.h"

#define HEADERS_ALL                                                                                \
    "SGX-PCK-Certificate-Issuer-Chain: pck%0A\r\nTCB-Info-Issuer-Chain: tcb%0A\r\n"                \
    "SGX-Enclave-Identity-Issuer-Chain: id%0A\r\nSGX-PCK-CRL-Issuer-Chain: crl%0A\r\n"             \
    "TCB-Evaluation-Data-Numbers-Issuer-Chain: numbers%0A\r\nSGX-FMSPC: 00a067110000\r\n"          \
    "SGX-PCK-Certificate-CA-Type: platform\r\nRequest-ID: abc123\r\n"
/* A 200 with ten bytes of body. */
#define OK(headers) "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n" headers "\r\n0123456789"
#define STATUS(line, headers) "HTTP/1.1 " line "\r\nContent-Length: 4\r\n" headers "\r\noops"
#define PPID_4 "ABCD"

/* A server, a client that asks it, and what became of it. */
struct rig {
    struct script_server *server;
    struct upstream *upstream;
    struct pcs_options options;
    char uri[128];
    struct raw_reply raw;
    int rc, retry_after_s;
    struct fault why;
    int exchanges, last_status;
    char last_endpoint[32];
};

static void
on_exchange(void *self, const char *endpoint, int status, long milliseconds)
{
    struct rig *rig = self;
    rig->exchanges++;
    rig->last_status = status;
    snprintf(rig->last_endpoint, sizeof rig->last_endpoint, "%s", endpoint);
    assert_true(milliseconds >= 0);
}

static void
rig_serve(struct rig *rig, const struct script_answer *answers, size_t count)
{
    *rig = (struct rig){.server = script_server_start(answers, count, false)};
    snprintf(rig->uri, sizeof rig->uri, "http://127.0.0.1:%d/sgx/certification/v4/",
             script_server_port(rig->server));
    rig->options = (struct pcs_options){
        .uri = rig->uri,
        .api_key = "hush",
        .timeout_s = 10,
        .retries = 2,
        .first_wait_ms = 1,
        .on_exchange = on_exchange,
        .self = rig,
    };
    raw_reply_init(&rig->raw);
}

static void
rig_client(struct rig *rig)
{
    struct fault why = {0};
    if (pcs_client_new(&rig->options, &rig->upstream, &why) != 0) {
        fail_msg("%s", why.text);
    }
}

static void
rig_ask(struct rig *rig, const struct upstream_query *query)
{
    if (rig->upstream == NULL) {
        rig_client(rig);
    }
    raw_reply_done(&rig->raw);
    raw_reply_init(&rig->raw);
    rig->why = (struct fault){0};
    rig->retry_after_s = -1;
    rig->rc = rig->upstream->fetch(rig->upstream, query, &rig->raw, &rig->retry_after_s, &rig->why);
    assert_true(rig->rc == 0 || (int)rig->why.code == rig->rc);
    assert_null(strstr(rig->why.text, "hush"));
}

static void
rig_ask_tcb(struct rig *rig)
{
    struct item_key key = {.kind = ITEM_TCBINFO, .api_version = 4, .fmspc = {"00A067110000"}};
    rig_ask(rig, &(struct upstream_query){.key = &key});
}

/* Serves one answer over and over and asks for a TCB info. */
static void
rig_tcb(struct rig *rig, const char *answer)
{
    static struct script_answer answers[1];
    answers[0] = (struct script_answer){.bytes = answer};
    rig_serve(rig, answers, 1);
    rig_ask_tcb(rig);
}

/* Stops the server first: then its requests may be read. */
static size_t
rig_requests(struct rig *rig)
{
    script_server_stop(rig->server);
    return script_server_request_count(rig->server);
}

static void
rig_done(struct rig *rig)
{
    pcs_client_free(rig->upstream);
    script_server_free(rig->server);
    raw_reply_done(&rig->raw);
}

static void
expect(struct rig *rig, int rc, long number, size_t requests)
{
    if (rig->rc != rc || rig->why.number != number) {
        fail_msg("fault %d number %ld: %s", rig->rc, rig->why.number, rig->why.text);
    }
    assert_int_equal(rig_requests(rig), requests);
    rig_done(rig);
}

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
        expect(&rig, cases[i].rc, cases[i].status, cases[i].requests);
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
    expect(&rig, FAULT_UPSTREAM_ODD, 200, 1);
}

static void
test_refuses_an_encoding_that_was_not_asked_for(void **state)
{
    struct rig rig;
    rig_tcb(&rig, OK("TCB-Info-Issuer-Chain: x\r\nContent-Encoding: gzip\r\n"));
    expect(&rig, FAULT_UPSTREAM_ODD, 200, 1);
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
        expect(&rig, FAULT_UPSTREAM_ODD, 200, 1);
    }
}

static void
test_refuses_what_is_not_http(void **state)
{
    struct script_answer answer = {.bytes = "SSH-2.0-OpenSSH_9.2\r\n", .closes = true};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    rig_ask_tcb(&rig);
    expect(&rig, FAULT_UPSTREAM_ODD, -CURLE_UNSUPPORTED_PROTOCOL, 1);
}

/* head, then size bytes of 'a'; the caller frees. */
static char *
long_answer(const char *head, size_t size, const char *tail)
{
    char *answer = malloc(strlen(head) + size + strlen(tail) + 1);
    assert_non_null(answer);
    strcpy(answer, head);
    memset(answer + strlen(head), 'a', size);
    strcpy(answer + strlen(head) + size, tail);
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
    expect(&rig, FAULT_UPSTREAM_ODD, 200, 1);

    auto_free char *largest =
        long_answer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", LIMIT_CRL_BYTES, "");
    answer.bytes = largest;
    rig_serve(&rig, &answer, 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/x.der", script_server_port(rig.server));
    rig_ask(&rig, &(struct upstream_query){.key = &key, .crl_url = url});
    assert_int_equal(rig.raw.body.size, LIMIT_CRL_BYTES);
    expect(&rig, 0, 0, 1);
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
        expect(&rig, FAULT_UPSTREAM_ODD, rig.why.number, 1);
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
    expect(&rig, FAULT_NOT_FOUND, 404, 1);
}

/* ---- tries ---- */

#define GOOD OK(HEADERS_ALL)

static void
test_one_failure_is_invisible(void **state)
{
    static const struct script_answer failures[] = {
        {.bytes = STATUS("503 Service Unavailable", "")},
        {.bytes = STATUS("429 Too Many Requests", "Retry-After: 0\r\n")},
        {.bytes = NULL, .closes = true},                            /* dropped */
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .closes = true}, /* cut in the head */
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n" HEADERS_ALL "\r\n01234",
         .closes = true}, /* cut in the body */
        {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" HEADERS_ALL "\r\n5\r\n01",
         .closes = true}, /* cut in a chunk */
    };
    for (size_t i = 0; i < ARRAY_COUNT(failures); i++) {
        struct script_answer answers[] = {failures[i], {.bytes = GOOD}};
        struct rig rig;
        rig_serve(&rig, answers, ARRAY_COUNT(answers));
        rig_ask_tcb(&rig);
        if (rig.rc != 0) {
            fail_msg("failure %zu: %s", i, rig.why.text);
        }
        assert_true(span_is(buf_span(&rig.raw.body), "0123456789"));
        expect(&rig, 0, 0, 2);
    }
}

static void
test_a_post_is_tried_again_with_its_body(void **state)
{
    struct script_answer answers[] = {{.bytes = STATUS("500 Oops", "")}, {.bytes = GOOD}};
    struct rig rig;
    rig_serve(&rig, answers, ARRAY_COUNT(answers));
    struct item_key key = {.kind = ITEM_PCK, .platform = {.pceid = "0000"}};
    rig_ask(&rig, &(struct upstream_query){.key = &key, .manifest = span_of_text("00")});
    assert_int_equal(rig.rc, 0);
    assert_int_equal(rig_requests(&rig), 2);
    assert_non_null(strstr(script_server_request(rig.server, 1), "{\"platformManifest\":\"00\""));
    rig_done(&rig);
}

static void
test_a_truncated_answer_is_never_taken(void **state)
{
    struct script_answer answer = {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n" HEADERS_ALL
                                            "\r\n01234",
                                   .closes = true};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    rig_ask_tcb(&rig);
    assert_int_equal(rig.raw.body.size, 0);
    expect(&rig, FAULT_UPSTREAM_DOWN, -CURLE_PARTIAL_FILE, 3);
}

static void
test_retries_may_be_none(void **state)
{
    struct script_answer answer = {.bytes = STATUS("503 Service Unavailable", "")};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    rig.options.retries = 0;
    rig_ask_tcb(&rig);
    assert_int_equal(rig.retry_after_s, 0);
    expect(&rig, FAULT_UPSTREAM_DOWN, 503, 1);
}

static void
test_waits_double_and_start_at_the_first(void **state)
{
    struct script_answer answer = {.bytes = STATUS("503 Service Unavailable", "")};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    rig.options.first_wait_ms = 10; /* 10 + 20, and up to a quarter more */
    int64_t start_ms = clock_monotonic_ms(clock_system());
    rig_ask_tcb(&rig);
    int64_t took_ms = clock_monotonic_ms(clock_system()) - start_ms;
    assert_true(took_ms >= 29);
    expect(&rig, FAULT_UPSTREAM_DOWN, 503, 3);
}

static void
test_gives_up_at_once_where_retry_after_is_beyond_the_deadline(void **state)
{
    struct rig rig;
    int64_t start_ms = clock_monotonic_ms(clock_system());
    rig_tcb(&rig, STATUS("429 Too Many Requests", "Retry-After: 3600\r\n"));
    assert_true(clock_monotonic_ms(clock_system()) - start_ms < 5000);
    assert_int_equal(rig.retry_after_s, 3600);
    expect(&rig, FAULT_UPSTREAM_DOWN, 429, 1);
}

static void
test_retry_after_may_be_a_date(void **state)
{
    char answer[256];
    char date[64];
    time_t later = time(NULL) + 7200;
    struct tm tm;
    gmtime_r(&later, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    snprintf(answer, sizeof answer, STATUS("503 Busy", "Retry-After: %s\r\n"), date);
    struct rig rig;
    rig_tcb(&rig, answer);
    assert_in_range(rig.retry_after_s, 7100, 7200);
    expect(&rig, FAULT_UPSTREAM_DOWN, 503, 1);
}

static void
test_a_retry_after_without_sense_is_none(void **state)
{
    static const char *const answers[] = {
        STATUS("503 Busy", "Retry-After: soon\r\n"), STATUS("503 Busy", "Retry-After: -5\r\n"),
        STATUS("503 Busy", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
        STATUS("503 Busy", "Retry-After: \r\n")};
    for (size_t i = 0; i < ARRAY_COUNT(answers); i++) {
        struct rig rig;
        rig_tcb(&rig, answers[i]);
        assert_int_equal(rig.retry_after_s, 0);
        expect(&rig, FAULT_UPSTREAM_DOWN, 503, 3);
    }
    struct rig rig;
    rig_tcb(&rig, STATUS("503 Busy", "Retry-After: 99999999999999999999\r\n"));
    assert_in_range(rig.retry_after_s, 86400, 7 * 86400);
    expect(&rig, FAULT_UPSTREAM_DOWN, 503, 1);
}

static void
test_retry_after_is_waited_for(void **state)
{
    struct script_answer answers[] = {{.bytes = STATUS("429 Slow", "Retry-After: 1\r\n")},
                                      {.bytes = GOOD}};
    struct rig rig;
    rig_serve(&rig, answers, ARRAY_COUNT(answers));
    int64_t start_ms = clock_monotonic_ms(clock_system());
    rig_ask_tcb(&rig);
    assert_true(clock_monotonic_ms(clock_system()) - start_ms >= 999);
    expect(&rig, 0, 0, 2);
}

static void
test_a_slow_answer_ends_at_the_deadline(void **state)
{
    struct script_answer answer = {.bytes = GOOD, .delay_ms = 60000};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    rig.options.timeout_s = 1;
    int64_t start_ms = clock_monotonic_ms(clock_system());
    rig_ask_tcb(&rig);
    int64_t took_ms = clock_monotonic_ms(clock_system()) - start_ms;
    assert_in_range(took_ms, 900, 3000);
    expect(&rig, FAULT_UPSTREAM_DOWN, -CURLE_OPERATION_TIMEDOUT, 1);
}

static void
test_nobody_listening_is_down(void **state)
{
    struct script_answer answer = {.bytes = GOOD};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    script_server_stop(rig.server);
    rig_ask_tcb(&rig);
    assert_int_equal(rig.exchanges, 3);
    assert_int_equal(rig.last_status, 0);
    expect(&rig, FAULT_UPSTREAM_DOWN, -CURLE_COULDNT_CONNECT, 0);
}

static void *
stop_soon(void *self)
{
    usleep(20000);
    pcs_client_stop(self);
    return NULL;
}

static void
expect_stopped(const struct script_answer *answer)
{
    struct rig rig;
    rig_serve(&rig, answer, 1);
    rig_client(&rig);
    pthread_t thread;
    int64_t start_ms = clock_monotonic_ms(clock_system());
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, rig.upstream), 0);
    rig_ask_tcb(&rig);
    assert_int_equal(rig.rc, FAULT_UPSTREAM_DOWN);
    rig_ask_tcb(&rig); /* and every later one */
    assert_int_equal(rig.rc, FAULT_UPSTREAM_DOWN);
    assert_true(clock_monotonic_ms(clock_system()) - start_ms < 5000);
    pthread_join(thread, NULL);
    assert_int_equal(rig_requests(&rig), 1);
    rig_done(&rig);
}

static void
test_a_stop_ends_every_wait(void **state)
{
    expect_stopped(&(struct script_answer){.bytes = GOOD, .delay_ms = 60000});
    expect_stopped(&(struct script_answer){.bytes = STATUS("429 Slow", "Retry-After: 8\r\n")});
}

/* ---- redirects ---- */

static void
test_follows_three_redirects_within_the_host(void **state)
{
    struct script_answer answers[] = {{.bytes = STATUS("301 M", "Location: /a\r\n")},
                                      {.bytes = STATUS("302 M", "Location: b?c=d\r\n")},
                                      {.bytes = STATUS("307 M", "Location: /e\r\n")},
                                      {.bytes = GOOD}};
    struct rig rig;
    rig_serve(&rig, answers, ARRAY_COUNT(answers));
    rig_ask_tcb(&rig);
    assert_int_equal(rig.rc, 0);
    assert_int_equal(rig_requests(&rig), 4);
    assert_non_null(strstr(script_server_request(rig.server, 1), "GET /a HTTP"));
    assert_non_null(strstr(script_server_request(rig.server, 2), "GET /b?c=d HTTP"));
    assert_non_null(strstr(script_server_request(rig.server, 3), "GET /e HTTP"));
    rig_done(&rig);
}

static void
test_refuses_a_fourth_redirect(void **state)
{
    struct rig rig;
    rig_tcb(&rig, STATUS("302 Found", "Location: /again\r\n"));
    expect(&rig, FAULT_UPSTREAM_ODD, 302, 4);
}

static void
test_refuses_redirects_to_anywhere_else(void **state)
{
    static const struct {
        const char *before_port;
        int port_shift;
    } cases[] = {
        {"http://127.0.0.2:", 0},   {"http://localhost:", 0},    {"https://127.0.0.1:", 0},
        {"http://127.0.0.1:", 1},   {"http://me@127.0.0.1:", 0}, {"//attacker.example:", 0},
        {"file:///etc/passwd?", 0}, {"gopher://127.0.0.1:", 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct script_answer answer = {0};
        struct rig rig;
        rig_serve(&rig, &answer, 1);
        int port = script_server_port(rig.server);
        port = cases[i].port_shift == 0 ? port : port ^ 1;
        char bytes[256];
        snprintf(bytes, sizeof bytes,
                 "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s%d/\r\n\r\n",
                 cases[i].before_port, port);
        answer.bytes = bytes;
        rig_ask_tcb(&rig);
        expect(&rig, FAULT_UPSTREAM_ODD, 302, 1);
    }
}

static void
test_refuses_a_redirect_without_location(void **state)
{
    struct rig rig;
    rig_tcb(&rig, STATUS("302 Found", ""));
    expect(&rig, FAULT_UPSTREAM_ODD, 302, 1);
}

static void
test_a_redirected_post_stays_a_post(void **state)
{
    struct script_answer answers[] = {{.bytes = STATUS("308 M", "Location: /there\r\n")},
                                      {.bytes = GOOD}};
    struct rig rig;
    rig_serve(&rig, answers, ARRAY_COUNT(answers));
    struct item_key key = {.kind = ITEM_PCK, .platform = {.pceid = "0000"}};
    struct upstream_query query = {.key = &key, .manifest = span_of_text("00")};
    rig_ask(&rig, &query);
    assert_int_equal(rig.rc, 0);
    assert_int_equal(rig_requests(&rig), 2);
    assert_non_null(strstr(script_server_request(rig.server, 1), "POST /there HTTP"));
    assert_non_null(strstr(script_server_request(rig.server, 1), "{\"platformManifest\""));
    rig_done(&rig);

    struct script_answer see_other = {.bytes = STATUS("303 S", "Location: /there\r\n")};
    rig_serve(&rig, &see_other, 1);
    rig_ask(&rig, &query);
    expect(&rig, FAULT_UPSTREAM_ODD, 303, 1);
}

/* ---- TLS and proxies ---- */

static void
rig_serve_tls(struct rig *rig, const struct script_answer *answer)
{
    rig_serve(rig, answer, 1);
    script_server_free(rig->server);
    rig->server = script_server_start(answer, 1, true);
    snprintf(rig->uri, sizeof rig->uri, "https://127.0.0.1:%d/sgx/certification/v4/",
             script_server_port(rig->server));
}

static void
test_refuses_a_server_that_nobody_vouches_for(void **state)
{
    struct script_answer answer = {.bytes = GOOD};
    struct rig rig;
    rig_serve_tls(&rig, &answer);
    rig_ask_tcb(&rig);
    assert_int_equal(rig.exchanges, 1); /* trying again would not help */
    assert_non_null(strstr(rig.why.text, "certificate"));
    expect(&rig, FAULT_UPSTREAM_DOWN, -CURLE_PEER_FAILED_VERIFICATION, 0);
}

static void
test_trusts_the_upstream_ca_file(void **state)
{
    struct script_answer answer = {.bytes = GOOD};
    struct rig rig;
    rig_serve_tls(&rig, &answer);
    char path[] = "/tmp/test_pcs_ca_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(
        file_write_atomic(path, span_of_text(script_server_cert(rig.server)), 0600, NULL), 0);
    rig.options.ca_file = path;
    rig_ask_tcb(&rig);
    unlink(path);
    expect(&rig, 0, 0, 1);
}

static void
test_loopback_is_never_proxied(void **state)
{
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("all_proxy", "http://127.0.0.1:9", 1);
    struct script_answer answer = {.bytes = GOOD};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    rig.options.proxy = "http://127.0.0.1:9";
    rig_ask_tcb(&rig);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    expect(&rig, 0, 0, 1);
}

static void
expect_proxied(const char *by_option, const char *variable)
{
    struct script_answer answer = {.bytes = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
                                   .closes = true};
    struct rig rig;
    rig_serve(&rig, &answer, 1);
    char proxy[64];
    snprintf(proxy, sizeof proxy, "http://me:word@127.0.0.1:%d", script_server_port(rig.server));
    snprintf(rig.uri, sizeof rig.uri, "https://pcs.invalid/sgx/certification/v4/");
    rig.options.proxy = by_option != NULL ? proxy : "";
    rig.options.retries = 0;
    setenv("no_proxy", by_option != NULL ? "*" : "", 1);
    if (variable != NULL) {
        setenv(variable, proxy, 1);
    }
    rig_ask_tcb(&rig);
    unsetenv("no_proxy");
    unsetenv("https_proxy");
    assert_int_equal(rig.rc, FAULT_UPSTREAM_DOWN);
    assert_null(strstr(rig.why.text, "word"));
    assert_int_equal(rig_requests(&rig), 1);
    assert_non_null(strstr(script_server_request(rig.server, 0), "CONNECT pcs.invalid:443 HTTP"));
    rig_done(&rig);
}

static void
test_https_goes_through_the_proxy(void **state)
{
    expect_proxied("option", NULL); /* whatever no_proxy says */
    expect_proxied(NULL, "https_proxy");
}

/* ---- many threads ---- */

enum { THREADS = 4, FETCHES = 5 };

struct asker {
    struct upstream *upstream;
    struct script_server *server;
    pthread_t thread;
    int failures;
};

static void *
ask_often(void *self)
{
    struct asker *asker = self;
    struct item_key key = {.kind = ITEM_CRL};
    snprintf(key.url, sizeof key.url, "http://127.0.0.1:%d/a.der",
             script_server_port(asker->server));
    for (int i = 0; i < FETCHES; i++) {
        struct raw_reply raw;
        int retry_after_s = 0;
        int rc = asker->upstream->fetch(asker->upstream, &(struct upstream_query){.key = &key},
                                        &raw, &retry_after_s, NULL);
        asker->failures += rc != 0;
        if (rc == 0) {
            raw_reply_done(&raw);
        }
    }
    return NULL;
}

static void
test_many_threads_use_one_client(void **state)
{
    struct script_answer answer = {.bytes = OK("")};
    struct pcs_options options = {.uri = "https://pcs.invalid/sgx/certification/v4/"};
    struct upstream *upstream = NULL;
    assert_int_equal(pcs_client_new(&options, &upstream, NULL), 0);
    struct asker askers[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        askers[i] =
            (struct asker){.upstream = upstream, .server = script_server_start(&answer, 1, false)};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(askers[i].thread, NULL);
        script_server_stop(askers[i].server);
        assert_int_equal(askers[i].failures, 0);
        assert_int_equal(script_server_request_count(askers[i].server), FETCHES);
        script_server_free(askers[i].server);
    }
    pcs_client_free(upstream);
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
        cmocka_unit_test(test_one_failure_is_invisible),
        cmocka_unit_test(test_a_post_is_tried_again_with_its_body),
        cmocka_unit_test(test_a_truncated_answer_is_never_taken),
        cmocka_unit_test(test_retries_may_be_none),
        cmocka_unit_test(test_waits_double_and_start_at_the_first),
        cmocka_unit_test(test_gives_up_at_once_where_retry_after_is_beyond_the_deadline),
        cmocka_unit_test(test_retry_after_may_be_a_date),
        cmocka_unit_test(test_a_retry_after_without_sense_is_none),
        cmocka_unit_test(test_retry_after_is_waited_for),
        cmocka_unit_test(test_a_slow_answer_ends_at_the_deadline),
        cmocka_unit_test(test_nobody_listening_is_down),
        cmocka_unit_test(test_a_stop_ends_every_wait),
        cmocka_unit_test(test_follows_three_redirects_within_the_host),
        cmocka_unit_test(test_refuses_a_fourth_redirect),
        cmocka_unit_test(test_refuses_redirects_to_anywhere_else),
        cmocka_unit_test(test_refuses_a_redirect_without_location),
        cmocka_unit_test(test_a_redirected_post_stays_a_post),
        cmocka_unit_test(test_refuses_a_server_that_nobody_vouches_for),
        cmocka_unit_test(test_trusts_the_upstream_ca_file),
        cmocka_unit_test(test_loopback_is_never_proxied),
        cmocka_unit_test(test_https_goes_through_the_proxy),
        cmocka_unit_test(test_many_threads_use_one_client),
        cmocka_unit_test(test_refuses_queries_that_name_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
