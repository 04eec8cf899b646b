/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Judges what came from outside, whatever way it came: from the PCS, by upload, from the database.
 * Step 5 of 8: verify.
 *
 * Takes a raw reply, the key it is meant for, and a context (anchors, now, CRLs and chains at
 * hand); gives a struct proven, which store and publish ask for, or a fault that names the rule.
 * Called by cache/ on a worker, straight-line; pure: no clock, no network, no store.
 * Must never: give a proven for anything but what Intel signed for that very key. This is the only
 * file that makes one. trust.md.
 */
#include "collateral/verify.h"

#include "collateral/verify_priv.h"

/* Fills v->proven by the rules of its kind. */
static int
prove(const struct verification *v, struct fault *why)
{
    switch (v->key->kind) {
    case ITEM_TCBINFO:
        return tcbinfo_prove(v, why);
    case ITEM_IDENTITY:
        return identity_prove(v, why);
    case ITEM_PCK_CRL:
        return pck_crl_prove(v, why);
    case ITEM_ROOT_CRL:
        return root_crl_prove(v, why);
    case ITEM_CRL:
        return url_crl_prove(v, why);
    case ITEM_PCK:
        return pck_certs_prove(v, why);
    case ITEM_EVALNUMBERS:
        return evalnumbers_prove(v, why);
    case ITEM_FMSPCS:
        return fmspcs_prove(v, why);
    case ITEM_POLICIES:
        break; /* not signed by Intel: a door of their own */
    }
    return fault_set(why, FAULT_INTERNAL, "verify", "Intel signs no item of kind %d",
                     (int)v->key->kind);
}

int
verify(const struct verify_context *context, const struct item_key *key,
       const struct raw_reply *raw, struct proven **ret_proven, struct fault *why)
{
    struct proven *proven = proven_new(key);
    if (proven == NULL) {
        return fault_set(why, FAULT_MEMORY, "verify", "memory ran out");
    }
    struct verification v = {.context = context, .key = key, .raw = raw, .proven = proven};
    int fault = prove(&v, why);
    if (fault != 0) {
        proven_unref(proven);
        return fault;
    }
    *ret_proven = proven;
    return 0;
}
