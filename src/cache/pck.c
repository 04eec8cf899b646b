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
#include "metrics/metrics.h"

/* When the PCS is to be asked again: never, or an hour after it said Not available. */
static int64_t
pck_fresh_until(const struct cache *cache, int64_t not_available_at)
{
    bool asks_again = not_available_at > 0 &&
                      mode_action(cache->options.mode, SITUATION_CERTS_INCOMPLETE) == ACTION_FETCH;
    return asks_again ? not_available_at + CACHE_ASK_AGAIN_S : INT64_MAX;
}

/* What the store has to say. */
struct pck_kept {
    struct response *response; /* NULL: none */
    int64_t fresh_until;       /* of the answer: when the PCS is to be asked again */
    bool is_incomplete;        /* that time has come */
    bool is_lasting;           /* good until something is written: memory may keep it */
    uint32_t generation;       /* of the platform, before anything was read */
};

/* The answer by one certificate. That of a revoked leaf is served and reported (the verifier judges
 * it), that of a revoked CA is stale (trust.md, 1). */
static int
pck_respond(const struct ask *ask, const struct proven *certs, size_t index, struct pck_kept *kept,
            struct fault *why)
{
    const struct proven_pck *pck = &certs->pcks[index];
    struct response *response = respond_pck(certs, pck, kept->fresh_until);
    if (response == NULL) {
        return fault_set(why, FAULT_MEMORY, "respond", "no memory for the answer");
    }
    if (certs->signer_revoked) {
        response->is_stale = true;
        response->fresh_until = 0;
    }
    if (certs->signer_revoked || pck->revoked) {
        log_event(LOG_EVENT_REVOKED, ask->request_id,
                  LOG_TEXT("item", certs->signer_revoked ? "pck-ca" : "pck"),
                  LOG_TEXT("fmspc", certs->fmspc.hex), LOG_TEXT("tcbm", pck->tcbm));
    }
    kept->response = response;
    return 0;
}

/* Decision 1: this raw TCB is mapped. */
static int
pck_find_mapped(struct cache *cache, const struct ask *ask, struct pck_kept *kept,
                struct fault *why)
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
    kept->is_lasting = code == 0;
    return code == 0 ? pck_respond(ask, certs, 0, kept, why) : code;
}

/* Keeps a selected mapping; what has to go for it goes from memory too. The write mutex is held. */
static int
pck_put_mapping(struct cache *cache, const struct ask *ask, const char *tcbm)
{
    const struct item_key *wanted = &ask->request.key;
    struct store_mapping mapping = {.raw = wanted->raw};
    memcpy(mapping.tcbm, tcbm, sizeof mapping.tcbm);
    struct store_platform brief = {0};
    struct fault why = {0};
    int code = store_load_platform_brief(cache->options.store, &wanted->platform, &brief, &why);
    if (code == 0) {
        code = store_put_mapping(cache->options.store, &wanted->platform, &mapping, &why);
    }
    if (code != 0) { /* answered all the same: the next one selects again */
        store_trouble(ask->request_id, &why);
    } else if (brief.mapping_count >= LIMIT_RAW_TCBS_PER_PLATFORM) {
        metric_add(METRIC_CEILINGS, CEILING_RAW_TCBS, 0, 1);
        publish_platform(cache, &wanted->platform, brief.mappings, 1);
    }
    store_platform_done(&brief);
    return code;
}

/* Decision 2: the platform is cached, this raw TCB is new. Selected, mapped, answered; neither
 * mapped nor remembered if what it was selected from has been replaced meanwhile. */
static int
pck_select_new(struct cache *cache, const struct ask *ask, struct span key, struct pck_kept *kept,
               struct fault *why)
{
    const struct item_key *wanted = &ask->request.key;
    struct store_platform platform = {0};
    auto_proven struct proven *certs = NULL;
    auto_proven struct proven *tcbinfo = NULL;
    int code = select_load_certs(cache, &wanted->platform, &platform, &certs, why);
    store_platform_done(&platform);
    if (code != 0) {
        return code;
    }
    uint32_t tcbinfo_generation = select_generation(cache, &certs->fmspc);
    size_t index = 0;
    code = select_tcbinfo(cache, &certs->fmspc, &tcbinfo, why);
    if (code == 0) {
        code = select_pck(certs, tcbinfo, &wanted->platform, &wanted->raw, &index, why);
        code = code == FAULT_INPUT ? fault_recode(why, FAULT_NOT_FOUND) : code;
    }
    if (code != 0) {
        return code;
    }
    pthread_mutex_lock(&cache->write_mutex);
    if (publish_generation(cache, key) == kept->generation &&
        select_generation(cache, &certs->fmspc) == tcbinfo_generation) {
        kept->is_lasting = pck_put_mapping(cache, ask, certs->pcks[index].tcbm) == 0;
        kept->generation = publish_generation(cache, key);
    }
    pthread_mutex_unlock(&cache->write_mutex);
    return pck_respond(ask, certs, index, kept, why);
}

