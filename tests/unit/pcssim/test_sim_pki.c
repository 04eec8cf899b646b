/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PKI as OpenSSL's own verification sees it, and the SGX extension as Intel's parser wants it.
 *
 * Takes what the simulator answers, judges it with X509_verify_cert and a walk through the DER that
 * shares nothing with the writer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/url.h"
#include "sim_fixture.h"

#define V4 "/sgx/certification/v4/"

static X509 *
read_certificate(struct span *pem)
{
    BIO *memory = BIO_new_mem_buf(pem->data, (int)pem->size);
    X509 *certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);
    long left = BIO_pending(memory);
    *pem = span_of(pem->data + pem->size - left, (size_t)left);
    BIO_free(memory);
    assert_non_null(certificate);
    return certificate;
}

static X509_CRL *
get_crl(struct sim_fixture *fixture, const char *path, const char *query)
{
    struct sim_answer *answer = fixture_get(fixture, path, query);
    const uint8_t *at = answer->body.data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)answer->body.size);
    assert_non_null(crl);
    assert_ptr_equal(at, answer->body.data + answer->body.size);
    sim_answer_free(answer);
    return crl;
}

/* The verdict on leaf under the encoded chain (signer first, root last). */
static int
verify(struct sim_fixture *fixture, X509 *leaf, const char *encoded_chain, const char *ca)
{
    struct buf chain = BUF_INIT(65536);
    assert_int_equal(url_add_decoded(&chain, span_of_text(encoded_chain)), 0);
    struct span rest = buf_span(&chain);
    X509 *first = read_certificate(&rest);
    X509 *root = read_certificate(&rest);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    X509_CRL *root_crl = get_crl(fixture, "/IntelSGXRootCA.der", "");
    X509_STORE_add_cert(store, root);
    X509_STORE_add_crl(store, root_crl);
    if (ca != NULL) {
        char query[64];
        snprintf(query, sizeof(query), "ca=%s&encoding=der", ca);
        X509_CRL *crl = get_crl(fixture, V4 "pckcrl", query);
        X509_STORE_add_crl(store, crl);
        X509_CRL_free(crl);
    }
    sk_X509_push(between, first);
    X509_STORE_CTX_init(ctx, store, leaf != NULL ? leaf : first, between);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, FIXTURE_NOW);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL |
                                           X509_V_FLAG_X509_STRICT);
    X509_verify_cert(ctx);
    int verdict = X509_STORE_CTX_get_error(ctx);
    X509_CRL_free(root_crl);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    sk_X509_free(between);
    X509_free(first);
    X509_free(root);
    buf_done(&chain);
    return verdict;
}

static int
verify_pck(struct sim_fixture *fixture, const char *platform, const char *ca, X509 **ret_leaf)
{
    auto_free char *query = fixture_ppid_query(fixture, platform);
    char whole[1024];
    snprintf(whole, sizeof(whole), "%s&cpusvn=FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF&pcesvn=FFFF", query);
    struct sim_answer *answer = fixture_get(fixture, V4 "pckcert", whole);
    assert_int_equal(answer->status, 200);
    auto_free char *chain = fixture_header(answer, "SGX-PCK-Certificate-Issuer-Chain");
    struct span pem = buf_span(&answer->body);
    X509 *leaf = read_certificate(&pem);
    sim_answer_free(answer);
    int verdict = verify(fixture, leaf, chain, ca);
    if (ret_leaf != NULL) {
        *ret_leaf = leaf;
    } else {
        X509_free(leaf);
    }
    return verdict;
}

static int
verify_signer(struct sim_fixture *fixture)
{
    struct sim_answer *answer = fixture_get(fixture, V4 "qe/identity", "");
    auto_free char *chain = fixture_header(answer, "SGX-Enclave-Identity-Issuer-Chain");
    sim_answer_free(answer);
    return verify(fixture, NULL, chain, NULL);
}

