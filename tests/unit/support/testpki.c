/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small provisioning PKI for tests; see testpki.h. Everything is made by OpenSSL alone, the SGX
 * extension by the DER writer below, so that nothing of src/ vouches for itself. Test code only;
 * single-threaded.
 */
#include "support/testpki.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void
need(bool is_fine, const char *what)
{
    if (!is_fine) {
        fprintf(stderr, "testpki: %s failed\n", what);
        abort();
    }
}

__attribute__((format(printf, 1, 2))) static char *
format_text(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    need(size >= 0, "vasprintf");
    return text;
}

/* ---- certificates ---- */

EVP_PKEY *
testpki_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    need(key != NULL, "EVP_EC_gen");
    return key;
}

static X509_NAME *
name_new(const char *common_name)
{
    const char *const parts[][2] = {{"CN", common_name},
                                    {"O", "Intel Corporation"},
                                    {"L", "Santa Clara"},
                                    {"ST", "CA"},
                                    {"C", "US"}};
    X509_NAME *name = X509_NAME_new();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        need(X509_NAME_add_entry_by_txt(name, parts[i][0], MBSTRING_UTF8,
                                        (const unsigned char *)parts[i][1], -1, -1, 0) == 1,
             "X509_NAME_add_entry_by_txt");
    }
    return name;
}

static void
add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    need(extension != NULL, value);
    need(X509_add_ext(certificate, extension, -1) == 1, "X509_add_ext");
    X509_EXTENSION_free(extension);
}

static X509_EXTENSION *
raw_extension(const char *oid, bool is_critical, const uint8_t *der, size_t size)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    need(object != NULL && value != NULL, oid);
    need(ASN1_OCTET_STRING_set(value, der, (int)size) == 1, "ASN1_OCTET_STRING_set");
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, is_critical, value);
    need(extension != NULL, "X509_EXTENSION_create_by_OBJ");
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
    return extension;
}

static void
add_extensions(X509 *certificate, X509 *issuer, const struct testpki_cert *cert)
{
    char constraints[64] = "critical,CA:FALSE";
    if (cert->is_ca) {
        snprintf(constraints, sizeof constraints,
                 cert->path_length >= 0 ? "critical,CA:TRUE,pathlen:%d" : "critical,CA:TRUE",
                 cert->path_length);
    }
    add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
    add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always");
    add_extension(certificate, issuer, NID_basic_constraints, constraints);
    if (cert->key_usage != NULL) {
        add_extension(certificate, issuer, NID_key_usage, cert->key_usage);
    }
    if (cert->crl_url != NULL) {
        char *value = format_text("URI:%s", cert->crl_url);
        add_extension(certificate, issuer, NID_crl_distribution_points, value);
        free(value);
    }
    if (cert->sgx_der != NULL) {
        X509_EXTENSION *sgx =
            raw_extension("1.2.840.113741.1.13.1", false, cert->sgx_der, cert->sgx_der_size);
        need(X509_add_ext(certificate, sgx, -1) == 1, "X509_add_ext");
        X509_EXTENSION_free(sgx);
    }
    if (cert->critical_oid != NULL) {
        X509_EXTENSION *unknown =
            raw_extension(cert->critical_oid, true, (const uint8_t *)"\x05", 2);
        need(X509_add_ext(certificate, unknown, -1) == 1, "X509_add_ext");
        X509_EXTENSION_free(unknown);
    }
}

X509 *
testpki_certify(const struct testpki_cert *cert)
{
    X509 *certificate = X509_new();
    X509 *issuer = cert->issuer != NULL ? cert->issuer : certificate;
    int64_t not_before = cert->not_before != 0 ? cert->not_before : TESTPKI_BORN;
    int64_t not_after = cert->not_after != 0 ? cert->not_after : TESTPKI_DIES;
    X509_NAME *name = name_new(cert->common_name);
    need(X509_set_version(certificate, X509_VERSION_3) == 1 &&
             ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate),
                                     cert->serial != 0 ? cert->serial : 1) == 1 &&
             X509_set_subject_name(certificate, name) == 1 &&
             X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
             X509_set_pubkey(certificate, cert->key) == 1 &&
             ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)not_before) != NULL &&
             ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)not_after) != NULL,
         "filling a certificate");
    add_extensions(certificate, issuer, cert);
    EVP_PKEY *key = cert->issuer_key != NULL ? cert->issuer_key : cert->key;
    need(X509_sign(certificate, key, cert->signs_with_sha384 ? EVP_sha384() : EVP_sha256()) > 0,
         "X509_sign");
    X509_NAME_free(name);
    return certificate;
}

