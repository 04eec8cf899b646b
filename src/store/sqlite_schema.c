/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables: Intel's, version 5, the steps that lead to it from versions 0 to 4, and our own.
 * Takes a connection inside a transaction, gives the schema; sqlite_takeover.c decides what is due.
 * Called once, while the store is opened.
 * Must never rename or drop what the reference needs: going back to it is possible. Our tables
 * begin with pccs_, and so do the two indexes on Intel's.
 * database.md.
 */
#include "base/hex.h"
#include "store/sqlite_priv.h"

#define TIMES "created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL"
#define SIGNED_BY "root_cert_id INTEGER, signing_cert_id INTEGER, "

#define CREATE_CRL_CACHE                                                                           \
    "CREATE TABLE crl_cache (cdp_url VARCHAR(255) PRIMARY KEY, crl BLOB, " TIMES ")"
#define CREATE_APPRAISAL_POLICIES                                                                  \
    "CREATE TABLE appraisal_policies (id VARCHAR(255) PRIMARY KEY, type INTEGER NOT NULL, "        \
    "policy TEXT NOT NULL, is_default INTEGER NOT NULL, fmspc VARCHAR(255) NOT NULL, " TIMES ")"
#define CREATE_FMSPC_TCBS(name)                                                                    \
    "CREATE TABLE " name " (fmspc VARCHAR(255) NOT NULL, type INTEGER NOT NULL, "                  \
    "version INTEGER NOT NULL, update_type VARCHAR(255) NOT NULL, tcbinfo BLOB, " SIGNED_BY TIMES  \
    ", PRIMARY KEY (fmspc, type, version, update_type))"
#define CREATE_ENCLAVE_IDENTITIES(name)                                                            \
    "CREATE TABLE " name " (id INTEGER NOT NULL, version INTEGER NOT NULL, "                       \
    "update_type VARCHAR(255) NOT NULL, identity BLOB, " SIGNED_BY TIMES                           \
    ", PRIMARY KEY (id, version, update_type))"

static const char *const reference_tables[] = {
    "CREATE TABLE platforms (qe_id VARCHAR(255) NOT NULL, pce_id VARCHAR(255) NOT NULL, "
    "platform_manifest BLOB, enc_ppid BLOB, fmspc VARCHAR(255), ca VARCHAR(255), " TIMES
    ", PRIMARY KEY (qe_id, pce_id))",
    "CREATE TABLE platform_tcbs (qe_id VARCHAR(255) NOT NULL, pce_id VARCHAR(255) NOT NULL, "
    "cpu_svn VARCHAR(255) NOT NULL, pce_svn VARCHAR(255) NOT NULL, tcbm VARCHAR(255), " TIMES
    ", PRIMARY KEY (qe_id, pce_id, cpu_svn, pce_svn))",
    "CREATE TABLE pck_cert (qe_id VARCHAR(255) NOT NULL, pce_id VARCHAR(255) NOT NULL, "
    "tcbm VARCHAR(255) NOT NULL, pck_cert BLOB, " TIMES ", PRIMARY KEY (qe_id, pce_id, tcbm))",
    "CREATE TABLE pck_certchain (ca VARCHAR(255) PRIMARY KEY, root_cert_id INTEGER, "
    "intmd_cert_id INTEGER, " TIMES ")",
    "CREATE TABLE pck_crl (ca VARCHAR(255) PRIMARY KEY, pck_crl BLOB, root_cert_id INTEGER, "
    "intmd_cert_id INTEGER, " TIMES ")",
    "CREATE TABLE pcs_certificates (id INTEGER PRIMARY KEY AUTOINCREMENT, cert BLOB, crl "
    "BLOB, " TIMES ")",
    "CREATE TABLE platforms_registered (qe_id VARCHAR(255) NOT NULL, "
    "pce_id VARCHAR(255) NOT NULL, cpu_svn VARCHAR(255) NOT NULL, "
    "pce_svn VARCHAR(255) NOT NULL, enc_ppid BLOB, platform_manifest BLOB, state INTEGER, " TIMES
    ", PRIMARY KEY (qe_id, pce_id, cpu_svn, pce_svn))",
    "CREATE TABLE pcs_version (id INTEGER PRIMARY KEY, api_version INTEGER, "
    "server_addr VARCHAR(255), db_version INTEGER, " TIMES ")",
    CREATE_FMSPC_TCBS("fmspc_tcbs"),
    CREATE_ENCLAVE_IDENTITIES("enclave_identities"),
    CREATE_CRL_CACHE,
    CREATE_APPRAISAL_POLICIES,
    NULL,
};

