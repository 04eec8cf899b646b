/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store on a database server: opened, reconnected, closed, whichever server it is.
 * Takes a kind of server and the options, gives a struct store. Connections are made when they are
 * wanted; after one that failed nobody tries again for a moment, twice as long each time, so that
 * requests are refused at once while the server is down and it is not stormed when it is back.
 * Called by main to open, by workers for connections. down_lock protects what is known of an
 * outage and is not held while connecting.
 * Must never put the password anywhere but into the client library's call.
 * database.md; config.md, mysql / mariadb / postgres.
 */
#include "store/server_priv.h"

#include <openssl/rand.h>
#include <stdio.h>

#include "base/hex.h"

enum {
    DOWN_FIRST_MS = 100,
    DOWN_MOST_MS = 2000,
};

/* ---- the object ---- */

static void
secret_free(char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
}

void
server_free(struct db *own)
{
    struct server_db *db = server_of(own);
    if (db->listener != NULL) {
        db->kind->listen_end(db);
    }
    free(db->database);
    free(db->username);
    secret_free(db->password);
    free(db->host);
    free(db->ssl_ca);
    pthread_mutex_destroy(&db->down_lock);
    pthread_mutex_destroy(&db->change_lock);
    free(db);
}

static bool
text_dup(char **ret_copy, const char *text)
{
    *ret_copy = strdup(text != NULL ? text : "");
    return *ret_copy != NULL;
}

static const struct store_driver server_driver = {
    DB_DRIVER_COMMON,
    .claim = shared_claim,
    .release = shared_release,
    .wait_changes = shared_wait_changes,
};

/* Closed by db_close, whatever it lacks. */
static int
server_new(const struct server_kind *kind, const struct db_engine *engine,
           const struct store_options *options, struct server_db **ret_db, struct fault *why)
{
    struct server_db *db = calloc(1, sizeof(*db));
    if (db == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for the store");
    }
    const struct store_server_options *server = options->server;
    db->kind = kind;
    db->driver = server_driver;
    db->driver.name = kind->name;
    db->db.store.driver = &db->driver;
    db->db.engine = engine;
    db->db.clock = options->clock;
    db->db.pool_max = (size_t)server->pool_max;
    db->db.list_bytes_max =
        options->list_bytes_max != 0 ? options->list_bytes_max : LIMIT_QUEUE_LIST_BYTES;
    db->port = server->port;
    db->ssl_required = server->ssl_required;
    db_init(&db->db);
    pthread_mutex_init(&db->down_lock, NULL);
    pthread_mutex_init(&db->change_lock, NULL);
    bool has_all = text_dup(&db->database, server->database) &&
                   text_dup(&db->username, server->username) &&
                   text_dup(&db->password, server->password) && text_dup(&db->host, server->host) &&
                   text_dup(&db->ssl_ca, server->ssl_ca);
    uint8_t random[(DB_INSTANCE_SIZE - 1) / 2];
    if (!has_all || RAND_bytes(random, sizeof(random)) != 1) {
        db_close(&db->db.store);
        return fault_set(why, FAULT_MEMORY, "store", "no memory for the store");
    }
    hex_encode_lower(span_of(random, sizeof(random)), db->instance);
    snprintf(db->where, sizeof(db->where), "%s %.60s:%d/%.40s", kind->name, db->host, db->port,
             db->database);
    *ret_db = db;
    return 0;
}

/* ---- connecting ---- */

static bool
is_down(struct server_db *db, struct fault *why)
{
    int64_t now_ms = clock_monotonic_ms(clock_system());
    pthread_mutex_lock(&db->down_lock);
    bool down = now_ms < db->down_until_ms;
    if (down && why != NULL) {
        *why = db->down_why;
    }
    pthread_mutex_unlock(&db->down_lock);
    return down;
}

/* Notes how it went. Once open, what an operator must mend may be mended any moment. */
static int
note_connect(struct server_db *db, int code, const struct fault *detail, struct fault *why)
{
    int64_t now_ms = clock_monotonic_ms(clock_system());
    pthread_mutex_lock(&db->down_lock);
    if (code == 0) {
        db->down_ms = 0;
        db->down_until_ms = 0;
    } else {
        int next_ms = db->down_ms == 0 ? DOWN_FIRST_MS : 2 * db->down_ms;
        db->down_ms = next_ms < DOWN_MOST_MS ? next_ms : DOWN_MOST_MS;
        db->down_until_ms = now_ms + db->down_ms;
        code = code == FAULT_CONFIG && db->is_open ? FAULT_STORE : code;
        fault_set_number(&db->down_why, (enum fault_code)code, "store", detail->number,
                         "database %s: %s", db->where, detail->text);
        if (why != NULL) {
            *why = db->down_why;
        }
    }
    pthread_mutex_unlock(&db->down_lock);
    return code;
}

int
server_connect(struct db *own, bool writes, struct db_connection **ret_connection,
               struct fault *why)
{
    (void)writes;
    struct server_db *db = server_of(own);
    if (is_down(db, why)) {
        return FAULT_STORE;
    }
    struct fault detail = {0};
    int code = db->kind->connect(db, ret_connection, &detail);
    return note_connect(db, code, &detail, why);
}

/* ---- opening ---- */

int
server_open(const struct server_kind *kind, const struct db_engine *engine,
            const struct store_options *options, struct store **ret_store, struct fault *why)
{
    struct server_db *db = NULL;
    int code = server_new(kind, engine, options, &db, why);
    if (code != 0) {
        return code;
    }
    code = server_takeover(db, options, why);
    code = code != 0 ? code : shared_start(db, why);
    if (code != 0) {
        db_close(&db->db.store);
        return code;
    }
    db->is_open = true;
    db->db.where = db->where; /* the takeover has named it itself */
    *ret_store = &db->db.store;
    return 0;
}

int
server_check(const struct server_kind *kind, const struct db_engine *engine,
             const struct store_options *options, struct fault *why)
{
    struct server_db *db = NULL;
    int code = server_new(kind, engine, options, &db, why);
    if (code != 0) {
        return code;
    }
    char text[FAULT_TEXT_SIZE];
    code = server_takeover_foresee(db, options, text, sizeof(text), why);
    db_close(&db->db.store);
    if (code == 0 && options->on_notice != NULL) {
        options->on_notice(options->self, text);
    }
    return code;
}
