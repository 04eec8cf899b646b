/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store on MariaDB or MySQL: what this kind of server is to the rest of the room, opening it,
 * and making its database.
 * Takes the options, gives a struct store. A server takes what it acknowledged for good only as its
 * own settings say: they are looked at once, and told if they are weak.
 * Called by main and --check.
 * Must never weaken a setting of durability, nor put the password anywhere but into the library's
 * call.
 * store.h; database.md; docs/decisions/0007-several-instances.md.
 */
#include <stdio.h>

#include "store/mariadb_priv.h"

enum { LIST_ROWS = 500, NAME_SIZE = 2 * 64 + 3, TEXT_SIZE = 512 };

/* ---- transactions ---- */

static int
engine_begin(struct db_connection *connection, enum db_begin how, struct fault *why)
{
    if (how == DB_BEGIN_WRITE) { /* READ COMMITTED, as the session is */
        return maria_execute(connection, "START TRANSACTION", why);
    }
    int code = maria_execute(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", why);
    return code != 0 ? code
                     : maria_execute(connection,
                                     "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", why);
}

/* In a cluster this is where a transaction loses against one of another node. */
static int
engine_commit(struct db_connection *connection, struct fault *why)
{
    return maria_execute(connection, "COMMIT", why);
}

/* Who cannot even do this is closed, which rolls back too. */
static void
engine_rollback(struct db_connection *connection)
{
    if (!connection->is_lost && maria_execute(connection, "ROLLBACK", NULL) != 0) {
        connection->is_lost = true;
    }
}

static void
engine_stamp(int64_t now, char out[DB_STAMP_SIZE])
{
    char iso[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(now, iso);
    (void)snprintf(out, DB_STAMP_SIZE, "%.10s %.8s.000", iso, iso + 11);
}

static const struct db_engine engine = {
    .name = "mariadb",
    .statement_count = SQL_COUNT,
    .list_rows = LIST_ROWS,
    .free = server_free,
    .connect = server_connect,
    .disconnect = maria_disconnect,
    .is_alive = maria_is_alive,
    .begin = engine_begin,
    .commit = engine_commit,
    .rollback = engine_rollback,
    .stamp = engine_stamp,
    .prepare = maria_prepare,
    .step = maria_step,
    .close = maria_close,
    .column = maria_column,
    .number = maria_number,
    .changes = maria_changes,
    .before_commit = shared_before_commit,
    .after_commit = shared_after_commit,
};

static const struct server_kind kind = {
    .name = "mariadb",
    .schema = "DATABASE()",
    .claims_table = maria_claims_table,
    .tables = maria_tables,
    .connect = maria_connect,
    .execute = maria_execute,
    .ask = maria_ask,
    .migrate = maria_migrate,
    .finish = maria_finish,
};

/* ---- the database itself ---- */

static void
quote_name(const char *name, char out[NAME_SIZE])
{
    size_t size = 0;
    out[size++] = '`';
    for (; *name != '\0' && size < NAME_SIZE - 4; name++) {
        if (*name == '`') {
            out[size++] = '`';
        }
        out[size++] = *name;
    }
    out[size++] = '`';
    out[size] = '\0';
}

static int
what_to_run(const struct store_server_options *server, const char *name, long number,
            struct fault *why)
{
    return fault_set_number(why, FAULT_CONFIG, "store", number,
                            "there is no database %s that '%.60s' may use; an administrator makes "
                            "it: CREATE DATABASE %s; GRANT ALL ON %s.* TO '%.60s'@'%%';",
                            name, server->username, name, name, server->username);
}

static int
create_as(struct maria_connection *connection, const char *name, struct fault *why)
{
    char text[TEXT_SIZE];
    (void)snprintf(text, sizeof(text),
                   "CREATE DATABASE IF NOT EXISTS %s CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                   name);
    return maria_execute(&connection->base.base, text, why);
}

/* As the reference does. *why: what connecting to the missing database said. */
static int
create_database(const struct store_options *options, struct fault *why)
{
    char name[NAME_SIZE];
    quote_name(options->server->database, name);
    long number = why->number;
    struct maria_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a connection");
    }
    int code = maria_log_in(options->server, NULL, connection, why);
    if (code == 0) {
        code = create_as(connection, name, why);
        code = code == FAULT_CONFIG ? what_to_run(options->server, name, number, why) : code;
    }
    maria_disconnect(&connection->base.base);
    return code;
}

static bool
is_missing(int code, const struct fault *why)
{
    return code == FAULT_CONFIG &&
           (why->number == MARIADB_NO_DATABASE || why->number == MARIADB_NO_ACCESS);
}

/* ---- durability ---- */

/* What was acknowledged must survive a power failure: the log is written before the answer; where
 * there is a binary log, recovery takes back what that does not hold. */
static int
judge_durability(struct store *store, const struct store_options *options, struct fault *why)
{
    struct db_connection *connection = NULL;
    int64_t is_weak = 0;
    int code = db_read_begin(db_of(store), DB_READ_ONE, &connection, why);
    if (code != 0) {
        return code;
    }
    code = maria_ask_number(connection,
                            "SELECT @@innodb_flush_log_at_trx_commit <> 1"
                            " OR (@@log_bin AND @@sync_binlog <> 1)",
                            &is_weak, why);
    db_read_end(db_of(store), connection);
    if (code == 0 && is_weak != 0 && options->on_notice != NULL) {
        options->on_notice(options->self,
                           "the server may lose what it acknowledged when its power fails: set "
                           "innodb_flush_log_at_trx_commit = 1 (and sync_binlog = 1)");
    }
    return code;
}

/* ---- opening ---- */

int
store_open_mariadb(const struct store_options *options, struct store **ret_store, struct fault *why)
{
    struct fault cause = {0};
    struct store *store = NULL;
    int code = maria_load(&cause);
    code = code != 0 ? code : server_open(&kind, &engine, options, &store, &cause);
    if (is_missing(code, &cause) && options->init_db) {
        code = create_database(options, &cause);
        code = code != 0 ? code : server_open(&kind, &engine, options, &store, &cause);
    }
    if (code == 0) {
        code = judge_durability(store, options, &cause);
        if (code != 0) {
            store_close(store);
        }
    }
    if (code == 0) {
        *ret_store = store;
    } else if (why != NULL) {
        *why = cause;
    }
    return code;
}

int
store_check_mariadb(const struct store_options *options, struct fault *why)
{
    struct fault cause = {0};
    int code = maria_load(&cause);
    code = code != 0 ? code : server_check(&kind, &engine, options, &cause);
    if (is_missing(code, &cause) && cause.number == MARIADB_NO_DATABASE && options->init_db) {
        code = 0;
        if (options->on_notice != NULL) {
            options->on_notice(options->self, "there is no such database yet: it will be made");
        }
    }
    if (code != 0 && why != NULL) {
        *why = cause;
    }
    return code;
}
