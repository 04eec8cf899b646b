/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cached platforms, read: whole, in brief, or one mapped certificate.
 * Takes a platform's key, gives raw replies and mappings: certificates must be proven again.
 * Called on any worker. db_load_pck is the one look-up behind a pckcert that is not in memory, and
 * so is one statement.
 * Must never trust a row: a damaged platform counts as not cached, a damaged certificate or mapping
 * is passed over.
 * database.md: platforms, platform_tcbs, pck_cert, pck_certchain.
 */
#include <stdio.h>

#include "base/hex.h"
#include "store/store_priv.h"

enum {
    TCBM_CHARS = 36,
    CERT_TEXT_BYTES = 3 * LIMIT_CERT_PEM_BYTES /* percent-encoded, as upstream sends them */
};

static int
damaged(struct fault *why, const char *what)
{
    return fault_set(why, FAULT_NOT_FOUND, "store", "the platform's row is damaged: %s", what);
}

static int
no_memory(struct fault *why)
{
    return fault_set(why, FAULT_MEMORY, "store", "no memory for a platform");
}

/* Upper-case hex of a blob; "" for none. */
static int
hex_from_column(const struct sql *sql, int column, size_t bytes_max, char **ret_hex,
                struct fault *why)
{
    struct span bytes = sql_column(sql, column);
    if (bytes.size > bytes_max) {
        return damaged(why, "an oversized manifest or PPID");
    }
    char *hex = malloc(2 * bytes.size + 1);
    if (hex == NULL) {
        return no_memory(why);
    }
    hex_encode_upper(bytes, hex);
    *ret_hex = hex;
    return 0;
}

/* The seven columns that every platform statement begins with. */
static int
head_from_row(const struct sql *sql, struct store_platform *platform, struct fault *why)
{
    if (!qeid_parse(sql_column(sql, 0), &platform->id) ||
        !pceid_parse(sql_column(sql, 1), &platform->id)) {
        return damaged(why, "qe_id or pce_id");
    }
    struct fmspc fmspc;
    if (!fmspc_parse(sql_column(sql, 4), &fmspc)) {
        return damaged(why, "fmspc");
    }
    memcpy(platform->fmspc, fmspc.hex, sizeof(platform->fmspc));
    enum pck_ca ca;
    if (!pck_ca_parse(sql_column(sql, 5), &ca)) {
        return damaged(why, "ca");
    }
    snprintf(platform->ca, sizeof(platform->ca), "%s", pck_ca_word(ca));
    platform->not_available_at = sql_column_number(sql, 6);
    int code = hex_from_column(sql, 2, LIMIT_MANIFEST_HEX / 2, &platform->manifest, why);
    return code != 0 ? code : hex_from_column(sql, 3, LIMIT_PPID_HEX / 2, &platform->enc_ppid, why);
}

/* ---- mappings ---- */

/* False for a row that is none. */
static bool
mapping_from_row(const struct sql *sql, struct store_mapping *mapping)
{
    if (!raw_tcb_parse(sql_column(sql, 0), sql_column(sql, 1), &mapping->raw)) {
        return false;
    }
    if (!hex_is_sized(sql_column(sql, 2), TCBM_CHARS) ||
        !sql_column_text(sql, 2, mapping->tcbm, sizeof(mapping->tcbm))) {
        mapping->tcbm[0] = '\0'; /* to be selected again */
    }
    return true;
}

/* The least recently added first; the statement gives the most recently added first. */
static int
mappings_load(struct db_connection *connection, struct store_platform *platform, struct fault *why)
{
    struct store_mapping found[LIMIT_RAW_TCBS_PER_PLATFORM];
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_LOAD_MAPPINGS);
    sql_bind_text(&sql, platform->id.qeid);
    sql_bind_text(&sql, platform->id.pceid);
    sql_bind_number(&sql, ARRAY_COUNT(found));
    size_t first = ARRAY_COUNT(found);
    bool row = false;
    do {
        int code = sql_step(&sql, &row, why);
        if (code != 0) {
            return code;
        }
        first -= row && mapping_from_row(&sql, &found[first - 1]) ? 1 : 0;
    } while (row && first > 0);
    size_t count = ARRAY_COUNT(found) - first;
    if (count == 0) {
        return 0;
    }
    platform->mappings = malloc(count * sizeof(found[0]));
    if (platform->mappings == NULL) {
        return no_memory(why);
    }
    memcpy(platform->mappings, &found[first], count * sizeof(found[0]));
    platform->mapping_count = count;
    return 0;
}

