/* SPDX-License-Identifier: BSD-3-Clause */
/* POST platforms/ack: one bad row refuses all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "request/request.h"

static void
assert_refused(const char *body, const char *word)
{
    struct ack_row *rows = (struct ack_row *)&rows;
    size_t count = 77;
    struct fault why = {0};
    assert_int_equal(ack_parse(span_of_text(body), &rows, &count, &why), FAULT_INPUT);
    assert_non_null(strstr(why.text, word));
    assert_int_equal(count, 77);
    assert_ptr_equal(rows, &rows);
}

static void
test_refuses_what_is_no_array(void **state)
{
    assert_refused("", "byte");
    assert_refused("{}", "array");
    assert_refused("null", "array");
    assert_refused("[", "byte");
    assert_refused("[{\"qe_id\":\"a\",\"qe_id\":\"b\",\"pce_id\":\"0000\"}]", "twice");
}

static void
test_refuses_all_for_one_bad_row(void **state)
{
#define GOOD "{\"qe_id\":\"a\",\"pce_id\":\"0000\",\"cpu_svn\":\"\",\"pce_svn\":\"\"}"
    assert_refused("[" GOOD ",1]", "row 1");
    assert_refused("[" GOOD ",{}]", "row 1");
    assert_refused("[{\"qe_id\":\"\",\"pce_id\":\"0000\"}]", "qe_id");
    assert_refused("[{\"qe_id\":\"a\",\"pce_id\":\"000\"}]", "pce_id");
    assert_refused("[{\"qe_id\":\"a\"}]", "pce_id");
    assert_refused("[" GOOD ",{\"qe_id\":\"a\",\"pce_id\":\"0000\",\"cpu_svn\":1}]", "cpu_svn");
    assert_refused("[{\"qe_id\":\"a\",\"pce_id\":\"0000\",\"pce_svn\":\"0d00\"}]", "row 0");
    assert_refused("[{\"qe_id\":\"a\",\"pce_id\":\"0000\",\"cpu_svn\":\"00\",\"pce_svn\":\"\"}]",
                   "row 0");
}

static void
test_refuses_more_rows_than_the_ceiling(void **state)
{
    auto_cleanup(buf_done) struct buf b = BUF_INIT(4 * LIMIT_ACK_ROWS);
    buf_add_text(&b, "[0");
    for (size_t i = 0; i < LIMIT_ACK_ROWS; i++) {
        buf_add_text(&b, ",0");
    }
    buf_add_text(&b, "]");
    assert_int_equal(b.failed, 0);
    assert_refused(buf_text(&b), "at most");
}

static void
test_takes_an_empty_list(void **state)
{
    struct ack_row *rows = NULL;
    size_t count = 1;
    assert_int_equal(ack_parse(span_of_text("[]"), &rows, &count, NULL), 0);
    assert_int_equal(count, 0);
    free(rows);
}

static void
test_takes_the_file_of_the_admin_tool(void **state)
{
    static const char body[] =
        "[{\"enc_ppid\": \"aa\", \"platform_manifest\": \"\", \"qe_id\": \"ab\", \"pce_id\": "
        "\"0a00\", \"cpu_svn\": \"0102030405060708090a0b0c0d0e0f10\", \"pce_svn\": \"0d00\"},"
        "{\"enc_ppid\": \"\", \"platform_manifest\": \"00\", \"qe_id\": \"c\", \"pce_id\": "
        "\"0000\", \"cpu_svn\": \"\", \"pce_svn\": \"\"}]";
    struct ack_row *rows = NULL;
    size_t count = 0;
    assert_int_equal(ack_parse(span_of_text(body), &rows, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(rows[0].platform.qeid, "AB");
    assert_string_equal(rows[0].platform.pceid, "0A00");
    assert_string_equal(rows[0].cpusvn, "0102030405060708090A0B0C0D0E0F10");
    assert_string_equal(rows[0].pcesvn, "0D00");
    assert_string_equal(rows[1].platform.qeid, "C");
    assert_string_equal(rows[1].cpusvn, "");
    assert_string_equal(rows[1].pcesvn, "");
    free(rows);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_is_no_array),
        cmocka_unit_test(test_refuses_all_for_one_bad_row),
        cmocka_unit_test(test_refuses_more_rows_than_the_ceiling),
        cmocka_unit_test(test_takes_an_empty_list),
        cmocka_unit_test(test_takes_the_file_of_the_admin_tool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
