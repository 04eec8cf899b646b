/* SPDX-License-Identifier: BSD-3-Clause */
/* URLs: encodeURIComponent's alphabet, and no URL that two parsers read differently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/url.h"

static void
test_refuses_a_percent_without_two_digits(void **state)
{
    static const char *const bad[] = {"%", "a%", "%4", "%4g", "%g4", "%%41", "% 41", "%-1"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        auto_cleanup(buf_done) struct buf b = BUF_INIT(100);
        assert_int_equal(url_add_decoded(&b, span_of_text(bad[i])), FAULT_INPUT);
    }
}

static void
test_ceilings_hold(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(5);
    assert_int_equal(url_add_encoded(&b, span_of_text("++")), FAULT_TOO_LARGE);
    auto_cleanup(buf_done) struct buf c = BUF_INIT(1);
    assert_int_equal(url_add_decoded(&c, span_of_text("%41%42")), FAULT_TOO_LARGE);
}

static void
test_encodes_what_encodeuricomponent_encodes(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(1000);
    assert_int_equal(url_add_encoded(&b, span_of_text("AZaz09-_.!~*'()")), 0);
    assert_string_equal(buf_text(&b), "AZaz09-_.!~*'()");
    buf_clear(&b);
    assert_int_equal(url_add_encoded(&b, span_of_text("a b+c\n/=&%\xc3\xa4")), 0);
    assert_string_equal(buf_text(&b), "a%20b%2Bc%0A%2F%3D%26%25%C3%A4");
    buf_clear(&b);
    assert_int_equal(url_add_encoded(&b, span_of("\0", 1)), 0);
    assert_string_equal(buf_text(&b), "%00");
}

static void
test_every_byte_survives_both_ways_and_plus_stays_plus(void **state)
{
    auto_cleanup(buf_done) struct buf encoded = BUF_INIT(1000);
    auto_cleanup(buf_done) struct buf decoded = BUF_INIT(1000);
    uint8_t bytes[256];
    for (unsigned i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_int_equal(url_add_encoded(&encoded, span_of(bytes, 256)), 0);
    assert_int_equal(url_add_decoded(&decoded, buf_span(&encoded)), 0);
    assert_true(span_equal(buf_span(&decoded), span_of(bytes, 256)));
    buf_clear(&decoded);
    assert_int_equal(url_add_decoded(&decoded, span_of_text("a+b%2b%2B")), 0);
    assert_string_equal(buf_text(&decoded), "a+b++");
}

static void
test_refuses_urls_that_can_be_misread(void **state)
{
    static const char *const bad[] = {
        "",
        "https://",
        "https:///x",
        "https:/host/x",
        "//host/x",
        "host/x",
        "ftp://host/x",
        "file:///etc/passwd",
        "https://user@host/x",
        "https://user:secret@host/x",
        "https://host\\@evil/x",
        "https://host /x",
        "https://host/x y",
        "https://host/x\n",
        "https://host/x\x7f",
        "https://host/\xc3\xa4",
        "https://host/x#y",
        "https://host#/x",
        "https://host?x",
        "https://ho%73t/x",
        "https://host:/x",
        "https://host:0/x",
        "https://host:65536/x",
        "https://host:000443/x",
        "https://host:44x/x",
        "https://host:-1/x",
        "https://host:1:2/x",
        "https://[::1/x",
        "https://[host]/x",
        "https://[::1]x/x",
        "https://[]/x",
        "https://::1/x",
        "https://ho,st/x",
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct url_parts parts = {.port = 77};
        assert_int_equal(url_split(span_of_text(bad[i]), &parts), FAULT_INPUT);
        assert_int_equal(parts.port, 77);
    }
    struct url_parts parts;
    assert_int_equal(url_split(span_of("https://a\0b/", 12), &parts), FAULT_INPUT);
}

static void
test_splits_without_normalising(void **state)
{
    struct url_parts p;
    assert_int_equal(url_split(span_of_text("https://Host.example/A/../b%2f?q=1&r=:/@"), &p), 0);
    assert_true(p.https);
    assert_true(span_is(p.host, "Host.example"));
    assert_int_equal(p.port, 443);
    assert_true(span_is(p.path, "/A/../b%2f?q=1&r=:/@"));

    assert_int_equal(url_split(span_of_text("http://127.0.0.1:8080"), &p), 0);
    assert_false(p.https);
    assert_true(span_is(p.host, "127.0.0.1"));
    assert_int_equal(p.port, 8080);
    assert_int_equal(p.path.size, 0);

    assert_int_equal(url_split(span_of_text("HTTP://[::1]:65535/"), &p), 0);
    assert_true(span_is(p.host, "::1"));
    assert_int_equal(p.port, 65535);
    assert_true(span_is(p.path, "/"));

    assert_int_equal(url_split(span_of_text("http://[2001:db8::1]/x"), &p), 0);
    assert_true(span_is(p.host, "2001:db8::1"));
    assert_int_equal(p.port, 80);
}

static void
test_only_this_machine_is_loopback(void **state)
{
    static const char *const no[] = {
        "",          "localhost.evil", "127.0.0.1.evil", "127.1",
        "128.0.0.1", "126.0.0.1",      "0.0.0.0",        "::",
        "::2",       "[::1]",          "2130706433",     "127.0.0.256"};
    static const char *const yes[] = {"localhost", "LocalHost", "127.0.0.1", "127.255.255.254",
                                      "::1"};
    for (size_t i = 0; i < ARRAY_COUNT(no); i++) {
        assert_false(url_host_is_loopback(span_of_text(no[i])));
    }
    for (size_t i = 0; i < ARRAY_COUNT(yes); i++) {
        assert_true(url_host_is_loopback(span_of_text(yes[i])));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_a_percent_without_two_digits),
        cmocka_unit_test(test_ceilings_hold),
        cmocka_unit_test(test_encodes_what_encodeuricomponent_encodes),
        cmocka_unit_test(test_every_byte_survives_both_ways_and_plus_stays_plus),
        cmocka_unit_test(test_refuses_urls_that_can_be_misread),
        cmocka_unit_test(test_splits_without_normalising),
        cmocka_unit_test(test_only_this_machine_is_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
