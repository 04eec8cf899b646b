/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the MariaDB engine share: the connection, its texts and statements, faults.
 */
#ifndef STORE_MARIADB_PRIV_H
#define STORE_MARIADB_PRIV_H

#include "store/mariadb_library.h"
#include "store/server_priv.h"

struct maria_statement; /* mariadb_statement.c */

struct maria_connection {
    struct server_connection base; /* first */
    MYSQL *handle;
    bool is_mariadb; /* else MySQL */
    int limited_ms;  /* the statement_ms that the session's own limits were made of; 0: none yet */
    struct maria_statement *statements[SQL_COUNT]; /* prepared when first used */
};

static inline struct maria_connection *
maria_of(struct db_connection *connection)
{
    return (struct maria_connection *)connection;
}

/* ---- mariadb_fault.c ---- */

/* The server's or the library's numbers that more than one file must know. */
enum {
    MARIADB_NO_ACCESS = 1044,
    MARIADB_NO_DATABASE = 1049,
    MARIADB_UNKNOWN_VARIABLE = 1193,
    MARIADB_LOST = 2013,
    MARIADB_TLS_FAILED = 2026,
};

/* What a call said when it failed. */
struct maria_error {
    unsigned number;
    const char *text;
    int64_t started_ms; /* when the call was made */
};
/* In plain words; marks the connection (NULL while connecting) as lost or as in conflict. An error
 * that an operator must mend is FAULT_CONFIG until the store is open, else FAULT_STORE. */
int maria_fault(struct maria_connection *connection, const struct maria_error *error,
                struct fault *why) must_check;
/* No answer came before the connection's deadline. */
int maria_fault_silent(struct maria_connection *connection, struct fault *why) must_check;

/* ---- mariadb_connection.c ---- */

/* Refuses what a column does not take, whatever the server's own setting is. */
#define MARIA_SET_MODE "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"

/* Connects to the server and logs in; the session is not set up. database: NULL for none. */
int maria_log_in(const struct store_server_options *server, const char *database,
                 struct maria_connection *connection, struct fault *why) must_check;
/* For struct server_kind and struct db_engine. */
int maria_connect(struct server_db *db, struct db_connection **ret_connection,
                  struct fault *why) must_check;
void maria_disconnect(struct db_connection *connection);
bool maria_is_alive(struct db_connection *connection);
int maria_execute(struct db_connection *connection, const char *text, struct fault *why) must_check;
int maria_ask(struct db_connection *connection, const char *text, char *ret_text, size_t text_size,
              struct fault *why) must_check;
/* As maria_ask, a number; 0 if there is none. */
int maria_ask_number(struct db_connection *connection, const char *text, int64_t *ret_number,
                     struct fault *why) must_check;

/* ---- mariadb_statement.c: for struct db_engine ---- */

int maria_prepare(struct db_connection *connection, enum sql_id id, struct fault *why) must_check;
int maria_step(struct sql *sql, bool *ret_row, struct fault *why) must_check;
void maria_close(struct sql *sql);
struct span maria_column(const struct sql *sql, int column);
int64_t maria_number(const struct sql *sql, int column);
uint64_t maria_changes(const struct sql *sql);
/* NULL is fine. */
void maria_statement_free(struct maria_statement *statement);

/* ---- mariadb_takeover.c: for struct server_kind ---- */

extern const char *const maria_tables[];
extern const char maria_claims_table[];
int maria_migrate(struct db_connection *connection, int version, struct fault *why) must_check;
int maria_finish(struct db_connection *connection, struct fault *why) must_check;

#endif