static void
test_a_revoked_platform_fails_and_others_do_not(void **state)
{
    assert_int_equal(verify_pck(*state, "e5-single", "platform", NULL), X509_V_OK);
    assert_int_equal(fixture_order(*state, "{\"action\":\"revoke\",\"what\":\"platform\","
                                           "\"platform\":\"e5-single\"}"),
                     200);
    assert_int_equal(verify_pck(*state, "e5-single", "platform", NULL), X509_V_ERR_CERT_REVOKED);
    assert_int_equal(verify_pck(*state, "tdx-single", "platform", NULL), X509_V_OK);
}

static void
test_a_revoked_signer_fails_and_its_successor_does_not(void **state)
{
    assert_int_equal(verify_signer(*state), X509_V_OK);
    assert_int_equal(fixture_order(*state, "{\"action\":\"revoke\",\"what\":\"tcb-signing\"}"),
                     200);
    assert_int_equal(verify_signer(*state), X509_V_ERR_CERT_REVOKED);
    assert_int_equal(fixture_order(*state, "{\"action\":\"rotate-signer\"}"), 200);
    assert_int_equal(verify_signer(*state), X509_V_OK);
    assert_int_equal(fixture_order(*state, "{\"action\":\"reset\"}"), 200);
    assert_int_equal(verify_signer(*state), X509_V_OK);
}

static void
test_a_tampered_certificate_fails(void **state)
{
    assert_int_equal(fixture_order(*state, "{\"action\":\"fault\",\"endpoint\":\"pckcert\","
                                           "\"kind\":\"tamper\",\"count\":1}"),
                     200);
    assert_int_equal(verify_pck(*state, "e3-1", "processor", NULL),
                     X509_V_ERR_CERT_SIGNATURE_FAILURE);
    assert_int_equal(fixture_order(*state, "{\"action\":\"fault\",\"endpoint\":\"pckcert\","
                                           "\"kind\":\"wrong-signer\",\"count\":1}"),
                     200);
    assert_int_equal(verify_pck(*state, "e3-1", "processor", NULL),
                     X509_V_ERR_CERT_SIGNATURE_FAILURE);
    assert_int_equal(verify_pck(*state, "e3-1", "processor", NULL), X509_V_OK);
}

static void
test_every_certificate_has_the_extensions_that_parsers_insist_on(void **state)
{
    static const int wanted[] = {NID_authority_key_identifier, NID_subject_key_identifier,
                                 NID_key_usage, NID_basic_constraints, NID_crl_distribution_points};
    struct sim_fixture *fixture = *state;
    struct span pem = sim_pki_root_pem(fixture->sim.pki);
    X509 *certificates[2] = {read_certificate(&pem), NULL};
    assert_int_equal(verify_pck(fixture, "client-1", "processor", &certificates[1]), X509_V_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(X509_get_version(certificates[i]), X509_VERSION_3);
        for (size_t k = 0; k < ARRAY_COUNT(wanted); k++) {
            assert_true(X509_get_ext_by_NID(certificates[i], wanted[k], -1) >= 0);
        }
        X509_free(certificates[i]);
    }
}

/* The elements of the SEQUENCE that der starts with; 0 if it is none. */
static size_t
sequence_count(const ASN1_TYPE *value, const ASN1_TYPE **ret_second)
{
    if (value->type != V_ASN1_SEQUENCE) {
        return 0;
    }
    const uint8_t *at = value->value.sequence->data;
    ASN1_SEQUENCE_ANY *items = d2i_ASN1_SEQUENCE_ANY(NULL, &at, value->value.sequence->length);
    assert_non_null(items);
    size_t count = (size_t)sk_ASN1_TYPE_num(items);
    if (ret_second != NULL && count > 1) {
        static ASN1_TYPE *kept; /* outlives the list */
        ASN1_TYPE_free(kept);
        kept = sk_ASN1_TYPE_delete(items, 1);
        *ret_second = kept;
    }
    sk_ASN1_TYPE_pop_free(items, ASN1_TYPE_free);
    return count;
}

