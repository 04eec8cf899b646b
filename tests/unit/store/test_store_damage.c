/* SPDX-License-Identifier: BSD-3-Clause */
/* What only SQLite lets into its columns, which bind nobody to a type or a length; and the types
 * that the reference writes there. */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

static int
load_item(struct fixture *f, const struct item_key *key)
{
    struct raw_reply raw;
    int code = store_load_item(f->store, key, &raw, NULL);
    if (code == 0) {
        raw_reply_done(&raw);
    }
    return code;
}

static void
test_an_item_of_another_type_counts_as_missing(void **state)
{
    struct fixture *f = *state;
    struct item_key tcb = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &tcb, "{}", "signer", "root")));
    assert_int_equal(0, load_item(f, &tcb));
    const char *const damages[] = {
        "UPDATE fmspc_tcbs SET tcbinfo = 42",
        "UPDATE fmspc_tcbs SET tcbinfo = 4.2",
        "UPDATE fmspc_tcbs SET tcbinfo = 'x', signing_cert_id = 77, updated_time = 'other'",
        "UPDATE fmspc_tcbs SET signing_cert_id = 3; UPDATE pcs_certificates SET cert = 7",
        "UPDATE fmspc_tcbs SET signing_cert_id = 'three', root_cert_id = -1",
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        fixture_sql(f, damages[i]);
        assert_int_equal(FAULT_NOT_FOUND, load_item(f, &tcb));
    }
}

static bool
note_key(void *self, const struct item_key *key)
{
    (void)key;
    *(bool *)self = true;
    return false;
}

static void
test_keys_of_another_type_or_length_are_not_listed(void **state)
{
    struct fixture *f = *state;
    fixture_sql(f, "INSERT INTO fmspc_tcbs VALUES"
                   " ('00906EA10000', 0, 4, x'00', '{}', 1, 3, 't', 't'),"
                   " (x'00906EA10000', 0, 4, 'STANDARD', '{}', 1, 3, 't', 't'),"
                   " ('00906EA10000', 'SGX', 'four', 'STANDARD', '{}', 1, 3, 't', 't');"
                   "INSERT INTO crl_cache VALUES (printf('%3000s', 'x'), x'30', 't', 't'),"
                   " ('https://x/' || char(0), x'30', 't', 't')");
    bool met = false;
    assert_int_equal(0, store_each_item(f->store, note_key, &met, NULL));
    assert_false(met);
}

static void
test_a_platform_of_another_type_counts_as_not_cached(void **state)
{
    struct fixture *f = *state;
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    struct store_platform platform;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    fixture_sql(f, "UPDATE platforms SET fmspc = x'00906EA10000'");
    assert_int_equal(FAULT_NOT_FOUND, store_load_platform(f->store, &id, &platform, NULL));
}

static void
test_a_certificate_of_another_type_is_passed_over(void **state)
{
    struct fixture *f = *state;
    struct platform_id id = fixture_platform(FIXTURE_Q1);
    struct store_platform platform;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 2));
    fixture_sql(f, "INSERT INTO pck_cert VALUES ('" FIXTURE_Q1 "', '0000', 'E', 5, 't', 't'),"
                   " ('" FIXTURE_Q1 "', '0000', 'F', 'a' || char(0) || 'b', 't', 't')");
    assert_int_equal(0, store_load_platform(f->store, &id, &platform, NULL));
    assert_int_equal(2, platform.certs.pck_count);
    store_platform_done(&platform);
}

static bool
count_platform(void *self, const struct store_platform *platform)
{
    size_t *count = self;
    assert_string_equal(FIXTURE_Q1, platform->id.qeid);
    *count += 1;
    return true;
}

static void
test_platforms_of_another_type_do_not_stop_the_listing(void **state)
{
    struct fixture *f = *state;
    size_t count = 0;
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    fixture_sql(f, "INSERT INTO platforms VALUES"
                   " (x'00', '0000', '', '', '00906EA10000', 'PLATFORM', 't', 't'),"
                   " ('B' || char(0), '0000', '', '', '00906EA10000', 'PLATFORM', 't', 't'),"
                   " (printf('%5000s', 'x'), '0000', '', '', '00906EA10000', 'PLATFORM', 't',"
                   " 't')");
    assert_int_equal(0, store_each_platform(f->store, NULL, 0, count_platform, &count, NULL));
    assert_int_equal(1, count);
}

static void
test_queue_rows_of_another_type_are_neither_handed_out_nor_marked(void **state)
{
    struct fixture *f = *state;
    fixture_sql(f, "INSERT INTO platforms_registered VALUES"
                   " (x'00', '0000', '', '', '', '', 0, 't', 't'),"
                   " (printf('%2000s', 'x'), '0000', '', '', '', '', 0, 't', 't'),"
                   " ('D', '0000', '', '', NULL, 17, 0, 't', 't')");
    struct queue_row *rows = NULL;
    size_t count = 0;
    assert_int_equal(0, store_queue_list(f->store, QUEUE_SOURCE_REG, true, &rows, &count, NULL));
    assert_int_equal(1, count);
    assert_string_equal("D", rows[0].id.qeid);
    assert_string_equal("", rows[0].manifest);
    queue_row_done(&rows[0]);
    free(rows);
    assert_int_equal(
        2, fixture_number(f, "SELECT count(*) FROM platforms_registered WHERE state = 0"));
}

static void
test_blobs_are_blobs_as_the_reference_writes_them(void **state)
{
    struct fixture *f = *state;
    struct item_key tcb = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    struct queue_row row = {.id = fixture_platform(FIXTURE_Q1), .manifest = "0a"};
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &tcb, "{}", "signer", "root")));
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1));
    assert_int_equal(0, store_queue_put(f->store, &row, 1, NULL));
    assert_string_equal("blob", fixture_text(f, "SELECT typeof(tcbinfo) FROM fmspc_tcbs"));
    assert_string_equal("blobblob",
                        fixture_text(f, "SELECT typeof(platform_manifest) || typeof(enc_ppid)"
                                        " FROM platforms"));
    assert_string_equal("blobblob",
                        fixture_text(f, "SELECT typeof(platform_manifest) || typeof(enc_ppid)"
                                        " FROM platforms_registered"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_an_item_of_another_type_counts_as_missing),
        FIXTURE_TEST(test_keys_of_another_type_or_length_are_not_listed),
        FIXTURE_TEST(test_a_platform_of_another_type_counts_as_not_cached),
        FIXTURE_TEST(test_a_certificate_of_another_type_is_passed_over),
        FIXTURE_TEST(test_platforms_of_another_type_do_not_stop_the_listing),
        FIXTURE_TEST(test_queue_rows_of_another_type_are_neither_handed_out_nor_marked),
        FIXTURE_TEST(test_blobs_are_blobs_as_the_reference_writes_them),
    };
    return FIXTURE_RUN(tests);
}