static char *
take_bio(BIO *bio)
{
    char *data = NULL;
    long size = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)size);
    need(text != NULL, "strndup");
    BIO_free(bio);
    return text;
}

char *
testpki_pem(X509 *const *certs, size_t count)
{
    BIO *bio = BIO_new(BIO_s_mem());
    for (size_t i = 0; i < count; i++) {
        need(PEM_write_bio_X509(bio, certs[i]) == 1, "PEM_write_bio_X509");
    }
    return take_bio(bio);
}

char *
testpki_percent_encode(const char *text)
{
    char *encoded = malloc(strlen(text) * 3 + 1);
    need(encoded != NULL, "malloc");
    const char *digits = "0123456789ABCDEF";
    char *at = encoded;
    for (; *text != '\0'; text++) {
        bool is_plain = (*text >= 'A' && *text <= 'Z') || (*text >= 'a' && *text <= 'z') ||
                        (*text >= '0' && *text <= '9') || strchr("-_.!~*'()", *text) != NULL;
        if (is_plain) {
            *at++ = *text;
        } else {
            *at++ = '%';
            *at++ = digits[(unsigned char)*text >> 4];
            *at++ = digits[(unsigned char)*text & 15];
        }
    }
    *at = '\0';
    return encoded;
}

struct testpki *
testpki_new(void)
{
    struct testpki *pki = calloc(1, sizeof *pki);
    need(pki != NULL, "calloc");
    pki->root_key = testpki_key();
    pki->signer_key = testpki_key();
    pki->leaf_key = testpki_key();
    pki->root = testpki_certify(&(struct testpki_cert){
        .common_name = "Intel SGX Root CA",
        .key = pki->root_key,
        .is_ca = true,
        .path_length = 1,
        .key_usage = "critical,keyCertSign,cRLSign",
        .crl_url = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"});
    for (int i = 0; i < 2; i++) {
        pki->ca_keys[i] = testpki_key();
        pki->cas[i] = testpki_certify(&(struct testpki_cert){
            .common_name =
                i == TESTPKI_PLATFORM ? "Intel SGX PCK Platform CA" : "Intel SGX PCK Processor CA",
            .key = pki->ca_keys[i],
            .issuer = pki->root,
            .issuer_key = pki->root_key,
            .serial = 100 + (uint64_t)i,
            .is_ca = true,
            .key_usage = "critical,keyCertSign,cRLSign"});
        pki->ca_chains[i] = testpki_pem((X509 *[]){pki->cas[i], pki->root}, 2);
    }
    pki->signer = testpki_certify(
        &(struct testpki_cert){.common_name = "Intel SGX TCB Signing",
                               .key = pki->signer_key,
                               .issuer = pki->root,
                               .issuer_key = pki->root_key,
                               .serial = 102,
                               .key_usage = "critical,digitalSignature,nonRepudiation"});
    pki->root_pem = testpki_pem(&pki->root, 1);
    pki->signer_chain = testpki_pem((X509 *[]){pki->signer, pki->root}, 2);
    return pki;
}

void
testpki_free(struct testpki *pki)
{
    if (pki == NULL) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        EVP_PKEY_free(pki->ca_keys[i]);
        X509_free(pki->cas[i]);
        free(pki->ca_chains[i]);
    }
    EVP_PKEY_free(pki->root_key);
    EVP_PKEY_free(pki->signer_key);
    EVP_PKEY_free(pki->leaf_key);
    X509_free(pki->root);
    X509_free(pki->signer);
    free(pki->root_pem);
    free(pki->signer_chain);
    free(pki);
}

/* ---- the SGX extension ---- */

struct der {
    uint8_t bytes[TESTPKI_SGX_MAX];
    size_t size;
};

static void
der_add(struct der *der, uint8_t tag, const uint8_t *content, size_t size)
{
    need(der->size + size + 4 <= sizeof der->bytes && size < 0x10000, "der_add");
    uint8_t *at = der->bytes + der->size;
    *at++ = tag;
    if (size >= 0x100) {
        *at++ = 0x82;
        *at++ = (uint8_t)(size >> 8);
    } else if (size >= 0x80) {
        *at++ = 0x81;
    }
    *at++ = (uint8_t)size;
    memcpy(at, content, size);
    der->size = (size_t)(at - der->bytes) + size;
}

/* SEQUENCE { OID 1.2.840.113741.1.13.1.first[.second], value } */
static void
der_add_item(struct der *der, int first, int second, const struct der *value)
{
    uint8_t oid[] = {0x2a, 0x86, 0x48, 0x86,           0xf8,           0x4d,
                     0x01, 0x0d, 0x01, (uint8_t)first, (uint8_t)second};
    struct der item = {.size = 0};
    der_add(&item, 6, oid, second > 0 ? 11 : 10);
    need(item.size + value->size <= sizeof item.bytes, "der_add_item");
    memcpy(item.bytes + item.size, value->bytes, value->size);
    der_add(der, 0x30, item.bytes, item.size + value->size);
}

static void
der_add_octets(struct der *der, int first, int second, const uint8_t *octets, size_t size)
{
    struct der value = {.size = 0};
    der_add(&value, 4, octets, size);
    der_add_item(der, first, second, &value);
}

static void
der_add_number(struct der *der, uint8_t tag, int first, int second, unsigned number)
{
    uint8_t digits[] = {(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    size_t skip = 0;
    while (skip < 2 && digits[skip] == 0 && digits[skip + 1] < 0x80) {
        skip++;
    }
    struct der value = {.size = 0};
    der_add(&value, tag, digits + skip, sizeof digits - skip);
    der_add_item(der, first, second, &value);
}

static void
der_add_sequence(struct der *der, int first, const struct der *items)
{
    struct der value = {.size = 0};
    der_add(&value, 0x30, items->bytes, items->size);
    der_add_item(der, first, 0, &value);
}

struct testpki_sgx
testpki_sgx_plain(void)
{
    return (struct testpki_sgx){.ppid = {0xA1, 0xA2, 0xA3},
                                .components = {5, 5},
                                .cpusvn = {5, 5},
                                .pcesvn = 10,
                                .fmspc = {0x00, 0x90, 0x6E, 0xA1, 0x00, 0x00}};
}

size_t
testpki_sgx_der(const struct testpki_sgx *sgx, uint8_t out[TESTPKI_SGX_MAX])
{
    struct der tcb = {.size = 0}, items = {.size = 0}, whole = {.size = 0};
    for (int i = 0; i < 16; i++) {
        der_add_number(&tcb, 2, 2, i + 1, sgx->components[i]);
    }
    der_add_number(&tcb, 2, 2, 17, sgx->pcesvn);
    der_add_octets(&tcb, 2, 18, sgx->cpusvn, 16);
    der_add_octets(&items, 1, 0, sgx->ppid, 16);
    der_add_sequence(&items, 2, &tcb);
    der_add_octets(&items, 3, 0, sgx->pceid, 2);
    der_add_octets(&items, 4, 0, sgx->fmspc, 6);
    der_add_number(&items, 10, 5, 0, (unsigned)sgx->sgx_type);
    if (sgx->has_platform_part) {
        struct der configuration = {.size = 0};
        for (int i = 1; i <= 3; i++) {
            struct der value = {.size = 0};
            der_add(&value, 1, (const uint8_t *)(i == 2 ? "\xff" : "\0"), 1);
            der_add_item(&configuration, 7, i, &value);
        }
        der_add_octets(&items, 6, 0, (const uint8_t *)"0123456789abcdef", 16);
        der_add_sequence(&items, 7, &configuration);
    }
    der_add(&whole, 0x30, items.bytes, items.size);
    memcpy(out, whole.bytes, whole.size);
    return whole.size;
}

X509 *
testpki_leaf(const struct testpki *pki, int ca, const struct testpki_sgx *sgx, uint64_t serial)
{
    uint8_t der[TESTPKI_SGX_MAX];
    size_t size = testpki_sgx_der(sgx, der);
    return testpki_certify(
        &(struct testpki_cert){.common_name = "Intel SGX PCK Certificate",
                               .key = pki->leaf_key,
                               .issuer = pki->cas[ca],
                               .issuer_key = pki->ca_keys[ca],
                               .serial = serial,
                               .key_usage = "critical,digitalSignature,nonRepudiation",
                               .sgx_der = der,
                               .sgx_der_size = size});
}

char *
testpki_leaf_pem(const struct testpki *pki, int ca, const struct testpki_sgx *sgx, uint64_t serial)
{
    X509 *leaf = testpki_leaf(pki, ca, sgx, serial);
    char *pem = testpki_pem(&leaf, 1);
    X509_free(leaf);
    return pem;
}

void
testpki_tcbm(const struct testpki_sgx *sgx, char out[37])
{
    for (int i = 0; i < 16; i++) {
        snprintf(out + 2 * i, 3, "%02X", sgx->components[i]);
    }
    snprintf(out + 32, 5, "%02X%02X", sgx->pcesvn & 0xff, sgx->pcesvn >> 8 & 0xff);
}

/* ---- CRLs ---- */

static void
crl_revoke(X509_CRL *list, uint64_t serial, int64_t at)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)at);
    need(entry != NULL && number != NULL && time != NULL &&
             ASN1_INTEGER_set_uint64(number, serial) == 1 &&
             X509_REVOKED_set_serialNumber(entry, number) == 1 &&
             X509_REVOKED_set_revocationDate(entry, time) == 1 &&
             X509_CRL_add0_revoked(list, entry) == 1,
         "revoking");
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(time);
}

