/* SPDX-License-Identifier: BSD-3-Clause */
/* Databases that the reference wrote on MySQL, versions 0 to 5: taken over whole, or refused; a
 * takeover that was broken off anywhere is gone on with. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mariadb_behind.h"

#define TIMES " || '|' || substr(created_time, 1, 19) || '|' || substr(updated_time, 1, 19)"
#define BYTES(column) " || '|' || CASE WHEN " column " IS NULL THEN '-' ELSE hex(" column ") END"
#define WORD(column) " || '|' || COALESCE(" column ", '-')"

/* Every row of the reference's tables, and of ours that a takeover makes, on both engines. */
static const char *const all_rows[] = {
    "SELECT qe_id" WORD("pce_id") BYTES("platform_manifest") BYTES("enc_ppid") WORD("fmspc")
        WORD("ca") TIMES " FROM platforms ORDER BY 1",
    "SELECT qe_id" WORD("pce_id") WORD("cpu_svn") WORD("pce_svn") WORD("tcbm") TIMES
    " FROM platform_tcbs ORDER BY 1",
    "SELECT qe_id" WORD("pce_id") WORD("tcbm") BYTES("pck_cert") TIMES " FROM pck_cert ORDER BY 1",
    "SELECT ca" WORD("root_cert_id") WORD("intmd_cert_id") TIMES " FROM pck_certchain ORDER BY 1",
    "SELECT ca" BYTES("pck_crl") WORD("root_cert_id") WORD("intmd_cert_id") TIMES
    " FROM pck_crl ORDER BY 1",
    "SELECT id" BYTES("cert") BYTES("crl") TIMES " FROM pcs_certificates ORDER BY 1",
    "SELECT fmspc" WORD("type") WORD("version") WORD("update_type") BYTES("tcbinfo")
        WORD("root_cert_id") WORD("signing_cert_id") TIMES " FROM fmspc_tcbs ORDER BY 1",
    "SELECT id" WORD("version") WORD("update_type") BYTES("identity") WORD("root_cert_id")
        WORD("signing_cert_id") TIMES " FROM enclave_identities ORDER BY 1",
    "SELECT cdp_url" BYTES("crl") TIMES " FROM crl_cache ORDER BY 1",
    "SELECT id" WORD("type") BYTES("policy") WORD("is_default") WORD("fmspc") TIMES
    " FROM appraisal_policies ORDER BY 1",
    "SELECT qe_id" WORD("pce_id") WORD("cpu_svn") WORD("pce_svn") BYTES("enc_ppid")
        BYTES("platform_manifest") WORD("state") TIMES " FROM platforms_registered ORDER BY 1",
    "SELECT id" WORD("api_version") WORD("server_addr")
        WORD("db_version") " FROM pcs_version ORDER BY 1",
    "SELECT name FROM SequelizeMeta ORDER BY 1",
    "SELECT k.item_key || '|' || h.chain FROM pccs_item_chains k JOIN pccs_chains h"
    " ON h.id = k.chain_id ORDER BY 1",
};

/* ---- what SQLite makes of the same rows ---- */

static int
add_row(void *self, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    struct buf *rows = self;
    return buf_add_format(rows, "%s%s", rows->size > 0 ? "\n" : "",
                          values[0] != NULL ? values[0] : "NULL");
}

static void
sqlite_apply(struct fixture *f, const char *name, const char *more)
{
    char path[512], copy[256];
    snprintf(path, sizeof path, VECTORS "/%s", name);
    static char text[65536];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    sqlite3 *handle = NULL;
    snprintf(f->path, sizeof f->path, "%s/other.db", f->folder);
    (void)unlink(f->path);
    assert_int_equal(SQLITE_OK, sqlite3_open(f->path, &handle));
    assert_int_equal(SQLITE_OK, sqlite3_exec(handle, text, NULL, NULL, NULL));
    assert_int_equal(SQLITE_OK, sqlite3_exec(handle, more, NULL, NULL, NULL));
    sqlite3_close(handle);
    snprintf(copy, sizeof copy, "%s.before-pccs-c", f->path);
    (void)unlink(copy);
    struct store_options options = f->options;
    options.path = f->path;
    options.on_notice = NULL;
    struct store *store = NULL;
    struct fault why = {0};
    if (store_open_sqlite(&options, &store, &why) != 0) {
        fail_msg("%s", why.text);
    }
    store_close(store);
    (void)unlink(copy);
}

static void
assert_rows_as_sqlite(struct fixture *f)
{
    sqlite3 *handle = NULL;
    assert_int_equal(SQLITE_OK, sqlite3_open(f->path, &handle));
    for (size_t i = 0; i < sizeof all_rows / sizeof all_rows[0]; i++) {
        struct buf rows = BUF_INIT(65536);
        assert_int_equal(SQLITE_OK, sqlite3_exec(handle, all_rows[i], add_row, &rows, NULL));
        assert_string_equal(buf_text(&rows), mariadb_lines(all_rows[i]));
        buf_done(&rows);
    }
    sqlite3_close(handle);
}

/* ---- refusing ---- */

