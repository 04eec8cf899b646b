/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PostgreSQL engine, also for what speaks its protocol: transactions, statements, columns.
 * Takes what store_query.c has bound, gives rows, or the fault that the server's refusal means.
 * Called by store_connection.c and store_query.c on whatever thread holds the connection.
 * Must never hand out a column of another type than asked for, nor count a transaction as
 * committed that the server rolled back: it says COMMIT or ROLLBACK, and both are no error.
 * Nothing is asked for that only PostgreSQL has, but for LISTEN (postgres_listen.c). Keys compare
 * by their bytes, whatever the database's collation: pages of a listing rely on it.
 * docs/decisions/0007; database.md.
 */
#include <pthread.h>
#include <stdio.h>

#include "store/postgres_priv.h"

enum {
    LIST_ROWS = 100,
    TEXT_SIZE = 2048, /* of a statement, ours are shorter */
};

/* ---- its dialect ---- */

#define SQL_UPSERT(keys) " ON CONFLICT (" keys ") DO UPDATE SET"
#define SQL_NEW(column) "excluded." column
#define SQL_INSERT_NEW "INSERT"
#define SQL_IF_NEW(keys) " ON CONFLICT (" keys ") DO NOTHING"
#define SQL_OLDEST_FIRST(keys) "created_time, " keys
#define SQL_NEWEST_FIRST(keys_descending) "created_time DESC, " keys_descending
#define SQL_TIME_TEXT(column) "CAST(" column " AS VARCHAR)"
#define SQL_IS_TEXT(column) ""
#define SQL_FOR_UPDATE " FOR UPDATE"
#define SQL_NOW "CAST(EXTRACT(EPOCH FROM CURRENT_TIMESTAMP) AS BIGINT)"

static const char *const sql_texts[SQL_COUNT] = {
#define STATEMENT(name, text) [SQL_##name] = (text),
#include "store/store_sql.def"
#undef STATEMENT
};

#define COLLATE_BYTES " COLLATE \"C\""
#define DDL_QEID "VARCHAR(260)" COLLATE_BYTES
#define DDL_WORD(n) "VARCHAR(" n ")" COLLATE_BYTES
#define DDL_KEY "VARCHAR(2112)" COLLATE_BYTES
#define DDL_BLOB "BYTEA"
#define DDL_TEXT "TEXT" COLLATE_BYTES
#define DDL_TIME "TIMESTAMP(3) WITH TIME ZONE"
#define DDL_END ""
#define DDL_META "\"SequelizeMeta\""
#define DDL_INSERT_NEW "INSERT"
#define DDL_IF_NEW " ON CONFLICT (name) DO NOTHING"

_Static_assert(LIMIT_QEID_CHARS == 260, "DDL_QEID");

static const char *const tables[] = {
#define TABLE(text) text,
#include "store/server_tables.def"
#undef TABLE
    NULL,
};
static const char claims_table[] =
    "CREATE TABLE IF NOT EXISTS pccs_claims (name " DDL_WORD("255") " NOT NULL, holder " DDL_WORD(
        "64") " NOT NULL, until_at BIGINT NOT NULL, PRIMARY KEY (name))";

/* The types that a column may have to be read. */
enum {
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_UNKNOWN = 705,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
};

/* ---- statements ---- */

/* "?1" is "$1" here. */
static void
to_dollars(const char *text, char out[TEXT_SIZE])
{
    must(strlen(text) < TEXT_SIZE);
    memcpy(out, text, strlen(text) + 1);
    for (char *at = strchr(out, '?'); at != NULL; at = strchr(at, '?')) {
        *at = '$';
    }
}

static int
engine_prepare(struct db_connection *connection, enum sql_id id, struct fault *why)
{
    struct postgres_connection *own = postgres_of(connection);
    if (own->is_prepared[id]) {
        return 0;
    }
    char text[TEXT_SIZE];
    to_dollars(sql_texts[id], text);
    return postgres_prepare(own, id, text, why);
}

static int
statement_start(struct sql *sql, struct fault *why)
{
    struct postgres_rows *rows = calloc(1, sizeof(*rows));
    if (rows == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for rows");
    }
    sql->running = rows;
    sql->row = 0;
    int code = engine_prepare(sql->connection, sql->id, why);
    return code != 0 ? code : postgres_run(sql, rows, why);
}

