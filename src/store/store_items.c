/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Intel signed, but for PCK certificates: TCB infos, identities, CRLs, evaluation numbers, the
 * FMSPC list. What Intel's tables have no column for lies in pccs_items under the key's own text.
 * Takes keys and proven items, gives raw replies: what comes out must be proven again.
 * Called on any worker; db_item_put inside the transaction of store.c.
 * Must never serve a body whose issuer chain never came (wire_details.md 14), nor hold a
 * connection while the caller's callback runs.
 * database.md; ports/store_port.h.
 */
#include "store/store_priv.h"

enum { PAGE_KEYS = 64, TIME_SIZE = 64 };

/* Where an item lies. */
enum item_place {
    PLACE_TCBINFO,
    PLACE_IDENTITY,
    PLACE_PCK_CRL,
    PLACE_ROOT_CRL,
    PLACE_CRL,
    PLACE_OWN,
    PLACE_COUNT
};

static bool
fits_reference(const struct item_key *key)
{
    return key->update == UPDATE_STANDARD || key->update == UPDATE_EARLY;
}

/* False for the kinds that are no items of the store. */
static bool
item_place(const struct item_key *key, enum item_place *ret_place)
{
    switch (key->kind) {
    case ITEM_TCBINFO:
        *ret_place = fits_reference(key) ? PLACE_TCBINFO : PLACE_OWN;
        return true;
    case ITEM_IDENTITY:
        *ret_place =
            fits_reference(key) && key->enclave != ENCLAVE_QAE ? PLACE_IDENTITY : PLACE_OWN;
        return true;
    case ITEM_PCK_CRL:
        *ret_place = PLACE_PCK_CRL;
        return true;
    case ITEM_ROOT_CRL:
        *ret_place = PLACE_ROOT_CRL;
        return true;
    case ITEM_CRL:
        *ret_place = PLACE_CRL;
        return true;
    case ITEM_EVALNUMBERS:
    case ITEM_FMSPCS:
        *ret_place = PLACE_OWN;
        return true;
    case ITEM_PCK:
    case ITEM_POLICIES:
        break;
    }
    return false;
}

static bool
needs_chain(enum item_kind kind)
{
    return kind == ITEM_TCBINFO || kind == ITEM_IDENTITY || kind == ITEM_PCK_CRL ||
           kind == ITEM_EVALNUMBERS;
}

/* ---- reading one ---- */

static struct sql
load_statement(struct db_connection *connection, enum item_place place, const struct item_key *key,
               const char *key_text)
{
    static const enum sql_id ids[PLACE_COUNT] = {
        [PLACE_TCBINFO] = SQL_LOAD_TCBINFO, [PLACE_IDENTITY] = SQL_LOAD_IDENTITY,
        [PLACE_PCK_CRL] = SQL_LOAD_PCK_CRL, [PLACE_ROOT_CRL] = SQL_LOAD_ROOT_CRL,
        [PLACE_CRL] = SQL_LOAD_CRL,         [PLACE_OWN] = SQL_LOAD_OWN_ITEM,
    };
    struct sql sql = sql_of(connection, ids[place]);
    if (place == PLACE_TCBINFO) {
        sql_bind_text(&sql, key->fmspc.hex);
        sql_bind_number(&sql, key->product);
        sql_bind_number(&sql, key->api_version);
        sql_bind_text(&sql, update_type_word(key->update));
    } else if (place == PLACE_IDENTITY) {
        sql_bind_number(&sql, key->enclave);
        sql_bind_number(&sql, key->api_version);
        sql_bind_text(&sql, update_type_word(key->update));
    } else if (place == PLACE_PCK_CRL) {
        sql_bind_text(&sql, pck_ca_word(key->ca));
    } else if (place == PLACE_CRL) {
        sql_bind_text(&sql, key->url);
        return sql;
    }
    if (place != PLACE_ROOT_CRL) {
        sql_bind_text(&sql, key_text);
    }
    return sql;
}