/* Blobs that were hex text become binary. */
static const char *const step_1[] = {
    "ALTER TABLE pcs_version ADD COLUMN db_version INTEGER",
    "UPDATE pck_crl SET pck_crl = pccs_unhex(pck_crl)",
    "UPDATE pcs_certificates SET crl = pccs_unhex(crl) WHERE id = 1",
    "UPDATE platforms SET platform_manifest = pccs_unhex(platform_manifest), "
    "enc_ppid = pccs_unhex(enc_ppid)",
    "UPDATE platforms_registered SET platform_manifest = pccs_unhex(platform_manifest), "
    "enc_ppid = pccs_unhex(enc_ppid)",
    NULL,
};

/* TDX: TCB infos by type; one table for all identities. */
static const char *const step_2[] = {
    "CREATE TABLE pccs_new (fmspc VARCHAR(255) NOT NULL, type INTEGER NOT NULL, tcbinfo "
    "BLOB, " SIGNED_BY TIMES ", PRIMARY KEY (fmspc, type))",
    "INSERT INTO pccs_new SELECT fmspc, 0, tcbinfo, root_cert_id, signing_cert_id, created_time, "
    "updated_time FROM fmspc_tcbs",
    "DROP TABLE fmspc_tcbs",
    "ALTER TABLE pccs_new RENAME TO fmspc_tcbs",
    "CREATE TABLE enclave_identities (id INTEGER PRIMARY KEY, identity BLOB, " SIGNED_BY TIMES ")",
    "INSERT OR REPLACE INTO enclave_identities SELECT 1, qe_identity, root_cert_id, "
    "signing_cert_id, created_time, updated_time FROM qe_identities",
    "INSERT OR REPLACE INTO enclave_identities SELECT 2, qve_identity, root_cert_id, "
    "signing_cert_id, created_time, updated_time FROM qve_identities",
    "DROP TABLE qe_identities",
    "DROP TABLE qve_identities",
    CREATE_CRL_CACHE,
    NULL,
};

/* API v4 beside v3. */
static const char *const step_3[] = {
    "CREATE TABLE pccs_new (fmspc VARCHAR(255) NOT NULL, type INTEGER NOT NULL, "
    "version INTEGER NOT NULL, tcbinfo BLOB, " SIGNED_BY TIMES
    ", PRIMARY KEY (fmspc, type, version))",
    "INSERT INTO pccs_new SELECT fmspc, type, 3, tcbinfo, root_cert_id, signing_cert_id, "
    "created_time, updated_time FROM fmspc_tcbs",
    "DROP TABLE fmspc_tcbs",
    "ALTER TABLE pccs_new RENAME TO fmspc_tcbs",
    "CREATE TABLE pccs_new (id INTEGER NOT NULL, version INTEGER NOT NULL, identity "
    "BLOB, " SIGNED_BY TIMES ", PRIMARY KEY (id, version))",
    "INSERT INTO pccs_new SELECT id, 3, identity, root_cert_id, signing_cert_id, created_time, "
    "updated_time FROM enclave_identities",
    "DROP TABLE enclave_identities",
    "ALTER TABLE pccs_new RENAME TO enclave_identities",
    NULL,
};

static const char *const step_4[] = {CREATE_APPRAISAL_POLICIES, NULL};

/* Early beside standard. */
static const char *const step_5[] = {
    CREATE_FMSPC_TCBS("pccs_new"),
    "INSERT INTO pccs_new SELECT fmspc, type, version, 'STANDARD', tcbinfo, root_cert_id, "
    "signing_cert_id, created_time, updated_time FROM fmspc_tcbs",
    "DROP TABLE fmspc_tcbs",
    "ALTER TABLE pccs_new RENAME TO fmspc_tcbs",
    CREATE_ENCLAVE_IDENTITIES("pccs_new"),
    "INSERT INTO pccs_new SELECT id, version, 'STANDARD', identity, root_cert_id, "
    "signing_cert_id, created_time, updated_time FROM enclave_identities",
    "DROP TABLE enclave_identities",
    "ALTER TABLE pccs_new RENAME TO enclave_identities",
    NULL,
};

static const char *const *const steps[DB_VERSION] = {step_1, step_2, step_3, step_4, step_5};

/* pccs_owner.beat is what a ping changes. pccs_platforms.certs_time and
 * pccs_item_chains.updated_time are the updated_time of the rows that the chain was proven with: if
 * the reference has written since, they differ, and what it keeps in pcs_certificates counts. */
