/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fills the cache: asks the PCS for one item, proves it, keeps it, publishes it. fill_run reads as
 * steps 4 to 7 of the way of a request; fill_obtain puts the item's lock, the second look and the
 * remembered refusals around it, so that an item is fetched once however many need it.
 * Called on the workers of the upstream lane; blocks on network and disk.
 * Must never store or publish what is not proven, nor replace a newer item by an older one.
 * trust.md rules 5 to 7; api.md, When upstream fails.
 */
#include <stdio.h>

#include "cache/cache_priv.h"
#include "metrics/metrics.h"

/* How a fault of verification counts: what came from outside is unproven, odd, or simply absent. */
static enum fault_code
fill_recode(enum fault_code code)
{
    switch ((int)code) {
    case FAULT_SIGNATURE:
    case FAULT_CHAIN:
    case FAULT_REVOKED:
    case FAULT_MISMATCH:
    case FAULT_NO_CHAIN:
        return FAULT_UPSTREAM_UNPROVEN;
    case FAULT_INPUT:
    case FAULT_OVERSIZE:
        return FAULT_UPSTREAM_ODD;
    default:
        return code;
    }
}

void
fill_report_unproven(struct cache *cache, const struct item_key *key, const char *from,
                     const char *request_id, const struct fault *why)
{
    (void)cache;
    char text[ITEM_KEY_TEXT_SIZE];
    item_key_text(key, text);
    metric_add(METRIC_UNPROVEN, key->kind, 0, 1);
    log_event(LOG_EVENT_COLLATERAL_UNPROVEN, request_id, LOG_TEXT("item", text),
              LOG_TEXT("from", from), LOG_FAULT(why));
}

int
fill_fetch(struct cache *cache, struct fill *fill, struct raw_reply *ret_raw, struct fault *why)
{
    struct fault detail = {0};
    if (cache->options.upstream == NULL) {
        return fault_set(why, FAULT_OFFLINE, "upstream", "there is no upstream in OFFLINE mode");
    }
    int code = cache->options.upstream->fetch(cache->options.upstream, &fill->query, ret_raw,
                                              &fill->retry_after_s, &detail);
    if (code == FAULT_UPSTREAM_DOWN) {
        log_event(LOG_EVENT_UPSTREAM_FAILED, fill->request_id, LOG_FAULT(&detail));
    } else if (code == FAULT_UPSTREAM_REFUSED) {
        log_event(LOG_EVENT_UPSTREAM_REFUSED, fill->request_id, LOG_FAULT(&detail));
    } else if (code == FAULT_UPSTREAM_ODD) {
        log_event(LOG_EVENT_UPSTREAM_ODD, fill->request_id, LOG_FAULT(&detail));
    }
    if (code != 0 && why != NULL) {
        *why = detail;
    }
    return code;
}

/* PCCS-Error-Detail names the answer that it is about (api.md, When upstream fails). */
static void
fill_name_answer(const struct raw_reply *raw, struct fault *why)
{
    struct fault bare = *why;
    if (raw->upstream_status != 0) {
        fault_set_number(why, bare.code, bare.stage, bare.number,
                         "%s (answer of the PCS: status %d, Request-ID %s)", bare.text,
                         raw->upstream_status,
                         raw->upstream_request_id[0] != '\0' ? raw->upstream_request_id : "none");
    }
}

int
fill_verify(struct cache *cache, const struct item_key *key, const struct raw_reply *raw,
            const char *request_id, struct proven **ret_proven, struct fault *why)
{
    auto_trust_view struct trust_view view;
    trust_view_init(&view, cache, VERIFY_UPSTREAM);
    trust_view_add_chains(&view, cache);
    struct fault detail = {0};
    int code = verify(&view.context, key, raw, ret_proven, &detail);
    if (code == 0) {
        return 0;
    }
    if (code != FAULT_NOT_FOUND && code != FAULT_MEMORY) {
        fill_report_unproven(cache, key, "upstream", request_id, &detail);
    }
    fill_name_answer(raw, &detail);
    fault_recode(&detail, fill_recode(detail.code));
    if (why != NULL) {
        *why = detail;
    }
    return detail.code;
}

/* The keys that the change log names: what, from when, until when. */
static void
fill_log_change(enum log_event event, const struct proven *proven, const struct proven *kept,
                const char *request_id)
{
    char item[ITEM_KEY_TEXT_SIZE], from[CLOCK_ISO8601_SIZE], until[CLOCK_ISO8601_SIZE];
    char was[CLOCK_ISO8601_SIZE] = "";
    item_key_text(&proven->key, item);
    clock_format_iso8601(proven->issued_at, from);
    clock_format_iso8601(proven->next_update_at, until);
    if (kept != NULL) {
        clock_format_iso8601(kept->issued_at, was);
    }
    log_event(event, request_id, LOG_TEXT("item", item), LOG_TEXT("issued", from),
              LOG_TEXT("until", until), LOG_TEXT("kept", kept != NULL ? was : NULL));
}

