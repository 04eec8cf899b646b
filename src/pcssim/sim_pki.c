/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated PKI: root, two PCK CAs, the TCB signer, the one key that all PCK certificates
 * share.
 *
 * Takes a folder and the simulator's address; gives chains, signatures, PCK certificates and CRLs.
 * Opened by main.c before the server starts; used and changed on the server's one loop thread only,
 * so nothing is locked. Must never write a key anywhere but into its folder, mode 0600.
 * Follows trust.md, The shapes, and selection.md 2 (the extensions that parsers insist on).
 */
#include "pcssim/sim_pki.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include <openssl/x509v3.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/url.h"

/* The dates of Intel's own root; everything else of ours lives as long, so that a time shift of
 * years breaks only what is meant to break. */
static const int64_t not_before = 1526899510; /* 2018-05-21T10:45:10Z */
static const int64_t not_after = 2524607999;  /* 2049-12-31T23:59:59Z */

enum { PATH_SIZE = 4096, POINT_SIZE = 512 };

struct revocations {
    struct sim_revocation list[LIMIT_SIM_REVOCATIONS];
    size_t count;
};

struct sim_pki {
    struct sim_key *root_key, *ca_key[2], *signing_key, *leaf_key, *rogue_key, *rotated_key;
    X509 *root, *ca[2], *signing;
    X509 *pck_pattern[2]; /* a PCK certificate of each CA, still without its SGX extension */
    char url[256];
    unsigned generation; /* of the TCB signer */
    struct buf root_pem, tcb_chain, pck_chain[2];
    struct revocations revoked[SIM_CRL_COUNT];
};

static const char *const ca_names[2] = {"Intel SGX PCK Processor CA", "Intel SGX PCK Platform CA"};
static const char *const ca_words[2] = {"processor", "platform"};

static const struct sim_key *
signing_key_now(const struct sim_pki *pki)
{
    return pki->rotated_key != NULL ? pki->rotated_key : pki->signing_key;
}

static void
signing_label(const struct sim_pki *pki, char *out, size_t out_size)
{
    snprintf(out, out_size, "tcb-signing/%u", pki->generation);
}

/* Certificates under the root: CA or signer, told apart by key usage and constraints. */
static int
cert_under_root(struct sim_pki *pki, const char *name, const char *label, const struct sim_key *key,
                X509 **ret_certificate, struct fault *why)
{
    char point[POINT_SIZE];
    snprintf(point, sizeof(point), "URI:%s/IntelSGXRootCA.der", pki->url);
    bool is_root = key == pki->root_key;
    bool is_signer = key == signing_key_now(pki);
    const char *usage =
        is_signer ? "critical,digitalSignature,nonRepudiation" : "critical,keyCertSign,cRLSign";
    const char *constraints = is_signer ? "critical,CA:FALSE"
                              : is_root ? "critical,CA:TRUE,pathlen:1"
                                        : "critical,CA:TRUE,pathlen:0";
    /* Subject before authority: a self-signed certificate's own key id is looked up here. */
    const struct sim_extension extensions[] = {
        {NID_subject_key_identifier, "hash"}, {NID_authority_key_identifier, "keyid:always"},
        {NID_crl_distribution_points, point}, {NID_key_usage, usage},
        {NID_basic_constraints, constraints},
    };
    const struct sim_cert_spec spec = {
        .common_name = name,
        .serial_label = label,
        .not_before = not_before,
        .not_after = not_after,
        .issuer = is_root ? NULL : pki->root,
        .issuer_key = pki->root_key,
        .subject_key = sim_key_pkey(key),
        .extensions = extensions,
        .extension_count = ARRAY_COUNT(extensions),
    };
    return sim_cert_make(&spec, ret_certificate, why);
}

/* Fills b with the two certificates' PEM, percent-encoded. */
static int
chain_render(struct buf *b, const X509 *first, const X509 *second)
{
    auto_cleanup(buf_done) struct buf pem = BUF_INIT(LIMIT_CHAIN_PEM_BYTES);
    int code = sim_cert_add_pem(&pem, first);
    if (code == 0) {
        code = sim_cert_add_pem(&pem, second);
    }
    buf_clear(b);
    return code != 0 ? code : url_add_encoded(b, buf_span(&pem));
}

