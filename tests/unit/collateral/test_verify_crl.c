/* SPDX-License-Identifier: BSD-3-Clause */
/* verify() of revocation lists (trust.md rules 1, 2, 4, 5; reference_faults.md, Trust). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/mem.h"
#include "support/realdata.h"
#include "verify_fixture.h"

static const struct item_key PCK_CRLS[2] = {
    {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PROCESSOR},
    {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM}};
static const struct item_key ROOT_CRL = {.kind = ITEM_ROOT_CRL, .api_version = 4};
static const char INTEL_PCKCRL[] = "https://api.trustedservices.intel.com/sgx/certification/v4/"
                                   "pckcrl?ca=processor&encoding=der";
static const char INTEL_ROOT[] =
    "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

static struct testpki_crl
crl_of(X509 *issuer, EVP_PKEY *key)
{
    return (struct testpki_crl){.issuer = issuer,
                                .key = key,
                                .this_update = TESTPKI_NOW - TESTPKI_DAY,
                                .next_update = TESTPKI_NOW + 30 * TESTPKI_DAY};
}

static int
judge(struct verify_fixture *f, const struct item_key *key, const struct testpki_crl *spec,
      const char *chain)
{
    size_t size = 0;
    auto_free uint8_t *der = testpki_crl_der(spec, &size);
    return verify_bytes(f, key, span_of(der, size), chain);
}

static struct item_key
url_key(const char *url)
{
    struct item_key key = {.kind = ITEM_CRL, .api_version = 4};
    assert_true(span_to_text(span_of_text(url), key.url, sizeof key.url));
    return key;
}

static void
test_refuses_the_list_of_the_other_ca(void **state)
{
    struct verify_fixture *f = *state;
    for (int ca = 0; ca < 2; ca++) {
        struct testpki_crl spec = crl_of(f->pki->cas[ca], f->pki->ca_keys[ca]);
        assert_refused(f, judge(f, &PCK_CRLS[1 - ca], &spec, f->pki->ca_chains[ca]), FAULT_MISMATCH,
                       "CA");
        assert_refused(f, judge(f, &PCK_CRLS[1 - ca], &spec, f->pki->ca_chains[1 - ca]),
                       FAULT_SIGNATURE, "another issuer");
        assert_int_equal(judge(f, &PCK_CRLS[ca], &spec, f->pki->ca_chains[ca]), 0);
    }
}

static void
test_refuses_a_forged_list(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_crl spec = crl_of(f->pki->cas[0], f->pki->ca_keys[1]);
    assert_refused(f, judge(f, &PCK_CRLS[0], &spec, f->pki->ca_chains[0]), FAULT_SIGNATURE,
                   "rule 4");
    struct testpki_crl root = crl_of(f->pki->root, f->pki->ca_keys[0]);
    assert_int_equal(judge(f, &ROOT_CRL, &root, NULL), FAULT_SIGNATURE);
}

static void
test_refuses_a_list_of_another_pki(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki *other = testpki_new();
    struct testpki_crl spec = crl_of(other->cas[0], other->ca_keys[0]);
    assert_int_equal(judge(f, &PCK_CRLS[0], &spec, other->ca_chains[0]), FAULT_CHAIN);
    assert_int_equal(judge(f, &PCK_CRLS[0], &spec, f->pki->ca_chains[0]), FAULT_SIGNATURE);
    struct testpki_crl root = crl_of(other->root, other->root_key);
    assert_int_equal(judge(f, &ROOT_CRL, &root, NULL), FAULT_SIGNATURE);
    testpki_free(other);
}

static void
test_refuses_a_pck_ca_list_as_the_root_list(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_crl spec = crl_of(f->pki->cas[0], f->pki->ca_keys[0]);
    assert_int_equal(judge(f, &ROOT_CRL, &spec, f->pki->ca_chains[0]), FAULT_SIGNATURE);
    struct testpki_crl root = crl_of(f->pki->root, f->pki->root_key);
    assert_int_equal(judge(f, &PCK_CRLS[0], &root, f->pki->ca_chains[0]), FAULT_SIGNATURE);
}

static void
test_refuses_a_list_signed_by_tcb_signing(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_crl spec = crl_of(f->pki->signer, f->pki->signer_key);
    assert_int_equal(judge(f, &PCK_CRLS[0], &spec, f->pki->signer_chain), FAULT_SIGNATURE);
}

static void
test_refuses_what_is_no_list(void **state)
{
    struct verify_fixture *f = *state;
    static const char *const texts[] = {"",         "hello",  "<html>", "zz",
                                        "3082012a", "308201", "3",      "-----BEGIN X509 CRL-----"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_int_equal(verify_text(f, &PCK_CRLS[0], texts[i], f->pki->ca_chains[0]), FAULT_INPUT);
        assert_int_equal(verify_text(f, &ROOT_CRL, texts[i], NULL), FAULT_INPUT);
    }
}

static void
test_refuses_hex_cut_at_a_bad_digit(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_crl spec = crl_of(f->pki->root, f->pki->root_key);
    size_t size = 0;
    auto_free uint8_t *der = testpki_crl_der(&spec, &size);
    auto_free char *hex = malloc(2 * size + 1);
    hex_encode_lower(span_of(der, size), hex);
    assert_int_equal(verify_text(f, &ROOT_CRL, hex, NULL), 0); /* a PCCS as upstream sends hex */
    char kept = hex[100];
    hex[100] = 'g';
    assert_int_equal(verify_text(f, &ROOT_CRL, hex, NULL), FAULT_INPUT);
    hex[100] = kept;
    hex[2 * size - 1] = '\0';
    assert_int_equal(verify_text(f, &ROOT_CRL, hex, NULL), FAULT_INPUT);
}

