/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Certificates and CRLs with the names and extensions of Intel's, under keys of our own.
 *
 * Takes a specification, gives DER or X509 objects. Called at start for the PKI and on the server's
 * loop for PCK certificates and CRLs. OpenSSL assembles the part to be signed; the signature is
 * made by sim_sign.c so that the same specification always gives the same bytes. Must never use
 * code of the product's x509 or collateral rooms: the simulator is an independent witness. Follows
 * trust.md, The shapes, and selection.md 2.
 */
#include "pcssim/sim_cert.h"

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "pcssim/sim_der.h"

/* AlgorithmIdentifier of ecdsa-with-SHA256. */
static const uint8_t algorithm_der[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                        0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
/* 1.2.840.113741.1.13.1 */
static const uint8_t sgx_oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

void
sim_serial_of(const char *label, uint8_t out[SIM_SERIAL_SIZE])
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)label, strlen(label), hash);
    memcpy(out, hash, SIM_SERIAL_SIZE);
    out[0] = (uint8_t)((out[0] & 0x7f) | 0x40); /* positive and always 20 bytes long */
}

static bool
name_add(X509_NAME *name, const char *field, int type, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, field, type, (const uint8_t *)value, -1, -1, 0) == 1;
}

static bool
name_fill(X509_NAME *name, const struct sim_cert_spec *spec)
{
    if (!name_add(name, "CN", MBSTRING_UTF8, spec->common_name)) {
        return false;
    }
    return spec->bare_name || (name_add(name, "O", MBSTRING_UTF8, "Intel Corporation") &&
                               name_add(name, "L", MBSTRING_UTF8, "Santa Clara") &&
                               name_add(name, "ST", MBSTRING_UTF8, "CA") &&
                               name_add(name, "C", V_ASN1_PRINTABLESTRING, "US"));
}

static bool
serial_set(ASN1_INTEGER *number, const uint8_t serial[SIM_SERIAL_SIZE])
{
    BIGNUM *value = BN_bin2bn(serial, SIM_SERIAL_SIZE, NULL);
    bool done = value != NULL && BN_to_ASN1_INTEGER(value, number) != NULL;
    BN_free(value);
    return done;
}

static bool
extensions_add(X509 *certificate, const struct sim_cert_spec *spec)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, spec->issuer != NULL ? (X509 *)spec->issuer : certificate, certificate,
                   NULL, NULL, 0);
    for (size_t i = 0; i < spec->extension_count; i++) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, &ctx, spec->extensions[i].nid, spec->extensions[i].value);
        bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
        X509_EXTENSION_free(extension);
        if (!added) {
            return false;
        }
    }
    return true;
}

static X509 *
cert_unsigned(const struct sim_cert_spec *spec)
{
    X509 *certificate = X509_new();
    uint8_t serial[SIM_SERIAL_SIZE];
    sim_serial_of(spec->serial_label, serial);
    if (certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
        serial_set(X509_get_serialNumber(certificate), serial) &&
        name_fill(X509_get_subject_name(certificate), spec) &&
        X509_set_issuer_name(
            certificate,
            X509_get_subject_name(spec->issuer != NULL ? spec->issuer : certificate)) == 1 &&
        ASN1_TIME_set(X509_getm_notBefore(certificate), spec->not_before) != NULL &&
        ASN1_TIME_set(X509_getm_notAfter(certificate), spec->not_after) != NULL &&
        X509_set_pubkey(certificate, spec->subject_key) == 1 && extensions_add(certificate, spec)) {
        return certificate;
    }
    X509_free(certificate);
    return NULL;
}

/* SEQUENCE { tbs, algorithm, signature }: the outer shell of certificates and CRLs alike. */
static int
signed_add(struct buf *b, struct span tbs, const struct sim_key *key, struct fault *why)
{
    uint8_t bits[1 + SIM_SIGNATURE_DER_SIZE_MAX] = {0}; /* no unused bits */
    size_t size = 0;
    int code = sim_sign_der(key, tbs, bits + 1, &size, why);
    if (code != 0) {
        return code;
    }
    auto_cleanup(buf_done) struct buf content = BUF_INIT(65535);
    buf_add(&content, tbs);
    buf_add(&content, span_of(algorithm_der, sizeof(algorithm_der)));
    code = der_add(&content, DER_BIT_STRING, span_of(bits, size + 1));
    if (code == 0) {
        code = der_add(b, DER_SEQUENCE, buf_span(&content));
    }
    return code == 0 ? 0 : fault_set(why, code, "sign", "a certificate or CRL became too large");
}

