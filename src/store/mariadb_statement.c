/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prepared statements on MariaDB and MySQL: store_sql.def in their dialect, bound, run, read.
 * Takes what store_query.c has bound, gives rows, or the fault that the server's number means.
 * Called by store_query.c on whatever thread holds the connection. A whole result is read before
 * its first row is handed out, so that several statements may be open on a connection at once.
 * Must never hand out a column of another type than asked for, nor a row of unbounded length: a
 * taken-over database may hold anything.
 * The MariaDB Connector/C manual, prepared statements; the manual of MySQL 8, INSERT ... ON
 * DUPLICATE KEY UPDATE (VALUES() is understood by all versions of both servers).
 */
#include <ctype.h>
#include <stdio.h>

#include "store/mariadb_priv.h"

/* Assignments see what those before them have set: each of ours reads its own column at most. */
#define SQL_UPSERT(keys) " ON DUPLICATE KEY UPDATE"
#define SQL_NEW(column) "VALUES(" column ")"
#define SQL_INSERT_NEW "INSERT IGNORE"
#define SQL_IF_NEW(keys) ""
#define SQL_OLDEST_FIRST(keys) "created_time, " keys
#define SQL_NEWEST_FIRST(keys_descending) "created_time DESC, " keys_descending
#define SQL_TIME_TEXT(column) "CAST(" column " AS CHAR)"
#define SQL_IS_TEXT(column) ""
#define SQL_FOR_UPDATE " FOR UPDATE"
#define SQL_NOW "UNIX_TIMESTAMP()"

static const char *const sql_texts[SQL_COUNT] = {
#define STATEMENT(name, text) [SQL_##name] = (text),
#include "store/store_sql.def"
#undef STATEMENT
};

enum {
    PLACES_MAX = 16,       /* parameters as they stand in the text, some twice */
    SCRATCH_SIZE = 64,     /* for columns of types that nobody asks for */
    ROW_KEPT = 256 * 1024, /* a longer row's memory is given back */
};

/* ---- the dialect ---- */

/* "?2 ... ?1" as "? ... ?", and which value goes to which place. */
struct dialect {
    char *text;
    size_t size;
    int count;
    uint8_t places[PLACES_MAX]; /* index of the value */
};

static struct dialect dialects[SQL_COUNT]; /* written once, by dialects_make */
static pthread_once_t dialects_once = PTHREAD_ONCE_INIT;

static void
dialect_make(struct dialect *dialect, const char *text)
{
    char *out = malloc(strlen(text) + 1);
    if (out == NULL) {
        return;
    }
    dialect->text = out;
    while (*text != '\0') {
        *out = *text++;
        if (*out++ != '?') {
            continue;
        }
        must(isdigit((unsigned char)*text) && dialect->count < PLACES_MAX);
        dialect->places[dialect->count++] = (uint8_t)(strtol(text, (char **)&text, 10) - 1);
    }
    *out = '\0';
    dialect->size = (size_t)(out - dialect->text);
}

static void
dialects_make(void)
{
    for (int id = 0; id < SQL_COUNT; id++) {
        dialect_make(&dialects[id], sql_texts[id]);
    }
}

/* ---- preparing ---- */

enum column_kind { COLUMN_OTHER, COLUMN_NUMBER, COLUMN_BYTES };
struct column {
    enum column_kind kind;
    bool is_unsigned;
    my_bool is_null;
    unsigned long size; /* of the value on the server */
    int64_t number;
    size_t offset, taken; /* where the value lies in the row, and how much of it is there */
    char scratch[SCRATCH_SIZE];
};

struct maria_statement {
    MYSQL_STMT *handle;
    unsigned column_count;
    struct column *columns;
    MYSQL_BIND *binds; /* one a column */
    bool has_result;
    uint64_t changes;
    uint8_t *row;
    size_t row_capacity;
};

