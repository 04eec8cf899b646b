/* SPDX-License-Identifier: BSD-3-Clause */
/* Certificate revocation lists: DER in, facts out (RFC 5280, 5). Immutable once parsed. */
#ifndef X509_X509_CRL_H
#define X509_X509_CRL_H

#include "x509/x509_chain.h"

struct x509_crl;
/* DER; or PEM; trailing bytes are refused. FAULT_INPUT. */
int x509_crl_parse(struct span bytes, struct x509_crl **ret_crl, struct fault *why) must_check;
void x509_crl_free(struct x509_crl *crl);
struct span x509_crl_der(const struct x509_crl *crl); /* owned by crl */
int64_t x509_crl_this_update(const struct x509_crl *crl);
int64_t x509_crl_next_update(const struct x509_crl *crl);
/* Is the list issued by this certificate's subject? (name only) */
bool x509_crl_names(const struct x509_crl *crl, X509 *issuer);
/* Name and signature by issuer's key, ECDSA P-256/SHA-256. FAULT_SIGNATURE. */
int x509_crl_verify(const struct x509_crl *crl, X509 *issuer, struct fault *why) must_check;
/* Is the list issued by the subject of an anchor? (name only) */
bool x509_crl_names_anchor(const struct x509_crl *crl, const struct trust_anchors *anchors);
/* As above against an anchor's key (the root CRL; trust.md compares keys). */
int x509_crl_verify_by_anchor(const struct x509_crl *crl, const struct trust_anchors *anchors,
                              struct fault *why) must_check;
bool x509_crl_revokes(const struct x509_crl *crl, X509 *certificate); /* serial of this issuer */

#endif
