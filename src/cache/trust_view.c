/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What verification needs to know besides the bytes: anchors, now, the CRLs at hand, and for items
 * that came without a chain the chains at hand. A view is a snapshot with references of its own.
 * The crl mutex protects the three pointers to the CRLs at hand.
 * Called on workers. Must never hand out a CRL that is not proven.
 * trust.md rules 1 and 8.
 */
#include "cache/cache_priv.h"

void
trust_view_init(struct trust_view *view, struct cache *cache, enum verify_origin origin)
{
    *view = (struct trust_view){0};
    pthread_mutex_lock(&cache->crl_mutex);
    view->root_crl = cache->root_crl != NULL ? proven_ref(cache->root_crl) : NULL;
    for (int ca = 0; ca < 2; ca++) {
        view->pck_crls[ca] = cache->pck_crls[ca] != NULL ? proven_ref(cache->pck_crls[ca]) : NULL;
    }
    pthread_mutex_unlock(&cache->crl_mutex);
    view->context = (struct verify_context){
        .anchors = cache->options.anchors,
        .now = cache_now(cache),
        .origin = origin,
        .root_crl = view->root_crl != NULL ? view->root_crl->crl : NULL,
        .pck_crls = {view->pck_crls[0] != NULL ? view->pck_crls[0]->crl : NULL,
                     view->pck_crls[1] != NULL ? view->pck_crls[1]->crl : NULL},
    };
}

/* "" (incomplete) is none. */
static const char *
chain_or_null(const char *pem)
{
    return pem != NULL && pem[0] != '\0' ? pem : NULL;
}

void
trust_view_add_chains(struct trust_view *view, struct cache *cache)
{
    if (store_load_chains(cache->options.store, &view->chains, NULL) != 0) {
        return; /* as if none were at hand: items without a chain are then refused */
    }
    for (int ca = 0; ca < 2; ca++) {
        view->context.pck_chain_pems[ca] = chain_or_null(view->chains.pck_chain_pems[ca]);
    }
    view->context.tcb_signing_chain_pem = chain_or_null(view->chains.tcb_signing_chain_pem);
}

void
trust_view_done(struct trust_view *view)
{
    proven_unref(view->root_crl);
    proven_unref(view->pck_crls[0]);
    proven_unref(view->pck_crls[1]);
    store_chains_done(&view->chains);
    *view = (struct trust_view){0};
}

void
trust_view_load_crls(struct cache *cache)
{
    const struct item_key keys[] = {
        {.kind = ITEM_ROOT_CRL, .api_version = 4},
        {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PROCESSOR},
        {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        auto_proven struct proven *crl = NULL;
        if (lookup_item(cache, &keys[i], &crl, NULL) == 0) {
            (void)trust_view_learn(cache, crl);
        }
    }
}

bool
trust_view_learn(struct cache *cache, struct proven *crl)
{
    struct proven **place = NULL;
    if (crl->key.kind == ITEM_ROOT_CRL) {
        place = &cache->root_crl;
    } else if (crl->key.kind == ITEM_PCK_CRL) {
        place = &cache->pck_crls[crl->key.ca];
    }
    if (place == NULL) {
        return false;
    }
    pthread_mutex_lock(&cache->crl_mutex);
    struct proven *old = *place;
    *place = proven_ref(crl);
    pthread_mutex_unlock(&cache->crl_mutex);
    bool is_news = old == NULL || !span_equal(buf_span(&old->body), buf_span(&crl->body));
    proven_unref(old);
    return is_news;
}