static X509_CRL *
crl_new(const struct testpki_crl *crl)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *this_update = ASN1_TIME_set(NULL, (time_t)crl->this_update);
    need(X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1 &&
             X509_CRL_set_issuer_name(list, X509_get_subject_name(crl->issuer)) == 1 &&
             X509_CRL_set1_lastUpdate(list, this_update) == 1,
         "filling a CRL");
    ASN1_TIME_free(this_update);
    if (crl->next_update != 0) {
        ASN1_TIME *next_update = ASN1_TIME_set(NULL, (time_t)crl->next_update);
        need(X509_CRL_set1_nextUpdate(list, next_update) == 1, "X509_CRL_set1_nextUpdate");
        ASN1_TIME_free(next_update);
    }
    for (size_t i = 0; i < crl->serial_count; i++) {
        crl_revoke(list, crl->serials[i], crl->this_update);
    }
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    need(ASN1_INTEGER_set(number, 1) == 1 &&
             X509_CRL_add1_ext_i2d(list, NID_crl_number, number, 0, 0) == 1,
         "CRL number");
    ASN1_INTEGER_free(number);
    if (crl->critical_oid != NULL) {
        X509_EXTENSION *unknown =
            raw_extension(crl->critical_oid, true, (const uint8_t *)"\x05", 2);
        need(X509_CRL_add_ext(list, unknown, -1) == 1, "X509_CRL_add_ext");
        X509_EXTENSION_free(unknown);
    }
    X509_CRL_sort(list);
    need(X509_CRL_sign(list, crl->key, EVP_sha256()) > 0, "X509_CRL_sign");
    return list;
}

