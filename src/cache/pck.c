/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers pckcert: the certificate mapped to a raw TCB; else the one selected from the platform's
 * cached certificates; else, in LAZY mode, what the PCS has for the platform.
 * Takes an ask and the lane it runs on, gives a response, or says that the network is needed.
 * Called on workers. Must never ask the PCS about a platform that is cached, except once an hour
 * while some of its certificates are not available.
 * api.md, pckcert (Decision 1 to 3).
 */
#include <stdlib.h>

#include "cache/cache_priv.h"
#include "cache/mode.h"

/* When the PCS is to be asked again: never, or an hour after it said Not available. */
static int64_t
pck_fresh_until(const struct cache *cache, int64_t not_available_at)
{
    bool asks_again = not_available_at > 0 &&
                      mode_action(cache->options.mode, SITUATION_CERTS_INCOMPLETE) == ACTION_FETCH;
    return asks_again ? not_available_at + CACHE_ASK_AGAIN_S : INT64_MAX;
}

static void
pck_report_revoked(const struct ask *ask, const struct proven *certs, size_t index)
{
    if (certs->pcks[index].revoked) {
        log_event(LOG_EVENT_REVOKED, ask->request_id, LOG_TEXT("item", "pck"),
                  LOG_TEXT("fmspc", certs->fmspc.hex), LOG_TEXT("tcbm", certs->pcks[index].tcbm));
    }
}

/* Decision 1: this raw TCB is mapped. */
static int
pck_find_mapped(struct cache *cache, const struct ask *ask, int64_t fresh_until,
                struct response **ret_response, struct fault *why)
{
    const struct item_key *wanted = &ask->request.key;
    struct raw_reply raw;
    raw_reply_init(&raw);
    int code = store_load_pck(cache->options.store, &wanted->platform, &wanted->raw, &raw, why);
    auto_proven struct proven *certs = NULL;
    if (code == 0) {
        struct item_key key = {.kind = ITEM_PCK, .api_version = 4, .platform = wanted->platform};
        fmspc_parse(span_of_text(raw.fmspc), &key.fmspc);
        auto_trust_view struct trust_view view;
        trust_view_init(&view, cache, VERIFY_STORE);
        struct fault detail = {0};
        code = verify(&view.context, &key, &raw, &certs, &detail);
        if (code != 0) {
            log_event(LOG_EVENT_ROW_UNPROVEN, ask->request_id, LOG_TEXT("item", "pck"),
                      LOG_FAULT(&detail));
            code = fault_set(why, FAULT_NOT_FOUND, "store", "the certificate kept does not verify");
        }
    }
    raw_reply_done(&raw);
    if (code == 0) {
        pck_report_revoked(ask, certs, 0);
        *ret_response = respond_pck(certs, &certs->pcks[0], fresh_until);
        code = *ret_response != NULL ? 0 : fault_set(why, FAULT_MEMORY, "respond", "no memory");
    }
    return code;
}

/* Decision 2: the platform is cached, this raw TCB is new. Selected, mapped, answered. */
static int
pck_select_new(struct cache *cache, const struct ask *ask, struct response **ret_response,
               struct fault *why)
{
    const struct item_key *wanted = &ask->request.key;
    struct store_platform platform = {0};
    auto_proven struct proven *certs = NULL;
    auto_proven struct proven *tcbinfo = NULL;
    int code = select_load_certs(cache, &wanted->platform, &platform, &certs, why);
    int64_t not_available_at = platform.not_available_at;
    store_platform_done(&platform);
    if (code == 0) {
        code = select_tcbinfo(cache, &certs->fmspc, &tcbinfo, why);
    }
    size_t index = 0;
    if (code == 0) {
        code = select_pck(certs, tcbinfo, &wanted->platform, &wanted->raw, &index, why);
        code = code == FAULT_INPUT ? fault_recode(why, FAULT_NOT_FOUND) : code;
    }
    if (code == 0) {
        struct store_mapping mapping = {.raw = wanted->raw};
        memcpy(mapping.tcbm, certs->pcks[index].tcbm, sizeof mapping.tcbm);
        pthread_mutex_lock(&cache->write_mutex);
        struct fault detail = {0};
        if (store_put_mapping(cache->options.store, &wanted->platform, &mapping, &detail) != 0) {
            store_trouble(ask->request_id, &detail);
        } /* answered all the same: nothing is lost, the next one selects again */
        pthread_mutex_unlock(&cache->write_mutex);
        pck_report_revoked(ask, certs, index);
        *ret_response =
            respond_pck(certs, &certs->pcks[index], pck_fresh_until(cache, not_available_at));
        code = *ret_response != NULL ? 0 : fault_set(why, FAULT_MEMORY, "respond", "no memory");
    }
    return code;
}

