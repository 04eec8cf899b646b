/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fetches one platform from the PCS: certificates, the TCB infos of its FMSPC, the selection of its
 * raw TCBs; everything proven, stored in one transaction, published. Nothing of the platform is
 * stored if any of it fails, except the queue rows of Not available certificates in REQ mode.
 * Called on the upstream lane for LAZY misses, registrations and refreshes.
 * Must never store a platform that cannot be answered for.
 * api.md, Fetching a platform from the PCS; wire_details.md 6.
 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "cache/cache_priv.h"
#include "metrics/metrics.h"

void
platform_digest_key(const char *prefix, struct span a, struct span b, char out[PLATFORM_KEY_SIZE])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(context, a.data, a.size) != 1 || EVP_DigestUpdate(context, "/", 1) != 1 ||
        EVP_DigestUpdate(context, b.data, b.size) != 1 ||
        EVP_DigestFinal_ex(context, digest, &size) != 1) {
        size = 0; /* memory ran out: one key for all of these, for some seconds */
    }
    EVP_MD_CTX_free(context);
    size_t prefix_size = strlen(prefix);
    must(prefix_size + 2 * (size_t)size < PLATFORM_KEY_SIZE);
    memcpy(out, prefix, prefix_size);
    hex_encode_lower(span_of(digest, size), out + prefix_size);
}

/* The key under which a PPID or manifest that the PCS does not know is remembered. */
static void
platform_unknown_key(const struct platform_wish *wish, char out[PLATFORM_KEY_SIZE])
{
    struct span what = wish->manifest.size > 0 ? wish->manifest : wish->encrypted_ppid;
    platform_digest_key("ppid/", span_of_text(wish->id.pceid), what, out);
}

bool
platform_is_remembered(struct cache *cache, const struct platform_wish *wish)
{
    char key[PLATFORM_KEY_SIZE];
    struct fault why;
    int retry_after_s;
    platform_unknown_key(wish, key);
    return publish_remembered(cache, span_of_text(key), &why, &retry_after_s);
}

bool
platform_allowance(struct cache *cache)
{
    int limit = cache->options.lazy_new_platforms_per_minute;
    if (limit == 0) {
        return true;
    }
    int64_t minute = cache_now_ms(cache) / 60000;
    pthread_mutex_lock(&cache->allowance_mutex);
    if (cache->allowance_minute != minute) {
        cache->allowance_minute = minute;
        cache->allowance_used = 0;
    }
    bool allowed = cache->allowance_used < limit;
    bool is_first_refusal = cache->allowance_used == limit;
    cache->allowance_used += cache->allowance_used <= limit;
    pthread_mutex_unlock(&cache->allowance_mutex);
    if (!allowed) {
        metric_add(METRIC_CEILINGS, CEILING_NEW_PLATFORMS, 0, 1);
    }
    if (is_first_refusal) {
        log_event(LOG_EVENT_CEILING, NULL, LOG_TEXT("ceiling", "new-platforms-per-minute"),
                  LOG_NUMBER("at", limit));
    }
    return allowed;
}

/* REQ mode: each Not available entry goes to the queue before anything else can fail. */
static int
platform_queue_unavailable(struct cache *cache, struct platform_wish *wish,
                           const struct raw_reply *raw, struct fault *why)
{
    auto_free struct queue_row *rows = calloc(raw->pck_count + 1, sizeof *rows);
    if (rows == NULL) {
        return fault_set(why, FAULT_MEMORY, "queue", "no memory for the queue rows");
    }
    auto_free char *enc_ppid = span_dup_text(wish->encrypted_ppid);
    auto_free char *manifest = span_dup_text(wish->manifest);
    size_t count = 0;
    for (size_t i = 0; i < raw->pck_count; i++) {
        if (raw->pcks[i].available) {
            continue;
        }
        struct queue_row *row = &rows[count++];
        row->id = wish->id;
        row->state = QUEUE_NOT_AVAILABLE;
        row->enc_ppid = enc_ppid; /* borrowed: the rows are not queue_row_done */
        row->manifest = manifest;
        hex_encode_upper(span_of(raw->pcks[i].components, 16), row->cpusvn);
        uint8_t pcesvn[2] = {(uint8_t)raw->pcks[i].pcesvn, (uint8_t)(raw->pcks[i].pcesvn >> 8)};
        hex_encode_upper(span_of(pcesvn, 2), row->pcesvn);
        wish->raw_is_unavailable =
            wish->raw_is_unavailable ||
            (wish->raw != NULL && strcmp(row->cpusvn, wish->raw->cpusvn) == 0 &&
             strcmp(row->pcesvn, wish->raw->pcesvn) == 0);
    }
    if (enc_ppid == NULL || manifest == NULL) {
        return fault_set(why, FAULT_MEMORY, "queue", "no memory for the queue rows");
    }
    return count == 0 ? 0 : store_queue_put(cache->options.store, rows, count, why);
}

