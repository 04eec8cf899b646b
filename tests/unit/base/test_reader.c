/* SPDX-License-Identifier: BSD-3-Clause */
/* The bounded reader: a read that fails changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/reader.h"

static void
assert_unmoved(const struct reader *r, struct span before)
{
    assert_ptr_equal(r->rest.data, before.data);
    assert_int_equal(r->rest.size, before.size);
}

static void
test_a_failed_read_leaves_reader_and_output_alone(void **state)
{
    struct span bytes = span_of("\x01\x02\x03", 3);
    struct reader r = reader_of(bytes);
    uint32_t number = 77;
    struct span taken = span_of_text("before");
    assert_false(reader_u32_le(&r, &number));
    assert_int_equal(number, 77);
    assert_unmoved(&r, bytes);
    assert_false(reader_bytes(&r, 4, &taken));
    assert_false(reader_bytes(&r, SIZE_MAX, &taken));
    assert_false(reader_until(&r, 0x09, &taken));
    assert_true(span_is(taken, "before"));
    assert_false(reader_skip_text(&r, "\x01\x02\x03\x04"));
    assert_false(reader_skip_text(&r, "\x01\x03"));
    assert_unmoved(&r, bytes);
}

static void
test_an_empty_reader_gives_nothing(void **state)
{
    struct reader r = reader_of(span_of(NULL, 0));
    uint8_t byte = 7;
    uint16_t number = 7;
    struct span taken;
    assert_true(reader_at_end(&r));
    assert_false(reader_byte(&r, &byte));
    assert_false(reader_peek(&r, &byte));
    assert_false(reader_u16_le(&r, &number));
    assert_false(reader_until(&r, 0, &taken));
    assert_int_equal(byte, 7);
    assert_true(reader_bytes(&r, 0, &taken));
    assert_true(reader_skip_text(&r, ""));
}

static void
test_numbers_are_little_endian(void **state)
{
    struct reader r = reader_of(span_of("\x01\x02\xff\xfe\xfd\xfc", 6));
    uint16_t small;
    uint32_t large;
    assert_true(reader_u16_le(&r, &small));
    assert_int_equal(small, 0x0201);
    assert_true(reader_u32_le(&r, &large));
    assert_true(large == UINT32_C(0xfcfdfeff));
    assert_true(reader_at_end(&r));
}

static void
test_until_takes_the_delimiter_away(void **state)
{
    struct reader r = reader_of(span_of_text("a=b="));
    struct span part;
    assert_true(reader_until(&r, '=', &part));
    assert_true(span_is(part, "a"));
    assert_true(reader_until(&r, '=', &part));
    assert_true(span_is(part, "b"));
    assert_false(reader_until(&r, '=', &part));
    assert_true(reader_at_end(&r));
}

static void
test_peek_does_not_move(void **state)
{
    struct reader r = reader_of(span_of_text("ab"));
    uint8_t byte;
    assert_true(reader_peek(&r, &byte));
    assert_true(reader_peek(&r, &byte));
    assert_int_equal(byte, 'a');
    assert_true(reader_byte(&r, &byte));
    assert_true(reader_byte(&r, &byte));
    assert_int_equal(byte, 'b');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failed_read_leaves_reader_and_output_alone),
        cmocka_unit_test(test_an_empty_reader_gives_nothing),
        cmocka_unit_test(test_numbers_are_little_endian),
        cmocka_unit_test(test_until_takes_the_delimiter_away),
        cmocka_unit_test(test_peek_does_not_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