/* Is it the same bytes as what is kept? Then there is nothing to select again. */
static bool
fill_is_change(const struct proven *proven, const struct proven *kept)
{
    return kept == NULL || !span_equal(buf_span(&proven->body), buf_span(&kept->body));
}

int
fill_check_crl_url(struct cache *cache, const char *url, const struct proven *root_crl,
                   const char **ret_url, struct fault *why)
{
    struct item_key key = {.kind = ITEM_CRL, .api_version = 4};
    *ret_url = NULL;
    if (!span_to_text(span_of_text(url), key.url, sizeof key.url)) {
        return 0;
    }
    auto_proven struct proven *kept = NULL;
    int code = lookup_item(cache, &key, &kept, why);
    if (code == FAULT_NOT_FOUND || (code == 0 && !proven_is_older(root_crl, kept))) {
        *ret_url = url;
        return 0;
    }
    return code;
}

/* Step 6 for one item: not if it is older than what is kept (*ret_proven becomes the kept one). */
static int
fill_store(struct cache *cache, struct fill *fill, struct proven **proven, bool *ret_changed,
           struct fault *why)
{
    auto_proven struct proven *kept = NULL;
    int code = lookup_item(cache, fill->query.key, &kept, why);
    if (code != 0 && code != FAULT_NOT_FOUND) {
        return code; /* perhaps a newer one is kept */
    }
    if (code == 0 && proven_is_older(*proven, kept)) {
        fill_log_change(LOG_EVENT_COLLATERAL_OLDER, *proven, kept, fill->request_id);
        proven_unref(*proven);
        *proven = proven_ref(kept);
        *ret_changed = false;
        return 0;
    }
    size_t urls = 0;
    if (fill->query.key->kind == ITEM_CRL && kept == NULL &&
        store_count_crl_urls(cache->options.store, &urls, NULL) == 0 &&
        urls >= LIMIT_CACHED_CRL_URLS) {
        metric_add(METRIC_CEILINGS, CEILING_CRL_URLS, 0, 1);
        log_event(LOG_EVENT_CEILING, fill->request_id, LOG_TEXT("ceiling", "crl-urls"),
                  LOG_NUMBER("at", (int64_t)urls));
        return 0; /* served, not stored */
    }
    const struct proven *items[] = {*proven};
    struct store_batch batch = {.items = items, .item_count = 1};
    if (fill->query.key->kind == ITEM_ROOT_CRL) {
        code = fill_check_crl_url(cache, fill->query.crl_url, *proven, &batch.root_crl_url, why);
        if (code != 0) {
            return code;
        }
    }
    struct fault detail = {0};
    code = store_put(cache->options.store, &batch, &detail);
    if (code != 0) {
        store_trouble(fill->request_id, &detail);
        if (why != NULL) {
            *why = detail;
        }
        return code;
    }
    *ret_changed = fill_is_change(*proven, kept);
    if (*ret_changed) {
        fill_log_change(LOG_EVENT_COLLATERAL_CHANGED, *proven, kept, fill->request_id);
    }
    return 0;
}

int
fill_run(struct cache *cache, struct fill *fill, struct proven **ret_proven, struct fault *why)
{
    struct raw_reply raw;
    raw_reply_init(&raw);
    struct proven *proven = NULL;
    bool changed = false;
    int code = fill_fetch(cache, fill, &raw, why);
    uint32_t epoch = publish_epoch(cache);
    if (code == 0) {
        code = fill_verify(cache, fill->query.key, &raw, fill->request_id, &proven, why);
    }
    if (code == 0) {
        pthread_mutex_lock(&cache->write_mutex);
        code = fill_store(cache, fill, &proven, &changed, why);
        if (code == 0) {
            publish_item(cache, proven, epoch);
        }
        pthread_mutex_unlock(&cache->write_mutex);
    }
    raw_reply_done(&raw);
    if (code != 0) {
        proven_unref(proven);
        return code;
    }
    if (changed && proven->key.kind == ITEM_TCBINFO && proven->key.product == PRODUCT_SGX) {
        select_again_later(cache, &proven->key.fmspc);
    }
    *ret_proven = proven;
    return 0;
}

/* Where the root CRL is: the distribution point of the root certificate at hand, else of the one
 * in the QE identity's chain (api.md, rootcacrl). */