static int
signer_issue(struct sim_pki *pki, struct fault *why)
{
    char label[64];
    signing_label(pki, label, sizeof(label));
    X509 *signing = NULL;
    int code =
        cert_under_root(pki, "Intel SGX TCB Signing", label, signing_key_now(pki), &signing, why);
    if (code != 0) {
        return code;
    }
    X509_free(pki->signing);
    pki->signing = signing;
    code = chain_render(&pki->tcb_chain, pki->signing, pki->root);
    return code == 0 ? 0 : fault_set(why, code, "pki", "no memory for the TCB signing chain");
}

static int
pck_pattern_issue(struct sim_pki *pki, enum pck_ca ca, struct fault *why)
{
    char point[POINT_SIZE];
    snprintf(point, sizeof(point), "URI:%s/sgx/certification/v4/pckcrl?ca=%s&encoding=der",
             pki->url, ca_words[ca]);
    const struct sim_extension extensions[] = {
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid:always"},
        {NID_crl_distribution_points, point},
        {NID_key_usage, "critical,digitalSignature,nonRepudiation"},
        {NID_basic_constraints, "critical,CA:FALSE"},
    };
    const struct sim_cert_spec spec = {
        .common_name = "Intel SGX PCK Certificate",
        .serial_label = "pck",
        .not_before = not_before,
        .not_after = not_after,
        .issuer = pki->ca[ca],
        .issuer_key = pki->ca_key[ca],
        .subject_key = sim_key_pkey(pki->leaf_key),
        .extensions = extensions,
        .extension_count = ARRAY_COUNT(extensions),
    };
    return sim_cert_make(&spec, &pki->pck_pattern[ca], why);
}

static int
certificates_issue(struct sim_pki *pki, struct fault *why)
{
    int code = cert_under_root(pki, "Intel SGX Root CA", "root", pki->root_key, &pki->root, why);
    for (int i = 0; i < 2 && code == 0; i++) {
        code = cert_under_root(pki, ca_names[i], ca_words[i], pki->ca_key[i], &pki->ca[i], why);
        if (code == 0 && chain_render(&pki->pck_chain[i], pki->ca[i], pki->root) != 0) {
            code = fault_set(why, FAULT_MEMORY, "pki", "no memory for a PCK chain");
        }
        if (code == 0) {
            code = pck_pattern_issue(pki, (enum pck_ca)i, why);
        }
    }
    if (code == 0 && sim_cert_add_pem(&pki->root_pem, pki->root) != 0) {
        code = fault_set(why, FAULT_MEMORY, "pki", "no memory for the root certificate");
    }
    return code != 0 ? code : signer_issue(pki, why);
}

static int
certificate_write(const char *folder, const char *name, const X509 *certificate, struct fault *why)
{
    char path[PATH_SIZE];
    auto_cleanup(buf_done) struct buf pem = BUF_INIT(LIMIT_CERT_PEM_BYTES);
    auto_cleanup(buf_done) struct buf kept = BUF_INIT(LIMIT_CERT_PEM_BYTES);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int code = sim_cert_add_pem(&pem, certificate);
    if (code != 0) {
        return fault_set(why, code, "pki", "no memory for %s", name);
    }
    if (file_read(path, &kept, NULL) == 0 && span_equal(buf_span(&kept), buf_span(&pem))) {
        return 0;
    }
    return file_write_atomic(path, buf_span(&pem), 0644, why);
}

static int
certificates_write(const struct sim_pki *pki, const char *folder, struct fault *why)
{
    int code = certificate_write(folder, "root.pem", pki->root, why);
    if (code == 0) {
        code = certificate_write(folder, "processor_ca.pem", pki->ca[PCK_CA_PROCESSOR], why);
    }
    if (code == 0) {
        code = certificate_write(folder, "platform_ca.pem", pki->ca[PCK_CA_PLATFORM], why);
    }
    return code != 0 ? code : certificate_write(folder, "tcb_signing.pem", pki->signing, why);
}

