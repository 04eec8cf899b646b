/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Appraisal policies: JWTs of the operator's, kept by the hash of their text and served by FMSPC.
 * Takes and gives the text as it came; Intel does not sign it, so nothing is proven here.
 * Called on any worker.
 * Must never unset the default of another type than the new one's (a fault of the reference).
 * api.md, appraisalpolicy.
 */
#include "store/store_priv.h"

static int
default_unset(struct db_connection *connection, const struct policy_row *row, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_UNSET_DEFAULT_POLICY);
    sql_bind_text(&sql, row->fmspc.hex);
    sql_bind_number(&sql, row->type);
    sql_bind_text(&sql, row->id);
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

static int
row_put(struct db_connection *connection, const struct policy_row *row, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_POLICY);
    sql_bind_text(&sql, row->id);
    sql_bind_number(&sql, row->type);
    sql_bind_span(&sql, row->policy);
    sql_bind_number(&sql, row->is_default);
    sql_bind_text(&sql, row->fmspc.hex);
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

static int
policy_put(struct db_connection *connection, void *self, struct fault *why)
{
    const struct policy_row *row = self;
    int code = row->is_default ? default_unset(connection, row, why) : 0;
    code = code != 0 ? code : row_put(connection, row, why);
    if (code == 0) {
        db_changed(connection, &(struct item_key){.kind = ITEM_POLICIES, .fmspc = row->fmspc});
    }
    return code;
}

int
db_put_policy(struct store *store, const struct policy_row *row, struct fault *why)
{
    if (row->policy.size > LIMIT_POLICY_BYTES) {
        return fault_set(why, FAULT_TOO_LARGE, "store", "a policy of %zu bytes, more than %d",
                         row->policy.size, LIMIT_POLICY_BYTES);
    }
    struct policy_row own = *row;
    return db_write(db_of(store), policy_put, &own, why);
}

static int
policies_read(struct db_connection *connection, const struct fmspc *fmspc, struct buf *b,
              struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_LOAD_POLICIES);
    sql_bind_text(&sql, fmspc->hex);
    for (size_t count = 0;; count++) {
        bool row = false;
        int code = sql_step(&sql, &row, why);
        if (code != 0) {
            return code;
        }
        if (!row) {
            return count > 0 ? 0
                             : fault_set(why, FAULT_NOT_FOUND, "store", "no default policy for %s",
                                         fmspc->hex);
        }
        code = count > 0 ? buf_add_byte(b, ',') : 0;
        code = code != 0 ? code : buf_add(b, sql_column(&sql, 0));
        if (code != 0) {
            return fault_set(why, code == FAULT_MEMORY ? FAULT_MEMORY : FAULT_STORE, "store",
                             "the default policies of %s do not fit an answer", fmspc->hex);
        }
    }
}

int
db_load_policies(struct store *store, const struct fmspc *fmspc, struct buf *b, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db_of(store), DB_READ_ONE, &connection, why);
    if (code != 0) {
        return code;
    }
    /* Gathered aside: what fails must not leave half a list in the caller's buffer. */
    auto_cleanup(buf_done) struct buf found = BUF_INIT(b->size_max);
    code = policies_read(connection, fmspc, &found, why);
    db_read_end(db_of(store), connection);
    if (code != 0) {
        return code;
    }
    code = buf_add(b, buf_span(&found));
    return code == 0 ? 0 : fault_set(why, code, "store", "no room for the policies");
}
