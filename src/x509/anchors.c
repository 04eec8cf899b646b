/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The trust anchors: the public keys that every chain must end in (trust.md, The anchor). Built in
 * is the Intel SGX Root CA; the operator's PEM files replace it.
 *
 * Keys are compared, never certificates: one key has had more than one certificate.
 * Made once at start, read by every worker; immutable, so no lock. Pure: the files are read by the
 * caller.
 */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "base/hex.h"
#include "base/mem.h"
#include "x509/x509_priv.h"

struct anchor {
    uint8_t spki[X509_SPKI_SIZE];
    EVP_PKEY *key;
    X509_NAME *name; /* the subject: root CRLs carry it as their issuer */
    char crl_url[LIMIT_URL_CHARS + 1];
};

struct trust_anchors {
    struct anchor *list;
    size_t count;
    bool is_builtin;
};

/* trust.md, The anchor: SubjectPublicKeyInfo of the Intel SGX Root CA. */
static const char BUILTIN_SPKI[] =
    "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
    "0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5"
    "67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394";
static const char BUILTIN_CRL_URL[] =
    "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

static X509_NAME *
builtin_name(void)
{
    static const struct {
        const char *field, *value;
    } parts[] = {{"CN", "Intel SGX Root CA"},
                 {"O", "Intel Corporation"},
                 {"L", "Santa Clara"},
                 {"ST", "CA"},
                 {"C", "US"}};
    X509_NAME *name = X509_NAME_new();
    for (size_t i = 0; name != NULL && i < ARRAY_COUNT(parts); i++) {
        if (X509_NAME_add_entry_by_txt(name, parts[i].field, MBSTRING_UTF8,
                                       (const uint8_t *)parts[i].value, -1, -1, 0) != 1) {
            X509_NAME_free(name);
            name = NULL;
        }
    }
    return name;
}

static struct trust_anchors *
anchors_alloc(size_t count)
{
    struct trust_anchors *anchors = calloc(1, sizeof *anchors);
    if (anchors != NULL) {
        anchors->list = calloc(count, sizeof *anchors->list);
        if (anchors->list == NULL) {
            free(anchors);
            anchors = NULL;
        }
    }
    return anchors;
}

/* Takes name. */
static int
anchor_fill(struct anchor *anchor, const uint8_t spki[X509_SPKI_SIZE], X509_NAME *name,
            struct fault *why)
{
    memcpy(anchor->spki, spki, X509_SPKI_SIZE);
    const uint8_t *at = spki;
    anchor->key = d2i_PUBKEY(NULL, &at, X509_SPKI_SIZE);
    anchor->name = name;
    /* encoded here and now: OpenSSL would do it at the first comparison, in whichever thread */
    if (anchor->key == NULL || name == NULL || i2d_X509_NAME(name, NULL) < 0) {
        return x509_fault(why, FAULT_MEMORY, "anchor", "an anchor's key or name cannot be made");
    }
    return 0;
}

int
trust_anchors_builtin(struct trust_anchors **ret_anchors, struct fault *why)
{
    uint8_t spki[X509_SPKI_SIZE];
    must(hex_decode(span_of_text(BUILTIN_SPKI), spki, sizeof spki));
    struct trust_anchors *anchors = anchors_alloc(1);
    if (anchors == NULL) {
        return fault_set(why, FAULT_MEMORY, "anchor", "memory ran out");
    }
    anchors->count = 1;
    anchors->is_builtin = true;
    must(span_to_text(span_of_text(BUILTIN_CRL_URL), anchors->list[0].crl_url,
                      sizeof anchors->list[0].crl_url));
    int fault = anchor_fill(&anchors->list[0], spki, builtin_name(), why);
    if (fault != 0) {
        trust_anchors_free(anchors);
        return fault;
    }
    *ret_anchors = anchors;
    return 0;
}

