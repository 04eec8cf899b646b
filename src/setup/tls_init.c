/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes what a first start needs and a test wants fresh: a CA that exists for one signature, and a
 * P-256 server key pair for localhost, the loopback addresses and this host's name.
 * Takes the two paths of the configuration; gives files. Clients trust ca.crt.
 * Called by pccsd --init-tls and pccsadmin init, on the main thread.
 * Must never overwrite a file nor keep the CA's key: who finds that could imitate any server to
 * whoever trusts ca.crt.
 */
#include "setup/tls_init.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"

enum {
    CA_DAYS = 3650,
    SERVER_DAYS = 825, /* what browsers and Apple's clients still take from a private CA */
    BACKDATE_S = 3600, /* clocks of fresh machines run behind */
    NAMES_SIZE = TLS_INIT_NAMES_SIZE + 512
};

/* What is made, freed together. */
struct made {
    EVP_PKEY *ca_key, *server_key;
    X509 *ca, *server;
};

static void
made_done(struct made *made)
{
    EVP_PKEY_free(made->ca_key);
    EVP_PKEY_free(made->server_key);
    X509_free(made->ca);
    X509_free(made->server);
}

static bool
set_serial(X509 *certificate)
{
    uint8_t bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return false;
    }
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive and of full length (RFC 5280, 4.1.2.2) */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok =
        number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return ok;
}

static X509 *
certificate_new(EVP_PKEY *key, const char *common_name, int days)
{
    X509 *certificate = X509_new();
    if (certificate == NULL) {
        return NULL;
    }
    X509_NAME *name = X509_get_subject_name(certificate);
    bool ok = X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
              X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATE_S) != NULL &&
              X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * 86400) != NULL &&
              X509_set_pubkey(certificate, key) == 1 &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                         (const unsigned char *)common_name, -1, -1, 0) == 1;
    if (!ok) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

static bool
add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool
make_ca(struct made *made)
{
    made->ca_key = EVP_EC_gen("P-256");
    if (made->ca_key == NULL) {
        return false;
    }
    made->ca = certificate_new(made->ca_key, "PCCS development CA", CA_DAYS);
    X509 *ca = made->ca;
    return ca != NULL && X509_set_issuer_name(ca, X509_get_subject_name(ca)) == 1 &&
           add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_extension(ca, ca, NID_subject_key_identifier, "hash") &&
           X509_sign(ca, made->ca_key, EVP_sha256()) > 0;
}

/* A host name that can stand in a certificate: letters, digits, '-', '.', '_'. */
static bool
host_name_is_fine(const char *name)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    size_t size = strlen(name);
    return size > 0 && size <= 253 && strspn(name, fine) == size;
}

int
tls_init_add_name(const char *name, char *names, size_t size, struct fault *why)
{
    uint8_t address[16];
    bool is_address =
        inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    size_t used = strlen(names);
    if (!is_address && !host_name_is_fine(name)) {
        return fault_set(why, FAULT_CONFIG, "tls", "'%.80s' is no host name and no address", name);
    }
    int more = snprintf(names + used, size - used, ",%s:%s", is_address ? "IP" : "DNS", name);
    if (more < 0 || (size_t)more >= size - used) {
        names[used] = '\0';
        return fault_set(why, FAULT_CONFIG, "tls", "too many names for one certificate");
    }
    return 0;
}

static void
server_names(const char *more, char out[NAMES_SIZE])
{
    char host[256] = "";
    int size = snprintf(out, NAMES_SIZE, "DNS:localhost,IP:127.0.0.1,IP:::1%s", more);
    if (gethostname(host, sizeof host - 1) == 0 && host_name_is_fine(host) &&
        strcmp(host, "localhost") != 0) {
        snprintf(out + size, NAMES_SIZE - (size_t)size, ",DNS:%s", host);
    }
}