uint8_t *
testpki_crl_der(const struct testpki_crl *crl, size_t *ret_size)
{
    X509_CRL *list = crl_new(crl);
    uint8_t *der = NULL;
    int size = i2d_X509_CRL(list, &der);
    uint8_t *copy = malloc(size > 0 ? (size_t)size : 1);
    need(size > 0 && copy != NULL, "i2d_X509_CRL");
    memcpy(copy, der, (size_t)size);
    *ret_size = (size_t)size;
    OPENSSL_free(der);
    X509_CRL_free(list);
    return copy;
}

char *
testpki_crl_pem(const struct testpki_crl *crl)
{
    X509_CRL *list = crl_new(crl);
    BIO *bio = BIO_new(BIO_s_mem());
    need(PEM_write_bio_X509_CRL(bio, list) == 1, "PEM_write_bio_X509_CRL");
    X509_CRL_free(list);
    return take_bio(bio);
}

/* ---- signed JSON ---- */

char *
testpki_signature(EVP_PKEY *key, const char *text)
{
    uint8_t der[128], raw[64];
    size_t size = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    need(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
             EVP_DigestSign(context, der, &size, (const uint8_t *)text, strlen(text)) == 1,
         "EVP_DigestSign");
    EVP_MD_CTX_free(context);
    const uint8_t *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
    need(signature != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32) == 32 &&
             BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32) == 32,
         "r || s");
    ECDSA_SIG_free(signature);
    char *hex = malloc(129);
    need(hex != NULL, "malloc");
    for (int i = 0; i < 64; i++) {
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
    }
    return hex;
}

char *
testpki_signed(EVP_PKEY *key, const char *member, const char *inner)
{
    char *signature = testpki_signature(key, inner);
    char *text = format_text("{\"%s\":%s,\"signature\":\"%s\"}", member, inner, signature);
    free(signature);
    return text;
}

static char *
components_v3(int first, int second)
{
    return format_text("[{\"svn\":%d,\"category\":\"BIOS\",\"type\":\"Early Microcode\"},"
                       "{\"svn\":%d},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},"
                       "{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},"
                       "{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0}]",
                       first, second);
}

static char *
tcb_v2(int first, int second, int pcesvn)
{
    char text[1024];
    size_t size = 0;
    for (int i = 1; i <= 16; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "\"sgxtcbcomp%02dsvn\":%d,", i,
                                 i == 1   ? first
                                 : i == 2 ? second
                                          : 0);
    }
    return format_text("{%s\"pcesvn\":%d}", text, pcesvn);
}

