/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step 3 of 8: look up. A validated request in, the finished response or a miss out; in memory on
 * the server loops (no lock, no allocation), in the store on workers (lookup_item), where what is
 * read is proved again before anybody gets it.
 * Must never block a loop, nor serve what has expired without saying so.
 * design.md; api.md, Freshness; trust.md (rows read back are verified like everything else).
 */
#include <stdatomic.h>
#include <stdio.h>

#include "cache/cache_priv.h"
#include "metrics/metrics.h"

size_t
lookup_key(const struct request *request, char out[ITEM_KEY_TEXT_SIZE + 8])
{
    static const char *const suffixes[] = {
        [CRL_ENCODING_HEX] = "#hex", [CRL_ENCODING_DER] = "#der", [CRL_ENCODING_PEM] = "#pem"};
    size_t size = item_key_text(&request->key, out);
    if (request->key.kind == ITEM_PCK_CRL) {
        memcpy(out + size, suffixes[request->encoding], sizeof "#hex");
        size += sizeof "#hex" - 1;
    }
    return size;
}

/* Neither expired since it was published, nor published as stale by a clock that was ahead. */
static bool
lookup_will_do(const struct response *response, int64_t now)
{
    return response->fault != FAULT_NONE || response->is_stale == (response->fresh_until <= now);
}

struct response *
cache_lookup(struct cache *cache, const struct request *request)
{
    char key[ITEM_KEY_TEXT_SIZE + 8];
    size_t size = lookup_key(request, key);
    struct response *response = memory_get(cache->memory, span_of(key, size), cache_now_ms(cache));
    if (response != NULL && !lookup_will_do(response, cache_now(cache))) {
        response_unref(response); /* the flight decides */
        response = NULL;
    }
    if (response == NULL) {
        atomic_fetch_add_explicit(&cache->misses, 1, memory_order_relaxed);
    } else if (response->is_stale) {
        atomic_fetch_add_explicit(&cache->stale, 1, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&cache->hits, 1, memory_order_relaxed);
    }
    return response;
}

/* Of the lines that say the same while the database is away, some a second: all others are
 * counted. Counters of the whole process, for there is one log; two threads may miscount by one. */
enum { TROUBLES_PER_SECOND = 10 };
static _Atomic int64_t trouble_second;
static _Atomic unsigned troubles_told, troubles_left_out;

static bool
trouble_is_told(void)
{
    int64_t second = clock_monotonic_ms(clock_system()) / 1000;
    if (atomic_exchange(&trouble_second, second) != second) {
        atomic_store(&troubles_told, 0);
    }
    bool is_told = atomic_fetch_add(&troubles_told, 1) < TROUBLES_PER_SECOND;
    atomic_fetch_add(&troubles_left_out, !is_told);
    return is_told;
}

void
store_trouble(const char *request_id, const struct fault *why)
{
    if (why->code == FAULT_NONE || why->code == FAULT_NOT_FOUND) {
        return;
    }
    metric_add(METRIC_STORE_ERRORS, 0, 0, 1);
    if (trouble_is_told()) {
        log_event(LOG_EVENT_STORE_FAILED, request_id, LOG_FAULT(why),
                  LOG_NUMBER("left_out", (int64_t)atomic_exchange(&troubles_left_out, 0)));
    }
}

int
lookup_item(struct cache *cache, const struct item_key *key, struct proven **ret_proven,
            struct fault *why)
{
    struct raw_reply raw;
    raw_reply_init(&raw);
    struct fault detail = {0};
    int code = store_load_item(cache->options.store, key, &raw, &detail);
    if (code == 0) {
        auto_trust_view struct trust_view view;
        trust_view_init(&view, cache, VERIFY_STORE);
        if (key->kind == ITEM_CRL) {
            trust_view_add_chains(&view, cache);
        }
        code = verify(&view.context, key, &raw, ret_proven, &detail);
        if (code != 0 && code != FAULT_MEMORY) {
            char text[ITEM_KEY_TEXT_SIZE];
            item_key_text(key, text);
            log_event(LOG_EVENT_ROW_UNPROVEN, NULL, LOG_TEXT("item", text), LOG_FAULT(&detail));
            code = fault_set(&detail, FAULT_NOT_FOUND, "store", "the row kept does not verify");
        }
    } else if (code != FAULT_NOT_FOUND) {
        store_trouble(NULL, &detail);
    }
    raw_reply_done(&raw);
    if (code != 0 && why != NULL) {
        *why = detail;
    }
    return code;
}
