/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share; nobody outside includes it. */
#ifndef X509_X509_PRIV_H
#define X509_X509_PRIV_H

#include "base/reader.h"
#include "x509/x509_chain.h"

/* A P-256 SubjectPublicKeyInfo with a named curve and an uncompressed point is always this long. */
enum { X509_SPKI_SIZE = 91 };

/* Skips empty lines (LF or CR LF), then says whether the text is at its end. */
bool pem_at_end(struct reader *text);
/* Reads the PEM block that stands at the reader's start and appends its DER. Nothing but base64
 * stands between the BEGIN and the END line; lines end in LF or CR LF. FAULT_INPUT. */
int pem_read(struct reader *text, const char *label, struct buf *der, struct fault *why) must_check;
/* Appends a block: LF, 64 columns. */
int pem_add(struct buf *b, const char *label, struct span der);

/* One certificate, DER and nothing behind it, X.509 v3, extensions and dates readable.
 * FAULT_INPUT. */
int x509_from_der(struct span der, X509 **ret_certificate, struct fault *why) must_check;

/* Sets a fault for a failed OpenSSL call and empties OpenSSL's queue: FAULT_MEMORY if that was the
 * reason, else code. */
int x509_fault(struct fault *why, enum fault_code code, const char *stage, const char *text);

/* UTC seconds; false if the time is not of an allowed form. */
bool x509_time_parse(const ASN1_TIME *time, int64_t *ret_at);
/* The key's SubjectPublicKeyInfo; false unless it is P-256 as named curve, uncompressed. */
bool x509_spki(X509 *certificate, uint8_t out[X509_SPKI_SIZE]);

/* For x509_crl.c: an anchor's subject and key, owned by anchors. */
const X509_NAME *trust_anchors_name(const struct trust_anchors *anchors, size_t index);
EVP_PKEY *trust_anchors_key(const struct trust_anchors *anchors, size_t index);

#endif
