/* SPDX-License-Identifier: BSD-3-Clause */
/* MariaDB behind a store under test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_behind_priv.h"

#ifdef STORE_HAS_MARIADB
#include <mysql.h>

static void run_text(void *handle, const char *text);

static void *
open_database(const char *name)
{
    const struct store_server_options *server = behind_server();
    MYSQL *handle = mysql_init(NULL);
    mysql_optionsv(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (mysql_real_connect(handle, server->host, server->username, server->password, name,
                           (unsigned)server->port, NULL, CLIENT_MULTI_STATEMENTS) == NULL) {
        fail_msg("%s", mysql_error(handle));
    }
    run_text(handle,
             "SET SESSION sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,STRICT_ALL_TABLES'),"
             " time_zone = '+00:00', lock_wait_timeout = 20, max_recursive_iterations ="
             " 1000000");
    return handle;
}

static void
close_database(void *handle)
{
    mysql_close(handle);
}

static MYSQL_RES *
take_result(MYSQL *handle, const char *text)
{
    MYSQL_RES *result = mysql_store_result(handle);
    if (mysql_errno(handle) != 0) {
        fail_msg("%s: %s", text, mysql_error(handle));
    }
    return result;
}

/* The result of the first statement; all of them are run. */
static MYSQL_RES *
execute(MYSQL *handle, const char *text)
{
    if (mysql_real_query(handle, text, strlen(text)) != 0) {
        fail_msg("%s: %s", text, mysql_error(handle));
    }
    MYSQL_RES *first = take_result(handle, text);
    int more = mysql_next_result(handle);
    for (; more == 0; more = mysql_next_result(handle)) {
        mysql_free_result(take_result(handle, text));
    }
    if (more > 0) {
        fail_msg("%s: %s", text, mysql_error(handle));
    }
    return first;
}

static void
run_text(void *handle, const char *text)
{
    mysql_free_result(execute(handle, text));
}

static void
ask_text(void *handle, const char *text, bool all, char *out, size_t out_size)
{
    MYSQL_RES *result = execute(handle, text);
    assert_non_null(result);
    MYSQL_ROW row = mysql_fetch_row(result);
    snprintf(out, out_size, "%s", row != NULL ? "" : "no row");
    for (bool more = true; row != NULL && more; more = all) {
        behind_add(out, out_size, row[0] != NULL ? row[0] : "NULL");
        row = all ? mysql_fetch_row(result) : row;
    }
    mysql_free_result(result);
}

static const char *const functions[] = {
    "CREATE FUNCTION zeroblob(n INT) RETURNS LONGBLOB DETERMINISTIC RETURN REPEAT(x'00', n)",
    "CREATE FUNCTION hex_pad(i BIGINT, n INT) RETURNS VARCHAR(128) CHARACTER SET ascii"
    " DETERMINISTIC RETURN LPAD(HEX(i), n, '0')",
    "CREATE FUNCTION text_of(b LONGBLOB) RETURNS LONGTEXT CHARACTER SET utf8mb4 DETERMINISTIC"
    " RETURN CONVERT(b USING utf8mb4)",
    "CREATE FUNCTION stamp_text(t DATETIME(3)) RETURNS VARCHAR(40) DETERMINISTIC RETURN"
    " CONCAT(DATE_FORMAT(t, '%Y-%m-%d %H:%i:%s.'), LPAD(MICROSECOND(t) DIV 1000, 3, '0'),"
    " ' +00:00')",
    NULL,
};

const struct behind_ops behind_mariadb = {
    .name = "mariadb",
    .open = open_database,
    .close = close_database,
    .run = run_text,
    .ask = ask_text,
    .has_tables = "SELECT count(*) FROM information_schema.tables"
                  " WHERE table_schema = DATABASE() AND table_name = 'pccs_owner'",
    .create_database = "CREATE DATABASE @ CHARACTER SET utf8mb4",
    .drop_database = "DROP DATABASE @",
    .fail = "CREATE TRIGGER fails BEFORE @ ON @ FOR EACH ROW IF @ THEN SIGNAL SQLSTATE '45000'"
            " SET MESSAGE_TEXT = 'no'; END IF",
    .fail_no_more = "DROP TRIGGER fails -- @",
    .functions = functions,
};
#else
const struct behind_ops behind_mariadb = {.name = "mariadb"};
#endif
