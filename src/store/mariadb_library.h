/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libmariadb as a table of functions, loaded when DB_CONFIG first asks for it: who keeps his cache
 * in SQLite does not pay for it (docs/decisions/0007-several-instances.md).
 */
#ifndef STORE_MARIADB_LIBRARY_H
#define STORE_MARIADB_LIBRARY_H

#include <mysql.h>

#include "base/fault.h"

/* FUNCTION(member, name in libmariadb) */
#define MARIADB_FUNCTIONS(FUNCTION)                                                                \
    FUNCTION(start, mysql_server_init)                                                             \
    FUNCTION(init, mysql_init)                                                                     \
    FUNCTION(options, mysql_options)                                                               \
    FUNCTION(real_connect, mysql_real_connect)                                                     \
    FUNCTION(close, mysql_close)                                                                   \
    FUNCTION(error_number, mysql_errno)                                                            \
    FUNCTION(error_text, mysql_error)                                                              \
    FUNCTION(get_socket, mysql_get_socket)                                                         \
    FUNCTION(get_ssl_cipher, mysql_get_ssl_cipher)                                                 \
    FUNCTION(get_server_info, mysql_get_server_info)                                               \
    FUNCTION(send_query, mysql_send_query)                                                         \
    FUNCTION(read_query_result, mysql_read_query_result)                                           \
    FUNCTION(field_count, mysql_field_count)                                                       \
    FUNCTION(store_result, mysql_store_result)                                                     \
    FUNCTION(free_result, mysql_free_result)                                                       \
    FUNCTION(fetch_row, mysql_fetch_row)                                                           \
    FUNCTION(fetch_lengths, mysql_fetch_lengths)                                                   \
    FUNCTION(fetch_fields, mysql_fetch_fields)                                                     \
    FUNCTION(stmt_init, mysql_stmt_init)                                                           \
    FUNCTION(stmt_close, mysql_stmt_close)                                                         \
    FUNCTION(stmt_prepare, mysql_stmt_prepare)                                                     \
    FUNCTION(stmt_param_count, mysql_stmt_param_count)                                             \
    FUNCTION(stmt_bind_param, mysql_stmt_bind_param)                                               \
    FUNCTION(stmt_execute, mysql_stmt_execute)                                                     \
    FUNCTION(stmt_field_count, mysql_stmt_field_count)                                             \
    FUNCTION(stmt_result_metadata, mysql_stmt_result_metadata)                                     \
    FUNCTION(stmt_bind_result, mysql_stmt_bind_result)                                             \
    FUNCTION(stmt_store_result, mysql_stmt_store_result)                                           \
    FUNCTION(stmt_fetch, mysql_stmt_fetch)                                                         \
    FUNCTION(stmt_fetch_column, mysql_stmt_fetch_column)                                           \
    FUNCTION(stmt_free_result, mysql_stmt_free_result)                                             \
    FUNCTION(stmt_affected_rows, mysql_stmt_affected_rows)                                         \
    FUNCTION(stmt_error_number, mysql_stmt_errno)                                                  \
    FUNCTION(stmt_error_text, mysql_stmt_error)

struct maria_library {
#define FUNCTION(member, name) __typeof__(name) *member;
    MARIADB_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

/* Whole once maria_load has returned 0, and never changed after. */
extern struct maria_library maria;

/* Loads libmariadb if nobody has yet; FAULT_CONFIG says why it cannot be. Any thread. */
int maria_load(struct fault *why) must_check;

#endif
