/* SPDX-License-Identifier: BSD-3-Clause */
/* The SGX extension of PCK certificates (selection.md 2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/realdata.h"
#include "support/testpki.h"
#include "x509/sgx_ext.h"

static struct fault why;

static int
parse_sgx(const struct testpki_sgx *sgx, struct sgx_ext *ret_ext)
{
    uint8_t der[TESTPKI_SGX_MAX];
    size_t size = testpki_sgx_der(sgx, der);
    return sgx_ext_parse_der(span_of(der, size), ret_ext, &why);
}

/* The bytes of the OID arcs below 1.2.840.113741.1.13.1, and where they stand. */
static uint8_t *
find_oid(uint8_t *der, size_t size, const uint8_t *arcs, size_t count)
{
    uint8_t oid[13] = {6,   (uint8_t)(9 + count), 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d,
                       0x01};
    memcpy(oid + 11, arcs, count);
    return memmem(der, size, oid, 11 + count);
}

static void
refuses_change(const uint8_t *arcs, size_t count, size_t offset, uint8_t value)
{
    struct testpki_sgx sgx = testpki_sgx_plain();
    sgx.has_platform_part = true;
    uint8_t der[TESTPKI_SGX_MAX];
    size_t size = testpki_sgx_der(&sgx, der);
    uint8_t *at = find_oid(der, size, arcs, count);
    assert_non_null(at);
    at[offset] = value;
    struct sgx_ext ext;
    assert_int_equal(sgx_ext_parse_der(span_of(der, size), &ext, &why), FAULT_INPUT);
}

static void
test_refuses_every_cut(void **state)
{
    struct testpki_sgx sgx = testpki_sgx_plain();
    uint8_t der[TESTPKI_SGX_MAX];
    size_t size = testpki_sgx_der(&sgx, der);
    struct sgx_ext ext;
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(sgx_ext_parse_der(span_of(der, i), &ext, &why), FAULT_INPUT);
    }
}

static void
test_refuses_trailing_bytes(void **state)
{
    struct testpki_sgx sgx = testpki_sgx_plain();
    uint8_t der[TESTPKI_SGX_MAX + 1];
    size_t size = testpki_sgx_der(&sgx, der);
    der[size] = 0;
    struct sgx_ext ext;
    assert_int_equal(sgx_ext_parse_der(span_of(der, size + 1), &ext, &why), FAULT_INPUT);
}

static void
test_refuses_unknown_missing_and_double_items(void **state)
{
    refuses_change((const uint8_t[]){1}, 1, 11, 3);      /* PPID becomes a second PCE ID */
    refuses_change((const uint8_t[]){4}, 1, 11, 9);      /* FMSPC becomes unknown */
    refuses_change((const uint8_t[]){2, 3}, 2, 12, 4);   /* component 3 becomes a second 4 */
    refuses_change((const uint8_t[]){2, 17}, 2, 12, 19); /* PCESVN becomes unknown */
    refuses_change((const uint8_t[]){7, 1}, 2, 12, 2);   /* dynamic platform: second cached keys */
}

static void
test_refuses_wrong_types_and_lengths(void **state)
{
    refuses_change((const uint8_t[]){1}, 1, 12, 2);        /* PPID as INTEGER */
    refuses_change((const uint8_t[]){5}, 1, 12, 2);        /* SGX type as INTEGER */
    refuses_change((const uint8_t[]){5}, 1, 14, 3);        /* SGX type 3 */
    refuses_change((const uint8_t[]){2, 1}, 2, 13, 4);     /* component as octets */
    refuses_change((const uint8_t[]){2, 1}, 2, 15, 0x80);  /* negative component */
    refuses_change((const uint8_t[]){2, 18}, 2, 13, 0x30); /* CPUSVN as sequence */
    refuses_change((const uint8_t[]){7, 1}, 2, 15, 1);     /* BOOLEAN neither 00 nor FF */
}

static void
test_refuses_a_pcesvn_above_16_bits(void **state)
{
    struct testpki_sgx sgx = testpki_sgx_plain();
    struct sgx_ext ext;
    sgx.pcesvn = 65536;
    assert_int_equal(parse_sgx(&sgx, &ext), FAULT_INPUT);
    sgx.pcesvn = 65535;
    assert_int_equal(parse_sgx(&sgx, &ext), 0);
    assert_int_equal(ext.pcesvn, 65535);
}

static void
test_refuses_a_certificate_without_the_extension(void **state)
{
    struct testpki *pki = testpki_new();
    struct sgx_ext ext;
    assert_int_equal(sgx_ext_parse(pki->signer, &ext, &why), FAULT_INPUT);
    testpki_free(pki);
}

static void
test_reads_both_shapes(void **state)
{
    struct testpki *pki = testpki_new();
    struct testpki_sgx sgx = testpki_sgx_plain();
    sgx.components[4] = 255;
    sgx.pceid[1] = 1;
    X509 *leaf = testpki_leaf(pki, TESTPKI_PROCESSOR, &sgx, 1);
    struct sgx_ext ext;
    assert_int_equal(sgx_ext_parse(leaf, &ext, &why), 0);
    assert_memory_equal(ext.ppid, sgx.ppid, 16);
    assert_memory_equal(ext.components, sgx.components, 16);
    assert_memory_equal(ext.cpusvn, sgx.cpusvn, 16);
    assert_memory_equal(ext.fmspc, sgx.fmspc, 6);
    assert_memory_equal(ext.pceid, sgx.pceid, 2);
    assert_int_equal(ext.pcesvn, 10);
    assert_false(ext.has_platform_part);
    X509_free(leaf);
    sgx.has_platform_part = true;
    sgx.sgx_type = 1;
    assert_int_equal(parse_sgx(&sgx, &ext), 0);
    assert_true(ext.has_platform_part && ext.cached_keys);
    assert_false(ext.dynamic_platform || ext.smt_enabled);
    assert_int_equal(ext.sgx_type, 1);
    testpki_free(pki);
}

static void
test_reads_intels_own_certificate(void **state)
{
    struct realdata *real = realdata_load();
    if (real == NULL) {
        skip();
    }
    struct x509_chain *chain = NULL;
    struct sgx_ext ext;
    assert_int_equal(x509_chain_parse(span_of_text(real->pck_cert), &chain, &why), 0);
    assert_int_equal(sgx_ext_parse(x509_chain_get(chain, 0), &ext, &why), 0);
    assert_memory_equal(ext.fmspc, "\x00\xA0\x67\x11\x00\x00", 6);
    assert_int_equal(ext.pcesvn, 13);
    assert_int_equal(ext.components[4], 255);
    assert_memory_equal(ext.components, ext.cpusvn, 16);
    x509_chain_free(chain);
    realdata_free(real);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_every_cut),
        cmocka_unit_test(test_refuses_trailing_bytes),
        cmocka_unit_test(test_refuses_unknown_missing_and_double_items),
        cmocka_unit_test(test_refuses_wrong_types_and_lengths),
        cmocka_unit_test(test_refuses_a_pcesvn_above_16_bits),
        cmocka_unit_test(test_refuses_a_certificate_without_the_extension),
        cmocka_unit_test(test_reads_both_shapes),
        cmocka_unit_test(test_reads_intels_own_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