static bool
make_server(struct made *made, const char *more_names)
{
    char names[NAMES_SIZE];
    server_names(more_names, names);
    made->server_key = EVP_EC_gen("P-256");
    if (made->server_key == NULL) {
        return false;
    }
    made->server = certificate_new(made->server_key, "localhost", SERVER_DAYS);
    X509 *server = made->server;
    X509 *ca = made->ca;
    return server != NULL && X509_set_issuer_name(server, X509_get_subject_name(ca)) == 1 &&
           add_extension(server, ca, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(server, ca, NID_key_usage, "critical,digitalSignature") &&
           add_extension(server, ca, NID_ext_key_usage, "serverAuth") &&
           add_extension(server, ca, NID_subject_alt_name, names) &&
           add_extension(server, ca, NID_subject_key_identifier, "hash") &&
           add_extension(server, ca, NID_authority_key_identifier, "keyid") &&
           X509_sign(server, made->ca_key, EVP_sha256()) > 0;
}

static int
write_memory(BIO *memory, const char *path, mode_t mode, struct fault *why)
{
    char *data = NULL;
    long size = BIO_get_mem_data(memory, &data);
    return file_write_atomic(path, span_of(data, (size_t)size), mode, why);
}

static int
write_certificate(X509 *certificate, const char *path, struct fault *why)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int failed = memory != NULL && PEM_write_bio_X509(memory, certificate) == 1
                     ? write_memory(memory, path, 0644, why)
                     : fault_set(why, FAULT_MEMORY, "tls", "no memory for a certificate");
    BIO_free(memory);
    return failed;
}

static int
write_key(EVP_PKEY *key, const char *path, struct fault *why)
{
    BIO *memory = BIO_new(BIO_s_secmem());
    int failed =
        memory != NULL && PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) == 1
            ? write_memory(memory, path, 0600, why)
            : fault_set(why, FAULT_MEMORY, "tls", "no memory for a key");
    BIO_free(memory);
    return failed;
}

/* Makes the folder of path if only it is missing. */
static int
make_folder(const char *path, char folder[PATH_MAX], struct fault *why)
{
    char copy[PATH_MAX];
    if (!span_to_text(span_of_text(path), copy, sizeof copy)) {
        return fault_set(why, FAULT_CONFIG, "tls", "the path of a TLS file is too long");
    }
    snprintf(folder, PATH_MAX, "%s", dirname(copy));
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return fault_set_number(why, FAULT_IO, "tls", errno, "cannot make the folder %s: %s",
                                folder, strerror(errno));
    }
    return 0;
}

static int
refuse_existing(const char *path, struct fault *why)
{
    if (access(path, F_OK) == 0) {
        return fault_set(why, FAULT_CONFIG, "tls", "%s exists; it is not overwritten", path);
    }
    return 0;
}

int
tls_init(const char *key_path, const char *certificate_path, struct fault *why)
{
    return tls_init_named(key_path, certificate_path, "", why);
}

int
tls_init_named(const char *key_path, const char *certificate_path, const char *names,
               struct fault *why)
{
    char folder[PATH_MAX];
    auto_free char *ca_path = NULL;
    int failed = make_folder(key_path, folder, why);
    if (failed == 0) {
        failed = make_folder(certificate_path, folder, why);
    }
    if (failed == 0 && asprintf(&ca_path, "%s/ca.crt", folder) < 0) {
        failed = fault_set(why, FAULT_MEMORY, "tls", "no memory for a path");
    }
    const char *const paths[] = {key_path, certificate_path, ca_path};
    for (size_t i = 0; failed == 0 && i < ARRAY_COUNT(paths); i++) {
        failed = refuse_existing(paths[i], why);
    }
    if (failed != 0) {
        return failed;
    }
    struct made made = {0};
    if (!make_ca(&made) || !make_server(&made, names)) {
        failed = fault_set(why, FAULT_INTERNAL, "tls", "OpenSSL could not make the certificates");
    }
    if (failed == 0) {
        failed = write_key(made.server_key, key_path, why);
    }
    if (failed == 0) {
        failed = write_certificate(made.server, certificate_path, why);
    }
    if (failed == 0) {
        failed = write_certificate(made.ca, ca_path, why);
    }
    made_done(&made);
    return failed;
}