static int
keys_load(struct sim_pki *pki, const char *folder, struct fault *why)
{
    const struct {
        const char *name;
        struct sim_key **key;
    } files[] = {
        {"root.key", &pki->root_key},
        {"processor_ca.key", &pki->ca_key[PCK_CA_PROCESSOR]},
        {"platform_ca.key", &pki->ca_key[PCK_CA_PLATFORM]},
        {"tcb_signing.key", &pki->signing_key},
        {"pck.key", &pki->leaf_key},
    };
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
        int code = sim_key_load_or_make(path, files[i].key, why);
        if (code != 0) {
            return code;
        }
    }
    return sim_key_new(&pki->rogue_key, why);
}

int
sim_pki_open(const char *folder, const char *url, struct sim_pki **ret_pki, struct fault *why)
{
    if (strlen(folder) > PATH_SIZE - 64 || strlen(url) >= sizeof(((struct sim_pki *)0)->url)) {
        return fault_set(why, FAULT_INPUT, "pki", "state folder or address too long");
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return fault_set_number(why, FAULT_IO, "pki", errno, "cannot make folder %s: %s", folder,
                                strerror(errno));
    }
    struct sim_pki *pki = calloc(1, sizeof(*pki));
    if (pki == NULL) {
        return fault_set(why, FAULT_MEMORY, "pki", "no memory for the PKI");
    }
    memcpy(pki->url, url, strlen(url) + 1);
    pki->root_pem = BUF_INIT(LIMIT_CERT_PEM_BYTES);
    pki->tcb_chain = BUF_INIT(LIMIT_CHAIN_PEM_BYTES * 3);
    pki->pck_chain[0] = BUF_INIT(LIMIT_CHAIN_PEM_BYTES * 3);
    pki->pck_chain[1] = BUF_INIT(LIMIT_CHAIN_PEM_BYTES * 3);
    int code = keys_load(pki, folder, why);
    if (code == 0) {
        code = certificates_issue(pki, why);
    }
    if (code == 0) {
        code = certificates_write(pki, folder, why);
    }
    if (code != 0) {
        sim_pki_free(pki);
        return code;
    }
    *ret_pki = pki;
    return 0;
}

void
sim_pki_free(struct sim_pki *pki)
{
    if (pki == NULL) {
        return;
    }
    sim_key_free(pki->root_key);
    sim_key_free(pki->signing_key);
    sim_key_free(pki->leaf_key);
    sim_key_free(pki->rogue_key);
    sim_key_free(pki->rotated_key);
    X509_free(pki->root);
    X509_free(pki->signing);
    for (int i = 0; i < 2; i++) {
        sim_key_free(pki->ca_key[i]);
        X509_free(pki->ca[i]);
        X509_free(pki->pck_pattern[i]);
        buf_done(&pki->pck_chain[i]);
    }
    buf_done(&pki->root_pem);
    buf_done(&pki->tcb_chain);
    free(pki);
}

struct span
sim_pki_tcb_chain(const struct sim_pki *pki)
{
    return buf_span(&pki->tcb_chain);
}

struct span
sim_pki_pck_chain(const struct sim_pki *pki, enum pck_ca ca)
{
    return buf_span(&pki->pck_chain[ca]);
}

struct span
sim_pki_root_pem(const struct sim_pki *pki)
{
    return buf_span(&pki->root_pem);
}

int
sim_pki_add_signature(struct buf *b, const struct sim_pki *pki, struct span text,
                      const struct sim_twist *twist, struct fault *why)
{
    uint8_t raw[SIM_SIGNATURE_SIZE];
    const struct sim_key *key = twist->wrong_signer ? pki->rogue_key : signing_key_now(pki);
    int code = sim_sign_raw(key, text, raw, why);
    if (code != 0) {
        return code;
    }
    if (hex_add_lower(b, span_of(raw, sizeof(raw))) != 0) {
        return fault_set(why, FAULT_MEMORY, "sign", "no room for a signature");
    }
    return 0;
}

