/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connections of a database, lent and taken back, and the transaction.
 * Takes what an engine can do, gives connections for reading and a commit or a rollback for each
 * write. An engine with a single writer (SQLite) has one connection that writes and a few that
 * read; all others write on any.
 * Called by this room's files on any worker thread. Locks: write_lock is held for the length of the
 * single writer's transaction; pool_lock for moments, to lend and take back. A database in memory
 * has the one connection, and reading it takes write_lock too. Neither lock is ever taken while
 * the other is held.
 * Must never leave a transaction open or hold a lock while a callback of the caller runs, nor run a
 * transaction again that may have been committed.
 */
#include <stdio.h>
#include <time.h>

#include "store/store_priv.h"

enum {
    WAIT_S = 30,        /* for a large upload of our own before us, or for a free connection */
    WRITE_ATTEMPTS = 6, /* of a transaction that loses against others */
    RETRY_AFTER_MS = 5, /* the first time; then twice as long each time, and up to as much more */
    CHANGES_BYTES = 16 * 1024,
};

void
db_init(struct db *db)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&db->pool_returned, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&db->write_lock, NULL);
    pthread_mutex_init(&db->pool_lock, NULL);
}

static void
connection_close(struct db *db, struct db_connection *connection)
{
    if (connection != NULL) {
        buf_done(&connection->changes);
        db->engine->disconnect(connection);
    }
}

void
db_done(struct db *db)
{
    while (db->idle != NULL) {
        struct db_connection *connection = db->idle;
        db->idle = connection->next;
        connection_close(db, connection);
    }
    connection_close(db, db->writer); /* in SQLite the last one folds the WAL into the file */
    db->writer = NULL;
    pthread_mutex_destroy(&db->write_lock);
    pthread_mutex_destroy(&db->pool_lock);
    pthread_cond_destroy(&db->pool_returned);
}

void
db_close(struct store *store)
{
    struct db *db = db_of(store);
    db_done(db);
    db->engine->free(db);
}

int
db_fault_where(const struct db *db, int code, struct fault *why)
{
    if (code == FAULT_STORE && why != NULL && db->where != NULL) {
        struct fault plain = *why;
        return fault_set_number(why, FAULT_STORE, plain.stage, plain.number, "database %s: %s",
                                db->where, plain.text);
    }
    return code;
}

int
db_connection_open(struct db *db, bool writes, struct db_connection **ret_connection,
                   struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db->engine->connect(db, writes, &connection, why);
    if (code == 0) {
        connection->db = db;
        connection->changes = BUF_INIT(CHANGES_BYTES);
        *ret_connection = connection;
    }
    return code;
}

int
db_connection_check(struct db_connection *connection, struct fault *why)
{
    const struct db_engine *engine = connection->db->engine;
    int code = 0;
    for (int id = 0; code == 0 && id < engine->statement_count; id++) {
        code = engine->prepare(connection, (enum sql_id)id, why);
    }
    return code;
}

/* ---- the pool ---- */

/* An idle connection, or NULL and a place taken to open one. Waits while all are lent. */
static int
pool_take(struct db *db, struct db_connection **ret_connection, struct fault *why)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    int waited = 0;
    pthread_mutex_lock(&db->pool_lock);
    while (waited == 0 && db->idle == NULL && db->connection_count >= db->pool_max) {
        waited = pthread_cond_timedwait(&db->pool_returned, &db->pool_lock, &until);
    }
    struct db_connection *connection = db->idle;
    bool has_place = connection != NULL || db->connection_count < db->pool_max;
    if (connection != NULL) {
        db->idle = connection->next;
    } else if (has_place) {
        db->connection_count += 1;
    }
    pthread_mutex_unlock(&db->pool_lock);
    if (!has_place) {
        return fault_set(why, FAULT_STORE, "store", "all %zu connections were busy for %d s",
                         db->pool_max, WAIT_S);
    }
    *ret_connection = connection;
    return 0;
}

/* Gives a connection back, or the place of one that is closed or could not be opened. */
static void
pool_return(struct db *db, struct db_connection *connection)
{
    if (connection != NULL && connection->is_lost) {
        connection_close(db, connection);
        connection = NULL;
    }
    pthread_mutex_lock(&db->pool_lock);
    if (connection != NULL) {
        connection->next = db->idle;
        db->idle = connection;
    } else {
        db->connection_count -= 1;
    }
    pthread_cond_signal(&db->pool_returned);
    pthread_mutex_unlock(&db->pool_lock);
}

/* One that works, as far as can be told without asking it. */
static int
pool_lend(struct db *db, struct db_connection **ret_connection, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = pool_take(db, &connection, why);
    if (code == 0 && connection != NULL && db->engine->is_alive != NULL &&
        !db->engine->is_alive(connection)) {
        connection_close(db, connection);
        connection = NULL;
    }
    if (code == 0 && connection == NULL) {
        code = db_connection_open(db, !db->has_writer, &connection, why);
        if (code != 0) {
            pool_return(db, NULL);
        }
    }
    if (code == 0) {
        *ret_connection = connection;
    }
    return code;
}

