/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one kind of signature that this field knows: ECDSA over P-256 with SHA-256 (trust.md, The
 * shapes), and the small OpenSSL helpers that the other files of the room share.
 *
 * Takes a signer and the exact signed bytes; gives 0 or FAULT_SIGNATURE. Pure, any thread.
 * Must never: accept another curve, explicit curve parameters, or leave anything in OpenSSL's
 * error queue.
 */
#include <time.h>

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/hex.h"
#include "x509/x509_priv.h"

enum { SIGNATURE_HALF = 32 };

int
x509_fault(struct fault *why, enum fault_code code, const char *stage, const char *text)
{
    unsigned long number = ERR_peek_last_error();
    if (ERR_GET_REASON(number) == ERR_R_MALLOC_FAILURE) {
        code = FAULT_MEMORY;
    }
    ERR_clear_error();
    return fault_set_number(why, code, stage, (long)number, "%s", text);
}

bool
x509_time_parse(const ASN1_TIME *time, int64_t *ret_at)
{
    struct tm tm = {0};
    if (time == NULL || ASN1_TIME_to_tm(time, &tm) != 1) {
        ERR_clear_error();
        return false;
    }
    *ret_at = timegm(&tm);
    return true;
}

bool
x509_spki(X509 *certificate, uint8_t out[X509_SPKI_SIZE])
{
    /* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING 04 || X || Y }: comparing the
     * bytes also excludes explicit parameters and compressed points. */
    static const uint8_t prefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    X509_PUBKEY *key = X509_get_X509_PUBKEY(certificate);
    uint8_t *der = NULL;
    int size = key != NULL ? i2d_X509_PUBKEY(key, &der) : -1;
    bool is_p256 = size == X509_SPKI_SIZE && memcmp(der, prefix, sizeof prefix) == 0 &&
                   X509_get0_pubkey(certificate) != NULL; /* the point is on the curve */
    if (is_p256) {
        memcpy(out, der, X509_SPKI_SIZE);
    }
    OPENSSL_free(der);
    ERR_clear_error();
    return is_p256;
}

/* r || s to the DER form that OpenSSL verifies; the caller frees *ret_der. */
static int
signature_to_der(const uint8_t raw[2 * SIGNATURE_HALF], uint8_t **ret_der, struct fault *why)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, SIGNATURE_HALF, NULL);
    BIGNUM *s = BN_bin2bn(raw + SIGNATURE_HALF, SIGNATURE_HALF, NULL);
    int size = -1;
    if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1) {
        r = NULL; /* signature owns both now */
        s = NULL;
        size = i2d_ECDSA_SIG(signature, ret_der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    if (size < 0) {
        (void)x509_fault(why, FAULT_MEMORY, "signature", "memory ran out");
    }
    return size;
}

int
x509_verify_raw_signature(X509 *signer, struct span bytes, struct span signature_hex,
                          struct fault *why)
{
    uint8_t spki[X509_SPKI_SIZE];
    if (!x509_spki(signer, spki)) {
        return fault_set(why, FAULT_SIGNATURE, "signature", "the signer's key is not P-256");
    }
    uint8_t raw[2 * SIGNATURE_HALF];
    if (!hex_decode(signature_hex, raw, sizeof raw)) {
        return fault_set(why, FAULT_SIGNATURE, "signature", "signature is not 128 hex digits");
    }
    uint8_t *der = NULL;
    int der_size = signature_to_der(raw, &der, why);
    if (der_size < 0) {
        return FAULT_MEMORY;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int result = -1;
    if (context != NULL &&
        EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, X509_get0_pubkey(signer)) == 1) {
        result = EVP_DigestVerify(context, der, (size_t)der_size, bytes.data, bytes.size);
    }
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    if (result != 1) {
        return x509_fault(why, FAULT_SIGNATURE, "signature",
                          "the signature (ECDSA P-256, SHA-256) does not verify");
    }
    return 0;
}
