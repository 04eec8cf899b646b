/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TLS for a simulator: a CA and a server certificate, both made on the spot.
 *
 * Takes the state folder, gives a server context. Called by main.c before the server is bound. The
 * CA has nothing to do with the simulated SGX PKI. Must never be used beyond a test set-up: its
 * certificates live until 2049.
 */
#include "pcssim/sim_tls.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include <openssl/x509v3.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/url.h"
#include "http/http.h"
#include "pcssim/sim_cert.h"

enum { PATH_SIZE = 4096, NAMES_SIZE = 512 };

static const int64_t not_before = 1577836800; /* 2020-01-01T00:00:00Z */
static const int64_t not_after = 2524607999;  /* 2049-12-31T23:59:59Z */

static int
ca_make(const struct sim_key *key, X509 **ret_ca, struct fault *why)
{
    const struct sim_extension extensions[] = {
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid:always"},
        {NID_key_usage, "critical,keyCertSign,cRLSign"},
        {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
    };
    const struct sim_cert_spec spec = {
        .common_name = "pcs-sim development TLS CA",
        .bare_name = true,
        .serial_label = "tls-ca",
        .not_before = not_before,
        .not_after = not_after,
        .issuer_key = key,
        .subject_key = sim_key_pkey(key),
        .extensions = extensions,
        .extension_count = ARRAY_COUNT(extensions),
    };
    return sim_cert_make(&spec, ret_ca, why);
}

static int
server_make(const X509 *ca, const struct sim_key *keys[2], const char *names, X509 **ret_server,
            struct fault *why)
{
    char label[NAMES_SIZE + 8];
    snprintf(label, sizeof(label), "tls/%s", names);
    const struct sim_extension extensions[] = {
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid:always"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_ext_key_usage, "serverAuth"},
        {NID_subject_alt_name, names},
    };
    const struct sim_cert_spec spec = {
        .common_name = "pcs-sim",
        .bare_name = true,
        .serial_label = label,
        .not_before = not_before,
        .not_after = not_after,
        .issuer = ca,
        .issuer_key = keys[0],
        .subject_key = sim_key_pkey(keys[1]),
        .extensions = extensions,
        .extension_count = ARRAY_COUNT(extensions),
    };
    return sim_cert_make(&spec, ret_server, why);
}

static int
certificate_write(const char *path, const X509 *certificate, struct fault *why)
{
    auto_cleanup(buf_done) struct buf pem = BUF_INIT(LIMIT_CERT_PEM_BYTES);
    int code = sim_cert_add_pem(&pem, certificate);
    return code != 0 ? fault_set(why, code, "tls", "no memory")
                     : file_write_atomic(path, buf_span(&pem), 0644, why);
}

/* Only what an address or a DNS name consists of: the text goes into OpenSSL's little language. */
static int
names_render(const char *name, char out[NAMES_SIZE], struct fault *why)
{
    int size = snprintf(out, NAMES_SIZE, "DNS:localhost,IP:127.0.0.1,IP:::1");
    if (name == NULL) {
        return 0;
    }
    if (strlen(name) > 253 ||
        strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:") !=
            strlen(name)) {
        return fault_set(why, FAULT_INPUT, "tls", "%s: not a host name", name);
    }
    bool address = strchr(name, ':') != NULL || strspn(name, "0123456789.") == strlen(name);
    snprintf(out + size, NAMES_SIZE - (size_t)size, ",%s:%s", address ? "IP" : "DNS", name);
    return 0;
}

static int
certificates_make(const char *folder, const char *names, const struct sim_key *keys[2],
                  struct fault *why)
{
    char path[PATH_SIZE];
    X509 *ca = NULL, *server = NULL;
    int code = ca_make(keys[0], &ca, why);
    if (code == 0) {
        code = server_make(ca, keys, names, &server, why);
    }
    if (code == 0) {
        snprintf(path, sizeof(path), "%s/tls_ca.pem", folder);
        code = certificate_write(path, ca, why);
    }
    if (code == 0) {
        snprintf(path, sizeof(path), "%s/tls.pem", folder);
        code = certificate_write(path, server, why);
    }
    X509_free(ca);
    X509_free(server);
    return code;
}

int
sim_tls_open(const char *folder, const char *name, SSL_CTX **ret_tls, struct fault *why)
{
    char names[NAMES_SIZE], key_path[PATH_SIZE], path[PATH_SIZE];
    struct sim_key *ca_key = NULL, *key = NULL;
    if (strlen(folder) > PATH_SIZE - 64) {
        return fault_set(why, FAULT_INPUT, "tls", "state folder: name too long");
    }
    int code = names_render(name, names, why);
    if (code != 0) {
        return code;
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return fault_set_number(why, FAULT_IO, "tls", errno, "cannot make folder %s: %s", folder,
                                strerror(errno));
    }
    snprintf(path, sizeof(path), "%s/tls_ca.key", folder);
    snprintf(key_path, sizeof(key_path), "%s/tls.key", folder);
    code = sim_key_load_or_make(path, &ca_key, why);
    if (code == 0) {
        code = sim_key_load_or_make(key_path, &key, why);
    }
    if (code == 0) {
        code = certificates_make(folder, names, (const struct sim_key *[2]){ca_key, key}, why);
    }
    if (code == 0) {
        snprintf(path, sizeof(path), "%s/tls.pem", folder);
        code = http_tls_new(key_path, path, ret_tls, why);
    }
    sim_key_free(ca_key);
    sim_key_free(key);
    return code;
}