static size_t
sgx_element_count(struct sim_fixture *fixture, const char *platform, const char *ca,
                  size_t *ret_tcb_count)
{
    X509 *leaf = NULL;
    assert_int_equal(verify_pck(fixture, platform, ca, &leaf), X509_V_OK);
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    int index = X509_get_ext_by_OBJ(leaf, oid, -1);
    assert_true(index >= 0);
    const ASN1_OCTET_STRING *content = X509_EXTENSION_get_data(X509_get_ext(leaf, index));
    const uint8_t *at = ASN1_STRING_get0_data(content);
    ASN1_TYPE *whole = d2i_ASN1_TYPE(NULL, &at, ASN1_STRING_length(content));
    assert_non_null(whole);
    assert_ptr_equal(at, ASN1_STRING_get0_data(content) + ASN1_STRING_length(content));
    const ASN1_TYPE *second = NULL, *tcb = NULL;
    size_t count = sequence_count(whole, &second); /* the second item is B.2, the TCB */
    ASN1_TYPE *pair = ASN1_TYPE_new();
    ASN1_TYPE_set1(pair, second->type, second->value.ptr);
    assert_int_equal(sequence_count(pair, &tcb), 2);
    *ret_tcb_count = sequence_count(tcb, NULL);
    ASN1_TYPE_free(pair);
    ASN1_TYPE_free(whole);
    ASN1_OBJECT_free(oid);
    X509_free(leaf);
    return count;
}

static void
test_the_sgx_extension_has_five_elements_or_seven(void **state)
{
    size_t tcb_count = 0;
    assert_int_equal(sgx_element_count(*state, "client-1", "processor", &tcb_count), 5);
    assert_int_equal(tcb_count, 18);
    assert_int_equal(sgx_element_count(*state, "e5-single", "platform", &tcb_count), 7);
    assert_int_equal(tcb_count, 18);
}

static void
test_keys_are_kept_and_private(void **state)
{
    struct sim_fixture *fixture = *state;
    struct sim_pki *again = NULL;
    char path[128];
    struct stat status;
    snprintf(path, sizeof(path), "%s/root.key", fixture->folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(sim_pki_open(fixture->folder, fixture->sim.url, &again, NULL), 0);
    assert_true(span_equal(sim_pki_root_pem(again), sim_pki_root_pem(fixture->sim.pki)));
    assert_true(span_equal(sim_pki_tcb_chain(again), sim_pki_tcb_chain(fixture->sim.pki)));
    sim_pki_free(again);
}

static void
test_another_port_gives_other_certificates_over_the_same_keys(void **state)
{
    struct sim_fixture *fixture = *state;
    struct sim_pki *moved = NULL;
    assert_int_equal(sim_pki_open(fixture->folder, "http://127.0.0.1:9", &moved, NULL), 0);
    struct span one = sim_pki_root_pem(fixture->sim.pki), two = sim_pki_root_pem(moved);
    assert_false(span_equal(one, two));
    X509 *first = read_certificate(&one), *second = read_certificate(&two);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(first), X509_get0_pubkey(second)), 1);
    X509_free(first);
    X509_free(second);
    sim_pki_free(moved);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, sim_fixture_reset)
        TEST(test_a_revoked_platform_fails_and_others_do_not),
        TEST(test_a_revoked_signer_fails_and_its_successor_does_not),
        TEST(test_a_tampered_certificate_fails),
        TEST(test_every_certificate_has_the_extensions_that_parsers_insist_on),
        TEST(test_the_sgx_extension_has_five_elements_or_seven),
        TEST(test_keys_are_kept_and_private),
        TEST(test_another_port_gives_other_certificates_over_the_same_keys),
#undef TEST
    };
    return cmocka_run_group_tests(tests, sim_fixture_setup, sim_fixture_teardown);
}
