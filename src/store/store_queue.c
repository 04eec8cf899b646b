/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The registration queue, platforms_registered: rows wait as new, or as lacking certificates, until
 * an administrator's tool has fetched them.
 * Takes and gives rows whose blobs are lower-case hex; nothing here is signed.
 * Called on any worker, for POST and GET /platforms.
 * Must never lose a row: listing with a mark is one transaction, only what is handed out is marked,
 * and a marked row stays in the table (reference_faults.md, "Losing data").
 * api.md, GET /platforms.
 */
#include <stdio.h>

#include "base/hex.h"
#include "store/store_priv.h"

enum {
    ROWS_AT_FIRST = 64,
    PAGE_ROWS = 500,              /* of a listing of all rows */
    PAGE_BYTES = 4 * 1024 * 1024, /* manifests are large: a page ends early once it has this much */
};

/* ---- writing ---- */

static int
decode_hex(struct buf *bytes, const char *hex, const char *what, struct fault *why)
{
    int code = hex != NULL ? hex_add_decoded(bytes, span_of_text(hex)) : 0;
    return code == 0 ? 0
                     : fault_set(why, code == FAULT_MEMORY ? FAULT_MEMORY : FAULT_INPUT, "store",
                                 "%s is not hex or too long", what);
}

static int
row_put(struct db_connection *connection, const struct queue_row *row, struct fault *why)
{
    auto_cleanup(buf_done_secret) struct buf manifest = BUF_INIT(LIMIT_MANIFEST_HEX / 2);
    auto_cleanup(buf_done_secret) struct buf enc_ppid = BUF_INIT(LIMIT_PPID_HEX / 2);
    int code = decode_hex(&manifest, row->manifest, "the manifest", why);
    code = code != 0 ? code : decode_hex(&enc_ppid, row->enc_ppid, "the encrypted PPID", why);
    if (code != 0) {
        return code;
    }
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_QUEUE_PUT);
    sql_bind_text(&sql, row->id.qeid);
    sql_bind_text(&sql, row->id.pceid);
    sql_bind_text(&sql, row->cpusvn);
    sql_bind_text(&sql, row->pcesvn);
    sql_bind_blob(&sql, buf_span(&enc_ppid));
    sql_bind_blob(&sql, buf_span(&manifest));
    sql_bind_number(&sql, row->state);
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

struct queue_batch {
    const void **rows; /* each a const struct queue_row * */
    size_t count;
    size_t marked; /* out: how many of them there were */
};

static void
batch_done(struct queue_batch *batch)
{
    free(batch->rows);
}

static int
batch_init(struct queue_batch *batch, struct db *db, const struct queue_row *rows, size_t count,
           struct fault *why)
{
    const struct db_unordered what = {DB_ORDER_ROWS, rows, count};
    *batch = (struct queue_batch){.count = count};
    return db_order(db, &what, &batch->rows, why);
}

static int
rows_put(struct db_connection *connection, void *self, struct fault *why)
{
    const struct queue_batch *batch = self;
    int code = 0;
    for (size_t i = 0; code == 0 && i < batch->count; i++) {
        code = row_put(connection, batch->rows[i], why);
    }
    return code;
}

int
db_queue_put(struct store *store, const struct queue_row *rows, size_t count, struct fault *why)
{
    auto_cleanup(batch_done) struct queue_batch batch;
    int code = batch_init(&batch, db_of(store), rows, count, why);
    return code != 0 ? code : db_write(db_of(store), rows_put, &batch, why);
}

/* Adds to *count how many rows had this key: one, or none. */
static int
row_mark(struct db_connection *connection, const struct queue_row *row, size_t *count,
         struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_QUEUE_MARK);
    sql_bind_text(&sql, row->id.qeid);
    sql_bind_text(&sql, row->id.pceid);
    sql_bind_text(&sql, row->cpusvn);
    sql_bind_text(&sql, row->pcesvn);
    sql_bind_text(&sql, connection->stamp);
    int code = sql_run(&sql, why);
    if (code == 0) {
        *count += (size_t)sql_changes(&sql);
    }
    return code;
}

