/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tools' client: what it refuses before it speaks, and how it explains. What it does on the
 * wire, TLS included, the integration tests of the tools show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "pccs_client/pccs_client.h"

static int
forget(void **state)
{
    unsetenv("CURL_CA_BUNDLE");
    unsetenv("REQUESTS_CA_BUNDLE");
    unsetenv("SSL_CERT_FILE");
    return 0;
}

static void
assert_ca_refused(const char *ca, const char *source)
{
    struct pccs_client *client = NULL;
    struct fault why = {.number = 0};
    const struct pccs_client_options options = {.ca = ca};
    assert_int_equal(pccs_client_new(&options, &client, &why), FAULT_CONFIG);
    assert_null(client);
    if (strncmp(why.text, source, strlen(source)) != 0) {
        fail_msg("'%s' does not begin with '%s'", why.text, source);
    }
}

static void
test_refuses_a_ca_that_cannot_be_read(void **state)
{
    static const char *const variables[] = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
                                            "CURL_CA_BUNDLE"};
    assert_ca_refused("/nonexistent.pem", "--ca: cannot read /nonexistent.pem");
    for (size_t i = 0; i < 3; i++) { /* each overrules those before it */
        setenv(variables[i], "/nonexistent.pem", 1);
        assert_ca_refused(NULL, variables[i]);
    }
}

static void
test_refuses_a_folder_without_hashes(void **state)
{
    char folder[] = "/tmp/test_pccs_client_XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    assert_ca_refused(folder, "--ca");
    snprintf(path, sizeof path, "%s/0123abcd.0", folder);
    fclose(fopen(path, "w"));
    struct pccs_client *client = NULL;
    const struct pccs_client_options options = {.ca = folder};
    assert_int_equal(pccs_client_new(&options, &client, NULL), 0);
    pccs_client_free(client);
    unlink(path);
    rmdir(folder);
}

static void
test_a_ca_is_not_needed_where_nothing_is_verified(void **state)
{
    struct pccs_client *client = NULL;
    const struct pccs_client_options options = {.ca = "/nonexistent", .is_unverified = true};
    assert_int_equal(pccs_client_new(&options, &client, NULL), 0);
    pccs_client_free(client);
}

static void
test_refuses_a_given_proxy_without_a_url(void **state)
{
    struct pccs_client *client = NULL;
    const struct pccs_client_options options = {.proxy = PCCS_PROXY_GIVEN, .proxy_url = ""};
    assert_int_equal(pccs_client_new(&options, &client, NULL), FAULT_CONFIG);
    pccs_client_free(NULL);
}

static void
assert_request_refused(const char *url, const char *token, const char *reason)
{
    struct pccs_client *client = NULL;
    struct pccs_reply reply = {.status = 0};
    struct fault why = {.number = 0};
    const struct pccs_client_options options = {.timeout_ms = 1000};
    const struct pccs_request request = {.url = url, .user_token = token};
    assert_int_equal(pccs_client_new(&options, &client, NULL), 0);
    assert_int_equal(pccs_client_ask(client, &request, &reply, &why), FAULT_CONFIG);
    if (strstr(why.text, reason) == NULL) {
        fail_msg("'%s' does not say '%s'", why.text, reason);
    }
    pccs_reply_done(&reply);
    pccs_client_free(client);
}

static void
test_refuses_urls_that_are_none_or_would_show_the_token(void **state)
{
    assert_request_refused("localhost:8081", NULL, "https://HOST");
    assert_request_refused("ftp://localhost/", NULL, "https://HOST");
    assert_request_refused("https://a:b@localhost/", NULL, "https://HOST");
    assert_request_refused("http://pccs.example/", "secret", "use https://");
}

static void
test_refuses_a_token_that_would_bring_headers(void **state)
{
    assert_request_refused("https://127.0.0.1:1/", "a\r\nadmin-token: b", "control character");
    char token[20000];
    memset(token, 'x', sizeof token);
    token[sizeof token - 1] = '\0';
    assert_request_refused("https://127.0.0.1:1/", token, "longer than");
}

/* ---- explaining ---- */

