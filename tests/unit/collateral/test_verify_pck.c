/* SPDX-License-Identifier: BSD-3-Clause */
/* verify() of a platform's PCK certificates (trust.md rules 1 and 3; selection.md 5, 6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/realdata.h"
#include "verify_fixture.h"

static struct item_key
pck_key(void)
{
    return (struct item_key){.kind = ITEM_PCK,
                             .api_version = 4,
                             .platform = {.qeid = "QE1", .pceid = "0000"},
                             .fmspc = {"00906EA10000"}};
}

/* Takes pem; tcbm NULL: that of sgx. */
static void
add_entry(struct raw_reply *raw, char *pem, const char *tcbm)
{
    raw->pcks = realloc(raw->pcks, (raw->pck_count + 1) * sizeof *raw->pcks);
    struct raw_pck *pck = &raw->pcks[raw->pck_count++];
    *pck = (struct raw_pck){.available = true, .cert = pem};
    assert_true(span_to_text(span_of_text(tcbm), pck->tcbm, sizeof pck->tcbm));
}

static void
add_leaf(struct verify_fixture *f, struct raw_reply *raw, int ca, const struct testpki_sgx *sgx,
         uint64_t serial)
{
    char tcbm[37];
    testpki_tcbm(sgx, tcbm);
    add_entry(raw, testpki_leaf_pem(f->pki, ca, sgx, serial), tcbm);
}

/* Judges and frees raw. */
static int
judge_as(struct verify_fixture *f, const struct item_key *key, struct raw_reply *raw,
         struct proven **ret_proven)
{
    auto_proven struct proven *proven = NULL;
    f->why = (struct fault){0};
    int fault = verify(&f->context, key, raw, &proven, &f->why);
    raw_reply_done(raw);
    if (fault == 0 && ret_proven != NULL) {
        *ret_proven = take(&proven);
    }
    return fault;
}

static struct raw_reply
reply_of(const struct verify_fixture *f, int ca)
{
    struct raw_reply raw;
    raw_reply_init(&raw);
    raw.issuer_chain = strdup(f->pki->ca_chains[ca]);
    return raw;
}

/* One leaf of the Processor CA with that extension. */
static int
judge_sgx(struct verify_fixture *f, const struct testpki_sgx *sgx)
{
    struct item_key key = pck_key();
    struct raw_reply raw = reply_of(f, TESTPKI_PROCESSOR);
    add_leaf(f, &raw, TESTPKI_PROCESSOR, sgx, 1);
    return judge_as(f, &key, &raw, NULL);
}

/* A plain leaf and a second one. */
static int
judge_with_second(struct verify_fixture *f, int ca, const struct testpki_sgx *second)
{
    struct item_key key = pck_key();
    struct testpki_sgx sgx = testpki_sgx_plain();
    key.fmspc.hex[0] = '\0';
    struct raw_reply raw = reply_of(f, TESTPKI_PROCESSOR);
    add_leaf(f, &raw, TESTPKI_PROCESSOR, &sgx, 1);
    add_leaf(f, &raw, ca, second, 2);
    return judge_as(f, &key, &raw, NULL);
}

static void
test_refuses_a_tcbm_that_the_certificate_does_not_carry(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = pck_key();
    struct testpki_sgx sgx = testpki_sgx_plain();
    static const char *const tcbms[] = {"050500000000000000000000000000000B00",
                                        "050500000000000000000000000000000A01",
                                        "060500000000000000000000000000000A00", ""};
    for (size_t i = 0; i < ARRAY_COUNT(tcbms); i++) {
        struct raw_reply raw = reply_of(f, TESTPKI_PROCESSOR);
        add_entry(&raw, testpki_leaf_pem(f->pki, TESTPKI_PROCESSOR, &sgx, 1), tcbms[i]);
        assert_refused(f, judge_as(f, &key, &raw, NULL), FAULT_MISMATCH, "rule 3");
    }
}

static void
test_refuses_a_cpusvn_that_is_not_its_components(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_sgx sgx = testpki_sgx_plain();
    sgx.cpusvn[0] = 4;
    assert_refused(f, judge_sgx(f, &sgx), FAULT_MISMATCH, "CPUSVN");
}

