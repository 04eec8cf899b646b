/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What goes over a connection to PostgreSQL and back: statements, prepared ones, their rows.
 * Takes a connection and a statement, gives rows or a fault. libpq never waits here: this file
 * does, on the socket, until the connection's deadline; what is later than that loses the
 * connection. Called by the engine's other files on whatever thread holds the connection. Must
 * never hold more of an answer than LIMIT_STORE_ROW_BYTES a row and ANSWER_BYTES in all: a row of a
 * taken-over database may be anything. (libpq itself reads one row whole, at most 1 GB.)
 */
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "store/postgres_priv.h"

enum {
    ANSWER_BYTES =
        128 * 1024 * 1024, /* a page of the largest policies or manifests that are taken */
    NUMBER_SIZE = 24,
    NAME_SIZE = 16,
    ROWS_FIRST = 8,
    BINARY = 1,
};

int64_t
postgres_now_ms(void)
{
    return clock_monotonic_ms(clock_system());
}

/* TLS may hold bytes back that poll knows nothing of. */
static bool
has_pending(PGconn *handle)
{
    SSL *tls = pq.ssl_struct(handle, "OpenSSL");
    return tls != NULL && SSL_pending(tls) > 0;
}

int
postgres_poll(PGconn *handle, short events, int64_t until_ms)
{
    if ((events & POLLIN) != 0 && has_pending(handle)) {
        return 1;
    }
    struct pollfd entry = {.fd = pq.socket(handle), .events = events};
    for (;;) {
        int64_t left_ms = until_ms - postgres_now_ms();
        int ready = poll(&entry, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return 1; /* an error shows with the next read */
        }
        if (ready == 0 && left_ms <= 0) {
            return 0;
        }
    }
}

static int
flush(struct postgres_connection *own, int64_t until_ms, struct fault *why)
{
    for (;;) {
        int left = pq.flush(own->handle);
        if (left == 0) {
            return 0;
        }
        if (left < 0) {
            return postgres_fault_lost(own, why);
        }
        if (postgres_poll(own->handle, POLLIN | POLLOUT, until_ms) == 0) {
            return postgres_fault_late(own, why);
        }
        /* The server may wait for us to read before it reads on. */
        if (pq.consume_input(own->handle) == 0) {
            return postgres_fault_lost(own, why);
        }
    }
}

/* The next part of the answer, NULL behind its end. */
static int
next_result(struct postgres_connection *own, int64_t until_ms, PGresult **ret_result,
            struct fault *why)
{
    while (pq.is_busy(own->handle) != 0) {
        /* Time is up for those, too, who never stop sending. */
        if (postgres_poll(own->handle, POLLIN, until_ms) == 0 || postgres_now_ms() > until_ms) {
            return postgres_fault_late(own, why);
        }
        if (pq.consume_input(own->handle) == 0) {
            return postgres_fault_lost(own, why);
        }
    }
    *ret_result = pq.get_result(own->handle);
    return 0;
}

/* One part of an answer: takes the result, or refuses it. */
typedef int take_fn(struct postgres_connection *own, PGresult *take_result, void *self,
                    struct fault *why);

/* What statements of ours are answered with; a COPY would go on for ever. */
static bool
is_ordinary(const PGresult *result)
{
    ExecStatusType status = pq.result_status(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
           status == PGRES_SINGLE_TUPLE || status == PGRES_FATAL_ERROR;
}

/* Reads the answer to its end. After a refusal the rest is passed over, so that the connection can
 * be used on. */
static int
answer_read(struct postgres_connection *own, take_fn *take_result, void *self, struct fault *why)
{
    int64_t until_ms = postgres_now_ms() + own->base.statement_ms;
    int code = flush(own, until_ms, why);
    if (code != 0) {
        return code;
    }
    for (;;) {
        PGresult *result = NULL;
        int failed = next_result(own, until_ms, &result, code == 0 ? why : NULL);
        if (failed != 0 || result == NULL) {
            return code != 0 ? code : failed;
        }
        if (code == 0) {
            code = take_result(own, result, self, why);
        } else {
            own->base.base.is_lost |= !is_ordinary(result);
            pq.clear(result);
        }
        if (own->base.base.is_lost) {
            return code;
        }
    }
}

/* ---- plain statements ---- */

static int
take_last(struct postgres_connection *own, PGresult *result, void *self, struct fault *why)
{
    PGresult **last = self;
    ExecStatusType status = pq.result_status(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
        int code = postgres_fault(own, result, why);
        pq.clear(result);
        return code;
    }
    pq.clear(*last);
    *last = result;
    return 0;
}

static int
execute_now(struct postgres_connection *own, const char *text, PGresult **ret_result,
            struct fault *why)
{
    if (pq.send_query(own->handle, text) == 0) {
        return postgres_fault_lost(own, why);
    }
    PGresult *last = NULL;
    int code = answer_read(own, take_last, &last, why);
    if (code == 0 && last == NULL) { /* an answer of nothing */
        code = postgres_fault_lost(own, why);
    }
    if (code == 0 && ret_result != NULL) {
        *ret_result = take(&last);
    }
    pq.clear(last);
    return code;
}

/* What we give up the server must not go on with. It is told of a little less time than we wait, so
 * that a lock held too long costs the statement and not the connection. */
static int
tell_deadline(struct postgres_connection *own, struct fault *why)
{
    if (own->server_ms == own->base.statement_ms) {
        return 0;
    }
    char text[64];
    snprintf(text, sizeof(text), "SET statement_timeout = %d",
             own->base.statement_ms - own->base.statement_ms / 20);
    int code = execute_now(own, text, NULL, why);
    own->server_ms = code == 0 ? own->base.statement_ms : own->server_ms;
    return code;
}

int
postgres_execute(struct postgres_connection *own, const char *text, PGresult **ret_result,
                 struct fault *why)
{
    int code = tell_deadline(own, why);
    return code != 0 ? code : execute_now(own, text, ret_result, why);
}

/* ---- prepared statements ---- */

static void
statement_name(enum sql_id id, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "pccs_%d", (int)id);
}

