/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who signed an item, and when: the rules that all kinds share (trust.md rules 1, 2, 5 and 8).
 *
 * Takes a verification under way; fills the proven's chain, dates and freshness, or refuses.
 * Called by the <kind>_prove functions on a worker; pure: now, CRLs and chains at hand come with
 * the context.
 * Must never: refuse because something has expired (expired is not forged), or fall back to a kept
 * chain when one came that does not verify.
 */
#include "base/mem.h"
#include "collateral/verify_priv.h"

enum { FUTURE_ALLOWED_S = 24 * 60 * 60 };

int
issue_dates_prove(const struct verification *v, int64_t issued_at, int64_t next_update_at,
                  struct fault *why)
{
    if (issued_at > v->context->now + FUTURE_ALLOWED_S) {
        return fault_set(why, FAULT_MISMATCH, "date",
                         "issued more than 24 hours in the future (trust.md rule 2)");
    }
    v->proven->issued_at = issued_at;
    v->proven->next_update_at = next_update_at;
    v->proven->fresh_until = next_update_at;
    return 0;
}

/* A revoked signer of something new is refused, of something cached only reported. */
static int
check_revocation(const struct verification *v, X509 *signer, struct fault *why)
{
    const struct x509_crl *root_crl = v->context->root_crl;
    if (root_crl == NULL || !x509_crl_revokes(root_crl, signer)) {
        return 0;
    }
    if (v->context->origin == VERIFY_STORE) {
        v->proven->signer_revoked = true;
        return 0;
    }
    return fault_set(why, FAULT_REVOKED, "chain",
                     "the root CRL revokes the item's signer (trust.md rule 1)");
}

int
issuer_judge(const struct verification *v, const struct x509_chain *chain, int64_t issued_at,
             struct fault *why)
{
    /* clients take the root's CRL URL from the second certificate (clients.md 2.1) */
    if (x509_chain_count(chain) != 2) {
        return fault_set(why, FAULT_CHAIN, "chain",
                         "an issuer chain has two certificates, signer and root, not %zu",
                         x509_chain_count(chain));
    }
    struct chain_facts facts;
    int fault = x509_chain_verify(chain, v->context->anchors, issued_at, &facts, why);
    if (fault != 0) {
        return fault;
    }
    if (facts.not_after < v->proven->fresh_until) {
        v->proven->fresh_until = facts.not_after;
    }
    return check_revocation(v, x509_chain_get(chain, 0), why);
}

static char *
pem_of(X509 *certificate)
{
    auto_cleanup(buf_done) struct buf pem = BUF_INIT(LIMIT_CHAIN_PEM_BYTES);
    return x509_add_pem(certificate, &pem) == 0 ? buf_take(&pem, NULL) : NULL;
}

/* The chain written anew, as a whole and in its parts. */
static int
fill_pems(struct proven *proven, const struct x509_chain *chain, struct fault *why)
{
    auto_cleanup(buf_done) struct buf pem = BUF_INIT(2 * LIMIT_CHAIN_PEM_BYTES);
    if (x509_chain_add_pem(chain, &pem) == 0) {
        proven->chain_pem = buf_take(&pem, NULL);
    }
    proven->signer_pem = pem_of(x509_chain_get(chain, 0));
    proven->root_pem = pem_of(x509_chain_get(chain, x509_chain_count(chain) - 1));
    if (proven->chain_pem == NULL || proven->signer_pem == NULL || proven->root_pem == NULL) {
        return fault_set(why, FAULT_MEMORY, "chain", "memory ran out");
    }
    return 0;
}

int
issuer_prove(const struct verification *v, const char *kept_pem, int64_t issued_at,
             struct x509_chain **ret_chain, struct fault *why)
{
    const char *text = v->raw->issuer_chain;
    if (text == NULL || text[0] == '\0') {
        text = kept_pem;
    }
    if (text == NULL || text[0] == '\0') {
        return fault_set(why, FAULT_NO_CHAIN, "chain",
                         "no issuer chain came with the item and none is at hand "
                         "(trust.md rule 8)");
    }
    auto_cleanup(x509_chain_cleanup) struct x509_chain *chain = NULL;
    int fault = x509_chain_parse(span_of_text(text), &chain, why);
    if (fault == 0) {
        fault = issuer_judge(v, chain, issued_at, why);
    }
    if (fault == 0) {
        fault = fill_pems(v->proven, chain, why);
    }
    if (fault == 0) {
        *ret_chain = take(&chain);
    }
    return fault;
}

int
issuer_check_role(const struct x509_chain *chain, enum x509_role role, struct fault *why)
{
    if (x509_role_of(x509_chain_get(chain, 0)) != role) {
        return fault_set(why, FAULT_CHAIN, "chain",
                         "the issuer chain is not that of this kind of item (trust.md, The "
                         "shapes)");
    }
    return 0;
}

enum x509_role
pck_ca_role(enum pck_ca ca)
{
    return ca == PCK_CA_PLATFORM ? X509_ROLE_PLATFORM_CA : X509_ROLE_PROCESSOR_CA;
}

bool
pck_ca_of_role(enum x509_role role, enum pck_ca *ret_ca)
{
    if (role != X509_ROLE_PLATFORM_CA && role != X509_ROLE_PROCESSOR_CA) {
        return false;
    }
    *ret_ca = role == X509_ROLE_PLATFORM_CA ? PCK_CA_PLATFORM : PCK_CA_PROCESSOR;
    return true;
}

int
client_size_check(const struct verification *v, size_t body_bytes, struct fault *why)
{
    size_t chain_bytes = v->proven->chain_pem != NULL ? strlen(v->proven->chain_pem) : 0;
    if (body_bytes > LIMIT_ITEM_WITH_CHAIN_BYTES ||
        chain_bytes > LIMIT_ITEM_WITH_CHAIN_BYTES - body_bytes) {
        return fault_set(why, FAULT_OVERSIZE, "size",
                         "body and chain have %zu bytes, clients break above %d (clients.md 1.5)",
                         body_bytes + chain_bytes, LIMIT_ITEM_WITH_CHAIN_BYTES);
    }
    return 0;
}
