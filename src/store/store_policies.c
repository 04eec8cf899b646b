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
    /* Two new defaults at once, of which neither sees the other, would both stay. */
    int code = db_beat(connection, why);
    code = code != 0 || !row->is_default ? code : default_unset(connection, row, why);
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

/* ---- every one ---- */

enum { PAGE_POLICIES = 16 };

struct policy_page {
    struct policy_row rows[PAGE_POLICIES];
    struct buf texts[PAGE_POLICIES];
    size_t count;
    struct buf last_id; /* the row before the next page: by its bytes, for it may be damaged */
    bool more;
};

static struct policy_page *
page_new(void)
{
    struct policy_page *page = calloc(1, sizeof(*page));
    for (size_t i = 0; page != NULL && i < PAGE_POLICIES; i++) {
        page->texts[i] = BUF_INIT(LIMIT_POLICY_BYTES);
    }
    if (page != NULL) {
        page->last_id = BUF_INIT(LIMIT_STORE_ROW_BYTES);
    }
    return page;
}

static void
page_free(struct policy_page **page)
{
    for (size_t i = 0; *page != NULL && i < PAGE_POLICIES; i++) {
        buf_done(&(*page)->texts[i]);
    }
    if (*page != NULL) {
        buf_done(&(*page)->last_id);
    }
    free(*page);
}

/* A damaged row is passed over. */
static void
page_add(struct policy_page *page, const struct sql *sql)
{
    struct policy_row *row = &page->rows[page->count];
    struct buf *text = &page->texts[page->count];
    *row = (struct policy_row){.type = (int)sql_column_number(sql, 1),
                               .is_default = sql_column_number(sql, 3) != 0};
    buf_clear(text);
    if (sql_column_text(sql, 0, row->id, sizeof(row->id)) &&
        fmspc_parse(sql_column(sql, 4), &row->fmspc) && buf_add(text, sql_column(sql, 2)) == 0) {
        row->policy = buf_span(text);
        page->count += 1;
    }
}

static int
page_rows(struct policy_page *page, struct sql *sql, struct fault *why)
{
    for (size_t rows = 0; rows < PAGE_POLICIES; rows++) {
        bool row = false;
        int code = sql_step(sql, &row, why);
        if (code != 0 || !row) {
            page->more = false;
            return code;
        }
        buf_clear(&page->last_id);
        if (buf_add(&page->last_id, sql_column(sql, 0)) != 0) {
            return fault_set(why, FAULT_MEMORY, "store", "no memory for a key");
        }
        page_add(page, sql);
    }
    return 0;
}

static int
page_read(struct policy_page *page, struct db_connection *connection, struct fault *why)
{
    auto_cleanup(buf_done) struct buf last_id = page->last_id; /* the statement holds on to it */
    page->last_id = BUF_INIT(LIMIT_STORE_ROW_BYTES);
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PAGE_POLICIES);
    sql_bind_span(&sql, buf_span(&last_id));
    sql_bind_number(&sql, PAGE_POLICIES);
    page->count = 0;
    return page_rows(page, &sql, why);
}

int
db_each_policy(struct store *store, store_policy_fn *each, void *self, struct fault *why)
{
    auto_cleanup(page_free) struct policy_page *page = page_new();
    if (page == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a page of policies");
    }
    for (page->more = true; page->more;) {
        struct db_connection *connection = NULL;
        int code = db_read_begin(db_of(store), DB_READ_ONE, &connection, why);
        if (code != 0) {
            return code;
        }
        code = page_read(page, connection, why);
        db_read_end(db_of(store), connection);
        for (size_t i = 0; code == 0 && i < page->count; i++) {
            if (!each(self, &page->rows[i])) {
                return 0;
            }
        }
        if (code != 0) {
            return code;
        }
    }
    return 0;
}
