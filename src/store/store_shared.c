/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several instances on one database behave as one service: claims, and the news of each other's
 * writes. Every write transaction that changes something adds a row to pccs_changes, numbered per
 * instance without a gap and in the order of commits; every instance reads the others' rows behind
 * the last number it knows. A number that is missing means that news were lost: then anything may
 * have changed.
 * Takes names and keys, gives who holds what and who wrote what, by the database's clock, for those
 * of the instances may differ.
 * Called on any worker (claims, commits), by one thread (shared_wait_changes).
 * Must never rely on the order of commits of two instances, on numbers that a database deals out,
 * or on locks that only one node of a cluster knows.
 * docs/decisions/0007; database.md.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <time.h>

#include "base/hex.h"
#include "store/server_priv.h"

enum {
    POLL_MS = 250,          /* between two looks while nobody is woken */
    LEAST_MS = 20,          /* and while others wake us all the time */
    LIST_MS = 500,          /* between two looks for new instances */
    BEAT_MS = 10000,        /* between two signs of life, and two rounds of tidying */
    CHANGES_KEPT_S = 300,   /* news are kept for so long */
    DEAF_MS = 200000,       /* who did not listen for so long may have missed some */
    DEAD_S = 600,           /* an instance without a sign of life is forgotten */
    CLAIMS_KEPT_S = 172800, /* behind their end; only those that nobody gave back are left */
    CHANGES_AT_ONCE = 500,
    CLAIM_NAME_MAX = 200, /* longer names are told by their digest */
    CLAIM_NAME_SIZE = CLAIM_NAME_MAX + 1,
};

/* ---- claims ---- */

/* A name that the column takes, in whatever character set. */
static int
claim_name(const char *name, char out[CLAIM_NAME_SIZE], struct fault *why)
{
    struct span text = span_of_text(name);
    bool is_plain = text.size <= CLAIM_NAME_MAX;
    for (size_t i = 0; is_plain && i < text.size; i++) {
        is_plain = text.data[i] > 0x20 && text.data[i] < 0x7f;
    }
    if (is_plain) {
        snprintf(out, CLAIM_NAME_SIZE, "%s", name);
        return 0;
    }
    uint8_t digest[32];
    if (EVP_Digest(text.data, text.size, digest, NULL, EVP_sha256(), NULL) != 1) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a claim's name");
    }
    hex_encode_lower(span_of(digest, sizeof(digest)), out);
    return 0;
}

struct claim {
    char name[CLAIM_NAME_SIZE];
    const char *holder;
    int ttl_s;
    bool is_held;
};

static int
claim_run(struct db_connection *connection, const struct claim *claim, enum sql_id id,
          bool *ret_done, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, id);
    sql_bind_text(&sql, claim->name);
    sql_bind_text(&sql, claim->holder);
    if (id != SQL_CLAIM_RELEASE) {
        sql_bind_number(&sql, claim->ttl_s);
    }
    int code = sql_run(&sql, why);
    *ret_done = code == 0 && sql_changes(&sql) > 0;
    return code;
}

static int
claim_take(struct db_connection *connection, void *self, struct fault *why)
{
    struct claim *claim = self;
    int code = claim_run(connection, claim, SQL_CLAIM_RENEW, &claim->is_held, why);
    if (code != 0 || claim->is_held) {
        return code;
    }
    return claim_run(connection, claim, SQL_CLAIM_TAKE, &claim->is_held, why);
}

int
shared_claim(struct store *store, const char *name, int ttl_s, bool *ret_held, struct fault *why)
{
    struct server_db *db = server_of(db_of(store));
    struct claim claim = {.holder = db->instance, .ttl_s = ttl_s};
    int code = claim_name(name, claim.name, why);
    code = code != 0 ? code : db_write(&db->db, claim_take, &claim, why);
    if (code == 0) {
        *ret_held = claim.is_held;
    }
    return code;
}

static int
claim_give(struct db_connection *connection, void *self, struct fault *why)
{
    bool was_ours = false;
    return claim_run(connection, self, SQL_CLAIM_RELEASE, &was_ours, why);
}

int
shared_release(struct store *store, const char *name, struct fault *why)
{
    struct server_db *db = server_of(db_of(store));
    struct claim claim = {.holder = db->instance};
    int code = claim_name(name, claim.name, why);
    return code != 0 ? code : db_write(&db->db, claim_give, &claim, why);
}

/* ---- telling ---- */