static void
test_refuses_another_fmspc_than_expected(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_sgx sgx = testpki_sgx_plain();
    sgx.fmspc[5] = 1;
    assert_refused(f, judge_sgx(f, &sgx), FAULT_MISMATCH, "FMSPC");
    assert_refused(f, judge_with_second(f, TESTPKI_PROCESSOR, &sgx), FAULT_MISMATCH, "FMSPC");
}

static void
test_refuses_an_fmspc_or_ca_header_that_lies(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = pck_key();
    struct testpki_sgx sgx = testpki_sgx_plain();
    static const struct {
        const char *fmspc, *ca;
        int fault;
    } rows[] = {{"00906EA10001", "", FAULT_MISMATCH},
                {"", "platform", FAULT_MISMATCH},
                {"", "root", FAULT_MISMATCH},
                {"00906ea10000", "processor", 0},
                {"", "PROCESSOR", 0}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct raw_reply raw = reply_of(f, TESTPKI_PROCESSOR);
        add_leaf(f, &raw, TESTPKI_PROCESSOR, &sgx, 1);
        assert_true(span_to_text(span_of_text(rows[i].fmspc), raw.fmspc, sizeof raw.fmspc));
        assert_true(span_to_text(span_of_text(rows[i].ca), raw.ca, sizeof raw.ca));
        assert_int_equal(judge_as(f, &key, &raw, NULL), rows[i].fault);
    }
}

static void
test_refuses_another_pce_id_and_swaps_its_bytes(void **state)
{
    struct verify_fixture *f = *state;
    static const struct {
        const char *platform; /* little-endian */
        uint8_t pceid[2];     /* big-endian */
        int fault;
    } rows[] = {{"0000", {0, 1}, FAULT_MISMATCH}, {"0001", {0, 1}, FAULT_MISMATCH},
                {"0100", {1, 0}, FAULT_MISMATCH}, {"0100", {0, 1}, 0},
                {"00FF", {0xff, 0}, 0},           {"", {0, 0}, FAULT_MISMATCH}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct item_key key = pck_key();
        struct testpki_sgx sgx = testpki_sgx_plain();
        memcpy(sgx.pceid, rows[i].pceid, 2);
        assert_true(span_to_text(span_of_text(rows[i].platform), key.platform.pceid, 4 + 1));
        struct raw_reply raw = reply_of(f, TESTPKI_PROCESSOR);
        add_leaf(f, &raw, TESTPKI_PROCESSOR, &sgx, 1);
        assert_int_equal(judge_as(f, &key, &raw, NULL), rows[i].fault);
    }
}

static void
test_refuses_certificates_of_two_platforms(void **state)
{
    struct verify_fixture *f = *state;
    struct testpki_sgx sgx = testpki_sgx_plain();
    sgx.ppid[15] ^= 1;
    assert_refused(f, judge_with_second(f, TESTPKI_PROCESSOR, &sgx), FAULT_MISMATCH, "PPID");
}

static void
test_refuses_a_certificate_of_the_other_ca(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = pck_key();
    struct testpki_sgx sgx = testpki_sgx_plain();
    assert_refused(f, judge_with_second(f, TESTPKI_PLATFORM, &sgx), FAULT_CHAIN, "names");
    struct raw_reply raw = reply_of(f, TESTPKI_PLATFORM);
    add_leaf(f, &raw, TESTPKI_PROCESSOR, &sgx, 1);
    assert_refused(f, judge_as(f, &key, &raw, NULL), FAULT_CHAIN, "names");
}

static void
test_refuses_leaves_under_the_tcb_signing_chain(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = pck_key();
    struct testpki_sgx sgx = testpki_sgx_plain();
    struct raw_reply raw;
    raw_reply_init(&raw);
    raw.issuer_chain = strdup(f->pki->signer_chain);
    add_leaf(f, &raw, TESTPKI_PROCESSOR, &sgx, 1);
    assert_refused(f, judge_as(f, &key, &raw, NULL), FAULT_CHAIN, "Processor or Platform CA");
}

