/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One certificate: read strictly, asked for its facts, written anew.
 *
 * Takes DER from outside and gives an X509 that OpenSSL has fully parsed, so that the questions
 * below cannot fail later. Called by the other files of the room and by collateral/, on any
 * thread. Must never: judge (x509_chain.c does). RFC 5280, 4.1 and 4.2.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "x509/x509_priv.h"

/* Everything that later code relies on: v3, readable extensions and dates, DER proper. */
static int
check_form(X509 *certificate, struct span der, struct fault *why)
{
    uint8_t *again = NULL;
    int size = i2d_X509(certificate, &again);
    bool is_der = size >= 0 && span_equal(span_of(again, (size_t)size), der);
    OPENSSL_free(again);
    if (!is_der) {
        return x509_fault(why, FAULT_INPUT, "parse", "a certificate is not in DER");
    }
    if (X509_get_version(certificate) != X509_VERSION_3) {
        return fault_set(why, FAULT_INPUT, "parse", "a certificate is not X.509 v3");
    }
    if (X509_check_purpose(certificate, -1, 0) != 1 ||
        (X509_get_extension_flags(certificate) & EXFLAG_INVALID) != 0) {
        return x509_fault(why, FAULT_INPUT, "parse", "a certificate has a broken extension");
    }
    int64_t at;
    if (!x509_time_parse(X509_get0_notBefore(certificate), &at) ||
        !x509_time_parse(X509_get0_notAfter(certificate), &at)) {
        return fault_set(why, FAULT_INPUT, "parse", "a certificate has an unreadable date");
    }
    return 0;
}

int
x509_from_der(struct span der, X509 **ret_certificate, struct fault *why)
{
    if (der.size > LIMIT_CERT_PEM_BYTES) {
        return fault_set(why, FAULT_INPUT, "parse", "a certificate has %zu bytes, more than %d",
                         der.size, LIMIT_CERT_PEM_BYTES);
    }
    const uint8_t *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
    if (certificate == NULL) {
        return x509_fault(why, FAULT_INPUT, "parse", "not a certificate");
    }
    int fault = at == der.data + der.size
                    ? check_form(certificate, der, why)
                    : fault_set(why, FAULT_INPUT, "parse", "bytes stand behind a certificate");
    if (fault != 0) {
        X509_free(certificate);
        return fault;
    }
    *ret_certificate = certificate;
    return 0;
}

int
x509_add_pem(X509 *certificate, struct buf *b)
{
    uint8_t *der = NULL;
    int size = i2d_X509(certificate, &der);
    if (size < 0) {
        ERR_clear_error();
        return FAULT_MEMORY;
    }
    int fault = pem_add(b, "CERTIFICATE", span_of(der, (size_t)size));
    OPENSSL_free(der);
    return fault;
}

static enum x509_role
role_of_name(const X509_NAME *name)
{
    static const struct {
        const char *common_name;
        enum x509_role role;
    } roles[] = {{"Intel SGX Root CA", X509_ROLE_ROOT},
                 {"Intel SGX PCK Processor CA", X509_ROLE_PROCESSOR_CA},
                 {"Intel SGX PCK Platform CA", X509_ROLE_PLATFORM_CA},
                 {"Intel SGX TCB Signing", X509_ROLE_TCB_SIGNING},
                 {"Intel SGX PCK Certificate", X509_ROLE_PCK_LEAF}};
    int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    /* a second common name would let one reader see another role than the next */
    if (index < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, index) >= 0) {
        return X509_ROLE_OTHER;
    }
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
    uint8_t *text = NULL;
    int size = ASN1_STRING_to_UTF8(&text, value);
    enum x509_role role = X509_ROLE_OTHER;
    for (size_t i = 0; size >= 0 && i < ARRAY_COUNT(roles); i++) {
        if (span_is(span_of(text, (size_t)size), roles[i].common_name)) {
            role = roles[i].role;
        }
    }
    OPENSSL_free(text);
    ERR_clear_error();
    return role;
}

enum x509_role
x509_role_of(X509 *certificate)
{
    return role_of_name(X509_get_subject_name(certificate));
}

enum x509_role
x509_issuer_role_of(X509 *certificate)
{
    return role_of_name(X509_get_issuer_name(certificate));
}

int64_t
x509_not_before(X509 *certificate)
{
    int64_t at = INT64_MAX; /* unreadable: never valid; x509_from_der lets none through */
    (void)x509_time_parse(X509_get0_notBefore(certificate), &at);
    return at;
}

int64_t
x509_not_after(X509 *certificate)
{
    int64_t at = INT64_MIN;
    (void)x509_time_parse(X509_get0_notAfter(certificate), &at);
    return at;
}

/* http(s), printable, within the ceiling. */
static bool
take_uri(const GENERAL_NAME *general, char out[LIMIT_URL_CHARS + 1])
{
    int type = 0;
    const ASN1_STRING *uri = GENERAL_NAME_get0_value(general, &type);
    if (type != GEN_URI) {
        return false;
    }
    struct span text = span_of(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri));
    if (!span_starts_with(text, "http://") && !span_starts_with(text, "https://")) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f) {
            return false;
        }
    }
    return span_to_text(text, out, LIMIT_URL_CHARS + 1);
}

bool
x509_crl_url(X509 *certificate, char out[LIMIT_URL_CHARS + 1])
{
    CRL_DIST_POINTS *points =
        X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
    bool is_found = false;
    for (int i = 0; !is_found && i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;
        int count = name != NULL && name->type == 0 ? sk_GENERAL_NAME_num(name->name.fullname) : 0;
        for (int j = 0; !is_found && j < count; j++) {
            is_found = take_uri(sk_GENERAL_NAME_value(name->name.fullname, j), out);
        }
    }
    CRL_DIST_POINTS_free(points);
    ERR_clear_error();
    return is_found;
}