char *
testpki_tcb_level(int version, bool is_tdx, int first, int second, int pcesvn)
{
    char *components = components_v3(first, second);
    char *tcb = version == 2 ? tcb_v2(first, second, pcesvn)
                : is_tdx
                    ? format_text("{\"sgxtcbcomponents\":%s,\"pcesvn\":%d,"
                                  "\"tdxtcbcomponents\":%s}",
                                  components, pcesvn, components)
                    : format_text("{\"sgxtcbcomponents\":%s,\"pcesvn\":%d}", components, pcesvn);
    char *level = format_text("{\"tcb\":%s,\"tcbDate\":\"2024-03-13T00:00:00Z\","
                              "\"tcbStatus\":\"UpToDate\"}",
                              tcb);
    free(components);
    free(tcb);
    return level;
}

char *
testpki_tcbinfo_inner(const struct testpki_tcbinfo *tcbinfo)
{
    const char *id = tcbinfo->id != NULL ? tcbinfo->id : "SGX";
    int version = tcbinfo->version != 0 ? tcbinfo->version : 3;
    bool is_tdx = strcmp(id, "TDX") == 0;
    char *id_member = version == 2 ? strdup("") : format_text("\"id\":\"%s\",", id);
    char *high = testpki_tcb_level(version, is_tdx, 5, 5, 10);
    char *low = testpki_tcb_level(version, is_tdx, 3, 3, 7);
    char *levels =
        tcbinfo->levels != NULL ? strdup(tcbinfo->levels) : format_text("[%s,%s]", high, low);
    char *inner = format_text(
        "{%s\"version\":%d,\"issueDate\":\"%s\",\"nextUpdate\":\"%s\",\"fmspc\":\"%s\","
        "\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":%d,%s\"tcbLevels\":%s}",
        id_member, version, tcbinfo->issued != NULL ? tcbinfo->issued : TESTPKI_ISSUED,
        tcbinfo->next != NULL ? tcbinfo->next : TESTPKI_NEXT,
        tcbinfo->fmspc != NULL ? tcbinfo->fmspc : "00906EA10000",
        tcbinfo->number != 0 ? tcbinfo->number : 17,
        is_tdx ? "\"tdxModule\":{\"mrsigner\":\"00000000000000000000000000000000000000000000000000"
                 "0000000000000000000000000000000000000000000000\",\"attributes\":"
                 "\"0000000000000000\",\"attributesMask\":\"FFFFFFFFFFFFFFFF\"},"
               : "",
        levels);
    free(id_member);
    free(high);
    free(low);
    free(levels);
    return inner;
}

char *
testpki_tcbinfo(const struct testpki *pki, const struct testpki_tcbinfo *tcbinfo)
{
    char *inner = testpki_tcbinfo_inner(tcbinfo);
    char *text = testpki_signed(pki->signer_key, "tcbInfo", inner);
    free(inner);
    return text;
}

char *
testpki_identity_inner(const struct testpki_identity *identity)
{
    return format_text(
        "{\"id\":\"%s\",\"version\":%d,\"issueDate\":\"%s\",\"nextUpdate\":\"%s\","
        "\"tcbEvaluationDataNumber\":%d,\"miscselect\":\"00000000\",\"miscselectMask\":"
        "\"FFFFFFFF\",\"attributes\":\"11000000000000000000000000000000\",\"attributesMask\":"
        "\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":"
        "\"8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF\",\"isvprodid\":1,"
        "\"tcbLevels\":[{\"tcb\":{\"isvsvn\":8},\"tcbDate\":\"2024-03-13T00:00:00Z\","
        "\"tcbStatus\":\"UpToDate\"},{\"tcb\":{\"isvsvn\":6},\"tcbDate\":"
        "\"2021-11-10T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":"
        "[\"INTEL-SA-00615\"]}]}",
        identity->id != NULL ? identity->id : "QE", identity->version != 0 ? identity->version : 2,
        identity->issued != NULL ? identity->issued : TESTPKI_ISSUED,
        identity->next != NULL ? identity->next : TESTPKI_NEXT,
        identity->number != 0 ? identity->number : 17);
}

char *
testpki_identity(const struct testpki *pki, const struct testpki_identity *identity)
{
    char *inner = testpki_identity_inner(identity);
    char *text = testpki_signed(pki->signer_key, "enclaveIdentity", inner);
    free(inner);
    return text;
}
