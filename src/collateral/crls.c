/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Revocation lists: of a PCK CA, of the root, and those that clients ask by URL (trust.md rules 1,
 * 4 and 5).
 *
 * Takes a verification with DER, PEM, or the hex text that a PCCS as upstream answers; fills the
 * proven with the DER, the parsed list, its dates and, for PCK CRLs, the CA's chain.
 * Called by verify.c on a worker; pure.
 * Must never: take one issuer's list for another's: an authentic list in the wrong place hides
 * revocations.
 */
#include "base/hex.h"
#include "base/mem.h"
#include "base/reader.h"
#include "collateral/verify_priv.h"

/* Parses the body into proven->crl and copies its DER and dates. */
static int
crl_take(const struct verification *v, struct fault *why)
{
    struct span bytes = buf_span(&v->raw->body);
    /* a DER list begins with the byte 30, its hex text with the characters '3' and '0' */
    auto_cleanup(buf_done) struct buf decoded = BUF_INIT(LIMIT_CRL_BYTES);
    if (bytes.size > 0 && hex_is(bytes)) {
        int fault = hex_add_decoded(&decoded, bytes);
        if (fault != 0) {
            return fault_set(why, fault == FAULT_MEMORY ? fault : FAULT_INPUT, "parse",
                             "the CRL's hex is cut or too large");
        }
        bytes = buf_span(&decoded);
    }
    int fault = x509_crl_parse(bytes, &v->proven->crl, why);
    if (fault != 0) {
        return fault;
    }
    v->proven->body = BUF_INIT(LIMIT_CRL_BYTES);
    fault = buf_add(&v->proven->body, x509_crl_der(v->proven->crl));
    if (fault != 0) {
        return fault_set(why, fault, "parse", "memory ran out");
    }
    return issue_dates_prove(v, x509_crl_this_update(v->proven->crl),
                             x509_crl_next_update(v->proven->crl), why);
}

int
pck_crl_prove(const struct verification *v, struct fault *why)
{
    auto_cleanup(x509_chain_cleanup) struct x509_chain *chain = NULL;
    int fault = crl_take(v, why);
    if (fault == 0) {
        fault = issuer_prove(v, v->context->pck_chain_pems[v->key->ca], v->proven->issued_at,
                             &chain, why);
    }
    if (fault == 0) {
        fault = x509_crl_verify(v->proven->crl, x509_chain_get(chain, 0), why);
    }
    if (fault == 0 && x509_role_of(x509_chain_get(chain, 0)) != pck_ca_role(v->key->ca)) {
        fault = fault_set(why, FAULT_MISMATCH, "match", "the CRL is not of the %s CA",
                          pck_ca_word(v->key->ca));
    }
    /* by default it is served as hex, two characters a byte (wire_details.md 2) */
    return fault != 0 ? fault : client_size_check(v, 2 * v->proven->body.size, why);
}

int
root_crl_prove(const struct verification *v, struct fault *why)
{
    int fault = crl_take(v, why);
    return fault != 0 ? fault : x509_crl_verify_by_anchor(v->proven->crl, v->context->anchors, why);
}

/* The issuer that the URL speaks of, if it is of one of the two known forms. */
static bool
role_of_url(const char *url, enum x509_role *ret_role)
{
    const char *query = strstr(url, "/pckcrl?");
    if (query == NULL) {
        *ret_role = X509_ROLE_ROOT;
        return strstr(url, "/IntelSGXRootCA.") != NULL;
    }
    struct reader parameters = reader_of(span_of_text(query + strlen("/pckcrl?")));
    enum pck_ca ca;
    while (!reader_at_end(&parameters)) {
        struct span parameter = parameters.rest;
        if (!reader_until(&parameters, '&', &parameter)) {
            parameters.rest = span_of(NULL, 0);
        }
        struct reader value = reader_of(parameter);
        if (reader_skip_text(&value, "ca=")) {
            *ret_role = pck_ca_parse(value.rest, &ca) ? pck_ca_role(ca) : X509_ROLE_OTHER;
            return true; /* the first one counts, as everywhere */
        }
    }
    return false;
}

/* A PCK CA whose name the list bears, by the chain that came or one at hand. The chain is not part
 * of what is stored (proven.h), so it is judged and let go. */
static int
verify_by_pck_ca(const struct verification *v, enum x509_role *ret_role, struct fault *why)
{
    const char *came = v->raw->issuer_chain;
    bool has_come = came != NULL && came[0] != '\0';
    const char *const kept[] = {v->context->pck_chain_pems[PCK_CA_PROCESSOR],
                                v->context->pck_chain_pems[PCK_CA_PLATFORM]};
    const char *const one[] = {came};
    const char *const *candidates = has_come ? one : kept;
    size_t count = has_come ? ARRAY_COUNT(one) : ARRAY_COUNT(kept);
    for (size_t i = 0; i < count; i++) {
        auto_cleanup(x509_chain_cleanup) struct x509_chain *chain = NULL;
        enum pck_ca ca;
        if (candidates[i] == NULL || candidates[i][0] == '\0') {
            continue;
        }
        int fault = x509_chain_parse(span_of_text(candidates[i]), &chain, why);
        if (fault != 0) {
            return fault;
        }
        X509 *issuer = x509_chain_get(chain, 0);
        if (!x509_crl_names(v->proven->crl, issuer) || !pck_ca_of_role(x509_role_of(issuer), &ca)) {
            continue;
        }
        fault = issuer_judge(v, chain, v->proven->issued_at, why);
        *ret_role = pck_ca_role(ca);
        return fault != 0 ? fault : x509_crl_verify(v->proven->crl, issuer, why);
    }
    return has_come ? fault_set(why, FAULT_SIGNATURE, "signature",
                                "the CRL names another issuer than its chain (trust.md rule 4)")
                    : fault_set(why, FAULT_NO_CHAIN, "chain",
                                "no chain of the CRL's issuer is at hand (trust.md rule 8)");
}

int
url_crl_prove(const struct verification *v, struct fault *why)
{
    int fault = crl_take(v, why);
    if (fault != 0) {
        return fault;
    }
    enum x509_role expected, role = X509_ROLE_ROOT;
    fault = x509_crl_names_anchor(v->proven->crl, v->context->anchors)
                ? x509_crl_verify_by_anchor(v->proven->crl, v->context->anchors, why)
                : verify_by_pck_ca(v, &role, why);
    if (fault != 0) {
        return fault;
    }
    if (role_of_url(v->key->url, &expected) && expected != role) {
        return fault_set(why, FAULT_MISMATCH, "match",
                         "the CRL is authentic, but of another issuer than its URL names");
    }
    return 0;
}
