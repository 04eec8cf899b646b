/* SPDX-License-Identifier: BSD-3-Clause */
/* Items: each kind goes where database.md says and comes back as it went; damaged rows do not. */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>

#define BODY "{\"tcbInfo\":{},\"signature\":\"00\"}"

/* Loads key; "none" if there is nothing, else the body, a static copy. */
static const char *
load(struct fixture *f, const struct item_key *key)
{
    static char body[1024];
    struct raw_reply raw;
    struct fault why = {0};
    int code = store_load_item(f->store, key, &raw, &why);
    if (code == FAULT_NOT_FOUND) {
        return "none";
    }
    assert_int_equal(0, code);
    snprintf(body, sizeof body, "%s", buf_text(&raw.body));
    raw_reply_done(&raw);
    return body;
}

/* The issuer chain that comes with key, a static copy; "" for none. */
static const char *
load_chain(struct fixture *f, const struct item_key *key)
{
    static char chain[1024];
    struct raw_reply raw;
    assert_int_equal(0, store_load_item(f->store, key, &raw, NULL));
    snprintf(chain, sizeof chain, "%s", raw.issuer_chain != NULL ? raw.issuer_chain : "");
    raw_reply_done(&raw);
    return chain;
}

static struct item_key
url_key(const char *url)
{
    struct item_key key = {.kind = ITEM_CRL, .api_version = 4};
    snprintf(key.url, sizeof key.url, "%s", url);
    return key;
}

static void
test_an_unknown_item_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct item_key keys[] = {
        fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000"),
        fixture_identity_key(ENCLAVE_QE, UPDATE_EARLY),
        {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM},
        {.kind = ITEM_ROOT_CRL, .api_version = 4},
        url_key("https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"),
        {.kind = ITEM_EVALNUMBERS, .api_version = 4, .product = PRODUCT_TDX},
        {.kind = ITEM_FMSPCS, .api_version = 4, .url = "all"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_string_equal("none", load(f, &keys[i]));
    }
}

static void
test_refuses_kinds_that_are_no_items(void **state)
{
    struct fixture *f = *state;
    struct item_key pck = {.kind = ITEM_PCK, .platform = fixture_platform("AA")};
    struct raw_reply raw;
    assert_int_equal(FAULT_INTERNAL, store_load_item(f->store, &pck, &raw, NULL));
    struct item_key policies = {.kind = ITEM_POLICIES};
    assert_int_equal(FAULT_INTERNAL, store_load_item(f->store, &policies, &raw, NULL));
    struct proven *item = fixture_item(f, &policies, "x", NULL, NULL);
    assert_int_equal(FAULT_INTERNAL, fixture_put_item(f, item));
}

static void
test_refuses_to_put_a_tcb_info_without_its_chain(void **state)
{
    struct fixture *f = *state;
    struct item_key key = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    assert_int_equal(FAULT_INTERNAL, fixture_put_item(f, fixture_item(f, &key, BODY, NULL, NULL)));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM fmspc_tcbs"));
}

static void
test_an_item_whose_chain_never_came_counts_as_missing(void **state)
{
    struct fixture *f = *state;
    fixture_sql(f, "INSERT INTO pck_crl VALUES ('PLATFORM', unhex('3000'), 1, 4, " BEHIND_TIMES ");"
                   "INSERT INTO fmspc_tcbs VALUES ('00906EA10000', 0, 4, 'STANDARD', '{}', 1, 3,"
                   " " BEHIND_TIMES ");"
                   "INSERT INTO pcs_certificates VALUES (3, 'PEM%0A', NULL, " BEHIND_TIMES ")");
    struct item_key crl = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM};
    struct item_key tcb = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    assert_string_equal("none", load(f, &crl));
    assert_string_equal("none", load(f, &tcb)); /* the signer is there, the root is not */
    fixture_sql(f, "INSERT INTO pcs_certificates VALUES (1, 'ROOT', NULL, " BEHIND_TIMES ")");
    assert_string_equal("{}", load(f, &tcb));
    assert_string_equal("PEM\nROOT\n", load_chain(f, &tcb));
}

