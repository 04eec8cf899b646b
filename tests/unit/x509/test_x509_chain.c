/* SPDX-License-Identifier: BSD-3-Clause */
/* Chains and anchors: what must be refused (trust.md rules 1 and 9), then what must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/realdata.h"
#include "support/testpki.h"
#include "x509/x509_chain.h"

static struct testpki *pki;
static struct trust_anchors *anchors;
static struct fault why;

static int
group_setup(void **state)
{
    pki = testpki_new();
    struct span pem = span_of_text(pki->root_pem);
    return trust_anchors_from_pem(&pem, 1, &anchors, &why);
}

static int
group_teardown(void **state)
{
    trust_anchors_free(anchors);
    testpki_free(pki);
    return 0;
}

/* Parses and verifies; the fault of whichever failed. */
static int
judge_at(const char *pem, const struct trust_anchors *against, int64_t at,
         struct chain_facts *ret_facts)
{
    auto_cleanup(x509_chain_cleanup) struct x509_chain *chain = NULL;
    int fault = x509_chain_parse(span_of_text(pem), &chain, &why);
    return fault != 0 ? fault : x509_chain_verify(chain, against, at, ret_facts, &why);
}

static int
judge(const char *pem)
{
    struct chain_facts facts;
    return judge_at(pem, anchors, TESTPKI_NOW, &facts);
}

static int
judge_certs(X509 *const *certs, size_t count)
{
    auto_free char *pem = testpki_pem(certs, count);
    return judge(pem);
}

static void
refuses(int fault, const char *reason)
{
    assert_int_equal(fault, FAULT_CHAIN);
    if (strstr(why.text, reason) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why.text, reason);
    }
}

/* A signer like the PKI's own, for one defect at a time. */
static struct testpki_cert
signer_spec(void)
{
    return (struct testpki_cert){.common_name = "Intel SGX TCB Signing",
                                 .key = pki->signer_key,
                                 .issuer = pki->root,
                                 .issuer_key = pki->root_key,
                                 .key_usage = "critical,digitalSignature"};
}

static int
judge_signer(const struct testpki_cert *spec)
{
    X509 *signer = testpki_certify(spec);
    int fault = judge_certs((X509 *[]){signer, pki->root}, 2);
    X509_free(signer);
    return fault;
}

static void
test_refuses_wrong_order(void **state)
{
    refuses(judge_certs((X509 *[]){pki->root, pki->signer}, 2), "names do not chain");
    refuses(judge_certs((X509 *[]){pki->root, pki->cas[0]}, 2), "names do not chain");
}

static void
test_refuses_another_root(void **state)
{
    struct testpki *other = testpki_new();
    refuses(judge(other->signer_chain), "trust anchor");
    /* same names, our signer under their root: the key identifier or the signature tells */
    refuses(judge_certs((X509 *[]){pki->signer, other->root}, 2), "key identifier");
    testpki_free(other);
}

static void
test_refuses_a_chain_without_its_root(void **state)
{
    refuses(judge_certs(&pki->signer, 1), "names do not chain");
    refuses(judge_certs((X509 *[]){pki->cas[0]}, 1), "names do not chain");
}

static void
test_refuses_a_self_signed_signer(void **state)
{
    struct testpki_cert spec = signer_spec();
    spec.issuer = NULL;
    spec.issuer_key = NULL;
    X509 *signer = testpki_certify(&spec);
    refuses(judge_certs(&signer, 1), "trust anchor");
    X509_free(signer);
}

static void
test_refuses_certificates_not_valid_at_issue(void **state)
{
    struct testpki_cert spec = signer_spec();
    spec.not_after = TESTPKI_NOW - 1;
    refuses(judge_signer(&spec), "was not valid when the item was issued");
    spec.not_after = TESTPKI_DIES;
    spec.not_before = TESTPKI_NOW + 1;
    refuses(judge_signer(&spec), "was not valid when the item was issued");
}

static void
test_refuses_a_signature_by_another_key(void **state)
{
    EVP_PKEY *other = testpki_key();
    struct testpki_cert spec = signer_spec();
    spec.issuer_key = other;
    refuses(judge_signer(&spec), "signature does not verify");
    EVP_PKEY_free(other);
}

