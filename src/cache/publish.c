/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step 7 of 8: publish. Proven in, the response that every later request gets out; whatever it
 * replaces goes. Also the only writer of the memory for everything else: answers read back from
 * the store, refusals that are remembered.
 * What was read from the store is published only if nothing was written under its key since it was
 * read: each key has a generation that every write raises (the publish mutex makes the two steps
 * one).
 * Called on workers. Must never publish what is neither proven nor a refusal.
 * design.md; api.md, When upstream fails, Ceilings.
 */
#include <stdatomic.h>

#include "cache/cache_priv.h"

static _Atomic uint32_t *
generation_of(struct cache *cache, struct span key)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < key.size; i++) {
        hash = (hash ^ key.data[i]) * 16777619U;
    }
    return &cache->generations[(hash ^ (hash >> 16)) % CACHE_GENERATIONS];
}

uint32_t
publish_generation(struct cache *cache, struct span key)
{
    return atomic_load(generation_of(cache, key));
}

void
publish_loaded(struct cache *cache, struct span key, uint32_t generation, struct response *response,
               int64_t lives_until_ms)
{
    pthread_mutex_lock(&cache->publish_mutex);
    if (atomic_load(generation_of(cache, key)) == generation) {
        memory_put(cache->memory, key, response, lives_until_ms);
    }
    pthread_mutex_unlock(&cache->publish_mutex);
}

static void
publish_now(struct cache *cache, struct span key, struct response *response)
{
    pthread_mutex_lock(&cache->publish_mutex);
    atomic_fetch_add(generation_of(cache, key), 1);
    if (response != NULL) {
        memory_put(cache->memory, key, response, INT64_MAX);
    } else {
        memory_drop(cache->memory, key);
    }
    pthread_mutex_unlock(&cache->publish_mutex);
}

void
publish_drop(struct cache *cache, struct span key)
{
    publish_now(cache, key, NULL);
}

static void
publish_encoding(struct cache *cache, struct proven *proven, enum crl_encoding encoding)
{
    struct request request = {.key = proven->key, .encoding = encoding};
    char key[ITEM_KEY_TEXT_SIZE + 8];
    size_t size = lookup_key(&request, key);
    struct response *response = NULL;
    if (proven_is_fresh(proven, cache_now(cache))) {
        response = respond_item(proven, encoding);
    } /* else: the next look-up decides by the stale policy */
    publish_now(cache, span_of(key, size), response);
    response_unref(response);
}

void
publish_item(struct cache *cache, struct proven *proven)
{
    char key[ITEM_KEY_TEXT_SIZE];
    size_t size = item_key_text(&proven->key, key);
    publish_drop(cache, span_of(key, size)); /* what was remembered of it, too */
    publish_encoding(cache, proven, CRL_ENCODING_DER);
    if (proven->key.kind == ITEM_PCK_CRL) {
        publish_encoding(cache, proven, CRL_ENCODING_HEX);
        publish_encoding(cache, proven, CRL_ENCODING_PEM);
    }
    trust_view_learn(cache, proven);
    if (proven->key.kind == ITEM_ROOT_CRL) {
        memory_clear(cache->memory); /* a signer of anything may be revoked now: judge all anew */
    }
}

void
publish_platform(struct cache *cache, const struct platform_id *id,
                 const struct store_mapping *mappings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct item_key key = {
            .kind = ITEM_PCK, .api_version = 4, .platform = *id, .raw = mappings[i].raw};
        char text[ITEM_KEY_TEXT_SIZE];
        publish_drop(cache, span_of(text, item_key_text(&key, text)));
    }
}

void
publish_refusal(struct cache *cache, struct span key, struct response *response)
{
    int64_t now_ms = cache_now_ms(cache);
    if (response->fault == FAULT_UPSTREAM_DOWN) {
        memory_put(cache->memory, key, response, now_ms + CACHE_REMEMBER_DOWN_MS);
    } else if (response->fault == FAULT_NOT_FOUND) {
        memory_put(cache->memory, key, response, now_ms + CACHE_REMEMBER_UNKNOWN_MS);
    }
}

bool
publish_remembered(struct cache *cache, struct span key, struct fault *why, int *ret_retry_after_s)
{
    struct response *response = memory_get(cache->memory, key, cache_now_ms(cache));
    if (response == NULL) {
        return false;
    }
    bool is_refusal = response->fault != FAULT_NONE;
    if (is_refusal) {
        fault_set(why, response->fault, "remembered", "%s", response->detail);
        *ret_retry_after_s = response->retry_after_s;
    }
    response_unref(response);
    return is_refusal;
}