/* True if this is the first time that the set sees the FMSPC (or memory ran out: ask again). */
static bool
fmspc_set_add(struct fmspc_set *set, const struct fmspc *fmspc)
{
    bool is_new = true;
    pthread_mutex_lock(&set->mutex);
    for (size_t i = 0; i < set->count && is_new; i++) {
        is_new = strcmp(set->list[i].hex, fmspc->hex) != 0;
    }
    struct fmspc *list = is_new ? realloc(set->list, (set->count + 1) * sizeof *list) : NULL;
    if (list != NULL) {
        list[set->count++] = *fmspc;
        set->list = list;
    }
    pthread_mutex_unlock(&set->mutex);
    return is_new;
}

/* The four TCB infos of the FMSPC; SGX standard must be there, the others may be unknown, and are
 * not asked for again while that is remembered. */
static int
platform_obtain_tcbinfos(struct cache *cache, const struct fmspc *fmspc, struct platform_wish *wish,
                         struct fault *why)
{
    static const struct {
        enum product product;
        enum update_type update;
    } wanted[] = {{PRODUCT_SGX, UPDATE_STANDARD},
                  {PRODUCT_SGX, UPDATE_EARLY},
                  {PRODUCT_TDX, UPDATE_STANDARD},
                  {PRODUCT_TDX, UPDATE_EARLY}};
    if (wish->asked != NULL && !fmspc_set_add(wish->asked, fmspc)) {
        return 0; /* the platform was cached, so was its TCB info */
    }
    for (size_t i = 0; i < ARRAY_COUNT(wanted); i++) {
        if (wanted[i].product == PRODUCT_TDX && cache->options.upstream_version == 3) {
            continue;
        }
        struct item_key key = {.kind = ITEM_TCBINFO,
                               .api_version = cache->options.upstream_version,
                               .product = wanted[i].product,
                               .update = wanted[i].update,
                               .fmspc = *fmspc};
        bool is_required = i == 0;
        struct fill fill = {.request_id = wish->request_id,
                            .is_authenticated = wish->is_authenticated && is_required};
        auto_proven struct proven *proven = NULL;
        int code = fill_obtain(cache, &key, OBTAIN_MISSING, &fill, &proven, why);
        if (proven == NULL && (code != FAULT_NOT_FOUND || is_required)) {
            wish->retry_after_s = fill.retry_after_s;
            return code;
        }
    }
    return 0;
}

/* All raw TCBs that the platform is to have: the known ones, and the wished one if it is new. */
static int
platform_list_mappings(struct cache *cache, const struct platform_wish *wish,
                       struct store_platform *known, const struct raw_tcb *raw, struct fault *why)
{
    int code = store_load_platform_brief(cache->options.store, &wish->id, known, why);
    if (code != 0 && code != FAULT_NOT_FOUND) {
        return code;
    }
    if (raw == NULL) {
        return 0;
    }
    for (size_t i = 0; i < known->mapping_count; i++) {
        if (memcmp(&known->mappings[i].raw, raw, sizeof *raw) == 0) {
            return 0;
        }
    }
    struct store_mapping *mappings =
        realloc(known->mappings, (known->mapping_count + 1) * sizeof *mappings);
    if (mappings == NULL) {
        return fault_set(why, FAULT_MEMORY, "select", "no memory for the raw TCBs");
    }
    known->mappings = mappings;
    mappings[known->mapping_count++] = (struct store_mapping){.raw = *raw};
    if (known->mapping_count > LIMIT_RAW_TCBS_PER_PLATFORM) { /* the least recently added goes */
        metric_add(METRIC_CEILINGS, CEILING_RAW_TCBS, 0, 1);
        publish_platform(cache, &wish->id, mappings, 1);
        known->mapping_count--;
        memmove(mappings, mappings + 1, known->mapping_count * sizeof *mappings);
    }
    return 0;
}

