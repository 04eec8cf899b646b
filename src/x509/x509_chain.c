/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Issuer chains as Intel issues them: parsed from PEM, judged against the anchors, written anew.
 *
 * Takes text from outside and the time at which the item was issued; gives facts or FAULT_CHAIN
 * with the clause. Called by collateral/ on workers, pure, any thread.
 * Must never: look at the present time (expired is not forged, trust.md rule 5), build another
 * order than the one that came, or fetch an issuer. trust.md rule 1 and 9; RFC 5280, 6.1.
 */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "base/url.h"
#include "x509/x509_priv.h"

struct x509_chain {
    X509 *certs[LIMIT_CHAIN_CERTS];
    size_t count;
};

static int
chain_parse_block(struct x509_chain *chain, struct reader *text, struct fault *why)
{
    if (chain->count == LIMIT_CHAIN_CERTS) {
        return fault_set(why, FAULT_INPUT, "parse", "the chain has more than %d certificates",
                         LIMIT_CHAIN_CERTS);
    }
    auto_cleanup(buf_done) struct buf der = BUF_INIT(LIMIT_CERT_PEM_BYTES);
    int fault = pem_read(text, "CERTIFICATE", &der, why);
    if (fault == 0) {
        fault = x509_from_der(buf_span(&der), &chain->certs[chain->count], why);
    }
    if (fault == 0) {
        chain->count++;
    }
    return fault;
}

/* FAULT_INPUT is what pem.c calls a broken form; of a chain it is FAULT_CHAIN. */
static int
chain_parse_text(struct x509_chain *chain, struct span pem, struct fault *why)
{
    struct reader text = reader_of(pem);
    int fault = 0;
    if (pem_at_end(&text)) {
        fault = fault_set(why, FAULT_INPUT, "parse", "the chain is empty");
    }
    while (fault == 0 && !pem_at_end(&text)) {
        fault = chain_parse_block(chain, &text, why);
    }
    return fault == FAULT_INPUT ? fault_recode(why, FAULT_CHAIN) : fault;
}

int
x509_chain_parse(struct span text, struct x509_chain **ret_chain, struct fault *why)
{
    auto_cleanup(buf_done) struct buf decoded = BUF_INIT(LIMIT_CHAIN_PEM_BYTES);
    if (text.size > 0 && memchr(text.data, '%', text.size) != NULL) {
        int fault = url_add_decoded(&decoded, text);
        if (fault != 0) {
            return fault_set(why, fault == FAULT_MEMORY ? FAULT_MEMORY : FAULT_CHAIN, "parse",
                             "the chain is too large or its percent-encoding is broken");
        }
        text = buf_span(&decoded);
    }
    if (text.size > LIMIT_CHAIN_PEM_BYTES) {
        return fault_set(why, FAULT_CHAIN, "parse", "the chain has %zu bytes, more than %d",
                         text.size, LIMIT_CHAIN_PEM_BYTES);
    }
    struct x509_chain *chain = calloc(1, sizeof *chain);
    if (chain == NULL) {
        return fault_set(why, FAULT_MEMORY, "parse", "memory ran out");
    }
    int fault = chain_parse_text(chain, text, why);
    if (fault != 0) {
        x509_chain_free(chain);
        return fault;
    }
    *ret_chain = chain;
    return 0;
}

void
x509_chain_free(struct x509_chain *chain)
{
    if (chain == NULL) {
        return;
    }
    for (size_t i = 0; i < chain->count; i++) {
        X509_free(chain->certs[i]);
    }
    free(chain);
}

void
x509_chain_cleanup(struct x509_chain **chain)
{
    x509_chain_free(*chain);
}

size_t
x509_chain_count(const struct x509_chain *chain)
{
    return chain->count;
}

X509 *
x509_chain_get(const struct x509_chain *chain, size_t index)
{
    must(index < chain->count);
    return chain->certs[index];
}

int
x509_chain_add_pem(const struct x509_chain *chain, struct buf *b)
{
    int fault = 0;
    for (size_t i = 0; fault == 0 && i < chain->count; i++) {
        fault = x509_add_pem(chain->certs[i], b);
    }
    return fault;
}

/* What every certificate of the field has: a P-256 key, an ECDSA-with-SHA256 signature, no
 * critical extension that nobody here understands (RFC 5280, 4.2), valid at the given time. */
static int
check_certificate(X509 *certificate, int64_t at, struct fault *why)
{
    uint8_t spki[X509_SPKI_SIZE];
    if (!x509_spki(certificate, spki)) {
        return fault_set(why, FAULT_CHAIN, "chain", "a certificate's key is not P-256");
    }
    if (X509_get_signature_nid(certificate) != NID_ecdsa_with_SHA256) {
        return fault_set(why, FAULT_CHAIN, "chain",
                         "a certificate is not signed by ECDSA with SHA-256");
    }
    if ((X509_get_extension_flags(certificate) & EXFLAG_CRITICAL) != 0) {
        return fault_set(why, FAULT_CHAIN, "chain",
                         "a certificate has an unknown critical extension (RFC 5280, 4.2)");
    }
    if (at < x509_not_before(certificate) || at > x509_not_after(certificate)) {
        return fault_set(why, FAULT_CHAIN, "chain",
                         "a certificate of the chain was not valid when the item was issued "
                         "(trust.md rule 1)");
    }
    return 0;
}