/* The row that the statement stands on. */
static int
item_from_row(const struct sql *sql, const struct item_key *key, struct raw_reply *raw,
              struct fault *why)
{
    struct span body = sql_column(sql, 0);
    if (body.size == 0) {
        return fault_set(why, FAULT_NOT_FOUND, "store", "the row has no body");
    }
    struct chain_columns columns = {
        .kept = sql_column(sql, 1), .signer = sql_column(sql, 2), .root = sql_column(sql, 3)};
    int code = 0;
    if (needs_chain(key->kind)) {
        code = db_chain_assemble(&columns, &raw->issuer_chain, why);
        if (code == 0 && raw->issuer_chain == NULL) {
            return fault_set(why, FAULT_NOT_FOUND, "store", "the item's issuer chain never came");
        }
    }
    if (code != 0) {
        return code;
    }
    code = buf_add(&raw->body, body);
    if (code == FAULT_TOO_LARGE) {
        return fault_set(why, FAULT_NOT_FOUND, "store", "the row's body has %zu bytes", body.size);
    }
    return code == 0 ? 0 : fault_set(why, code, "store", "no memory for an item");
}

/* updated_time may be NULL. */
static int
item_read(struct db_connection *connection, const struct item_key *key, struct raw_reply *ret_raw,
          char updated_time[TIME_SIZE], struct fault *why)
{
    enum item_place place = PLACE_OWN;
    if (!item_place(key, &place)) {
        return fault_set(why, FAULT_INTERNAL, "store", "this kind is not loaded as an item");
    }
    char key_text[ITEM_KEY_TEXT_SIZE];
    item_key_text(key, key_text);
    auto_cleanup(sql_close) struct sql sql = load_statement(connection, place, key, key_text);
    bool row = false;
    int code = sql_step(&sql, &row, why);
    if (code == 0 && !row) {
        return fault_set(why, FAULT_NOT_FOUND, "store", "no row");
    }
    if (code != 0) {
        return code;
    }
    struct raw_reply raw;
    raw_reply_init(&raw);
    code = item_from_row(&sql, key, &raw, why);
    if (code == 0 && updated_time != NULL && !sql_column_text(&sql, 4, updated_time, TIME_SIZE)) {
        code = fault_set(why, FAULT_NOT_FOUND, "store", "the row's updated_time is damaged");
    }
    if (code != 0) {
        raw_reply_done(&raw);
        return code;
    }
    *ret_raw = raw;
    return 0;
}

int
db_load_item(struct store *store, const struct item_key *key, struct raw_reply *ret_raw,
             struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db_of(store), DB_READ_ONE, &connection, why);
    if (code != 0) {
        return code;
    }
    code = item_read(connection, key, ret_raw, NULL, why);
    db_read_end(db_of(store), connection);
    return code;
}

/* ---- every key ---- */

struct key_page {
    struct item_key keys[PAGE_KEYS];
    size_t count;
    int64_t passed; /* rows before the next page */
    bool more;
};

static bool
update_from_row(const struct sql *sql, enum item_place place, struct item_key *key)
{
    int64_t number = sql_column_number(sql, 4);
    if (place == PLACE_OWN && span_is(sql_column(sql, 3), update_type_word(UPDATE_NUMBERED))) {
        key->update = UPDATE_NUMBERED;
        key->eval_number = (uint32_t)number;
        return number >= 0 && number <= UINT32_MAX;
    }
    return update_type_parse(sql_column(sql, 3), &key->update) && key->update != UPDATE_ALL;
}

static bool
version_from_row(const struct sql *sql, struct item_key *key)
{
    int64_t version = sql_column_number(sql, 0);
    key->api_version = (unsigned)version;
    return version == 3 || version == 4;
}

static bool
tcbinfo_key_from_row(const struct sql *sql, enum item_place place, struct item_key *key)
{
    int64_t product = sql_column_number(sql, 1);
    key->kind = ITEM_TCBINFO;
    key->product = (enum product)product;
    return (product == PRODUCT_SGX || product == PRODUCT_TDX) && version_from_row(sql, key) &&
           update_from_row(sql, place, key) && fmspc_parse(sql_column(sql, 6), &key->fmspc);
}

