/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A running statement: bound in order, stepped, its columns read with suspicion.
 * Takes a connection and a row of store_sql.def, gives rows, or the fault that SQLite's code means.
 * Called by this room's files on whatever thread holds the connection.
 * Must never hand out a column of the wrong type or an unbounded length: whoever can write the
 * file can write anything into it (the schema's types bind nobody in SQLite).
 * ports/store_port.h: faults.
 */
#include "store/store_priv.h"

static const char *const sql_texts[SQL_COUNT] = {
#define STATEMENT(name, text) [SQL_##name] = (text),
#include "store/store_sql.def"
#undef STATEMENT
};

struct sql
sql_of(struct db_connection *connection, enum sql_id id)
{
    struct sql sql = {.handle = connection->handle};
    sqlite3_stmt **kept = &connection->statements[id];
    if (*kept == NULL) {
        sql.failed = sqlite3_prepare_v3(connection->handle, sql_texts[id], -1,
                                        SQLITE_PREPARE_PERSISTENT, kept, NULL);
    }
    sql.statement = *kept;
    return sql;
}

void
sql_close(struct sql *sql)
{
    if (sql->statement != NULL) {
        (void)sqlite3_reset(sql->statement); /* repeats what sql_step has told already */
        (void)sqlite3_clear_bindings(sql->statement);
        sql->statement = NULL;
    }
}

static void
bound(struct sql *sql, int sqlite_code)
{
    if (sql->failed == SQLITE_OK) {
        sql->failed = sqlite_code;
    }
}

void
sql_bind_text(struct sql *sql, const char *text)
{
    sql_bind_span(sql, span_of_text(text));
    if (text == NULL) {
        sql->bound -= 1;
        sql_bind_null(sql);
    }
}

void
sql_bind_span(struct sql *sql, struct span text)
{
    const char *bytes = text.size > 0 ? (const char *)text.data : "";
    sql->bound += 1;
    if (sql->statement != NULL) {
        bound(sql, sqlite3_bind_text64(sql->statement, sql->bound, bytes, text.size, SQLITE_STATIC,
                                       SQLITE_UTF8));
    }
}

void
sql_bind_blob(struct sql *sql, struct span bytes)
{
    sql->bound += 1;
    if (sql->statement != NULL) {
        bound(sql, sqlite3_bind_blob64(sql->statement, sql->bound,
                                       bytes.size > 0 ? (const void *)bytes.data : (const void *)"",
                                       bytes.size, SQLITE_STATIC));
    }
}

void
sql_bind_number(struct sql *sql, int64_t number)
{
    sql->bound += 1;
    if (sql->statement != NULL) {
        bound(sql, sqlite3_bind_int64(sql->statement, sql->bound, number));
    }
}

void
sql_bind_null(struct sql *sql)
{
    sql->bound += 1;
    if (sql->statement != NULL) {
        bound(sql, sqlite3_bind_null(sql->statement, sql->bound));
    }
}

int
sql_step(struct sql *sql, bool *ret_row, struct fault *why)
{
    if (sql->failed == SQLITE_OK && sql->statement != NULL) {
        int code = sqlite3_step(sql->statement);
        if (code == SQLITE_ROW || code == SQLITE_DONE) {
            *ret_row = code == SQLITE_ROW;
            return 0;
        }
        sql->failed = code;
    }
    return sql_fault(sql->handle, sql->failed, why);
}

int
sql_run(struct sql *sql, struct fault *why)
{
    bool row = false;
    return sql_step(sql, &row, why);
}

struct span
sql_column(const struct sql *sql, int column)
{
    int type = sqlite3_column_type(sql->statement, column);
    if (type != SQLITE_TEXT && type != SQLITE_BLOB) {
        return span_of(NULL, 0);
    }
    const void *bytes = sqlite3_column_blob(sql->statement, column);
    return span_of(bytes, bytes != NULL ? (size_t)sqlite3_column_bytes(sql->statement, column) : 0);
}

bool
sql_column_text(const struct sql *sql, int column, char *out, size_t out_size)
{
    return span_to_text(sql_column(sql, column), out, out_size);
}

int64_t
sql_column_number(const struct sql *sql, int column)
{
    return sqlite3_column_type(sql->statement, column) == SQLITE_INTEGER
               ? sqlite3_column_int64(sql->statement, column)
               : 0;
}

/* What SQLite's code means to an operator. */
static const char *
plain_words(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
        return "the disk is full";
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "the database is read-only";
    case SQLITE_CANTOPEN:
        return "the database cannot be opened";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "the database is locked by another program";
    case SQLITE_CORRUPT:
        return "the database is corrupt";
    case SQLITE_NOTADB:
        return "the file is not an SQLite database";
    case SQLITE_IOERR:
        return "the database cannot be read or written";
    case SQLITE_TOOBIG:
        return "a value is too large for the database";
    default:
        return "the database failed";
    }
}

int
sql_fault(sqlite3 *handle, int sqlite_code, struct fault *why)
{
    int extended = handle != NULL ? sqlite3_extended_errcode(handle) : sqlite_code;
    if ((extended & 0xff) != (sqlite_code & 0xff)) {
        extended = sqlite_code; /* a bind fails without a mark on the connection */
    }
    if ((sqlite_code & 0xff) == SQLITE_NOMEM) {
        return fault_set_number(why, FAULT_MEMORY, "store", extended, "the database has no memory");
    }
    return fault_set_number(
        why, FAULT_STORE, "store", extended, "%s (%s)", plain_words(sqlite_code),
        handle != NULL && sqlite_code == sqlite3_errcode(handle) ? sqlite3_errmsg(handle)
                                                                 : sqlite3_errstr(sqlite_code));
}

int
sql_execute(sqlite3 *handle, const char *text, struct fault *why)
{
    int code = sqlite3_exec(handle, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : sql_fault(handle, code, why);
}