/* sql->row counts the rows that were handed out: the current one is that before it. */
static int
engine_step(struct sql *sql, bool *ret_row, struct fault *why)
{
    int code = sql->running != NULL ? 0 : statement_start(sql, why);
    if (code != 0) {
        return code;
    }
    const struct postgres_rows *rows = sql->running;
    *ret_row = sql->row < rows->count;
    sql->row += *ret_row ? 1 : 0;
    return 0;
}

static void
engine_close(struct sql *sql)
{
    postgres_rows_done(sql->running);
    free(sql->running);
}

/* The column's bytes; NULL if it is NULL or is not there. */
static const char *
value_of(const struct sql *sql, int column, unsigned *ret_type, size_t *ret_size)
{
    const struct postgres_rows *rows = sql->running;
    if (rows == NULL || sql->row == 0 || sql->row > rows->count) {
        return NULL;
    }
    const PGresult *row = rows->rows[sql->row - 1];
    if (column >= pq.nfields(row) || pq.getisnull(row, 0, column) != 0) {
        return NULL;
    }
    *ret_type = pq.ftype(row, column);
    *ret_size = (size_t)pq.getlength(row, 0, column);
    return pq.getvalue(row, 0, column);
}

static struct span
engine_column(const struct sql *sql, int column)
{
    unsigned type = 0;
    size_t size = 0;
    const char *bytes = value_of(sql, column, &type, &size);
    bool is_bytes = type == OID_BYTEA || type == OID_TEXT || type == OID_VARCHAR ||
                    type == OID_BPCHAR || type == OID_UNKNOWN;
    return bytes != NULL && is_bytes ? span_of(bytes, size) : span_of(NULL, 0);
}