static void
test_refuses_a_this_update_more_than_a_day_ahead(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_crl spec = crl_of(f->pki->root, f->pki->root_key);
    spec.this_update = TESTPKI_NOW + TESTPKI_DAY + 1;
    assert_refused(f, judge(f, &ROOT_CRL, &spec, NULL), FAULT_MISMATCH, "24 hours");
    spec.this_update = TESTPKI_NOW + TESTPKI_DAY;
    assert_int_equal(judge(f, &ROOT_CRL, &spec, NULL), 0);
    spec.next_update = 0;
    assert_refused(f, judge(f, &ROOT_CRL, &spec, NULL), FAULT_INPUT, "nextUpdate");
}

static void
test_refuses_a_ca_not_valid_at_this_update(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_crl spec = crl_of(f->pki->cas[0], f->pki->ca_keys[0]);
    spec.this_update = TESTPKI_BORN - 1;
    assert_refused(f, judge(f, &PCK_CRLS[0], &spec, f->pki->ca_chains[0]), FAULT_CHAIN, "rule 1");
}

static void
test_refuses_a_new_list_by_a_revoked_ca(void **state)
{
    struct verify_fixture *f = *state;
    struct x509_crl *root_crl = make_crl(f->pki->root, f->pki->root_key, 100);
    struct testpki_crl spec = crl_of(f->pki->cas[0], f->pki->ca_keys[0]);
    struct testpki_crl other = crl_of(f->pki->cas[1], f->pki->ca_keys[1]);
    f->context.root_crl = root_crl;
    assert_int_equal(judge(f, &PCK_CRLS[0], &spec, f->pki->ca_chains[0]), FAULT_REVOKED);
    assert_int_equal(judge(f, &PCK_CRLS[1], &other, f->pki->ca_chains[1]), 0);
    f->context.origin = VERIFY_STORE;
    assert_int_equal(judge(f, &PCK_CRLS[0], &spec, f->pki->ca_chains[0]), 0);
    f->context.origin = VERIFY_UPSTREAM;
    f->context.root_crl = NULL;
    x509_crl_free(root_crl);
}

static void
test_uses_the_chain_at_hand_if_none_came(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_crl spec = crl_of(f->pki->cas[1], f->pki->ca_keys[1]);
    f->context.pck_chain_pems[PCK_CA_PROCESSOR] = f->pki->ca_chains[0];
    assert_int_equal(judge(f, &PCK_CRLS[1], &spec, NULL), FAULT_NO_CHAIN);
    f->context.pck_chain_pems[PCK_CA_PLATFORM] = f->pki->ca_chains[1];
    assert_int_equal(judge(f, &PCK_CRLS[1], &spec, NULL), 0);
    f->context.pck_chain_pems[0] = f->context.pck_chain_pems[1] = NULL;
}

