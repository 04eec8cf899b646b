/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables on MariaDB and MySQL: made, brought to version 5, widened, given their indexes.
 * Takes a connection of its own and the version that server_takeover.c found, gives tables that the
 * statements can work on.
 * Called once, while the store is opened, by the one instance that holds the claim.
 * Must never leave what a kill in the middle would make wrong: a change of a table commits by
 * itself here, so each step looks whether it is done already, each table changes in one statement,
 * and what cannot be seen in the tables (bytes where hex text was) is noted in the same
 * transaction. database.md.
 */
#include <stdarg.h>
#include <stdio.h>

#include "store/mariadb_priv.h"

/* Each server reads its own half: MariaDB has collations without padding, and skips MySQL's
 * comments of these versions; to MySQL the other one is a comment. */
#define COLLATE(charset)                                                                           \
    " CHARACTER SET " charset " COLLATE /*M! " charset "_nopad_bin *//*!50700 " charset "_bin */"

#define DDL_WORD(count) "VARCHAR(" count ")"
#define DDL_QEID "VARCHAR(260)"
#define DDL_KEY "VARCHAR(2112)" COLLATE("ascii")
#define DDL_BLOB "LONGBLOB"
#define DDL_TEXT "MEDIUMTEXT"
#define DDL_TIME "DATETIME(3)"
#define DDL_END " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT" COLLATE("utf8mb4")
#define DDL_META "SequelizeMeta"
#define DDL_INSERT_NEW "INSERT IGNORE"
#define DDL_IF_NEW ""

const char *const maria_tables[] = {
#define TABLE(text) text,
#include "store/server_tables.def"
#undef TABLE
    NULL,
};

const char maria_claims_table[] =
    "CREATE TABLE IF NOT EXISTS pccs_claims (name " DDL_WORD("200") " NOT NULL, holder " DDL_WORD(
        "64") " NOT NULL, until_at BIGINT NOT NULL, PRIMARY KEY (name))" DDL_END;

enum { TEXT_SIZE = 1024 };

/* ---- looking ---- */

__attribute__((format(printf, 4, 5))) static int
ask_number(struct db_connection *connection, int64_t *ret_number, struct fault *why,
           const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list values;
    va_start(values, format);
    int size = vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    must(size > 0 && (size_t)size < sizeof(text));
    return maria_ask_number(connection, text, ret_number, why);
}

static int
has_table(struct db_connection *connection, const char *table, int64_t *ret_count,
          struct fault *why)
{
    return ask_number(connection, ret_count, why,
                      "SELECT count(*) FROM information_schema.tables WHERE table_schema ="
                      " DATABASE() AND table_name = '%s'",
                      table);
}

static int
has_column(struct db_connection *connection, const char *table, const char *column,
           int64_t *ret_count, struct fault *why)
{
    return ask_number(connection, ret_count, why,
                      "SELECT count(*) FROM information_schema.columns WHERE table_schema ="
                      " DATABASE() AND table_name = '%s' AND column_name = '%s'",
                      table, column);
}

/* ---- changing ---- */

/* One statement, as whoever still holds the claim. */
__attribute__((format(printf, 3, 4))) static int
change(struct db_connection *connection, struct fault *why, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list values;
    va_start(values, format);
    int size = vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    must(size > 0 && (size_t)size < sizeof(text));
    bool is_held = false;
    int code = shared_claim(&connection->db->store, "takeover", SERVER_CLAIM_S, &is_held, why);
    if (code == 0 && !is_held) {
        code = fault_set(why, FAULT_STORE, "store", "another instance goes on with the takeover");
    }
    return code != 0 ? code : maria_execute(connection, text, why);
}

/* A table of version 5, if it is not there. */
static int
table_make(struct db_connection *connection, const char *name, struct fault *why)
{
    char start[TEXT_SIZE];
    (void)snprintf(start, sizeof(start), "CREATE TABLE IF NOT EXISTS %s (", name);
    const char *const *text = maria_tables;
    while (*text != NULL && strncmp(*text, start, strlen(start)) != 0) {
        text++;
    }
    must(*text != NULL);
    return change(connection, why, "%s", *text);
}

/* A column that joins the primary key, with the value that the rows of old have. The default stays:
 * it is what the reference means where it says nothing. */
