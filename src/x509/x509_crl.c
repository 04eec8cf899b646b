/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Certificate revocation lists: DER or PEM in, facts and a verdict on the signature out.
 *
 * Only complete lists of one issuer are taken: no delta list, no list by scopes, no entries of
 * other issuers (RFC 5280, 5.2, 5.3), for then a missing serial would prove nothing.
 * Called by collateral/ on workers; a parsed list is immutable and may be shared.
 * Must never: look at the present time; judge by the CRL number (it is constantly 1).
 */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "x509/x509_crl.h"
#include "x509/x509_priv.h"

struct x509_crl {
    X509_CRL *list;
    struct buf der;
    int64_t this_update, next_update;
};

static int
check_extensions(const X509_CRL *list, struct fault *why)
{
    for (int i = 0; i < X509_CRL_get_ext_count(list); i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(list, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        bool is_partial = nid == NID_delta_crl || nid == NID_issuing_distribution_point;
        if (is_partial || X509_EXTENSION_get_critical(extension) != 0) {
            return fault_set(why, FAULT_INPUT, "parse",
                             "the CRL is a partial one or has an unknown critical extension "
                             "(RFC 5280, 5.2)");
        }
    }
    return 0;
}

static int
check_entries(X509_CRL *list, struct fault *why)
{
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(list);
    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
        for (int j = 0; j < X509_REVOKED_get_ext_count(entry); j++) {
            X509_EXTENSION *extension = X509_REVOKED_get_ext(entry, j);
            int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
            if (nid != NID_crl_reason && X509_EXTENSION_get_critical(extension) != 0) {
                return fault_set(why, FAULT_INPUT, "parse",
                                 "a CRL entry has an unknown critical extension (RFC 5280, 5.3)");
            }
        }
    }
    return 0;
}

static int
check_form(struct x509_crl *crl, struct fault *why)
{
    uint8_t *again = NULL;
    int size = i2d_X509_CRL(crl->list, &again);
    bool is_der = size >= 0 && span_equal(span_of(again, (size_t)size), buf_span(&crl->der));
    OPENSSL_free(again);
    if (!is_der) {
        return x509_fault(why, FAULT_INPUT, "parse", "the CRL is not in DER");
    }
    if (X509_CRL_get_version(crl->list) != X509_CRL_VERSION_2) {
        return fault_set(why, FAULT_INPUT, "parse", "the CRL is not of version 2");
    }
    if (!x509_time_parse(X509_CRL_get0_lastUpdate(crl->list), &crl->this_update)) {
        return fault_set(why, FAULT_INPUT, "parse", "the CRL's thisUpdate is unreadable");
    }
    if (!x509_time_parse(X509_CRL_get0_nextUpdate(crl->list), &crl->next_update)) {
        return fault_set(why, FAULT_INPUT, "parse",
                         "the CRL has no readable nextUpdate (RFC 5280, 5.1.2.5)");
    }
    int fault = check_extensions(crl->list, why);
    return fault != 0 ? fault : check_entries(crl->list, why);
}

/* PEM or DER to crl->der. */
static int
take_bytes(struct x509_crl *crl, struct span bytes, struct fault *why)
{
    if (!span_starts_with(bytes, "-----BEGIN")) {
        int fault = buf_add(&crl->der, bytes);
        return fault == 0
                   ? 0
                   : fault_set(why, fault == FAULT_MEMORY ? FAULT_MEMORY : FAULT_INPUT, "parse",
                               "the CRL has %zu bytes, more than %d", bytes.size, LIMIT_CRL_BYTES);
    }
    if (bytes.size > 2 * LIMIT_CRL_BYTES) {
        return fault_set(why, FAULT_INPUT, "parse", "the CRL has %zu bytes of PEM, too many",
                         bytes.size);
    }
    struct reader text = reader_of(bytes);
    int fault = pem_read(&text, "X509 CRL", &crl->der, why);
    if (fault == 0 && !pem_at_end(&text)) {
        fault = fault_set(why, FAULT_INPUT, "parse", "text stands behind the CRL's PEM block");
    }
    return fault;
}

static int
crl_fill(struct x509_crl *crl, struct span bytes, struct fault *why)
{
    int fault = take_bytes(crl, bytes, why);
    if (fault != 0) {
        return fault;
    }
    const uint8_t *at = crl->der.data;
    crl->list = d2i_X509_CRL(NULL, &at, (long)crl->der.size);
    if (crl->list == NULL) {
        return x509_fault(why, FAULT_INPUT, "parse", "not a CRL");
    }
    if (at != crl->der.data + crl->der.size) {
        return fault_set(why, FAULT_INPUT, "parse", "bytes stand behind the CRL");
    }
    fault = check_form(crl, why);
    ERR_clear_error();
    return fault;
}

