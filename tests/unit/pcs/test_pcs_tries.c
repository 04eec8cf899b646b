/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCS client when things go wrong or another way: tries and waits, deadlines and stops,
 * redirects, TLS and proxies, many threads (api.md, When upstream fails; wire_details.md 16).
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

/* ---- tries ---- */

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
        rig_expect(&rig, 0, 0, 2);
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
    rig_expect(&rig, FAULT_UPSTREAM_DOWN, -CURLE_PARTIAL_FILE, 3);
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
    rig_expect(&rig, FAULT_UPSTREAM_DOWN, 503, 1);
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
    rig_expect(&rig, FAULT_UPSTREAM_DOWN, 503, 3);
}

static void
test_gives_up_at_once_where_retry_after_is_beyond_the_deadline(void **state)
{
    struct rig rig;
    int64_t start_ms = clock_monotonic_ms(clock_system());
    rig_tcb(&rig, STATUS("429 Too Many Requests", "Retry-After: 3600\r\n"));
    assert_true(clock_monotonic_ms(clock_system()) - start_ms < 5000);
    assert_int_equal(rig.retry_after_s, 3600);
    rig_expect(&rig, FAULT_UPSTREAM_DOWN, 429, 1);
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
    rig_expect(&rig, FAULT_UPSTREAM_DOWN, 503, 1);
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
        rig_expect(&rig, FAULT_UPSTREAM_DOWN, 503, 3);
    }
    struct rig rig;
    rig_tcb(&rig, STATUS("503 Busy", "Retry-After: 99999999999999999999\r\n"));
    assert_in_range(rig.retry_after_s, 86400, 7 * 86400);
    rig_expect(&rig, FAULT_UPSTREAM_DOWN, 503, 1);
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
    rig_expect(&rig, 0, 0, 2);
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
    rig_expect(&rig, FAULT_UPSTREAM_DOWN, -CURLE_OPERATION_TIMEDOUT, 1);
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
    rig_expect(&rig, FAULT_UPSTREAM_DOWN, -CURLE_COULDNT_CONNECT, 0);
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
    rig_expect(&rig, FAULT_UPSTREAM_ODD, 302, 4);
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
        rig_expect(&rig, FAULT_UPSTREAM_ODD, 302, 1);
    }
}

static void
test_refuses_a_redirect_without_location(void **state)
{
    struct rig rig;
    rig_tcb(&rig, STATUS("302 Found", ""));
    rig_expect(&rig, FAULT_UPSTREAM_ODD, 302, 1);
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
    rig_expect(&rig, FAULT_UPSTREAM_ODD, 303, 1);
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
    rig_expect(&rig, FAULT_UPSTREAM_DOWN, -CURLE_PEER_FAILED_VERIFICATION, 0);
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
    rig_expect(&rig, 0, 0, 1);
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
    rig_expect(&rig, 0, 0, 1);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