/* Selection and step 6, 7 for the platform. The write mutex is held. */
static int
platform_store(struct cache *cache, const struct platform_wish *wish, const struct proven *certs,
               bool has_unavailable, struct fault *why)
{
    const struct raw_tcb *raw = wish->raw;
    auto_proven struct proven *tcbinfo = NULL;
    int code = select_tcbinfo(cache, &certs->fmspc, &tcbinfo, why);
    size_t index = 0;
    if (code == 0 && raw != NULL) {
        code = select_pck(certs, tcbinfo, &wish->id, raw, &index, why);
        code = code == FAULT_INPUT ? fault_recode(why, FAULT_NOT_FOUND) : code;
    }
    if (has_unavailable && cache->options.mode == CACHE_MODE_LAZY) {
        raw = NULL; /* mapped when asked for: more certificates may have come by then */
    }
    struct store_platform known = {0};
    if (code == 0) {
        code = platform_list_mappings(cache, wish, &known, raw, why);
    }
    if (code == 0) {
        select_mappings(certs, tcbinfo, &wish->id, known.mappings, known.mapping_count);
        const struct store_platform_put put = {
            .id = wish->id,
            .manifest = wish->manifest,
            .enc_ppid = wish->encrypted_ppid,
            .keep_identity = wish->keep_identity,
            .certs = certs,
            .mappings = known.mappings,
            .mapping_count = known.mapping_count,
            .not_available_at = has_unavailable ? cache_now(cache) : 0,
        };
        const struct store_batch batch = {.platforms = &put, .platform_count = 1};
        code = store_put(cache->options.store, &batch, why);
        if (code != 0) {
            store_trouble(wish->request_id, why);
        }
    }
    if (code == 0) {
        publish_platform(cache, &wish->id, known.mappings, known.mapping_count);
    }
    store_platform_done(&known);
    return code;
}

/* Verified certificates; in REQ mode with the queue rows of the unavailable ones. */
static int
platform_fetch_certs(struct cache *cache, struct platform_wish *wish, struct proven **ret_certs,
                     bool *ret_unavailable, struct fault *why)
{
    const struct item_key key = {.kind = ITEM_PCK, .api_version = 4, .platform = wish->id};
    struct fill fill = {
        .query = {.key = &key, .encrypted_ppid = wish->encrypted_ppid, .manifest = wish->manifest},
        .request_id = wish->request_id};
    struct raw_reply raw;
    raw_reply_init(&raw);
    int code = fill_fetch(cache, &fill, &raw, why);
    wish->retry_after_s = fill.retry_after_s;
    if (code == 0 && (code = raw_reply_parse_pcks(&raw, why)) != 0) {
        fill_report_unproven(cache, &key, "upstream", wish->request_id, why);
        code = fault_recode(why, FAULT_UPSTREAM_ODD);
    }
    bool has_unavailable = false;
    for (size_t i = 0; code == 0 && i < raw.pck_count; i++) {
        has_unavailable = has_unavailable || !raw.pcks[i].available;
    }
    if (code == 0 && has_unavailable && cache->options.mode == CACHE_MODE_REQ) {
        code = platform_queue_unavailable(cache, wish, &raw, why);
    }
    if (code == 0) {
        code = fill_verify(cache, &key, &raw, wish->request_id, ret_certs, why);
    }
    raw_reply_done(&raw);
    *ret_unavailable = has_unavailable;
    return code;
}

int
platform_fetch(struct cache *cache, struct platform_wish *wish, bool *ret_unavailable,
               struct fault *why)
{
    struct fault detail = {0};
    char unknown_key[PLATFORM_KEY_SIZE];
    platform_unknown_key(wish, unknown_key);
    int code = 0;
    if (!wish->is_authenticated &&
        publish_remembered(cache, span_of_text(unknown_key), &detail, &wish->retry_after_s)) {
        code = (int)detail.code;
    }
    bool has_unavailable = false;
    auto_proven struct proven *certs = NULL;
    if (code == 0) {
        code = platform_fetch_certs(cache, wish, &certs, &has_unavailable, &detail);
        if (code != 0) {
            publish_remember(cache, span_of_text(unknown_key), &detail, wish->retry_after_s);
        } else {
            publish_drop(cache, span_of_text(unknown_key));
        }
    }
    if (code == 0) {
        code = platform_obtain_tcbinfos(cache, &certs->fmspc, wish, &detail);
    }
    if (code == 0) {
        pthread_mutex_lock(&cache->write_mutex);
        code = platform_store(cache, wish, certs, has_unavailable, &detail);
        pthread_mutex_unlock(&cache->write_mutex);
    }
    if (code == 0) {
        log_event(LOG_EVENT_PLATFORM_STORED, wish->request_id, LOG_TEXT("fmspc", certs->fmspc.hex),
                  LOG_TEXT("ca", pck_ca_word(certs->ca)),
                  LOG_NUMBER("certificates", (int64_t)certs->pck_count),
                  LOG_NUMBER("not_available", has_unavailable));
        if (ret_unavailable != NULL) {
            *ret_unavailable = has_unavailable;
        }
    } else if (why != NULL) {
        *why = detail;
    }
    return code;
}