void
maria_statement_free(struct maria_statement *statement)
{
    if (statement == NULL) {
        return;
    }
    if (statement->handle != NULL) {
        (void)maria.stmt_close(statement->handle);
    }
    free(statement->columns);
    free(statement->binds);
    free(statement->row);
    free(statement);
}

/* What the server has forgotten, or cannot run any more, is prepared anew the next time. */
static void
statement_drop(struct maria_connection *connection, enum sql_id id)
{
    maria_statement_free(connection->statements[id]);
    connection->statements[id] = NULL;
}

static int
statement_fault(struct maria_connection *connection, const struct maria_statement *statement,
                int64_t started_ms, struct fault *why)
{
    struct maria_error error = {maria.stmt_error_number(statement->handle),
                                maria.stmt_error_text(statement->handle), started_ms};
    return maria_fault(connection, &error, why);
}

static int
no_memory(struct fault *why)
{
    return fault_set(why, FAULT_MEMORY, "store", "no memory for a statement");
}

static int
statement_prepare(struct maria_connection *connection, enum sql_id id,
                  struct maria_statement *statement, struct fault *why)
{
    const struct dialect *dialect = &dialects[id];
    statement->handle = maria.stmt_init(connection->handle);
    if (statement->handle == NULL || dialect->text == NULL) {
        return no_memory(why);
    }
    int64_t started_ms = clock_monotonic_ms(clock_system());
    if (maria.stmt_prepare(statement->handle, dialect->text, (unsigned long)dialect->size) != 0) {
        return statement_fault(connection, statement, started_ms, why);
    }
    must(maria.stmt_param_count(statement->handle) == (unsigned long)dialect->count);
    statement->column_count = maria.stmt_field_count(statement->handle);
    if (statement->column_count > 0) {
        statement->columns = calloc(statement->column_count, sizeof(*statement->columns));
        statement->binds = calloc(statement->column_count, sizeof(*statement->binds));
        if (statement->columns == NULL || statement->binds == NULL) {
            return no_memory(why);
        }
    }
    return 0;
}

static int
statement_get(struct maria_connection *connection, enum sql_id id,
              struct maria_statement **ret_statement, struct fault *why)
{
    (void)pthread_once(&dialects_once, dialects_make);
    if (connection->statements[id] == NULL) {
        connection->statements[id] = calloc(1, sizeof(struct maria_statement));
        int code = connection->statements[id] == NULL
                       ? no_memory(why)
                       : statement_prepare(connection, id, connection->statements[id], why);
        if (code != 0) {
            statement_drop(connection, id);
            return code;
        }
    }
    *ret_statement = connection->statements[id];
    return 0;
}

int
maria_prepare(struct db_connection *connection, enum sql_id id, struct fault *why)
{
    struct maria_statement *statement = NULL;
    return statement_get(maria_of(connection), id, &statement, why);
}

/* ---- running ---- */

static void
bind_value(MYSQL_BIND *bind, struct sql_value *value)
{
    static char nothing[1];
    bool has_bytes = value->bytes.size > 0;
    switch (value->kind) {
    case SQL_NULL:
        bind->buffer_type = MYSQL_TYPE_NULL;
        return;
    case SQL_NUMBER:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &value->number;
        return;
    case SQL_TEXT:
    case SQL_CHARS:
    case SQL_BLOB:
        bind->buffer_type = value->kind == SQL_BLOB ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
        bind->buffer = has_bytes ? (void *)value->bytes.data : nothing;
        bind->buffer_length = (unsigned long)value->bytes.size;
        bind->length_value = bind->buffer_length;
        bind->length = &bind->length_value;
        return;
    }
}