static int
rows_mark(struct db_connection *connection, void *self, struct fault *why)
{
    struct queue_batch *batch = self;
    int code = 0;
    batch->marked = 0;
    for (size_t i = 0; code == 0 && i < batch->count; i++) {
        code = row_mark(connection, batch->rows[i], &batch->marked, why);
    }
    return code;
}

int
db_queue_mark_done(struct store *store, const struct queue_row *rows, size_t count,
                   size_t *ret_count, struct fault *why)
{
    auto_cleanup(batch_done) struct queue_batch batch;
    int code = batch_init(&batch, db_of(store), rows, count, why);
    code = code != 0 ? code : db_write(db_of(store), rows_mark, &batch, why);
    if (code == 0) {
        *ret_count = batch.marked;
    }
    return code;
}

/* ---- reading ---- */

struct queue_list {
    enum queue_source source;
    struct queue_row *rows;
    size_t count, capacity;
    size_t bytes, bytes_max;
};

static void
list_clear(struct queue_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        queue_row_done(&list->rows[i]);
    }
    free(list->rows);
    *list = (struct queue_list){.source = list->source, .bytes_max = list->bytes_max};
}

static int
list_make_room(struct queue_list *list, struct fault *why)
{
    if (list->count < list->capacity) {
        return 0;
    }
    size_t capacity = list->capacity == 0 ? ROWS_AT_FIRST : 2 * list->capacity;
    struct queue_row *rows = reallocarray(list->rows, capacity, sizeof(rows[0]));
    if (rows == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for the queue");
    }
    list->rows = rows;
    list->capacity = capacity;
    return 0;
}

/* Lower-case hex; NULL if memory ran out. */
static char *
hex_from_column(const struct sql *sql, int column)
{
    struct span bytes = sql_column(sql, column);
    char *hex = malloc(2 * bytes.size + 1);
    if (hex != NULL) {
        hex_encode_lower(bytes, hex);
    }
    return hex;
}

static bool
svn_from_column(const struct sql *sql, int column, char *out, size_t digits)
{
    struct span svn = sql_column(sql, column);
    return (svn.size == 0 || hex_is_sized(svn, digits)) && span_to_text(svn, out, digits + 1);
}

/* False for a row that is damaged: it is not handed out, and so not marked either. */
static bool
key_from_row(const struct sql *sql, struct queue_row *row)
{
    return qeid_parse(sql_column(sql, 0), &row->id) && pceid_parse(sql_column(sql, 1), &row->id) &&
           svn_from_column(sql, 2, row->cpusvn, 32) && svn_from_column(sql, 3, row->pcesvn, 4) &&
           sql_column(sql, 4).size <= LIMIT_PPID_HEX / 2 &&
           sql_column(sql, 5).size <= LIMIT_MANIFEST_HEX / 2;
}

/* FAULT_NOT_FOUND for a damaged row. */
static int
row_from_row(const struct sql *sql, struct queue_row *ret_row, struct fault *why)
{
    struct queue_row row = {.state = (enum queue_state)sql_column_number(sql, 6)};
    if (!key_from_row(sql, &row)) {
        return fault_set(why, FAULT_NOT_FOUND, "store", "the row is damaged");
    }
    row.enc_ppid = hex_from_column(sql, 4);
    row.manifest = hex_from_column(sql, 5);
    if (row.enc_ppid == NULL || row.manifest == NULL) {
        queue_row_done(&row);
        return fault_set(why, FAULT_MEMORY, "store", "no memory for the queue");
    }
    *ret_row = row;
    return 0;
}