int
sim_cert_make(const struct sim_cert_spec *spec, X509 **ret_certificate, struct fault *why)
{
    X509 *draft = cert_unsigned(spec);
    uint8_t *tbs = NULL;
    int tbs_size = 0;
    /* X509_sign also writes the algorithm into the part to be signed; there is no other way. */
    if (draft == NULL || X509_sign(draft, sim_key_pkey(spec->issuer_key), EVP_sha256()) <= 0 ||
        (tbs_size = i2d_re_X509_tbs(draft, &tbs)) <= 0) {
        X509_free(draft);
        return fault_set(why, FAULT_INTERNAL, "certificate", "OpenSSL made no certificate for %s",
                         spec->common_name);
    }
    auto_cleanup(buf_done) struct buf der = BUF_INIT(SIM_CERT_BYTES_MAX);
    int code = signed_add(&der, span_of(tbs, (size_t)tbs_size), spec->issuer_key, why);
    OPENSSL_free(tbs);
    X509_free(draft);
    if (code != 0) {
        return code;
    }
    const uint8_t *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
    if (certificate == NULL) {
        return fault_set(why, FAULT_INTERNAL, "certificate", "%s does not parse again",
                         spec->common_name);
    }
    *ret_certificate = certificate;
    return 0;
}

static bool
sgx_extension_attach(X509 *certificate, struct span der)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;
    bool added = oid != NULL && content != NULL &&
                 ASN1_OCTET_STRING_set(content, der.data, (int)der.size) == 1 &&
                 (extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, content)) != NULL &&
                 X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(content);
    ASN1_OBJECT_free(oid);
    return added;
}

int
sim_cert_add_like(struct buf *b, const X509 *pattern, const char *serial_label,
                  struct span sgx_extension, const struct sim_key *issuer_key)
{
    X509 *draft = X509_dup(pattern);
    uint8_t serial[SIM_SERIAL_SIZE];
    uint8_t *tbs = NULL;
    int tbs_size = 0;
    sim_serial_of(serial_label, serial);
    if (draft != NULL && serial_set(X509_get_serialNumber(draft), serial) &&
        sgx_extension_attach(draft, sgx_extension)) {
        tbs_size = i2d_re_X509_tbs(draft, &tbs);
    }
    int code = FAULT_MEMORY;
    if (tbs_size > 0) {
        code = signed_add(b, span_of(tbs, (size_t)tbs_size), issuer_key, NULL);
    }
    OPENSSL_free(tbs);
    X509_free(draft);
    return code;
}

/* SEQUENCE { B.arcs, value }: one item of the extension; value is DER. */
static int
sgx_item_add(struct buf *b, const uint8_t *arcs, size_t arc_count, const struct buf *value)
{
    uint8_t oid[sizeof(sgx_oid) + 2];
    memcpy(oid, sgx_oid, sizeof(sgx_oid));
    memcpy(oid + sizeof(sgx_oid), arcs, arc_count);
    auto_cleanup(buf_done) struct buf pair = BUF_INIT(4096);
    der_add(&pair, DER_OID, span_of(oid, sizeof(sgx_oid) + arc_count));
    int code = buf_add(&pair, buf_span(value));
    return code != 0 ? code : der_add(b, DER_SEQUENCE, buf_span(&pair));
}

static int
sgx_octets_add(struct buf *b, uint8_t arc, struct span octets)
{
    auto_cleanup(buf_done) struct buf value = BUF_INIT(64);
    der_add(&value, DER_OCTETS, octets);
    return sgx_item_add(b, &arc, 1, &value);
}

static int
sgx_tcb_add(struct buf *b, const struct sim_sgx_values *values)
{
    auto_cleanup(buf_done) struct buf items = BUF_INIT(2048);
    auto_cleanup(buf_done) struct buf value = BUF_INIT(2048);
    uint8_t arcs[2] = {2, 0};
    for (uint8_t i = 0; i < 17; i++) {
        arcs[1] = (uint8_t)(i + 1); /* 1 to 16: components, 17: PCESVN */
        buf_clear(&value);
        der_add_unsigned(&value, DER_INTEGER, i < 16 ? values->components[i] : values->pcesvn);
        sgx_item_add(&items, arcs, 2, &value);
    }
    arcs[1] = 18;
    buf_clear(&value);
    der_add(&value, DER_OCTETS, span_of(values->cpusvn, 16));
    sgx_item_add(&items, arcs, 2, &value);
    buf_clear(&value);
    der_add(&value, DER_SEQUENCE, buf_span(&items));
    return sgx_item_add(b, arcs, 1, &value);
}

static int
sgx_configuration_add(struct buf *b, const struct sim_sgx_values *values)
{
    auto_cleanup(buf_done) struct buf items = BUF_INIT(512);
    auto_cleanup(buf_done) struct buf value = BUF_INIT(512);
    const bool flags[3] = {values->dynamic_platform, values->cached_keys, values->smt_enabled};
    uint8_t arcs[2] = {7, 0};
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t truth = flags[i] ? 0xff : 0x00;
        arcs[1] = (uint8_t)(i + 1);
        buf_clear(&value);
        der_add(&value, DER_BOOLEAN, span_of(&truth, 1));
        sgx_item_add(&items, arcs, 2, &value);
    }
    buf_clear(&value);
    der_add(&value, DER_SEQUENCE, buf_span(&items));
    return sgx_item_add(b, arcs, 1, &value);
}