static const char *const own_tables[] = {
    "CREATE TABLE IF NOT EXISTS pccs_owner (id INTEGER PRIMARY KEY, own_version INTEGER NOT NULL, "
    "beat INTEGER NOT NULL, " TIMES ")",
    "CREATE TABLE IF NOT EXISTS pccs_chains (id INTEGER PRIMARY KEY, chain TEXT NOT NULL "
    "UNIQUE, " TIMES ")",
    "CREATE TABLE IF NOT EXISTS pccs_item_chains (item_key TEXT PRIMARY KEY, "
    "chain_id INTEGER NOT NULL, " TIMES ")",
    "CREATE TABLE IF NOT EXISTS pccs_items (item_key TEXT PRIMARY KEY, version INTEGER NOT NULL, "
    "product INTEGER NOT NULL, enclave INTEGER NOT NULL, update_type TEXT NOT NULL, "
    "eval_number INTEGER NOT NULL, fmspc TEXT NOT NULL, platforms TEXT NOT NULL, body BLOB, " TIMES
    ")",
    "CREATE TABLE IF NOT EXISTS pccs_platforms (qe_id VARCHAR(255) NOT NULL, "
    "pce_id VARCHAR(255) NOT NULL, not_available_at INTEGER NOT NULL, chain_id INTEGER, "
    "certs_time DATETIME, " TIMES ", PRIMARY KEY (qe_id, pce_id))",
    "CREATE INDEX IF NOT EXISTS pccs_platforms_by_fmspc ON platforms (fmspc, qe_id, pce_id)",
    "CREATE INDEX IF NOT EXISTS pccs_queue_by_state ON platforms_registered (state)",
    "CREATE TABLE IF NOT EXISTS SequelizeMeta (name VARCHAR(255) NOT NULL UNIQUE PRIMARY KEY)",
    "INSERT OR IGNORE INTO SequelizeMeta (name) VALUES ('00_db_initialize.up.sql'), "
    "('01_db_version_1.js'), ('02_db_version_2.js'), ('03_db_version_3.js'), "
    "('04_db_version_4.js'), ('05_db_version_5.js')",
    /* The same list where version 1.27 of the reference looks for it: without it, it repeats the
     * first step on going back, and fails. */
    "CREATE TABLE IF NOT EXISTS umzug (name VARCHAR(255) NOT NULL UNIQUE PRIMARY KEY)",
    "INSERT OR IGNORE INTO umzug (name) SELECT name FROM SequelizeMeta",
    NULL,
};

static int
execute_all(sqlite3 *handle, const char *const *texts, struct fault *why)
{
    int code = 0;
    for (size_t i = 0; code == 0 && texts[i] != NULL; i++) {
        code = sqlite_execute(handle, texts[i], why);
    }
    return code;
}

int
sqlite_schema_create(sqlite3 *handle, struct fault *why)
{
    return execute_all(handle, reference_tables, why);
}

/* pccs_unhex(value): the bytes that its hex digits say; anything else as it is, to be judged when
 * it is read. */
static void
unhex(sqlite3_context *context, int count, sqlite3_value **values)
{
    must(count == 1);
    const void *bytes = sqlite3_value_blob(values[0]);
    struct span hex = span_of(bytes, bytes != NULL ? (size_t)sqlite3_value_bytes(values[0]) : 0);
    if (hex.size == 0 || hex.size % 2 != 0 || !hex_is(hex)) {
        sqlite3_result_value(context, values[0]);
        return;
    }
    uint8_t *decoded = sqlite3_malloc64(hex.size / 2);
    if (decoded == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    must(hex_decode(hex, decoded, hex.size / 2));
    sqlite3_result_blob64(context, decoded, hex.size / 2, sqlite3_free);
}

int
sqlite_schema_migrate(sqlite3 *handle, int version, struct fault *why)
{
    int sqlite_code = sqlite3_create_function(
        handle, "pccs_unhex", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, unhex, NULL, NULL);
    if (sqlite_code != SQLITE_OK) {
        return sqlite_fault(handle, sqlite_code, why);
    }
    int code = 0;
    for (int step = version; code == 0 && step < DB_VERSION; step++) {
        code = execute_all(handle, steps[step], why);
    }
    return code;
}

int
sqlite_schema_own(sqlite3 *handle, struct fault *why)
{
    return execute_all(handle, own_tables, why);
}