static bool
identity_key_from_row(const struct sql *sql, enum item_place place, struct item_key *key)
{
    int64_t enclave = sql_column_number(sql, 2);
    key->kind = ITEM_IDENTITY;
    key->enclave = (enum enclave)enclave;
    return enclave >= ENCLAVE_QE && enclave <= ENCLAVE_QAE && version_from_row(sql, key) &&
           update_from_row(sql, place, key);
}

/* A row of pccs_items; its columns must give the very text it is stored under. */
static bool
own_key_from_row(const struct sql *sql, struct item_key *key)
{
    struct span text = sql_column(sql, 8);
    int64_t product = sql_column_number(sql, 1);
    bool known;
    if (span_starts_with(text, "tcb/")) {
        known = tcbinfo_key_from_row(sql, PLACE_OWN, key);
    } else if (span_starts_with(text, "identity/")) {
        known = identity_key_from_row(sql, PLACE_OWN, key);
    } else if (span_starts_with(text, "evalnumbers/")) {
        key->kind = ITEM_EVALNUMBERS;
        key->product = (enum product)product;
        known = product == PRODUCT_SGX || product == PRODUCT_TDX;
    } else {
        key->kind = ITEM_FMSPCS;
        known = sql_column_text(sql, 7, key->url, sizeof(key->url));
    }
    char expected[ITEM_KEY_TEXT_SIZE];
    return known && item_key_text(key, expected) == text.size && span_is(text, expected);
}

static bool
key_from_row(const struct sql *sql, enum item_place place, struct item_key *key)
{
    *key = (struct item_key){.api_version = 4};
    switch (place) {
    case PLACE_TCBINFO:
        return tcbinfo_key_from_row(sql, place, key);
    case PLACE_IDENTITY:
        return identity_key_from_row(sql, place, key);
    case PLACE_PCK_CRL:
        key->kind = ITEM_PCK_CRL;
        return pck_ca_parse(sql_column(sql, 5), &key->ca);
    case PLACE_ROOT_CRL:
        key->kind = ITEM_ROOT_CRL;
        return true;
    case PLACE_CRL:
        key->kind = ITEM_CRL;
        return sql_column_text(sql, 7, key->url, sizeof(key->url)) && key->url[0] != '\0';
    case PLACE_OWN:
        return own_key_from_row(sql, key);
    case PLACE_COUNT:
        break;
    }
    return false;
}

/* The next keys of one place; damaged rows are passed over. What another instance inserts meanwhile
 * may shift a key into the next page: it is met twice then. */
static int
page_read(struct db_connection *connection, enum item_place place, struct key_page *page,
          struct fault *why)
{
    static const enum sql_id ids[PLACE_COUNT] = {
        [PLACE_TCBINFO] = SQL_EACH_TCBINFO, [PLACE_IDENTITY] = SQL_EACH_IDENTITY,
        [PLACE_PCK_CRL] = SQL_EACH_PCK_CRL, [PLACE_ROOT_CRL] = SQL_EACH_ROOT_CRL,
        [PLACE_CRL] = SQL_EACH_CRL,         [PLACE_OWN] = SQL_EACH_OWN_ITEM,
    };
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, ids[place]);
    sql_bind_number(&sql, PAGE_KEYS);
    sql_bind_number(&sql, page->passed);
    page->count = 0;
    for (size_t rows = 0;; rows++) {
        bool row = false;
        int code = sql_step(&sql, &row, why);
        if (code != 0 || !row) {
            page->more = rows == PAGE_KEYS;
            return code;
        }
        page->passed += 1;
        page->count += key_from_row(&sql, place, &page->keys[page->count]) ? 1 : 0;
    }
}

static struct key_page *
page_new(struct fault *why)
{
    struct key_page *page = calloc(1, sizeof(*page));
    if (page == NULL) {
        (void)fault_set(why, FAULT_MEMORY, "store", "no memory for a page of keys");
    }
    return page;
}