int
shared_before_commit(struct db_connection *connection, struct fault *why)
{
    struct server_db *db = server_of(connection->db);
    pthread_mutex_lock(&db->change_lock); /* until shared_after_commit */
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_CHANGE_PUT);
    sql_bind_text(&sql, db->instance);
    sql_bind_number(&sql, db->seq + 1);
    sql_bind_span(&sql, buf_span(&connection->changes));
    int code = sql_run(&sql, why);
    return code != 0 || db->kind->notify == NULL ? code : db->kind->notify(connection, why);
}

/* A commit whose answer was lost may have come to pass: its number is not used again, and if it did
 * not, the others see a gap. */
void
shared_after_commit(struct db_connection *connection, bool committed)
{
    struct server_db *db = server_of(connection->db);
    if (committed || connection->is_lost) {
        db->seq += 1;
    }
    pthread_mutex_unlock(&db->change_lock);
}

/* ---- hearing ---- */

static int
run_with(struct db_connection *connection, enum sql_id id, const char *instance, int64_t number,
         struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, id);
    if (instance != NULL) {
        sql_bind_text(&sql, instance);
    }
    if (number >= 0) {
        sql_bind_number(&sql, number);
    }
    return sql_run(&sql, why);
}

/* Forgets the instances that have long been silent, with what they told. */
static int
dead_forget(struct db_connection *connection, struct fault *why)
{
    char dead[SERVER_PEERS_MAX][DB_INSTANCE_SIZE];
    size_t count = 0;
    struct sql sql = sql_of(connection, SQL_INSTANCES_OLD);
    sql_bind_number(&sql, DEAD_S);
    sql_bind_number(&sql, SERVER_PEERS_MAX);
    int code = 0;
    for (bool row = true; code == 0 && row && count < SERVER_PEERS_MAX;) {
        code = sql_step(&sql, &row, why);
        count += code == 0 && row && sql_column_text(&sql, 0, dead[count], DB_INSTANCE_SIZE);
    }
    sql_close(&sql);
    for (size_t i = 0; code == 0 && i < count; i++) {
        code = run_with(connection, SQL_CHANGES_FORGET, dead[i], 0, why);
        code = code != 0 ? code : run_with(connection, SQL_INSTANCE_FORGET, dead[i], -1, why);
    }
    return code;
}

static int
beat(struct db_connection *connection, void *self, struct fault *why)
{
    const struct server_db *db = self;
    int code = run_with(connection, SQL_INSTANCE_PUT, db->instance, -1, why);
    code = code != 0 ? code
                     : run_with(connection, SQL_CHANGES_FORGET, db->instance, CHANGES_KEPT_S, why);
    code = code != 0 ? code : run_with(connection, SQL_CLAIMS_FORGET, NULL, CLAIMS_KEPT_S, why);
    return code != 0 ? code : dead_forget(connection, why);
}

static struct server_peer *
peer_find(struct server_db *db, const char *instance)
{
    for (size_t i = 0; i < db->peer_count; i++) {
        if (strcmp(db->peers[i].instance, instance) == 0) {
            return &db->peers[i];
        }
    }
    return NULL;
}

/* Of instances that were there before us the old news do not matter: our memory was empty. */
static void
peer_add(struct server_db *db, const char *instance, int64_t seq)
{
    struct server_peer *peer = peer_find(db, instance);
    if (peer == NULL && db->peer_count < SERVER_PEERS_MAX) {
        peer = &db->peers[db->peer_count++];
        *peer = (struct server_peer){.seq = db->has_listed ? 0 : seq};
        memcpy(peer->instance, instance, DB_INSTANCE_SIZE);
    }
    if (peer != NULL) {
        peer->is_listed = true;
    }
}

static void
peers_drop_unlisted(struct server_db *db)
{
    size_t kept = 0;
    for (size_t i = 0; i < db->peer_count; i++) {
        if (db->peers[i].is_listed) {
            db->peers[kept++] = db->peers[i];
        }
    }
    db->peer_count = kept;
}

static int
peers_list(struct server_db *db, struct db_connection *connection, struct fault *why)
{
    for (size_t i = 0; i < db->peer_count; i++) {
        db->peers[i].is_listed = false;
    }
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_INSTANCE_LIST);
    sql_bind_text(&sql, db->instance);
    sql_bind_number(&sql, SERVER_PEERS_MAX);
    for (;;) {
        bool row = false;
        char instance[DB_INSTANCE_SIZE] = "";
        int code = sql_step(&sql, &row, why);
        if (code != 0) {
            return code;
        }
        if (!row) {
            break;
        }
        if (sql_column_text(&sql, 0, instance, sizeof(instance))) {
            peer_add(db, instance, sql_column_number(&sql, 1));
        }
    }
    peers_drop_unlisted(db);
    db->has_listed = true;
    return 0;
}