static void
test_refuses_a_leaf_of_another_pki(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = pck_key();
    struct testpki *other = testpki_new();
    struct testpki_sgx sgx = testpki_sgx_plain();
    char tcbm[37];
    testpki_tcbm(&sgx, tcbm);
    struct raw_reply raw = reply_of(f, TESTPKI_PROCESSOR);
    add_entry(&raw, testpki_leaf_pem(other, TESTPKI_PROCESSOR, &sgx, 1), tcbm);
    assert_int_equal(judge_as(f, &key, &raw, NULL), FAULT_CHAIN);
    raw_reply_init(&raw);
    raw.issuer_chain = strdup(other->ca_chains[0]);
    add_entry(&raw, testpki_leaf_pem(other, TESTPKI_PROCESSOR, &sgx, 1), tcbm);
    assert_refused(f, judge_as(f, &key, &raw, NULL), FAULT_CHAIN, "anchor");
    testpki_free(other);
}

/* A leaf with one thing of its own. */
static int
judge_leaf(struct verify_fixture *f, struct testpki_cert spec)
{
    struct item_key key = pck_key();
    struct testpki_sgx sgx = testpki_sgx_plain();
    uint8_t der[TESTPKI_SGX_MAX];
    char tcbm[37];
    testpki_tcbm(&sgx, tcbm);
    if (spec.sgx_der_size == 0) {
        spec.sgx_der_size = testpki_sgx_der(&sgx, der);
        spec.sgx_der = der;
    }
    X509 *leaf = testpki_certify(&spec);
    struct raw_reply raw = reply_of(f, TESTPKI_PROCESSOR);
    add_entry(&raw, testpki_pem(&leaf, 1), tcbm);
    X509_free(leaf);
    return judge_as(f, &key, &raw, NULL);
}

static void
test_refuses_a_leaf_out_of_shape(void **state)
{
    struct verify_fixture *f = *state;
    const struct testpki_cert good = {.common_name = "Intel SGX PCK Certificate",
                                      .key = f->pki->leaf_key,
                                      .issuer = f->pki->cas[0],
                                      .issuer_key = f->pki->ca_keys[0],
                                      .path_length = -1,
                                      .key_usage = "critical,digitalSignature"};
    assert_int_equal(judge_leaf(f, good), 0);
    struct testpki_cert bad = good;
    bad.common_name = "Intel SGX TCB Signing";
    assert_refused(f, judge_leaf(f, bad), FAULT_CHAIN, "not one PCK certificate");
    bad = good;
    bad.is_ca = true;
    assert_refused(f, judge_leaf(f, bad), FAULT_CHAIN, "is a CA");
    bad = good;
    bad.key_usage = "critical,keyAgreement";
    assert_refused(f, judge_leaf(f, bad), FAULT_CHAIN, "digital signature");
    bad = good;
    bad.issuer_key = f->pki->root_key;
    assert_refused(f, judge_leaf(f, bad), FAULT_CHAIN, "does not verify");
    bad = good;
    bad.not_before = TESTPKI_BORN - 1; /* before its CA was valid */
    assert_refused(f, judge_leaf(f, bad), FAULT_CHAIN, "not valid when");
    bad = good;
    bad.not_before = TESTPKI_NOW + TESTPKI_DAY + 1;
    assert_refused(f, judge_leaf(f, bad), FAULT_MISMATCH, "24 hours");
    bad = good;
    bad.sgx_der = (const uint8_t *)"\x30";
    bad.sgx_der_size = 2;
    assert_refused(f, judge_leaf(f, bad), FAULT_INPUT, "SGX extension");
    bad = good;
    bad.not_after = TESTPKI_NOW - 1; /* expired: the verifier judges it */
    assert_int_equal(judge_leaf(f, bad), 0);
}

static void
test_refuses_what_is_not_one_certificate(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = pck_key();
    struct testpki_sgx sgx = testpki_sgx_plain();
    char tcbm[37];
    testpki_tcbm(&sgx, tcbm);
    X509 *leaf = testpki_leaf(f->pki, TESTPKI_PROCESSOR, &sgx, 1);
    char *const certs[] = {strdup(""), strdup("Not available"), strdup("%zz"),
                           testpki_pem((X509 *[]){leaf, f->pki->cas[0]}, 2),
                           testpki_pem((X509 *[]){leaf, leaf}, 2)};
    for (size_t i = 0; i < ARRAY_COUNT(certs); i++) {
        struct raw_reply raw = reply_of(f, TESTPKI_PROCESSOR);
        add_entry(&raw, certs[i], tcbm);
        assert_int_equal(judge_as(f, &key, &raw, NULL), FAULT_CHAIN);
    }
    X509_free(leaf);
}