/* What the store can answer. FAULT_NOT_CACHED: the platform is unknown. */
static int
pck_find_kept(struct cache *cache, const struct ask *ask, struct span key,
              struct pck_kept *ret_kept, struct fault *why)
{
    const struct item_key *wanted = &ask->request.key;
    struct store_platform brief = {0};
    *ret_kept = (struct pck_kept){.generation = publish_generation(cache, key)};
    int code = store_load_platform_brief(cache->options.store, &wanted->platform, &brief, why);
    if (code == FAULT_NOT_FOUND) {
        return fault_set(why, FAULT_NOT_CACHED, "platform", "the platform is not cached");
    }
    if (code != 0) {
        store_trouble(ask->request_id, why);
        return code;
    }
    ret_kept->fresh_until = pck_fresh_until(cache, brief.not_available_at);
    ret_kept->is_incomplete = ret_kept->fresh_until <= cache_now(cache);
    store_platform_done(&brief);
    code = pck_find_mapped(cache, ask, ret_kept, why);
    return code == FAULT_NOT_FOUND ? pck_select_new(cache, ask, key, ret_kept, why) : code;
}

static void
pck_publish(struct cache *cache, struct span key, const struct pck_kept *kept,
            int64_t lives_until_ms)
{
    if (kept->is_lasting) {
        publish_loaded(cache, key, kept->generation, kept->response, lives_until_ms);
    }
}

/* Decision 3, LAZY: the checks before the PCS is asked. */
static int
pck_check_fetchable(const struct ask *ask, struct fault *why)
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
        code = pck_check_fetchable(ask, why);
    }
    if (code == 0 && is_new && !platform_is_remembered(cache, &wish) &&
        !platform_allowance(cache)) {
        code = fault_set(why, FAULT_BUSY, "ceiling", "LazyNewPlatformsPerMinute is reached");
    }
    if (code == 0) {
        code = platform_fetch(cache, &wish, NULL, why);
        *ret_retry_after_s = wish.retry_after_s;
    }
    store_platform_done(&brief);
    return code;
}

/* The key under which it is remembered that nothing the PCS has for this PPID suits the raw TCB: by
 * the PPID too, for a wrong one must not decide for a right one. No look-up has it, so that what
 * has been registered or uploaded since comes first. */
static void
pck_unsuited_key(const struct ask *ask, struct span key, char out[PLATFORM_KEY_SIZE])
{
    platform_digest_key("unsuited/", key, span_of_text(ask->request.encrypted_ppid), out);
}

/* Steps 4 to 7 for the platform, unless the PCS has just been asked for it in vain. */
static int
pck_fetch_once(struct cache *cache, const struct ask *ask, struct span key, bool is_new,
               int *ret_retry_after_s, struct fault *why)
{
    char unsuited[PLATFORM_KEY_SIZE];
    pck_unsuited_key(ask, key, unsuited);
    if (publish_remembered(cache, span_of_text(unsuited), why, ret_retry_after_s)) {
        return (int)why->code;
    }
    int code = pck_fetch(cache, ask, is_new, ret_retry_after_s, why);
    if (code != 0 && strcmp(why->stage, "pcksel") == 0) {
        publish_remember(cache, span_of_text(unsuited), why, 0);
    }
    return code;
}

/* Upstream lane, with the platform's lock held. */
static struct response *
pck_answer_fetched(struct cache *cache, const struct ask *ask, struct span key)
{
    struct pck_kept kept;
    struct fault why = {0};
    int code = pck_find_kept(cache, ask, key, &kept, &why);
    if (code != FAULT_NOT_CACHED && !kept.is_incomplete) {
        return kept.response != NULL ? kept.response : cache_refuse(&why, true, 0);
    }
    int retry_after_s = 0;
    code = pck_fetch_once(cache, ask, key, code == FAULT_NOT_CACHED, &retry_after_s, &why);
    if (code != 0 && kept.response != NULL) {
        /* the best certificate there is; asked again in a while */
        if (!kept.response->is_stale) {
            kept.response->fresh_until = cache_now(cache) + CACHE_REMEMBER_DOWN_MS / 1000;
        }
        pck_publish(cache, key, &kept, cache_now_ms(cache) + CACHE_REMEMBER_DOWN_MS);
        return kept.response;
    }
    response_unref(kept.response);
    if (code == 0) {
        code = pck_find_kept(cache, ask, key, &kept, &why);
    }
    if (code != 0) {
        return cache_refuse(&why, true, retry_after_s);
    }
    pck_publish(cache, key, &kept, INT64_MAX);
    return kept.response;
}

static struct response *
pck_answer_kept(struct cache *cache, const struct ask *ask, struct span key, bool *ret_fetch)
{
    struct pck_kept kept;
    struct fault why = {0};
    int code = pck_find_kept(cache, ask, key, &kept, &why);
    if (code == FAULT_NOT_CACHED) {
        *ret_fetch = mode_action(cache->options.mode, SITUATION_PLATFORM_UNKNOWN) == ACTION_FETCH;
        return *ret_fetch ? NULL : cache_refuse(&why, true, 0);
    }
    if (kept.is_incomplete) {
        response_unref(kept.response);
        *ret_fetch = true;
        return NULL;
    }
    if (code != 0) {
        return cache_refuse(&why, true, 0);
    }
    pck_publish(cache, key, &kept, INT64_MAX);
    return kept.response;
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
    struct fault why = {0};
    if (exclusive_begin(cache, lock, EXCLUSIVE_INSTANCES, &why) != 0) {
        return cache_refuse(&why, true, 0);
    }
    struct response *response = pck_answer_fetched(cache, ask, key);
    exclusive_end(cache, lock);
    return response;
}
