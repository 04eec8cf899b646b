/* SPDX-License-Identifier: BSD-3-Clause */
/* Faults: one printable line each, whatever foreign bytes went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/fault.h"

static void
test_replaces_what_is_not_printable_ascii(void **state)
{
    struct fault why = {0};
    fault_set(&why, FAULT_INPUT, "parse", "name is %s", "a\r\nSet-Cookie: x\x7f\xc3\xa4\x1b[2J");
    assert_string_equal(why.text, "name is a??Set-Cookie: x????[2J");
}

static void
test_cuts_what_is_too_long_and_shows_it(void **state)
{
    char text[FAULT_TEXT_SIZE + 1];
    struct fault why = {0};
    memset(text, 'a', sizeof text);
    text[FAULT_TEXT_SIZE - 1] = '\0';
    fault_set(&why, FAULT_INPUT, "parse", "%s", text);
    assert_string_equal(why.text, text);

    text[FAULT_TEXT_SIZE - 1] = 'a';
    text[FAULT_TEXT_SIZE] = '\0';
    fault_set(&why, FAULT_INPUT, "parse", "%s", text);
    assert_int_equal(strlen(why.text), FAULT_TEXT_SIZE - 1);
    assert_string_equal(why.text + FAULT_TEXT_SIZE - 5, "a...");
}

static void
test_a_fault_may_be_part_of_its_own_text(void **state)
{
    struct fault why = {0};
    fault_set(&why, FAULT_IO, "file", "no such file");
    assert_int_equal(fault_set(&why, FAULT_CONFIG, "config", "TrustAnchors: %s", why.text),
                     FAULT_CONFIG);
    assert_string_equal(why.text, "TrustAnchors: no such file");
    assert_string_equal(why.stage, "config");
}

static void
test_the_code_comes_back_even_if_nobody_wants_the_detail(void **state)
{
    assert_int_equal(fault_set(NULL, FAULT_OLDER, "verify", "x"), FAULT_OLDER);
    assert_int_equal(fault_set_number(NULL, FAULT_STORE, "store", 5, "x"), FAULT_STORE);
    assert_int_equal(fault_recode(NULL, FAULT_BUSY), FAULT_BUSY);
}

static void
test_recoding_keeps_the_text(void **state)
{
    struct fault why = {0};
    fault_set_number(&why, FAULT_SIGNATURE, "verify", 42, "does not verify");
    assert_int_equal(fault_recode(&why, FAULT_UPSTREAM_UNPROVEN), FAULT_UPSTREAM_UNPROVEN);
    assert_int_equal(why.code, FAULT_UPSTREAM_UNPROVEN);
    assert_int_equal(why.number, 42);
    assert_string_equal(why.text, "does not verify");
    /* a new fault does not inherit the number */
    fault_set(&why, FAULT_INPUT, "parse", "x");
    assert_int_equal(why.number, 0);
}

static void
test_every_code_has_a_word(void **state)
{
    for (int code = 0; code < FAULT_COUNT; code++) {
        assert_non_null(fault_word(code));
        assert_string_not_equal(fault_word(code), "unknown");
        for (int other = 0; other < code; other++) {
            assert_string_not_equal(fault_word(code), fault_word(other));
        }
    }
    assert_string_equal(fault_word(FAULT_NOT_FOUND), "not-found");
    assert_string_equal(fault_word(-1), "unknown");
    assert_string_equal(fault_word(FAULT_COUNT), "unknown");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replaces_what_is_not_printable_ascii),
        cmocka_unit_test(test_cuts_what_is_too_long_and_shows_it),
        cmocka_unit_test(test_a_fault_may_be_part_of_its_own_text),
        cmocka_unit_test(test_the_code_comes_back_even_if_nobody_wants_the_detail),
        cmocka_unit_test(test_recoding_keeps_the_text),
        cmocka_unit_test(test_every_code_has_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
