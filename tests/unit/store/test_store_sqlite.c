/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening, checking, pinging, counting. */
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

static struct fault
refused(struct fixture *f)
{
    struct fault why = {0};
    struct store *store = NULL;
    int code = store_open_sqlite(&f->options, &store, &why);
    if (code == 0) {
        store_close(store);
        fail_msg("it was opened");
    }
    assert_null(store);
    assert_int_equal(FAULT_CONFIG, code);
    assert_int_equal(FAULT_CONFIG, why.code);
    return why;
}

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void
test_refuses_what_is_no_database(void **state)
{
    struct fixture *f = *state;
    write_file(f->path, "This is a text, and long enough to be taken for the head of a database: it"
                        " has more than one hundred bytes, as such a head has.\n");
    struct fault why = refused(f);
    assert_non_null(strstr(why.text, f->path));
    assert_non_null(strstr(why.text, "not an SQLite database"));
}

static void
test_refuses_a_folder_and_a_missing_folder(void **state)
{
    struct fixture *f = *state;
    f->options.path = f->folder;
    assert_non_null(strstr(refused(f).text, "not a regular file"));
    f->options.path = "/nonexistent/folder/pckcache.db";
    struct fault why = refused(f);
    assert_non_null(strstr(why.text, "/nonexistent/folder/pckcache.db"));
    assert_int_equal(ENOENT, why.number);
}

static void
test_refuses_to_create_when_init_db_is_false(void **state)
{
    struct fixture *f = *state;
    f->options.init_db = false;
    assert_non_null(strstr(refused(f).text, "init_db"));
    assert_int_not_equal(0, access(f->path, F_OK));
    write_file(f->path, ""); /* an empty file is an empty database */
    assert_non_null(strstr(refused(f).text, "init_db"));
    struct stat file;
    assert_int_equal(0, stat(f->path, &file));
    assert_int_equal(0, file.st_size);
}

static void
test_a_second_opener_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct fault why = refused(f);
    assert_non_null(strstr(why.text, f->path));
    assert_non_null(strstr(why.text, "another pccsd"));
    /* Under another name too. */
    char other[160];
    snprintf(other, sizeof other, "%s/link.db", f->folder);
    assert_int_equal(0, symlink(f->path, other));
    f->options.path = other;
    assert_non_null(strstr(refused(f).text, "another pccsd"));
    f->options.path = f->path;
    /* The first one is none the worse for it, and a later one may open. */
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    fixture_reopen(f);
    assert_int_equal(0, store_ping(f->store, NULL));
}

/* As somebody who owns nothing; root may write everywhere. */
static int
in_a_powerless_child(struct fixture *f, int (*act)(struct fixture *f))
{
    assert_int_equal(0, chmod(f->folder, 0755));
    pid_t child = fork();
    if (child == 0) {
        bool powerless = geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);
        _exit(powerless ? act(f) : 99);
    }
    int status;
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int
open_expecting_words(struct fixture *f)
{
    struct fault why = {0};
    struct store *store = NULL;
    int code = store_open_sqlite(&f->options, &store, &why);
    return code == FAULT_CONFIG && strstr(why.text, f->path) != NULL && why.number != 0 ? 42 : 1;
}

static void
test_refuses_a_file_that_may_not_be_written(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_close(f);
    assert_int_equal(0, chmod(f->path, 0444));
    assert_int_equal(42, in_a_powerless_child(f, open_expecting_words));
}

static void
test_a_new_file_is_not_for_everybody(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct stat file;
    assert_int_equal(0, stat(f->path, &file));
    assert_int_equal(0640, file.st_mode & 0777 & ~027);
    assert_int_equal(0, file.st_mode & 027 & ~040);
    assert_string_equal("wal", fixture_text(f, "PRAGMA journal_mode"));
}

