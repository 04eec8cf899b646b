/* SPDX-License-Identifier: BSD-3-Clause */
/* The head of a request: every refusal of RFC 9112 that this service makes, then what it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/http_parse.h"

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: x\r\n"

/* The status of the refusal; 0: taken; -1: more is wanted. Whole and byte by byte must agree. */
static int
status_of_bytes(const void *bytes, size_t size)
{
    static struct http_head whole, dripped;
    http_head_init(&whole);
    enum http_parse result = http_parse_head(&whole, span_of(bytes, size));
    http_head_init(&dripped);
    enum http_parse drip = HTTP_PARSE_MORE;
    for (size_t i = 1; i <= size && drip == HTTP_PARSE_MORE; i++) {
        drip = http_parse_head(&dripped, span_of(bytes, i));
    }
    assert_int_equal(result, drip);
    if (result == HTTP_PARSE_REFUSED) {
        assert_int_equal(whole.refused, dripped.refused);
        assert_non_null(whole.clause);
        return whole.refused;
    }
    return result == HTTP_PARSE_DONE ? 0 : -1;
}

static int
status_of(const char *text)
{
    return status_of_bytes(text, strlen(text));
}

static void
parse(struct http_head *head, const char *text)
{
    http_head_init(head);
    assert_int_equal(http_parse_head(head, span_of_text(text)), HTTP_PARSE_DONE);
}