int
db_platform_from_row(struct db_connection *connection, const struct sql *sql,
                     struct store_platform *platform, struct fault *why)
{
    int code = head_from_row(sql, platform, why);
    return code != 0 ? code : mappings_load(connection, platform, why);
}

/* ---- certificates ---- */

static bool
is_not_available(struct span cert)
{
    return span_is_nocase(cert, "Not available");
}

/* False for a row that cannot be a certificate; such a one is passed over. */
static bool
pck_from_row(struct span tcbm, struct span cert, struct raw_pck *pck)
{
    *pck = (struct raw_pck){0};
    if (!span_to_text(tcbm, pck->tcbm, sizeof(pck->tcbm))) {
        return false;
    }
    uint8_t pcesvn[2];
    if (tcbm.size == TCBM_CHARS && hex_decode(span_of(tcbm.data + 32, 4), pcesvn, 2)) {
        pck->pcesvn = (uint16_t)(pcesvn[0] | pcesvn[1] << 8);
    }
    pck->available = !is_not_available(cert);
    return cert.size > 0 && cert.size <= CERT_TEXT_BYTES &&
           memchr(cert.data, '\0', cert.size) == NULL;
}

static int
pcks_read(struct sql *sql, struct raw_reply *certs, struct fault *why)
{
    for (;;) {
        bool row = false;
        int code = sql_step(sql, &row, why);
        if (code != 0 || !row) {
            return code;
        }
        struct raw_pck *pck = &certs->pcks[certs->pck_count];
        if (pck_from_row(sql_column(sql, 0), sql_column(sql, 1), pck)) {
            pck->cert = pck->available ? span_dup_text(sql_column(sql, 1)) : NULL;
            if (pck->available && pck->cert == NULL) {
                return no_memory(why);
            }
            certs->pck_count += 1;
        }
    }
}

static int
pcks_load(struct db_connection *connection, const struct platform_id *id, struct raw_reply *certs,
          struct fault *why)
{
    certs->pcks = calloc(LIMIT_PCK_CERTS, sizeof(certs->pcks[0]));
    if (certs->pcks == NULL) {
        return no_memory(why);
    }
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_LOAD_PCKS);
    sql_bind_text(&sql, id->qeid);
    sql_bind_text(&sql, id->pceid);
    sql_bind_number(&sql, LIMIT_PCK_CERTS);
    return pcks_read(&sql, certs, why);
}

/* ---- one platform ---- */

static int
platform_read(struct db_connection *connection, const struct platform_id *id, bool brief,
              struct store_platform *platform, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql =
        sql_of(connection, brief ? SQL_LOAD_PLATFORM_BRIEF : SQL_LOAD_PLATFORM);
    sql_bind_text(&sql, id->qeid);
    sql_bind_text(&sql, id->pceid);
    bool row = false;
    int code = sql_step(&sql, &row, why);
    if (code == 0 && !row) {
        return fault_set(why, FAULT_NOT_FOUND, "store", "the platform is not cached");
    }
    /* One snapshot: certificates and mappings of the same state as the row. */
    code = code != 0 ? code : db_platform_from_row(connection, &sql, platform, why);
    if (code != 0 || brief) {
        return code;
    }
    memcpy(platform->certs.fmspc, platform->fmspc, sizeof(platform->certs.fmspc));
    memcpy(platform->certs.ca, platform->ca, sizeof(platform->certs.ca));
    struct chain_columns columns = {
        .kept = sql_column(&sql, 7), .signer = sql_column(&sql, 8), .root = sql_column(&sql, 9)};
    code = db_chain_assemble(&columns, &platform->certs.issuer_chain, why);
    return code != 0 ? code : pcks_load(connection, id, &platform->certs, why);
}

