/* SPDX-License-Identifier: BSD-3-Clause */
/* PostgreSQL behind a store under test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_behind_priv.h"

#ifdef STORE_HAS_POSTGRES
#include <libpq-fe.h>

static void
ignore_notice(void *self, const PGresult *result)
{
    (void)self;
    (void)result;
}

static void *
open_database(const char *name)
{
    const struct store_server_options *server = behind_server();
    char port[16];
    snprintf(port, sizeof port, "%d", server->port);
    const char *const names[] = {
        "host", "port", "user", "password", "dbname", "options", "connect_timeout", NULL};
    const char *const values[] = {server->host,
                                  port,
                                  server->username,
                                  server->password,
                                  name,
                                  "-c statement_timeout=60000 -c lock_timeout=20000"
                                  " -c client_encoding=UTF8 -c TimeZone=UTC"
                                  " -c synchronous_commit=off",
                                  "10",
                                  NULL};
    PGconn *handle = PQconnectdbParams(names, values, 0);
    if (PQstatus(handle) != CONNECTION_OK) {
        fail_msg("%s", PQerrorMessage(handle));
    }
    PQsetNoticeReceiver(handle, ignore_notice, NULL);
    return handle;
}

static void
close_database(void *handle)
{
    PQfinish(handle);
}

static PGresult *
execute(PGconn *handle, const char *text)
{
    PGresult *result = PQexec(handle, text);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", text, PQerrorMessage(handle));
    }
    return result;
}

static void
run_text(void *handle, const char *text)
{
    PQclear(execute(handle, text));
}

static void
ask_text(void *handle, const char *text, bool all, char *out, size_t out_size)
{
    PGresult *result = execute(handle, text);
    int count = PQntuples(result);
    snprintf(out, out_size, "%s", count > 0 ? "" : "no row");
    for (int i = 0; i < (all ? count : count > 0); i++) {
        behind_add(out, out_size, PQgetisnull(result, i, 0) ? "NULL" : PQgetvalue(result, i, 0));
    }
    PQclear(result);
}

static const char *const functions[] = {
    "CREATE FUNCTION unhex(t text) RETURNS bytea IMMUTABLE LANGUAGE SQL AS"
    " $$ SELECT decode(t, 'hex') $$",
    "CREATE FUNCTION hex(b bytea) RETURNS text IMMUTABLE LANGUAGE SQL AS"
    " $$ SELECT upper(encode(b, 'hex')) $$",
    "CREATE FUNCTION zeroblob(n integer) RETURNS bytea IMMUTABLE LANGUAGE SQL AS"
    " $$ SELECT decode(repeat('00', n), 'hex') $$",
    "CREATE FUNCTION hex_pad(i bigint, n integer) RETURNS text IMMUTABLE LANGUAGE SQL AS"
    " $$ SELECT lpad(upper(to_hex(i)), n, '0') $$",
    "CREATE FUNCTION text_of(b bytea) RETURNS text IMMUTABLE LANGUAGE SQL AS"
    " $$ SELECT convert_from(b, 'UTF8') $$",
    "CREATE FUNCTION stamp_text(t timestamptz) RETURNS text STABLE LANGUAGE SQL AS"
    " $$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') || ' +00:00' $$",
    "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'no'; END $$",
    NULL,
};

const struct behind_ops behind_postgres = {
    .name = "postgres",
    .open = open_database,
    .close = close_database,
    .run = run_text,
    .ask = ask_text,
    .has_tables = "SELECT count(*) FROM information_schema.tables"
                  " WHERE table_schema = 'public' AND table_name = 'pccs_owner'",
    .create_database = "CREATE DATABASE @",
    .drop_database = "DROP DATABASE @ WITH (FORCE)",
    .fail = "CREATE TRIGGER fails BEFORE @ ON @ FOR EACH ROW WHEN (@) EXECUTE FUNCTION fails()",
    .fail_no_more = "DROP TRIGGER fails ON @",
    .functions = functions,
};
#else
const struct behind_ops behind_postgres = {.name = "postgres"};
#endif
