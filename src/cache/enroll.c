/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POST platforms: a platform registers. By the mode it is fetched, queued, or queued and fetched;
 * then whatever quote verification collateral is missing is fetched too. What was fetched and
 * verified before a later item failed is kept; the answer tells of the failure.
 * Called on the upstream lane (on the local lane in OFFLINE mode).
 * Must never answer 200 before everything asked for is durable.
 * api.md, POST platforms; wire_details.md 8, 10.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "cache/cache_priv.h"
#include "cache/mode.h"

struct enrollment {
    struct cache *cache;
    struct ask *ask;
    struct registration registration;
    bool stays_queued; /* the fetch made its row one of a certificate that is not available */
    int retry_after_s;
};

static bool
hex_equal_nocase(const char *a, const char *b)
{
    return span_is_nocase(span_of_text(a), b);
}

/* api.md: known, and either no manifest was sent and this raw TCB is mapped, or the manifest sent
 * equals the stored one. *ret_known gets what is stored (empty if unknown). */
static int
enroll_find(const struct enrollment *e, bool *ret_cached, struct store_platform *ret_known,
            struct fault *why)
{
    const struct registration *r = &e->registration;
    int code = store_load_platform_brief(e->cache->options.store, &r->platform, ret_known, why);
    if (code == FAULT_NOT_FOUND) {
        *ret_cached = false;
        return 0;
    }
    if (code != 0) {
        store_trouble(e->ask->request_id, why);
        return code;
    }
    if (r->manifest[0] != '\0') {
        *ret_cached = hex_equal_nocase(r->manifest, ret_known->manifest);
        return 0;
    }
    *ret_cached = false;
    for (size_t i = 0; i < ret_known->mapping_count; i++) {
        const struct store_mapping *mapping = &ret_known->mappings[i];
        if (mapping->tcbm[0] != '\0' && memcmp(&mapping->raw, &r->raw, sizeof r->raw) == 0) {
            *ret_cached = true;
        }
    }
    return 0;
}

static void
enroll_queue_row(const struct registration *r, struct queue_row *row)
{
    *row = (struct queue_row){.id = r->platform,
                              .enc_ppid = r->encrypted_ppid,
                              .manifest = r->manifest,
                              .state = QUEUE_NEW};
    if (r->manifest[0] == '\0') {
        memcpy(row->cpusvn, r->raw.cpusvn, sizeof row->cpusvn);
        memcpy(row->pcesvn, r->raw.pcesvn, sizeof row->pcesvn);
    }
}

static int
enroll_queue(const struct enrollment *e, struct fault *why)
{
    struct queue_row row; /* borrows its texts */
    enroll_queue_row(&e->registration, &row);
    int code = store_queue_put(e->cache->options.store, &row, 1, why);
    if (code != 0) {
        store_trouble(e->ask->request_id, why);
    }
    return code;
}

static int
enroll_queue_done(const struct enrollment *e, struct fault *why)
{
    struct queue_row row;
    size_t count = 0;
    enroll_queue_row(&e->registration, &row);
    int code = store_queue_mark_done(e->cache->options.store, &row, 1, &count, why);
    if (code != 0) {
        store_trouble(e->ask->request_id, why);
    }
    return code;
}

static bool
hex_is_zero(const char *hex)
{
    return hex[strspn(hex, "0")] == '\0';
}

/* With the platform's lock held; somebody else may have fetched it meanwhile. */
static int
enroll_fetch_locked(struct enrollment *e, struct fault *why)
{
    const struct registration *r = &e->registration;
    struct store_platform known = {0};
    bool is_cached = false;
    int code = enroll_find(e, &is_cached, &known, why);
    if (code == 0 && !is_cached) {
        struct platform_wish wish = {
            .id = r->platform,
            .raw = r->manifest[0] == '\0' ? &r->raw : NULL,
            .encrypted_ppid = span_of_text(r->encrypted_ppid),
            .manifest = span_of_text(r->manifest),
            .is_authenticated = true,
            .request_id = e->ask->request_id,
        };
        if (r->manifest[0] == '\0' && known.manifest != NULL && known.manifest[0] != '\0') {
            wish.manifest = span_of_text(known.manifest);
            wish.encrypted_ppid = span_of_text("");
            wish.keep_identity = true;
        }
        if (wish.manifest.size == 0 && hex_is_zero(r->encrypted_ppid)) {
            code = fault_set(why, FAULT_NOT_FOUND, "register",
                             "enc_ppid is all zeros and there is no manifest: nothing to ask with");
        } else {
            code = platform_fetch(e->cache, &wish, NULL, why);
            e->retry_after_s = wish.retry_after_s;
            e->stays_queued = wish.raw_is_unavailable;
        }
    }
    store_platform_done(&known);
    return code;
}

