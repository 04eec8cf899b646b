/* SPDX-License-Identifier: BSD-3-Clause */
/* Hexadecimal: the exact forms of api.md, Values, and none of their neighbours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/mem.h"

static void
test_refuses_neighbours_of_digits_blanks_and_prefixes(void **state)
{
    static const char *const bad[] = {"0/", "0:", "0@", "0G", "0`", "0g",
                                      " 0", "0 ", "0x", "-1", "+1", "0\n"};
    uint8_t out[1] = {0x77};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(hex_is(span_of_text(bad[i])));
        assert_false(hex_decode(span_of_text(bad[i]), out, 1));
    }
    assert_false(hex_decode(span_of("0\0", 2), out, 1));
    assert_int_equal(out[0], 0x77);
}

static void
test_refuses_another_length(void **state)
{
    uint8_t out[2] = {1, 2};
    assert_false(hex_decode(span_of_text("abc"), out, 2));
    assert_false(hex_decode(span_of_text("abcde"), out, 2));
    assert_false(hex_decode(span_of_text("abcdef"), out, 2));
    assert_int_equal(out[0], 1);
    assert_false(hex_is_sized(span_of_text("abc"), 4));
    assert_true(hex_is_sized(span_of_text("aBc0"), 4));
}

static void
test_appending_refuses_an_odd_length_and_adds_nothing(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(2);
    assert_int_equal(hex_add_decoded(&b, span_of_text("abc")), FAULT_INPUT);
    assert_int_equal(hex_add_decoded(&b, span_of_text("ab0z")), FAULT_INPUT);
    assert_int_equal(b.size, 0);
    assert_int_equal(hex_add_decoded(&b, span_of_text("ff00")), 0);
    assert_memory_equal(b.data, "\xff\x00", 2);
    assert_int_equal(hex_add_decoded(&b, span_of_text("01")), FAULT_TOO_LARGE);
}

static void
test_all_bytes_survive_both_ways(void **state)
{
    uint8_t bytes[256];
    uint8_t back[256];
    char text[513];
    for (unsigned i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
    }
    hex_encode_lower(span_of(bytes, 256), text);
    assert_int_equal(strlen(text), 512);
    assert_memory_equal(text + 0x1e * 2, "1e1f", 4);
    assert_true(hex_decode(span_of_text(text), back, 256));
    assert_memory_equal(bytes, back, 256);
    hex_encode_upper(span_of(bytes, 256), text);
    assert_memory_equal(text + 0x1e * 2, "1E1F", 4);
    assert_true(hex_decode(span_of_text(text), back, 256));
    assert_memory_equal(bytes, back, 256);
}

static void
test_appending_digits_respects_the_ceiling(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(5);
    assert_int_equal(hex_add_lower(&b, span_of("\xab", 1)), 0);
    assert_int_equal(hex_add_upper(&b, span_of("\xab", 1)), 0);
    assert_string_equal(buf_text(&b), "abAB");
    assert_int_equal(hex_add_upper(&b, span_of("\xab", 1)), FAULT_TOO_LARGE);
    assert_string_equal(buf_text(&b), "abAB");
}

static void
test_nothing_is_hexadecimal(void **state)
{
    char text[1] = {'x'};
    assert_true(hex_is(span_of(NULL, 0)));
    assert_true(hex_decode(span_of(NULL, 0), NULL, 0));
    hex_encode_lower(span_of(NULL, 0), text);
    assert_int_equal(text[0], '\0');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_neighbours_of_digits_blanks_and_prefixes),
        cmocka_unit_test(test_refuses_another_length),
        cmocka_unit_test(test_appending_refuses_an_odd_length_and_adds_nothing),
        cmocka_unit_test(test_all_bytes_survive_both_ways),
        cmocka_unit_test(test_appending_digits_respects_the_ceiling),
        cmocka_unit_test(test_nothing_is_hexadecimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