static void
test_refuses_the_collateral_of_another_host(void **state)
{
    struct fixture *f = *state;
    mariadb_apply(f, "mysql_version_5.sql");
    f->options.server_addr = "sbx.api.trustedservices.intel.com";
    mariadb_refused(f, FAULT_CONFIG, "correct uri");
    assert_string_equal("0", mariadb_lines("SELECT count(*) FROM information_schema.tables WHERE"
                                           " table_schema = DATABASE() AND table_name LIKE"
                                           " 'pccs%'"));
}

static void
test_refuses_to_take_over_when_init_db_is_false(void **state)
{
    struct fixture *f = *state;
    mariadb_apply(f, "mysql_version_0.sql");
    f->options.init_db = false;
    mariadb_refused(f, FAULT_CONFIG, "init_db");
    assert_string_equal("3003020101", mariadb_lines("SELECT pck_crl FROM pck_crl"));
}

static void
test_refuses_a_table_without_a_primary_key(void **state)
{
    struct fixture *f = *state;
    mariadb_apply(f, "mysql_version_5.sql");
    mariadb_sql("ALTER TABLE pck_crl DROP PRIMARY KEY");
    mariadb_refused(f, FAULT_CONFIG, "the table pck_crl has no primary key");
}

static void
test_refuses_tables_that_are_not_as_they_should_be(void **state)
{
    struct fixture *f = *state;
    mariadb_apply(f, "mysql_version_5.sql");
    mariadb_sql("ALTER TABLE platforms CHANGE COLUMN ca other VARCHAR(255)");
    mariadb_refused(f, FAULT_CONFIG, "a table is not as it should be");
}

static void
test_refuses_what_a_newer_program_wrote(void **state)
{
    struct fixture *f = *state;
    mariadb_apply(f, "mysql_version_5.sql");
    mariadb_sql("UPDATE pcs_version SET db_version = 6");
    mariadb_refused(f, FAULT_CONFIG, "newer");
}

/* ---- taking over ---- */

/* Bytes that look like hex text again, and text that is none. */
static const char more_of_old[] =
    "INSERT INTO platforms VALUES ('0F', '0000', '3030', '4142', '00906EA10000', 'PLATFORM',"
    " '2023-05-06 07:08:09', '2023-05-06 07:08:09');"
    "INSERT INTO platforms_registered VALUES ('0F', '0000', '', '', '3g', '303', 0,"
    " '2023-05-06 07:08:09', '2023-05-06 07:08:09')";

static void
apply_both(struct fixture *f, int version)
{
    char name[64];
    const char *more = version == 0 ? more_of_old : "";
    snprintf(name, sizeof name, "version_%d.sql", version);
    sqlite_apply(f, name, more);
    snprintf(name, sizeof name, "mysql_version_%d.sql", version);
    mariadb_apply(f, name);
    if (version == 0) {
        mariadb_sql(more);
    }
}

/* What the statements, and larger collateral than Intel's of today, need of the tables. */
static void
assert_tables_are_wide(void)
{
    assert_string_equal("", mariadb_lines("SELECT table_name || '.' || column_name FROM"
                                          " information_schema.columns WHERE table_schema ="
                                          " DATABASE() AND data_type = 'blob'"));
    assert_string_equal("mediumtext", mariadb_lines("SELECT data_type FROM"
                                                    " information_schema.columns WHERE"
                                                    " table_schema = DATABASE() AND column_name ="
                                                    " 'policy'"));
    assert_string_equal("2112", mariadb_lines("SELECT character_maximum_length FROM"
                                              " information_schema.columns WHERE table_schema ="
                                              " DATABASE() AND column_name = 'cdp_url'"));
    assert_string_equal("", mariadb_lines("SELECT table_name FROM information_schema.tables WHERE"
                                          " table_schema = DATABASE() AND engine <> 'InnoDB'"));
    assert_string_equal("2", mariadb_lines("SELECT count(DISTINCT index_name) FROM"
                                           " information_schema.statistics WHERE table_schema ="
                                           " DATABASE() AND index_name LIKE 'pccs%'"));
    assert_string_equal("", mariadb_lines("SELECT table_name FROM information_schema.tables WHERE"
                                          " table_schema = DATABASE() AND table_name IN"
                                          " ('pccs_takeover', 'qe_identities', 'qve_identities')"));
}

static void
take_over_version(struct fixture *f, int version)
{
    char expected[64];
    apply_both(f, version);
    fixture_open(f);
    assert_rows_as_sqlite(f);
    assert_tables_are_wide();
    snprintf(expected, sizeof expected, "took over the database; it was of version %d", version);
    assert_non_null(strstr(f->notices, expected));
    assert_non_null(strstr(f->notices, "no copy of it is made"));
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    assert_int_equal(0, fixture_put_platform(f, "AABB", 2));
    f->notices[0] = '\0';
    fixture_reopen(f);
    assert_null(strstr(f->notices, "took over"));
}

#define TAKES_OVER(version)                                                                        \
    static void test_takes_over_version_##version(void **state)                                    \
    {                                                                                              \
        take_over_version(*state, version);                                                        \
    }