/* Entries are made until the DER has at least size bytes. */
static uint8_t *
large_crl(const struct verify_fixture *f, size_t entries, size_t *ret_size)
{
    auto_free uint64_t *serials = calloc(entries, sizeof *serials);
    for (size_t i = 0; i < entries; i++) {
        serials[i] = 0x1000000 + i;
    }
    struct testpki_crl spec = crl_of(f->pki->cas[0], f->pki->ca_keys[0]);
    spec.serials = serials;
    spec.serial_count = entries;
    return testpki_crl_der(&spec, ret_size);
}

static void
test_refuses_a_pck_list_that_breaks_clients_by_size(void **state)
{
    struct verify_fixture *f = *state;
    size_t size = 0;
    auto_free uint8_t *fits = large_crl(f, 1200, &size);
    assert_true(2 * size + strlen(f->pki->ca_chains[0]) <= LIMIT_ITEM_WITH_CHAIN_BYTES);
    assert_int_equal(verify_bytes(f, &PCK_CRLS[0], span_of(fits, size), f->pki->ca_chains[0]), 0);
    auto_free uint8_t *large = large_crl(f, 1700, &size);
    assert_true(2 * size + strlen(f->pki->ca_chains[0]) > LIMIT_ITEM_WITH_CHAIN_BYTES);
    assert_refused(f, verify_bytes(f, &PCK_CRLS[0], span_of(large, size), f->pki->ca_chains[0]),
                   FAULT_OVERSIZE, "clients.md 1.5");
    /* by URL it is served as DER without a chain */
    struct item_key by_url = url_key(INTEL_PCKCRL);
    assert_int_equal(verify_bytes(f, &by_url, span_of(large, size), f->pki->ca_chains[0]), 0);
}

static void
test_takes_pem_and_keeps_der(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_crl spec = crl_of(f->pki->cas[0], f->pki->ca_keys[0]);
    auto_free char *pem = testpki_crl_pem(&spec);
    auto_proven struct proven *proven =
        verify_needed(f, &PCK_CRLS[0], span_of_text(pem), f->pki->ca_chains[0]);
    assert_true(span_equal(buf_span(&proven->body), x509_crl_der(proven->crl)));
    assert_string_equal(proven->chain_pem, f->pki->ca_chains[0]);
    assert_true(proven->issued_at == spec.this_update);
    assert_true(proven->fresh_until == spec.next_update);
}

static void
test_expired_is_not_forged(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_crl spec = crl_of(f->pki->root, f->pki->root_key);
    spec.this_update = TESTPKI_NOW - 40 * TESTPKI_DAY;
    spec.next_update = TESTPKI_NOW - 10 * TESTPKI_DAY;
    size_t size = 0;
    auto_free uint8_t *der = testpki_crl_der(&spec, &size);
    auto_proven struct proven *proven = verify_needed(f, &ROOT_CRL, span_of(der, size), NULL);
    assert_false(proven_is_fresh(proven, TESTPKI_NOW));
    assert_null(proven->chain_pem);
}

