/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What PostgreSQL's refusals mean to an operator and to the pool.
 * Takes a result or libpq's message, gives a fault: plain words first, then the state code and the
 * server's own line. Called by the engine's other files on whatever thread holds the connection.
 * Must never repeat a value that was bound: the server quotes those that it cannot read.
 * SQLSTATE: appendix A of PostgreSQL's manual.
 */
#include <ctype.h>
#include <stdio.h>

#include "store/postgres_priv.h"

enum meaning {
    PLAIN,    /* the statement failed */
    CONFLICT, /* lost against another transaction: run it again */
    LOST,     /* the next connection may do better */
    SCHEMA,   /* an operator must act, if the store is being opened */
    LOGIN,    /* an operator must act */
    VALUE,    /* the server's line may quote what was bound */
};

/* The first row whose state code the refusal's begins with. */
static const struct {
    const char *state, *words;
    enum meaning meaning;
} states[] = {
    {"40001", "another transaction was faster", CONFLICT},
    {"40P01", "two transactions waited for each other", CONFLICT},
    {"CR000", "another transaction was faster", CONFLICT},
    {"40003", "nobody knows whether the transaction was committed", LOST},
    {"40", "the transaction was rolled back", PLAIN},
    {"57014", "the server gave the statement up: it took too long", PLAIN},
    {"57P03", "the server is starting or shutting down", LOST},
    {"57P", "the server ended the connection", LOST},
    {"08", "the connection to the server failed", LOST},
    {"25006", "the server is read-only: is it a standby?", LOST},
    {"25P03", "the server ended an idle transaction", LOST},
    {"26000", "the server forgot a prepared statement: is there a pooler in between?", LOST},
    {"0A000", "the server does not know how to do this", LOST},
    {"53100", "the disk of the server is full", PLAIN},
    {"53200", "the server has no memory left", PLAIN},
    {"53300", "the server takes no more connections", LOST},
    {"53", "the server has nothing left of something", PLAIN},
    {"54", "too large for the server", PLAIN},
    {"55P03", "the row or table is locked", PLAIN},
    {"58", "the server cannot read or write its files", PLAIN},
    {"XX001", "the database is corrupt", PLAIN},
    {"XX002", "the database is corrupt", PLAIN},
    {"22001", "a value is too long for its column", PLAIN},
    {"22021", "a text is not UTF-8 or holds a NUL", VALUE},
    {"22P05", "a text has characters that the database's encoding lacks", VALUE},
    {"22", "a value does not fit its column", VALUE},
    {"23505", "such a row is there already", PLAIN},
    {"23", "the row breaks a rule of the table", PLAIN},
    {"28P01", "the server refuses the user or the password", LOGIN},
    {"28", "the server refuses the login", LOGIN},
    {"3D000", "there is no such database on the server", LOGIN},
    {"3F000", "the database user has no schema to make tables in", SCHEMA},
    {"42501", "the database user may not do this", SCHEMA},
    {"42P01", "a table is missing", SCHEMA},
    {"42703", "a column is missing", SCHEMA},
    {"42P05", "a prepared statement is there already: is there a pooler in between?", LOST},
    {"42P07", "the table is there already", PLAIN},
    {"42710", "it is there already", PLAIN},
    {"42", "the tables are not as they should be", SCHEMA},
    {"", "the database failed", PLAIN},
};

static size_t
state_find(const char *state)
{
    size_t i = 0;
    while (strncmp(states[i].state, state, strlen(states[i].state)) != 0) {
        i++; /* the last row is every state's */
    }
    return i;
}

/* libpq's messages have several lines and end in one more. */
static int
line_size(const char *message)
{
    return (int)strcspn(message, "\r\n");
}

static bool
is_open(struct server_db *db)
{
    pthread_mutex_lock(&db->down_lock);
    bool open = db->is_open;
    pthread_mutex_unlock(&db->down_lock);
    return open;
}