int
postgres_prepare(struct postgres_connection *own, enum sql_id id, const char *text,
                 struct fault *why)
{
    if (own->is_prepared[id]) {
        return 0;
    }
    int code = tell_deadline(own, why);
    if (code != 0) {
        return code;
    }
    char name[NAME_SIZE];
    statement_name(id, name);
    if (pq.send_prepare(own->handle, name, text, 0, NULL) == 0) {
        return postgres_fault_lost(own, why);
    }
    PGresult *last = NULL;
    code = answer_read(own, take_last, &last, why);
    pq.clear(last);
    own->is_prepared[id] = code == 0;
    return code;
}

struct parameters {
    const char *values[DB_VALUES_MAX];
    int sizes[DB_VALUES_MAX], formats[DB_VALUES_MAX];
    char numbers[DB_VALUES_MAX][NUMBER_SIZE];
};

/* Texts of ours are sent as text, for a time is one; what may hold anything as the bytes it is. */
static void
parameters_set(struct parameters *p, const struct sql *sql)
{
    for (int i = 0; i < sql->count; i++) {
        const struct sql_value *value = &sql->values[i];
        const char *bytes = value->bytes.size > 0 ? (const char *)value->bytes.data : "";
        p->values[i] = bytes;
        p->sizes[i] = (int)value->bytes.size;
        p->formats[i] = value->kind == SQL_CHARS || value->kind == SQL_BLOB ? BINARY : 0;
        if (value->kind == SQL_NULL) {
            p->values[i] = NULL;
        } else if (value->kind == SQL_NUMBER) {
            snprintf(p->numbers[i], NUMBER_SIZE, "%lld", (long long)value->number);
            p->values[i] = p->numbers[i];
        }
    }
}

static size_t
row_bytes(const PGresult *result)
{
    size_t bytes = 0;
    int columns = pq.nfields(result);
    for (int i = 0; i < columns; i++) {
        bytes += (size_t)pq.getlength(result, 0, i);
    }
    return bytes;
}

static int
keep_row(struct postgres_rows *rows, PGresult *result, struct fault *why)
{
    size_t bytes = row_bytes(result);
    if (bytes > LIMIT_STORE_ROW_BYTES || rows->bytes + bytes > ANSWER_BYTES) {
        return fault_set(why, FAULT_STORE, "store", "a row of %zu bytes is too large", bytes);
    }
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity != 0 ? 2 * rows->capacity : ROWS_FIRST;
        PGresult **grown = realloc(rows->rows, capacity * sizeof(PGresult *));
        if (grown == NULL) {
            return fault_set(why, FAULT_MEMORY, "store", "no memory for rows");
        }
        rows->rows = grown;
        rows->capacity = capacity;
    }
    rows->rows[rows->count++] = result;
    rows->bytes += bytes;
    return 0;
}

static int
take_row(struct postgres_connection *own, PGresult *result, void *self, struct fault *why)
{
    struct postgres_rows *rows = self;
    ExecStatusType status = pq.result_status(result);
    int code = 0;
    if (status == PGRES_SINGLE_TUPLE) {
        code = keep_row(rows, result, why);
        if (code == 0) {
            return 0;
        }
    } else if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        rows->changes = strtoull(pq.cmd_tuples(result), NULL, 10);
    } else {
        code = postgres_fault(own, result, why);
    }
    pq.clear(result);
    return code;
}

int
postgres_run(const struct sql *sql, struct postgres_rows *rows, struct fault *why)
{
    struct postgres_connection *own = postgres_of(sql->connection);
    struct parameters p;
    parameters_set(&p, sql);
    char name[NAME_SIZE];
    statement_name(sql->id, name);
    int code = tell_deadline(own, why);
    if (code != 0) {
        return code;
    }
    if (pq.send_query_prepared(own->handle, name, sql->count, p.values, p.sizes, p.formats,
                               BINARY) == 0 ||
        pq.set_single_row_mode(own->handle) == 0) {
        return postgres_fault_lost(own, why);
    }
    return answer_read(own, take_row, rows, why);
}

void
postgres_rows_done(struct postgres_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        pq.clear(rows->rows[i]);
    }
    free(rows->rows);
    *rows = (struct postgres_rows){0};
}
