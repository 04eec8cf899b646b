/* SPDX-License-Identifier: BSD-3-Clause */
/* The chains at hand, for what comes without one (trust.md 8). */
#include "store_fixture.h"

#include <string.h>

static struct store_chains
load(struct fixture *f)
{
    struct store_chains chains;
    assert_int_equal(0, store_load_chains(f->store, &chains, NULL));
    return chains;
}

static void
test_chains_that_never_came_are_empty(void **state)
{
    struct fixture *f = *state;
    struct store_chains chains = load(f);
    assert_string_equal("", chains.pck_chain_pems[PCK_CA_PROCESSOR]);
    assert_string_equal("", chains.pck_chain_pems[PCK_CA_PLATFORM]);
    assert_string_equal("", chains.tcb_signing_chain_pem);
    assert_string_equal("", chains.root_pem);
    store_chains_done(&chains);
}

static void
test_a_signer_without_root_is_no_chain(void **state)
{
    struct fixture *f = *state;
    fixture_sql(f, "INSERT INTO pcs_certificates VALUES (2, 'PROC', NULL, " BEHIND_TIMES "),"
                   " (1, NULL, unhex('30'), " BEHIND_TIMES ")");
    struct store_chains chains = load(f);
    assert_string_equal("", chains.pck_chain_pems[PCK_CA_PROCESSOR]);
    assert_string_equal("", chains.root_pem);
    store_chains_done(&chains);
}

static void
test_damaged_certificates_are_no_chain(void **state)
{
    struct fixture *f = *state;
    fixture_sql(f, "INSERT INTO pcs_certificates VALUES (1, 'ROOT', NULL, " BEHIND_TIMES
                   "), (2, '%0', NULL, " BEHIND_TIMES "), (3, zeroblob(10), NULL, " BEHIND_TIMES
                   "), (4, zeroblob(100000), NULL, " BEHIND_TIMES ")");
    struct store_chains chains = load(f);
    assert_string_equal("", chains.pck_chain_pems[PCK_CA_PROCESSOR]);
    assert_string_equal("", chains.pck_chain_pems[PCK_CA_PLATFORM]);
    assert_string_equal("", chains.tcb_signing_chain_pem);
    assert_string_equal("ROOT\n", chains.root_pem);
    store_chains_done(&chains);
}

static void
test_chains_are_decoded_signer_first(void **state)
{
    struct fixture *f = *state;
    struct item_key crl = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM};
    struct item_key qe = fixture_identity_key(ENCLAVE_QE, UPDATE_STANDARD);
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &crl, "DER", "platform", "root")));
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &qe, "{}", "signer", "root")));
    assert_int_equal(0, fixture_put_platform(f, FIXTURE_Q1, 1)); /* processor */
    fixture_reopen(f);
    struct store_chains chains = load(f);
    assert_string_equal(fixture_pem("root"), chains.root_pem);
    const char *const found[] = {chains.pck_chain_pems[PCK_CA_PROCESSOR],
                                 chains.pck_chain_pems[PCK_CA_PLATFORM],
                                 chains.tcb_signing_chain_pem};
    const char *const signers[] = {"processor", "platform", "signer"};
    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(fixture_pem(signers[i]));
        assert_memory_equal(fixture_pem(signers[i]), found[i], size);
        assert_string_equal(fixture_pem("root"), found[i] + size);
    }
    store_chains_done(&chains);
}

static void
test_a_chain_is_kept_once_however_many_items_share_it(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 5; i++) {
        struct item_key key = fixture_identity_key(ENCLAVE_QE, UPDATE_NUMBERED);
        key.eval_number = i;
        assert_int_equal(0, fixture_put_item(f, fixture_item(f, &key, "{}", "signer", "root")));
    }
    assert_int_equal(1, fixture_number(f, "SELECT count(*) FROM pccs_chains"));
    assert_int_equal(5, fixture_number(f, "SELECT count(*) FROM pccs_item_chains"));
}

static void
test_an_unchanged_certificate_is_not_written_again(void **state)
{
    struct fixture *f = *state;
    struct item_key qe = fixture_identity_key(ENCLAVE_QE, UPDATE_STANDARD);
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &qe, "{}", "signer", "root")));
    f->now += 1000;
    assert_int_equal(0, fixture_put_item(f, fixture_item(f, &qe, "{}", "signer", "root")));
    assert_string_equal(FIXTURE_NOW_TEXT, fixture_text(f, "SELECT stamp_text(updated_time) FROM"
                                                          " pcs_certificates WHERE id = 3"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_chains_that_never_came_are_empty),
        FIXTURE_TEST(test_a_signer_without_root_is_no_chain),
        FIXTURE_TEST(test_damaged_certificates_are_no_chain),
        FIXTURE_TEST(test_chains_are_decoded_signer_first),
        FIXTURE_TEST(test_a_chain_is_kept_once_however_many_items_share_it),
        FIXTURE_TEST(test_an_unchanged_certificate_is_not_written_again),
    };
    return FIXTURE_RUN(tests);
}
