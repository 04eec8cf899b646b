/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connections of a database: one that writes, a few that read, and the transaction.
 * Takes a path, gives connections with their prepared statements; commits or rolls back.
 * Called by this room's files on any worker thread. Locks: write_lock is held for the length of a
 * write transaction; pool_lock for moments, to lend and take back readers. A database in memory
 * has the one connection, and reading it takes write_lock too. Neither lock is ever taken while
 * the other is held.
 * Must never leave a transaction open or hold a lock while a callback of the caller runs.
 * store_sqlite.c says why the settings are what they are.
 */
#include <stdio.h>
#include <time.h>

#include "store/store_priv.h"

enum {
    READERS_MAX = 8,          /* with 2 MB of cache each; look-ups take microseconds */
    WRITE_WAIT_S = 30,        /* for a large upload of our own before us */
    STATEMENT_BYTES = 100000, /* the longest SQL text; ours are far shorter */
};

/* A row of a taken-over database may be anything; what is longer than this nobody has use for. */
static void
limit_connection(sqlite3 *handle)
{
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, LIMIT_STORE_ROW_BYTES);
    sqlite3_limit(handle, SQLITE_LIMIT_SQL_LENGTH, STATEMENT_BYTES);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
}

static int
set_up_connection(const struct db *db, bool writes, sqlite3 *handle, struct fault *why)
{
    limit_connection(handle);
    sqlite3_extended_result_codes(handle, 0);
    sqlite3_busy_timeout(handle, db->busy_timeout_ms);
    int code = sql_execute(handle,
                           "PRAGMA cache_size = -2048; PRAGMA mmap_size = 0;"
                           "PRAGMA foreign_keys = OFF; PRAGMA synchronous = FULL;"
                           "PRAGMA journal_size_limit = 16777216;",
                           why);
    if (code == 0 && !writes) {
        code = sql_execute(handle, "PRAGMA query_only = ON", why);
    }
    return code;
}

int
db_connection_open(const struct db *db, bool writes, struct db_connection **ret_connection,
                   struct fault *why)
{
    struct db_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a connection");
    }
    /* Readers open for writing too: a reader of a WAL database writes its index. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(db->path, &connection->handle, flags, NULL);
    code = code != SQLITE_OK ? sql_fault(connection->handle, code, why)
                             : set_up_connection(db, writes, connection->handle, why);
    if (code != 0) {
        db_connection_close(connection);
        return code;
    }
    *ret_connection = connection;
    return 0;
}

void
db_connection_close(struct db_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    for (int id = 0; id < SQL_COUNT; id++) {
        sqlite3_finalize(connection->statements[id]);
    }
    sqlite3_close_v2(connection->handle);
    free(connection);
}

int
db_connection_check(struct db_connection *connection, struct fault *why)
{
    for (int id = 0; id < SQL_COUNT; id++) {
        struct sql sql = sql_of(connection, (enum sql_id)id);
        int failed = sql.failed;
        sql_close(&sql);
        if (failed != SQLITE_OK) {
            return sql_fault(connection->handle, failed, why);
        }
    }
    return 0;
}

/* An idle reader, or NULL and a place taken to open one. Waits while all are lent. */
static struct db_connection *
pool_take(struct db *db)
{
    pthread_mutex_lock(&db->pool_lock);
    while (db->idle == NULL && db->reader_count == READERS_MAX) {
        pthread_cond_wait(&db->pool_returned, &db->pool_lock);
    }
    struct db_connection *connection = db->idle;
    if (connection != NULL) {
        db->idle = connection->next;
    } else {
        db->reader_count += 1;
    }
    pthread_mutex_unlock(&db->pool_lock);
    return connection;
}

/* Gives a reader back, or the place of one that could not be opened. */
static void
pool_return(struct db *db, struct db_connection *connection)
{
    pthread_mutex_lock(&db->pool_lock);
    if (connection != NULL) {
        connection->next = db->idle;
        db->idle = connection;
    } else {
        db->reader_count -= 1;
    }
    pthread_cond_signal(&db->pool_returned);
    pthread_mutex_unlock(&db->pool_lock);
}

int
db_read_begin(struct db *db, struct db_connection **ret_connection, struct fault *why)
{
    if (db->in_memory) {
        pthread_mutex_lock(&db->write_lock);
        *ret_connection = db->writer;
        return 0;
    }
    struct db_connection *connection = pool_take(db);
    if (connection == NULL) {
        int code = db_connection_open(db, false, &connection, why);
        if (code != 0) {
            pool_return(db, NULL);
            return code;
        }
    }
    *ret_connection = connection;
    return 0;
}

void
db_read_end(struct db *db, struct db_connection *connection)
{
    if (db->in_memory) {
        pthread_mutex_unlock(&db->write_lock);
        return;
    }
    pool_return(db, connection);
}

/* As the reference writes times, whose library parses this form; the clock has whole seconds. */
void
db_stamp_now(const struct clock *clock, char out[DB_STAMP_SIZE])
{
    char iso[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(clock_now(clock), iso);
    snprintf(out, DB_STAMP_SIZE, "%.10s %.8s.000 +00:00", iso, iso + 11);
}

/* A step of the wall clock makes the wait shorter or longer, no more. */
static int
write_lock_take(struct db *db, struct fault *why)
{
    struct timespec until = {.tv_sec = (time_t)(clock_now(clock_system()) + WRITE_WAIT_S)};
    if (pthread_mutex_timedlock(&db->write_lock, &until) != 0) {
        return fault_set(why, FAULT_STORE, "store",
                         "the database is locked: another write took longer than %d s",
                         WRITE_WAIT_S);
    }
    return 0;
}

int
db_write_begin(struct db *db, struct db_connection **ret_connection, struct fault *why)
{
    int code = write_lock_take(db, why);
    if (code != 0) {
        return code;
    }
    sqlite3 *handle = db->writer->handle;
    if (sqlite3_get_autocommit(handle) == 0) { /* the last ROLLBACK met a failing disk */
        (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    }
    code = sql_execute(handle, "BEGIN IMMEDIATE", why);
    if (code != 0) {
        db->write_proved = false;
        pthread_mutex_unlock(&db->write_lock);
        return code;
    }
    db_stamp_now(db->clock, db->writer->stamp);
    *ret_connection = db->writer;
    return 0;
}

int
db_write_end(struct db *db, int code, struct fault *why)
{
    sqlite3 *handle = db->writer->handle;
    if (code == 0) {
        code = sql_execute(handle, "COMMIT", why);
        db->write_proved = code == 0;
        db->write_proved_ms = clock_monotonic_ms(db->clock);
    } else if (code == FAULT_STORE) {
        db->write_proved = false;
    }
    /* Some failures roll back by themselves. */
    if (code != 0 && sqlite3_get_autocommit(handle) == 0) {
        (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    }
    pthread_mutex_unlock(&db->write_lock);
    return code;
}