static int
list_add(struct queue_list *list, const struct sql *sql, struct fault *why)
{
    int code = list_make_room(list, why);
    if (code != 0) {
        return code;
    }
    struct queue_row *row = &list->rows[list->count];
    code = row_from_row(sql, row, why);
    if (code != 0) {
        return code == FAULT_NOT_FOUND ? 0 : code;
    }
    list->bytes += sizeof(*row) + 2 * (sql_column(sql, 4).size + sql_column(sql, 5).size);
    list->count += 1;
    return 0;
}

static struct sql
list_statement(struct db_connection *connection, const struct queue_list *list, bool take)
{
    static const enum queue_state states[] = {
        [QUEUE_SOURCE_REG] = QUEUE_NEW,
        [QUEUE_SOURCE_REG_NA] = QUEUE_NOT_AVAILABLE,
        [QUEUE_SOURCE_REG_PENDING] = QUEUE_DONE,
    };
    enum sql_id id = list->source == QUEUE_SOURCE_REG_PENDING ? SQL_QUEUE_PENDING
                     : take                                   ? SQL_QUEUE_TAKE
                                                              : SQL_QUEUE_LIST;
    struct sql sql = sql_of(connection, id);
    sql_bind_number(&sql, states[list->source]);
    return sql;
}

/* What the statement gives, up to the ceiling; *ret_rows of them there were. */
static int
rows_read(struct queue_list *list, struct sql *sql, int *ret_rows, struct fault *why)
{
    for (*ret_rows = 0; list->bytes < list->bytes_max; *ret_rows += 1) {
        bool row = false;
        int code = sql_step(sql, &row, why);
        if (code != 0 || !row) {
            return code;
        }
        code = list_add(list, sql, why);
        if (code != 0) {
            return code;
        }
    }
    return 0;
}

/* The rows behind *passed, as many as the engine reads at a time; *ret_rows of them there were. */
static int
page_read(struct queue_list *list, struct db_connection *connection, bool take, int64_t passed,
          int *ret_rows, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = list_statement(connection, list, take);
    sql_bind_number(&sql, connection->db->engine->list_rows);
    sql_bind_number(&sql, passed);
    return rows_read(list, &sql, ret_rows, why);
}

/* What is beyond the ceiling stays in the queue for the next call. */
static int
list_read(struct queue_list *list, struct db_connection *connection, struct fault *why)
{
    int rows = connection->db->engine->list_rows;
    int code = 0;
    for (int64_t passed = 0; code == 0 && rows == connection->db->engine->list_rows;
         passed += rows) {
        code = page_read(list, connection, false, passed, &rows, why);
    }
    return code;
}

static int
list_peek(struct queue_list *list, struct db *db, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db, DB_READ_SNAPSHOT, &connection, why);
    if (code == 0) {
        code = list_read(list, connection, why);
        db_read_end(db, connection);
    }
    return code;
}

/* Reads a page and marks it, which takes it out of the next one: rows that others put meanwhile may
 * move the places of all, and one that is marked cannot be met twice. Damaged rows stay, and are
 * passed over. */
static int
page_hand_out(struct queue_list *list, struct db_connection *connection, int64_t *passed,
              int *ret_rows, struct fault *why)
{
    size_t before = list->count;
    int code = page_read(list, connection, true, *passed, ret_rows, why);
    if (code != 0 || list->count == before) {
        *passed += code == 0 ? *ret_rows : 0;
        return code;
    }
    size_t count = list->count - before;
    *passed += *ret_rows - (int64_t)count;
    auto_cleanup(batch_done) struct queue_batch batch;
    code = batch_init(&batch, connection->db, &list->rows[before], count, why);
    return code != 0 ? code : rows_mark(connection, &batch, why);
}

static int
list_hand_out(struct db_connection *connection, void *self, struct fault *why)
{
    struct queue_list *list = self;
    list_clear(list);
    int rows = connection->db->engine->list_rows;
    int code = 0;
    for (int64_t passed = 0; code == 0 && rows == connection->db->engine->list_rows;) {
        code = page_hand_out(list, connection, &passed, &rows, why);
    }
    return code;
}

