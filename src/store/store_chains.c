/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Issuer chains. The reference's table pcs_certificates has one row per signer, shared by all that
 * it signed; once Intel renews a certificate the older items no longer fit it. So every chain that
 * was proven with an item is kept whole in pccs_chains (a handful of rows) beside the shared rows,
 * and read in preference to them.
 * Takes proven items, gives PEM; called inside the caller's transaction or look-up.
 * Must never hand out half a chain: without signer or root there is none (wire_details.md 14).
 * database.md: pcs_certificates; wire_details.md 3.
 */
#include <openssl/evp.h>

#include "base/url.h"
#include "store/store_priv.h"

enum { CERT_ENCODED_BYTES = 3 * LIMIT_CERT_PEM_BYTES };

enum cert_id
cert_id_of_ca(enum pck_ca ca)
{
    return ca == PCK_CA_PROCESSOR ? CERT_PROCESSOR_CA : CERT_PLATFORM_CA;
}

/* One percent-encoded certificate as PEM, ending in a newline; false if it is none. */
static bool
cert_add_decoded(struct buf *pem, struct span encoded)
{
    if (encoded.size == 0 || encoded.size > CERT_ENCODED_BYTES ||
        url_add_decoded(pem, encoded) != 0 || memchr(pem->data, '\0', pem->size) != NULL) {
        return false;
    }
    return pem->data[pem->size - 1] == '\n' || buf_add_byte(pem, '\n') == 0;
}

int
db_chain_assemble(const struct chain_columns *columns, char **ret_pem, struct fault *why)
{
    auto_cleanup(buf_done) struct buf pem = BUF_INIT(LIMIT_CHAIN_PEM_BYTES);
    char *made = NULL;
    bool present;
    if (columns->kept.size > 0) {
        present = columns->kept.size <= LIMIT_CHAIN_PEM_BYTES &&
                  memchr(columns->kept.data, '\0', columns->kept.size) == NULL;
        made = present ? span_dup_text(columns->kept) : NULL;
    } else {
        present = cert_add_decoded(&pem, columns->signer) && cert_add_decoded(&pem, columns->root);
        made = present ? buf_take(&pem, NULL) : NULL;
    }
    if (pem.failed == FAULT_MEMORY || (present && made == NULL)) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for an issuer chain");
    }
    *ret_pem = made;
    return 0;
}

/* Does the row hold these very bytes? Writing them again would lock a row that every write of every
 * platform needs. */
static int
cert_is_kept(struct db_connection *connection, enum cert_id id, struct span encoded, bool *ret_kept,
             struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_FIND_CERTIFICATE);
    sql_bind_number(&sql, id);
    bool row = false;
    int code = sql_step(&sql, &row, why);
    *ret_kept = code == 0 && row && span_equal(sql_column(&sql, 0), encoded);
    return code;
}

int
db_cert_put(struct db_connection *connection, enum cert_id id, const char *pem, struct fault *why)
{
    auto_cleanup(buf_done) struct buf encoded = BUF_INIT(CERT_ENCODED_BYTES);
    int code = url_add_encoded(&encoded, span_of_text(pem));
    if (code != 0) {
        return fault_set(why, code == FAULT_MEMORY ? FAULT_MEMORY : FAULT_STORE, "store",
                         "a certificate of %zu bytes cannot be stored", strlen(pem));
    }
    bool is_kept = false;
    code = cert_is_kept(connection, id, buf_span(&encoded), &is_kept, why);
    if (code != 0 || is_kept) {
        return code;
    }
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_CERTIFICATE);
    sql_bind_number(&sql, id);
    sql_bind_blob(&sql, buf_span(&encoded));
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

static int
chain_find(struct db_connection *connection, const char *pem, int64_t *ret_chain_id,
           struct fault *why)
{
    bool row = false;
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_FIND_CHAIN);
    sql_bind_text(&sql, pem);
    int code = sql_step(&sql, &row, why);
    if (code == 0) {
        *ret_chain_id = row ? sql_column_number(&sql, 0) : 0;
    }
    return code;
}

/* The chain's own digest, so that two instances that store it at once give it one id, and no
 * database's way of numbering rows matters. */
static int64_t
chain_id_of(const char *pem)
{
    uint8_t digest[32];
    int64_t id = 0;
    if (EVP_Digest(pem, strlen(pem), digest, NULL, EVP_sha256(), NULL) != 1) {
        return 1;
    }
    for (size_t i = 0; i < 8; i++) {
        id = (int64_t)((uint64_t)id << 8 | digest[i]);
    }
    id &= INT64_MAX;
    return id != 0 ? id : 1;
}

