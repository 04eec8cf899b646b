/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How the database is and how much is in it: for readiness, metrics and the dashboard.
 * Takes the store, gives 0 or a fault, and counts.
 * Called by the timer, once a second and every ten seconds.
 * Must never cost much: a probe writes only if nothing was written of late, and what is slow to
 * count is counted seldom.
 */
#include "store/store_priv.h"

enum {
    PING_WRITE_EVERY_MS = 10000, /* a probe that writes costs an fsync */
    COUNT_SLOW_MS = 200,         /* what takes longer is counted again only once in a while */
    COUNT_SHARE = 100,           /* at most one part in so many of the time goes into counting */
};

static int
ping_read(struct db *db, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db, DB_READ_ONE, &connection, why);
    if (code != 0) {
        return code;
    }
    bool row = false;
    struct sql sql = sql_of(connection, SQL_PING_READ);
    code = sql_step(&sql, &row, why);
    sql_close(&sql);
    db_read_end(db, connection);
    return code != 0 || row ? code
                            : fault_set(why, FAULT_STORE, "store", "the table pccs_owner is empty");
}

int
db_beat(struct db_connection *connection, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PING_WRITE);
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

static int
ping_write(struct db_connection *connection, void *self, struct fault *why)
{
    (void)self;
    return db_beat(connection, why);
}

/* Reads always; writes unless a write of late has shown that it can be done, or somebody is at it
 * right now. */
int
db_ping(struct store *store, struct fault *why)
{
    struct db *db = db_of(store);
    bool is_writing = db->has_writer && pthread_mutex_trylock(&db->write_lock) != 0;
    if (db->has_writer && !is_writing) {
        pthread_mutex_unlock(&db->write_lock);
    }
    int64_t now_ms = clock_monotonic_ms(db->clock);
    pthread_mutex_lock(&db->pool_lock);
    bool proved = db->write_proved && now_ms - db->write_proved_ms < PING_WRITE_EVERY_MS;
    pthread_mutex_unlock(&db->pool_lock);
    int code = ping_read(db, why);
    return code != 0 || is_writing || proved ? code : db_write(db, ping_write, NULL, why);
}

static int
counts_read(struct db *db, struct store_counts *ret_counts, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db, DB_READ_ONE, &connection, why);
    if (code != 0) {
        return code;
    }
    bool row = false;
    struct sql sql = sql_of(connection, SQL_COUNTS);
    code = sql_step(&sql, &row, why);
    if (code == 0) {
        *ret_counts = (struct store_counts){
            .platforms = (uint64_t)sql_column_number(&sql, 0),
            .pck_certs = (uint64_t)sql_column_number(&sql, 1),
            .tcb_infos = (uint64_t)sql_column_number(&sql, 2),
            .identities = (uint64_t)sql_column_number(&sql, 3),
            .crls = (uint64_t)sql_column_number(&sql, 4),
            .raw_tcbs = (uint64_t)sql_column_number(&sql, 5),
        };
    }
    sql_close(&sql);
    db_read_end(db, connection);
    return code;
}

/* Counting a large table reads all of its index: then an older count is told for a while. */
int
db_counts(struct store *store, struct store_counts *ret_counts, struct fault *why)
{
    struct db *db = db_of(store);
    int64_t start_ms = clock_monotonic_ms(db->clock);
    pthread_mutex_lock(&db->pool_lock);
    struct store_counts counts = db->counts;
    bool recent = db->counts_cost_ms >= COUNT_SLOW_MS &&
                  start_ms - db->counts_at_ms < COUNT_SHARE * db->counts_cost_ms;
    pthread_mutex_unlock(&db->pool_lock);
    int code = recent ? 0 : counts_read(db, &counts, why);
    if (code != 0) {
        return code;
    }
    if (!recent) {
        pthread_mutex_lock(&db->pool_lock);
        db->counts = counts;
        db->counts_at_ms = clock_monotonic_ms(db->clock);
        db->counts_cost_ms = db->counts_at_ms - start_ms;
        pthread_mutex_unlock(&db->pool_lock);
    }
    *ret_counts = counts;
    return 0;
}
