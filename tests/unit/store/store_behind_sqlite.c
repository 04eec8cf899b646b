/* SPDX-License-Identifier: BSD-3-Clause */
/* SQLite behind a store under test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/hex.h"
#include "store_behind_priv.h"

static const char *
argument(sqlite3_value *value)
{
    const char *text = (const char *)sqlite3_value_text(value);
    return text != NULL ? text : "";
}

static void
do_unhex(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct buf bytes = BUF_INIT(1 << 20);
    assert_int_equal(0, hex_add_decoded(&bytes, span_of_text(argument(values[0]))));
    sqlite3_result_blob(context, buf_text(&bytes), (int)bytes.size, SQLITE_TRANSIENT);
    buf_done(&bytes);
}

static void
do_hex_pad(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    char text[128];
    snprintf(text, sizeof text, "%0*llX", sqlite3_value_int(values[1]),
             (unsigned long long)sqlite3_value_int64(values[0]));
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static void
do_repeat(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct buf text = BUF_INIT(1 << 24);
    for (int i = 0; i < sqlite3_value_int(values[1]); i++) {
        assert_int_equal(0, buf_add_text(&text, argument(values[0])));
    }
    sqlite3_result_text(context, buf_text(&text), (int)text.size, SQLITE_TRANSIENT);
    buf_done(&text);
}

static void
do_as_text(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    if (sqlite3_value_type(values[0]) != SQLITE_NULL) {
        sqlite3_result_text(context, argument(values[0]), -1, SQLITE_TRANSIENT);
    }
}

static void *
open_file(const char *path)
{
    sqlite3 *handle = NULL;
    assert_int_equal(SQLITE_OK, sqlite3_open(path, &handle));
    sqlite3_busy_timeout(handle, 1000);
    /* Scripts write row by row; nobody pulls the plug on a test. */
    assert_int_equal(SQLITE_OK, sqlite3_exec(handle, "PRAGMA synchronous = OFF", NULL, NULL, NULL));
    static const struct {
        const char *name;
        int count;
        void (*call)(sqlite3_context *context, int count, sqlite3_value **values);
    } functions[] = {
        {"unhex", 1, do_unhex},        {"hex_pad", 2, do_hex_pad}, {"repeat", 2, do_repeat},
        {"stamp_text", 1, do_as_text}, {"text_of", 1, do_as_text},
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        assert_int_equal(SQLITE_OK,
                         sqlite3_create_function(handle, functions[i].name, functions[i].count,
                                                 SQLITE_UTF8, NULL, functions[i].call, NULL, NULL));
    }
    return handle;
}

static void
close_file(void *handle)
{
    sqlite3_close(handle);
}

static void
run_text(void *handle, const char *text)
{
    char *message = NULL;
    if (sqlite3_exec(handle, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
}

static void
ask_text(void *handle, const char *text, bool all, char *out, size_t out_size)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(handle, text, -1, &statement, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", text, sqlite3_errmsg(handle));
    }
    int column = strncmp(text, "EXPLAIN QUERY PLAN", 18) == 0 ? 3 : 0; /* its last one */
    int code = sqlite3_step(statement);
    snprintf(out, out_size, "%s", code == SQLITE_ROW ? "" : "no row");
    for (bool more = true; code == SQLITE_ROW && more; more = all) {
        const unsigned char *row = sqlite3_column_text(statement, column);
        behind_add(out, out_size, row != NULL ? (const char *)row : "NULL");
        code = all ? sqlite3_step(statement) : code;
    }
    assert_true(code == SQLITE_ROW || code == SQLITE_DONE);
    sqlite3_finalize(statement);
}

const struct behind_ops behind_sqlite = {
    .name = "sqlite",
    .open = open_file,
    .close = close_file,
    .run = run_text,
    .ask = ask_text,
    .fail = "CREATE TRIGGER fails BEFORE @ ON @ WHEN @ BEGIN SELECT RAISE(ABORT, 'no'); END",
    .fail_no_more = "DROP TRIGGER fails -- @",
};
