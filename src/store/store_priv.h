/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of this room share. Three layers, each knowing only the one below it: the port's
 * operations (items, platforms, queue, policies, listing), written once; connections, transactions
 * and running statements; the engine, which is what SQLite, PostgreSQL and MariaDB do differently.
 */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include <pthread.h>

#include "base/mem.h"
#include "store/store.h"

enum sql_id {
#define STATEMENT(name, text) SQL_##name,
#include "store/store_sql.def"
#undef STATEMENT
    SQL_COUNT
};

enum {
    DB_STAMP_SIZE = 32,   /* "2025-06-19 10:56:11.000 +00:00" */
    DB_VALUES_MAX = 10,   /* parameters of one statement */
    DB_INSTANCE_SIZE = 33 /* hex: tells a running pccsd from all others */
};

/* ---- connections ---- */

/* An engine's connection starts with this. */
struct db_connection {
    struct db *db;
    char stamp[DB_STAMP_SIZE]; /* the time of the running write transaction, as the engine writes
                                  times */
    bool in_transaction;       /* begun, neither committed nor rolled back */
    bool is_lost;              /* set by the engine: of no more use, to be closed */
    bool is_conflict;   /* set by the engine: the transaction lost against another; run it again */
    struct buf changes; /* what the running transaction changes, a key per line */
    struct db_connection *next; /* in the list of idle ones */
};

struct db {
    struct store store; /* first: this is what the port sees */
    const struct db_engine *engine;
    const struct clock *clock;
    const char *where; /* what faults of statements name; NULL: nothing */
    size_t list_bytes_max;
    size_t pool_max;  /* connections at once, the writer not counted */
    bool has_writer;  /* one connection writes, one transaction at a time (SQLite); else any does */
    bool only_writer; /* and it reads, too (a database in memory) */

    pthread_mutex_t write_lock; /* protects writer, for the length of a transaction */
    struct db_connection *writer;

    pthread_mutex_t pool_lock; /* protects the rest */
    pthread_cond_t pool_returned;
    struct db_connection *idle; /* connections that nobody uses */
    size_t connection_count;    /* idle or not */
    bool write_proved;          /* a write succeeded, and no later one failed */
    int64_t write_proved_ms;    /* when, monotonic */
    struct store_counts counts; /* the last ones */
    int64_t counts_cost_ms, counts_at_ms;
};

static inline struct db *
db_of(struct store *store)
{
    return (struct db *)store;
}

/* ---- a running statement ---- */

enum sql_kind { SQL_NULL, SQL_NUMBER, SQL_TEXT, SQL_CHARS, SQL_BLOB };
struct sql_value {
    enum sql_kind kind;
    int64_t number;    /* SQL_NUMBER */
    struct span bytes; /* SQL_TEXT: a C string (its NUL behind the span); SQL_CHARS: text that may
                          have no NUL; SQL_BLOB */
};
/* Made by sql_of, ended by sql_close (auto_cleanup). What is bound must live until then. */
struct sql {
    struct db_connection *connection;
    enum sql_id id;
    int count; /* parameters bound so far: they are bound in order, ?1 first */
    struct sql_value values[DB_VALUES_MAX];
    void *running; /* the engine's; NULL: not started */
    size_t row;    /* the engine's */
};

/* ---- what an engine is ---- */

enum db_begin {
    DB_BEGIN_WRITE,
    DB_BEGIN_SNAPSHOT /* several reads see one state of the database */
};
struct db_engine {
    const char *name;
    int statement_count; /* those before this one are used */
    int list_rows;       /* a long listing reads so many rows at a time */
    /* Frees the store; db_done has closed all connections. */
    void (*free)(struct db *db);
    int (*connect)(struct db *db, bool writes, struct db_connection **ret_connection,
                   struct fault *why);
    void (*disconnect)(struct db_connection *connection); /* NULL is fine */
    /* Is an idle connection still good? Must not block. NULL: always. */
    bool (*is_alive)(struct db_connection *connection);
    int (*begin)(struct db_connection *connection, enum db_begin how, struct fault *why);
    int (*commit)(struct db_connection *connection, struct fault *why);
    void (*rollback)(struct db_connection *connection);
    void (*stamp)(int64_t now, char out[DB_STAMP_SIZE]);
    /* Prepares a statement: a table or column that is not as it should be shows now. */
    int (*prepare)(struct db_connection *connection, enum sql_id id, struct fault *why);
    /* The next row; the first call runs the statement. */
    int (*step)(struct sql *sql, bool *ret_row, struct fault *why);
    void (*close)(struct sql *sql);
    /* Of the row: an empty span unless it is text or a blob; 0 unless it is a whole number. */
    struct span (*column)(const struct sql *sql, int column);
    int64_t (*number)(const struct sql *sql, int column);
    /* Rows that the statement, run to its end, found to change. */
    uint64_t (*changes)(const struct sql *sql);
    /* Called last in a write transaction that changed something. NULL: nobody listens. */
    int (*before_commit)(struct db_connection *connection, struct fault *why);
    /* Called after every before_commit, whatever became of the transaction. */
    void (*after_commit)(struct db_connection *connection, bool committed);
};