/* What the store can answer. FAULT_NOT_CACHED: the platform is unknown. *ret_incomplete: the PCS is
 * to be asked again about what was not available. */
static int
pck_find_kept(struct cache *cache, const struct ask *ask, struct response **ret_response,
              bool *ret_incomplete, struct fault *why)
{
    const struct item_key *wanted = &ask->request.key;
    struct store_platform brief = {0};
    int code = store_load_platform_brief(cache->options.store, &wanted->platform, &brief, why);
    if (code == FAULT_NOT_FOUND) {
        return fault_set(why, FAULT_NOT_CACHED, "platform", "the platform is not cached");
    }
    if (code != 0) {
        store_trouble(ask->request_id, why);
        return code;
    }
    int64_t fresh_until = pck_fresh_until(cache, brief.not_available_at);
    store_platform_done(&brief);
    code = pck_find_mapped(cache, ask, fresh_until, ret_response, why);
    if (code == FAULT_NOT_FOUND) {
        code = pck_select_new(cache, ask, ret_response, why);
    }
    *ret_incomplete = fresh_until <= cache_now(cache);
    return code;
}

/* Decision 3, LAZY: the checks before the PCS is asked. */
static int
pck_check_fetchable(struct cache *cache, const struct ask *ask, bool is_new, struct fault *why)
{
    if (ask->request.encrypted_ppid[0] == '\0') {
        return fault_set(why, FAULT_INPUT, "pckcert",
                         "encrypted_ppid is needed: the platform is not cached");
    }
    if (ask->request.encrypted_ppid_is_zero) {
        return fault_set(why, FAULT_NOT_FOUND, "pckcert",
                         "encrypted_ppid is all zeros and the platform is not cached: register it "
                         "with PCKIDRetrievalTool");
    }
    if (is_new && !platform_allowance(cache)) {
        return fault_set(why, FAULT_BUSY, "ceiling", "LazyNewPlatformsPerMinute is reached");
    }
    return 0;
}

/* The identity with which the PCS is asked: what is stored of the platform, else the request's. */
static int
pck_fetch(struct cache *cache, const struct ask *ask, bool is_new, int *ret_retry_after_s,
          struct fault *why)
{
    struct store_platform brief = {0};
    struct platform_wish wish = {
        .id = ask->request.key.platform,
        .raw = &ask->request.key.raw,
        .encrypted_ppid = span_of_text(ask->request.encrypted_ppid),
        .request_id = ask->request_id,
    };
    int code = 0;
    if (!is_new && store_load_platform_brief(cache->options.store, &wish.id, &brief, NULL) == 0) {
        wish.keep_identity = true;
        if (brief.manifest[0] != '\0') {
            wish.manifest = span_of_text(brief.manifest);
            wish.encrypted_ppid = span_of_text("");
        } else if (brief.enc_ppid[0] != '\0') {
            wish.encrypted_ppid = span_of_text(brief.enc_ppid);
        }
    }
    if (wish.manifest.size == 0 && wish.keep_identity && wish.encrypted_ppid.size == 0) {
        code = fault_set(why, FAULT_NOT_FOUND, "pckcert", "nothing to ask the PCS with");
    }
    if (code == 0 && wish.manifest.size == 0 &&
        !(wish.keep_identity && brief.enc_ppid[0] != '\0')) {
        code = pck_check_fetchable(cache, ask, is_new, why);
    }
    if (code == 0) {
        code = platform_fetch(cache, &wish, NULL, why);
        *ret_retry_after_s = wish.retry_after_s;
    }
    store_platform_done(&brief);
    return code;
}