int
sim_sgx_extension_add(struct buf *b, const struct sim_sgx_values *values)
{
    auto_cleanup(buf_done) struct buf items = BUF_INIT(4096);
    auto_cleanup(buf_done) struct buf type = BUF_INIT(16);
    const uint8_t type_arc = 5;
    sgx_octets_add(&items, 1, span_of(values->ppid, 16));
    sgx_tcb_add(&items, values);
    sgx_octets_add(&items, 3, span_of(values->pce_id, 2));
    sgx_octets_add(&items, 4, span_of(values->fmspc, 6));
    der_add_unsigned(&type, DER_ENUMERATED, values->platform_ca ? 1 : 0);
    int code = sgx_item_add(&items, &type_arc, 1, &type);
    if (values->platform_ca) {
        sgx_octets_add(&items, 6, span_of(values->instance_id, 16));
        code = sgx_configuration_add(&items, values);
    }
    return code != 0 ? code : der_add(b, DER_SEQUENCE, buf_span(&items));
}

static bool
crl_revoke(X509_CRL *crl, const struct sim_revocation *revocation)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_TIME *at = ASN1_TIME_set(NULL, revocation->at);
    bool added =
        entry != NULL && serial != NULL && at != NULL && serial_set(serial, revocation->serial) &&
        X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
        X509_REVOKED_set_revocationDate(entry, at) == 1 && X509_CRL_add0_revoked(crl, entry) == 1;
    if (!added) {
        X509_REVOKED_free(entry);
    }
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(at);
    return added;
}

static bool
crl_extensions_add(X509_CRL *crl, const X509 *issuer)
{
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    AUTHORITY_KEYID *key_id = AUTHORITY_KEYID_new();
    const ASN1_OCTET_STRING *issuer_key_id = X509_get0_subject_key_id((X509 *)issuer);
    /* The CRL number is constantly 1, as Intel's is (trust.md). */
    bool done = number != NULL && key_id != NULL && issuer_key_id != NULL &&
                ASN1_INTEGER_set(number, 1) == 1 &&
                (key_id->keyid = ASN1_OCTET_STRING_dup(issuer_key_id)) != NULL &&
                X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1 &&
                X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, key_id, 0, 0) == 1;
    ASN1_INTEGER_free(number);
    AUTHORITY_KEYID_free(key_id);
    return done;
}

static X509_CRL *
crl_unsigned(const struct sim_crl_spec *spec)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *this_update = ASN1_TIME_set(NULL, spec->this_update);
    ASN1_TIME *next_update = ASN1_TIME_set(NULL, spec->next_update);
    bool done = crl != NULL && this_update != NULL && next_update != NULL &&
                X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
                X509_CRL_set_issuer_name(crl, X509_get_subject_name(spec->issuer)) == 1 &&
                X509_CRL_set1_lastUpdate(crl, this_update) == 1 &&
                X509_CRL_set1_nextUpdate(crl, next_update) == 1;
    for (size_t i = 0; done && i < spec->revocation_count; i++) {
        done = crl_revoke(crl, &spec->revocations[i]);
    }
    done = done && crl_extensions_add(crl, spec->issuer) && X509_CRL_sort(crl) == 1;
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);
    if (!done) {
        X509_CRL_free(crl);
        return NULL;
    }
    return crl;
}

int
sim_crl_add(struct buf *b, const struct sim_crl_spec *spec, struct fault *why)
{
    X509_CRL *draft = crl_unsigned(spec);
    uint8_t *tbs = NULL;
    int tbs_size = 0;
    if (draft == NULL || X509_CRL_sign(draft, sim_key_pkey(spec->issuer_key), EVP_sha256()) <= 0 ||
        (tbs_size = i2d_re_X509_CRL_tbs(draft, &tbs)) <= 0) {
        X509_CRL_free(draft);
        return fault_set(why, FAULT_INTERNAL, "crl", "OpenSSL made no CRL");
    }
    int code = signed_add(b, span_of(tbs, (size_t)tbs_size), spec->issuer_key, why);
    OPENSSL_free(tbs);
    X509_CRL_free(draft);
    return code;
}

int
sim_cert_add_pem(struct buf *b, const X509 *certificate)
{
    uint8_t *der = NULL;
    int size = i2d_X509(certificate, &der);
    if (size <= 0) {
        return FAULT_MEMORY;
    }
    int code = sim_pem_add(b, "CERTIFICATE", span_of(der, (size_t)size));
    OPENSSL_free(der);
    return code;
}

int
sim_pem_add(struct buf *b, const char *kind, struct span der)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    int code = FAULT_MEMORY;
    if (memory != NULL && PEM_write_bio(memory, kind, "", der.data, (long)der.size) > 0) {
        long size = BIO_get_mem_data(memory, &text);
        code = buf_add(b, span_of(text, (size_t)size));
    }
    BIO_free(memory);
    return code;
}