static enum column_kind
kind_of(const MYSQL_FIELD *field)
{
    static const struct {
        enum enum_field_types type;
        enum column_kind kind;
    } kinds[] = {
        {MYSQL_TYPE_TINY, COLUMN_NUMBER},       {MYSQL_TYPE_SHORT, COLUMN_NUMBER},
        {MYSQL_TYPE_INT24, COLUMN_NUMBER},      {MYSQL_TYPE_LONG, COLUMN_NUMBER},
        {MYSQL_TYPE_LONGLONG, COLUMN_NUMBER},   {MYSQL_TYPE_VARCHAR, COLUMN_BYTES},
        {MYSQL_TYPE_VAR_STRING, COLUMN_BYTES},  {MYSQL_TYPE_STRING, COLUMN_BYTES},
        {MYSQL_TYPE_TINY_BLOB, COLUMN_BYTES},   {MYSQL_TYPE_BLOB, COLUMN_BYTES},
        {MYSQL_TYPE_MEDIUM_BLOB, COLUMN_BYTES}, {MYSQL_TYPE_LONG_BLOB, COLUMN_BYTES},
    };
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (kinds[i].type == field->type) {
            return kinds[i].kind;
        }
    }
    return COLUMN_OTHER;
}

/* Bytes are left on their place in the result, to be taken when their length is known. */
static void
bind_column(struct column *column, MYSQL_BIND *bind, const MYSQL_FIELD *field)
{
    *column =
        (struct column){.kind = kind_of(field), .is_unsigned = (field->flags & UNSIGNED_FLAG) != 0};
    *bind = (MYSQL_BIND){.is_null = &column->is_null, .length = &column->size};
    switch (column->kind) {
    case COLUMN_NUMBER:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &column->number;
        bind->buffer_length = sizeof(column->number);
        bind->is_unsigned = column->is_unsigned;
        return;
    case COLUMN_BYTES:
        bind->buffer_type = MYSQL_TYPE_BLOB;
        return;
    case COLUMN_OTHER:
        bind->buffer_type = MYSQL_TYPE_STRING;
        bind->buffer = column->scratch;
        bind->buffer_length = sizeof(column->scratch);
        return;
    }
}

/* The types are the server's to say each time: a table may have been altered. */
static bool
bind_result(struct maria_statement *statement)
{
    MYSQL_RES *metadata = maria.stmt_result_metadata(statement->handle);
    if (metadata == NULL) {
        return false;
    }
    const MYSQL_FIELD *fields = maria.fetch_fields(metadata);
    for (unsigned i = 0; i < statement->column_count; i++) {
        bind_column(&statement->columns[i], &statement->binds[i], &fields[i]);
    }
    maria.free_result(metadata);
    return maria.stmt_bind_result(statement->handle, statement->binds) == 0;
}

static bool
run(struct maria_statement *statement, MYSQL_BIND *places)
{
    if (maria.stmt_bind_param(statement->handle, places) != 0 ||
        maria.stmt_execute(statement->handle) != 0) {
        return false;
    }
    if (statement->column_count == 0) {
        statement->changes = (uint64_t)maria.stmt_affected_rows(statement->handle);
        return true;
    }
    if (maria.stmt_field_count(statement->handle) != statement->column_count ||
        !bind_result(statement) || maria.stmt_store_result(statement->handle) != 0) {
        return false;
    }
    statement->has_result = true;
    return true;
}

static int
statement_start(struct sql *sql, struct fault *why)
{
    struct maria_connection *connection = maria_of(sql->connection);
    struct maria_statement *statement = NULL;
    int code = statement_get(connection, sql->id, &statement, why);
    if (code != 0) {
        return code;
    }
    const struct dialect *dialect = &dialects[sql->id];
    MYSQL_BIND places[PLACES_MAX] = {0};
    for (int i = 0; i < dialect->count; i++) {
        must(dialect->places[i] < sql->count);
        bind_value(&places[i], &sql->values[dialect->places[i]]);
    }
    int64_t started_ms = clock_monotonic_ms(clock_system());
    if (!run(statement, places)) {
        code = statement_fault(connection, statement, started_ms, why);
        statement_drop(connection, sql->id);
        return code;
    }
    sql->running = statement;
    return 0;
}

