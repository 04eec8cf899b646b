/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Certificates and chains as Intel issues them: parsed from PEM (or percent-encoded PEM), judged
 * against the anchors. Source of the rules: trust.md (anchor, shapes, rule 1, rule 9); RFC 5280
 * clauses are named at each check. Pure: no clock, no files, no log.
 */
#ifndef X509_X509_CHAIN_H
#define X509_X509_CHAIN_H

#include <openssl/x509.h>

#include "base/buf.h"
#include "terms/terms.h"

/* The anchors: the public keys that a chain must end in. Immutable once made. */
struct trust_anchors;
/* Intel's built-in root. */
int trust_anchors_builtin(struct trust_anchors **ret_anchors, struct fault *why) must_check;
/* From PEM texts (each one certificate or more), replacing the built-in one. */
int trust_anchors_from_pem(const struct span *pems, size_t count,
                           struct trust_anchors **ret_anchors, struct fault *why) must_check;
void trust_anchors_free(struct trust_anchors *anchors);
size_t trust_anchors_count(const struct trust_anchors *anchors);
bool trust_anchors_are_builtin(const struct trust_anchors *anchors);
/* Writes lower-case hex SHA-256 of the SubjectPublicKeyInfo of anchor index. */
void trust_anchors_fingerprint(const struct trust_anchors *anchors, size_t index, char out[65]);
/* The distribution point of anchor index's certificate (built-in: Intel's); "" if it has none.
 * Owned by anchors. */
const char *trust_anchors_crl_url(const struct trust_anchors *anchors, size_t index);
/* Is this certificate's key one of the anchors' keys? */
bool trust_anchors_hold(const struct trust_anchors *anchors, X509 *certificate);

/* A parsed chain, leaf or signer first, root last. */
struct x509_chain;
/* Takes PEM, or percent-encoded PEM; LF or CR LF; one to LIMIT_CHAIN_CERTS certificates; text
 * between or around the blocks, trailing bytes in a DER block, more certificates: FAULT_CHAIN. */
int x509_chain_parse(struct span text, struct x509_chain **ret_chain, struct fault *why) must_check;
void x509_chain_free(struct x509_chain *chain);
void x509_chain_cleanup(struct x509_chain **chain); /* for auto_cleanup */
size_t x509_chain_count(const struct x509_chain *chain);
X509 *x509_chain_get(const struct x509_chain *chain, size_t index); /* borrowed */
/* Written anew: LF, 64 columns, ends in LF (trust.md rule 9). */
int x509_chain_add_pem(const struct x509_chain *chain, struct buf *b);
int x509_add_pem(X509 *certificate, struct buf *b);

enum x509_role {
    X509_ROLE_ROOT,
    X509_ROLE_PROCESSOR_CA,
    X509_ROLE_PLATFORM_CA,
    X509_ROLE_TCB_SIGNING,
    X509_ROLE_PCK_LEAF,
    X509_ROLE_OTHER
};
enum x509_role x509_role_of(X509 *certificate);        /* by subject common name */
enum x509_role x509_issuer_role_of(X509 *certificate); /* by issuer common name */

struct chain_facts {
    enum x509_role leaf_role;
    int64_t not_before; /* latest of the chain */
    int64_t not_after;  /* earliest of the chain */
};
/* Judges [leaf ... root]: order, names, signatures (ECDSA P-256 with SHA-256 only), CA flags, path
 * lengths, key usages, validity at issued_at, the last one's key is an anchor's. Not revocation,
 * not the present time. FAULT_CHAIN with the clause. */
int x509_chain_verify(const struct x509_chain *chain, const struct trust_anchors *anchors,
                      int64_t issued_at, struct chain_facts *ret_facts,
                      struct fault *why) must_check;

/* Judges a PCK leaf by a chain [CA, root] that x509_chain_verify has passed: names, signature, not
 * a CA, key usage, leaf and chain valid at the leaf's notBefore. FAULT_CHAIN. */
int x509_chain_verify_leaf(const struct x509_chain *chain, X509 *leaf,
                           struct fault *why) must_check;

/* ECDSA P-256/SHA-256 over bytes; signature is 128 hex digits r||s. FAULT_SIGNATURE. */
int x509_verify_raw_signature(X509 *signer, struct span bytes, struct span signature_hex,
                              struct fault *why) must_check;

int64_t x509_not_before(X509 *certificate);
int64_t x509_not_after(X509 *certificate);
/* First http(s) URI of the CRL distribution points; false if there is none or it does not fit. */
bool x509_crl_url(X509 *certificate, char out[LIMIT_URL_CHARS + 1]);

#endif
