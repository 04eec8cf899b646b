/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of platforms, row by row: what is refused, and that nothing is taken after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "pccsadmin/platform_list.h"

/* As platform_list_open, of a text. */
static struct platform_list
list_of(const char *text)
{
    return (struct platform_list){.stream = fmemopen((void *)(uintptr_t)text, strlen(text), "r"),
                                  .path = "list"};
}

/* How many rows come, and the fault at the end. */
static size_t
rows_of(const char *text, int *ret_end)
{
    struct platform_list list = list_of(text);
    struct buf row = BUF_INIT(PLATFORM_ROW_BYTES_MAX);
    struct fault why;
    size_t count = 0;
    while ((*ret_end = platform_list_next(&list, &row, &why)) == 0) {
        count++;
    }
    assert_int_equal(platform_list_next(&list, &row, &why), FAULT_NOT_FOUND);
    buf_done(&row);
    platform_list_close(&list);
    return count;
}

static void
test_refuses_what_is_no_array_of_objects(void **state)
{
    static const char *const texts[] = {" ",       "{}",         "[",     "[1]",      "[[]]",
                                        "[\"a\"]", "[{}",        "[{},]", "[{} {}]",  "[{}]x",
                                        "[{}],",   "[{\"a\":}]", "[{]",   "[{\"a\"]", "nul"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int end;
        rows_of(texts[i], &end);
        assert_int_equal(end, FAULT_INPUT);
    }
}

static void
test_gives_the_rows_before_a_broken_one_and_none_after(void **state)
{
    int end;
    (void)state;
    assert_int_equal(rows_of("[{\"a\":1},{\"b\":2},{\"c\"},{\"d\":4}]", &end), 2);
    assert_int_equal(end, FAULT_INPUT);
}

static void
test_refuses_a_row_above_its_ceiling(void **state)
{
    struct platform_list list = list_of("[{\"a\":\"0123456789\"}]");
    struct buf row = BUF_INIT(16);
    struct fault why;
    (void)state;
    assert_int_equal(platform_list_next(&list, &row, &why), FAULT_INPUT);
    assert_non_null(strstr(why.text, "larger"));
    buf_done(&row);
    platform_list_close(&list);
}

static void
test_brackets_and_quotes_in_strings_do_not_end_a_row(void **state)
{
    int end;
    (void)state;
    assert_int_equal(rows_of(" [ {\"a\":\"}]\\\"{\"} , {\"b\":{\"c\":[{}]}} ] \n", &end), 2);
    assert_int_equal(end, FAULT_NOT_FOUND);
    assert_int_equal(rows_of("[]", &end), 0);
    assert_int_equal(end, FAULT_NOT_FOUND);
}

static int
check_row(const char *text)
{
    struct platform_row row;
    struct buf b = BUF_INIT(PLATFORM_ROW_BYTES_MAX);
    struct fault why;
    buf_add_text(&b, text);
    assert_int_equal(platform_row_parse(&b, &row, &why), 0);
    int failed = platform_row_check(&row, &why);
    platform_row_done(&row);
    return failed;
}

static void
test_a_platform_needs_a_pce_id_and_a_ppid_or_manifest_in_hex(void **state)
{
    static const char *const refused[] = {
        "{}",
        "{\"qe_id\":\"A\"}",
        "{\"qe_id\":\"A\",\"pce_id\":\"000\"}",
        "{\"qe_id\":\"A\",\"pce_id\":\"0000\"}",
        "{\"qe_id\":\"\",\"pce_id\":\"0000\",\"platform_manifest\":\"00\"}",
        "{\"qe_id\":\"A\",\"pce_id\":\"0000\",\"enc_ppid\":\"00\"}",
        "{\"qe_id\":\"A\",\"pce_id\":\"0000\",\"platform_manifest\":\"000\"}",
        "{\"qe_id\":\"A\",\"pce_id\":\"0000\",\"platform_manifest\":\"0g\"}",
        "{\"qe_id\":1,\"pce_id\":\"0000\",\"platform_manifest\":\"00\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(check_row(refused[i]), FAULT_INPUT);
    }
    assert_int_equal(
        check_row("{\"qe_id\":\"A\",\"pce_id\":\"0000\",\"platform_manifest\":\"00fF\"}"), 0);
}

static void
test_a_null_manifest_is_none(void **state)
{
    struct platform_row row;
    struct buf b = BUF_INIT(64);
    struct fault why;
    (void)state;
    buf_add_text(&b, "{\"platform_manifest\":null}");
    assert_int_equal(platform_row_parse(&b, &row, &why), 0);
    assert_string_equal(platform_row_get(&row, "platform_manifest"), "");
    assert_string_equal(platform_row_get(&row, "qe_id"), "");
    platform_row_done(&row);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_is_no_array_of_objects),
        cmocka_unit_test(test_gives_the_rows_before_a_broken_one_and_none_after),
        cmocka_unit_test(test_refuses_a_row_above_its_ceiling),
        cmocka_unit_test(test_brackets_and_quotes_in_strings_do_not_end_a_row),
        cmocka_unit_test(test_a_platform_needs_a_pce_id_and_a_ppid_or_manifest_in_hex),
        cmocka_unit_test(test_a_null_manifest_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
