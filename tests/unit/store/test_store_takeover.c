/* SPDX-License-Identifier: BSD-3-Clause */
/* Databases of the reference, versions 0 to 5: copied aside, taken over whole, or refused. */
#include "store_fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fault
refused(struct fixture *f)
{
    struct fault why = {0};
    struct store *store = NULL;
    assert_int_equal(FAULT_CONFIG, store_open_sqlite(&f->options, &store, &why));
    assert_null(store);
    return why;
}

static const char *
copy_path(struct fixture *f)
{
    static char path[200];
    snprintf(path, sizeof path, "%s.before-pccs-c", f->path);
    return path;
}

/* ---- refusing ---- */

static void
test_refuses_the_collateral_of_another_host(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_5.sql");
    f->options.server_addr = "sbx.api.trustedservices.intel.com";
    struct fault why = refused(f);
    assert_non_null(strstr(why.text, "'" FIXTURE_HOST "'"));
    assert_non_null(strstr(why.text, "'sbx.api.trustedservices.intel.com'"));
    assert_non_null(strstr(why.text, "correct uri"));
    assert_int_not_equal(0, access(copy_path(f), F_OK)); /* nothing was to be changed */
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM sqlite_master"
                                          " WHERE name LIKE 'pccs%'"));
    f->options.server_addr = "API.TrustedServices.intel.com"; /* a host name has no case */
    fixture_open(f);
    fixture_close(f);
    f->options.server_addr = "localhost"; /* our own database is refused likewise */
    assert_non_null(strstr(refused(f).text, "'localhost'"));
}

static void
test_refuses_rows_that_do_not_say_where_they_came_from(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_5.sql");
    fixture_sql(f, "DELETE FROM pcs_version");
    assert_non_null(strstr(refused(f).text, "pcs_version"));
    fixture_sql(f, "DROP TABLE pcs_version");
    assert_non_null(strstr(refused(f).text, "pcs_version"));
    assert_int_not_equal(0, access(copy_path(f), F_OK));
}

static void
test_refuses_a_database_of_another_program(void **state)
{
    struct fixture *f = *state;
    fixture_sql(f, "CREATE TABLE \"we\"\"ird\" (x); INSERT INTO \"we\"\"ird\" VALUES (1)");
    assert_non_null(strstr(refused(f).text, "another program"));
    assert_int_equal(1, fixture_number(f, "SELECT count(*) FROM sqlite_master"));
}

static void
test_refuses_what_a_newer_program_wrote(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_5.sql");
    fixture_sql(f, "UPDATE pcs_version SET db_version = 6");
    assert_non_null(strstr(refused(f).text, "newer"));
    fixture_sql(f, "UPDATE pcs_version SET db_version = 5");
    fixture_open(f);
    fixture_close(f);
    fixture_sql(f, "UPDATE pccs_owner SET own_version = 2");
    assert_non_null(strstr(refused(f).text, "newer"));
}

static void
test_refuses_to_take_over_when_init_db_is_false(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_4.sql");
    f->options.init_db = false;
    assert_non_null(strstr(refused(f).text, "init_db"));
    assert_string_equal("4", fixture_text(f, "SELECT db_version FROM pcs_version"));
    f->options.init_db = true;
    fixture_reopen(f);
    fixture_close(f);
    f->options.init_db = false;
    fixture_open(f);
}

static void
test_refuses_tables_that_are_not_as_they_should_be(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_5.sql");
    fixture_sql(f, "ALTER TABLE platforms RENAME COLUMN fmspc TO other");
    struct fault why = refused(f);
    assert_non_null(strstr(why.text, "fmspc"));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM sqlite_master"
                                          " WHERE name LIKE 'pccs%'"));
}

static void
test_a_step_that_fails_leaves_the_file_as_it_was(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_0.sql");
    fixture_sql(f, "CREATE TABLE appraisal_policies (x)"); /* step 4 stumbles over it */
    refused(f);
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM pragma_table_info('pcs_version')"
                                          " WHERE name = 'db_version'"));
    assert_int_equal(1, fixture_number(f, "SELECT count(*) FROM qe_identities"));
    assert_string_equal("3003020101", fixture_text(f, "SELECT pck_crl FROM pck_crl"));
    fixture_sql(f, "DROP TABLE appraisal_policies");
    fixture_open(f);
}