struct key_column {
    const char *table, *column, *type, *old_value, *key;
};

static int
key_column_add(struct db_connection *connection, const struct key_column *due, struct fault *why)
{
    int64_t is_there = 0;
    int code = has_column(connection, due->table, due->column, &is_there, why);
    if (code != 0 || is_there != 0) {
        return code;
    }
    return change(connection, why,
                  "ALTER TABLE %s ADD COLUMN %s %s NOT NULL DEFAULT %s, DROP PRIMARY KEY,"
                  " ADD PRIMARY KEY (%s)",
                  due->table, due->column, due->type, due->old_value, due->key);
}

/* ---- version 1: bytes where hex text was ---- */

/* Bytes may look like hex text again, so this must be done only once: it is one transaction, and
 * the row in pccs_takeover is part of it. */
static int
unhex_all(struct db_connection *connection, struct fault *why)
{
    static const char *const columns[][3] = {
        {"pck_crl", "pck_crl", ""},
        {"pcs_certificates", "crl", " AND id = 1"},
        {"platforms", "platform_manifest", ""},
        {"platforms", "enc_ppid", ""},
        {"platforms_registered", "platform_manifest", ""},
        {"platforms_registered", "enc_ppid", ""},
    };
    int code = maria_execute(connection, "START TRANSACTION", why);
    code = code != 0 ? code : change(connection, why, "INSERT INTO pccs_takeover VALUES (1)");
    for (size_t i = 0; code == 0 && i < ARRAY_COUNT(columns); i++) {
        const char *column = columns[i][1];
        code = change(connection, why,
                      "UPDATE %s SET %s = UNHEX(%s) WHERE length(%s) > 0 AND MOD(length(%s), 2) = 0"
                      " AND UNHEX(%s) IS NOT NULL%s",
                      columns[i][0], column, column, column, column, column, columns[i][2]);
    }
    code = code != 0 ? code : maria_execute(connection, "COMMIT", why);
    if (code != 0 && maria_execute(connection, "ROLLBACK", NULL) != 0) {
        connection->is_lost = true;
    }
    return code;
}

static int
step_1(struct db_connection *connection, struct fault *why)
{
    int64_t is_done = 0, has_version = 0;
    int code = change(connection, why,
                      "CREATE TABLE IF NOT EXISTS pccs_takeover (step INTEGER NOT NULL,"
                      " PRIMARY KEY (step))" DDL_END);
    code = code != 0 ? code
                     : ask_number(connection, &is_done, why,
                                  "SELECT count(*) FROM pccs_takeover WHERE step = 1");
    if (code == 0 && is_done == 0) {
        /* to a strict MySQL a text that is no hex is an error, also where it is only looked at */
        code = maria_execute(connection, "SET SESSION sql_mode = ''", why);
        code = code != 0 ? code : unhex_all(connection, why);
        code = code != 0 ? code : maria_execute(connection, MARIA_SET_MODE, why);
    }
    code =
        code != 0 ? code : has_column(connection, "pcs_version", "db_version", &has_version, why);
    return code != 0 || has_version != 0
               ? code
               : change(connection, why, "ALTER TABLE pcs_version ADD COLUMN db_version INTEGER");
}

/* ---- versions 2 to 5 ---- */

/* The old table goes last: as long as it is there, this is version 1. */
static int
identity_move(struct db_connection *connection, int id, const char *column, struct fault *why)
{
    char table[64];
    int64_t is_there = 0;
    (void)snprintf(table, sizeof(table), "%.40s", id == 1 ? "qe_identities" : "qve_identities");
    int code = has_table(connection, table, &is_there, why);
    if (code != 0 || is_there == 0) {
        return code;
    }
    code = change(connection, why,
                  "REPLACE INTO enclave_identities (id, identity, root_cert_id, signing_cert_id,"
                  " created_time, updated_time) SELECT %d, %s, root_cert_id, signing_cert_id,"
                  " created_time, updated_time FROM %s ORDER BY id",
                  id, column, table);
    return code != 0 ? code : change(connection, why, "DROP TABLE %s", table);
}

