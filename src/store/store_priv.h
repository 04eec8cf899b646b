/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of this room share: the driver's object, its connections, a running statement,
 * and the pieces that one transaction is made of.
 */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include <pthread.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "store/store.h"

enum sql_id {
#define STATEMENT(name, text) SQL_##name,
#include "store/store_sql.def"
#undef STATEMENT
    SQL_COUNT
};

enum { DB_STAMP_SIZE = 32 }; /* "2025-06-19 10:56:11.000 +00:00" */

struct db_connection {
    sqlite3 *handle;
    char stamp[DB_STAMP_SIZE];           /* the time of the running write transaction */
    sqlite3_stmt *statements[SQL_COUNT]; /* prepared when first wanted */
    struct db_connection *next;          /* in the list of idle readers */
};

struct db {
    struct store store; /* first: this is what the port sees */
    const struct clock *clock;
    char *path; /* absolute; ":memory:" */
    bool in_memory;
    int busy_timeout_ms;
    size_t list_bytes_max;
    int lock_fd; /* -1: none */

    pthread_mutex_t write_lock; /* protects the three below, for the length of a transaction */
    struct db_connection *writer;
    bool write_proved;       /* a write succeeded, and no later one failed */
    int64_t write_proved_ms; /* when, monotonic */

    pthread_mutex_t pool_lock; /* protects the rest */
    pthread_cond_t pool_returned;
    struct db_connection *idle; /* readers that nobody uses */
    int reader_count;           /* idle or not */
    struct store_counts counts; /* the last ones */
    int64_t counts_cost_ms, counts_at_ms;
};

static inline struct db *
db_of(struct store *store)
{
    return (struct db *)store;
}

/* ---- store_connection.c: connections, the pool of readers, transactions ---- */

int db_connection_open(const struct db *db, bool writes, struct db_connection **ret_connection,
                       struct fault *why) must_check;
void db_connection_close(struct db_connection *connection); /* NULL is fine */
/* Prepares every statement: a table or column that is not as it should be shows now. */
int db_connection_check(struct db_connection *connection, struct fault *why) must_check;
/* Lends a connection for reading; give it back before anything slow. */
int db_read_begin(struct db *db, struct db_connection **ret_connection,
                  struct fault *why) must_check;
void db_read_end(struct db *db, struct db_connection *connection);
/* One transaction at a time. Every db_write_begin that returned 0 is followed by db_write_end,
 * which commits if code is 0 and else rolls back, and returns code or why the commit failed. */
int db_write_begin(struct db *db, struct db_connection **ret_connection,
                   struct fault *why) must_check;
int db_write_end(struct db *db, int code, struct fault *why) must_check;
void db_stamp_now(const struct clock *clock, char out[DB_STAMP_SIZE]);

/* ---- store_query.c: a running statement ---- */

/* Made by sql_of, ended by sql_close (auto_cleanup). The first failure sticks and is told by
 * sql_step. What is bound must live until sql_close. */
struct sql {
    sqlite3 *handle;
    sqlite3_stmt *statement;
    int bound; /* parameters bound so far: they are bound in order, ?1 first */
    int failed;
};
struct sql sql_of(struct db_connection *connection, enum sql_id id);
void sql_close(struct sql *sql);
void sql_bind_text(struct sql *sql, const char *text); /* NULL: NULL */
void sql_bind_span(struct sql *sql, struct span text);
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
/* Turns what SQLite says into a fault of ours. */
int sql_fault(sqlite3 *handle, int sqlite_code, struct fault *why);
/* Runs fixed text without parameters. */
int sql_execute(sqlite3 *handle, const char *text, struct fault *why) must_check;
/* The path, or the end of a long one: a fault's text is short. */
const char *db_path_shown(const char *path);

/* ---- store_schema.c, store_takeover.c ---- */

enum { DB_VERSION = 5, DB_OWN_VERSION = 1 };
int db_schema_create(sqlite3 *handle, struct fault *why) must_check;
/* From version (0 to 4) to 5; 5: nothing. */
int db_schema_migrate(sqlite3 *handle, int version, struct fault *why) must_check;
/* The tables of our own, SequelizeMeta's rows. */
int db_schema_own(sqlite3 *handle, struct fault *why) must_check;
/* Creates, takes over or checks the database behind db->writer. */
int db_takeover(struct db *db, const struct store_options *options, struct fault *why) must_check;
/* The same judgement without the deed: what db_takeover would do, in a line. */
int db_takeover_foresee(sqlite3 *handle, const struct store_options *options, char *ret_text,
                        size_t text_size, struct fault *why) must_check;

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

/* ---- store.c, store_queue.c, store_policies.c ---- */

int db_put(struct store *store, const struct store_batch *batch, struct fault *why) must_check;
int db_queue_put(struct store *store, const struct queue_row *rows, size_t count,
                 struct fault *why) must_check;
int db_queue_mark_done(struct store *store, const struct queue_row *rows, size_t count,
                       size_t *ret_count, struct fault *why) must_check;
int db_queue_list(struct store *store, enum queue_source source, bool mark,
                  struct queue_row **ret_rows, size_t *ret_count, struct fault *why) must_check;
int db_queue_counts(struct store *store, uint64_t counts[3], struct fault *why) must_check;
int db_put_policy(struct store *store, const struct policy_row *row, struct fault *why) must_check;
int db_load_policies(struct store *store, const struct fmspc *fmspc, struct buf *b,
                     struct fault *why) must_check;

#endif