static void
test_refuses_while_another_program_writes(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_5.sql");
    sqlite3 *other = NULL;
    assert_int_equal(SQLITE_OK, sqlite3_open(f->path, &other));
    assert_int_equal(SQLITE_OK, sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL));
    assert_non_null(strstr(refused(f).text, "locked by another program"));
    sqlite3_close(other);
    fixture_open(f);
}

/* ---- taking over ---- */

static void
check_body(struct fixture *f, const struct item_key *key, const char *body)
{
    struct raw_reply raw;
    struct fault why = {0};
    if (store_load_item(f->store, key, &raw, &why) != 0) {
        fail_msg("%s", why.text);
    }
    assert_string_equal(body, buf_text(&raw.body));
    if (key->kind != ITEM_ROOT_CRL && key->kind != ITEM_CRL) {
        assert_non_null(strstr(raw.issuer_chain, "-----END CERTIFICATE-----\n-----BEGIN"));
    }
    raw_reply_done(&raw);
}

static void
check_items(struct fixture *f, int version)
{
    struct item_key tcb = fixture_tcb_key(PRODUCT_SGX, 3, UPDATE_STANDARD, "00906EA10000");
    check_body(f, &tcb, "{\"tcbInfo\":{\"version\":2},\"signature\":\"00\"}");
    struct item_key identity = fixture_identity_key(ENCLAVE_QE, UPDATE_STANDARD);
    identity.api_version = 3;
    check_body(f, &identity, "{\"enclaveIdentity\":{\"id\":\"QE\"},\"signature\":\"00\"}");
    identity.enclave = ENCLAVE_QVE;
    check_body(f, &identity, "{\"enclaveIdentity\":{\"id\":\"QVE\"},\"signature\":\"00\"}");
    struct item_key crl = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PROCESSOR};
    check_body(f, &crl, "\x30\x03\x02\x01\x01");
    struct item_key root_crl = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    check_body(f, &root_crl, "\x30\x03\x02\x01\x02");
    if (version >= 3) {
        struct item_key tdx = fixture_tcb_key(PRODUCT_TDX, 4, UPDATE_STANDARD, "00906EA10000");
        check_body(f, &tdx, "{\"tcbInfo\":{\"id\":\"TDX\"},\"signature\":\"00\"}");
    }
    if (version >= 4) {
        struct fmspc fmspc = {"00906EA10000"};
        struct buf b = BUF_INIT(100);
        assert_int_equal(0, store_load_policies(f->store, &fmspc, &b, NULL));
        assert_string_equal("a.b.c", buf_text(&b));
        buf_done(&b);
    }
}

static void
check_platforms(struct fixture *f)
{
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    struct store_platform platform;
    assert_int_equal(0, store_load_platform(f->store, &id, &platform, NULL));
    assert_string_equal("ABCDEF", platform.enc_ppid);
    assert_string_equal("", platform.manifest);
    assert_int_equal(2, platform.certs.pck_count);
    assert_true(platform.certs.pcks[0].available);
    assert_false(platform.certs.pcks[1].available);
    assert_non_null(strstr(platform.certs.issuer_chain, "UHJvY2Vzc29y"));
    assert_int_equal(1, platform.mapping_count);
    assert_int_equal(0, platform.not_available_at);
    struct raw_reply raw;
    assert_int_equal(0, store_load_pck(f->store, &id, &platform.mappings[0].raw, &raw, NULL));
    assert_non_null(strstr(raw.pcks[0].cert, "TGVhZg=="));
    raw_reply_done(&raw);
    store_platform_done(&platform);
    id = fixture_platform(FIXTURE_Q2);
    assert_int_equal(0, store_load_platform_brief(f->store, &id, &platform, NULL));
    assert_string_equal("0A0B0C0D", platform.manifest);
    assert_string_equal("", platform.enc_ppid);
    store_platform_done(&platform);
}