/* ---- store_connection.c: the pool, transactions ---- */

/* What all engines' stores have in common; the engine has set the members above write_lock. */
void db_init(struct db *db);
/* Closes all connections; frees what db_init made. */
void db_done(struct db *db);
void db_close(struct store *store);
/* Opens one more connection. */
int db_connection_open(struct db *db, bool writes, struct db_connection **ret_connection,
                       struct fault *why) must_check;
/* Prepares every statement. */
int db_connection_check(struct db_connection *connection, struct fault *why) must_check;
/* Lends a connection for reading; give it back before anything slow. */
enum db_read { DB_READ_ONE, DB_READ_SNAPSHOT }; /* one statement, or several of one state */
int db_read_begin(struct db *db, enum db_read how, struct db_connection **ret_connection,
                  struct fault *why) must_check;
void db_read_end(struct db *db, struct db_connection *connection);
/* Runs a transaction and commits it if `run` returns 0, else rolls it back. It is run again if it
 * lost against another one or its connection was lost before the commit: so run must start anew
 * each time it is called. */
typedef int db_write_fn(struct db_connection *connection, void *self, struct fault *why);
int db_write(struct db *db, db_write_fn *run, void *self, struct fault *why) must_check;

/* Names the database in a fault of its own; the code. */
int db_fault_where(const struct db *db, int code, struct fault *why);

/* ---- store_change.c ---- */

/* Tells the other instances on this database that what lies under the key was written. Never
 * fails: too many keys become "anything". */
void db_changed(struct db_connection *connection, const struct item_key *key);
/* A line of it as key; false: anything may have changed. */
bool db_change_parse(struct span line, struct item_key *ret_key);

/* ---- store_order.c: what a transaction writes, by key ---- */

struct db_unordered {
    enum db_order_kind { DB_ORDER_ITEMS, DB_ORDER_PLATFORMS, DB_ORDER_ROWS } kind;
    const void *elements; /* const struct proven *[], struct store_platform_put[], queue_row[] */
    size_t count;
};
/* Pointers to all elements; the caller frees the list. */
int db_order(struct db *db, const struct db_unordered *what, const void ***ret_list,
             struct fault *why) must_check;

/* ---- store_query.c: statements ---- */

struct sql sql_of(struct db_connection *connection, enum sql_id id);
void sql_close(struct sql *sql);
void sql_bind_text(struct sql *sql, const char *text);  /* NULL: NULL */
void sql_bind_span(struct sql *sql, struct span text);  /* of a column that holds text */
void sql_bind_blob(struct sql *sql, struct span bytes); /* empty: an empty blob, not NULL */
void sql_bind_number(struct sql *sql, int64_t number);
void sql_bind_null(struct sql *sql);
int sql_step(struct sql *sql, bool *ret_row, struct fault *why) must_check;
int sql_run(struct sql *sql, struct fault *why) must_check; /* a statement without rows */
/* The column's bytes if it is text or a blob, else an empty span; until the next step. */
struct span sql_column(const struct sql *sql, int column);
/* The column as C string; false (out untouched) if it does not fit or holds a NUL. NULL is "". */
bool sql_column_text(const struct sql *sql, int column, char *out, size_t out_size);
int64_t sql_column_number(const struct sql *sql, int column); /* 0 unless an integer */
uint64_t sql_changes(const struct sql *sql);

/* ---- versions of the schema ---- */

enum { DB_VERSION = 5, DB_OWN_VERSION = 1 };

/* ---- store_found.c: what to do with the database that is there ---- */

struct db_found {
    bool empty;       /* none of the reference's tables */
    bool ours;        /* pccs_owner is there */
    int own_version;  /* of our tables */
    bool has_version; /* the row of pcs_version is there */
    int version;
    char server[256]; /* its server_addr; "" if none */
};
/* FAULT_CONFIG: the database is not to be touched. */
int db_found_judge(const struct db_found *found, const struct store_options *options,
                   struct fault *why) must_check;
/* Nothing to create, to migrate or to add. */
bool db_found_is_ready(const struct db_found *found);
/* The row of pcs_version is missing, and this table has rows: nobody knows where they came from. */
int db_found_unknown_origin(struct fault *why) must_check;

/* ---- store_chains.c ---- */

/* pcs_certificates.id */
enum cert_id { CERT_ROOT = 1, CERT_PROCESSOR_CA = 2, CERT_TCB_SIGNING = 3, CERT_PLATFORM_CA = 4 };
enum cert_id cert_id_of_ca(enum pck_ca ca);
/* A chain as PEM: the kept one, else made of two percent-encoded certificates; *ret_pem NULL if it
 * is incomplete. The caller frees. */
struct chain_columns {
    struct span kept, signer, root;
};
int db_chain_assemble(const struct chain_columns *columns, char **ret_pem,
                      struct fault *why) must_check;
/* Stores signer and root under their ids, and the chain as a whole; its id in pccs_chains. */
int db_chain_put(struct db_connection *connection, const struct proven *proven, enum cert_id signer,
                 int64_t *ret_chain_id, struct fault *why) must_check;
