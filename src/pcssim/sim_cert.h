/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes certificates and CRLs of the simulated PKI as DER. The shapes are trust.md's; what a PCK
 * certificate carries is selection.md 2.
 */
#ifndef PCSSIM_SIM_CERT_H
#define PCSSIM_SIM_CERT_H

#include <openssl/x509.h>

#include "base/buf.h"
#include "pcssim/sim_sign.h"

enum { SIM_SERIAL_SIZE = 20, SIM_CERT_BYTES_MAX = 8 * 1024 };

struct sim_extension {
    int nid;
    const char *value; /* as in OpenSSL's configuration language */
};

struct sim_cert_spec {
    const char *common_name;
    bool bare_name;           /* only the common name, not Intel's O, L, ST, C */
    const char *serial_label; /* the serial number is made from this text */
    int64_t not_before, not_after;
    const X509 *issuer; /* NULL: self-signed */
    const struct sim_key *issuer_key;
    EVP_PKEY *subject_key;
    const struct sim_extension *extensions;
    size_t extension_count;
};

/* The parsed certificate; the caller owns it. */
int sim_cert_make(const struct sim_cert_spec *spec, X509 **ret_certificate,
                  struct fault *why) must_check;

/* Appends the DER of a certificate like pattern (made by sim_cert_make), with another serial number
 * and the SGX extension's content behind its extensions. Much cheaper than a new one. */
int sim_cert_add_like(struct buf *b, const X509 *pattern, const char *serial_label,
                      struct span sgx_extension, const struct sim_key *issuer_key) must_check;

/* What the SGX extension of a PCK certificate says. */
struct sim_sgx_values {
    uint8_t ppid[16], cpusvn[16], components[16], pce_id[2], fmspc[6];
    uint16_t pcesvn;
    bool platform_ca; /* with platform instance id and configuration, SGX type 1 */
    uint8_t instance_id[16];
    bool dynamic_platform, cached_keys, smt_enabled;
};
int sim_sgx_extension_add(struct buf *b, const struct sim_sgx_values *values) must_check;

struct sim_revocation {
    uint8_t serial[SIM_SERIAL_SIZE];
    int64_t at;
};

struct sim_crl_spec {
    const X509 *issuer;
    const struct sim_key *issuer_key;
    int64_t this_update, next_update;
    const struct sim_revocation *revocations;
    size_t revocation_count;
};
/* Appends the DER. */
int sim_crl_add(struct buf *b, const struct sim_crl_spec *spec, struct fault *why) must_check;

void sim_serial_of(const char *label, uint8_t out[SIM_SERIAL_SIZE]);
int sim_cert_add_pem(struct buf *b, const X509 *certificate) must_check;
/* Wraps DER as PEM of that kind ("X509 CRL", "CERTIFICATE"). */
int sim_pem_add(struct buf *b, const char *kind, struct span der) must_check;

#endif