/* RFC 5280, 4.2.1.3 and 4.2.1.9; below: how many CA certificates stand under this one. */
static int
check_issuer(X509 *issuer, size_t below, struct fault *why)
{
    if ((X509_get_extension_flags(issuer) & EXFLAG_CA) == 0 ||
        (X509_get_extension_flags(issuer) & EXFLAG_BCONS) == 0) {
        return fault_set(why, FAULT_CHAIN, "chain", "an issuer is not a CA (RFC 5280, 4.2.1.9)");
    }
    if ((X509_get_extension_flags(issuer) & EXFLAG_KUSAGE) == 0 ||
        (X509_get_key_usage(issuer) & KU_KEY_CERT_SIGN) == 0) {
        return fault_set(why, FAULT_CHAIN, "chain",
                         "an issuer may not sign certificates (RFC 5280, 4.2.1.3)");
    }
    long path_length = X509_get_pathlen(issuer);
    if (path_length >= 0 && below > (size_t)path_length) {
        return fault_set(why, FAULT_CHAIN, "chain",
                         "path length %ld of an issuer is exceeded (RFC 5280, 4.2.1.9)",
                         path_length);
    }
    return 0;
}

/* The first certificate as its role has it (trust.md, The shapes). */
static int
check_shape(X509 *certificate, enum x509_role role, struct fault *why)
{
    bool is_ca = (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0;
    uint32_t usage = (X509_get_extension_flags(certificate) & EXFLAG_KUSAGE) != 0
                         ? X509_get_key_usage(certificate)
                         : 0;
    switch (role) {
    case X509_ROLE_ROOT:
    case X509_ROLE_OTHER:
        return 0;
    case X509_ROLE_PROCESSOR_CA:
    case X509_ROLE_PLATFORM_CA:
        return check_issuer(certificate, 0, why);
    case X509_ROLE_TCB_SIGNING:
    case X509_ROLE_PCK_LEAF:
        if (is_ca || (usage & KU_KEY_CERT_SIGN) != 0) {
            return fault_set(why, FAULT_CHAIN, "chain", "a signer or leaf certificate is a CA");
        }
        if ((usage & KU_DIGITAL_SIGNATURE) == 0) {
            return fault_set(why, FAULT_CHAIN, "chain",
                             "a signer or leaf certificate lacks key usage digital signature");
        }
    }
    return 0;
}

/* Name, key identifier and signature (RFC 5280, 6.1.3 (a)). */
static int
check_link(X509 *subject, X509 *issuer, struct fault *why)
{
    if (X509_NAME_cmp(X509_get_issuer_name(subject), X509_get_subject_name(issuer)) != 0) {
        return fault_set(why, FAULT_CHAIN, "chain",
                         "the chain's names do not chain: leaf or signer first, root last");
    }
    AUTHORITY_KEYID *key_id = X509_get_ext_d2i(subject, NID_authority_key_identifier, NULL, NULL);
    bool is_key_id_fine = key_id == NULL || X509_check_akid(issuer, key_id) == X509_V_OK;
    AUTHORITY_KEYID_free(key_id);
    if (!is_key_id_fine) {
        return x509_fault(why, FAULT_CHAIN, "chain",
                          "an authority key identifier is not its issuer's (RFC 5280, 4.2.1.1)");
    }
    if (X509_verify(subject, X509_get0_pubkey(issuer)) != 1) {
        return x509_fault(why, FAULT_CHAIN, "chain", "a certificate's signature does not verify");
    }
    return 0;
}

static int
check_position(const struct x509_chain *chain, size_t index, int64_t at, struct fault *why)
{
    X509 *certificate = chain->certs[index];
    int fault = check_certificate(certificate, at, why);
    if (fault != 0) {
        return fault;
    }
    if (index > 0) {
        fault = check_issuer(certificate, index - 1, why);
    } else if (chain->count > 1) {
        fault = check_shape(certificate, x509_role_of(certificate), why);
    }
    if (fault != 0) {
        return fault;
    }
    bool is_last = index + 1 == chain->count;
    return check_link(certificate, is_last ? certificate : chain->certs[index + 1], why);
}

static struct chain_facts
facts_of(const struct x509_chain *chain)
{
    struct chain_facts facts = {.leaf_role = x509_role_of(chain->certs[0]),
                                .not_before = INT64_MIN,
                                .not_after = INT64_MAX};
    for (size_t i = 0; i < chain->count; i++) {
        int64_t not_before = x509_not_before(chain->certs[i]);
        int64_t not_after = x509_not_after(chain->certs[i]);
        facts.not_before = not_before > facts.not_before ? not_before : facts.not_before;
        facts.not_after = not_after < facts.not_after ? not_after : facts.not_after;
    }
    return facts;
}

int
x509_chain_verify(const struct x509_chain *chain, const struct trust_anchors *anchors,
                  int64_t issued_at, struct chain_facts *ret_facts, struct fault *why)
{
    /* A role that no chain of Intel's begins with never verifies as such a chain: the caller
     * compares leaf_role with what the item needs. */
    for (size_t i = 0; i < chain->count; i++) {
        int fault = check_position(chain, i, issued_at, why);
        if (fault != 0) {
            return fault;
        }
    }
    /* Last: what is only in the wrong order says so above. */
    if (!trust_anchors_hold(anchors, chain->certs[chain->count - 1])) {
        return fault_set(why, FAULT_CHAIN, "chain",
                         "the chain does not end in a trust anchor's key (trust.md rule 1)");
    }
    *ret_facts = facts_of(chain);
    return 0;
}

int
x509_chain_verify_leaf(const struct x509_chain *chain, X509 *leaf, struct fault *why)
{
    int64_t issued_at = x509_not_before(leaf);
    int fault = check_certificate(leaf, issued_at, why);
    for (size_t i = 0; fault == 0 && i < chain->count; i++) {
        fault = check_certificate(chain->certs[i], issued_at, why);
    }
    if (fault == 0) {
        fault = check_shape(leaf, X509_ROLE_PCK_LEAF, why);
    }
    return fault != 0 ? fault : check_link(leaf, chain->certs[0], why);
}
