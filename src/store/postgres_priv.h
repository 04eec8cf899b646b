/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the PostgreSQL engine share: libpq as a table of functions, a connection, and
 * what goes over it. libpq is loaded when DB_CONFIG names it (docs/decisions/0007).
 */
#ifndef STORE_POSTGRES_PRIV_H
#define STORE_POSTGRES_PRIV_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "store/server_priv.h"

/* ---- postgres_library.c ---- */

/* FUNCTION(member, name in libpq) */
#define POSTGRES_FUNCTIONS(FUNCTION)                                                               \
    FUNCTION(lib_version, PQlibVersion)                                                            \
    FUNCTION(conndefaults, PQconndefaults)                                                         \
    FUNCTION(conninfo_free, PQconninfoFree)                                                        \
    FUNCTION(connect_start_params, PQconnectStartParams)                                           \
    FUNCTION(connect_poll, PQconnectPoll)                                                          \
    FUNCTION(finish, PQfinish)                                                                     \
    FUNCTION(status, PQstatus)                                                                     \
    FUNCTION(transaction_status, PQtransactionStatus)                                              \
    FUNCTION(parameter_status, PQparameterStatus)                                                  \
    FUNCTION(error_message, PQerrorMessage)                                                        \
    FUNCTION(socket, PQsocket)                                                                     \
    FUNCTION(ssl_struct, PQsslStruct)                                                              \
    FUNCTION(set_nonblocking, PQsetnonblocking)                                                    \
    FUNCTION(set_error_verbosity, PQsetErrorVerbosity)                                             \
    FUNCTION(set_notice_processor, PQsetNoticeProcessor)                                           \
    FUNCTION(send_query, PQsendQuery)                                                              \
    FUNCTION(send_prepare, PQsendPrepare)                                                          \
    FUNCTION(send_query_prepared, PQsendQueryPrepared)                                             \
    FUNCTION(set_single_row_mode, PQsetSingleRowMode)                                              \
    FUNCTION(flush, PQflush)                                                                       \
    FUNCTION(is_busy, PQisBusy)                                                                    \
    FUNCTION(consume_input, PQconsumeInput)                                                        \
    FUNCTION(get_result, PQgetResult)                                                              \
    FUNCTION(clear, PQclear)                                                                       \
    FUNCTION(result_status, PQresultStatus)                                                        \
    FUNCTION(result_error_field, PQresultErrorField)                                               \
    FUNCTION(result_error_message, PQresultErrorMessage)                                           \
    FUNCTION(cmd_status, PQcmdStatus)                                                              \
    FUNCTION(cmd_tuples, PQcmdTuples)                                                              \
    FUNCTION(ntuples, PQntuples)                                                                   \
    FUNCTION(nfields, PQnfields)                                                                   \
    FUNCTION(ftype, PQftype)                                                                       \
    FUNCTION(getvalue, PQgetvalue)                                                                 \
    FUNCTION(getlength, PQgetlength)                                                               \
    FUNCTION(getisnull, PQgetisnull)                                                               \
    FUNCTION(notifies, PQnotifies)                                                                 \
    FUNCTION(freemem, PQfreemem)

struct postgres_library {
#define FUNCTION(member, name) __typeof__(name) *member;
    POSTGRES_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

/* Whole once postgres_library_load has returned 0, and never changed after. */
extern struct postgres_library pq;

/* Loads libpq if nobody has yet; FAULT_CONFIG says why it cannot be. Any thread, but the first call
 * before the process has others: it takes libpq's variables out of the environment. */
int postgres_library_load(struct fault *why) must_check;

/* ---- a connection ---- */

enum { POSTGRES_STATE_SIZE = 6 };

struct postgres_connection {
    struct server_connection base; /* first */
    PGconn *handle;
    bool is_cockroach; /* knows one collation: the bytes' order */
    bool can_notify;   /* LISTEN and NOTIFY may be asked of it */
    bool has_news;     /* NOTIFY goes with the commit */
    int server_ms;     /* the deadline that the server keeps by itself; 0: not told yet */
    char state[POSTGRES_STATE_SIZE]; /* of the last refusal; "": the connection failed */
    bool is_prepared[SQL_COUNT];
};

static inline struct postgres_connection *
postgres_of(struct db_connection *connection)
{
    return (struct postgres_connection *)connection;
}

/* ---- postgres_fault.c ---- */

/* What a refusal of the server means, in plain words and then in its own; marks the connection as
 * lost, or the transaction as one that lost against another. */
int postgres_fault(struct postgres_connection *own, const PGresult *result, struct fault *why);
/* The connection is of no more use; libpq says why. */
int postgres_fault_lost(struct postgres_connection *own, struct fault *why);
int postgres_fault_late(struct postgres_connection *own, struct fault *why);
/* Why no connection came to be: libpq's own words, in which the server's state code stands. */
int postgres_fault_connect(const char *message, struct fault *why);

/* ---- postgres_connect.c ---- */

/* For struct server_kind. */
int postgres_connect(struct server_db *db, struct db_connection **ret_connection,
                     struct fault *why) must_check;
void postgres_disconnect(struct db_connection *connection); /* NULL is fine */
bool postgres_is_alive(struct db_connection *connection);

/* ---- postgres_exchange.c: what is sent and what comes back, within the deadline ---- */

/* Waits for the socket until then (monotonic): 1 something came or can be sent, 0 too late. */
int postgres_poll(PGconn *handle, short events, int64_t until_ms);
int64_t postgres_now_ms(void);
/* Runs text without parameters, several statements too; the last one's result if ret_result is not
 * NULL (the caller clears it). */
int postgres_execute(struct postgres_connection *own, const char *text, PGresult **ret_result,
                     struct fault *why) must_check;
int postgres_prepare(struct postgres_connection *own, enum sql_id id, const char *text,
                     struct fault *why) must_check;

/* What a statement gave. */
struct postgres_rows {
    PGresult **rows; /* one each */
    size_t count, capacity;
    size_t bytes;
    uint64_t changes;
};
/* Runs a prepared statement to its end. */
int postgres_run(const struct sql *sql, struct postgres_rows *rows, struct fault *why) must_check;
void postgres_rows_done(struct postgres_rows *rows);

/* ---- postgres_listen.c ---- */

/* What server_db.listener is; made by the first connection, before any thread looks. */
struct postgres_listener {
    atomic_bool is_refused;           /* nobody need ask for LISTEN or NOTIFY again */
    struct db_connection *connection; /* these belong to the thread that waits */
    int64_t retry_at_ms;              /* monotonic */
};
#define POSTGRES_CHANNEL "pccs_changes"

/* For struct server_kind. */
bool postgres_listen(struct server_db *db, int timeout_ms);
void postgres_listen_end(struct server_db *db);

#endif