static int
page_load(struct db *db, enum item_place place, struct key_page *page, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db, DB_READ_ONE, &connection, why);
    if (code == 0) {
        code = page_read(connection, place, page, why);
        db_read_end(db, connection);
    }
    return code;
}

int
db_each_item(struct store *store, store_key_fn *each, void *self, struct fault *why)
{
    auto_free struct key_page *page = page_new(why);
    if (page == NULL) {
        return FAULT_MEMORY;
    }
    for (int place = 0; place < PLACE_COUNT; place++) {
        page->passed = 0;
        do {
            int code = page_load(db_of(store), (enum item_place)place, page, why);
            if (code != 0) {
                return code;
            }
            for (size_t i = 0; i < page->count; i++) {
                if (!each(self, &page->keys[i])) {
                    return 0;
                }
            }
        } while (page->more);
    }
    return 0;
}

int
db_count_crl_urls(struct store *store, size_t *ret_count, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db_of(store), DB_READ_ONE, &connection, why);
    if (code != 0) {
        return code;
    }
    struct sql sql = sql_of(connection, SQL_COUNT_CRL_URLS);
    bool row = false;
    code = sql_step(&sql, &row, why);
    if (code == 0 && row) {
        *ret_count = (size_t)sql_column_number(&sql, 0);
    }
    sql_close(&sql);
    db_read_end(db_of(store), connection);
    return code;
}

/* ---- writing one ---- */

static int
tcbinfo_put(struct db_connection *connection, const struct proven *item, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_TCBINFO);
    sql_bind_text(&sql, item->key.fmspc.hex);
    sql_bind_number(&sql, item->key.product);
    sql_bind_number(&sql, item->key.api_version);
    sql_bind_text(&sql, update_type_word(item->key.update));
    sql_bind_blob(&sql, buf_span(&item->body));
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

static int
identity_put(struct db_connection *connection, const struct proven *item, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_IDENTITY);
    sql_bind_number(&sql, item->key.enclave);
    sql_bind_number(&sql, item->key.api_version);
    sql_bind_text(&sql, update_type_word(item->key.update));
    sql_bind_blob(&sql, buf_span(&item->body));
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

static int
pck_crl_put(struct db_connection *connection, const struct proven *item, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_PCK_CRL);
    sql_bind_text(&sql, pck_ca_word(item->key.ca));
    sql_bind_blob(&sql, buf_span(&item->body));
    sql_bind_number(&sql, cert_id_of_ca(item->key.ca));
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

static int
crl_put(struct db_connection *connection, const char *url, struct span crl, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_CRL);
    sql_bind_text(&sql, url);
    sql_bind_blob(&sql, crl);
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

/* The row of the root certificate may be made by its CRL, the certificate coming later. */
static int
root_crl_put(struct db_connection *connection, const struct proven *item, const char *root_crl_url,
             struct fault *why)
{
    struct sql sql = sql_of(connection, SQL_PUT_ROOT_CRL);
    sql_bind_blob(&sql, buf_span(&item->body));
    sql_bind_text(&sql, connection->stamp);
    int code = sql_run(&sql, why);
    sql_close(&sql);
    if (code == 0 && item->root_pem != NULL) {
        code = db_cert_put(connection, CERT_ROOT, item->root_pem, why);
    }
    if (code == 0 && root_crl_url != NULL) {
        code = crl_put(connection, root_crl_url, buf_span(&item->body), why);
    }
    return code;
}

static int
own_item_put(struct db_connection *connection, const struct proven *item, struct fault *why)
{
    const struct item_key *key = &item->key;
    char key_text[ITEM_KEY_TEXT_SIZE];
    item_key_text(key, key_text);
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_OWN_ITEM);
    sql_bind_text(&sql, key_text);
    sql_bind_number(&sql, key->api_version);
    sql_bind_number(&sql, key->product);
    sql_bind_number(&sql, key->enclave);
    sql_bind_text(&sql, update_type_word(key->update));
    sql_bind_number(&sql, key->eval_number);
    sql_bind_text(&sql, key->fmspc.hex);
    sql_bind_text(&sql, key->url);
    sql_bind_blob(&sql, buf_span(&item->body));
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