static void
check_queue(struct fixture *f)
{
    struct queue_row *rows = NULL;
    size_t count = 0;
    assert_int_equal(0, store_queue_list(f->store, QUEUE_SOURCE_REG, false, &rows, &count, NULL));
    assert_int_equal(1, count);
    assert_string_equal("0a0b0c0d", rows[0].manifest);
    queue_row_done(&rows[0]);
    free(rows);
    assert_int_equal(
        0, store_queue_list(f->store, QUEUE_SOURCE_REG_PENDING, false, &rows, &count, NULL));
    assert_int_equal(1, count);
    assert_string_equal("abcdef", rows[0].enc_ppid);
    queue_row_done(&rows[0]);
    free(rows);
}

static void
take_over_version(struct fixture *f, int version)
{
    char name[32], expected[64];
    snprintf(name, sizeof name, "version_%d.sql", version);
    fixture_apply(f, name);
    assert_int_equal(0, chmod(f->path, 0660));
    fixture_open(f);
    check_items(f, version);
    check_platforms(f);
    check_queue(f);
    assert_string_equal("4 5", fixture_text(f, "SELECT api_version || ' ' || db_version"
                                               " FROM pcs_version"));
    assert_int_equal(6, fixture_number(f, "SELECT count(*) FROM SequelizeMeta"));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM sqlite_master WHERE name IN"
                                          " ('qe_identities', 'qve_identities', 'pccs_new')"));
    snprintf(expected, sizeof expected, "took over a database of version %d: 2 platforms", version);
    assert_non_null(strstr(f->notices, expected));
    assert_non_null(strstr(f->notices, ".before-pccs-c"));
    /* The second time there is nothing to do. */
    f->notices[0] = '\0';
    fixture_reopen(f);
    assert_string_equal("", f->notices);
    check_items(f, version);
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
}

static void
test_takes_over_version_0(void **state)
{
    take_over_version(*state, 0);
}

static void
test_takes_over_version_1(void **state)
{
    take_over_version(*state, 1);
}

static void
test_takes_over_version_2(void **state)
{
    take_over_version(*state, 2);
}

static void
test_takes_over_version_3(void **state)
{
    take_over_version(*state, 3);
}

static void
test_takes_over_version_4(void **state)
{
    take_over_version(*state, 4);
}

static void
test_takes_over_version_5(void **state)
{
    take_over_version(*state, 5);
}

static void
test_the_copy_is_what_was_there_before(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_2.sql");
    assert_int_equal(0, chmod(f->path, 0600));
    fixture_open(f);
    struct stat file;
    assert_int_equal(0, stat(copy_path(f), &file));
    assert_int_equal(0600, file.st_mode & 0777);
    fixture_close(f);
    assert_int_equal(0, rename(copy_path(f), f->path));
    assert_string_equal("2", fixture_text(f, "SELECT db_version FROM pcs_version"));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM sqlite_master"
                                          " WHERE name LIKE 'pccs%'"));
    assert_string_equal("ok", fixture_text(f, "PRAGMA integrity_check"));
}

static void
test_an_older_copy_is_never_overwritten(void **state)
{
    struct fixture *f = *state;
    FILE *file = fopen(copy_path(f), "w");
    fputs("precious", file);
    fclose(file);
    fixture_apply(f, "version_5.sql");
    fixture_open(f);
    struct stat copy;
    assert_int_equal(0, stat(copy_path(f), &copy));
    assert_int_equal(8, copy.st_size);
    assert_non_null(strstr(f->notices, ".before-pccs-c.2"));
}

static void
test_refuses_a_takeover_when_there_is_no_name_left_for_the_copy(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_5.sql");
    for (int i = 1; i <= 9; i++) {
        char path[220];
        snprintf(path, sizeof path, i == 1 ? "%s" : "%s.%d", copy_path(f), i);
        fclose(fopen(path, "w"));
    }
    assert_non_null(strstr(refused(f).text, "copies"));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM sqlite_master"
                                          " WHERE name LIKE 'pccs%'"));
}