int
sim_pki_add_pck(struct buf *b, const struct sim_pki *pki, const struct sim_sgx_values *values,
                const char *label, const struct sim_twist *twist)
{
    enum pck_ca ca = values->platform_ca ? PCK_CA_PLATFORM : PCK_CA_PROCESSOR;
    auto_cleanup(buf_done) struct buf sgx = BUF_INIT(4096);
    auto_cleanup(buf_done) struct buf der = BUF_INIT(SIM_CERT_BYTES_MAX);
    int code = sim_sgx_extension_add(&sgx, values);
    if (code == 0) {
        code = sim_cert_add_like(&der, pki->pck_pattern[ca], label, buf_span(&sgx),
                                 twist->wrong_signer ? pki->rogue_key : pki->ca_key[ca]);
    }
    if (code != 0) {
        return code;
    }
    if (twist->tamper) {
        der.data[der.size - 1] ^= 1; /* the last byte of s */
    }
    return sim_pem_add(b, "CERTIFICATE", buf_span(&der));
}

int
sim_pki_add_crl(struct buf *b, const struct sim_pki *pki, enum sim_crl which,
                const int64_t issued_valid[2], const struct sim_twist *twist)
{
    const X509 *issuer = which == SIM_CRL_ROOT ? pki->root : pki->ca[which - SIM_CRL_PROCESSOR];
    const struct sim_key *key =
        which == SIM_CRL_ROOT ? pki->root_key : pki->ca_key[which - SIM_CRL_PROCESSOR];
    const struct sim_crl_spec spec = {
        .issuer = issuer,
        .issuer_key = twist->wrong_signer ? pki->rogue_key : key,
        .this_update = issued_valid[0] + twist->issue_shift_s,
        .next_update = issued_valid[0] + issued_valid[1] + twist->issue_shift_s,
        .revocations = pki->revoked[which].list,
        .revocation_count = pki->revoked[which].count,
    };
    int code = sim_crl_add(b, &spec, NULL);
    if (code == 0 && twist->tamper) {
        b->data[b->size - 1] ^= 1;
    }
    return code;
}

static int
revocation_add(struct revocations *list, const char *label, int64_t at, struct fault *why)
{
    struct sim_revocation one = {.at = at};
    sim_serial_of(label, one.serial);
    for (size_t i = 0; i < list->count; i++) {
        if (memcmp(list->list[i].serial, one.serial, SIM_SERIAL_SIZE) == 0) {
            return 0;
        }
    }
    if (list->count == LIMIT_SIM_REVOCATIONS) {
        return fault_set(why, FAULT_BUSY, "revoke", "%d certificates are revoked already",
                         LIMIT_SIM_REVOCATIONS);
    }
    list->list[list->count++] = one;
    return 0;
}

int
sim_pki_revoke_signer(struct sim_pki *pki, int64_t at, struct fault *why)
{
    char label[64];
    signing_label(pki, label, sizeof(label));
    return revocation_add(&pki->revoked[SIM_CRL_ROOT], label, at, why);
}

int
sim_pki_revoke_ca(struct sim_pki *pki, enum pck_ca ca, int64_t at, struct fault *why)
{
    return revocation_add(&pki->revoked[SIM_CRL_ROOT], ca_words[ca], at, why);
}

int
sim_pki_revoke_pck(struct sim_pki *pki, enum pck_ca ca, const char *label, int64_t at,
                   struct fault *why)
{
    return revocation_add(&pki->revoked[SIM_CRL_PROCESSOR + (int)ca], label, at, why);
}

int
sim_pki_rotate_signer(struct sim_pki *pki, struct fault *why)
{
    struct sim_key *key = NULL;
    int code = sim_key_new(&key, why);
    if (code != 0) {
        return code;
    }
    sim_key_free(pki->rotated_key);
    pki->rotated_key = key;
    pki->generation++;
    return signer_issue(pki, why);
}

int
sim_pki_reset(struct sim_pki *pki, struct fault *why)
{
    for (int i = 0; i < SIM_CRL_COUNT; i++) {
        pki->revoked[i].count = 0;
    }
    if (pki->generation == 0) {
        return 0;
    }
    pki->generation = 0;
    sim_key_free(pki->rotated_key);
    pki->rotated_key = NULL;
    return signer_issue(pki, why);
}