static void
test_refuses_another_issuers_list_under_a_url(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key pckcrl = url_key(INTEL_PCKCRL), root = url_key(INTEL_ROOT);
    struct testpki_crl processor = crl_of(f->pki->cas[0], f->pki->ca_keys[0]);
    struct testpki_crl platform = crl_of(f->pki->cas[1], f->pki->ca_keys[1]);
    struct testpki_crl roots = crl_of(f->pki->root, f->pki->root_key);
    f->context.pck_chain_pems[0] = f->pki->ca_chains[0];
    f->context.pck_chain_pems[1] = f->pki->ca_chains[1];
    assert_refused(f, judge(f, &pckcrl, &platform, NULL), FAULT_MISMATCH, "URL");
    assert_refused(f, judge(f, &pckcrl, &roots, NULL), FAULT_MISMATCH, "URL");
    assert_refused(f, judge(f, &root, &processor, NULL), FAULT_MISMATCH, "URL");
    assert_int_equal(judge(f, &pckcrl, &processor, NULL), 0);
    assert_int_equal(judge(f, &root, &roots, NULL), 0);
    struct item_key disguised =
        url_key("https://h/v4/pckcrl?xca=platform&ca=processor&ca=platform");
    assert_int_equal(judge(f, &disguised, &platform, NULL), FAULT_MISMATCH);
    assert_int_equal(judge(f, &disguised, &processor, NULL), 0);
    struct item_key unknown = url_key("https://h/v4/pckcrl?ca=root");
    assert_int_equal(judge(f, &unknown, &processor, NULL), FAULT_MISMATCH);
    f->context.pck_chain_pems[0] = f->context.pck_chain_pems[1] = NULL;
    assert_int_equal(judge(f, &pckcrl, &processor, NULL), FAULT_NO_CHAIN);
    assert_int_equal(judge(f, &pckcrl, &processor, f->pki->ca_chains[0]), 0);
    assert_int_equal(judge(f, &pckcrl, &processor, f->pki->signer_chain), FAULT_SIGNATURE);
    processor.key = f->pki->ca_keys[1];
    assert_int_equal(judge(f, &pckcrl, &processor, f->pki->ca_chains[0]), FAULT_SIGNATURE);
    roots.key = f->pki->ca_keys[1];
    assert_int_equal(judge(f, &root, &roots, NULL), FAULT_SIGNATURE);
}

static void
test_intels_own_lists_verify(void **state)
{
    struct realdata *real = realdata_load();
    if (real == NULL) {
        skip();
    }
    struct verify_fixture *f = *state;
    struct trust_anchors *builtin = NULL;
    assert_int_equal(trust_anchors_builtin(&builtin, &f->why), 0);
    f->context.anchors = builtin;
    size_t size = 0;
    auto_free uint8_t *pck = realdata_bytes(real->processor_crl, &size);
    assert_int_equal(verify_bytes(f, &PCK_CRLS[0], span_of(pck, size), real->pck_chain), 0);
    assert_int_not_equal(verify_bytes(f, &PCK_CRLS[1], span_of(pck, size), real->pck_chain), 0);
    auto_free uint8_t *root = realdata_bytes(real->root_crl, &size);
    assert_int_equal(verify_bytes(f, &ROOT_CRL, span_of(root, size), NULL), 0);
    root[size - 1] ^= 1;
    assert_int_equal(verify_bytes(f, &ROOT_CRL, span_of(root, size), NULL), FAULT_SIGNATURE);
    f->context.anchors = f->anchors;
    trust_anchors_free(builtin);
    realdata_free(real);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_the_list_of_the_other_ca),
        cmocka_unit_test(test_refuses_a_forged_list),
        cmocka_unit_test(test_refuses_a_list_of_another_pki),
        cmocka_unit_test(test_refuses_a_pck_ca_list_as_the_root_list),
        cmocka_unit_test(test_refuses_a_list_signed_by_tcb_signing),
        cmocka_unit_test(test_refuses_what_is_no_list),
        cmocka_unit_test(test_refuses_hex_cut_at_a_bad_digit),
        cmocka_unit_test(test_refuses_a_this_update_more_than_a_day_ahead),
        cmocka_unit_test(test_refuses_a_ca_not_valid_at_this_update),
        cmocka_unit_test(test_refuses_a_new_list_by_a_revoked_ca),
        cmocka_unit_test(test_uses_the_chain_at_hand_if_none_came),
        cmocka_unit_test(test_refuses_a_pck_list_that_breaks_clients_by_size),
        cmocka_unit_test(test_takes_pem_and_keeps_der),
        cmocka_unit_test(test_expired_is_not_forged),
        cmocka_unit_test(test_refuses_another_issuers_list_under_a_url),
        cmocka_unit_test(test_intels_own_lists_verify),
    };
    return cmocka_run_group_tests(tests, verify_fixture_setup, verify_fixture_teardown);
}