static int
fill_root_crl_url(struct cache *cache, const char *request_id, char out[LIMIT_URL_CHARS + 1],
                  struct fault *why)
{
    struct store_chains chains = {0};
    struct x509_chain *root = NULL;
    int code = store_load_chains(cache->options.store, &chains, why);
    bool found = code == 0 && chains.root_pem != NULL && chains.root_pem[0] != '\0' &&
                 x509_chain_parse(span_of_text(chains.root_pem), &root, NULL) == 0 &&
                 trust_anchors_hold(cache->options.anchors, x509_chain_get(root, 0)) &&
                 x509_crl_url(x509_chain_get(root, 0), out);
    x509_chain_free(root);
    store_chains_done(&chains);
    if (found) {
        return 0;
    }
    struct item_key key = {.kind = ITEM_IDENTITY,
                           .api_version = cache->options.upstream_version,
                           .enclave = ENCLAVE_QE,
                           .update = UPDATE_STANDARD};
    struct fill fill = {.query.key = &key, .request_id = request_id};
    auto_proven struct proven *identity = NULL;
    code = fill_obtain(cache, &key, OBTAIN_MISSING, &fill, &identity, why);
    if (identity == NULL) {
        return code;
    }
    root = NULL;
    found = x509_chain_parse(span_of_text(identity->root_pem), &root, NULL) == 0 &&
            x509_crl_url(x509_chain_get(root, 0), out);
    x509_chain_free(root);
    return found ? 0
                 : fault_set(why, FAULT_UPSTREAM_ODD, "rootcacrl",
                             "the root certificate names no CRL distribution point");
}

/* Is what is kept good enough not to ask the PCS? Version 3 has ended: there is nothing newer. */
static bool
fill_will_do(const struct cache *cache, const struct proven *kept)
{
    bool v3_ended = kept->key.api_version == 3 && cache->options.upstream_version != 3;
    return v3_ended || proven_is_fresh(kept, cache_now(cache));
}

/* Without the item's lock, which a refresh holds while it waits for the PCS. */
static bool
fill_find_kept(struct cache *cache, const struct item_key *key, struct proven **ret_proven)
{
    auto_proven struct proven *kept = NULL;
    if (lookup_item(cache, key, &kept, NULL) != 0 || !fill_will_do(cache, kept)) {
        return false;
    }
    *ret_proven = proven_ref(kept);
    return true;
}

/* With the item's lock held: the second look, the remembered refusal, the fetch. */
static int
fill_obtain_locked(struct cache *cache, struct span asked_key, enum obtain how, struct fill *fill,
                   struct proven **ret_proven, struct fault *why)
{
    auto_proven struct proven *kept = NULL;
    int code = lookup_item(cache, fill->query.key, &kept, why);
    if (code != 0 && code != FAULT_NOT_FOUND) {
        return code;
    }
    if (how == OBTAIN_MISSING) {
        if (kept != NULL && fill_will_do(cache, kept)) {
            *ret_proven = proven_ref(kept);
            return 0;
        }
        if (!fill->is_authenticated &&
            publish_remembered(cache, asked_key, why, &fill->retry_after_s)) {
            *ret_proven = kept != NULL ? proven_ref(kept) : *ret_proven;
            return (int)why->code;
        }
    }
    char url[LIMIT_URL_CHARS + 1];
    if (fill->query.key->kind == ITEM_ROOT_CRL) {
        code = fill_root_crl_url(cache, fill->request_id, url, why);
        fill->query.crl_url = url;
    } else {
        code = 0;
    }
    struct proven *fetched = NULL;
    if (code == 0) {
        code = fill_run(cache, fill, &fetched, why);
    }
    if (code == 0) {
        *ret_proven = fetched;
    } else if (kept != NULL) {
        *ret_proven = proven_ref(kept);
    }
    fill->query.crl_url = NULL;
    return code;
}

int
fill_obtain(struct cache *cache, const struct item_key *key, enum obtain how, struct fill *fill,
            struct proven **ret_proven, struct fault *why)
{
    if (how == OBTAIN_MISSING && fill_find_kept(cache, key, ret_proven)) {
        return 0;
    }
    char lock[ITEM_KEY_TEXT_SIZE], asked[PUBLISH_KEY_SIZE];
    struct span asked_key = span_of(asked, publish_asked_key(key, asked));
    item_key_text(key, lock);
    int code = exclusive_begin(
        cache, lock, how == OBTAIN_MISSING ? EXCLUSIVE_INSTANCES : EXCLUSIVE_WORKERS, why);
    if (code != 0) {
        return code;
    }
    struct fault detail = {0};
    fill->query.key = key;
    code = fill_obtain_locked(cache, asked_key, how, fill, ret_proven, &detail);
    if (code != 0 && strcmp(detail.stage, "remembered") != 0) {
        publish_remember(cache, asked_key, &detail, fill->retry_after_s);
    }
    exclusive_end(cache, lock);
    if (code != 0 && why != NULL) {
        *why = detail;
    }
    return code;
}