static int
item_chain_put(struct db_connection *connection, const struct item_key *key, int64_t chain_id,
               const char *updated_time, struct fault *why)
{
    char key_text[ITEM_KEY_TEXT_SIZE];
    item_key_text(key, key_text);
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_ITEM_CHAIN);
    sql_bind_text(&sql, key_text);
    sql_bind_number(&sql, chain_id);
    sql_bind_text(&sql, updated_time);
    return sql_run(&sql, why);
}

static int
body_put(struct db_connection *connection, const struct proven *item, const char *root_crl_url,
         struct fault *why)
{
    enum item_place place = PLACE_OWN;
    if (!item_place(&item->key, &place)) {
        return fault_set(why, FAULT_INTERNAL, "store", "this kind is not put as an item");
    }
    switch (place) {
    case PLACE_TCBINFO:
        return tcbinfo_put(connection, item, why);
    case PLACE_IDENTITY:
        return identity_put(connection, item, why);
    case PLACE_PCK_CRL:
        return pck_crl_put(connection, item, why);
    case PLACE_ROOT_CRL:
        return root_crl_put(connection, item, root_crl_url, why);
    case PLACE_CRL:
        return crl_put(connection, item->key.url, buf_span(&item->body), why);
    case PLACE_OWN:
    case PLACE_COUNT:
        break;
    }
    return own_item_put(connection, item, why);
}

int
db_item_put(struct db_connection *connection, const struct proven *item, const char *root_crl_url,
            struct fault *why)
{
    int code = body_put(connection, item, root_crl_url, why);
    db_changed(connection, &item->key);
    if (item->key.kind == ITEM_ROOT_CRL && root_crl_url != NULL) {
        struct item_key copy = {.kind = ITEM_CRL, .api_version = 4};
        if (span_to_text(span_of_text(root_crl_url), copy.url, sizeof(copy.url))) {
            db_changed(connection, &copy);
        }
    }
    if (code != 0 || !needs_chain(item->key.kind)) {
        return code;
    }
    enum cert_id signer =
        item->key.kind == ITEM_PCK_CRL ? cert_id_of_ca(item->key.ca) : CERT_TCB_SIGNING;
    int64_t chain_id = 0;
    code = db_chain_put(connection, item, signer, &chain_id, why);
    return code != 0 ? code
                     : item_chain_put(connection, &item->key, chain_id, connection->stamp, why);
}

/* ---- taking over ---- */

static int
item_pin(struct db_connection *connection, const struct item_key *key, struct fault *why)
{
    if (!needs_chain(key->kind)) {
        return 0;
    }
    struct raw_reply raw;
    char updated_time[TIME_SIZE];
    int code = item_read(connection, key, &raw, updated_time, why);
    if (code == FAULT_NOT_FOUND) {
        return 0; /* nothing to keep: left in place, not served */
    }
    if (code != 0) {
        return code;
    }
    int64_t chain_id = 0;
    code = db_chain_intern(connection, raw.issuer_chain, &chain_id, why);
    raw_reply_done(&raw);
    return code != 0 ? code : item_chain_put(connection, key, chain_id, updated_time, why);
}

int
db_items_pin_chains(struct db_connection *connection, struct fault *why)
{
    auto_free struct key_page *page = page_new(why);
    int code = page != NULL ? 0 : FAULT_MEMORY;
    for (int place = 0; code == 0 && place < PLACE_COUNT; place++) {
        page->passed = 0;
        do {
            code = page_read(connection, (enum item_place)place, page, why);
            for (size_t i = 0; code == 0 && i < page->count; i++) {
                code = item_pin(connection, &page->keys[i], why);
            }
        } while (code == 0 && page->more);
    }
    return code;
}
