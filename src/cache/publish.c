/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step 7 of 8: publish. Proven in, the response that every later request gets out; whatever it
 * replaces goes. Also the only writer of the memory for everything else: answers read back from
 * the store, refusals that are remembered.
 * What was read from the store, or was refused, is published only if nothing was written under its
 * key since: each key has a generation that every write raises (the publish mutex makes the two
 * steps one). All raw TCBs of a platform share one, for a write may not know all that were
 * answered; a new root CRL raises all, for it may revoke the signer of anything. Called on workers.
 * Must never publish what is neither proven nor a refusal. design.md; api.md, When upstream fails,
 * Ceilings.
 */
#include <stdatomic.h>

#include "cache/cache_priv.h"

/* "pck/<qeid>/<pceid>" of "pck/<qeid>/<pceid>/<cpusvn>/<pcesvn>"; other keys as they are. */
static struct span
generation_key(struct span key)
{
    unsigned slashes = 0;
    for (size_t i = 0; span_starts_with(key, "pck/") && i < key.size; i++) {
        slashes += key.data[i] == '/';
        if (slashes == 3) {
            return span_of(key.data, i);
        }
    }
    return key;
}

static _Atomic uint32_t *
generation_of(struct cache *cache, struct span key)
{
    key = generation_key(key);
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < key.size; i++) {
        hash = (hash ^ key.data[i]) * 16777619U;
    }
    return &cache->generations[(hash ^ (hash >> 16)) % CACHE_GENERATIONS];
}

uint32_t
publish_generation(struct cache *cache, struct span key)
{
    return atomic_load(generation_of(cache, key)) + atomic_load(&cache->trust_epoch);
}

uint32_t
publish_epoch(struct cache *cache)
{
    return atomic_load(&cache->trust_epoch);
}

void
publish_loaded(struct cache *cache, struct span key, uint32_t generation, struct response *response,
               int64_t lives_until_ms)
{
    pthread_mutex_lock(&cache->publish_mutex);
    if (publish_generation(cache, key) == generation) {
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
publish_encoding(struct cache *cache, struct proven *proven, enum crl_encoding encoding,
                 uint32_t epoch)
{
    struct request request = {.key = proven->key, .encoding = encoding};
    char key[ITEM_KEY_TEXT_SIZE + 8];
    size_t size = lookup_key(&request, key);
    struct response *response = NULL;
    if (epoch == publish_epoch(cache) && proven_is_fresh(proven, cache_now(cache))) {
        response = respond_item(proven, encoding);
    } /* else: the next look-up judges it anew, and decides by the stale policy */
    publish_now(cache, span_of(key, size), response);
    response_unref(response);
}

void
publish_drop_item(struct cache *cache, const struct item_key *key)
{
    struct request request = {.key = *key};
    char text[ITEM_KEY_TEXT_SIZE + 8];
    publish_drop(cache, span_of(text, item_key_text(key, text)));
    for (int encoding = CRL_ENCODING_HEX; key->kind == ITEM_PCK_CRL && encoding <= CRL_ENCODING_PEM;
         encoding++) {
        request.encoding = (enum crl_encoding)encoding;
        publish_drop(cache, span_of(text, lookup_key(&request, text)));
    }
}

void
publish_forget_all(struct cache *cache)
{
    pthread_mutex_lock(&cache->publish_mutex);
    atomic_fetch_add(&cache->trust_epoch, 1);
    memory_clear(cache->memory);
    pthread_mutex_unlock(&cache->publish_mutex);
}

size_t
publish_asked_key(const struct item_key *key, char out[PUBLISH_KEY_SIZE])
{
    static const char prefix[] = "asked/";
    memcpy(out, prefix, sizeof prefix);
    return sizeof prefix - 1 + item_key_text(key, out + sizeof prefix - 1);
}

void
publish_item(struct cache *cache, struct proven *proven, uint32_t epoch)
{
    char key[PUBLISH_KEY_SIZE];
    publish_drop(cache, span_of(key, publish_asked_key(&proven->key, key)));
    publish_drop(cache, span_of(key, item_key_text(&proven->key, key)));
    publish_encoding(cache, proven, CRL_ENCODING_DER, epoch);
    if (proven->key.kind == ITEM_PCK_CRL) {
        publish_encoding(cache, proven, CRL_ENCODING_HEX, epoch);
        publish_encoding(cache, proven, CRL_ENCODING_PEM, epoch);
    }
    atomic_store_explicit(&cache->items_changed, true, memory_order_relaxed);
    bool is_news = trust_view_learn(cache, proven);
    if (is_news && proven->key.kind == ITEM_ROOT_CRL) {
        publish_forget_all(cache);
    }
}

void
publish_platform(struct cache *cache, const struct platform_id *id,
                 const struct store_mapping *mappings, size_t count)
{
    struct item_key key = {.kind = ITEM_PCK, .api_version = 4, .platform = *id};
    char text[ITEM_KEY_TEXT_SIZE];
    publish_drop(cache, span_of(text, item_key_text(&key, text))); /* raises the generation */
    for (size_t i = 0; i < count; i++) {
        key.raw = mappings[i].raw;
        publish_drop(cache, span_of(text, item_key_text(&key, text)));
    }
}

/* How long a refusal is remembered; 0: not at all. */
static int64_t
refusal_life_ms(const struct response *response)
{
    if (response->fault == FAULT_UPSTREAM_DOWN) {
        return CACHE_REMEMBER_DOWN_MS;
    }
    return response->fault == FAULT_NOT_FOUND ? CACHE_REMEMBER_UNKNOWN_MS : 0;
}

void
publish_refusal(struct cache *cache, struct span key, uint32_t generation,
                struct response *response)
{
    int64_t life_ms = refusal_life_ms(response);
    if (life_ms > 0) {
        publish_loaded(cache, key, generation, response, cache_now_ms(cache) + life_ms);
    }
}

void
publish_remember(struct cache *cache, struct span key, const struct fault *why, int retry_after_s)
{
    struct response *refusal = response_of_fault(why, true, retry_after_s);
    if (refusal != NULL) {
        publish_refusal(cache, key, publish_generation(cache, key), refusal);
        response_unref(refusal);
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