static void
test_skips_unavailable_entries_and_needs_one_certificate(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = pck_key();
    struct testpki_sgx sgx = testpki_sgx_plain();
    struct raw_reply none = reply_of(f, TESTPKI_PROCESSOR);
    assert_int_equal(judge_as(f, &key, &none, NULL), FAULT_NOT_FOUND);
    struct raw_reply raw = reply_of(f, TESTPKI_PROCESSOR);
    add_entry(&raw, strdup(""), "");
    raw.pcks[0].available = false;
    struct raw_reply some = reply_of(f, TESTPKI_PROCESSOR);
    add_entry(&some, strdup(""), "");
    some.pcks[0].available = false;
    add_leaf(f, &some, TESTPKI_PROCESSOR, &sgx, 1);
    assert_int_equal(judge_as(f, &key, &raw, NULL), FAULT_NOT_FOUND);
    auto_proven struct proven *proven = NULL;
    assert_int_equal(judge_as(f, &key, &some, &proven), 0);
    assert_int_equal(proven->pck_count, 1);
}

static void
test_refuses_more_certificates_than_the_ceiling(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = pck_key();
    struct raw_reply raw = reply_of(f, TESTPKI_PROCESSOR);
    raw.pcks = calloc(LIMIT_PCK_CERTS + 1, sizeof *raw.pcks);
    raw.pck_count = LIMIT_PCK_CERTS + 1;
    assert_refused(f, judge_as(f, &key, &raw, NULL), FAULT_INPUT, "more than");
}

static void
test_a_revoked_ca_is_refused_and_a_revoked_leaf_reported(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = pck_key();
    struct testpki_sgx sgx = testpki_sgx_plain(), lower = testpki_sgx_plain();
    lower.pcesvn = 7;
    struct x509_crl *leaf_crl = make_crl(f->pki->cas[0], f->pki->ca_keys[0], 2);
    struct x509_crl *root_crl = make_crl(f->pki->root, f->pki->root_key, 100);
    f->context.pck_crls[PCK_CA_PROCESSOR] = leaf_crl;
    struct raw_reply raw = reply_of(f, TESTPKI_PROCESSOR);
    add_leaf(f, &raw, TESTPKI_PROCESSOR, &sgx, 1);
    add_leaf(f, &raw, TESTPKI_PROCESSOR, &lower, 2);
    auto_proven struct proven *proven = NULL;
    assert_int_equal(judge_as(f, &key, &raw, &proven), 0);
    assert_false(proven->pcks[0].revoked);
    assert_true(proven->pcks[1].revoked);
    f->context.root_crl = root_crl;
    assert_int_equal(judge_sgx(f, &sgx), FAULT_REVOKED);
    f->context.origin = VERIFY_STORE;
    assert_int_equal(judge_sgx(f, &sgx), 0);
    f->context.origin = VERIFY_UPSTREAM;
    f->context.root_crl = NULL;
    f->context.pck_crls[PCK_CA_PROCESSOR] = NULL;
    x509_crl_free(leaf_crl);
    x509_crl_free(root_crl);
}

static void
test_the_cas_chain_at_hand_is_used_if_none_came(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = pck_key();
    struct testpki_sgx sgx = testpki_sgx_plain();
    for (int has_chain = 0; has_chain < 2; has_chain++) {
        f->context.pck_chain_pems[PCK_CA_PROCESSOR] = f->pki->ca_chains[0];
        f->context.pck_chain_pems[PCK_CA_PLATFORM] = has_chain ? f->pki->ca_chains[1] : NULL;
        struct raw_reply raw;
        raw_reply_init(&raw);
        add_leaf(f, &raw, TESTPKI_PLATFORM, &sgx, 1);
        auto_proven struct proven *proven = NULL;
        assert_int_equal(judge_as(f, &key, &raw, &proven), has_chain ? 0 : FAULT_NO_CHAIN);
        assert_true(proven == NULL || proven->ca == PCK_CA_PLATFORM);
    }
    f->context.pck_chain_pems[0] = f->context.pck_chain_pems[1] = NULL;
}

