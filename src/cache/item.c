/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers the GETs of what Intel signs (all but PCK certificates): the item kept, if it is fresh or
 * the mode says so; else the one fetched; else the stale one with its warning, or the refusal.
 * Takes an ask and the lane it runs on, gives a response, or says that the network is needed.
 * Called on workers. Must never ask the network on the local lane.
 * api.md: Endpoints, When upstream fails, Freshness.
 */
#include "cache/cache_priv.h"
#include "cache/mode.h"

static enum situation
item_situation(const struct item_key *key, bool is_kept)
{
    bool is_v3 = key->api_version == 3;
    if (is_kept) {
        return is_v3 ? SITUATION_V3_EXPIRED : SITUATION_ITEM_EXPIRED;
    }
    if (key->kind == ITEM_TCBINFO || key->kind == ITEM_IDENTITY) {
        return is_v3 ? SITUATION_V3_MISSING : SITUATION_V4_MISSING;
    }
    return SITUATION_ITEM_MISSING;
}

/* Why a stale item is not served, or is: StalePolicy. A stale answer lives in memory as long as
 * there is nothing better to be had. */
static struct response *
item_serve_stale(struct cache *cache, const struct ask *ask, const struct proven *kept,
                 const struct fault *fetch_fault, int retry_after_s)
{
    struct fault why = {0};
    bool is_down = fetch_fault != NULL && fetch_fault->code == FAULT_UPSTREAM_DOWN;
    if (cache->options.stale_reject) {
        char until[CLOCK_ISO8601_SIZE];
        clock_format_iso8601(kept->fresh_until, until);
        fault_set(&why, is_down ? FAULT_UPSTREAM_DOWN : FAULT_NOT_FOUND, "stale",
                  "%s %s%s%s; StalePolicy is reject",
                  kept->signer_revoked ? "the signer is revoked, fresh until" : "fresh until",
                  until, fetch_fault != NULL ? "; " : "",
                  fetch_fault != NULL ? fetch_fault->text : "");
        return cache_refuse(&why, true, retry_after_s);
    }
    struct response *response = respond_item(kept, ask->request.encoding);
    if (response == NULL) {
        fault_set(&why, FAULT_MEMORY, "respond", "no memory for the answer");
        return cache_refuse(&why, true, 0);
    }
    response->is_stale = true;
    char text[ITEM_KEY_TEXT_SIZE];
    item_key_text(&kept->key, text);
    if (kept->signer_revoked) {
        response->fresh_until = 0; /* never fresh again, whatever the clock says */
        log_event(LOG_EVENT_REVOKED, ask->request_id, LOG_TEXT("item", text));
    } else {
        char until[CLOCK_ISO8601_SIZE];
        clock_format_iso8601(kept->fresh_until, until);
        log_event(LOG_EVENT_COLLATERAL_EXPIRED, ask->request_id, LOG_TEXT("item", text),
                  LOG_TEXT("until", until));
    }
    return response;
}

static struct response *
item_refuse(const struct fault *why, enum action action)
{
    struct fault refusal = *why;
    if (action == ACTION_REFUSE_410) {
        fault_set(&refusal, FAULT_GONE, "mode", "version 3 is not cached and cannot be fetched");
    }
    return cache_refuse(&refusal, true, 0);
}

static struct response *
item_respond(const struct proven *proven, const struct ask *ask)
{
    struct fault why = {0};
    struct response *response = respond_item(proven, ask->request.encoding);
    if (response == NULL) {
        fault_set(&why, FAULT_MEMORY, "respond", "no memory for the answer");
        return cache_refuse(&why, true, 0);
    }
    return response;
}

/* One question as it is answered. */
struct item_question {
    struct cache *cache;
    const struct ask *ask;
    struct span key; /* as look-ups have it */
    char key_text[ITEM_KEY_TEXT_SIZE + 8];
    uint32_t generation; /* before anything was read */
};