static void
test_what_is_not_hex_is_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_0.sql");
    fixture_sql(f, "UPDATE pck_crl SET pck_crl = 'not hex';"
                   "UPDATE pcs_certificates SET crl = 'abc' WHERE id = 1;"
                   "UPDATE platforms SET platform_manifest = NULL, enc_ppid = 7 WHERE qe_id ="
                   " '" FIXTURE_Q1 "'");
    fixture_open(f);
    assert_string_equal("not hex", fixture_text(f, "SELECT pck_crl FROM pck_crl"));
    assert_string_equal("abc", fixture_text(f, "SELECT crl FROM pcs_certificates WHERE id = 1"));
}

static void
test_empty_tables_are_taken_over_without_their_pcs_version_row(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_2.sql");
    fixture_sql(f,
                "DELETE FROM platforms; DELETE FROM platform_tcbs; DELETE FROM pck_cert;"
                "DELETE FROM pck_certchain; DELETE FROM pck_crl; DELETE FROM pcs_certificates;"
                "DELETE FROM platforms_registered; DELETE FROM fmspc_tcbs;"
                "DELETE FROM enclave_identities; DELETE FROM crl_cache; DELETE FROM pcs_version");
    fixture_open(f);
    assert_string_equal(FIXTURE_HOST " 5", fixture_text(f, "SELECT server_addr || ' ' || db_version"
                                                           " FROM pcs_version"));
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
}

static void
test_items_taken_over_keep_their_chain_when_the_signer_is_renewed(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_5.sql");
    fixture_open(f);
    struct item_key newer = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "30606A000000");
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &newer, "{2}", "renewed", "root")));
    struct item_key older = fixture_tcb_key(PRODUCT_SGX, 3, UPDATE_STANDARD, "00906EA10000");
    struct raw_reply raw;
    assert_int_equal(0, store_load_item(f->store, &older, &raw, NULL));
    assert_non_null(strstr(raw.issuer_chain, "U2lnbmVy"));
    raw_reply_done(&raw);
}

static void
test_a_chain_that_never_came_is_no_hindrance(void **state)
{
    struct fixture *f = *state;
    fixture_apply(f, "version_5.sql");
    fixture_sql(f, "DELETE FROM pcs_certificates WHERE id = 3");
    fixture_open(f);
    struct item_key tcb = fixture_tcb_key(PRODUCT_SGX, 3, UPDATE_STANDARD, "00906EA10000");
    struct raw_reply raw;
    assert_int_equal(FAULT_NOT_FOUND, store_load_item(f->store, &tcb, &raw, NULL));
    assert_int_equal(2, fixture_number(f, "SELECT count(*) FROM fmspc_tcbs")); /* left in place */
}

static void
test_another_api_version_is_noted(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_close(f);
    f->options.api_version = 3;
    fixture_open(f);
    assert_string_equal("3", fixture_text(f, "SELECT api_version FROM pcs_version"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_closed, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_refuses_the_collateral_of_another_host),
        TEST(test_refuses_rows_that_do_not_say_where_they_came_from),
        TEST(test_refuses_a_database_of_another_program),
        TEST(test_refuses_what_a_newer_program_wrote),
        TEST(test_refuses_to_take_over_when_init_db_is_false),
        TEST(test_refuses_tables_that_are_not_as_they_should_be),
        TEST(test_a_step_that_fails_leaves_the_file_as_it_was),
        TEST(test_refuses_while_another_program_writes),
        TEST(test_takes_over_version_0),
        TEST(test_takes_over_version_1),
        TEST(test_takes_over_version_2),
        TEST(test_takes_over_version_3),
        TEST(test_takes_over_version_4),
        TEST(test_takes_over_version_5),
        TEST(test_the_copy_is_what_was_there_before),
        TEST(test_an_older_copy_is_never_overwritten),
        TEST(test_refuses_a_takeover_when_there_is_no_name_left_for_the_copy),
        TEST(test_what_is_not_hex_is_left_as_it_is),
        TEST(test_empty_tables_are_taken_over_without_their_pcs_version_row),
        TEST(test_items_taken_over_keep_their_chain_when_the_signer_is_renewed),
        TEST(test_a_chain_that_never_came_is_no_hindrance),
        TEST(test_another_api_version_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