/* Upstream lane, with the platform's lock held. */
static struct response *
pck_answer_fetched(struct cache *cache, const struct ask *ask, struct span key)
{
    struct response *response = NULL;
    bool is_incomplete = false;
    struct fault why = {0};
    int code = pck_find_kept(cache, ask, &response, &is_incomplete, &why);
    if (code != FAULT_NOT_CACHED && !is_incomplete) {
        return response != NULL ? response : cache_refuse(&why, true, 0);
    }
    uint32_t generation = publish_generation(cache, key);
    int retry_after_s = 0;
    code = pck_fetch(cache, ask, code == FAULT_NOT_CACHED, &retry_after_s, &why);
    if (code != 0 && response != NULL) { /* the best certificate there is; asked again in a while */
        publish_loaded(cache, key, generation, response,
                       cache_now_ms(cache) + CACHE_REMEMBER_DOWN_MS);
        return response;
    }
    response_unref(response);
    response = NULL;
    generation = publish_generation(cache, key);
    if (code == 0) {
        code = pck_find_kept(cache, ask, &response, &is_incomplete, &why);
    }
    if (code != 0) {
        response = cache_refuse(&why, true, retry_after_s);
        if (strcmp(why.stage, "pcksel") == 0) {
            publish_refusal(cache, key,
                            response); /* the PCS was asked in vain: not at once again */
        }
        return response;
    }
    publish_loaded(cache, key, generation, response, INT64_MAX);
    return response;
}

static struct response *
pck_answer_kept(struct cache *cache, const struct ask *ask, struct span key, bool *ret_fetch)
{
    struct response *response = NULL;
    bool is_incomplete = false;
    struct fault why = {0};
    uint32_t generation = publish_generation(cache, key);
    int code = pck_find_kept(cache, ask, &response, &is_incomplete, &why);
    if (code == FAULT_NOT_CACHED) {
        *ret_fetch = mode_action(cache->options.mode, SITUATION_PLATFORM_UNKNOWN) == ACTION_FETCH;
        return *ret_fetch ? NULL : cache_refuse(&why, true, 0);
    }
    if (is_incomplete) {
        response_unref(response);
        *ret_fetch = true;
        return NULL;
    }
    if (code != 0) {
        return cache_refuse(&why, true, 0);
    }
    publish_loaded(cache, key, generation, response, INT64_MAX);
    return response;
}

struct response *
pck_answer(struct cache *cache, const struct ask *ask, enum lane lane, bool *ret_needs_upstream)
{
    char key_text[ITEM_KEY_TEXT_SIZE + 8];
    struct span key = span_of(key_text, lookup_key(&ask->request, key_text));
    if (lane == LANE_LOCAL) {
        return pck_answer_kept(cache, ask, key, ret_needs_upstream);
    }
    const struct item_key platform = {
        .kind = ITEM_PCK, .api_version = 4, .platform = ask->request.key.platform};
    char lock[ITEM_KEY_TEXT_SIZE];
    item_key_text(&platform, lock);
    if (!item_lock(cache->locks, lock)) {
        struct fault why = {0};
        fault_set(&why, FAULT_MEMORY, "lock", "no memory for an item lock");
        return cache_refuse(&why, true, 0);
    }
    struct response *response = pck_answer_fetched(cache, ask, key);
    item_unlock(cache->locks, lock);
    return response;
}
