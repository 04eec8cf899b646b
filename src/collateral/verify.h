/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step 5 of 8 is verify.c: raw reply and time in, struct proven or a fault out. The whole of
 * trust.md, whatever way the data came in. Pure.
 */
#ifndef COLLATERAL_VERIFY_H
#define COLLATERAL_VERIFY_H

#include "collateral/proven.h"
#include "collateral/raw_reply.h"

enum verify_origin {
    VERIFY_UPSTREAM, /* new: a revoked signer is refused */
    VERIFY_UPLOAD,   /* new */
    VERIFY_STORE     /* cached: a revoked signer only makes it stale (signer_revoked) */
};

struct verify_context {
    const struct trust_anchors *anchors;
    int64_t now;
    enum verify_origin origin;
    /* CRLs at hand for revocation (trust.md rule 1), taken from proven items and nowhere else; any
     * may be NULL. Indexed by enum pck_ca. */
    const struct x509_crl *root_crl;
    const struct x509_crl *pck_crls[2];
    /* Chains at hand (PEM, CA first then root) for items that came without one (rule 8) and for
     * crl?uri= lists signed by a PCK CA; NULL if unknown. */
    const char *pck_chain_pems[2];
    const char *tcb_signing_chain_pem;
};

/* Judges raw as the item that key names.
 *
 * FAULT_INPUT (does not parse), FAULT_SIGNATURE, FAULT_CHAIN, FAULT_REVOKED, FAULT_MISMATCH (id,
 * fmspc, update, tcbm, eval number...), FAULT_NO_CHAIN, FAULT_OVERSIZE, FAULT_MEMORY; why->text
 * names the rule. Expired is not a fault. For ITEM_PCK: unavailable entries are skipped; no
 * available entry at all is FAULT_NOT_FOUND; raw->pcks must be filled (raw_reply_parse_pcks). If
 * key->fmspc is not empty the certificates must carry it. ITEM_FMSPCS is not signed by Intel: its
 * form is checked (array of {fmspc, platform}) and nothing else. */
int verify(const struct verify_context *context, const struct item_key *key,
           const struct raw_reply *raw, struct proven **ret_proven, struct fault *why) must_check;

#endif