static int
platform_load(struct db *db, const struct platform_id *id, bool brief,
              struct store_platform *ret_platform, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db, DB_READ_SNAPSHOT, &connection, why);
    if (code != 0) {
        return code;
    }
    struct store_platform platform = {0};
    raw_reply_init(&platform.certs);
    code = platform_read(connection, id, brief, &platform, why);
    db_read_end(db, connection);
    if (code != 0) {
        store_platform_done(&platform);
        return code;
    }
    *ret_platform = platform;
    return 0;
}

int
db_load_platform(struct store *store, const struct platform_id *id,
                 struct store_platform *ret_platform, struct fault *why)
{
    return platform_load(db_of(store), id, false, ret_platform, why);
}

int
db_load_platform_brief(struct store *store, const struct platform_id *id,
                       struct store_platform *ret_platform, struct fault *why)
{
    return platform_load(db_of(store), id, true, ret_platform, why);
}

/* ---- one mapped certificate ---- */

/* pck_cert, tcbm, fmspc, ca, and the chain's three columns. */
static int
mapped_from_row(const struct sql *sql, struct raw_reply *raw, struct fault *why)
{
    struct span cert = sql_column(sql, 0);
    struct fmspc fmspc;
    enum pck_ca ca;
    if (!fmspc_parse(sql_column(sql, 2), &fmspc) || !pck_ca_parse(sql_column(sql, 3), &ca)) {
        return damaged(why, "fmspc or ca");
    }
    memcpy(raw->fmspc, fmspc.hex, sizeof(raw->fmspc));
    snprintf(raw->ca, sizeof(raw->ca), "%s", pck_ca_word(ca));
    struct raw_pck pck;
    if (!pck_from_row(sql_column(sql, 1), cert, &pck) || !pck.available) {
        return damaged(why, "the certificate is none");
    }
    struct chain_columns columns = {
        .kept = sql_column(sql, 4), .signer = sql_column(sql, 5), .root = sql_column(sql, 6)};
    int code = db_chain_assemble(&columns, &raw->issuer_chain, why);
    if (code == 0 && raw->issuer_chain == NULL) {
        return fault_set(why, FAULT_NOT_FOUND, "store", "the certificate's chain never came");
    }
    raw->pcks = code == 0 ? malloc(sizeof(raw->pcks[0])) : NULL;
    pck.cert = raw->pcks != NULL ? span_dup_text(cert) : NULL;
    if (pck.cert == NULL) {
        return no_memory(why);
    }
    raw->pcks[0] = pck;
    raw->pck_count = 1;
    return 0;
}

static int
mapped_read(struct db_connection *connection, const struct platform_id *id,
            const struct raw_tcb *tcb, struct raw_reply *raw, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_LOAD_PCK);
    sql_bind_text(&sql, id->qeid);
    sql_bind_text(&sql, id->pceid);
    sql_bind_text(&sql, tcb->cpusvn);
    sql_bind_text(&sql, tcb->pcesvn);
    bool row = false;
    int code = sql_step(&sql, &row, why);
    if (code == 0 && !row) {
        return fault_set(why, FAULT_NOT_FOUND, "store", "this raw TCB is not mapped");
    }
    return code != 0 ? code : mapped_from_row(&sql, raw, why);
}

int
db_load_pck(struct store *store, const struct platform_id *id, const struct raw_tcb *raw_tcb,
            struct raw_reply *ret_raw, struct fault *why)
{
    struct db_connection *connection = NULL;
    int code = db_read_begin(db_of(store), DB_READ_ONE, &connection, why);
    if (code != 0) {
        return code;
    }
    struct raw_reply raw;
    raw_reply_init(&raw);
    code = mapped_read(connection, id, raw_tcb, &raw, why);
    db_read_end(db_of(store), connection);
    if (code != 0) {
        raw_reply_done(&raw);
        return code;
    }
    *ret_raw = raw;
    return 0;
}
