/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every cached platform, or those of some FMSPCs, a page at a time by the table's own key.
 * Takes a callback, gives it platforms in brief; a platform stored meanwhile may be missed or met,
 * none is met twice.
 * Called on any worker, for GET /platforms?source=[...], refresh and statistics.
 * Must never hold a connection while the callback runs (it may write), nor more than a page in
 * memory: a fleet may have a million platforms.
 * ports/store_port.h: listing.
 */
#include "store/store_priv.h"

enum {
    PAGE_PLATFORMS = 500,
    PAGE_BYTES = 4 * 1024 * 1024, /* manifests are large: a page ends early once it has this much */
};

struct platform_page {
    struct store_platform *platforms; /* PAGE_PLATFORMS of them */
    size_t count;
    size_t rows_max; /* of a page; an engine that has all rows at once takes fewer */
    struct buf last_qeid, last_pceid; /* the row before the next page */
    bool more;
};

static int
page_init(struct platform_page *page, const struct db *db, struct fault *why)
{
    int rows = db->engine->list_rows;
    *page =
        (struct platform_page){.rows_max = rows < PAGE_PLATFORMS ? (size_t)rows : PAGE_PLATFORMS,
                               .last_qeid = BUF_INIT(LIMIT_STORE_ROW_BYTES),
                               .last_pceid = BUF_INIT(LIMIT_STORE_ROW_BYTES)};
    page->platforms = calloc(PAGE_PLATFORMS, sizeof(page->platforms[0]));
    return page->platforms != NULL
               ? 0
               : fault_set(why, FAULT_MEMORY, "store", "no memory for a page of platforms");
}

static void
page_clear(struct platform_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        store_platform_done(&page->platforms[i]);
    }
    page->count = 0;
}

static void
page_done(struct platform_page *page)
{
    page_clear(page);
    free(page->platforms);
    buf_done(&page->last_qeid);
    buf_done(&page->last_pceid);
}

/* Remembers where the row stands: by its bytes, for a damaged key must not stop the listing. */
static int
page_remember(struct platform_page *page, const struct sql *sql, struct fault *why)
{
    buf_clear(&page->last_qeid);
    buf_clear(&page->last_pceid);
    if (buf_add(&page->last_qeid, sql_column(sql, 0)) != 0 ||
        buf_add(&page->last_pceid, sql_column(sql, 1)) != 0) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a key");
    }
    return 0;
}

/* One row into the page; a damaged one is passed over. */
static int
page_add(struct platform_page *page, struct db_connection *connection, const struct sql *sql,
         struct fault *why)
{
    struct store_platform *platform = &page->platforms[page->count];
    *platform = (struct store_platform){0};
    raw_reply_init(&platform->certs);
    int code = db_platform_from_row(connection, sql, platform, why);
    if (code != 0) {
        store_platform_done(platform);
        return code == FAULT_NOT_FOUND ? 0 : code;
    }
    page->count += 1;
    return 0;
}

static int
page_rows(struct platform_page *page, struct db_connection *connection, struct sql *sql,
          struct fault *why)
{
    size_t bytes = 0;
    for (size_t rows = 0; rows < page->rows_max && bytes < PAGE_BYTES; rows++) {
        bool row = false;
        int code = sql_step(sql, &row, why);
        if (code == 0 && !row) {
            page->more = false;
            return 0;
        }
        if (code == 0) {
            bytes += 2 * sql_column(sql, 2).size; /* hex */
            code = page_add(page, connection, sql, why);
        }
        code = code != 0 ? code : page_remember(page, sql, why);
        if (code != 0) {
            return code;
        }
    }
    page->more = true;
    return 0;
}

static int
page_load(struct platform_page *page, struct db *db, const struct fmspc *fmspc, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db, DB_READ_SNAPSHOT, &connection, why);
    if (code != 0) {
        return code;
    }
    auto_cleanup(buf_done) struct buf qeid = page->last_qeid, pceid = page->last_pceid;
    page->last_qeid = BUF_INIT(LIMIT_STORE_ROW_BYTES); /* the statement holds on to the old ones */
    page->last_pceid = BUF_INIT(LIMIT_STORE_ROW_BYTES);
    struct sql sql = sql_of(connection, fmspc != NULL ? SQL_PAGE_PLATFORMS_OF : SQL_PAGE_PLATFORMS);
    sql_bind_span(&sql, buf_span(&qeid));
    sql_bind_span(&sql, buf_span(&pceid));
    sql_bind_number(&sql, (int64_t)page->rows_max);
    if (fmspc != NULL) {
        sql_bind_text(&sql, fmspc->hex);
    }
    code = page_rows(page, connection, &sql, why);
    sql_close(&sql);
    db_read_end(db, connection);
    return code;
}

/* Those of one FMSPC, all if it is NULL. *go_on turns false once the callback has had enough. */
static int
each_of(struct db *db, const struct fmspc *fmspc, store_platform_fn *each, void *self, bool *go_on,
        struct fault *why)
{
    auto_cleanup(page_done) struct platform_page page;
    int code = page_init(&page, db, why);
    for (page.more = true; code == 0 && page.more && *go_on;) {
        code = page_load(&page, db, fmspc, why);
        for (size_t i = 0; code == 0 && *go_on && i < page.count; i++) {
            *go_on = each(self, &page.platforms[i]);
        }
        page_clear(&page);
    }
    return code;
}

static bool
named_before(const struct fmspc *fmspcs, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(fmspcs[i].hex, fmspcs[index].hex) == 0) {
            return true;
        }
    }
    return false;
}

int
db_each_platform(struct store *store, const struct fmspc *fmspcs, size_t count,
                 store_platform_fn *each, void *self, struct fault *why)
{
    bool go_on = true;
    if (count == 0) {
        return each_of(db_of(store), NULL, each, self, &go_on, why);
    }
    int code = 0;
    for (size_t i = 0; code == 0 && go_on && i < count; i++) {
        if (!named_before(fmspcs, i)) {
            code = each_of(db_of(store), &fmspcs[i], each, self, &go_on, why);
        }
    }
    return code;
}

static int
fmspcs_count(struct db_connection *connection, unsigned most, store_fmspc_fn *each, void *self,
             struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_COUNT_FMSPCS);
    sql_bind_number(&sql, most);
    for (;;) {
        bool row = false;
        int code = sql_step(&sql, &row, why);
        if (code != 0 || !row) {
            return code;
        }
        struct fmspc fmspc = {0}; /* stays empty where the row is damaged */
        fmspc_parse(sql_column(&sql, 0), &fmspc);
        each(self, &fmspc, (uint64_t)sql_column_number(&sql, 1));
    }
}

int
db_count_fmspcs(struct store *store, unsigned most, store_fmspc_fn *each, void *self,
                struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db_of(store), DB_READ_ONE, &connection, why);
    if (code == 0) {
        code = fmspcs_count(connection, most, each, self, why);
        db_read_end(db_of(store), connection);
    }
    return code;
}