/* Big-endian, two's complement. */
static int64_t
engine_number(const struct sql *sql, int column)
{
    unsigned type = 0;
    size_t size = 0;
    const char *bytes = value_of(sql, column, &type, &size);
    size_t expected = type == OID_INT8 ? 8 : type == OID_INT4 ? 4 : type == OID_INT2 ? 2 : 0;
    if (bytes == NULL || expected == 0 || size != expected) {
        return 0;
    }
    uint64_t number = (bytes[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | (uint8_t)bytes[i];
    }
    return (int64_t)number;
}

static uint64_t
engine_changes(const struct sql *sql)
{
    const struct postgres_rows *rows = sql->running;
    return rows != NULL ? rows->changes : 0;
}

/* ---- transactions ---- */

static int
engine_begin(struct db_connection *connection, enum db_begin how, struct fault *why)
{
    struct postgres_connection *own = postgres_of(connection);
    own->has_news = false;
    return postgres_execute(own,
                            how == DB_BEGIN_SNAPSHOT
                                ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                                : "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
                            NULL, why);
}

/* A NOTIFY that is not understood: the transaction is rolled back, and run again without it. */
static void
judge_notify(struct postgres_connection *own)
{
    bool refused = strcmp(own->state, "0A000") == 0 || strncmp(own->state, "42", 2) == 0;
    if (own->has_news && refused) {
        struct postgres_listener *listener = server_of(own->base.base.db)->listener;
        atomic_store(&listener->is_refused, true);
        own->base.base.is_conflict = true;
    }
}

static int
commit_judge(PGresult *result, struct fault *why)
{
    return strcmp(pq.cmd_status(result), "COMMIT") == 0
               ? 0
               : fault_set(why, FAULT_STORE, "store",
                           "the server rolled the transaction back instead of committing it");
}

/* The notification is part of the transaction: it goes out with the commit, in one message. */
static int
engine_commit(struct db_connection *connection, struct fault *why)
{
    struct postgres_connection *own = postgres_of(connection);
    const struct server_db *db = server_of(connection->db);
    char text[128];
    snprintf(text, sizeof(text), "NOTIFY " POSTGRES_CHANNEL ", '%s'; COMMIT", db->instance);
    struct fault detail = {0};
    PGresult *result = NULL;
    int code = postgres_execute(own, own->has_news ? text : "COMMIT", &result, &detail);
    if (code == 0) {
        code = commit_judge(result, &detail);
        pq.clear(result);
    } else {
        judge_notify(own);
    }
    if (code == 0) {
        return 0;
    }
    return own->base.base.is_lost
               ? fault_set(why, (enum fault_code)code, "store",
                           "whether the write was committed is not known: %s", detail.text)
               : fault_set(why, (enum fault_code)code, "store", "%s", detail.text);
}

static void
engine_rollback(struct db_connection *connection)
{
    struct postgres_connection *own = postgres_of(connection);
    if (connection->is_lost) {
        return;
    }
    if (pq.transaction_status(own->handle) != PQTRANS_IDLE &&
        postgres_execute(own, "ROLLBACK", NULL, NULL) != 0) {
        connection->is_lost = true;
    }
    connection->is_lost |= pq.transaction_status(own->handle) != PQTRANS_IDLE;
}

static void
engine_stamp(int64_t now, char out[DB_STAMP_SIZE])
{
    char iso[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(now, iso);
    snprintf(out, DB_STAMP_SIZE, "%.10s %.8s.000+00:00", iso, iso + 11);
}

static const struct db_engine postgres_engine = {
    .name = "postgres",
    .statement_count = SQL_COUNT,
    .list_rows = LIST_ROWS,
    .free = server_free,
    .connect = server_connect,
    .disconnect = postgres_disconnect,
    .is_alive = postgres_is_alive,
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
    .before_commit = shared_before_commit,
    .after_commit = shared_after_commit,
};

/* ---- what a server can do beyond that ---- */

/* CockroachDB compares bytes by itself and knows no collation of that name for a column. */
static void
drop_collations(const char *text, char out[TEXT_SIZE])
{
    must(strlen(text) < TEXT_SIZE);
    size_t size = 0;
    for (const char *at = text; *at != '\0';) {
        if (strncmp(at, COLLATE_BYTES, sizeof(COLLATE_BYTES) - 1) == 0) {
            at += sizeof(COLLATE_BYTES) - 1;
        } else {
            out[size++] = *at++;
        }
    }
    out[size] = '\0';
}

static int
kind_execute(struct db_connection *connection, const char *text, struct fault *why)
{
    struct postgres_connection *own = postgres_of(connection);
    if (!own->is_cockroach) {
        return postgres_execute(own, text, NULL, why);
    }
    char plain[TEXT_SIZE];
    drop_collations(text, plain);
    return postgres_execute(own, plain, NULL, why);
}

static int
kind_ask(struct db_connection *connection, const char *text, char *ret_text, size_t text_size,
         struct fault *why)
{
    PGresult *result = NULL;
    int code = postgres_execute(postgres_of(connection), text, &result, why);
    if (code != 0) {
        return code;
    }
    bool has_value =
        pq.ntuples(result) > 0 && pq.nfields(result) > 0 && pq.getisnull(result, 0, 0) == 0;
    snprintf(ret_text, text_size, "%s", has_value ? pq.getvalue(result, 0, 0) : "");
    pq.clear(result);
    return 0;
}

static int
kind_finish(struct db_connection *connection, struct fault *why)
{
    int code = kind_execute(connection,
                            "CREATE INDEX IF NOT EXISTS pccs_platforms_by_fmspc ON platforms"
                            " (fmspc, qe_id, pce_id)",
                            why);
    return code != 0 ? code
                     : kind_execute(connection,
                                    "CREATE INDEX IF NOT EXISTS pccs_queue_by_state ON"
                                    " platforms_registered (state)",
                                    why);
}

static int
kind_notify(struct db_connection *connection, struct fault *why)
{
    (void)why;
    struct postgres_connection *own = postgres_of(connection);
    struct postgres_listener *listener = server_of(connection->db)->listener;
    own->has_news = own->can_notify && !atomic_load(&listener->is_refused);
    return 0;
}

static const struct server_kind postgres_kind = {
    .name = "postgres",
    .schema = "current_schema()",
    .claims_table = claims_table,
    .tables = tables,
    .connect = postgres_connect,
    .execute = kind_execute,
    .ask = kind_ask,
    .migrate = NULL,
    .finish = kind_finish,
    .notify = kind_notify,
    .listen = postgres_listen,
    .listen_end = postgres_listen_end,
};

int
store_open_postgres(const struct store_options *options, struct store **ret_store,
                    struct fault *why)
{
    return server_open(&postgres_kind, &postgres_engine, options, ret_store, why);
}

int
store_check_postgres(const struct store_options *options, struct fault *why)
{
    return server_check(&postgres_kind, &postgres_engine, options, why);
}