int
x509_crl_parse(struct span bytes, struct x509_crl **ret_crl, struct fault *why)
{
    struct x509_crl *crl = calloc(1, sizeof *crl);
    if (crl == NULL) {
        return fault_set(why, FAULT_MEMORY, "parse", "memory ran out");
    }
    crl->der = BUF_INIT(LIMIT_CRL_BYTES);
    int fault = crl_fill(crl, bytes, why);
    if (fault != 0) {
        x509_crl_free(crl);
        return fault;
    }
    *ret_crl = crl;
    return 0;
}

void
x509_crl_free(struct x509_crl *crl)
{
    if (crl != NULL) {
        X509_CRL_free(crl->list);
        buf_done(&crl->der);
        free(crl);
    }
}

struct span
x509_crl_der(const struct x509_crl *crl)
{
    return buf_span(&crl->der);
}

int64_t
x509_crl_this_update(const struct x509_crl *crl)
{
    return crl->this_update;
}

int64_t
x509_crl_next_update(const struct x509_crl *crl)
{
    return crl->next_update;
}

bool
x509_crl_names(const struct x509_crl *crl, X509 *issuer)
{
    return X509_NAME_cmp(X509_CRL_get_issuer(crl->list), X509_get_subject_name(issuer)) == 0;
}

static int
verify_by_key(const struct x509_crl *crl, EVP_PKEY *key, struct fault *why)
{
    if (X509_CRL_get_signature_nid(crl->list) != NID_ecdsa_with_SHA256) {
        return fault_set(why, FAULT_SIGNATURE, "signature",
                         "the CRL is not signed by ECDSA with SHA-256");
    }
    if (X509_CRL_verify(crl->list, key) != 1) {
        return x509_fault(why, FAULT_SIGNATURE, "signature",
                          "the CRL's signature does not verify (trust.md rule 4)");
    }
    return 0;
}

int
x509_crl_verify(const struct x509_crl *crl, X509 *issuer, struct fault *why)
{
    uint8_t spki[X509_SPKI_SIZE];
    if (!x509_crl_names(crl, issuer)) {
        return fault_set(why, FAULT_SIGNATURE, "signature",
                         "the CRL names another issuer (trust.md rule 4)");
    }
    if (!x509_spki(issuer, spki)) {
        return fault_set(why, FAULT_SIGNATURE, "signature", "the CRL issuer's key is not P-256");
    }
    if ((X509_get_key_usage(issuer) & KU_CRL_SIGN) == 0) {
        return fault_set(why, FAULT_SIGNATURE, "signature",
                         "the CRL's issuer may not sign CRLs (RFC 5280, 6.3.3 (f))");
    }
    return verify_by_key(crl, X509_get0_pubkey(issuer), why);
}

bool
x509_crl_names_anchor(const struct x509_crl *crl, const struct trust_anchors *anchors)
{
    for (size_t i = 0; i < trust_anchors_count(anchors); i++) {
        if (X509_NAME_cmp(X509_CRL_get_issuer(crl->list), trust_anchors_name(anchors, i)) == 0) {
            return true;
        }
    }
    return false;
}

int
x509_crl_verify_by_anchor(const struct x509_crl *crl, const struct trust_anchors *anchors,
                          struct fault *why)
{
    bool is_named = false;
    for (size_t i = 0; i < trust_anchors_count(anchors); i++) {
        if (X509_NAME_cmp(X509_CRL_get_issuer(crl->list), trust_anchors_name(anchors, i)) != 0) {
            continue;
        }
        is_named = true;
        /* environments differ in keys under one name: any of them will do */
        if (verify_by_key(crl, trust_anchors_key(anchors, i), NULL) == 0) {
            return 0;
        }
    }
    return fault_set(why, FAULT_SIGNATURE, "signature",
                     is_named ? "the CRL's signature does not verify by a trust anchor's key "
                                "(trust.md rule 4)"
                              : "the CRL does not name a trust anchor as its issuer "
                                "(trust.md rule 4)");
}

bool
x509_crl_revokes(const struct x509_crl *crl, X509 *certificate)
{
    if (X509_NAME_cmp(X509_CRL_get_issuer(crl->list), X509_get_issuer_name(certificate)) != 0) {
        return false;
    }
    /* OpenSSL sorts the entries at the first look-up, under the list's own lock */
    X509_REVOKED *entry = NULL;
    return X509_CRL_get0_by_serial(crl->list, &entry, X509_get0_serialNumber(certificate)) != 0;
}
