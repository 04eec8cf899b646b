/* SPDX-License-Identifier: BSD-3-Clause */
/* CRLs: form, signature and what they revoke (trust.md rule 4; RFC 5280, 5). */
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
#include "x509/x509_crl.h"

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

static struct testpki_crl
ca_crl(int ca)
{
    return (struct testpki_crl){.issuer = pki->cas[ca],
                                .key = pki->ca_keys[ca],
                                .this_update = TESTPKI_NOW - TESTPKI_DAY,
                                .next_update = TESTPKI_NOW + 30 * TESTPKI_DAY};
}

static struct x509_crl *
parsed(const struct testpki_crl *spec)
{
    size_t size = 0;
    auto_free uint8_t *der = testpki_crl_der(spec, &size);
    struct x509_crl *crl = NULL;
    assert_int_equal(x509_crl_parse(span_of(der, size), &crl, &why), 0);
    return crl;
}

static void
refuses_der(const uint8_t *der, size_t size, const char *reason)
{
    struct x509_crl *crl = NULL;
    assert_int_equal(x509_crl_parse(span_of(der, size), &crl, &why), FAULT_INPUT);
    assert_null(crl);
    if (strstr(why.text, reason) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why.text, reason);
    }
}

static void
refuses_spec(const struct testpki_crl *spec, const char *reason)
{
    size_t size = 0;
    auto_free uint8_t *der = testpki_crl_der(spec, &size);
    refuses_der(der, size, reason);
}

static void
test_refuses_what_is_no_crl(void **state)
{
    refuses_der((const uint8_t *)"", 0, "not a CRL");
    refuses_der((const uint8_t *)"<html>", 6, "not a CRL");
    refuses_der((const uint8_t *)"3082", 4, "not a CRL");
    refuses_der((const uint8_t *)"-----BEGIN X509 CRL-----\n", 25, "PEM");
}

static void
test_refuses_cut_and_trailing_bytes(void **state)
{
    struct testpki_crl spec = ca_crl(0);
    size_t size = 0;
    auto_free uint8_t *der = testpki_crl_der(&spec, &size);
    refuses_der(der, size - 1, "not a CRL");
    der = realloc(der, size + 1);
    der[size] = 0;
    refuses_der(der, size + 1, "behind");
}

static void
test_refuses_text_behind_a_pem_block(void **state)
{
    struct testpki_crl spec = ca_crl(0);
    auto_free char *pem = testpki_crl_pem(&spec);
    auto_free char *longer = NULL;
    assert_true(asprintf(&longer, "%shello", pem) > 0);
    refuses_der((const uint8_t *)longer, strlen(longer), "behind");
}

static void
test_refuses_a_missing_next_update(void **state)
{
    struct testpki_crl spec = ca_crl(0);
    spec.next_update = 0;
    refuses_spec(&spec, "nextUpdate");
}

static void
test_refuses_partial_lists_and_unknown_critical_extensions(void **state)
{
    struct testpki_crl spec = ca_crl(0);
    spec.critical_oid = "1.2.3.4.5";
    refuses_spec(&spec, "critical");
    spec.critical_oid = "2.5.29.27"; /* deltaCRLIndicator */
    refuses_spec(&spec, "partial");
}

static void
test_refuses_more_bytes_than_the_ceiling(void **state)
{
    size_t size = LIMIT_CRL_BYTES + 1;
    auto_free uint8_t *bytes = calloc(1, 2 * size);
    refuses_der(bytes, size, "more than");
    memset(bytes, '-', 2 * size);
    memcpy(bytes, "-----BEGIN", 10);
    refuses_der(bytes, 2 * size, "too many");
}

static void
test_refuses_another_issuer_name_or_key(void **state)
{
    struct testpki_crl spec = ca_crl(0);
    struct x509_crl *crl = parsed(&spec);
    assert_int_equal(x509_crl_verify(crl, pki->cas[1], &why), FAULT_SIGNATURE);
    assert_int_equal(x509_crl_verify_by_anchor(crl, anchors, &why), FAULT_SIGNATURE);
    assert_int_equal(x509_crl_verify(crl, pki->cas[0], &why), 0);
    x509_crl_free(crl);
    spec.key = pki->ca_keys[1]; /* the right name, the wrong key */
    crl = parsed(&spec);
    assert_int_equal(x509_crl_verify(crl, pki->cas[0], &why), FAULT_SIGNATURE);
    x509_crl_free(crl);
}

static void
test_refuses_one_flipped_bit(void **state)
{
    struct testpki_crl spec = ca_crl(0);
    size_t size = 0;
    auto_free uint8_t *der = testpki_crl_der(&spec, &size);
    der[size - 1] ^= 1;
    struct x509_crl *crl = NULL;
    assert_int_equal(x509_crl_parse(span_of(der, size), &crl, &why), 0);
    assert_int_equal(x509_crl_verify(crl, pki->cas[0], &why), FAULT_SIGNATURE);
    x509_crl_free(crl);
}