static void
test_damaged_rows_count_as_missing(void **state)
{
    struct fixture *f = *state;
    struct item_key tcb = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &tcb, BODY, "signer", "root")));
    const char *const damages[] = {
        "UPDATE fmspc_tcbs SET tcbinfo = NULL",
        "UPDATE fmspc_tcbs SET tcbinfo = zeroblob(0)",
        "UPDATE fmspc_tcbs SET tcbinfo = 'x', signing_cert_id = 77, updated_time = " BEHIND_TIME,
        "UPDATE fmspc_tcbs SET signing_cert_id = 3; UPDATE pcs_certificates SET cert = NULL",
        "UPDATE pcs_certificates SET cert = '%zz'",
        "UPDATE pcs_certificates SET cert = 'a%00b'",
        "UPDATE pcs_certificates SET cert = zeroblob(100)",
        "UPDATE pcs_certificates SET cert = unhex(repeat('41', 100000))",
        "UPDATE fmspc_tcbs SET signing_cert_id = NULL",
        "UPDATE fmspc_tcbs SET signing_cert_id = 3, root_cert_id = -1",
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        fixture_sql(f, damages[i]);
        assert_string_equal("none", load(f, &tcb));
    }
}

static void
test_a_row_beyond_its_ceiling_is_a_clean_fault(void **state)
{
    struct fixture *f = *state;
    struct item_key crl = url_key("https://x/IntelSGXRootCA.der");
    struct raw_reply raw;
    fixture_sql(f, "INSERT INTO crl_cache VALUES ('https://x/IntelSGXRootCA.der',"
                   " zeroblob(8388609), " BEHIND_TIMES ")");
    struct fault why = {0};
    assert_int_equal(FAULT_STORE, store_load_item(f->store, &crl, &raw, &why));
    assert_non_null(strstr(why.text, "too large"));
    assert_string_equal("store", why.stage);
}

static void
test_a_tcb_info_comes_back_with_its_chain(void **state)
{
    struct fixture *f = *state;
    struct item_key key = fixture_tcb_key(PRODUCT_TDX, 4, UPDATE_EARLY, "00906EA10000");
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &key, BODY, "signer", "root")));
    fixture_reopen(f);
    assert_string_equal(BODY, load(f, &key));
    assert_string_equal("-----BEGIN CERTIFICATE-----\nsigner\n-----END CERTIFICATE-----\n"
                        "-----BEGIN CERTIFICATE-----\nroot\n-----END CERTIFICATE-----\n",
                        load_chain(f, &key));
    struct item_key standard = fixture_tcb_key(PRODUCT_TDX, 4, UPDATE_STANDARD, "00906EA10000");
    struct item_key sgx = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_EARLY, "00906EA10000");
    struct item_key v3 = fixture_tcb_key(PRODUCT_TDX, 3, UPDATE_EARLY, "00906EA10000");
    assert_string_equal("none", load(f, &standard));
    assert_string_equal("none", load(f, &sgx));
    assert_string_equal("none", load(f, &v3));
}

static void
test_rows_are_written_as_the_reference_writes_them(void **state)
{
    struct fixture *f = *state;
    struct item_key tcb = fixture_tcb_key(PRODUCT_TDX, 4, UPDATE_EARLY, "00906EA10000");
    struct item_key identity = fixture_identity_key(ENCLAVE_TDQE, UPDATE_STANDARD);
    struct item_key crl = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM};
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &tcb, BODY, "signer", "root")));
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &identity, "{}", "signer", "root")));
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &crl, "DER", "platform", "root")));
    assert_string_equal(
        "00906EA10000 1 4 EARLY 1 3 " FIXTURE_NOW_TEXT " " FIXTURE_NOW_TEXT,
        fixture_text(f, "SELECT fmspc || ' ' || type || ' ' || version || ' ' || update_type || ' '"
                        " || root_cert_id || ' ' || signing_cert_id || ' ' ||"
                        " stamp_text(created_time) || ' ' || stamp_text(updated_time)"
                        " FROM fmspc_tcbs"));
    assert_string_equal("3 4 STANDARD 1 3",
                        fixture_text(f, "SELECT id || ' ' || version || ' ' || update_type || ' '"
                                        " || root_cert_id || ' ' || signing_cert_id"
                                        " FROM enclave_identities"));
    assert_string_equal("PLATFORM 1 4", fixture_text(f, "SELECT ca || ' ' || root_cert_id || ' ' ||"
                                                        " intmd_cert_id FROM pck_crl"));
    assert_string_equal("-----BEGIN%20CERTIFICATE-----%0Asigner%0A-----END%20CERTIFICATE-----%0A",
                        fixture_text(f, "SELECT text_of(cert) FROM pcs_certificates WHERE id = 3"));
    assert_string_equal("-----BEGIN%20CERTIFICATE-----%0Aroot%0A-----END%20CERTIFICATE-----%0A",
                        fixture_text(f, "SELECT text_of(cert) FROM pcs_certificates WHERE id = 1"));
    assert_string_equal("-----BEGIN%20CERTIFICATE-----%0Aplatform%0A-----END%20CERTIFICATE-----%0A",
                        fixture_text(f, "SELECT text_of(cert) FROM pcs_certificates WHERE id = 4"));
}

