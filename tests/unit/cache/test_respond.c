/* SPDX-License-Identifier: BSD-3-Clause */
/* Finished responses, byte for byte: header names, encodings, texts (api.md). */
#include "cache_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "base/hex.h"
#include "base/mem.h"

#define TEXT_TYPE "Content-Type: text/html; charset=utf-8\r\n"

/* ---- errors ---- */

static void
expect_refusal(enum fault_code code, bool is_collateral_get, int status, const char *body)
{
    struct fault why = {.code = code};
    struct response *response = response_of_fault(&why, is_collateral_get, 0);
    assert_int_equal(response->status, status);
    assert_true(span_is(response->body, body));
    assert_true(span_is(response->head, TEXT_TYPE));
    assert_string_equal(response->etag, "");
    assert_int_equal(response->retry_after_s, status == 503 ? 5 : 0);
    response_unref(response);
}

static void
test_each_status_has_its_text(void **state)
{
    expect_refusal(FAULT_INPUT, true, 400, "Invalid request parameters.");
    expect_refusal(FAULT_AUTH, false, 401, "Authentication failed.");
    expect_refusal(FAULT_NOT_FOUND, true, 404, "No cache data for this platform.");
    expect_refusal(FAULT_GONE, true, 410,
                   "The Intel PCS API version 3 reached planned EOL. Accordingly, collateral from "
                   "this API version cannot be retrieved any longer.");
    expect_refusal(FAULT_TOO_LARGE, false, 413, "Content too large.");
    expect_refusal(FAULT_SIGNATURE, false, 460, "The integrity of the data can't be verified.");
    expect_refusal(FAULT_CHAIN, false, 460, "The integrity of the data can't be verified.");
    expect_refusal(FAULT_REVOKED, false, 460, "The integrity of the data can't be verified.");
    expect_refusal(FAULT_MISMATCH, false, 460, "The integrity of the data can't be verified.");
    expect_refusal(FAULT_NOT_CACHED, true, 461, "The platform was not found in the cache.");
    expect_refusal(FAULT_NO_CERTS, true, 462, "Certificates are not available for certain TCBs.");
    expect_refusal(FAULT_INTERNAL, true, 500, "Internal server error occurred.");
    expect_refusal(FAULT_MEMORY, true, 500, "Internal server error occurred.");
    expect_refusal(FAULT_UPSTREAM_REFUSED, true, 502,
                   "Unable to retrieve the collateral from the Intel SGX PCS.");
    expect_refusal(FAULT_UPSTREAM_ODD, true, 502,
                   "Unable to retrieve the collateral from the Intel SGX PCS.");
    expect_refusal(FAULT_UPSTREAM_UNPROVEN, true, 502,
                   "Unable to retrieve the collateral from the Intel SGX PCS.");
    expect_refusal(FAULT_UPSTREAM_DOWN, false, 503,
                   "Server is currently unable to process the request.");
}

static void
test_a_503_to_a_get_of_collateral_has_no_body(void **state)
{
    expect_refusal(FAULT_UPSTREAM_DOWN, true, 503, "");
    expect_refusal(FAULT_BUSY, true, 503, "");
    expect_refusal(FAULT_STORE, true, 503, "");
}

static void
test_success_of_an_administrator_is_a_text(void **state)
{
    struct response *response = respond_done();
    assert_true(span_is(response->body, "Operation successful."));
    assert_true(span_is(response->head, TEXT_TYPE));
    response_unref(response);
}

/* ---- items ---- */

/* "NAME: " and the chain as encodeURIComponent has it, ending in %0A. */
static char *
head_with_chain(const char *before, const char *name, const char *chain)
{
    char *encoded = testpki_percent_encode(chain);
    assert_string_equal(encoded + strlen(encoded) - 3, "%0A");
    char *head = NULL;
    assert_true(asprintf(&head, "%s%s: %s\r\n", before, name, encoded) > 0);
    free(encoded);
    return head;
}