static void
test_refuses_one_flipped_bit(void **state)
{
    uint8_t *der = NULL;
    int size = i2d_X509(pki->signer, &der);
    der[size - 1] ^= 1; /* in the signature's s */
    const uint8_t *at = der;
    X509 *flipped = d2i_X509(NULL, &at, size);
    assert_non_null(flipped);
    refuses(judge_certs((X509 *[]){flipped, pki->root}, 2), "signature does not verify");
    X509_free(flipped);
    OPENSSL_free(der);
}

static void
test_refuses_a_signer_that_is_a_ca(void **state)
{
    struct testpki_cert spec = signer_spec();
    spec.is_ca = true;
    refuses(judge_signer(&spec), "is a CA");
}

static void
test_refuses_a_signer_without_digital_signature(void **state)
{
    struct testpki_cert spec = signer_spec();
    spec.key_usage = "critical,keyAgreement";
    refuses(judge_signer(&spec), "digital signature");
    spec.key_usage = NULL;
    refuses(judge_signer(&spec), "digital signature");
}

static int
judge_leaf_under(const struct testpki_cert *ca_spec)
{
    X509 *ca = testpki_certify(ca_spec);
    X509 *leaf = testpki_certify(&(struct testpki_cert){.common_name = "Intel SGX PCK Certificate",
                                                        .key = pki->leaf_key,
                                                        .issuer = ca,
                                                        .issuer_key = ca_spec->key,
                                                        .key_usage = "critical,digitalSignature"});
    int fault = judge_certs((X509 *[]){leaf, ca, pki->root}, 3);
    X509_free(leaf);
    X509_free(ca);
    return fault;
}

static struct testpki_cert
ca_spec(void)
{
    return (struct testpki_cert){.common_name = "Intel SGX PCK Platform CA",
                                 .key = pki->ca_keys[1],
                                 .issuer = pki->root,
                                 .issuer_key = pki->root_key,
                                 .is_ca = true,
                                 .key_usage = "critical,keyCertSign,cRLSign"};
}

static void
test_refuses_an_issuer_that_is_not_a_ca(void **state)
{
    struct testpki_cert spec = ca_spec();
    assert_int_equal(judge_leaf_under(&spec), 0);
    spec.is_ca = false;
    refuses(judge_leaf_under(&spec), "not a CA");
}

static void
test_refuses_an_issuer_without_key_cert_sign(void **state)
{
    struct testpki_cert spec = ca_spec();
    spec.key_usage = "critical,cRLSign";
    refuses(judge_leaf_under(&spec), "may not sign certificates");
    spec.key_usage = NULL;
    refuses(judge_leaf_under(&spec), "may not sign certificates");
}

static void
test_refuses_more_cas_than_the_path_length(void **state)
{
    struct testpki_cert spec = ca_spec();
    spec.issuer = pki->cas[1]; /* path length 0: no CA below it */
    spec.issuer_key = pki->ca_keys[1];
    spec.common_name = "Intel SGX PCK Processor CA";
    spec.key = pki->ca_keys[0];
    X509 *below = testpki_certify(&spec);
    X509 *leaf = testpki_certify(&(struct testpki_cert){.common_name = "Intel SGX PCK Certificate",
                                                        .key = pki->leaf_key,
                                                        .issuer = below,
                                                        .issuer_key = pki->ca_keys[0],
                                                        .key_usage = "critical,digitalSignature"});
    refuses(judge_certs((X509 *[]){leaf, below, pki->cas[1], pki->root}, 4), "path length");
    X509_free(leaf);
    X509_free(below);
}

static void
test_refuses_an_unknown_critical_extension(void **state)
{
    struct testpki_cert spec = signer_spec();
    spec.critical_oid = "1.2.3.4.5";
    refuses(judge_signer(&spec), "critical extension");
}