int
db_chain_intern(struct db_connection *connection, const char *pem, int64_t *ret_chain_id,
                struct fault *why)
{
    int64_t id = 0;
    int code = chain_find(connection, pem, &id, why);
    if (code != 0 || id != 0) {
        *ret_chain_id = code == 0 ? id : *ret_chain_id;
        return code;
    }
    id = chain_id_of(pem);
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_CHAIN);
    sql_bind_number(&sql, id);
    sql_bind_text(&sql, pem);
    sql_bind_text(&sql, connection->stamp);
    code = sql_run(&sql, why);
    if (code == 0) {
        *ret_chain_id = id;
    }
    return code;
}

int
db_chain_put(struct db_connection *connection, const struct proven *proven, enum cert_id signer,
             int64_t *ret_chain_id, struct fault *why)
{
    if (proven->chain_pem == NULL || proven->signer_pem == NULL || proven->root_pem == NULL) {
        return fault_set(why, FAULT_INTERNAL, "store", "an item without its chain was to be put");
    }
    int code = db_cert_put(connection, signer, proven->signer_pem, why);
    code = code != 0 ? code : db_cert_put(connection, CERT_ROOT, proven->root_pem, why);
    return code != 0 ? code : db_chain_intern(connection, proven->chain_pem, ret_chain_id, why);
}

/* "" if there is no such chain. */
static int
chain_or_empty(struct span signer, struct span root, char **ret_pem, struct fault *why)
{
    struct chain_columns columns = {.signer = signer, .root = root};
    char *pem = NULL;
    int code = db_chain_assemble(&columns, &pem, why);
    if (code == 0 && pem == NULL) {
        pem = span_dup_text(span_of(NULL, 0));
        code = pem != NULL ? 0 : fault_set(why, FAULT_MEMORY, "store", "no memory for a chain");
    }
    if (code == 0) {
        *ret_pem = pem;
    }
    return code;
}

static int
root_or_empty(struct span root, char **ret_pem, struct fault *why)
{
    auto_cleanup(buf_done) struct buf pem = BUF_INIT(LIMIT_CHAIN_PEM_BYTES);
    if (!cert_add_decoded(&pem, root)) {
        buf_clear(&pem);
    }
    char *text = buf_take(&pem, NULL);
    if (text == NULL) {
        return fault_set(why, FAULT_MEMORY, "store", "no memory for a certificate");
    }
    *ret_pem = text;
    return 0;
}

static int
chains_make(struct buf certs[CERT_PLATFORM_CA + 1], struct store_chains *chains, struct fault *why)
{
    struct span root = buf_span(&certs[CERT_ROOT]);
    int code = 0;
    for (int ca = PCK_CA_PROCESSOR; code == 0 && ca <= PCK_CA_PLATFORM; ca++) {
        struct span signer = buf_span(&certs[cert_id_of_ca((enum pck_ca)ca)]);
        code = chain_or_empty(signer, root, &chains->pck_chain_pems[ca], why);
    }
    if (code == 0) {
        code = chain_or_empty(buf_span(&certs[CERT_TCB_SIGNING]), root,
                              &chains->tcb_signing_chain_pem, why);
    }
    return code != 0 ? code : root_or_empty(root, &chains->root_pem, why);
}

static int
certs_read(struct db_connection *connection, struct buf certs[CERT_PLATFORM_CA + 1],
           struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_LOAD_CERTIFICATES);
    for (;;) {
        bool row = false;
        int code = sql_step(&sql, &row, why);
        if (code != 0 || !row) {
            return code;
        }
        /* An oversized one is left out: it is none. */
        if (buf_add(&certs[sql_column_number(&sql, 0)], sql_column(&sql, 1)) == FAULT_MEMORY) {
            return fault_set(why, FAULT_MEMORY, "store", "no memory for a certificate");
        }
    }
}

int
db_load_chains(struct store *store, struct store_chains *ret_chains, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db_of(store), DB_READ_ONE, &connection, why);
    if (code != 0) {
        return code;
    }
    struct buf certs[CERT_PLATFORM_CA + 1];
    for (size_t i = 0; i < ARRAY_COUNT(certs); i++) {
        certs[i] = BUF_INIT(CERT_ENCODED_BYTES);
    }
    code = certs_read(connection, certs, why);
    db_read_end(db_of(store), connection);
    struct store_chains chains = {0};
    code = code != 0 ? code : chains_make(certs, &chains, why);
    for (size_t i = 0; i < ARRAY_COUNT(certs); i++) {
        buf_done(&certs[i]);
    }
    if (code != 0) {
        store_chains_done(&chains);
        return code;
    }
    *ret_chains = chains;
    return 0;
}