static void
assert_explained(const struct pccs_reply *reply, const struct fault *why, const char *const *words,
                 size_t count)
{
    struct buf out = BUF_INIT(16384);
    const struct pccs_request request = {
        .method = PCCS_PUT, .url = "https://pccs/x", .user_token = "secret"};
    assert_int_equal(pccs_reply_explain(&request, reply, why, &out), 0);
    for (size_t i = 0; i < count; i++) {
        if (strstr(buf_text(&out), words[i]) == NULL) {
            fail_msg("'%s' is not in: %s", words[i], buf_text(&out));
        }
    }
    assert_null(strstr(buf_text(&out), "secret"));
    assert_null(strchr(buf_text(&out), '\x1b'));
    buf_done(&out);
}

static void
test_explains_an_answer_with_detail_and_request_id(void **state)
{
    static const char *const words[] = {"PUT https://pccs/x", "answer: 404 No ?[31mcache",
                                        "PCCS-Error-Detail: the reason", "Request-ID: 4711"};
    static const char head[] = "HTTP/1.1 404\0request-id:  4711 \0PCCS-Error-Detail: the reason\0";
    struct pccs_reply reply = {.status = 404, .body = BUF_INIT(100), .head = BUF_INIT(100)};
    buf_add_text(&reply.body, "No \x1b[31mcache");
    buf_add(&reply.head, span_of(head, sizeof head - 1));
    assert_explained(&reply, NULL, words, ARRAY_COUNT(words));
    struct span value;
    assert_true(pccs_reply_header(&reply, "Request-ID", &value));
    assert_true(span_is(value, "4711"));
    assert_false(pccs_reply_header(&reply, "Request", &value));
    pccs_reply_done(&reply);
}

static void
test_explains_a_certificate_that_is_not_trusted(void **state)
{
    static const char *const words[] = {"subject: CN = pccs", "issuer: CN = their CA",
                                        "names: localhost",   "self-signed",
                                        "--ca FILE",          "ssl_key/ca.crt"};
    struct pccs_reply reply = {.is_untrusted = true,
                               .tls_subject = "CN = pccs",
                               .tls_issuer = "CN = their CA",
                               .tls_names = "localhost",
                               .tls_reason = "self-signed certificate"};
    const struct fault why = {.code = FAULT_CHAIN, .text = "SSL"};
    assert_explained(&reply, &why, words, ARRAY_COUNT(words));
    static const char *const expired[] = {"period of validity"};
    strncpy(reply.tls_reason, "certificate has expired", sizeof reply.tls_reason - 1);
    assert_explained(&reply, &why, expired, 1);
    reply.is_misnamed = true;
    static const char *const misnamed[] = {"made for other names"};
    assert_explained(&reply, &why, misnamed, 1);
}

static void
test_explains_that_nobody_is_there(void **state)
{
    struct pccs_client *client = NULL;
    struct pccs_reply reply = {.status = 0};
    struct fault why = {.number = 0};
    const struct pccs_client_options options = {.proxy = PCCS_PROXY_DIRECT, .timeout_ms = 5000};
    const struct pccs_request request = {.url = "https://127.0.0.1:1/", .user_token = "secret"};
    static const char *const words[] = {"no answer", "is the PCCS running"};
    assert_int_equal(pccs_client_new(&options, &client, NULL), 0);
    assert_int_equal(pccs_client_ask(client, &request, &reply, &why), FAULT_UPSTREAM_DOWN);
    assert_explained(&reply, &why, words, 2);
    pccs_reply_done(&reply);
    pccs_client_free(client);
}

int
main(void)
{
    forget(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_refuses_a_ca_that_cannot_be_read, forget),
        cmocka_unit_test(test_refuses_a_folder_without_hashes),
        cmocka_unit_test(test_refuses_a_given_proxy_without_a_url),
        cmocka_unit_test(test_refuses_urls_that_are_none_or_would_show_the_token),
        cmocka_unit_test(test_refuses_a_token_that_would_bring_headers),
        cmocka_unit_test(test_a_ca_is_not_needed_where_nothing_is_verified),
        cmocka_unit_test(test_explains_an_answer_with_detail_and_request_id),
        cmocka_unit_test(test_explains_a_certificate_that_is_not_trusted),
        cmocka_unit_test(test_explains_that_nobody_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