static void
test_refuses_other_algorithms(void **state)
{
    struct testpki_cert spec = signer_spec();
    spec.signs_with_sha384 = true;
    refuses(judge_signer(&spec), "SHA-256");
    spec = signer_spec();
    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    spec.key = p384;
    refuses(judge_signer(&spec), "P-256");
    EVP_PKEY_free(p384);
}

static void
test_refuses_text_around_and_between_the_blocks(void **state)
{
    auto_free char *signer = testpki_pem(&pki->signer, 1);
    static const struct {
        const char *before, *between, *after;
    } rows[] = {{"x\n", "", ""},       {" ", "", ""},  {"", "hello\n", ""},
                {"", "", "bye"},       {"", "", " "},  {"", "X-Header: 1\r\n", ""},
                {"\r", "", ""},        {"", "", "\r"}, {"", "# comment\n", ""},
                {"", "", "-----BEGIN"}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        auto_free char *text = NULL;
        assert_true(asprintf(&text, "%s%s%s%s%s", rows[i].before, signer, rows[i].between,
                             pki->root_pem, rows[i].after) > 0);
        refuses(judge(text), "PEM");
    }
}

static void
test_refuses_broken_pem(void **state)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "hello",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAA=A\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n====\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nProc-Type: 4\n\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
        "%",
        "%zz",
        "%0A%0"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_int_equal(judge(texts[i]), FAULT_CHAIN);
    }
}

static void
test_refuses_bytes_behind_a_certificate(void **state)
{
    uint8_t der[4096], *at = der;
    int size = i2d_X509(pki->root, &at);
    der[size] = 0;
    char base64[8192];
    EVP_EncodeBlock((uint8_t *)base64, der, size + 1);
    auto_free char *text = NULL;
    assert_true(asprintf(&text, "%s-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n",
                         "", base64) > 0);
    refuses(judge(text), "behind");
}

static void
test_refuses_more_certificates_and_bytes_than_the_ceilings(void **state)
{
    X509 *five[5] = {pki->root, pki->root, pki->root, pki->root, pki->root};
    refuses(judge_certs(five, 5), "more than 4");
    size_t size = LIMIT_CHAIN_PEM_BYTES + 1;
    auto_free char *text = malloc(size + 1);
    memset(text, '\n', size);
    text[size] = '\0';
    refuses(judge(text), "more than");
    memcpy(text, "%0A", 3);
    memset(text + 3, 'A', size - 3);
    refuses(judge(text), "PEM"); /* decoded it is within the ceiling */
    auto_free char *longer = NULL;
    assert_true(asprintf(&longer, "%sAAAA", text) > 0);
    refuses(judge(longer), "too large");
}

static void
test_takes_intels_shapes(void **state)
{
    struct chain_facts facts;
    assert_int_equal(judge_at(pki->signer_chain, anchors, TESTPKI_NOW, &facts), 0);
    assert_int_equal(facts.leaf_role, X509_ROLE_TCB_SIGNING);
    assert_true(facts.not_before == TESTPKI_BORN && facts.not_after == TESTPKI_DIES);
    assert_int_equal(judge_at(pki->ca_chains[0], anchors, TESTPKI_NOW, &facts), 0);
    assert_int_equal(facts.leaf_role, X509_ROLE_PROCESSOR_CA);
    assert_int_equal(judge_at(pki->ca_chains[1], anchors, TESTPKI_NOW, &facts), 0);
    assert_int_equal(facts.leaf_role, X509_ROLE_PLATFORM_CA);
}

static void
test_takes_crlf_and_percent_encoding_and_writes_pem_anew(void **state)
{
    char crlf[8192];
    size_t size = 0;
    for (const char *at = pki->signer_chain; *at != '\0'; at++) {
        if (*at == '\n') {
            crlf[size++] = '\r';
        }
        crlf[size++] = *at;
    }
    crlf[size] = '\0';
    auto_free char *encoded = testpki_percent_encode(pki->signer_chain);
    auto_free char *encoded_crlf = testpki_percent_encode(crlf);
    const char *const forms[] = {pki->signer_chain, crlf, encoded, encoded_crlf};
    for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
        auto_cleanup(x509_chain_cleanup) struct x509_chain *chain = NULL;
        assert_int_equal(x509_chain_parse(span_of_text(forms[i]), &chain, &why), 0);
        auto_cleanup(buf_done) struct buf pem = BUF_INIT(LIMIT_CHAIN_PEM_BYTES);
        assert_int_equal(x509_chain_add_pem(chain, &pem), 0);
        assert_string_equal(buf_text(&pem), pki->signer_chain);
    }
}

