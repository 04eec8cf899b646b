/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the stores on a database server share (PostgreSQL, MariaDB, MySQL): the object, what an
 * engine for a server can do beyond struct db_engine, reconnecting, taking over, several instances.
 */
#ifndef STORE_SERVER_PRIV_H
#define STORE_SERVER_PRIV_H

#include "store/store_priv.h"

enum {
    SERVER_CONNECT_MS = 3000,    /* to reach the server and log in */
    SERVER_STATEMENT_MS = 10000, /* the longest that a request may wait for a statement */
    SERVER_TAKEOVER_MS = 600000, /* a migration rewrites whole tables */
    SERVER_CLAIM_S = 120,        /* of the takeover; renewed between its steps */
    SERVER_PEERS_MAX = 64,       /* other instances on the database */
};

/* A connection to a server starts with this. */
struct server_connection {
    struct db_connection base; /* first */
    int statement_ms;          /* the deadline of each statement; the engine keeps it */
};

/* What another instance has told so far. */
struct server_peer {
    char instance[DB_INSTANCE_SIZE];
    int64_t seq; /* the last one heard */
    bool is_listed;
};

struct server_db {
    struct db db; /* first */
    const struct server_kind *kind;
    struct store_driver driver; /* named as its kind */
    char *database, *username, *password, *host, *ssl_ca;
    int port;
    bool ssl_required;
    char where[128]; /* "postgres db01:5432/pckcache", for messages */

    pthread_mutex_t down_lock; /* protects the next four */
    bool is_open;              /* the takeover is done: whatever fails now may pass */
    int64_t down_until_ms;     /* monotonic; until then nobody tries to connect */
    int down_ms;               /* how long the last wait was */
    struct fault down_why;

    char instance[DB_INSTANCE_SIZE]; /* of this store's life */
    pthread_mutex_t change_lock;     /* from a change's number to its commit: numbers are committed
                                        in order. Protects seq */
    int64_t seq;                     /* the last one used */

    struct server_peer peers[SERVER_PEERS_MAX]; /* these belong to the thread that waits */
    size_t peer_count;
    bool has_listed;
    int64_t polled_ms, listed_ms, cleaned_ms; /* monotonic */
    void *listener;                           /* the engine's; NULL: none */
};

/* What an engine for servers can do beyond struct db_engine. db_engine.connect is
 * server_connect, which calls this one's. */
struct server_kind {
    const char *name;          /* as in DB_CONFIG */
    const char *schema;        /* the expression that names where our tables are, for
                                  information_schema */
    const char *claims_table;  /* makes pccs_claims, if it is not there */
    const char *const *tables; /* server_tables.def; NULL-terminated */
    /* Makes a connection. FAULT_STORE: may pass (unreachable, starting, too many connections);
     * FAULT_CONFIG: an operator must act (refused login, no such database, no TLS). */
    int (*connect)(struct server_db *db, struct db_connection **ret_connection, struct fault *why);
    /* Runs fixed text without parameters and rows. */
    int (*execute)(struct db_connection *connection, const char *text, struct fault *why);
    /* The first column of the first row as text, "" if there is none or it is NULL. */
    int (*ask)(struct db_connection *connection, const char *text, char *ret_text, size_t text_size,
               struct fault *why);
    /* From version (0 to 4) to 5; what a step before a crash has done it does not do again. NULL:
     * no program has ever written an older version there. */
    int (*migrate)(struct db_connection *connection, int version, struct fault *why);
    /* After the tables are there: indexes, and what the reference's columns are too narrow for.
     * Nothing if it is done already. */
    int (*finish)(struct db_connection *connection, struct fault *why);
    /* Wakes the listeners when this transaction commits. NULL: they poll. */
    int (*notify)(struct db_connection *connection, struct fault *why);
    /* Waits until woken, at most timeout_ms. NULL, or false: cannot listen, sleep instead. */
    bool (*listen)(struct server_db *db, int timeout_ms);
    void (*listen_end)(struct server_db *db); /* frees db->listener */
};

static inline struct server_db *
server_of(struct db *db)
{
    return (struct server_db *)db;
}

/* ---- store_server.c ---- */

/* Opens: connects, creates or takes over, checks. FAULT_STORE: the server cannot be reached now. */
int server_open(const struct server_kind *kind, const struct db_engine *engine,
                const struct store_options *options, struct store **ret_store,
                struct fault *why) must_check;
int server_check(const struct server_kind *kind, const struct db_engine *engine,
                 const struct store_options *options, struct fault *why) must_check;
/* For struct db_engine. */
int server_connect(struct db *db, bool writes, struct db_connection **ret_connection,
                   struct fault *why) must_check;
void server_free(struct db *db);

/* ---- server_takeover.c ---- */

int server_takeover(struct server_db *db, const struct store_options *options,
                    struct fault *why) must_check;
int server_takeover_foresee(struct server_db *db, const struct store_options *options,
                            char *ret_text, size_t text_size, struct fault *why) must_check;

/* ---- store_shared.c ---- */

/* For struct store_driver and struct db_engine. */
int shared_claim(struct store *store, const char *name, int ttl_s, bool *ret_held,
                 struct fault *why) must_check;
int shared_release(struct store *store, const char *name, struct fault *why) must_check;
int shared_wait_changes(struct store *store, int timeout_ms, store_change_fn *each, void *self,
                        struct fault *why) must_check;
int shared_before_commit(struct db_connection *connection, struct fault *why) must_check;
void shared_after_commit(struct db_connection *connection, bool committed);
/* Makes this instance known and lists the others, before anything is read into memory. */
int shared_start(struct server_db *db, struct fault *why) must_check;

#endif
