/* SPDX-License-Identifier: BSD-3-Clause */
/* The chunked coding: what two decoders could read in two ways is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/http_chunk.h"

/* Decodes with the input cut into pieces of that size. */
static enum http_chunk
decode(const char *text, size_t piece, struct buf *body, size_t *ret_left)
{
    struct http_chunks chunks = {0};
    struct span all = span_of_text(text);
    enum http_chunk result = HTTP_CHUNK_MORE;
    size_t at = 0;
    while (at < all.size && result == HTTP_CHUNK_MORE) {
        size_t size = piece < all.size - at ? piece : all.size - at;
        struct span input = span_of(all.data + at, size);
        do {
            struct span data = span_of_text("");
            result = http_chunks_take(&chunks, &input, &data);
            assert_int_equal(buf_add(body, data), 0);
        } while (result == HTTP_CHUNK_DATA);
        at += size - input.size;
    }
    *ret_left = all.size - at;
    return result;
}

static void
assert_refused(const char *text)
{
    for (size_t piece = 1; piece < 40; piece += 13) {
        auto_cleanup(buf_done) struct buf body = BUF_INIT(1000);
        size_t left;
        assert_int_equal(decode(text, piece, &body, &left), HTTP_CHUNK_REFUSED);
    }
}

static void
test_refuses_sizes_that_are_no_plain_hex_number(void **state)
{
    assert_refused("\r\n");
    assert_refused("-1\r\n");
    assert_refused("+1\r\na\r\n");
    assert_refused("0x1\r\na\r\n");
    assert_refused(" 1\r\na\r\n");
    assert_refused("1 \r\na\r\n");
    assert_refused("g\r\n");
    assert_refused(";a\r\n");
    assert_refused("1000000000000000\r\n"); /* 16 digits */
}

static void
test_refuses_lines_without_crlf(void **state)
{
    assert_refused("1\na\r\n0\r\n\r\n");
    assert_refused("1\r\na\n0\r\n\r\n");
    assert_refused("1\r\nab\r\n0\r\n\r\n");
    assert_refused("1\r\na0\r\n\r\n");
    assert_refused("1\rx");
    assert_refused("0\r\n\n");
    assert_refused("0\r\n\rx");
    assert_refused("1;a\nb\r\na\r\n0\r\n\r\n");
}

static void
test_refuses_trailers_that_are_no_fields(void **state)
{
    assert_refused("0\r\nGET / HTTP/1.1\r\n\r\n");
    assert_refused("0\r\n a: b\r\n\r\n");
    assert_refused("0\r\na: \x01\r\n\r\n");
    assert_refused("0\r\n: b\r\n\r\n");
}

static void
test_refuses_extensions_and_trailers_beyond_the_ceiling(void **state)
{
    enum { SIZE = LIMIT_HTTP_CHUNK_EXTRA_BYTES + 20 };
    char text[SIZE + 1];
    memset(text, 'a', SIZE);
    text[SIZE] = '\0';
    memcpy(text, "1;", 2);
    assert_refused(text);
    memcpy(text, "0\r\na:", 5);
    assert_refused(text);
}

static void
test_joins_the_chunks_however_they_arrive(void **state)
{
    static const char text[] = "5\r\nhello\r\n1;name=\"value\"\r\n \r\n00A\r\n0123456789\r\n"
                               "0\r\nTrailer: x\r\nOther:\r\n\r\nGET";
    for (size_t piece = 1; piece < sizeof text; piece++) {
        auto_cleanup(buf_done) struct buf body = BUF_INIT(1000);
        size_t left;
        assert_int_equal(decode(text, piece, &body, &left), HTTP_CHUNK_DONE);
        assert_string_equal(buf_text(&body), "hello 0123456789");
        assert_int_equal(left, 3);
    }
}

static void
test_wants_more_until_the_last_line(void **state)
{
    static const char text[] = "1\r\na\r\n0\r\n\r\n";
    for (size_t size = 1; size < sizeof text - 1; size++) {
        char part[sizeof text] = {0};
        memcpy(part, text, size);
        auto_cleanup(buf_done) struct buf body = BUF_INIT(1000);
        size_t left;
        assert_int_equal(decode(part, 100, &body, &left), HTTP_CHUNK_MORE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_sizes_that_are_no_plain_hex_number),
        cmocka_unit_test(test_refuses_lines_without_crlf),
        cmocka_unit_test(test_refuses_trailers_that_are_no_fields),
        cmocka_unit_test(test_refuses_extensions_and_trailers_beyond_the_ceiling),
        cmocka_unit_test(test_joins_the_chunks_however_they_arrive),
        cmocka_unit_test(test_wants_more_until_the_last_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