static int
step_2(struct db_connection *connection, struct fault *why)
{
    static const struct key_column type = {"fmspc_tcbs", "type", "INTEGER", "0", "fmspc, type"};
    int code = key_column_add(connection, &type, why);
    code = code != 0 ? code
                     : change(connection, why,
                              "CREATE TABLE IF NOT EXISTS enclave_identities (id INTEGER NOT NULL,"
                              " identity LONGBLOB, root_cert_id INTEGER, signing_cert_id INTEGER,"
                              " created_time DATETIME(3) NOT NULL,"
                              " updated_time DATETIME(3) NOT NULL, PRIMARY KEY (id))" DDL_END);
    code = code != 0 ? code : table_make(connection, "crl_cache", why);
    code = code != 0 ? code : identity_move(connection, 1, "qe_identity", why);
    return code != 0 ? code : identity_move(connection, 2, "qve_identity", why);
}

static int
step_3(struct db_connection *connection, struct fault *why)
{
    static const struct key_column tcb = {"fmspc_tcbs", "version", "INTEGER", "3",
                                          "fmspc, type, version"};
    static const struct key_column identity = {"enclave_identities", "version", "INTEGER", "3",
                                               "id, version"};
    int code = key_column_add(connection, &tcb, why);
    return code != 0 ? code : key_column_add(connection, &identity, why);
}

static int
step_4(struct db_connection *connection, struct fault *why)
{
    return table_make(connection, "appraisal_policies", why);
}

static int
step_5(struct db_connection *connection, struct fault *why)
{
    static const struct key_column tcb = {"fmspc_tcbs", "update_type", "VARCHAR(64)", "'STANDARD'",
                                          "fmspc, type, version, update_type"};
    static const struct key_column identity = {"enclave_identities", "update_type", "VARCHAR(64)",
                                               "'STANDARD'", "id, version, update_type"};
    int code = key_column_add(connection, &tcb, why);
    return code != 0 ? code : key_column_add(connection, &identity, why);
}

/* ---- what any table of the reference must be like ---- */

/* bytes: the columns that hold more than a BLOB's 64 KB; the reference sees no difference. */
static const struct reference {
    const char *table, *bytes;
} references[] = {
    {"platforms", "'platform_manifest', 'enc_ppid'"},
    {"platform_tcbs", "''"},
    {"pck_cert", "'pck_cert'"},
    {"pck_certchain", "''"},
    {"pck_crl", "'pck_crl'"},
    {"pcs_certificates", "'cert', 'crl'"},
    {"fmspc_tcbs", "'tcbinfo'"},
    {"enclave_identities", "'identity'"},
    {"crl_cache", "'crl'"},
    {"appraisal_policies", "''"},
    {"platforms_registered", "'platform_manifest', 'enc_ppid'"},
    {"pcs_version", "''"},
    {"qe_identities", "''"},
    {"qve_identities", "''"},
};

/* A key tells rows apart in every statement and in every cluster; and what is no transaction
 * cannot be taken back. */
static int
table_mend(struct db_connection *connection, const char *table, struct fault *why)
{
    int64_t is_there = 0, has_key = 0, is_innodb = 0;
    int code = has_table(connection, table, &is_there, why);
    if (code != 0 || is_there == 0) {
        return code;
    }
    code = ask_number(connection, &has_key, why,
                      "SELECT count(*) FROM information_schema.table_constraints WHERE"
                      " table_schema = DATABASE() AND table_name = '%s'"
                      " AND constraint_type = 'PRIMARY KEY'",
                      table);
    if (code == 0 && has_key == 0) {
        return fault_set(why, FAULT_CONFIG, "store",
                         "the table %s has no primary key: it is not the reference service's",
                         table);
    }
    code = code != 0 ? code
                     : ask_number(connection, &is_innodb, why,
                                  "SELECT count(*) FROM information_schema.tables WHERE"
                                  " table_schema = DATABASE() AND table_name = '%s'"
                                  " AND engine = 'InnoDB'",
                                  table);
    return code != 0 || is_innodb != 0
               ? code
               : change(connection, why, "ALTER TABLE %s ENGINE = InnoDB", table);
}