static void
test_putting_again_replaces_and_keeps_created_time(void **state)
{
    struct fixture *f = *state;
    struct item_key key = fixture_identity_key(ENCLAVE_QVE, UPDATE_STANDARD);
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &key, "{1}", "signer", "root")));
    f->now += 3600;
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &key, "{2}", "signer", "root")));
    assert_string_equal("{2}", load(f, &key));
    assert_int_equal(1, fixture_number(f, "SELECT count(*) FROM enclave_identities"));
    assert_string_equal(
        FIXTURE_NOW_TEXT " 2025-07-01 01:00:00.000 +00:00",
        fixture_text(f, "SELECT stamp_text(created_time) || ' ' || stamp_text(updated_time)"
                        " FROM enclave_identities"));
}

static void
test_what_the_reference_has_no_column_for_lies_in_our_table(void **state)
{
    struct fixture *f = *state;
    struct item_key keys[] = {
        fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_NUMBERED, "00906EA10000"),
        fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_NUMBERED, "00906EA10000"),
        fixture_identity_key(ENCLAVE_QE, UPDATE_NUMBERED),
        fixture_identity_key(ENCLAVE_QAE, UPDATE_STANDARD),
        {.kind = ITEM_EVALNUMBERS, .api_version = 4, .product = PRODUCT_TDX},
    };
    keys[0].eval_number = 17;
    keys[1].eval_number = 18;
    keys[2].eval_number = 17;
    char body[16];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(body, sizeof body, "{%zu}", i);
        assert_int_equal(0, fixture_put_item(f, fixture_item(f, &keys[i], body, "signer", "root")));
    }
    struct item_key fmspcs = {.kind = ITEM_FMSPCS, .api_version = 4, .url = "E3"};
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &fmspcs, "[]", NULL, NULL)));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(body, sizeof body, "{%zu}", i);
        assert_string_equal(body, load(f, &keys[i]));
        assert_non_null(strstr(load_chain(f, &keys[i]), "signer"));
    }
    assert_string_equal("[]", load(f, &fmspcs));
    assert_int_equal(6, fixture_number(f, "SELECT count(*) FROM pccs_items"));
    assert_int_equal(0, fixture_number(f, "SELECT count(*) FROM fmspc_tcbs") +
                            fixture_number(f, "SELECT count(*) FROM enclave_identities"));
}

static void
test_the_root_crl_may_come_before_the_root_certificate(void **state)
{
    struct fixture *f = *state;
    struct item_key root_crl = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &root_crl, "DER1", NULL, NULL)));
    assert_string_equal("DER1", load(f, &root_crl));
    assert_string_equal("", load_chain(f, &root_crl));
    assert_string_equal("NULL",
                        fixture_text(f, "SELECT text_of(cert) FROM pcs_certificates WHERE id = 1"));
    /* The certificate, once it comes, leaves the CRL where it is, and the other way round. */
    struct item_key tcb = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &tcb, BODY, "signer", "root")));
    assert_string_equal("DER1", load(f, &root_crl));
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &root_crl, "DER2", NULL, NULL)));
    assert_string_equal("DER2", load(f, &root_crl));
    assert_string_equal(BODY, load(f, &tcb));
}

