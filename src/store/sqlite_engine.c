/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SQLite engine: connections, transactions and statements on a file.
 * Takes a path and what store_query.c has bound, gives rows, or the fault that SQLite's code means.
 * Called by store_connection.c and store_query.c on whatever thread holds the connection.
 * Must never hand out a column of another type than asked for, nor one of unbounded length: a row
 * of a taken-over database may be anything.
 * store_sqlite.c says why the settings are what they are.
 */
#include <stdio.h>

#include "store/sqlite_priv.h"

enum {
    STATEMENT_BYTES = 100000, /* the longest SQL text; ours are far shorter */
    ROWS_AT_ONCE = INT32_MAX, /* SQLite steps through a long listing by itself */
};

#define SQL_UPSERT(keys) " ON CONFLICT (" keys ") DO UPDATE SET"
#define SQL_NEW(column) "excluded." column
#define SQL_INSERT_NEW "INSERT"
#define SQL_IF_NEW(keys) " ON CONFLICT (" keys ") DO NOTHING"
#define SQL_OLDEST_FIRST(keys) "rowid"
#define SQL_NEWEST_FIRST(keys_descending) "rowid DESC"
#define SQL_TIME_TEXT(column) column
#define SQL_IS_TEXT(column) " AND typeof(" column ") = 'text'"
#define SQL_FOR_UPDATE ""
#define SQL_NOW "CAST(strftime('%s', 'now') AS INTEGER)"

static const char *const sql_texts[SQL_COUNT] = {
#define STATEMENT(name, text) [SQL_##name] = (text),
#include "store/store_sql.def"
#undef STATEMENT
};

/* ---- faults ---- */

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
sqlite_fault(sqlite3 *handle, int sqlite_code, struct fault *why)
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
sqlite_execute(sqlite3 *handle, const char *text, struct fault *why)
{
    int code = sqlite3_exec(handle, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : sqlite_fault(handle, code, why);
}

/* ---- connections ---- */

/* What is longer than this nobody has use for. */
static void
limit_connection(sqlite3 *handle)
{
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, LIMIT_STORE_ROW_BYTES);
    sqlite3_limit(handle, SQLITE_LIMIT_SQL_LENGTH, STATEMENT_BYTES);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
}

static int
set_up_connection(const struct sqlite_db *db, bool writes, sqlite3 *handle, struct fault *why)
{
    limit_connection(handle);
    sqlite3_extended_result_codes(handle, 0);
    sqlite3_busy_timeout(handle, db->busy_timeout_ms);
    int code = sqlite_execute(handle,
                              "PRAGMA cache_size = -2048; PRAGMA mmap_size = 0;"
                              "PRAGMA foreign_keys = OFF; PRAGMA synchronous = FULL;"
                              "PRAGMA journal_size_limit = 16777216;",
                              why);
    if (code == 0 && !writes) {
        code = sqlite_execute(handle, "PRAGMA query_only = ON", why);
    }
    return code;
}

static void
engine_disconnect(struct db_connection *connection)
{
    struct sqlite_connection *own = (struct sqlite_connection *)connection;
    if (own == NULL) {
        return;
    }
    for (int id = 0; id < SQL_COUNT; id++) {
        sqlite3_finalize(own->statements[id]);
    }
    sqlite3_close_v2(own->handle);
    free(own);
}