static void
test_refuses_an_issuer_that_may_not_sign_crls(void **state)
{
    X509 *ca = testpki_certify(&(struct testpki_cert){.common_name = "Intel SGX PCK Processor CA",
                                                      .key = pki->ca_keys[0],
                                                      .issuer = pki->root,
                                                      .issuer_key = pki->root_key,
                                                      .is_ca = true,
                                                      .key_usage = "critical,keyCertSign"});
    struct testpki_crl spec = ca_crl(0);
    struct x509_crl *crl = parsed(&spec);
    assert_int_equal(x509_crl_verify(crl, ca, &why), FAULT_SIGNATURE);
    x509_crl_free(crl);
    X509_free(ca);
}

static void
test_root_crl_is_verified_by_the_anchors_key(void **state)
{
    struct testpki_crl spec = {.issuer = pki->root,
                               .key = pki->root_key,
                               .this_update = TESTPKI_NOW,
                               .next_update = TESTPKI_NOW + 1};
    struct x509_crl *crl = parsed(&spec);
    assert_int_equal(x509_crl_verify_by_anchor(crl, anchors, &why), 0);
    assert_true(x509_crl_names_anchor(crl, anchors));
    x509_crl_free(crl);
    spec.key = pki->ca_keys[0];
    crl = parsed(&spec);
    assert_int_equal(x509_crl_verify_by_anchor(crl, anchors, &why), FAULT_SIGNATURE);
    x509_crl_free(crl);
}

static void
test_revokes_a_serial_of_its_own_issuer_only(void **state)
{
    struct testpki_sgx sgx = testpki_sgx_plain();
    const uint64_t serials[] = {9, 7, 8};
    struct testpki_crl spec = ca_crl(0);
    spec.serials = serials;
    spec.serial_count = 3;
    struct x509_crl *crl = parsed(&spec);
    X509 *revoked = testpki_leaf(pki, 0, &sgx, 7);
    X509 *fine = testpki_leaf(pki, 0, &sgx, 6);
    X509 *same_serial_of_other_ca = testpki_leaf(pki, 1, &sgx, 7);
    assert_true(x509_crl_revokes(crl, revoked));
    assert_false(x509_crl_revokes(crl, fine));
    assert_false(x509_crl_revokes(crl, same_serial_of_other_ca));
    X509_free(revoked);
    X509_free(fine);
    X509_free(same_serial_of_other_ca);
    x509_crl_free(crl);
}

static void
test_takes_pem_and_keeps_der(void **state)
{
    struct testpki_crl spec = ca_crl(1);
    auto_free char *pem = testpki_crl_pem(&spec);
    struct x509_crl *crl = NULL;
    assert_int_equal(x509_crl_parse(span_of_text(pem), &crl, &why), 0);
    assert_int_equal(x509_crl_der(crl).data[0], 0x30);
    assert_true(x509_crl_this_update(crl) == spec.this_update);
    assert_true(x509_crl_next_update(crl) == spec.next_update);
    assert_int_equal(x509_crl_verify(crl, pki->cas[1], &why), 0);
    x509_crl_free(crl);
}

static void
test_intels_own_crls_verify(void **state)
{
    struct realdata *real = realdata_load();
    if (real == NULL) {
        skip();
    }
    struct trust_anchors *builtin = NULL;
    struct x509_chain *chain = NULL;
    struct x509_crl *crl = NULL;
    size_t size = 0;
    assert_int_equal(trust_anchors_builtin(&builtin, &why), 0);
    assert_int_equal(x509_chain_parse(span_of_text(real->pck_chain), &chain, &why), 0);
    auto_free uint8_t *root_der = realdata_bytes(real->root_crl, &size);
    assert_int_equal(x509_crl_parse(span_of(root_der, size), &crl, &why), 0);
    assert_int_equal(x509_crl_verify_by_anchor(crl, builtin, &why), 0);
    assert_false(x509_crl_revokes(crl, x509_chain_get(chain, 0)));
    x509_crl_free(crl);
    auto_free uint8_t *ca_der = realdata_bytes(real->processor_crl, &size);
    assert_int_equal(x509_crl_parse(span_of(ca_der, size), &crl, &why), 0);
    assert_int_equal(x509_crl_verify(crl, x509_chain_get(chain, 0), &why), 0);
    x509_crl_free(crl);
    x509_chain_free(chain);
    trust_anchors_free(builtin);
    realdata_free(real);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_what_is_no_crl),
        cmocka_unit_test(test_refuses_cut_and_trailing_bytes),
        cmocka_unit_test(test_refuses_text_behind_a_pem_block),
        cmocka_unit_test(test_refuses_a_missing_next_update),
        cmocka_unit_test(test_refuses_partial_lists_and_unknown_critical_extensions),
        cmocka_unit_test(test_refuses_more_bytes_than_the_ceiling),
        cmocka_unit_test(test_refuses_another_issuer_name_or_key),
        cmocka_unit_test(test_refuses_one_flipped_bit),
        cmocka_unit_test(test_refuses_an_issuer_that_may_not_sign_crls),
        cmocka_unit_test(test_root_crl_is_verified_by_the_anchors_key),
        cmocka_unit_test(test_revokes_a_serial_of_its_own_issuer_only),
        cmocka_unit_test(test_takes_pem_and_keeps_der),
        cmocka_unit_test(test_intels_own_crls_verify),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