static void
test_the_root_crl_hits_under_its_url_too(void **state)
{
    struct fixture *f = *state;
    struct item_key root_crl = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    struct item_key url = url_key("https://certificates.trustedservices.intel.com/Root.der");
    const struct proven *item = fixture_item(f, &root_crl, "DER", NULL, NULL);
    const struct store_batch batch = {.items = &item, .item_count = 1, .root_crl_url = url.url};
    assert_int_equal(0, store_put(f->store, &batch, NULL));
    assert_string_equal("DER", load(f, &url));
    assert_string_equal("", load_chain(f, &url));
    size_t count = 0;
    assert_int_equal(0, store_count_crl_urls(f->store, &count, NULL));
    assert_int_equal(1, count);
}

/* ---- a renewed signer ---- */

static void
test_a_renewed_signer_does_not_orphan_older_items(void **state)
{
    struct fixture *f = *state;
    struct item_key older = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    struct item_key newer = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "30606A000000");
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &older, "{1}", "signer1", "root")));
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &newer, "{2}", "signer2", "root")));
    assert_non_null(strstr(load_chain(f, &older), "signer1"));
    assert_non_null(strstr(load_chain(f, &newer), "signer2"));
    assert_non_null(strstr(
        fixture_text(f, "SELECT text_of(cert) FROM pcs_certificates WHERE id = 3"), "signer2"));
}

static void
test_a_row_that_the_reference_wrote_since_has_the_shared_chain(void **state)
{
    struct fixture *f = *state;
    struct item_key key = fixture_tcb_key(PRODUCT_SGX, 4, UPDATE_STANDARD, "00906EA10000");
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &key, "{1}", "signer1", "root")));
    fixture_sql(f, "UPDATE fmspc_tcbs SET tcbinfo = '{2}',"
                   " updated_time = '2025-07-02 11:12:13.456';"
                   "UPDATE pcs_certificates SET cert = 'signer2' WHERE id = 3");
    assert_string_equal("{2}", load(f, &key));
    assert_non_null(strstr(load_chain(f, &key), "signer2"));
}

/* ---- every key ---- */

struct met {
    struct item_key keys[400];
    size_t count, stop_at;
};

static bool
meet(void *self, const struct item_key *key)
{
    struct met *met = self;
    assert_true(met->count < sizeof met->keys / sizeof met->keys[0]);
    met->keys[met->count++] = *key;
    return met->count != met->stop_at;
}

static bool
has_met(const struct met *met, const struct item_key *key)
{
    for (size_t i = 0; i < met->count; i++) {
        if (item_key_equal(&met->keys[i], key)) {
            return true;
        }
    }
    return false;
}

static void
test_every_stored_key_is_listed_once(void **state)
{
    struct fixture *f = *state;
    struct item_key keys[] = {
        fixture_tcb_key(PRODUCT_SGX, 3, UPDATE_STANDARD, "00906EA10000"),
        fixture_tcb_key(PRODUCT_TDX, 4, UPDATE_EARLY, "00906EA10000"),
        fixture_tcb_key(PRODUCT_TDX, 4, UPDATE_NUMBERED, "00906EA10000"),
        fixture_identity_key(ENCLAVE_TDQE, UPDATE_EARLY),
        fixture_identity_key(ENCLAVE_QAE, UPDATE_EARLY),
        {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PROCESSOR},
        {.kind = ITEM_EVALNUMBERS, .api_version = 4, .product = PRODUCT_TDX},
        {.kind = ITEM_ROOT_CRL, .api_version = 4},
        url_key("https://x/IntelSGXRootCA.der"),
        {.kind = ITEM_FMSPCS, .api_version = 4, .url = "all"},
    };
    keys[2].eval_number = 4000000000;
    size_t count = sizeof keys / sizeof keys[0];
    for (size_t i = 0; i < count; i++) {
        const char *signer = i < 7 ? "signer" : NULL;
        assert_int_equal(0, fixture_put_item(f, fixture_item(f, &keys[i], "x", signer, "root")));
    }
    static struct met met;
    met = (struct met){0};
    assert_int_equal(0, store_each_item(f->store, meet, &met, NULL));
    assert_int_equal(count, met.count);
    for (size_t i = 0; i < count; i++) {
        assert_true(has_met(&met, &keys[i]));
    }
}

