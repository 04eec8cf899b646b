/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers: the ceiling holds to the byte, and a failure is never forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

static void
test_refuses_the_byte_beyond_the_ceiling_and_remembers(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(4);
    assert_int_equal(buf_add_text(&b, "abcd"), 0);
    assert_int_equal(buf_add_byte(&b, 'e'), FAULT_TOO_LARGE);
    assert_string_equal(buf_text(&b), "abcd");
    /* nothing is added any more, not even what would fit */
    buf_consume(&b, 4);
    assert_int_equal(buf_add_text(&b, "x"), FAULT_TOO_LARGE);
    assert_int_equal(buf_add_format(&b, "x"), FAULT_TOO_LARGE);
    assert_null(buf_reserve(&b, 0));
    assert_int_equal(b.size, 0);
    buf_clear(&b);
    assert_int_equal(buf_add_text(&b, "xyz"), 0);
    assert_string_equal(buf_text(&b), "xyz");
}

static void
test_refuses_a_format_beyond_the_ceiling_whole(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(6);
    assert_int_equal(buf_add_format(&b, "%d", 123), 0);
    assert_int_equal(buf_add_format(&b, "%s", "4567"), FAULT_TOO_LARGE);
    assert_string_equal(buf_text(&b), "123");
}

static void
test_a_zeroed_buf_takes_nothing(void **state)
{
    struct buf b = {0};
    assert_int_equal(buf_add(&b, span_of(NULL, 0)), 0);
    assert_int_equal(buf_add_byte(&b, 'a'), FAULT_TOO_LARGE);
    buf_done(&b);
    buf_done(NULL);
    buf_done_secret(NULL);
}

static void
test_refuses_more_than_the_machine_has(void **state)
{
    struct buf b = BUF_INIT(SIZE_MAX);
    assert_int_equal(buf_add_text(&b, "a"), 0);
    assert_null(buf_reserve(&b, SIZE_MAX - 1));
    assert_int_equal(b.failed, FAULT_MEMORY);
    assert_string_equal(buf_text(&b), "a");
    buf_done(&b);
}

static void
test_grows_and_always_ends_in_a_nul(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(100000);
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(buf_add_byte(&b, (uint8_t)('a' + i % 26)), 0);
        assert_int_equal(buf_text(&b)[b.size], '\0');
    }
    assert_int_equal(b.size, 10000);
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(b.data[i], 'a' + i % 26);
    }
    assert_true(b.capacity <= b.size_max + 1);
}

static void
test_reserved_room_becomes_content(void **state)
{
    auto_cleanup(buf_done_secret) struct buf b = BUF_INIT(10);
    buf_add_text(&b, "12");
    uint8_t *room = buf_reserve(&b, 8);
    assert_non_null(room);
    memcpy(room, "345", 3);
    buf_grew(&b, 3);
    assert_string_equal(buf_text(&b), "12345");
    assert_null(buf_reserve(&b, 6));
    assert_int_equal(b.failed, FAULT_TOO_LARGE);
}

static void
test_consume_keeps_the_rest(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(10);
    buf_consume(&b, 0);
    buf_add_text(&b, "abcdef");
    buf_consume(&b, 2);
    assert_string_equal(buf_text(&b), "cdef");
    buf_consume(&b, 4);
    assert_string_equal(buf_text(&b), "");
}

static void
test_taken_content_belongs_to_the_taker(void **state)
{
    struct buf b = BUF_INIT(10);
    size_t size = 77;
    auto_free char *empty = buf_take(&b, &size);
    assert_string_equal(empty, "");
    assert_int_equal(size, 0);
    buf_add_text(&b, "abc");
    auto_free char *text = buf_take(&b, NULL);
    assert_string_equal(text, "abc");
    assert_null(b.data);
    assert_int_equal(buf_add_text(&b, "0123456789"), 0); /* the ceiling stays */
    assert_int_equal(buf_add_byte(&b, 'x'), FAULT_TOO_LARGE);
    buf_done(&b);
}

static void
test_text_of_an_empty_buf_is_the_empty_string(void **state)
{
    struct buf b = BUF_INIT(1);
    assert_string_equal(buf_text(&b), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_the_byte_beyond_the_ceiling_and_remembers),
        cmocka_unit_test(test_refuses_a_format_beyond_the_ceiling_whole),
        cmocka_unit_test(test_a_zeroed_buf_takes_nothing),
        cmocka_unit_test(test_refuses_more_than_the_machine_has),
        cmocka_unit_test(test_grows_and_always_ends_in_a_nul),
        cmocka_unit_test(test_reserved_room_becomes_content),
        cmocka_unit_test(test_consume_keeps_the_rest),
        cmocka_unit_test(test_taken_content_belongs_to_the_taker),
        cmocka_unit_test(test_text_of_an_empty_buf_is_the_empty_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
