/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whom the tools trust when they speak TLS to a PCCS, and what the server showed if they do not.
 *
 * Takes --ca or what the environment names (a PEM file or a c_rehash folder), else the system's
 * trust; gives libcurl its settings, and the subject, issuer and names of the server's certificate.
 * Called by pccs_client.c, on its caller's thread. Must never fall back from a trust that was named
 * and cannot be read to another one.
 *
 * tools.md, All (TLS trust of a PCCS; errors).
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "pccs_client/pccs_client_priv.h"

/* ---- choosing ---- */

/* What c_rehash makes: 8 hex digits, a point, a number. */
static bool
is_hash_name(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");
    return digits == 8 && name[8] == '.' && isdigit((unsigned char)name[9]);
}

static bool
folder_is_hashed(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return false;
    }
    bool is_hashed = false;
    for (struct dirent *entry = readdir(folder); entry != NULL && !is_hashed;
         entry = readdir(folder)) {
        is_hashed = is_hash_name(entry->d_name);
    }
    closedir(folder);
    return is_hashed;
}

static int
trust_check(const char *source, const char *path, bool *ret_is_folder, struct fault *why)
{
    struct stat status;
    if (stat(path, &status) != 0 || access(path, R_OK) != 0) {
        return fault_set_number(why, FAULT_CONFIG, "tls", errno, "%s: cannot read %s: %s", source,
                                path, strerrordesc_np(errno));
    }
    bool is_folder = S_ISDIR(status.st_mode);
    if (is_folder && !folder_is_hashed(path)) {
        return fault_set(why, FAULT_CONFIG, "tls",
                         "%s: %s holds no hashed certificates; run 'openssl rehash' on it", source,
                         path);
    }
    *ret_is_folder = is_folder;
    return 0;
}

int
pccs_trust_choose(struct pccs_client *client, const char *option, struct fault *why)
{
    static const char *const variables[] = {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
                                            "SSL_CERT_FILE"};
    const char *source = "--ca";
    const char *path = option;
    for (size_t i = 0; path == NULL && i < ARRAY_COUNT(variables); i++) {
        const char *value = getenv(variables[i]);
        source = variables[i];
        path = value != NULL && value[0] != '\0' ? value : NULL;
    }
    if (path == NULL || client->is_unverified) {
        return 0;
    }
    int rc = trust_check(source, path, &client->ca_is_folder, why);
    if (rc != 0) {
        return rc;
    }
    client->ca = span_dup_text(span_of_text(path));
    return client->ca != NULL ? 0 : fault_set(why, FAULT_MEMORY, "tls", "no memory");
}

/* ---- what the server showed ---- */

static void
name_write(const X509_NAME *name, char *out, size_t out_size)
{
    BIO *memory = BIO_new(BIO_s_mem());
    if (memory == NULL) {
        return;
    }
    if (X509_NAME_print_ex(memory, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        int size = BIO_read(memory, out, (int)out_size - 1);
        out[size > 0 ? size : 0] = '\0';
    }
    BIO_free(memory);
}

static void
names_add(char *out, size_t out_size, const char *text, size_t text_size)
{
    size_t used = strlen(out);
    if (used < out_size) {
        (void)snprintf(out + used, out_size - used, "%s%.*s", used > 0 ? ", " : "", (int)text_size,
                       text);
    }
}

static void
address_add(char *out, size_t out_size, const ASN1_OCTET_STRING *address)
{
    char text[64] = "";
    const unsigned char *b = ASN1_STRING_get0_data(address);
    if (ASN1_STRING_length(address) == 4) {
        (void)snprintf(text, sizeof text, "%d.%d.%d.%d", b[0], b[1], b[2], b[3]);
    } else if (ASN1_STRING_length(address) == 16) {
        for (size_t i = 0; i < 16; i += 2) {
            size_t used = strlen(text);
            (void)snprintf(text + used, sizeof text - used, "%s%x", i > 0 ? ":" : "",
                           b[i] << 8 | b[i + 1]);
        }
    }
    names_add(out, out_size, text, strlen(text));
}

static void
names_write(const X509 *cert, char *out, size_t out_size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            const char *text = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
            names_add(out, out_size, text, (size_t)ASN1_STRING_length(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            address_add(out, out_size, name->d.iPAddress);
        }
    }
    GENERAL_NAMES_free(names);
}

/* Stands in for OpenSSL's own verification: does the same, and remembers. */
static int
on_verify(X509_STORE_CTX *context, void *self)
{
    struct pccs_reply *reply = self;
    int is_valid = X509_verify_cert(context);
    const X509 *cert = X509_STORE_CTX_get0_cert(context);
    if (cert != NULL) {
        reply->tls_names[0] = '\0';
        name_write(X509_get_subject_name(cert), reply->tls_subject, sizeof reply->tls_subject);
        name_write(X509_get_issuer_name(cert), reply->tls_issuer, sizeof reply->tls_issuer);
        names_write(cert, reply->tls_names, sizeof reply->tls_names);
    }
    reply->is_untrusted = is_valid != 1;
    if (is_valid != 1) {
        int error = X509_STORE_CTX_get_error(context);
        (void)snprintf(reply->tls_reason, sizeof reply->tls_reason, "%s",
                       X509_verify_cert_error_string(error));
    }
    return is_valid;
}

static CURLcode
on_ssl_ctx(CURL *easy, void *ssl_ctx, void *self)
{
    SSL_CTX_set_cert_verify_callback(ssl_ctx, on_verify, self);
    return CURLE_OK;
}

/* ---- telling libcurl ---- */

bool
pccs_trust_set(struct pccs_client *client, struct pccs_reply *reply)
{
    CURL *easy = client->easy;
    bool is_verified = !client->is_unverified;
    bool ok = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, is_verified ? 1L : 0L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, is_verified ? 2L : 0L) == CURLE_OK;
    if (client->ca != NULL) {
        const char *file = client->ca_is_folder ? NULL : client->ca;
        const char *folder = client->ca_is_folder ? client->ca : NULL;
        ok &= curl_easy_setopt(easy, CURLOPT_CAINFO, file) == CURLE_OK;
        ok &= curl_easy_setopt(easy, CURLOPT_CAPATH, folder) == CURLE_OK;
    }
    if (is_verified) {
        /* with another TLS library than OpenSSL only the names in the explanation are lost */
        (void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, reply);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    }
    return ok;
}