static int
enroll_fetch(struct enrollment *e, struct fault *why)
{
    const struct item_key key = {
        .kind = ITEM_PCK, .api_version = 4, .platform = e->registration.platform};
    char lock[ITEM_KEY_TEXT_SIZE];
    item_key_text(&key, lock);
    int code = exclusive_begin(e->cache, lock, EXCLUSIVE_INSTANCES, why);
    if (code == 0) {
        code = enroll_fetch_locked(e, why);
        exclusive_end(e->cache, lock);
    }
    return code;
}

/* One item of the quote verification collateral; a stale one that cannot be renewed will do. */
static int
enroll_obtain(struct enrollment *e, const struct item_key *key, struct fault *why)
{
    struct fill fill = {.request_id = e->ask->request_id, .is_authenticated = true};
    auto_proven struct proven *proven = NULL;
    int code = fill_obtain(e->cache, key, OBTAIN_MISSING, &fill, &proven, why);
    e->retry_after_s = fill.retry_after_s;
    return proven != NULL ? 0 : code;
}

static int
enroll_obtain_identities(struct enrollment *e, enum update_type update, struct fault *why)
{
    static const enum enclave enclaves[] = {ENCLAVE_QE, ENCLAVE_QVE, ENCLAVE_TDQE};
    int code = 0;
    for (size_t i = 0; code == 0 && i < ARRAY_COUNT(enclaves); i++) {
        if (enclaves[i] == ENCLAVE_TDQE && e->cache->options.upstream_version == 3) {
            continue;
        }
        struct item_key key = {.kind = ITEM_IDENTITY,
                               .api_version = e->cache->options.upstream_version,
                               .enclave = enclaves[i],
                               .update = update};
        code = enroll_obtain(e, &key, why);
    }
    return code;
}

static int
enroll_obtain_collateral(struct enrollment *e, struct fault *why)
{
    static const struct item_key crls[] = {
        {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PROCESSOR},
        {.kind = ITEM_PCK_CRL, .api_version = 4, .ca = PCK_CA_PLATFORM},
    };
    static const struct item_key root_crl = {.kind = ITEM_ROOT_CRL, .api_version = 4};
    enum update_type update = e->ask->request.update;
    int code = 0;
    for (size_t i = 0; code == 0 && i < ARRAY_COUNT(crls); i++) {
        code = enroll_obtain(e, &crls[i], why);
    }
    if (code == 0 && update != UPDATE_EARLY) {
        code = enroll_obtain_identities(e, UPDATE_STANDARD, why);
    }
    if (code == 0 && update != UPDATE_STANDARD) {
        code = enroll_obtain_identities(e, UPDATE_EARLY, why);
    }
    return code == 0 ? enroll_obtain(e, &root_crl, why) : code;
}

/* Does what the mode says of this registration. */
static int
enroll_act(struct enrollment *e, enum action action, bool is_cached, struct fault *why)
{
    int code = 0;
    if (action == ACTION_QUEUE || action == ACTION_QUEUE_AND_FETCH) {
        code = enroll_queue(e, why);
    }
    if (action == ACTION_QUEUE || action == ACTION_DONE || code != 0) {
        return code;
    }
    if (!is_cached) {
        code = enroll_fetch(e, why);
    }
    if (code == 0 && action == ACTION_QUEUE_AND_FETCH && !e->stays_queued) {
        code = enroll_queue_done(e, why);
    }
    return code == 0 ? enroll_obtain_collateral(e, why) : code;
}

struct response *
enroll_run(struct cache *cache, struct ask *ask)
{
    struct enrollment e = {.cache = cache, .ask = ask};
    struct fault why = {0};
    int code = registration_parse(buf_span(&ask->body), &e.registration, &why);
    if (code != 0) {
        return cache_refuse(&why, false, 0);
    }
    struct store_platform known = {0};
    bool is_cached = false;
    code = enroll_find(&e, &is_cached, &known, &why);
    store_platform_done(&known);
    if (code == 0) {
        enum action action =
            mode_action(cache->options.mode,
                        is_cached ? SITUATION_REGISTRATION_KNOWN : SITUATION_REGISTRATION_NEW);
        code = enroll_act(&e, action, is_cached, &why);
    }
    if (code == 0) {
        log_event(LOG_EVENT_REGISTRATION, ask->request_id,
                  LOG_TEXT("mode", cache_mode_word(cache->options.mode)),
                  LOG_NUMBER("was_cached", is_cached),
                  LOG_NUMBER("manifest", e.registration.manifest[0] != '\0'));
    }
    registration_done(&e.registration);
    struct response *response = code == 0 ? respond_done() : NULL;
    return response != NULL ? response : cache_refuse(&why, false, e.retry_after_s);
}