/* ---- reading ---- */

/* Where each column lies in the row. False: it is larger than anybody has use for. */
static bool
row_measure(struct maria_statement *statement, size_t *ret_size)
{
    size_t total = 0;
    for (unsigned i = 0; i < statement->column_count; i++) {
        struct column *column = &statement->columns[i];
        bool has_bytes = column->kind == COLUMN_BYTES && !column->is_null;
        column->offset = total;
        column->taken = has_bytes ? column->size : 0;
        if (column->taken > LIMIT_STORE_ROW_BYTES - total) {
            return false;
        }
        total += column->taken;
    }
    *ret_size = total;
    return true;
}

static bool
row_take(struct maria_statement *statement)
{
    for (unsigned i = 0; i < statement->column_count; i++) {
        const struct column *column = &statement->columns[i];
        if (column->taken == 0) {
            continue;
        }
        unsigned long size = 0;
        my_bool is_null = 0;
        MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_BLOB,
                           .buffer = statement->row + column->offset,
                           .buffer_length = (unsigned long)column->taken,
                           .length = &size,
                           .is_null = &is_null};
        if (maria.stmt_fetch_column(statement->handle, &bind, i, 0) != 0) {
            return false;
        }
    }
    return true;
}

static int
row_read(struct maria_connection *connection, struct maria_statement *statement, struct fault *why)
{
    size_t size = 0;
    if (!row_measure(statement, &size)) {
        return fault_set(why, FAULT_STORE, "store", "a row of the database is too large");
    }
    if (size > statement->row_capacity) {
        uint8_t *row = realloc(statement->row, size);
        if (row == NULL) {
            return fault_set(why, FAULT_MEMORY, "store", "no memory for a row");
        }
        statement->row = row;
        statement->row_capacity = size;
    }
    return row_take(statement) ? 0 : statement_fault(connection, statement, 0, why);
}

int
maria_step(struct sql *sql, bool *ret_row, struct fault *why)
{
    int code = sql->running != NULL ? 0 : statement_start(sql, why);
    if (code != 0) {
        return code;
    }
    struct maria_statement *statement = sql->running;
    struct maria_connection *connection = maria_of(sql->connection);
    int fetched = statement->has_result ? maria.stmt_fetch(statement->handle) : MYSQL_NO_DATA;
    if (fetched != 0 && fetched != MYSQL_NO_DATA && fetched != MYSQL_DATA_TRUNCATED) {
        return statement_fault(connection, statement, clock_monotonic_ms(clock_system()), why);
    }
    bool has_row = fetched != MYSQL_NO_DATA;
    code = has_row ? row_read(connection, statement, why) : 0;
    if (code == 0) {
        *ret_row = has_row;
    }
    return code;
}

void
maria_close(struct sql *sql)
{
    struct maria_statement *statement = sql->running;
    if (statement->has_result) {
        (void)maria.stmt_free_result(statement->handle);
        statement->has_result = false;
    }
    if (statement->row_capacity > ROW_KEPT) {
        free(statement->row);
        statement->row = NULL;
        statement->row_capacity = 0;
    }
}

struct span
maria_column(const struct sql *sql, int index)
{
    const struct maria_statement *statement = sql->running;
    const struct column *column = &statement->columns[index];
    return column->taken > 0 ? span_of(statement->row + column->offset, column->taken)
                             : span_of(NULL, 0);
}

int64_t
maria_number(const struct sql *sql, int index)
{
    const struct column *column = &((const struct maria_statement *)sql->running)->columns[index];
    bool fits = column->kind == COLUMN_NUMBER && !column->is_null &&
                !(column->is_unsigned && column->number < 0);
    return fits ? column->number : 0;
}

uint64_t
maria_changes(const struct sql *sql)
{
    return ((const struct maria_statement *)sql->running)->changes;
}