static int
engine_connect(struct db *db, bool writes, struct db_connection **ret_connection, struct fault *why)
{
    const struct sqlite_db *file = (const struct sqlite_db *)db;
    struct sqlite_connection *own = calloc(1, sizeof(*own));
    if (own == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a connection");
    }
    /* Readers open for writing too: a reader of a WAL database writes its index. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(file->path, &own->handle, flags, NULL);
    code = code != SQLITE_OK ? sqlite_fault(own->handle, code, why)
                             : set_up_connection(file, writes, own->handle, why);
    if (code != 0) {
        engine_disconnect(&own->base);
        return code;
    }
    *ret_connection = &own->base;
    return 0;
}

/* ---- transactions ---- */

/* An open statement sees one state of the database, so a snapshot needs no more than that. */
static int
engine_begin(struct db_connection *connection, enum db_begin how, struct fault *why)
{
    sqlite3 *handle = sqlite_handle(connection);
    if (how == DB_BEGIN_SNAPSHOT) {
        return 0;
    }
    if (sqlite3_get_autocommit(handle) == 0) { /* the last ROLLBACK met a failing disk */
        (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    }
    return sqlite_execute(handle, "BEGIN IMMEDIATE", why);
}

static int
engine_commit(struct db_connection *connection, struct fault *why)
{
    return sqlite_execute(sqlite_handle(connection), "COMMIT", why);
}

/* Some failures roll back by themselves. */
static void
engine_rollback(struct db_connection *connection)
{
    sqlite3 *handle = sqlite_handle(connection);
    if (sqlite3_get_autocommit(handle) == 0) {
        (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

/* As the reference writes times, whose library parses this form; the clock has whole seconds. */
static void
engine_stamp(int64_t now, char out[DB_STAMP_SIZE])
{
    char iso[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(now, iso);
    snprintf(out, DB_STAMP_SIZE, "%.10s %.8s.000 +00:00", iso, iso + 11);
}

/* ---- statements ---- */

static int
statement_get(struct db_connection *connection, enum sql_id id, sqlite3_stmt **ret_statement)
{
    sqlite3_stmt **kept = &((struct sqlite_connection *)connection)->statements[id];
    int code = *kept != NULL ? SQLITE_OK
                             : sqlite3_prepare_v3(sqlite_handle(connection), sql_texts[id], -1,
                                                  SQLITE_PREPARE_PERSISTENT, kept, NULL);
    *ret_statement = *kept;
    return code;
}

static int
engine_prepare(struct db_connection *connection, enum sql_id id, struct fault *why)
{
    sqlite3_stmt *statement = NULL;
    int code = statement_get(connection, id, &statement);
    return code == SQLITE_OK ? 0 : sqlite_fault(sqlite_handle(connection), code, why);
}

static int
bind_value(sqlite3_stmt *statement, int index, const struct sql_value *value)
{
    const char *bytes = value->bytes.size > 0 ? (const char *)value->bytes.data : "";
    switch (value->kind) {
    case SQL_NUMBER:
        return sqlite3_bind_int64(statement, index, value->number);
    case SQL_TEXT:
    case SQL_CHARS:
        return sqlite3_bind_text64(statement, index, bytes, value->bytes.size, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case SQL_BLOB:
        return sqlite3_bind_blob64(statement, index, bytes, value->bytes.size, SQLITE_STATIC);
    case SQL_NULL:
        break;
    }
    return sqlite3_bind_null(statement, index);
}

static int
statement_start(struct sql *sql)
{
    sqlite3_stmt *statement = NULL;
    int code = statement_get(sql->connection, sql->id, &statement);
    sql->running = statement;
    for (int i = 0; code == SQLITE_OK && i < sql->count; i++) {
        code = bind_value(statement, i + 1, &sql->values[i]);
    }
    return code;
}

static int
engine_step(struct sql *sql, bool *ret_row, struct fault *why)
{
    int code = sql->running != NULL ? SQLITE_OK : statement_start(sql);
    code = code == SQLITE_OK ? sqlite3_step(sql->running) : code;
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return sqlite_fault(sqlite_handle(sql->connection), code, why);
    }
    *ret_row = code == SQLITE_ROW;
    return 0;
}

static void
engine_close(struct sql *sql)
{
    (void)sqlite3_reset(sql->running); /* repeats what sql_step has told already */
    (void)sqlite3_clear_bindings(sql->running);
}

static struct span
engine_column(const struct sql *sql, int column)
{
    int type = sqlite3_column_type(sql->running, column);
    if (type != SQLITE_TEXT && type != SQLITE_BLOB) {
        return span_of(NULL, 0);
    }
    const void *bytes = sqlite3_column_blob(sql->running, column);
    return span_of(bytes, bytes != NULL ? (size_t)sqlite3_column_bytes(sql->running, column) : 0);
}

static int64_t
engine_number(const struct sql *sql, int column)
{
    return sqlite3_column_type(sql->running, column) == SQLITE_INTEGER
               ? sqlite3_column_int64(sql->running, column)
               : 0;
}

static uint64_t
engine_changes(const struct sql *sql)
{
    return (uint64_t)sqlite3_changes(sqlite_handle(sql->connection));
}

static void
engine_free(struct db *db)
{
    sqlite_db_free((struct sqlite_db *)db);
}

const struct db_engine sqlite_engine = {
    .name = "sqlite",
    .statement_count = SQL_SIGN_VERSION,
    .list_rows = ROWS_AT_ONCE,
    .free = engine_free,
    .connect = engine_connect,
    .disconnect = engine_disconnect,
    .begin = engine_begin,
    .commit = engine_commit,
    .rollback = engine_rollback,
    .stamp = engine_stamp,
    .prepare = engine_prepare,
    .step = engine_step,
    .close = engine_close,
    .column = engine_column,
    .number = engine_number,
    .changes = engine_changes,
};