TAKES_OVER(0)
TAKES_OVER(1)
TAKES_OVER(2)
TAKES_OVER(3)
TAKES_OVER(4)
TAKES_OVER(5)

static void
test_large_collateral_fits_a_table_that_was_taken_over(void **state)
{
    struct fixture *f = *state;
    mariadb_apply(f, "mysql_version_5.sql");
    fixture_open(f);
    struct item_key key = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    static char body[300001];
    memset(body, 'x', sizeof body - 1);
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &key, body, "signer", "root")));
    struct raw_reply raw;
    assert_int_equal(0, store_load_item(f->store, &key, &raw, NULL));
    assert_int_equal(sizeof body - 1, raw.body.size);
    raw_reply_done(&raw);
}

static void
test_urls_that_differ_in_case_are_two(void **state)
{
    struct fixture *f = *state;
    mariadb_apply(f, "mysql_version_4.sql");
    fixture_open(f);
    mariadb_sql("INSERT INTO crl_cache VALUES ('http://x/a', 'one', now(), now()),"
                " ('http://x/A', 'two', now(), now())");
}

static void
test_a_change_may_take_longer_than_a_request(void **state)
{
    struct fixture *f = *state;
    mariadb_apply(f, "mysql_version_0.sql");
    mariadb_sql("CREATE TRIGGER slow BEFORE UPDATE ON pck_crl FOR EACH ROW SET @slept = SLEEP(11)");
    fixture_open(f);
    assert_string_equal("3003020101", mariadb_lines("SELECT hex(pck_crl) FROM pck_crl"));
}

/* ---- broken off ---- */

/* Each change of a table is preceded by its claim, a transaction of three statements: breaking off
 * at every fourth one falls between any two changes. */
enum { STATEMENTS_A_CHANGE = 4 };

static void
limit_queries(int most)
{
    char text[256];
    snprintf(text, sizeof text,
             "ALTER USER 'pccs_limited'@'%%' WITH MAX_QUERIES_PER_HOUR %d; FLUSH USER_RESOURCES",
             most);
    mariadb_sql(text);
}

static int
open_quietly(struct fixture *f)
{
    struct store *store = NULL;
    int code = store_open_mariadb(&f->options, &store, NULL);
    if (code == 0) {
        store_close(store);
    }
    return code;
}

/* The server refuses the statement after the first `most`, as if all had ended there. */
static bool
survives_a_break(struct fixture *f, int version, int most)
{
    char name[64];
    snprintf(name, sizeof name, "mysql_version_%d.sql", version);
    mariadb_apply(f, name);
    if (version == 0) {
        mariadb_sql(more_of_old);
    }
    limit_queries(most);
    bool broken = open_quietly(f) != 0;
    limit_queries(0);
    if (strcmp("1", mariadb_lines("SELECT count(*) FROM information_schema.tables WHERE"
                                  " table_schema = DATABASE() AND table_name = 'pccs_claims'")) ==
        0) {
        mariadb_sql("DELETE FROM pccs_claims"); /* its time is up */
    }
    fixture_open(f);
    assert_rows_as_sqlite(f);
    assert_tables_are_wide();
    fixture_close(f);
    return broken;
}

static void
test_a_takeover_that_was_broken_off_anywhere_is_gone_on_with(void **state)
{
    struct fixture *f = *state;
    mariadb_sql("CREATE OR REPLACE USER 'pccs_limited'@'%' IDENTIFIED BY 'limited-password';"
                "GRANT ALL ON *.* TO 'pccs_limited'@'%'");
    f->server.username = "pccs_limited";
    f->server.password = "limited-password";
    apply_both(f, 0);
    int most = 1;
    while (survives_a_break(f, 0, most)) {
        most += STATEMENTS_A_CHANGE;
    }
    assert_true(most > 100);
    mariadb_sql("DROP USER 'pccs_limited'@'%'");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        MARIADB_TEST(test_refuses_the_collateral_of_another_host),
        MARIADB_TEST(test_refuses_to_take_over_when_init_db_is_false),
        MARIADB_TEST(test_refuses_a_table_without_a_primary_key),
        MARIADB_TEST(test_refuses_tables_that_are_not_as_they_should_be),
        MARIADB_TEST(test_refuses_what_a_newer_program_wrote),
        MARIADB_TEST(test_takes_over_version_0),
        MARIADB_TEST(test_takes_over_version_1),
        MARIADB_TEST(test_takes_over_version_2),
        MARIADB_TEST(test_takes_over_version_3),
        MARIADB_TEST(test_takes_over_version_4),
        MARIADB_TEST(test_takes_over_version_5),
        MARIADB_TEST(test_large_collateral_fits_a_table_that_was_taken_over),
        MARIADB_TEST(test_urls_that_differ_in_case_are_two),
        MARIADB_TEST(test_a_change_may_take_longer_than_a_request),
        MARIADB_TEST(test_a_takeover_that_was_broken_off_anywhere_is_gone_on_with),
    };
    return MARIADB_RUN(tests);
}