/* A row's lines, each a key. */
static void
tell_lines(struct span lines, store_change_fn *each, void *self)
{
    while (lines.size > 0) {
        const uint8_t *end = memchr(lines.data, '\n', lines.size);
        size_t size = end != NULL ? (size_t)(end - lines.data) : lines.size;
        struct item_key key;
        bool is_key = db_change_parse(span_of(lines.data, size), &key);
        each(self, is_key ? &key : NULL);
        size += end != NULL ? 1 : 0;
        lines = span_of(lines.data + size, lines.size - size);
    }
}

/* What one instance wrote since; *ret_more: there is more. The lines are gathered first, for
 * the callback reads the database itself. */
static int
peer_hear(struct server_db *db, struct server_peer *peer, struct buf *lines, bool *ret_more,
          struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(&db->db, DB_READ_ONE, &connection, why);
    if (code != 0) {
        return code;
    }
    struct sql sql = sql_of(connection, SQL_CHANGE_LIST);
    sql_bind_text(&sql, peer->instance);
    sql_bind_number(&sql, peer->seq);
    sql_bind_number(&sql, CHANGES_AT_ONCE);
    int rows = 0;
    int64_t heard = peer->seq;
    for (bool row = true; code == 0 && row && rows < CHANGES_AT_ONCE;) {
        code = sql_step(&sql, &row, why);
        if (code == 0 && row) {
            int64_t seq = sql_column_number(&sql, 0);
            if (seq != heard + 1 || buf_add(lines, sql_column(&sql, 1)) != 0) {
                buf_clear(lines);
                (void)buf_add_text(lines, "ANYTHING\n");
            }
            heard = seq;
            rows += 1;
        }
    }
    sql_close(&sql);
    db_read_end(&db->db, connection);
    if (code == 0) {
        peer->seq = heard;
        *ret_more = rows == CHANGES_AT_ONCE;
    }
    return code;
}

static int
peers_hear(struct server_db *db, store_change_fn *each, void *self, struct fault *why)
{
    enum { LINES_BYTES = 1024 * 1024 };
    int code = 0;
    for (size_t i = 0; code == 0 && i < db->peer_count; i++) {
        for (bool more = true; code == 0 && more;) {
            auto_cleanup(buf_done) struct buf lines = BUF_INIT(LINES_BYTES);
            more = false;
            code = peer_hear(db, &db->peers[i], &lines, &more, why);
            if (code == 0) {
                tell_lines(buf_span(&lines), each, self);
            }
        }
    }
    return code;
}

static int
keep_house(struct server_db *db, int64_t now_ms, struct fault *why)
{
    int code = 0;
    if (db->cleaned_ms == 0 || now_ms - db->cleaned_ms >= BEAT_MS) {
        code = db_write(&db->db, beat, db, why);
        db->cleaned_ms = code == 0 ? now_ms : db->cleaned_ms;
    }
    if (code == 0 && (db->listed_ms == 0 || now_ms - db->listed_ms >= LIST_MS)) {
        struct db_connection *connection = NULL;
        code = db_read_begin(&db->db, DB_READ_ONE, &connection, why);
        if (code == 0) {
            code = peers_list(db, connection, why);
            db_read_end(&db->db, connection);
            db->listed_ms = code == 0 ? now_ms : db->listed_ms;
        }
    }
    return code;
}

int
shared_start(struct server_db *db, struct fault *why)
{
    int64_t now_ms = clock_monotonic_ms(clock_system());
    db->polled_ms = now_ms;
    return keep_house(db, now_ms, why);
}

static void
pause_ms(int64_t milliseconds)
{
    struct timespec wait = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * 1000000L};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
}

static void
wait_for_news(struct server_db *db, int timeout_ms)
{
    if (db->kind->listen == NULL || !db->kind->listen(db, timeout_ms)) {
        pause_ms(timeout_ms < POLL_MS ? timeout_ms : POLL_MS);
    }
    int64_t since_ms = clock_monotonic_ms(clock_system()) - db->polled_ms;
    if (since_ms < LEAST_MS) {
        pause_ms(LEAST_MS - since_ms);
    }
}

int
shared_wait_changes(struct store *store, int timeout_ms, store_change_fn *each, void *self,
                    struct fault *why)
{
    struct server_db *db = server_of(db_of(store));
    wait_for_news(db, timeout_ms);
    int64_t now_ms = clock_monotonic_ms(clock_system());
    int code = keep_house(db, now_ms, why);
    code = code != 0 ? code : peers_hear(db, each, self, why);
    if (code == 0) {
        if (now_ms - db->polled_ms > DEAF_MS) {
            each(self, NULL);
        }
        db->polled_ms = now_ms;
    }
    return code;
}