static void
test_refuses_two_content_lengths(void **state)
{
    assert_int_equal(status_of(LINE HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400);
    assert_int_equal(status_of(LINE HOST "Content-Length: 5, 5\r\n\r\n"), 400);
}

static void
test_refuses_a_length_beside_a_transfer_coding(void **state)
{
    assert_int_equal(status_of(LINE HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
                     400);
    assert_int_equal(status_of(LINE HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"),
                     400);
}

static void
test_refuses_transfer_codings_but_one_chunked(void **state)
{
    assert_int_equal(status_of(LINE HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501);
    assert_int_equal(status_of(LINE HOST "Transfer-Encoding: identity\r\n\r\n"), 501);
    assert_int_equal(status_of(LINE HOST "Transfer-Encoding: \x0b"
                                         "chunked\r\n\r\n"),
                     400);
    assert_int_equal(status_of(LINE HOST "Transfer-Encoding: chunked\r\n"
                                         "Transfer-Encoding: chunked\r\n\r\n"),
                     400);
    assert_int_equal(status_of("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
                     400);
}

static void
test_refuses_lengths_that_are_no_plain_number(void **state)
{
    static const char *const values[] = {
        "", "-1", "+1", "0x10", "1 0", "1.0", "1\t1", "٣", "1000000000000000000", "abc"};
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        char text[200];
        snprintf(text, sizeof text, LINE HOST "Content-Length: %s\r\n\r\n", values[i]);
        assert_int_equal(status_of(text), 400);
    }
}

static void
test_refuses_a_missing_or_second_or_foul_host(void **state)
{
    assert_int_equal(status_of(LINE "\r\n"), 400);
    assert_int_equal(status_of(LINE HOST HOST "\r\n"), 400);
    assert_int_equal(status_of(LINE HOST "hOST: y\r\n\r\n"), 400);
    assert_int_equal(status_of(LINE "Host: a b\r\n\r\n"), 400);
    assert_int_equal(status_of(LINE "Host: a/b\r\n\r\n"), 400);
    assert_int_equal(status_of(LINE "Host: user@x\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), 400);
}

static void
test_refuses_folded_lines(void **state)
{
    assert_int_equal(status_of(LINE HOST "A: b\r\n c\r\n\r\n"), 400);
    assert_int_equal(status_of(LINE HOST "A: b\r\n\tc\r\n\r\n"), 400);
    assert_int_equal(status_of(LINE " Host: x\r\n\r\n"), 400);
}

static void
test_refuses_names_with_blanks_or_without_characters(void **state)
{
    assert_int_equal(status_of(LINE HOST "A : b\r\n\r\n"), 400);
    assert_int_equal(status_of(LINE HOST "Content-Length : 5\r\n\r\n"), 400);
    assert_int_equal(status_of(LINE HOST ": b\r\n\r\n"), 400);
    assert_int_equal(status_of(LINE HOST "nothing\r\n\r\n"), 400);
    assert_int_equal(status_of(LINE HOST "A(b): c\r\n\r\n"), 400);
}

static void
test_refuses_control_characters(void **state)
{
    static const char nul_in_value[] = LINE HOST "A: b\0c\r\n\r\n";
    static const char nul_in_name[] = LINE HOST "A\0: b\r\n\r\n";
    static const char nul_in_target[] = "GET /\0 HTTP/1.1\r\n" HOST "\r\n";
    assert_int_equal(status_of_bytes(nul_in_value, sizeof nul_in_value - 1), 400);
    assert_int_equal(status_of_bytes(nul_in_name, sizeof nul_in_name - 1), 400);
    assert_int_equal(status_of_bytes(nul_in_target, sizeof nul_in_target - 1), 400);
    assert_int_equal(status_of(LINE HOST "A: b\rc\r\n\r\n"), 400);
    assert_int_equal(status_of(LINE HOST "A: \x7f\r\n\r\n"), 400);
    assert_int_equal(status_of("GET /\t HTTP/1.1\r\n" HOST "\r\n"), 400);
}

static void
test_refuses_bare_line_feeds(void **state)
{
    assert_int_equal(status_of("GET / HTTP/1.1\n" HOST "\r\n"), 400);
    assert_int_equal(status_of(LINE "Host: x\n\r\n"), 400);
    assert_int_equal(status_of(LINE HOST "\n"), 400);
    assert_int_equal(status_of("\nGET / HTTP/1.1\r\n" HOST "\r\n"), 400);
}

static void
test_refuses_request_lines_of_another_form(void **state)
{
    static const char *const lines[] = {
        "GET /",           "GET / ",          "GET  / HTTP/1.1",
        "GET /  HTTP/1.1", "GET / HTTP/1.1 ", "GET\t/ HTTP/1.1",
        " GET / HTTP/1.1", "/ HTTP/1.1",      "GET / http/1.1",
        "GET / HTTP/1",    "GET / HTTP/11.1", "GET / HTTP/1.x",
        "G@T / HTTP/1.1",  "G\"T / HTTP/1.1", "GETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1",
    };
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        char text[200];
        snprintf(text, sizeof text, "%s\r\n" HOST "\r\n", lines[i]);
        assert_int_equal(status_of(text), 400);
    }
    assert_int_equal(status_of("\r\n\r\n" LINE HOST "\r\n"), 400);
}

static void
test_refuses_other_versions(void **state)
{
    assert_int_equal(status_of("GET / HTTP/2.0\r\n" HOST "\r\n"), 505);
    assert_int_equal(status_of("GET / HTTP/0.9\r\n" HOST "\r\n"), 505);
    assert_int_equal(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
}

static void
test_refuses_targets_that_are_neither_path_nor_url(void **state)
{
    static const char *const targets[] = {
        "*",       "x",        "x/y",         "//\x80",    "/a#b",      "ftp://x/",
        "http://", "http:///", "http://a@b/", "x.org:443", "/\xc3\xa9",
    };
    for (size_t i = 0; i < ARRAY_COUNT(targets); i++) {
        char text[200];
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" HOST "\r\n", targets[i]);
        assert_int_equal(status_of(text), 400);
    }
    assert_int_equal(status_of("CONNECT x:443 HTTP/1.1\r\n" HOST "\r\n"), 400);
}

static void
test_refuses_at_once_what_cannot_become_a_request(void **state)
{
    static const uint8_t client_hello[] = {0x16, 0x03, 0x01, 0x02, 0x00};
    assert_int_equal(status_of_bytes(client_hello, sizeof client_hello), 400);
    assert_int_equal(status_of("{\"a\":"), 400);
    assert_int_equal(status_of("\rG"), 400);
    assert_int_equal(status_of("abcdefghijklmnopqrstuvwxyzabcdefghijklmnop"), 400);
}

/* prefix, then fill characters, then suffix; size bytes in all. */
static char *
text_of_size(const char *prefix, const char *suffix, size_t size)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'a', size);
    memcpy(text, prefix, strlen(prefix));
    memcpy(text + size - strlen(suffix), suffix, strlen(suffix));
    text[size] = '\0';
    return text;
}

static void
test_refuses_heads_above_16_kb(void **state)
{
    auto_free char *fits = text_of_size(LINE HOST "A: ", "\r\n\r\n", LIMIT_HTTP_HEAD_BYTES);
    assert_int_equal(status_of(fits), 0);
    auto_free char *above = text_of_size(LINE HOST "A: ", "\r\n\r\n", LIMIT_HTTP_HEAD_BYTES + 1);
    assert_int_equal(status_of(above), 431);
    auto_free char *line =
        text_of_size("GET /", " HTTP/1.1\r\n" HOST "\r\n", LIMIT_HTTP_HEAD_BYTES + 100);
    assert_int_equal(status_of(line), 414);
}

static void
test_refuses_more_than_100_headers(void **state)
{
    for (int extra = 99; extra <= 100; extra++) {
        char text[4096] = LINE HOST;
        for (int i = 0; i < extra; i++) {
            strncat(text, "a: b\r\n", sizeof text - strlen(text) - 1);
        }
        strncat(text, "\r\n", sizeof text - strlen(text) - 1);
        assert_int_equal(status_of(text), extra == 99 ? 0 : 431);
    }
}

static void
test_wants_more_until_the_empty_line(void **state)
{
    static const char text[] = "\r\n" LINE HOST "A: b\r\n\r\n";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        assert_int_equal(status_of_bytes(text, size), -1);
    }
    assert_int_equal(status_of_bytes(text, sizeof text - 1), 0);
}

static void
test_takes_a_request_apart(void **state)
{
    static struct http_head head;
    parse(&head,
          "GET /sgx/certification/v4/crl?uri=https://x/a:b[]|&c HTTP/1.1\r\nhost: [::1]:8081\r\n"
          "User-Token:\t a b \t\r\nempty:\r\n\r\nGET /next");
    assert_int_equal(head.method, HTTP_GET);
    assert_true(span_is(head.method_text, "GET"));
    assert_true(span_is(head.path, "/sgx/certification/v4/crl"));
    assert_true(span_is(head.query, "uri=https://x/a:b[]|&c"));
    assert_int_equal(head.header_count, 3);
    assert_true(span_is(head.headers[1].name, "User-Token"));
    assert_true(span_is(head.headers[1].value, "a b"));
    assert_int_equal(head.headers[2].value.size, 0);
    assert_true(head.keeps_alive);
    assert_false(head.has_body);
    assert_true(head.size > 0);
}

static void
test_tells_the_methods_apart(void **state)
{
    static const struct {
        const char *text;
        enum http_method method;
    } rows[] = {{"GET", HTTP_GET},     {"HEAD", HTTP_HEAD},     {"POST", HTTP_POST},
                {"PUT", HTTP_PUT},     {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS},
                {"PATCH", HTTP_PATCH}, {"get", HTTP_OTHER},     {"BREW", HTTP_OTHER}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char text[100];
        static struct http_head head;
        snprintf(text, sizeof text, "%s /a HTTP/1.1\r\n" HOST "\r\n", rows[i].text);
        parse(&head, text);
        assert_int_equal(head.method, rows[i].method);
    }
}

static void
test_takes_absolute_and_asterisk_targets(void **state)
{
    static struct http_head head;
    parse(&head, "GET http://x:8081/a/b?c=d HTTP/1.1\r\n" HOST "\r\n");
    assert_true(span_is(head.path, "/a/b") && span_is(head.query, "c=d"));
    parse(&head, "GET HTTPS://x HTTP/1.1\r\n" HOST "\r\n");
    assert_true(span_is(head.path, "/") && head.query.size == 0);
    parse(&head, "GET http://x?c=/d HTTP/1.1\r\n" HOST "\r\n");
    assert_true(span_is(head.path, "/") && span_is(head.query, "c=/d"));
    parse(&head, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    assert_true(span_is(head.path, "*"));
}

static void
test_keeps_alive_as_the_version_has_it(void **state)
{
    static struct http_head head;
    parse(&head, "GET / HTTP/1.0\r\n\r\n");
    assert_false(head.keeps_alive);
    parse(&head, "GET / HTTP/1.0\r\nConnection: TE, Keep-Alive\r\n\r\n");
    assert_true(head.keeps_alive);
    parse(&head, LINE HOST "Connection: keep-alive ,close\r\n\r\n");
    assert_false(head.keeps_alive);
    parse(&head, LINE HOST "Connection: closed\r\n\r\n");
    assert_true(head.keeps_alive);
}

static void
test_announces_the_body(void **state)
{
    static struct http_head head;
    parse(&head,
          "POST / HTTP/1.1\r\n" HOST "Content-Length: 000012\r\nExpect: 100-Continue\r\n\r\n");
    assert_true(head.has_body && !head.chunked && head.wants_continue);
    assert_int_equal(head.content_length, 12);
    parse(&head, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n");
    assert_true(head.has_body && head.chunked && !head.wants_continue);
    parse(&head, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n");
    assert_false(head.has_body);
    assert_false(head.wants_continue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_two_content_lengths),
        cmocka_unit_test(test_refuses_a_length_beside_a_transfer_coding),
        cmocka_unit_test(test_refuses_transfer_codings_but_one_chunked),
        cmocka_unit_test(test_refuses_lengths_that_are_no_plain_number),
        cmocka_unit_test(test_refuses_a_missing_or_second_or_foul_host),
        cmocka_unit_test(test_refuses_folded_lines),
        cmocka_unit_test(test_refuses_names_with_blanks_or_without_characters),
        cmocka_unit_test(test_refuses_control_characters),
        cmocka_unit_test(test_refuses_bare_line_feeds),
        cmocka_unit_test(test_refuses_request_lines_of_another_form),
        cmocka_unit_test(test_refuses_other_versions),
        cmocka_unit_test(test_refuses_targets_that_are_neither_path_nor_url),
        cmocka_unit_test(test_refuses_at_once_what_cannot_become_a_request),
        cmocka_unit_test(test_refuses_heads_above_16_kb),
        cmocka_unit_test(test_refuses_more_than_100_headers),
        cmocka_unit_test(test_wants_more_until_the_empty_line),
        cmocka_unit_test(test_takes_a_request_apart),
        cmocka_unit_test(test_tells_the_methods_apart),
        cmocka_unit_test(test_takes_absolute_and_asterisk_targets),
        cmocka_unit_test(test_keeps_alive_as_the_version_has_it),
        cmocka_unit_test(test_announces_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