static void
test_compares_root_keys_not_certificates(void **state)
{
    X509 *reissued = testpki_certify(&(struct testpki_cert){.common_name = "Intel SGX Root CA",
                                                            .key = pki->root_key,
                                                            .serial = 77,
                                                            .is_ca = true,
                                                            .path_length = 1,
                                                            .key_usage = "keyCertSign,cRLSign"});
    assert_int_equal(judge_certs((X509 *[]){pki->signer, reissued}, 2), 0);
    X509_free(reissued);
}

static void
test_judges_a_leaf_by_its_verified_chain(void **state)
{
    auto_cleanup(x509_chain_cleanup) struct x509_chain *chain = NULL;
    struct testpki_sgx sgx = testpki_sgx_plain();
    assert_int_equal(x509_chain_parse(span_of_text(pki->ca_chains[0]), &chain, &why), 0);
    X509 *leaf = testpki_leaf(pki, TESTPKI_PROCESSOR, &sgx, 5);
    X509 *foreign = testpki_leaf(pki, TESTPKI_PLATFORM, &sgx, 5);
    X509 *early = testpki_certify(&(struct testpki_cert){.common_name = "Intel SGX PCK Certificate",
                                                         .key = pki->leaf_key,
                                                         .issuer = pki->cas[0],
                                                         .issuer_key = pki->ca_keys[0],
                                                         .not_before = TESTPKI_BORN - 1,
                                                         .key_usage = "digitalSignature"});
    refuses(x509_chain_verify_leaf(chain, foreign, &why), "names do not chain");
    refuses(x509_chain_verify_leaf(chain, early, &why), "was not valid when");
    assert_int_equal(x509_chain_verify_leaf(chain, leaf, &why), 0);
    X509_free(leaf);
    X509_free(foreign);
    X509_free(early);
}

static void
test_raw_signature_is_over_the_exact_bytes(void **state)
{
    const char *text = "{\"a\":1}";
    auto_free char *signature = testpki_signature(pki->signer_key, text);
    struct span hex = span_of_text(signature);
    assert_int_equal(x509_verify_raw_signature(pki->signer, span_of_text("{\"a\": 1}"), hex, &why),
                     FAULT_SIGNATURE);
    assert_int_equal(x509_verify_raw_signature(pki->cas[0], span_of_text(text), hex, &why),
                     FAULT_SIGNATURE);
    assert_int_equal(
        x509_verify_raw_signature(pki->signer, span_of_text(text), span_of(hex.data, 126), &why),
        FAULT_SIGNATURE);
    assert_int_equal(x509_verify_raw_signature(pki->signer, span_of_text(text), hex, &why), 0);
    for (size_t i = 0; i < 128; i += 9) {
        char kept = signature[i];
        signature[i] = kept == '0' ? '1' : '0';
        assert_int_equal(x509_verify_raw_signature(pki->signer, span_of_text(text), hex, &why),
                         FAULT_SIGNATURE);
        signature[i] = kept;
    }
    memset(signature, '0', 128);
    assert_int_equal(x509_verify_raw_signature(pki->signer, span_of_text(text), hex, &why),
                     FAULT_SIGNATURE);
}

static void
test_anchors_refuse_what_is_no_ca_certificate(void **state)
{
    struct trust_anchors *made = NULL;
    auto_free char *signer = testpki_pem(&pki->signer, 1);
    const char *const texts[] = {"", "hello", "-----BEGIN CERTIFICATE-----\n", signer};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct span pem = span_of_text(texts[i]);
        assert_int_equal(trust_anchors_from_pem(&pem, 1, &made, &why), FAULT_CONFIG);
    }
    assert_int_equal(trust_anchors_from_pem(NULL, 0, &made, &why), FAULT_CONFIG);
    struct span many[LIMIT_TRUST_ANCHORS + 1];
    for (size_t i = 0; i < ARRAY_COUNT(many); i++) {
        many[i] = span_of_text(pki->root_pem);
    }
    assert_int_equal(trust_anchors_from_pem(many, ARRAY_COUNT(many), &made, &why), FAULT_CONFIG);
    assert_null(made);
}

