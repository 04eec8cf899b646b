/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cached platforms, written: identity, certificates with their chain, raw TCB mappings.
 * Takes proven certificates and the mappings selected over them; db_platform_put runs inside the
 * transaction of store.c, db_put_mapping is one of its own.
 * Called on any worker.
 * Must never leave mappings of one state beside certificates of another, nor more than
 * LIMIT_RAW_TCBS_PER_PLATFORM mappings: whoever reaches the port can invent raw TCBs.
 * database.md; api.md, Ceilings.
 */
#include "base/hex.h"
#include "store/store_priv.h"

static int
decode_hex(struct buf *bytes, struct span hex, const char *what, struct fault *why)
{
    int code = hex_add_decoded(bytes, hex);
    return code == 0 ? 0
                     : fault_set(why, code == FAULT_MEMORY ? FAULT_MEMORY : FAULT_INPUT, "store",
                                 "%s of %zu characters is not hex or too long", what, hex.size);
}

/* The row of platforms. Without certificates fmspc and ca stay as they are. */
static int
identity_put(struct db_connection *connection, const struct store_platform_put *put,
             struct fault *why)
{
    auto_cleanup(buf_done_secret) struct buf manifest = BUF_INIT(LIMIT_MANIFEST_HEX / 2);
    auto_cleanup(buf_done_secret) struct buf enc_ppid = BUF_INIT(LIMIT_PPID_HEX / 2);
    int code = decode_hex(&manifest, put->manifest, "the manifest", why);
    code = code != 0 ? code : decode_hex(&enc_ppid, put->enc_ppid, "the encrypted PPID", why);
    if (code != 0) {
        return code;
    }
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_PLATFORM);
    sql_bind_text(&sql, put->id.qeid);
    sql_bind_text(&sql, put->id.pceid);
    sql_bind_blob(&sql, buf_span(&manifest));
    sql_bind_blob(&sql, buf_span(&enc_ppid));
    sql_bind_text(&sql, put->certs != NULL ? put->certs->fmspc.hex : NULL);
    sql_bind_text(&sql, put->certs != NULL ? pck_ca_word(put->certs->ca) : NULL);
    sql_bind_text(&sql, connection->stamp);
    sql_bind_number(&sql, put->keep_identity);
    return sql_run(&sql, why);
}

static int
run_for_platform(struct db_connection *connection, enum sql_id id,
                 const struct platform_id *platform, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, id);
    sql_bind_text(&sql, platform->qeid);
    sql_bind_text(&sql, platform->pceid);
    return sql_run(&sql, why);
}

static int
pck_put(struct db_connection *connection, const struct platform_id *id,
        const struct proven_pck *pck, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_PCK);
    sql_bind_text(&sql, id->qeid);
    sql_bind_text(&sql, id->pceid);
    sql_bind_text(&sql, pck->tcbm);
    sql_bind_blob(&sql, span_of_text(pck->pem));
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

/* Written only if it is not so already: all platforms share the row. */
static int
certchain_put(struct db_connection *connection, enum pck_ca ca, struct fault *why)
{
    bool is_kept = false;
    struct sql find = sql_of(connection, SQL_FIND_CERTCHAIN);
    sql_bind_text(&find, pck_ca_word(ca));
    sql_bind_number(&find, cert_id_of_ca(ca));
    int code = sql_step(&find, &is_kept, why);
    sql_close(&find);
    if (code != 0 || is_kept) {
        return code;
    }
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_CERTCHAIN);
    sql_bind_text(&sql, pck_ca_word(ca));
    sql_bind_number(&sql, cert_id_of_ca(ca));
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

/* The certificates replace those of the platform. */
static int
certs_put(struct db_connection *connection, const struct store_platform_put *put,
          int64_t *ret_chain_id, struct fault *why)
{
    const struct proven *certs = put->certs;
    int code = run_for_platform(connection, SQL_DELETE_PCKS, &put->id, why);
    for (size_t i = 0; code == 0 && i < certs->pck_count; i++) {
        code = pck_put(connection, &put->id, &certs->pcks[i], why);
    }
    code = code != 0 ? code : certchain_put(connection, certs->ca, why);
    return code != 0 ? code
                     : db_chain_put(connection, certs, cert_id_of_ca(certs->ca), ret_chain_id, why);
}

/* What Intel's table has no column for. */
static int
extra_put(struct db_connection *connection, const struct store_platform_put *put, int64_t chain_id,
          struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_PLATFORM_EXTRA);
    sql_bind_text(&sql, put->id.qeid);
    sql_bind_text(&sql, put->id.pceid);
    sql_bind_number(&sql, put->not_available_at);
    if (chain_id != 0) {
        sql_bind_number(&sql, chain_id);
        sql_bind_text(&sql, connection->stamp);
    } else {
        sql_bind_null(&sql);
        sql_bind_null(&sql);
    }
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