static int
anchors_add(struct trust_anchors *anchors, X509 *certificate, struct fault *why)
{
    if (anchors->count == LIMIT_TRUST_ANCHORS) {
        return fault_set(why, FAULT_CONFIG, "anchor", "more than %d trust anchors",
                         LIMIT_TRUST_ANCHORS);
    }
    uint8_t spki[X509_SPKI_SIZE];
    if (!x509_spki(certificate, spki)) {
        return fault_set(why, FAULT_CONFIG, "anchor", "a trust anchor's key is not P-256");
    }
    if ((X509_get_extension_flags(certificate) & EXFLAG_CA) == 0) {
        return fault_set(why, FAULT_CONFIG, "anchor", "a trust anchor is not a CA certificate");
    }
    struct anchor *anchor = &anchors->list[anchors->count];
    anchors->count++;
    if (!x509_crl_url(certificate, anchor->crl_url)) {
        anchor->crl_url[0] = '\0';
    }
    return anchor_fill(anchor, spki, X509_NAME_dup(X509_get_subject_name(certificate)), why);
}

static int
anchors_add_pem(struct trust_anchors *anchors, struct span pem, struct fault *why)
{
    struct reader text = reader_of(pem);
    if (pem.size > LIMIT_PEM_FILE_BYTES || pem_at_end(&text)) {
        return fault_set(why, FAULT_CONFIG, "anchor", "a trust anchor file is %s",
                         pem.size > LIMIT_PEM_FILE_BYTES ? "too large" : "empty");
    }
    while (!pem_at_end(&text)) {
        auto_cleanup(buf_done) struct buf der = BUF_INIT(LIMIT_CERT_PEM_BYTES);
        X509 *certificate = NULL;
        int fault = pem_read(&text, "CERTIFICATE", &der, why);
        if (fault == 0) {
            fault = x509_from_der(buf_span(&der), &certificate, why);
        }
        if (fault != 0) {
            return fault == FAULT_MEMORY ? fault : fault_recode(why, FAULT_CONFIG);
        }
        fault = anchors_add(anchors, certificate, why);
        X509_free(certificate);
        if (fault != 0) {
            return fault;
        }
    }
    return 0;
}

int
trust_anchors_from_pem(const struct span *pems, size_t count, struct trust_anchors **ret_anchors,
                       struct fault *why)
{
    if (count == 0) {
        return fault_set(why, FAULT_CONFIG, "anchor", "no trust anchor is given");
    }
    struct trust_anchors *anchors = anchors_alloc(LIMIT_TRUST_ANCHORS);
    if (anchors == NULL) {
        return fault_set(why, FAULT_MEMORY, "anchor", "memory ran out");
    }
    for (size_t i = 0; i < count; i++) {
        int fault = anchors_add_pem(anchors, pems[i], why);
        if (fault != 0) {
            trust_anchors_free(anchors);
            return fault;
        }
    }
    *ret_anchors = anchors;
    return 0;
}

void
trust_anchors_free(struct trust_anchors *anchors)
{
    if (anchors == NULL) {
        return;
    }
    for (size_t i = 0; i < anchors->count; i++) {
        EVP_PKEY_free(anchors->list[i].key);
        X509_NAME_free(anchors->list[i].name);
    }
    free(anchors->list);
    free(anchors);
}

size_t
trust_anchors_count(const struct trust_anchors *anchors)
{
    return anchors->count;
}

bool
trust_anchors_are_builtin(const struct trust_anchors *anchors)
{
    return anchors->is_builtin;
}

void
trust_anchors_fingerprint(const struct trust_anchors *anchors, size_t index, char out[65])
{
    must(index < anchors->count);
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(anchors->list[index].spki, X509_SPKI_SIZE, digest);
    hex_encode_lower(span_of(digest, sizeof digest), out);
}

const char *
trust_anchors_crl_url(const struct trust_anchors *anchors, size_t index)
{
    must(index < anchors->count);
    return anchors->list[index].crl_url;
}

bool
trust_anchors_hold(const struct trust_anchors *anchors, X509 *certificate)
{
    uint8_t spki[X509_SPKI_SIZE];
    if (!x509_spki(certificate, spki)) {
        return false;
    }
    for (size_t i = 0; i < anchors->count; i++) {
        if (memcmp(anchors->list[i].spki, spki, X509_SPKI_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

const X509_NAME *
trust_anchors_name(const struct trust_anchors *anchors, size_t index)
{
    must(index < anchors->count);
    return anchors->list[index].name;
}

EVP_PKEY *
trust_anchors_key(const struct trust_anchors *anchors, size_t index)
{
    must(index < anchors->count);
    return anchors->list[index].key;
}
