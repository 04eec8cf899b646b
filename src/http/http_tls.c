/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes the server's TLS context from two PEM files.
 *
 * Takes paths; gives an SSL_CTX, or a fault that says which file is wrong and how. Called by the
 * owner of the server at start and on reload, on any thread. Must never offer what would make a
 * handshake dearer without making it safer: clients here hardly ever resume, so there are no
 * tickets and no session cache.
 * Follows design.md, Decisions (TLS), and api.md, Transport (versions, signature algorithms).
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "base/clock.h"
#include "http/http.h"

/* OpenSSL's queue of errors is left empty; its last word goes into the fault. */
static int
fault_of_tls(struct fault *why, const char *path, const char *what)
{
    unsigned long number = ERR_peek_last_error();
    const char *reason = number != 0 ? ERR_reason_error_string(number) : NULL;
    ERR_clear_error();
    if (reason == NULL) {
        return fault_set(why, FAULT_CONFIG, "tls", "%s: %s", path, what);
    }
    return fault_set_number(why, FAULT_CONFIG, "tls", (long)number, "%s: %s (%s)", path, what,
                            reason);
}

static int
check_readable(const char *path, const char *what, struct fault *why)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return fault_set_number(why, FAULT_CONFIG, "tls", errno, "%s: the %s: %s", path, what,
                                strerror(errno));
    }
    fclose(file);
    return 0;
}

/* There is nobody to ask. */
static int
no_passphrase(char *out, int size, int rwflag, void *userdata)
{
    (void)out;
    (void)size;
    (void)rwflag;
    (void)userdata;
    return -1;
}

static int
select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in,
            unsigned int in_size, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    (void)ssl;
    (void)arg;
    int result = SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, in, in_size);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool
set_algorithms(SSL_CTX *tls)
{
    static const char suites_13[] =
        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
    static const char suites_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
    static const char signatures[] = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:"
                                     "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
                                     "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
                                     "RSA+SHA256:RSA+SHA384:RSA+SHA512";
    /* X25519 first as clients have it: the key share that they send is used, with no second
     * round. The FIPS provider may not know it. */
    bool has_groups = SSL_CTX_set1_groups_list(tls, "X25519:P-256:P-384:P-521") == 1 ||
                      SSL_CTX_set1_groups_list(tls, "P-256:P-384:P-521") == 1;
    ERR_clear_error();
    return has_groups && SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(tls, suites_13) == 1 &&
           SSL_CTX_set_cipher_list(tls, suites_12) == 1 &&
           SSL_CTX_set1_sigalgs_list(tls, signatures) == 1;
}

static int
configure(SSL_CTX *tls, struct fault *why)
{
    if (!set_algorithms(tls)) {
        return fault_of_tls(why, "OpenSSL", "does not offer the algorithms that are needed");
    }
    /* IGNORE_UNEXPECTED_EOF: a client that hangs up without close_notify has merely hung up; a
     * request that is cut off is never acted upon anyway. */
    SSL_CTX_set_options(tls, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(tls, 0); /* NO_TICKET alone still sends stateful ones in TLS 1.3 */
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_alpn_select_cb(tls, select_alpn, NULL);
    SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
    return 0;
}

static int
load_certificate(SSL_CTX *tls, const char *path, struct fault *why)
{
    if (SSL_CTX_use_certificate_chain_file(tls, path) != 1) {
        return fault_of_tls(why, path, "not a PEM certificate");
    }
    time_t now = (time_t)clock_now(clock_system());
    const X509 *certificate = SSL_CTX_get0_certificate(tls);
    if (X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0) {
        return fault_of_tls(why, path, "the certificate has expired");
    }
    if (X509_cmp_time(X509_get0_notBefore(certificate), &now) > 0) {
        return fault_of_tls(why, path, "the certificate is not valid yet");
    }
    return 0;
}

static int
load_key(SSL_CTX *tls, const char *path, const char *certificate_path, struct fault *why)
{
    if (SSL_CTX_use_PrivateKey_file(tls, path, SSL_FILETYPE_PEM) == 1) {
        return 0;
    }
    unsigned long number = ERR_peek_last_error();
    if (ERR_GET_LIB(number) == ERR_LIB_X509 &&
        (ERR_GET_REASON(number) == X509_R_KEY_VALUES_MISMATCH ||
         ERR_GET_REASON(number) == X509_R_KEY_TYPE_MISMATCH)) {
        ERR_clear_error();
        return fault_set(why, FAULT_CONFIG, "tls", "%s: the key does not belong to %s", path,
                         certificate_path);
    }
    return fault_of_tls(why, path, "not an unencrypted PEM private key");
}

int
http_tls_new(const char *key_path, const char *certificate_path, SSL_CTX **ret_tls,
             struct fault *why)
{
    ERR_clear_error();
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL) {
        ERR_clear_error();
        return fault_set(why, FAULT_MEMORY, "tls", "no memory for a TLS context");
    }
    int failed = configure(tls, why);
    failed = failed != 0 ? failed : check_readable(certificate_path, "TLS certificate", why);
    failed = failed != 0 ? failed : check_readable(key_path, "TLS private key", why);
    failed = failed != 0 ? failed : load_certificate(tls, certificate_path, why);
    failed = failed != 0 ? failed : load_key(tls, key_path, certificate_path, why);
    if (failed != 0) {
        SSL_CTX_free(tls);
        return failed;
    }
    *ret_tls = tls;
    return 0;
}