static int
bytes_widen(struct db_connection *connection, const struct reference *reference, struct fault *why)
{
    char text[TEXT_SIZE], due[TEXT_SIZE / 2];
    (void)snprintf(text, sizeof(text),
                   "SELECT GROUP_CONCAT('MODIFY COLUMN ', column_name, ' LONGBLOB' SEPARATOR ', ')"
                   " FROM information_schema.columns WHERE table_schema = DATABASE()"
                   " AND table_name = '%s' AND column_name IN (%s) AND data_type <> 'longblob'",
                   reference->table, reference->bytes);
    int code = maria_ask(connection, text, due, sizeof(due), why);
    return code != 0 || due[0] == '\0'
               ? code
               : change(connection, why, "ALTER TABLE %s %s", reference->table, due);
}

/* URLs differ by the case of their letters, and may be longer than the reference's 255. */
static int
texts_widen(struct db_connection *connection, struct fault *why)
{
    int64_t is_narrow = 0;
    int code = ask_number(connection, &is_narrow, why,
                          "SELECT count(*) FROM information_schema.columns WHERE table_schema ="
                          " DATABASE() AND table_name = 'crl_cache' AND column_name = 'cdp_url' AND"
                          " (character_maximum_length < 2112 OR collation_name NOT LIKE '%%bin')");
    if (code == 0 && is_narrow != 0) {
        code = change(connection, why,
                      "ALTER TABLE crl_cache MODIFY COLUMN cdp_url " DDL_KEY " NOT NULL");
    }
    code = code != 0 ? code
                     : ask_number(connection, &is_narrow, why,
                                  "SELECT count(*) FROM information_schema.columns WHERE"
                                  " table_schema = DATABASE() AND table_name ="
                                  " 'appraisal_policies' AND column_name = 'policy' AND data_type"
                                  " NOT IN ('mediumtext', 'longtext')");
    return code != 0 || is_narrow == 0
               ? code
               : change(connection, why,
                        "ALTER TABLE appraisal_policies MODIFY COLUMN policy MEDIUMTEXT NOT NULL");
}

static int
tables_mend(struct db_connection *connection, struct fault *why)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < ARRAY_COUNT(references); i++) {
        code = table_mend(connection, references[i].table, why);
    }
    return code;
}

/* ---- indexes: MySQL knows no IF NOT EXISTS for them ---- */

struct index {
    const char *name, *table, *columns;
};
/* InnoDB appends the primary key by itself. */
static const struct index indexes[] = {
    {"pccs_platforms_by_fmspc", "platforms", "fmspc"},
    {"pccs_queue_by_state", "platforms_registered", "state"},
};

static int
index_make(struct db_connection *connection, const struct index *index, struct fault *why)
{
    int64_t is_there = 0;
    int code = ask_number(connection, &is_there, why,
                          "SELECT count(*) FROM information_schema.statistics WHERE table_schema ="
                          " DATABASE() AND table_name = '%s' AND index_name = '%s'",
                          index->table, index->name);
    return code != 0 || is_there != 0 ? code
                                      : change(connection, why, "CREATE INDEX %s ON %s (%s)",
                                               index->name, index->table, index->columns);
}

/* ---- all of it ---- */

/* What the reference would see, were it started on the way: its tables of an older version with a
 * column more, which it fills by default. Its own record of migrations is written last. */
int
maria_migrate(struct db_connection *connection, int version, struct fault *why)
{
    typedef int step_fn(struct db_connection * connection, struct fault * why);
    static step_fn *const steps[DB_VERSION] = {step_1, step_2, step_3, step_4, step_5};
    int code = tables_mend(connection, why);
    for (int step = version; code == 0 && step < DB_VERSION; step++) {
        code = steps[step](connection, why);
    }
    return code;
}

int
maria_finish(struct db_connection *connection, struct fault *why)
{
    int code = tables_mend(connection, why);
    for (size_t i = 0; code == 0 && i < ARRAY_COUNT(references); i++) {
        code = bytes_widen(connection, &references[i], why);
    }
    code = code != 0 ? code : texts_widen(connection, why);
    for (size_t i = 0; code == 0 && i < ARRAY_COUNT(indexes); i++) {
        code = index_make(connection, &indexes[i], why);
    }
    return code != 0 ? code : change(connection, why, "DROP TABLE IF EXISTS pccs_takeover");
}