/* The way back to the server is broken, or libpq had no memory for what came. */
static int
stateless_fault(struct postgres_connection *own, const char *message, struct fault *why)
{
    own->base.base.is_lost = true;
    own->state[0] = '\0';
    if (pq.status(own->handle) != CONNECTION_BAD && strstr(message, "out of memory") != NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for the server's answer");
    }
    return fault_set(why, FAULT_STORE, "store", "the connection to the server was lost (%.*s)",
                     line_size(message), message);
}

int
postgres_fault_lost(struct postgres_connection *own, struct fault *why)
{
    return stateless_fault(own, pq.error_message(own->handle), why);
}

int
postgres_fault_late(struct postgres_connection *own, struct fault *why)
{
    own->base.base.is_lost = true;
    own->state[0] = '\0';
    return fault_set(why, FAULT_STORE, "store", "the server did not answer within %d s",
                     own->base.statement_ms / 1000);
}

int
postgres_fault(struct postgres_connection *own, const PGresult *result, struct fault *why)
{
    const char *state = pq.result_error_field(result, PG_DIAG_SQLSTATE);
    const char *message = pq.result_error_field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (state == NULL) {
        return stateless_fault(own, pq.result_error_message(result), why);
    }
    snprintf(own->state, sizeof(own->state), "%s", state);
    size_t row = state_find(state);
    enum meaning meaning = states[row].meaning;
    own->base.base.is_conflict |= meaning == CONFLICT;
    own->base.base.is_lost |= meaning == LOST || pq.status(own->handle) == CONNECTION_BAD;
    message = message != NULL && meaning != VALUE ? message : "";
    bool must_act =
        meaning == SCHEMA && own->base.base.db != NULL && !is_open(server_of(own->base.base.db));
    return fault_set(why, must_act ? FAULT_CONFIG : FAULT_STORE, "store", "%s (SQLSTATE %s%s%.*s)",
                     states[row].words, state, message[0] != '\0' ? ": " : "", line_size(message),
                     message);
}

/* ---- while connecting ---- */

/* Verbose as libpq was told to be, it writes "FATAL:  28P01: password ...", the first word in the
 * server's language. The last one counts: it is that of the last address tried. NULL: none. */
static const char *
find_state(const char *message)
{
    const char *found = NULL;
    for (const char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        size_t size = strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (size == POSTGRES_STATE_SIZE - 1 && strncmp(at + 3 + size, ": ", 2) == 0) {
            found = at + 3;
        }
    }
    return found;
}

/* What the caller's where says already. */
static const char *
skip_address(const char *message)
{
    static const char mark[] = " failed: ";
    const char *rest = message;
    for (const char *at = strstr(message, mark); at != NULL; at = strstr(at + 1, mark)) {
        rest = at + sizeof(mark) - 1;
    }
    return rest;
}

/* TLS that was asked for cannot be had, or the password is missing. */
static bool
is_for_operator(const char *line)
{
    static const char *const signs[] = {"certificate", "does not support SSL",
                                        "SSL error:", "no password supplied"};
    for (size_t i = 0; i < ARRAY_COUNT(signs); i++) {
        if (strstr(line, signs[i]) != NULL) {
            return true;
        }
    }
    return false;
}

int
postgres_fault_connect(const char *message, struct fault *why)
{
    const char *found = find_state(message);
    if (found == NULL) {
        const char *line = skip_address(message);
        return fault_set(why, is_for_operator(line) ? FAULT_CONFIG : FAULT_STORE, "store",
                         "no connection: %.*s", line_size(line), line);
    }
    char state[POSTGRES_STATE_SIZE];
    memcpy(state, found, sizeof(state) - 1);
    state[sizeof(state) - 1] = '\0';
    size_t row = state_find(state);
    const char *line = found + sizeof(state) + 1;
    bool must_act = states[row].meaning == LOGIN || states[row].meaning == SCHEMA;
    return fault_set(why, must_act ? FAULT_CONFIG : FAULT_STORE, "store", "%s (SQLSTATE %s: %.*s)",
                     states[row].words, state, line_size(line), line);
}