static void
item_question_init(struct item_question *q, struct cache *cache, const struct ask *ask)
{
    q->cache = cache;
    q->ask = ask;
    q->key = span_of(q->key_text, lookup_key(&ask->request, q->key_text));
    q->generation = publish_generation(cache, q->key);
}

/* The PCS was asked in vain, now or (remembered) a moment ago: what is kept (may be NULL), or why
 * not. What is remembered is not remembered any longer for it. */
static struct response *
item_answer_in_vain(const struct item_question *q, const struct proven *kept,
                    const struct fault *why, int retry_after_s)
{
    bool is_remembered = strcmp(why->stage, "remembered") == 0;
    if (kept == NULL) {
        struct response *refusal = cache_refuse(why, true, retry_after_s);
        if (!is_remembered) {
            publish_refusal(q->cache, q->key, q->generation, refusal);
        }
        return refusal;
    }
    struct response *response = item_serve_stale(q->cache, q->ask, kept, why, retry_after_s);
    if (why->code == FAULT_UPSTREAM_DOWN && !is_remembered) {
        publish_loaded(q->cache, q->key, q->generation, response,
                       cache_now_ms(q->cache) + CACHE_REMEMBER_DOWN_MS);
    }
    return response;
}

/* Local lane: the store and the mode decide. NULL and *ret_fetch: ask the PCS. */
static struct response *
item_answer_kept(const struct item_question *q, bool *ret_fetch)
{
    struct cache *cache = q->cache;
    const struct item_key *key = &q->ask->request.key;
    auto_proven struct proven *kept = NULL;
    struct fault why = {0};
    int code = lookup_item(cache, key, &kept, &why);
    if (code != 0 && code != FAULT_NOT_FOUND) {
        return cache_refuse(&why, true, 0);
    }
    struct response *response = NULL;
    if (kept != NULL && proven_is_fresh(kept, cache_now(cache))) {
        response = item_respond(kept, q->ask);
        if (response->fault == FAULT_NONE) {
            publish_loaded(cache, q->key, q->generation, response, INT64_MAX);
        }
        return response;
    }
    enum action action = mode_action(cache->options.mode, item_situation(key, kept != NULL));
    if (action == ACTION_FETCH) {
        char asked[PUBLISH_KEY_SIZE];
        struct span asked_key = span_of(asked, publish_asked_key(key, asked));
        int retry_after_s = 0;
        if (publish_remembered(cache, asked_key, &why, &retry_after_s)) {
            return item_answer_in_vain(q, kept, &why, retry_after_s);
        }
        *ret_fetch = true;
        return NULL;
    }
    if (action != ACTION_SERVE) {
        return item_refuse(&why, action);
    }
    response = item_serve_stale(cache, q->ask, kept, NULL, 0);
    if (response->is_stale) {
        publish_loaded(cache, q->key, q->generation, response, INT64_MAX);
    }
    return response;
}

/* Upstream lane: fetched, or what is kept if that fails. */
static struct response *
item_answer_fetched(const struct item_question *q)
{
    struct fault why = {0};
    struct fill fill = {.request_id = q->ask->request_id};
    auto_proven struct proven *proven = NULL;
    int code = fill_obtain(q->cache, &q->ask->request.key, OBTAIN_MISSING, &fill, &proven, &why);
    if (proven != NULL && proven_is_fresh(proven, cache_now(q->cache))) {
        return item_respond(proven, q->ask);
    }
    return code != 0 ? item_answer_in_vain(q, proven, &why, fill.retry_after_s)
                     : item_serve_stale(q->cache, q->ask, proven, NULL, 0);
}

struct response *
item_answer(struct cache *cache, const struct ask *ask, enum lane lane, bool *ret_needs_upstream)
{
    struct item_question question;
    item_question_init(&question, cache, ask);
    return lane == LANE_LOCAL ? item_answer_kept(&question, ret_needs_upstream)
                              : item_answer_fetched(&question);
}
