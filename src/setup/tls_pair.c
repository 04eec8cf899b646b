/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Judges a TLS key pair that somebody wants to hand to the service, by the same rules of OpenSSL
 * that the service's own loading follows, but with words for an operator who brings it from
 * elsewhere.
 * Takes the two PEM texts; gives what they are, or the first rule that they break. Called by
 * pccsadmin init --from, on the main thread.
 * Must never leave a copy of the key in memory that is not wiped, nor ask for a passphrase.
 */
#include "setup/tls_pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "x509/x509_chain.h"

enum { RSA_BITS_LEAST = 2048, EC_BITS_LEAST = 224 };

struct pair {
    EVP_PKEY *key;
    X509 *certificate;
    SSL_CTX *tls;
};

static int
refuse(struct fault *why, const char *what)
{
    unsigned long number = ERR_peek_last_error();
    const char *reason = number != 0 ? ERR_reason_error_string(number) : NULL;
    ERR_clear_error();
    return fault_set_number(why, FAULT_CONFIG, "tls", (long)number, "%s%s%s%s", what,
                            reason != NULL ? " (" : "", reason != NULL ? reason : "",
                            reason != NULL ? ")" : "");
}

/* There is nobody to ask; remembers that it was needed. */
static int
no_passphrase(char *out, int size, int rwflag, void *was_asked)
{
    (void)out;
    (void)size;
    (void)rwflag;
    *(bool *)was_asked = true;
    return -1;
}

static int
key_parse(struct span text, EVP_PKEY **ret_key, struct fault *why)
{
    bool is_encrypted = false;
    BIO *memory = BIO_new_mem_buf(text.data, (int)text.size);
    *ret_key =
        memory != NULL ? PEM_read_bio_PrivateKey(memory, NULL, no_passphrase, &is_encrypted) : NULL;
    BIO_free(memory);
    if (is_encrypted) {
        ERR_clear_error();
        return fault_set(why, FAULT_CONFIG, "tls",
                         "the key is encrypted, and a service has nobody to ask for the "
                         "passphrase: write it without one (openssl pkey)");
    }
    return *ret_key != NULL ? 0 : refuse(why, "the key is no PEM private key");
}

static int
certificate_parse(struct span text, X509 **ret_certificate, struct fault *why)
{
    BIO *memory = BIO_new_mem_buf(text.data, (int)text.size);
    *ret_certificate = memory != NULL ? PEM_read_bio_X509_AUX(memory, NULL, NULL, NULL) : NULL;
    BIO_free(memory);
    return *ret_certificate != NULL ? 0 : refuse(why, "the certificate is no PEM certificate");
}

static int
check_strength(const EVP_PKEY *key, struct fault *why)
{
    int type = EVP_PKEY_get_base_id(key);
    int bits = EVP_PKEY_get_bits(key);
    bool is_weak = (type == EVP_PKEY_RSA && bits < RSA_BITS_LEAST) ||
                   (type == EVP_PKEY_EC && bits < EC_BITS_LEAST) || type == EVP_PKEY_DSA;
    return !is_weak ? 0
                    : fault_set(why, FAULT_CONFIG, "tls",
                                "the key is too weak: %d bits of %s; 2048 of RSA or P-256 are the "
                                "least",
                                bits, EVP_PKEY_get0_type_name(key));
}

static int
check_dates(const X509 *certificate, int64_t now, struct fault *why)
{
    time_t then = (time_t)now;
    if (X509_cmp_time(X509_get0_notAfter(certificate), &then) < 0) {
        return fault_set(why, FAULT_CONFIG, "tls", "the certificate has expired");
    }
    if (X509_cmp_time(X509_get0_notBefore(certificate), &then) > 0) {
        return fault_set(why, FAULT_CONFIG, "tls", "the certificate is not valid yet");
    }
    return 0;
}

/* What only the library knows, its security level for one. */
static int
check_server(struct pair *pair, struct fault *why)
{
    pair->tls = SSL_CTX_new(TLS_server_method());
    if (pair->tls == NULL) {
        return fault_set(why, FAULT_MEMORY, "tls", "no memory for a TLS context");
    }
    if (SSL_CTX_use_certificate(pair->tls, pair->certificate) != 1) {
        return refuse(why, "OpenSSL does not take the certificate");
    }
    return SSL_CTX_use_PrivateKey(pair->tls, pair->key) == 1
               ? 0
               : refuse(why, "OpenSSL does not take the key");
}

static int
judge(struct span key, struct span certificate, int64_t now, struct pair *pair, struct fault *why)
{
    int failed = key_parse(key, &pair->key, why);
    failed = failed != 0 ? failed : certificate_parse(certificate, &pair->certificate, why);
    if (failed == 0 && X509_check_private_key(pair->certificate, pair->key) != 1) {
        ERR_clear_error();
        failed = fault_set(why, FAULT_CONFIG, "tls", "the key does not belong to the certificate");
    }
    failed = failed != 0 ? failed : check_strength(pair->key, why);
    failed = failed != 0 ? failed : check_dates(pair->certificate, now, why);
    return failed != 0 ? failed : check_server(pair, why);
}

int
tls_pair_judge(struct span key, struct span certificate, int64_t now, struct tls_pair *ret_pair,
               struct fault *why)
{
    struct pair pair = {0};
    ERR_clear_error();
    int failed = judge(key, certificate, now, &pair, why);
    if (failed == 0) {
        *ret_pair = (struct tls_pair){
            .not_after = x509_not_after(pair.certificate),
            .has_names = X509_get_ext_by_NID(pair.certificate, NID_subject_alt_name, -1) >= 0};
        snprintf(ret_pair->kind, sizeof ret_pair->kind, "%s %d", EVP_PKEY_get0_type_name(pair.key),
                 EVP_PKEY_get_bits(pair.key));
    }
    SSL_CTX_free(pair.tls);
    X509_free(pair.certificate);
    EVP_PKEY_free(pair.key);
    return failed;
}