static void
test_anchors_name_themselves(void **state)
{
    struct trust_anchors *builtin = NULL;
    char print[65];
    assert_int_equal(trust_anchors_builtin(&builtin, &why), 0);
    assert_true(trust_anchors_are_builtin(builtin));
    assert_false(trust_anchors_are_builtin(anchors));
    assert_int_equal(trust_anchors_count(builtin), 1);
    assert_string_equal(trust_anchors_crl_url(builtin, 0),
                        "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der");
    trust_anchors_fingerprint(builtin, 0, print);
    assert_int_equal(strlen(print), 64);
    assert_false(trust_anchors_hold(builtin, pki->root));
    assert_true(trust_anchors_hold(anchors, pki->root));
    assert_false(trust_anchors_hold(anchors, pki->cas[0]));
    trust_anchors_free(builtin);
}

static void
test_intels_own_chains_verify(void **state)
{
    struct realdata *real = realdata_load();
    if (real == NULL) {
        skip();
    }
    struct trust_anchors *builtin = NULL;
    struct chain_facts facts;
    assert_int_equal(trust_anchors_builtin(&builtin, &why), 0);
    assert_int_equal(judge_at(real->tcb_chain, builtin, TESTPKI_NOW, &facts), 0);
    assert_int_equal(facts.leaf_role, X509_ROLE_TCB_SIGNING);
    assert_int_equal(judge_at(real->pck_chain, builtin, TESTPKI_NOW, &facts), 0);
    assert_int_equal(facts.leaf_role, X509_ROLE_PROCESSOR_CA);
    refuses(judge_at(real->tcb_chain, anchors, TESTPKI_NOW, &facts), "trust anchor");
    trust_anchors_free(builtin);
    realdata_free(real);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_wrong_order),
        cmocka_unit_test(test_refuses_another_root),
        cmocka_unit_test(test_refuses_a_chain_without_its_root),
        cmocka_unit_test(test_refuses_a_self_signed_signer),
        cmocka_unit_test(test_refuses_certificates_not_valid_at_issue),
        cmocka_unit_test(test_refuses_a_signature_by_another_key),
        cmocka_unit_test(test_refuses_one_flipped_bit),
        cmocka_unit_test(test_refuses_a_signer_that_is_a_ca),
        cmocka_unit_test(test_refuses_a_signer_without_digital_signature),
        cmocka_unit_test(test_refuses_an_issuer_that_is_not_a_ca),
        cmocka_unit_test(test_refuses_an_issuer_without_key_cert_sign),
        cmocka_unit_test(test_refuses_more_cas_than_the_path_length),
        cmocka_unit_test(test_refuses_an_unknown_critical_extension),
        cmocka_unit_test(test_refuses_other_algorithms),
        cmocka_unit_test(test_refuses_text_around_and_between_the_blocks),
        cmocka_unit_test(test_refuses_broken_pem),
        cmocka_unit_test(test_refuses_bytes_behind_a_certificate),
        cmocka_unit_test(test_refuses_more_certificates_and_bytes_than_the_ceilings),
        cmocka_unit_test(test_takes_intels_shapes),
        cmocka_unit_test(test_takes_crlf_and_percent_encoding_and_writes_pem_anew),
        cmocka_unit_test(test_compares_root_keys_not_certificates),
        cmocka_unit_test(test_judges_a_leaf_by_its_verified_chain),
        cmocka_unit_test(test_raw_signature_is_over_the_exact_bytes),
        cmocka_unit_test(test_anchors_refuse_what_is_no_ca_certificate),
        cmocka_unit_test(test_anchors_name_themselves),
        cmocka_unit_test(test_intels_own_chains_verify),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