static int
mapping_put(struct db_connection *connection, const struct platform_id *id,
            const struct store_mapping *mapping, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_PUT_MAPPING);
    sql_bind_text(&sql, id->qeid);
    sql_bind_text(&sql, id->pceid);
    sql_bind_text(&sql, mapping->raw.cpusvn);
    sql_bind_text(&sql, mapping->raw.pcesvn);
    sql_bind_text(&sql, mapping->tcbm);
    sql_bind_text(&sql, connection->stamp);
    return sql_run(&sql, why);
}

/* The mappings replace those of the platform; their order is that of their adding, so that of too
 * many the first ones go. */
static int
mappings_put(struct db_connection *connection, const struct store_platform_put *put,
             struct fault *why)
{
    size_t first = put->mapping_count > LIMIT_RAW_TCBS_PER_PLATFORM
                       ? put->mapping_count - LIMIT_RAW_TCBS_PER_PLATFORM
                       : 0;
    int code = run_for_platform(connection, SQL_DELETE_MAPPINGS, &put->id, why);
    for (size_t i = first; code == 0 && i < put->mapping_count; i++) {
        code = mapping_put(connection, &put->id, &put->mappings[i], why);
    }
    return code;
}

static int
platform_must_exist(struct db_connection *connection, const struct platform_id *id,
                    struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_FIND_PLATFORM);
    sql_bind_text(&sql, id->qeid);
    sql_bind_text(&sql, id->pceid);
    bool row = false;
    int code = sql_step(&sql, &row, why);
    return code != 0 || row
               ? code
               : fault_set(why, FAULT_NOT_FOUND, "store", "the platform is not cached");
}

static void
platform_changed(struct db_connection *connection, const struct platform_id *id)
{
    db_changed(connection, &(struct item_key){.kind = ITEM_PCK, .platform = *id});
}

int
db_platform_put(struct db_connection *connection, const struct store_platform_put *put,
                struct fault *why)
{
    int code = 0;
    int64_t chain_id = 0;
    if (put->certs == NULL) {
        code = platform_must_exist(connection, &put->id, why);
    }
    code = code != 0 ? code : identity_put(connection, put, why);
    if (code == 0 && put->certs != NULL) {
        code = certs_put(connection, put, &chain_id, why);
    }
    code = code != 0 ? code : mappings_put(connection, put, why);
    platform_changed(connection, &put->id);
    return code != 0 ? code : extra_put(connection, put, chain_id, why);
}

/* ---- one mapping ---- */

enum {
    EXCESS_MAX = 1024
}; /* of mappings beyond the ceiling; a taken-over database may have more */

static int
mapping_delete(struct db_connection *connection, const struct platform_id *id,
               const struct raw_tcb *raw, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_DELETE_MAPPING);
    sql_bind_text(&sql, id->qeid);
    sql_bind_text(&sql, id->pceid);
    sql_bind_text(&sql, raw->cpusvn);
    sql_bind_text(&sql, raw->pcesvn);
    return sql_run(&sql, why);
}

/* Those beyond the ceiling, the least recently added ones. */
static int
excess_read(struct db_connection *connection, const struct platform_id *id,
            struct raw_tcb excess[EXCESS_MAX], size_t *ret_count, struct fault *why)
{
    auto_cleanup(sql_close) struct sql sql = sql_of(connection, SQL_EXCESS_MAPPINGS);
    sql_bind_text(&sql, id->qeid);
    sql_bind_text(&sql, id->pceid);
    sql_bind_number(&sql, EXCESS_MAX);
    sql_bind_number(&sql, LIMIT_RAW_TCBS_PER_PLATFORM);
    for (*ret_count = 0; *ret_count < EXCESS_MAX;) {
        bool row = false;
        int code = sql_step(&sql, &row, why);
        if (code != 0 || !row) {
            return code;
        }
        *ret_count += raw_tcb_parse(sql_column(&sql, 0), sql_column(&sql, 1), &excess[*ret_count]);
    }
    return 0;
}

struct mapping_put {
    const struct platform_id *id;
    const struct store_mapping *mapping;
};

static int
mapping_add(struct db_connection *connection, void *self, struct fault *why)
{
    const struct mapping_put *put = self;
    struct raw_tcb excess[EXCESS_MAX];
    size_t count = 0;
    int code = platform_must_exist(connection, put->id, why);
    code = code != 0 ? code : mapping_put(connection, put->id, put->mapping, why);
    code = code != 0 ? code : excess_read(connection, put->id, excess, &count, why);
    for (size_t i = 0; code == 0 && i < count; i++) {
        code = mapping_delete(connection, put->id, &excess[i], why);
    }
    platform_changed(connection, put->id);
    return code;
}

int
db_put_mapping(struct store *store, const struct platform_id *id,
               const struct store_mapping *mapping, struct fault *why)
{
    struct mapping_put put = {.id = id, .mapping = mapping};
    return db_write(db_of(store), mapping_add, &put, why);
}