static void
test_a_new_database_is_as_the_reference_leaves_one(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_string_equal("4 " FIXTURE_HOST " 5",
                        fixture_text(f, "SELECT api_version || ' ' || server_addr || ' ' ||"
                                        " db_version FROM pcs_version WHERE id = 1"));
    assert_string_equal("00_db_initialize.up.sql,01_db_version_1.js,02_db_version_2.js,"
                        "03_db_version_3.js,04_db_version_4.js,05_db_version_5.js",
                        fixture_text(f, "SELECT group_concat(name) FROM"
                                        " (SELECT name FROM SequelizeMeta ORDER BY name)"));
    assert_string_equal("appraisal_policies,crl_cache,enclave_identities,fmspc_tcbs,pck_cert,"
                        "pck_certchain,pck_crl,pcs_certificates,pcs_version,platform_tcbs,"
                        "platforms,platforms_registered,umzug",
                        fixture_text(f, "SELECT group_concat(name) FROM (SELECT name FROM"
                                        " sqlite_master WHERE type = 'table' AND name NOT LIKE"
                                        " 'sqlite%' AND name NOT LIKE 'pccs%' AND name <>"
                                        " 'SequelizeMeta' ORDER BY name)"));
    assert_string_equal("", f->notices);
}

static void
test_a_database_in_memory_works(void **state)
{
    struct fixture *f = *state;
    f->options.path = ":memory:";
    fixture_open(f);
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 2));
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    struct store_platform platform;
    assert_int_equal(0, store_load_platform(f->store, &id, &platform, NULL));
    assert_int_equal(2, platform.certs.pck_count);
    store_platform_done(&platform);
    assert_int_equal(0, store_ping(f->store, NULL));
    assert_int_not_equal(0, access(":memory:", F_OK));
}

/* ---- ping ---- */

static void
test_ping_sees_that_nothing_can_be_written_any_more(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_int_equal(0, store_ping(f->store, NULL));
    fixture_sql(f, "CREATE TRIGGER fails BEFORE UPDATE ON pccs_owner"
                   " BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert_int_equal(0, store_ping(f->store, NULL)); /* a write of just now is proof enough */
    f->monotonic_ms += 60000;
    assert_int_equal(FAULT_STORE, store_ping(f->store, NULL));
    assert_int_equal(FAULT_STORE, store_ping(f->store, NULL));
    fixture_sql(f, "DROP TRIGGER fails");
    assert_int_equal(0, store_ping(f->store, NULL));
}

static void
test_ping_sees_that_the_tables_are_gone(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    fixture_sql(f, "DROP TABLE pccs_owner");
    assert_int_equal(FAULT_STORE, store_ping(f->store, NULL));
}

/* ---- counts ---- */

static int64_t
slow_monotonic_ms(void *self)
{
    struct fixture *f = self;
    return f->monotonic_ms += 300; /* each look at the clock takes that long */
}

static void
test_counts_are_those_of_the_tables(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct item_key tcb = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    struct item_key numbered = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_NUMBERED, "00906EA10000");
    struct item_key qae = fixture_identity_key(ENCLAVE_QAE, UPDATE_STANDARD);
    struct item_key root_crl = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &tcb, "{}", "signer", "root")));
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &numbered, "{}", "signer", "root")));
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &qae, "{}", "signer", "root")));
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &root_crl, "DER", NULL, NULL)));
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 3));
    struct store_counts counts;
    assert_int_equal(0, store_counts(f->store, &counts, NULL));
    assert_int_equal(1, counts.platforms);
    assert_int_equal(3, counts.pck_certs);
    assert_int_equal(2, counts.tcb_infos);
    assert_int_equal(1, counts.identities);
    assert_int_equal(1, counts.crls);
    assert_int_equal(1, counts.raw_tcbs);
}