int
db_queue_list(struct store *store, enum queue_source source, bool mark, struct queue_row **ret_rows,
              size_t *ret_count, struct fault *why)
{
    struct db *db = db_of(store);
    struct queue_list list = {.source = source, .bytes_max = db->list_bytes_max};
    int code = mark && source != QUEUE_SOURCE_REG_PENDING ? db_write(db, list_hand_out, &list, why)
                                                          : list_peek(&list, db, why);
    if (code != 0) {
        list_clear(&list);
        return code;
    }
    *ret_rows = list.rows;
    *ret_count = list.count;
    return 0;
}

/* ---- every row ---- */

static int
all_read(struct queue_list *list, struct db_connection *connection, int64_t passed, int *ret_rows,
         struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_QUEUE_ALL);
    sql_bind_number(&sql, PAGE_ROWS);
    sql_bind_number(&sql, passed);
    return rows_read(list, &sql, ret_rows, why);
}

static int
all_load(struct queue_list *list, struct db *db, int64_t passed, int *ret_rows, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db, DB_READ_ONE, &connection, why);
    if (code == 0) {
        code = all_read(list, connection, passed, ret_rows, why);
        db_read_end(db, connection);
    }
    return code;
}

/* Rows that are added meanwhile come last; none is ever removed. */
int
db_each_queue_row(struct store *store, store_queue_fn *each, void *self, struct fault *why)
{
    auto_cleanup(list_clear) struct queue_list page = {.bytes_max = PAGE_BYTES};
    int64_t passed = 0;
    for (bool more = true; more;) {
        int rows = 0;
        int code = all_load(&page, db_of(store), passed, &rows, why);
        for (size_t i = 0; code == 0 && i < page.count; i++) {
            if (!each(self, &page.rows[i])) {
                return 0;
            }
        }
        if (code != 0) {
            return code;
        }
        more = rows == PAGE_ROWS || page.bytes >= page.bytes_max;
        passed += rows;
        list_clear(&page);
    }
    return 0;
}

static int
row_find(struct db_connection *connection, const struct queue_row *key, struct queue_row *ret_row,
         struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_QUEUE_FIND);
    sql_bind_text(&sql, key->id.qeid);
    sql_bind_text(&sql, key->id.pceid);
    sql_bind_text(&sql, key->cpusvn);
    sql_bind_text(&sql, key->pcesvn);
    bool row = false;
    int code = sql_step(&sql, &row, why);
    if (code == 0 && !row) {
        return fault_set(why, FAULT_NOT_FOUND, "store", "no row");
    }
    return code != 0 ? code : row_from_row(&sql, ret_row, why);
}

int
db_load_queue_row(struct store *store, const struct queue_row *key, struct queue_row *ret_row,
                  struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db_of(store), DB_READ_ONE, &connection, why);
    if (code == 0) {
        code = row_find(connection, key, ret_row, why);
        db_read_end(db_of(store), connection);
    }
    return code;
}

/* ---- counting ---- */

static int
counts_read(struct db_connection *connection, uint64_t counts[3], struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_QUEUE_COUNTS);
    for (;;) {
        bool row = false;
        int code = sql_step(&sql, &row, why);
        if (code != 0 || !row) {
            return code;
        }
        int64_t state = sql_column_number(&sql, 0);
        size_t index = state == QUEUE_NEW ? 0 : state == QUEUE_NOT_AVAILABLE ? 1 : 2;
        counts[index] += (uint64_t)sql_column_number(&sql, 1);
    }
}

int
db_queue_counts(struct store *store, uint64_t counts[3], struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db_of(store), DB_READ_ONE, &connection, why);
    if (code != 0) {
        return code;
    }
    uint64_t found[3] = {0};
    code = counts_read(connection, found, why);
    db_read_end(db_of(store), connection);
    if (code == 0) {
        memcpy(counts, found, sizeof(found));
    }
    return code;
}