static void
test_the_listing_goes_over_pages_and_stops_when_told(void **state)
{
    struct fixture *f = *state;
    fixture_sql(f, "INSERT INTO fmspc_tcbs"
                   " WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 299)"
                   " SELECT hex_pad(i, 12), 0, 4, 'STANDARD', '{}', 1, 3, " BEHIND_TIMES " FROM n");
    static struct met met;
    met = (struct met){0};
    assert_int_equal(0, store_each_item(f->store, meet, &met, NULL));
    assert_int_equal(300, met.count);
    met = (struct met){.stop_at = 65};
    assert_int_equal(0, store_each_item(f->store, meet, &met, NULL));
    assert_int_equal(65, met.count);
}

static void
test_damaged_keys_are_not_listed(void **state)
{
    struct fixture *f = *state;
    fixture_sql(f,
                "INSERT INTO fmspc_tcbs VALUES"
                " ('not hex', 0, 4, 'STANDARD', '{}', 1, 3, " BEHIND_TIMES "),"
                " ('00906EA10000', 2, 4, 'STANDARD', '{}', 1, 3, " BEHIND_TIMES "),"
                " ('00906EA10000', 0, 5, 'STANDARD', '{}', 1, 3, " BEHIND_TIMES "),"
                " ('00906EA10000', 0, 4, 'ALL', '{}', 1, 3, " BEHIND_TIMES "),"
                " ('00906EA10000', 0, 4, '', '{}', 1, 3, " BEHIND_TIMES ");"
                "INSERT INTO enclave_identities VALUES"
                " (5, 4, 'STANDARD', '{}', 1, 3, " BEHIND_TIMES "),"
                " (-1, 4, 'STANDARD', '{}', 1, 3, " BEHIND_TIMES ");"
                "INSERT INTO pck_crl VALUES ('ROOT', unhex('30'), 1, 2, " BEHIND_TIMES ");"
                "INSERT INTO crl_cache VALUES (repeat('x', 2100), unhex('30'), " BEHIND_TIMES "),"
                " ('', unhex('30'), " BEHIND_TIMES ");"
                "INSERT INTO pccs_items VALUES"
                " ('tcb/SGX/4/17/00906EA10000', 4, 0, 0, 'NUMBERED', 18, '00906EA10000', '', "
                "'{}', " BEHIND_TIMES "),"
                " ('tcb/', 4, 0, 0, 'NUMBERED', -1, '', '', '{}', " BEHIND_TIMES "),"
                " ('other', 4, 0, 0, '', 0, '', 'other', '{}', " BEHIND_TIMES ")");
    static struct met met;
    met = (struct met){0};
    assert_int_equal(0, store_each_item(f->store, meet, &met, NULL));
    assert_int_equal(0, met.count);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_an_unknown_item_is_not_found),
        FIXTURE_TEST(test_refuses_kinds_that_are_no_items),
        FIXTURE_TEST(test_refuses_to_put_a_tcb_info_without_its_chain),
        FIXTURE_TEST(test_an_item_whose_chain_never_came_counts_as_missing),
        FIXTURE_TEST(test_damaged_rows_count_as_missing),
        FIXTURE_TEST(test_a_row_beyond_its_ceiling_is_a_clean_fault),
        FIXTURE_TEST(test_a_tcb_info_comes_back_with_its_chain),
        FIXTURE_TEST(test_rows_are_written_as_the_reference_writes_them),
        FIXTURE_TEST(test_putting_again_replaces_and_keeps_created_time),
        FIXTURE_TEST(test_what_the_reference_has_no_column_for_lies_in_our_table),
        FIXTURE_TEST(test_the_root_crl_may_come_before_the_root_certificate),
        FIXTURE_TEST(test_the_root_crl_hits_under_its_url_too),
        FIXTURE_TEST(test_a_renewed_signer_does_not_orphan_older_items),
        FIXTURE_TEST(test_a_row_that_the_reference_wrote_since_has_the_shared_chain),
        FIXTURE_TEST(test_every_stored_key_is_listed_once),
        FIXTURE_TEST(test_the_listing_goes_over_pages_and_stops_when_told),
        FIXTURE_TEST(test_damaged_keys_are_not_listed),
    };
    return FIXTURE_RUN(tests);
}
