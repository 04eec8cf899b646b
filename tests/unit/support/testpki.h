/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small provisioning PKI for tests: a root, both PCK CAs, a TCB signing certificate, PCK leaves
 * with the SGX extension, CRLs, signed TCB infos and identities; and each of them with a defect.
 *
 * It shares nothing with src/ but OpenSSL, so that a mistake there cannot excuse itself here. All
 * functions abort() when OpenSSL or memory fails: a test has nothing better to do. Texts are heap
 * copies to be freed by the caller. Times are UTC seconds.
 */
#ifndef SUPPORT_TESTPKI_H
#define SUPPORT_TESTPKI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#define TESTPKI_BORN INT64_C(1577836800) /* 2020-01-01: notBefore of every certificate */
#define TESTPKI_DIES INT64_C(2208988800) /* 2040-01-01: notAfter */
#define TESTPKI_NOW INT64_C(1751328000)  /* 2025-07-01T00:00:00Z: when tests judge */
#define TESTPKI_DAY INT64_C(86400)
#define TESTPKI_ISSUED "2025-06-19T10:56:11Z"
#define TESTPKI_NEXT "2025-07-19T10:56:11Z"

enum { TESTPKI_PROCESSOR = 0, TESTPKI_PLATFORM = 1 };

struct testpki {
    EVP_PKEY *root_key, *ca_keys[2], *signer_key, *leaf_key;
    X509 *root, *cas[2], *signer;
    char *root_pem;     /* the anchor */
    char *ca_chains[2]; /* PEM: CA, root */
    char *signer_chain; /* PEM: signer, root */
};

struct testpki *testpki_new(void);
void testpki_free(struct testpki *pki);

/* ---- certificates ---- */

EVP_PKEY *testpki_key(void); /* P-256 */

struct testpki_cert {
    const char *common_name; /* O, L, ST, C are Intel's */
    EVP_PKEY *key;           /* its own */
    X509 *issuer;            /* NULL: self-signed */
    EVP_PKEY *issuer_key;
    int64_t not_before, not_after; /* 0, 0: BORN, DIES */
    uint64_t serial;               /* 0: 1 */
    bool is_ca;
    int path_length;        /* of a CA; -1: none */
    const char *key_usage;  /* as in openssl.cnf: "critical,keyCertSign,cRLSign"; NULL: none */
    const char *crl_url;    /* NULL: none */
    const uint8_t *sgx_der; /* value of the SGX extension; NULL: none */
    size_t sgx_der_size;
    const char *critical_oid; /* an extension that nobody knows, critical; NULL: none */
    bool signs_with_sha384;
};
X509 *testpki_certify(const struct testpki_cert *cert);
/* Certificates one after another, as PEM. */
char *testpki_pem(X509 *const *certs, size_t count);
char *testpki_percent_encode(const char *text); /* as JavaScript's encodeURIComponent */

/* ---- the SGX extension ---- */

struct testpki_sgx {
    uint8_t ppid[16];
    uint8_t components[16];
    unsigned pcesvn;
    uint8_t cpusvn[16]; /* normally equal to components */
    uint8_t pceid[2];
    uint8_t fmspc[6];
    int sgx_type;
    bool has_platform_part;
};
enum { TESTPKI_SGX_MAX = 1024 };
/* FMSPC 00906EA10000, PCE ID 0000, components 5,5,0..., PCESVN 10. */
struct testpki_sgx testpki_sgx_plain(void);
size_t testpki_sgx_der(const struct testpki_sgx *sgx, uint8_t out[TESTPKI_SGX_MAX]);
/* A PCK certificate issued by that CA; serial 0: 1. */
X509 *testpki_leaf(const struct testpki *pki, int ca, const struct testpki_sgx *sgx,
                   uint64_t serial);
char *testpki_leaf_pem(const struct testpki *pki, int ca, const struct testpki_sgx *sgx,
                       uint64_t serial);
/* components and PCESVN (little-endian), 36 upper-case hex digits */
void testpki_tcbm(const struct testpki_sgx *sgx, char out[37]);

/* ---- CRLs ---- */

struct testpki_crl {
    X509 *issuer;
    EVP_PKEY *key;
    int64_t this_update, next_update; /* next_update 0: none */
    const uint64_t *serials;          /* what it revokes */
    size_t serial_count;
    const char *critical_oid; /* an extension that nobody knows, critical; NULL: none */
};
uint8_t *testpki_crl_der(const struct testpki_crl *crl, size_t *ret_size);
char *testpki_crl_pem(const struct testpki_crl *crl);

/* ---- signed JSON ---- */

/* 128 lower-case hex digits over text. */
char *testpki_signature(EVP_PKEY *key, const char *text);
/* {"member":inner,"signature":"..."} */
char *testpki_signed(EVP_PKEY *key, const char *member, const char *inner);

struct testpki_tcbinfo {
    const char *id;     /* "SGX", "TDX"; NULL: SGX */
    int version;        /* 0: 3; 2 has the old layout */
    const char *fmspc;  /* NULL: "00906EA10000" */
    const char *issued; /* NULL: TESTPKI_ISSUED */
    const char *next;   /* NULL: TESTPKI_NEXT */
    int number;         /* tcbEvaluationDataNumber; 0: 17 */
    const char *levels; /* JSON array; NULL: components 5,5,0... / PCESVN 10, then 3,3,0... / 7 */
};
char *testpki_tcbinfo_inner(const struct testpki_tcbinfo *tcbinfo);
char *testpki_tcbinfo(const struct testpki *pki, const struct testpki_tcbinfo *tcbinfo);
/* One level: status, the first two components, PCESVN; in the layout of that version. */
char *testpki_tcb_level(int version, bool is_tdx, int first, int second, int pcesvn);

struct testpki_identity {
    const char *id;     /* NULL: "QE" */
    int version;        /* 0: 2 */
    const char *issued; /* NULL: TESTPKI_ISSUED */
    const char *next;   /* NULL: TESTPKI_NEXT */
    int number;         /* 0: 17 */
};
char *testpki_identity_inner(const struct testpki_identity *identity);
char *testpki_identity(const struct testpki *pki, const struct testpki_identity *identity);

#endif
