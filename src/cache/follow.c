/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Follows the other instances on the same database: what one of them wrote is read from the store,
 * proved and published here too, so that all serve the same within a second.
 * Takes keys from the store, gives publications; keeps this instance's claims alive meanwhile.
 * Called in a loop by one thread of pccsd's, only if the store is shared.
 * Must never publish what another instance wrote without proving it.
 * docs/decisions/0007; design.md, Memory in front of the database.
 */
#include "cache/cache_priv.h"

enum { RENEW_EVERY_MS = 2500 };

static void
follow_platform(struct cache *cache, const struct platform_id *id)
{
    struct store_platform brief = {0};
    struct fault why = {0};
    int code = store_load_platform_brief(cache->options.store, id, &brief, &why);
    store_trouble(NULL, &why);
    pthread_mutex_lock(&cache->write_mutex);
    publish_platform(cache, id, brief.mappings, code == 0 ? brief.mapping_count : 0);
    pthread_mutex_unlock(&cache->write_mutex);
    store_platform_done(&brief);
}

static void
follow_item(struct cache *cache, const struct item_key *key)
{
    uint32_t epoch = publish_epoch(cache);
    auto_proven struct proven *proven = NULL;
    pthread_mutex_lock(&cache->write_mutex); /* nothing older than what is written here meanwhile */
    if (lookup_item(cache, key, &proven, NULL) == 0) {
        publish_item(cache, proven, epoch);
    } else {
        publish_drop_item(cache, key);
    }
    pthread_mutex_unlock(&cache->write_mutex);
}

/* In the middle of many changes, too: following them may take longer than a claim lives. */
static void
renew_if_due(struct cache *cache)
{
    int64_t now_ms = cache_now_ms(cache);
    if (now_ms - cache->renewed_ms >= RENEW_EVERY_MS) {
        cache->renewed_ms = now_ms;
        exclusive_renew(cache);
    }
}

static void
follow_change(void *self, const struct item_key *key)
{
    struct cache *cache = self;
    renew_if_due(cache);
    if (key == NULL) {
        trust_view_load_crls(cache);
        publish_forget_all(cache);
    } else if (key->kind == ITEM_PCK) {
        follow_platform(cache, &key->platform);
    } else if (key->kind == ITEM_POLICIES) {
        publish_drop_item(cache, key);
    } else {
        follow_item(cache, key);
    }
}

int
cache_follow(struct cache *cache, int timeout_ms, struct fault *why)
{
    int code = store_wait_changes(cache->options.store, timeout_ms, follow_change, cache, why);
    if (code == 0) {
        exclusive_settle(cache);
    }
    renew_if_due(cache);
    return code;
}