static void
test_keeps_order_and_writes_pem_anew(void **state)
{
    struct verify_fixture *f = *state;
    struct item_key key = pck_key();
    struct testpki_sgx sgx = testpki_sgx_plain(), lower = testpki_sgx_plain();
    lower.pcesvn = 300;
    sgx.has_platform_part = lower.has_platform_part = true;
    char tcbm[37];
    testpki_tcbm(&sgx, tcbm);
    auto_free char *pem = testpki_leaf_pem(f->pki, TESTPKI_PLATFORM, &sgx, 1);
    auto_free char *crlf = replace_text(pem, "\n", "\r\n");
    struct raw_reply raw = reply_of(f, TESTPKI_PLATFORM);
    add_leaf(f, &raw, TESTPKI_PLATFORM, &lower, 2);
    add_entry(&raw, testpki_percent_encode(crlf), "050500000000000000000000000000000a00");
    auto_proven struct proven *proven = NULL;
    assert_int_equal(judge_as(f, &key, &raw, &proven), 0);
    assert_int_equal(proven->pck_count, 2);
    assert_string_equal(proven->pcks[0].tcbm, "050500000000000000000000000000002C01");
    assert_string_equal(proven->pcks[1].tcbm, tcbm);
    assert_string_equal(proven->pcks[1].pem, pem);
    assert_string_equal(proven->fmspc.hex, "00906EA10000");
    assert_string_equal(proven->chain_pem, f->pki->ca_chains[1]);
    assert_int_equal(proven->ca, PCK_CA_PLATFORM);
    assert_true(proven->pcks[0].ext.pcesvn == 300 && proven->pcks[0].ext.has_platform_part);
    assert_true(proven->fresh_until == INT64_MAX && proven->issued_at == 0);
    assert_true(proven->pcks[0].not_after == TESTPKI_DIES);
}

static void
test_intels_own_certificate_verifies(void **state)
{
    struct realdata *real = realdata_load();
    if (real == NULL) {
        skip();
    }
    struct verify_fixture *f = *state;
    struct trust_anchors *builtin = NULL;
    struct item_key key = pck_key();
    assert_true(fmspc_parse(span_of_text("00A067110000"), &key.fmspc));
    assert_int_equal(trust_anchors_builtin(&builtin, &f->why), 0);
    f->context.anchors = builtin;
    struct raw_reply raw;
    raw_reply_init(&raw);
    raw.issuer_chain = strdup(real->pck_chain);
    add_entry(&raw, strdup(real->pck_cert), real->tcbm);
    auto_proven struct proven *proven = NULL;
    assert_int_equal(judge_as(f, &key, &raw, &proven), 0);
    assert_string_equal(proven->pcks[0].tcbm, real->tcbm);
    assert_int_equal(proven->ca, PCK_CA_PROCESSOR);
    f->context.anchors = f->anchors;
    trust_anchors_free(builtin);
    realdata_free(real);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_a_tcbm_that_the_certificate_does_not_carry),
        cmocka_unit_test(test_refuses_a_cpusvn_that_is_not_its_components),
        cmocka_unit_test(test_refuses_another_fmspc_than_expected),
        cmocka_unit_test(test_refuses_an_fmspc_or_ca_header_that_lies),
        cmocka_unit_test(test_refuses_another_pce_id_and_swaps_its_bytes),
        cmocka_unit_test(test_refuses_certificates_of_two_platforms),
        cmocka_unit_test(test_refuses_a_certificate_of_the_other_ca),
        cmocka_unit_test(test_refuses_leaves_under_the_tcb_signing_chain),
        cmocka_unit_test(test_refuses_a_leaf_of_another_pki),
        cmocka_unit_test(test_refuses_a_leaf_out_of_shape),
        cmocka_unit_test(test_refuses_what_is_not_one_certificate),
        cmocka_unit_test(test_skips_unavailable_entries_and_needs_one_certificate),
        cmocka_unit_test(test_refuses_more_certificates_than_the_ceiling),
        cmocka_unit_test(test_a_revoked_ca_is_refused_and_a_revoked_leaf_reported),
        cmocka_unit_test(test_the_cas_chain_at_hand_is_used_if_none_came),
        cmocka_unit_test(test_keeps_order_and_writes_pem_anew),
        cmocka_unit_test(test_intels_own_certificate_verifies),
    };
    return cmocka_run_group_tests(tests, verify_fixture_setup, verify_fixture_teardown);
}