/* A certificate under its id, percent-encoded. */
int db_cert_put(struct db_connection *connection, enum cert_id id, const char *pem,
                struct fault *why) must_check;
int db_chain_intern(struct db_connection *connection, const char *pem, int64_t *ret_chain_id,
                    struct fault *why) must_check;
int db_load_chains(struct store *store, struct store_chains *ret_chains,
                   struct fault *why) must_check;

/* ---- store_items.c ---- */

int db_load_item(struct store *store, const struct item_key *key, struct raw_reply *ret_raw,
                 struct fault *why) must_check;
int db_each_item(struct store *store, store_key_fn *each, void *self, struct fault *why) must_check;
int db_count_crl_urls(struct store *store, size_t *ret_count, struct fault *why) must_check;
int db_count_fmspcs(struct store *store, unsigned most, store_fmspc_fn *each, void *self,
                    struct fault *why) must_check;
int db_item_put(struct db_connection *connection, const struct proven *item,
                const char *root_crl_url, struct fault *why) must_check;
/* Keeps the chain that each item has now, so that a later signer does not replace it. */
int db_items_pin_chains(struct db_connection *connection, struct fault *why) must_check;

/* ---- store_platforms.c ---- */

int db_load_platform(struct store *store, const struct platform_id *id,
                     struct store_platform *ret_platform, struct fault *why) must_check;
int db_load_platform_brief(struct store *store, const struct platform_id *id,
                           struct store_platform *ret_platform, struct fault *why) must_check;
int db_load_pck(struct store *store, const struct platform_id *id, const struct raw_tcb *raw,
                struct raw_reply *ret_raw, struct fault *why) must_check;
/* What the row says, and the platform's mappings; FAULT_NOT_FOUND if the row is damaged. */
int db_platform_from_row(struct db_connection *connection, const struct sql *sql,
                         struct store_platform *platform, struct fault *why) must_check;

/* ---- store_listing.c ---- */

int db_each_platform(struct store *store, const struct fmspc *fmspcs, size_t count,
                     store_platform_fn *each, void *self, struct fault *why) must_check;

/* ---- store_platforms_put.c ---- */

int db_platform_put(struct db_connection *connection, const struct store_platform_put *put,
                    struct fault *why) must_check;
int db_put_mapping(struct store *store, const struct platform_id *id,
                   const struct store_mapping *mapping, struct fault *why) must_check;

/* ---- store.c, store_state.c, store_queue.c, store_policies.c ---- */

int db_put(struct store *store, const struct store_batch *batch, struct fault *why) must_check;
int db_ping(struct store *store, struct fault *why) must_check;
/* Writes the row that all have: of the transactions that begin with it one goes on at a time. */
int db_beat(struct db_connection *connection, struct fault *why) must_check;
int db_counts(struct store *store, struct store_counts *ret_counts, struct fault *why) must_check;
int db_queue_put(struct store *store, const struct queue_row *rows, size_t count,
                 struct fault *why) must_check;
int db_queue_mark_done(struct store *store, const struct queue_row *rows, size_t count,
                       size_t *ret_count, struct fault *why) must_check;
int db_queue_list(struct store *store, enum queue_source source, bool mark,
                  struct queue_row **ret_rows, size_t *ret_count, struct fault *why) must_check;
int db_each_queue_row(struct store *store, store_queue_fn *each, void *self,
                      struct fault *why) must_check;
int db_load_queue_row(struct store *store, const struct queue_row *key, struct queue_row *ret_row,
                      struct fault *why) must_check;
int db_queue_counts(struct store *store, uint64_t counts[3], struct fault *why) must_check;
int db_put_policy(struct store *store, const struct policy_row *row, struct fault *why) must_check;
int db_load_policies(struct store *store, const struct fmspc *fmspc, struct buf *b,
                     struct fault *why) must_check;
int db_each_policy(struct store *store, store_policy_fn *each, void *self,
                   struct fault *why) must_check;

/* The members of a driver that are the same whatever the engine. */
#define DB_DRIVER_COMMON                                                                           \
    .close = db_close, .ping = db_ping, .load_item = db_load_item, .load_chains = db_load_chains,  \
    .load_platform = db_load_platform, .load_platform_brief = db_load_platform_brief,              \
    .load_pck = db_load_pck, .put = db_put, .put_mapping = db_put_mapping,                         \
    .each_platform = db_each_platform, .each_item = db_each_item,                                  \
    .count_crl_urls = db_count_crl_urls, .queue_put = db_queue_put,                                \
    .queue_mark_done = db_queue_mark_done, .queue_list = db_queue_list,                            \
    .each_queue_row = db_each_queue_row, .load_queue_row = db_load_queue_row,                      \
    .queue_counts = db_queue_counts, .put_policy = db_put_policy,                                  \
    .load_policies = db_load_policies, .each_policy = db_each_policy, .counts = db_counts,         \
    .count_fmspcs = db_count_fmspcs

#endif