static void
expect_item(struct fixture *f, const struct item_key *key, enum crl_encoding encoding,
            const char *type, const char *chain_name, const char *chain)
{
    struct proven *proven = fixture_proven(f, key);
    struct response *response = respond_item(proven, encoding);
    char type_line[64];
    snprintf(type_line, sizeof type_line, "Content-Type: %s\r\n", type);
    char *head = chain_name != NULL ? head_with_chain(type_line, chain_name, chain) : NULL;
    assert_int_equal(response->status, 200);
    assert_true(span_is(response->head, head != NULL ? head : type_line));
    assert_int_equal(response->fresh_until, f->next_at);
    assert_int_equal(strlen(response->etag), 34);
    assert_false(response->is_stale);
    free(head);
    response_unref(response);
    proven_unref(proven);
}

static void
test_tcb_infos_name_their_chain_by_version(void **state)
{
    struct fixture *f = *state;
    struct item_key key = tcb_key();
    expect_item(f, &key, CRL_ENCODING_HEX, "application/json", "TCB-Info-Issuer-Chain",
                f->pki->signer_chain);
    key.product = PRODUCT_TDX;
    expect_item(f, &key, CRL_ENCODING_HEX, "application/json", "TCB-Info-Issuer-Chain",
                f->pki->signer_chain);
    key = tcb_key();
    key.api_version = 3;
    expect_item(f, &key, CRL_ENCODING_HEX, "application/json", "SGX-TCB-Info-Issuer-Chain",
                f->pki->signer_chain);
}

static void
test_identities_have_one_name_for_their_chain(void **state)
{
    struct fixture *f = *state;
    struct item_key key = {.kind = ITEM_IDENTITY, .api_version = 4, .enclave = ENCLAVE_TDQE};
    expect_item(f, &key, CRL_ENCODING_HEX, "application/json", "SGX-Enclave-Identity-Issuer-Chain",
                f->pki->signer_chain);
}

static void
test_a_signed_item_is_served_as_it_was_signed(void **state)
{
    struct fixture *f = *state;
    struct item_key key = tcb_key();
    struct proven *proven = fixture_proven(f, &key);
    struct response *response = respond_item(proven, CRL_ENCODING_HEX);
    assert_true(span_equal(response->body, buf_span(&proven->body)));
    assert_true(span_starts_with(response->body, "{\"tcbInfo\":{"));
    response_unref(response);
    proven_unref(proven);
}

static void
test_a_pck_crl_is_hex_der_or_pem(void **state)
{
    struct fixture *f = *state;
    const struct item_key key = {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM};
    const char *chain = f->pki->ca_chains[TESTPKI_PLATFORM];
    expect_item(f, &key, CRL_ENCODING_HEX, "application/x-pem-file", "SGX-PCK-CRL-Issuer-Chain",
                chain);
    expect_item(f, &key, CRL_ENCODING_DER, "application/pkix-crl", "SGX-PCK-CRL-Issuer-Chain",
                chain);
    expect_item(f, &key, CRL_ENCODING_PEM, "application/x-pem-file", "SGX-PCK-CRL-Issuer-Chain",
                chain);
    struct proven *proven = fixture_proven(f, &key);
    struct response *der = respond_item(proven, CRL_ENCODING_DER);
    struct response *hex = respond_item(proven, CRL_ENCODING_HEX);
    struct response *pem = respond_item(proven, CRL_ENCODING_PEM);
    assert_true(span_equal(der->body, x509_crl_der(proven->crl)));
    char *expected = calloc(2, der->body.size + 1);
    hex_encode_lower(der->body, expected);
    assert_true(span_is(hex->body, expected));
    /* OpenSSL's own rendering is the witness */
    BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *at = der->body.data;
    X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)der->body.size);
    assert_int_equal(PEM_write_bio_X509_CRL(bio, list), 1);
    char *text = NULL;
    long size = BIO_get_mem_data(bio, &text);
    assert_true(span_equal(pem->body, span_of(text, (size_t)size)));
    assert_string_not_equal(der->etag, hex->etag);
    X509_CRL_free(list);
    BIO_free(bio);
    free(expected);
    response_unref(der);
    response_unref(hex);
    response_unref(pem);
    proven_unref(proven);
}