static void
test_slow_counting_is_not_repeated_at_once(void **state)
{
    struct fixture *f = *state;
    f->clock.monotonic_ms = slow_monotonic_ms;
    fixture_open(f);
    struct store_counts counts;
    assert_int_equal(0, store_counts(f->store, &counts, NULL));
    assert_int_equal(0, counts.platforms);
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 3));
    assert_int_equal(0, store_counts(f->store, &counts, NULL));
    assert_int_equal(0, counts.platforms);
    f->monotonic_ms += 100 * 300;
    assert_int_equal(0, store_counts(f->store, &counts, NULL));
    assert_int_equal(1, counts.platforms);
}

/* ---- checking without opening ---- */

static const char *
foreseen(struct fixture *f)
{
    struct fault why = {0};
    f->notices[0] = '\0';
    if (store_check_sqlite(&f->options, &why) != 0) {
        fail_msg("%s", why.text);
    }
    return f->notices;
}

static void
test_a_check_refuses_what_opening_would(void **state)
{
    struct fixture *f = *state;
    struct fault why = {0};
    f->options.init_db = false;
    assert_int_equal(FAULT_CONFIG, store_check_sqlite(&f->options, &why));
    assert_non_null(strstr(why.text, f->path));
    write_file(f->path, "This is a text, and long enough to be taken for the head of a database: it"
                        " has more than one hundred bytes, as such a head has.\n");
    assert_int_equal(FAULT_CONFIG, store_check_sqlite(&f->options, &why));
    assert_int_equal(0, unlink(f->path));
    f->options.init_db = true;
    fixture_apply(f, "version_3.sql");
    f->options.server_addr = "sbx.api.trustedservices.intel.com";
    assert_int_equal(FAULT_CONFIG, store_check_sqlite(&f->options, &why));
    assert_non_null(strstr(why.text, "sbx.api.trustedservices.intel.com"));
}

static void
test_a_check_says_what_would_be_done_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    assert_non_null(strstr(foreseen(f), "will be made"));
    assert_int_not_equal(0, access(f->path, F_OK));
    fixture_apply(f, "version_3.sql");
    assert_non_null(strstr(foreseen(f), "version 3"));
    assert_string_equal("3", fixture_text(f, "SELECT db_version FROM pcs_version"));
    assert_string_equal("delete", fixture_text(f, "PRAGMA journal_mode"));
    char lock[160];
    snprintf(lock, sizeof lock, "%s.lock", f->path);
    assert_int_not_equal(0, access(lock, F_OK));
    fixture_open(f);
    assert_non_null(strstr(foreseen(f), FIXTURE_HOST)); /* while somebody uses it */
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
}

static void
test_a_store_that_is_one_process_s_grants_every_claim(void **state)
{
    struct fixture *f = *state;
    bool is_held = false;
    fixture_open(f);
    assert_false(store_is_shared(f->store));
    assert_int_equal(0, store_claim(f->store, "refresh", 1, &is_held, NULL));
    assert_true(is_held);
    is_held = false;
    assert_int_equal(0, store_claim(f->store, "refresh", 1, &is_held, NULL));
    assert_true(is_held);
    assert_int_equal(0, store_release(f->store, "refresh", NULL));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_closed, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_refuses_what_is_no_database),
        TEST(test_refuses_a_folder_and_a_missing_folder),
        TEST(test_refuses_to_create_when_init_db_is_false),
        TEST(test_a_second_opener_is_refused),
        TEST(test_refuses_a_file_that_may_not_be_written),
        TEST(test_a_new_file_is_not_for_everybody),
        TEST(test_a_new_database_is_as_the_reference_leaves_one),
        TEST(test_a_database_in_memory_works),
        TEST(test_ping_sees_that_nothing_can_be_written_any_more),
        TEST(test_ping_sees_that_the_tables_are_gone),
        TEST(test_counts_are_those_of_the_tables),
        TEST(test_slow_counting_is_not_repeated_at_once),
        TEST(test_a_store_that_is_one_process_s_grants_every_claim),
        TEST(test_a_check_refuses_what_opening_would),
        TEST(test_a_check_says_what_would_be_done_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
