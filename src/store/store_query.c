/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A running statement: bound in order, stepped, its columns read with suspicion.
 * Takes a connection and a row of store_sql.def, gives rows; the engine does the work.
 * Called by this room's files on whatever thread holds the connection.
 * Must never hand out a column of the wrong type: whoever can write the database can write anything
 * into it (in SQLite the schema's types bind nobody).
 * ports/store_port.h: faults.
 */
#include "store/store_priv.h"

struct sql
sql_of(struct db_connection *connection, enum sql_id id)
{
    return (struct sql){.connection = connection, .id = id};
}

static const struct db_engine *
engine_of(const struct sql *sql)
{
    return sql->connection->db->engine;
}

void
sql_close(struct sql *sql)
{
    if (sql->running != NULL) {
        engine_of(sql)->close(sql);
        sql->running = NULL;
    }
}

static void
bind(struct sql *sql, struct sql_value value)
{
    must(sql->count < DB_VALUES_MAX && sql->running == NULL);
    sql->values[sql->count++] = value;
}

void
sql_bind_text(struct sql *sql, const char *text)
{
    bind(sql, (struct sql_value){.kind = text != NULL ? SQL_TEXT : SQL_NULL,
                                 .bytes = span_of_text(text)});
}

void
sql_bind_span(struct sql *sql, struct span text)
{
    bind(sql, (struct sql_value){.kind = SQL_CHARS, .bytes = text});
}

void
sql_bind_blob(struct sql *sql, struct span bytes)
{
    bind(sql, (struct sql_value){.kind = SQL_BLOB, .bytes = bytes});
}

void
sql_bind_number(struct sql *sql, int64_t number)
{
    bind(sql, (struct sql_value){.kind = SQL_NUMBER, .number = number});
}

void
sql_bind_null(struct sql *sql)
{
    bind(sql, (struct sql_value){.kind = SQL_NULL});
}

int
sql_step(struct sql *sql, bool *ret_row, struct fault *why)
{
    int code = engine_of(sql)->step(sql, ret_row, why);
    return db_fault_where(sql->connection->db, code, why);
}

int
sql_run(struct sql *sql, struct fault *why)
{
    bool row = false;
    return sql_step(sql, &row, why);
}

struct span
sql_column(const struct sql *sql, int column)
{
    return engine_of(sql)->column(sql, column);
}

bool
sql_column_text(const struct sql *sql, int column, char *out, size_t out_size)
{
    return span_to_text(sql_column(sql, column), out, out_size);
}

int64_t
sql_column_number(const struct sql *sql, int column)
{
    return engine_of(sql)->number(sql, column);
}

uint64_t
sql_changes(const struct sql *sql)
{
    return engine_of(sql)->changes(sql);
}
