/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a struct proven: made by verify.c, filled once, shared by reference count, freed by
 * the last holder. Any thread; the count is atomic and nothing else ever changes.
 * Must never: offer a way to make one without verify().
 */
#include "collateral/proven.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "collateral/verify_priv.h"

struct proven *
proven_new(const struct item_key *key)
{
    struct proven *proven = calloc(1, sizeof *proven);
    if (proven != NULL) {
        proven->key = *key;
        proven->fresh_until = INT64_MAX;
        atomic_init(&proven->references, 1);
    }
    return proven;
}

struct proven *
proven_ref(struct proven *proven)
{
    atomic_fetch_add_explicit(&proven->references, 1, memory_order_relaxed);
    return proven;
}

void
proven_unref(struct proven *proven)
{
    if (proven == NULL ||
        atomic_fetch_sub_explicit(&proven->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    buf_done(&proven->body);
    free(proven->chain_pem);
    free(proven->root_pem);
    free(proven->signer_pem);
    tcbinfo_free(proven->tcbinfo);
    x509_crl_free(proven->crl);
    for (size_t i = 0; i < proven->pck_count; i++) {
        free(proven->pcks[i].pem);
    }
    free(proven->pcks);
    free(proven);
}

void
proven_cleanup(struct proven **proven)
{
    proven_unref(*proven);
    *proven = NULL;
}

bool
proven_is_fresh(const struct proven *proven, int64_t now)
{
    return now < proven->fresh_until && !proven->signer_revoked;
}

bool
proven_is_older(const struct proven *candidate, const struct proven *kept)
{
    return candidate->issued_at < kept->issued_at;
}
