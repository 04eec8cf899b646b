/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCK certificates of one platform (trust.md rules 1 and 3).
 *
 * Takes a verification of ITEM_PCK with raw->pcks filled; fills the proven with each available
 * certificate, written anew, its SGX values, whether it is revoked, and the CA's chain.
 * Called by verify.c on a worker; pure. One bad certificate refuses the whole set: selection among
 * the rest would give a wrong answer.
 * Must never: believe a tcbm, FMSPC or CA that the certificates do not carry themselves.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "collateral/verify_priv.h"

/* PEM or percent-encoded PEM of exactly one certificate. */
static int
parse_leaf(const struct raw_pck *raw, struct x509_chain **ret_leaf, struct fault *why)
{
    auto_cleanup(x509_chain_cleanup) struct x509_chain *leaf = NULL;
    int fault = x509_chain_parse(span_of_text(raw->cert), &leaf, why);
    if (fault != 0) {
        return fault;
    }
    X509 *certificate = x509_chain_get(leaf, 0);
    if (x509_chain_count(leaf) != 1 || x509_role_of(certificate) != X509_ROLE_PCK_LEAF) {
        return fault_set(why, FAULT_CHAIN, "chain", "not one PCK certificate (tcbm %s)", raw->tcbm);
    }
    *ret_leaf = take(&leaf);
    return 0;
}

/* The issuer chain at hand for this leaf's CA, if none came (trust.md rule 8). */
static const char *
kept_chain_of(const struct verification *v, X509 *leaf)
{
    enum pck_ca ca;
    return pck_ca_of_role(x509_issuer_role_of(leaf), &ca) ? v->context->pck_chain_pems[ca] : NULL;
}

static int
prove_chain(const struct verification *v, X509 *first_leaf, struct x509_chain **ret_chain,
            struct fault *why)
{
    auto_cleanup(x509_chain_cleanup) struct x509_chain *chain = NULL;
    int fault = issue_dates_prove(v, x509_not_before(first_leaf), 0, why);
    if (fault == 0) {
        fault =
            issuer_prove(v, kept_chain_of(v, first_leaf), x509_not_before(first_leaf), &chain, why);
    }
    if (fault != 0) {
        return fault;
    }
    if (!pck_ca_of_role(x509_role_of(x509_chain_get(chain, 0)), &v->proven->ca)) {
        return fault_set(why, FAULT_CHAIN, "chain",
                         "PCK certificates are issued by the Processor or Platform CA "
                         "(trust.md, The shapes)");
    }
    if (v->raw->ca[0] != '\0') {
        enum pck_ca claimed;
        if (!pck_ca_parse(span_of_text(v->raw->ca), &claimed) || claimed != v->proven->ca) {
            return fault_set(why, FAULT_MISMATCH, "match",
                             "the CA type that came is not that of the issuer chain");
        }
    }
    *ret_chain = take(&chain);
    return 0;
}

/* tcbm: components and PCESVN (little-endian), as the certificate has them (rule 3). */
static int
check_tcbm(const struct sgx_ext *ext, const char *claimed, char out[36 + 1], struct fault *why)
{
    uint8_t tcbm[18];
    memcpy(tcbm, ext->components, sizeof ext->components);
    tcbm[16] = (uint8_t)(ext->pcesvn & 0xff);
    tcbm[17] = (uint8_t)(ext->pcesvn >> 8);
    if (memcmp(ext->components, ext->cpusvn, sizeof ext->cpusvn) != 0) {
        return fault_set(why, FAULT_MISMATCH, "match",
                         "a certificate's CPUSVN is not its components (selection.md 5)");
    }
    hex_encode_upper(span_of(tcbm, sizeof tcbm), out);
    if (!span_is_nocase(span_of_text(claimed), out)) {
        return fault_set(why, FAULT_MISMATCH, "match",
                         "a certificate's TCB is %s, stored under tcbm %s (trust.md rule 3)", out,
                         claimed);
    }
    return 0;
}

/* The platform's hex is little-endian, the certificate's bytes are big-endian (selection.md 6,
 * example 39). */
static int
check_pceid(const struct sgx_ext *ext, const char *pceid_hex, struct fault *why)
{
    uint8_t little_endian[2];
    if (!hex_decode(span_of_text(pceid_hex), little_endian, sizeof little_endian) ||
        ext->pceid[0] != little_endian[1] || ext->pceid[1] != little_endian[0]) {
        return fault_set(why, FAULT_MISMATCH, "match",
                         "a certificate's PCE ID %02X%02X (big-endian) is not the platform's %s "
                         "(little-endian)",
                         ext->pceid[0], ext->pceid[1], pceid_hex);
    }
    return 0;
}

