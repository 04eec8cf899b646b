/* SPDX-License-Identifier: BSD-3-Clause */
/* UTF-8 per RFC 3629: every boundary of its table, from both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/utf8.h"

static void
test_refuses_what_rfc_3629_excludes(void **state)
{
    static const char *const bad[] = {
        "\x80", /* a continuation with nothing before it */
        "\xbf",
        "\xc0\x80", /* overlong NUL */
        "\xc1\xbf",
        "\xe0\x9f\xbf", /* overlong */
        "\xed\xa0\x80", /* U+D800, a surrogate */
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xf4\x90\x80\x80", /* U+110000 */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3",
        "\xc3(",
        "\xe2\x82",
        "\xe2\x82(",
        "\xf0\x9f\x98",
        "\xf0\x9f\x98(",
        "\xf0(\x98\x80",
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(utf8_first(span_of_text(bad[i])), 0);
        assert_false(utf8_is(span_of_text(bad[i])));
    }
    assert_int_equal(utf8_first(span_of(NULL, 0)), 0);
}

static void
test_takes_every_boundary(void **state)
{
    static const struct {
        const char *text;
        uint32_t character;
    } good[] = {
        {"\x7f", 0x7f},
        {"\xc2\x80", 0x80},
        {"\xdf\xbf", 0x7ff},
        {"\xe0\xa0\x80", 0x800},
        {"\xed\x9f\xbf", 0xd7ff},
        {"\xee\x80\x80", 0xe000},
        {"\xef\xbf\xbf", 0xffff},
        {"\xf0\x90\x80\x80", 0x10000},
        {"\xf4\x8f\xbf\xbf", 0x10ffff},
    };
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        uint8_t out[4];
        size_t size = utf8_encode(good[i].character, out);
        assert_true(span_is(span_of(out, size), good[i].text));
        assert_int_equal(utf8_first(span_of_text(good[i].text)), size);
    }
    assert_int_equal(utf8_first(span_of("\0", 1)), 1);
}

static void
test_never_looks_behind_the_span(void **state)
{
    /* the continuation is there, but not ours */
    assert_int_equal(utf8_first(span_of("\xc3\xa4", 1)), 0);
}

static void
test_counts_characters_and_leaves_the_output_alone_on_failure(void **state)
{
    size_t characters = 77;
    assert_false(utf8_count(span_of_text("ab\xff"), &characters));
    assert_int_equal(characters, 77);
    assert_true(utf8_count(span_of_text("a\xc3\xa4\xf0\x9f\x98\x80"), &characters));
    assert_int_equal(characters, 3);
    assert_true(utf8_count(span_of(NULL, 0), &characters));
    assert_int_equal(characters, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_rfc_3629_excludes),
        cmocka_unit_test(test_takes_every_boundary),
        cmocka_unit_test(test_never_looks_behind_the_span),
        cmocka_unit_test(test_counts_characters_and_leaves_the_output_alone_on_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