static void
test_the_root_crl_is_hex_whatever_is_asked_and_has_no_chain(void **state)
{
    struct fixture *f = *state;
    const struct item_key key = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    expect_item(f, &key, CRL_ENCODING_DER, "application/pkix-crl", NULL, NULL);
    struct proven *proven = fixture_proven(f, &key);
    struct response *response = respond_item(proven, CRL_ENCODING_DER);
    assert_true(hex_is(response->body));
    assert_true(span_starts_with(response->body, "308"));
    response_unref(response);
    proven_unref(proven);
}

static void
test_a_crl_by_url_is_der_whatever_is_asked(void **state)
{
    struct fixture *f = *state;
    struct item_key key = {.kind = ITEM_CRL, .api_version = 4};
    memcpy(key.url, FIXTURE_CRL_URL, sizeof FIXTURE_CRL_URL);
    expect_item(f, &key, CRL_ENCODING_HEX, "application/pkix-crl", NULL, NULL);
    struct proven *proven = fixture_proven(f, &key);
    struct response *response = respond_item(proven, CRL_ENCODING_HEX);
    assert_true(span_equal(response->body, x509_crl_der(proven->crl)));
    response_unref(response);
    proven_unref(proven);
}

static void
test_a_pck_certificate_has_its_four_headers_and_ends_in_a_newline(void **state)
{
    struct fixture *f = *state;
    const struct item_key key = {
        .kind = ITEM_PCK, .api_version = 4, .platform = {.qeid = "Q", .pceid = "0000"}};
    struct proven *proven = fixture_proven(f, &key);
    struct response *response = respond_pck(proven, &proven->pcks[0], INT64_MAX);
    char *head =
        head_with_chain("Content-Type: application/x-pem-file\r\n"
                        "SGX-TCBm: 050000000000000000000000000000000A00\r\n"
                        "SGX-FMSPC: 00906EA10000\r\n"
                        "SGX-PCK-Certificate-CA-Type: PROCESSOR\r\n",
                        "SGX-PCK-Certificate-Issuer-Chain", f->pki->ca_chains[TESTPKI_PROCESSOR]);
    assert_true(span_is(response->head, head));
    assert_true(span_starts_with(response->body, "-----BEGIN CERTIFICATE-----\n"));
    static const char end[] = "\n-----END CERTIFICATE-----\n";
    assert_memory_equal(response->body.data + response->body.size - strlen(end), end, strlen(end));
    assert_int_equal(response->fresh_until, INT64_MAX);
    free(head);
    response_unref(response);
    proven_unref(proven);
}

static void
test_the_etag_is_of_the_content(void **state)
{
    struct fixture *f = *state;
    struct item_key key = tcb_key();
    struct proven *first = fixture_proven(f, &key);
    f->number = 18;
    struct proven *second = fixture_proven(f, &key);
    f->number = 17;
    struct response *a = respond_item(first, CRL_ENCODING_HEX);
    struct response *same = respond_item(first, CRL_ENCODING_HEX);
    struct response *b = respond_item(second, CRL_ENCODING_HEX);
    assert_string_equal(a->etag, same->etag);
    assert_string_not_equal(a->etag, b->etag);
    response_unref(a);
    response_unref(same);
    response_unref(b);
    proven_unref(first);
    proven_unref(second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_status_has_its_text),
        cmocka_unit_test(test_a_503_to_a_get_of_collateral_has_no_body),
        cmocka_unit_test(test_success_of_an_administrator_is_a_text),
        cmocka_unit_test(test_tcb_infos_name_their_chain_by_version),
        cmocka_unit_test(test_identities_have_one_name_for_their_chain),
        cmocka_unit_test(test_a_signed_item_is_served_as_it_was_signed),
        cmocka_unit_test(test_a_pck_crl_is_hex_der_or_pem),
        cmocka_unit_test(test_the_root_crl_is_hex_whatever_is_asked_and_has_no_chain),
        cmocka_unit_test(test_a_crl_by_url_is_der_whatever_is_asked),
        cmocka_unit_test(test_a_pck_certificate_has_its_four_headers_and_ends_in_a_newline),
        cmocka_unit_test(test_the_etag_is_of_the_content),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