/* What all certificates of a platform share: FMSPC and PPID; and what the key expects. */
static int
check_platform(const struct verification *v, const struct sgx_ext *ext, const struct sgx_ext *first,
               struct fault *why)
{
    char fmspc[12 + 1];
    hex_encode_upper(span_of(ext->fmspc, sizeof ext->fmspc), fmspc);
    const char *const expected[] = {v->key->fmspc.hex, v->raw->fmspc};
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        if (expected[i][0] != '\0' && !span_is_nocase(span_of_text(expected[i]), fmspc)) {
            return fault_set(why, FAULT_MISMATCH, "match", "a certificate's FMSPC is %s, not %s",
                             fmspc, expected[i]);
        }
    }
    if (memcmp(ext->fmspc, first->fmspc, sizeof ext->fmspc) != 0) {
        return fault_set(why, FAULT_MISMATCH, "match", "the certificates have different FMSPCs");
    }
    if (memcmp(ext->ppid, first->ppid, sizeof ext->ppid) != 0) {
        return fault_set(why, FAULT_MISMATCH, "match",
                         "the certificates have different PPIDs: they are of two platforms");
    }
    return 0;
}

static int
fill_pck(const struct verification *v, const struct raw_pck *raw, X509 *leaf,
         struct proven_pck *pck, struct fault *why)
{
    int fault = sgx_ext_parse(leaf, &pck->ext, why);
    if (fault == 0) {
        fault = check_tcbm(&pck->ext, raw->tcbm, pck->tcbm, why);
    }
    if (fault == 0) {
        fault = check_pceid(&pck->ext, v->key->platform.pceid, why);
    }
    if (fault == 0) {
        fault = check_platform(v, &pck->ext, &v->proven->pcks[0].ext, why);
    }
    if (fault != 0) {
        return fault;
    }
    auto_cleanup(buf_done) struct buf pem = BUF_INIT(2 * LIMIT_CERT_PEM_BYTES);
    fault = x509_add_pem(leaf, &pem);
    if (fault != 0) {
        return fault_set(why, fault, "parse", "memory ran out");
    }
    const struct x509_crl *crl = v->context->pck_crls[v->proven->ca];
    pck->revoked = crl != NULL && x509_crl_revokes(crl, leaf);
    pck->not_after = x509_not_after(leaf);
    pck->pem = buf_take(&pem, NULL);
    return pck->pem != NULL ? 0 : fault_set(why, FAULT_MEMORY, "parse", "memory ran out");
}

/* chain: proven by the first leaf, used for all. */
static int
prove_pck(const struct verification *v, const struct raw_pck *raw, struct x509_chain **chain,
          struct fault *why)
{
    auto_cleanup(x509_chain_cleanup) struct x509_chain *leaf = NULL;
    int fault = parse_leaf(raw, &leaf, why);
    if (fault != 0) {
        return fault;
    }
    X509 *certificate = x509_chain_get(leaf, 0);
    if (*chain == NULL) {
        fault = prove_chain(v, certificate, chain, why);
    } else {
        fault = issue_dates_prove(v, x509_not_before(certificate), 0, why);
    }
    if (fault == 0) {
        fault = x509_chain_verify_leaf(*chain, certificate, why);
    }
    if (fault == 0) {
        v->proven->pck_count++; /* so that a half-filled one is freed too */
        fault = fill_pck(v, raw, certificate, &v->proven->pcks[v->proven->pck_count - 1], why);
    }
    return fault;
}

int
pck_certs_prove(const struct verification *v, struct fault *why)
{
    if (v->raw->pck_count > LIMIT_PCK_CERTS) {
        return fault_set(why, FAULT_INPUT, "parse", "more than %d PCK certificates",
                         LIMIT_PCK_CERTS);
    }
    struct proven *proven = v->proven;
    proven->pcks = calloc(v->raw->pck_count + 1, sizeof *proven->pcks);
    if (proven->pcks == NULL) {
        return fault_set(why, FAULT_MEMORY, "parse", "memory ran out");
    }
    auto_cleanup(x509_chain_cleanup) struct x509_chain *chain = NULL;
    for (size_t i = 0; i < v->raw->pck_count; i++) {
        if (!v->raw->pcks[i].available) {
            continue;
        }
        int fault = prove_pck(v, &v->raw->pcks[i], &chain, why);
        if (fault != 0) {
            return fault;
        }
    }
    if (proven->pck_count == 0) {
        return fault_set(why, FAULT_NOT_FOUND, "parse", "no PCK certificate is available");
    }
    hex_encode_upper(span_of(proven->pcks[0].ext.fmspc, sizeof proven->pcks[0].ext.fmspc),
                     proven->fmspc.hex);
    /* certificates have no nextUpdate: they do not age here, verifiers judge their validity */
    proven->issued_at = 0;
    proven->next_update_at = 0;
    proven->fresh_until = INT64_MAX;
    return 0;
}