/* ---- reading ---- */

int
db_read_begin(struct db *db, enum db_read how, struct db_connection **ret_connection,
              struct fault *why)
{
    if (db->only_writer) {
        pthread_mutex_lock(&db->write_lock);
        *ret_connection = db->writer;
        return 0;
    }
    struct db_connection *connection = NULL;
    int code = pool_lend(db, &connection, why);
    if (code == 0 && how == DB_READ_SNAPSHOT) {
        code = db_fault_where(db, db->engine->begin(connection, DB_BEGIN_SNAPSHOT, why), why);
        connection->in_transaction = code == 0;
        if (code != 0) {
            pool_return(db, connection);
        }
    }
    if (code == 0) {
        *ret_connection = connection;
    }
    return code;
}

void
db_read_end(struct db *db, struct db_connection *connection)
{
    if (db->only_writer) {
        pthread_mutex_unlock(&db->write_lock);
        return;
    }
    if (connection->in_transaction) {
        connection->in_transaction = false;
        db->engine->rollback(connection);
    }
    pool_return(db, connection);
}

/* ---- writing ---- */

/* A step of the wall clock makes the wait shorter or longer, no more. */
static int
writer_take(struct db *db, struct db_connection **ret_connection, struct fault *why)
{
    if (!db->has_writer) {
        return pool_lend(db, ret_connection, why);
    }
    struct timespec until = {.tv_sec = (time_t)(clock_now(clock_system()) + WAIT_S)};
    if (pthread_mutex_timedlock(&db->write_lock, &until) != 0) {
        return fault_set(why, FAULT_STORE, "store",
                         "the database is locked: another write took longer than %d s", WAIT_S);
    }
    *ret_connection = db->writer;
    return 0;
}

static void
writer_return(struct db *db, struct db_connection *connection)
{
    if (db->has_writer) {
        pthread_mutex_unlock(&db->write_lock);
    } else {
        pool_return(db, connection);
    }
}

/* Remembers what this write says of the next ones, for db_ping. */
static void
write_judge(struct db *db, int code)
{
    if (code != 0 && code != FAULT_STORE) {
        return; /* not the database's fault */
    }
    int64_t now_ms = clock_monotonic_ms(db->clock);
    pthread_mutex_lock(&db->pool_lock);
    db->write_proved = code == 0;
    db->write_proved_ms = code == 0 ? now_ms : db->write_proved_ms;
    pthread_mutex_unlock(&db->pool_lock);
}

/* Commits what was done. *ret_is_done turns true once the commit was sent: it may have come to
 * pass even if the answer was lost. */
static int
write_commit(struct db_connection *connection, bool *ret_is_sent, struct fault *why)
{
    const struct db_engine *engine = connection->db->engine;
    bool tells = engine->before_commit != NULL && connection->changes.size > 0;
    int code = tells ? engine->before_commit(connection, why) : 0;
    if (code == 0) {
        *ret_is_sent = true;
        code = db_fault_where(connection->db, engine->commit(connection, why), why);
    }
    if (tells) {
        engine->after_commit(connection, code == 0);
    }
    return code;
}

static int
write_once(struct db *db, db_write_fn *run, void *self, bool *ret_again, struct fault *why)
{
    struct db_connection *connection = NULL;
    *ret_again = false;
    int code = writer_take(db, &connection, why);
    if (code != 0) {
        write_judge(db, code);
        return code;
    }
    bool is_sent = false;
    connection->is_conflict = false;
    buf_clear(&connection->changes);
    db->engine->stamp(clock_now(db->clock), connection->stamp);
    code = db_fault_where(db, db->engine->begin(connection, DB_BEGIN_WRITE, why), why);
    if (code == 0) {
        code = run(connection, self, why);
        code = code != 0 ? code : write_commit(connection, &is_sent, why);
        if (code != 0) {
            db->engine->rollback(connection);
        }
    }
    *ret_again = code != 0 && (connection->is_conflict || (connection->is_lost && !is_sent));
    writer_return(db, connection);
    write_judge(db, code);
    return code;
}

/* Two that were in each other's way must not meet again at once. */
static void
wait_before_attempt(unsigned attempt)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long least_ms = (long)RETRY_AFTER_MS << attempt;
    long wait_ms = least_ms + now.tv_nsec / 1000 % least_ms;
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
}

int
db_write(struct db *db, db_write_fn *run, void *self, struct fault *why)
{
    struct fault detail = {0};
    bool again = false;
    int code = write_once(db, run, self, &again, &detail);
    for (unsigned attempt = 1; again && attempt < WRITE_ATTEMPTS; attempt++) {
        wait_before_attempt(attempt);
        detail = (struct fault){0};
        code = write_once(db, run, self, &again, &detail);
    }
    if (code != 0 && why != NULL) {
        *why = detail;
    }
    return code;
}
