/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Refresh: everything cached is fetched again, by request, by schedule, or item by item ahead of
 * its expiry. Each item on its own: what fails is kept and reported, the rest is refreshed. A
 * refresh is a list that several workers of the upstream lane take from, always leaving some to
 * requests; the last to finish answers. Started from any thread, run on workers. Must never hold a
 * transaction over the network. api.md, refresh; config.md, RefreshSchedule, RefreshBefore.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cache/cache_priv.h"
#include "cache/mode.h"
#include "metrics/metrics.h"
#include "schedule/prefetch.h"

enum {
    REFRESH_WORKERS_SPARED = 2, /* of the upstream lane, for requests */
    REFRESH_PASS_LEAST_S = 5,   /* between two looks for what is due */
    REFRESH_PASS_MOST_S = 900,
    REFRESH_PASSES_PER_LEAD = 24,
};

/* One thing to refresh: an item, or a platform's certificates. */
struct refresh_entry {
    struct refresh_entry *next;
    struct item_key *key; /* heap; NULL: a platform */
    char pceid[4 + 1];
    char qeid[]; /* no larger than it is: a fleet may have a million platforms */
};

struct refresh {
    struct cache *cache;
    struct ask *ask; /* NULL: nobody waits */
    const char *request_id;
    bool is_scheduled;
    pthread_mutex_t mutex; /* protects the list, first_failure and the count of workers */
    struct refresh_entry *first, **last;
    unsigned workers_left;
    size_t total, failed;
    struct fault first_failure;
    struct fmspc_set asked;
    /* prefetch only: what is not yet due is left out */
    bool only_due;
    int64_t shortest_lead_s;
};

struct refresh_job {
    struct job job;
    struct refresh *refresh;
};

static void
refresh_add(struct refresh *refresh, struct refresh_entry *entry)
{
    *refresh->last = entry;
    refresh->last = &entry->next;
    refresh->total++;
}

static bool
refresh_add_item(struct refresh *refresh, const struct item_key *key)
{
    struct refresh_entry *entry = calloc(1, sizeof *entry + 1);
    if (entry == NULL || (entry->key = malloc(sizeof *key)) == NULL) {
        free(entry);
        refresh->failed++;
        return false;
    }
    *entry->key = *key;
    refresh_add(refresh, entry);
    return true;
}

/* Version 3 has ended: what is cached of it stays as it is. */
static bool
refresh_is_refreshable(const struct cache *cache, const struct item_key *key)
{
    bool is_versioned = key->kind == ITEM_TCBINFO || key->kind == ITEM_IDENTITY;
    return !is_versioned || key->api_version == cache->options.upstream_version;
}

static bool
refresh_each_item(void *self, const struct item_key *key)
{
    struct refresh *refresh = self;
    return !refresh_is_refreshable(refresh->cache, key) || refresh_add_item(refresh, key);
}

static bool
refresh_each_platform(void *self, const struct store_platform *brief)
{
    struct refresh *refresh = self;
    size_t qeid_size = strlen(brief->id.qeid) + 1;
    struct refresh_entry *entry = calloc(1, sizeof *entry + qeid_size);
    if (entry == NULL) {
        refresh->failed++;
        return false;
    }
    memcpy(entry->pceid, brief->id.pceid, sizeof entry->pceid);
    memcpy(entry->qeid, brief->id.qeid, qeid_size);
    refresh_add(refresh, entry);
    return true;
}

static int
refresh_item(struct refresh *refresh, const struct item_key *key, struct fault *why)
{
    struct fill fill = {.request_id = refresh->request_id, .is_authenticated = true};
    auto_proven struct proven *proven = NULL;
    int code = fill_obtain(refresh->cache, key, OBTAIN_AGAIN, &fill, &proven, why);
    if (code == FAULT_NOT_FOUND && key->update == UPDATE_NUMBERED) {
        return 0; /* the PCS serves a number for a time only: what is cached stays */
    }
    return code;
}

static int
refresh_platform_locked(struct refresh *refresh, const struct platform_id *id, struct fault *why)
{
    struct store_platform brief = {0};
    int code = store_load_platform_brief(refresh->cache->options.store, id, &brief, why);
    if (code == 0) {
        struct platform_wish wish = {
            .id = *id,
            .manifest = span_of_text(brief.manifest),
            .encrypted_ppid = span_of_text(brief.manifest[0] == '\0' ? brief.enc_ppid : ""),
            .keep_identity = true,
            .is_authenticated = true,
            .asked = &refresh->asked,
            .request_id = refresh->request_id,
        };
        if (wish.manifest.size == 0 && wish.encrypted_ppid.size == 0) {
            code = fault_set(why, FAULT_NOT_FOUND, "refresh",
                             "neither manifest nor encrypted PPID is known of it: upload newer "
                             "certificates");
        } else {
            code = platform_fetch(refresh->cache, &wish, NULL, why);
        }
    }
    store_platform_done(&brief);
    return code;
}

static int
refresh_platform(struct refresh *refresh, const struct item_key *key, struct fault *why)
{
    char lock[ITEM_KEY_TEXT_SIZE];
    item_key_text(key, lock);
    int code = exclusive_begin(refresh->cache, lock, EXCLUSIVE_WORKERS, why);
    if (code == 0) {
        code = refresh_platform_locked(refresh, &key->platform, why);
        exclusive_end(refresh->cache, lock);
    }
    return code;
}

static void
refresh_one(struct refresh *refresh, const struct refresh_entry *entry)
{
    struct fault why = {0};
    struct item_key platform = {.kind = ITEM_PCK, .api_version = 4};
    memcpy(platform.platform.pceid, entry->pceid, sizeof entry->pceid);
    memcpy(platform.platform.qeid, entry->qeid, strlen(entry->qeid) + 1);
    const struct item_key *key = entry->key != NULL ? entry->key : &platform;
    int code = entry->key != NULL ? refresh_item(refresh, entry->key, &why)
                                  : refresh_platform(refresh, &platform, &why);
    metric_add(METRIC_REFRESH, code != 0, 0, 1);
    if (code == 0) {
        return;
    }
    char text[ITEM_KEY_TEXT_SIZE];
    item_key_text(key, text);
    log_event(LOG_EVENT_REFRESH_ITEM_FAILED, refresh->request_id, LOG_TEXT("item", text),
              LOG_FAULT(&why));
    pthread_mutex_lock(&refresh->mutex);
    if (refresh->failed++ == 0) {
        refresh->first_failure = why;
    }
    pthread_mutex_unlock(&refresh->mutex);
}

static void
refresh_entry_free(struct refresh_entry *entry)
{
    if (entry != NULL) {
        free(entry->key);
        free(entry);
    }
}

static struct refresh_entry *
refresh_take(struct refresh *refresh)
{
    pthread_mutex_lock(&refresh->mutex);
    struct refresh_entry *entry = refresh->first;
    if (entry != NULL) {
        refresh->first = entry->next;
    }
    pthread_mutex_unlock(&refresh->mutex);
    return entry;
}

/* The last worker: log, answer, free. */
static void
refresh_finish(struct refresh *refresh)
{
    struct cache *cache = refresh->cache;
    if (!refresh->only_due || refresh->total > 0) {
        log_event(LOG_EVENT_REFRESH_DONE, refresh->request_id,
                  LOG_TEXT("by", refresh->ask != NULL    ? "request"
                                 : refresh->is_scheduled ? "schedule"
                                                         : "prefetch"),
                  LOG_NUMBER("items", (int64_t)refresh->total),
                  LOG_NUMBER("failed", (int64_t)refresh->failed));
    }
    bool is_of_all =
        refresh->ask != NULL ? !refresh->ask->request.refresh_certs : refresh->is_scheduled;
    if (is_of_all) {
        metric_set(METRIC_REFRESH_ENDED, refresh->failed != 0, 0, cache_now(cache));
    }
    if (refresh->ask != NULL) {
        struct response *response = refresh->failed == 0 ? respond_done() : NULL;
        if (response == NULL) {
            struct fault why = {0};
            fault_set(&why, FAULT_UPSTREAM_DOWN, "refresh",
                      "%zu of %zu items failed, the first: %s", refresh->failed, refresh->total,
                      refresh->first_failure.text);
            response = cache_refuse(&why, false, 0);
        }
        refresh->ask->done(refresh->ask, response);
    }
    if (refresh->is_scheduled || refresh->only_due) {
        atomic_store(refresh->only_due ? &cache->prefetching : &cache->refreshing, false);
    }
    pthread_mutex_destroy(&refresh->mutex);
    pthread_mutex_destroy(&refresh->asked.mutex);
    free(refresh->asked.list);
    free(refresh);
}

static void
refresh_work(struct job *job)
{
    struct refresh *refresh = ((struct refresh_job *)job)->refresh;
    free(job);
    log_for_request(refresh->request_id);
    struct refresh_entry *entry;
    while ((entry = refresh_take(refresh)) != NULL) {
        refresh_one(refresh, entry);
        refresh_entry_free(entry);
    }
    log_for_request(NULL);
    atomic_fetch_sub(&refresh->cache->refresh_workers, 1);
    pthread_mutex_lock(&refresh->mutex);
    bool is_last = --refresh->workers_left == 0;
    pthread_mutex_unlock(&refresh->mutex);
    if (is_last) {
        refresh_finish(refresh);
    }
}

/* How many workers a refresh takes: together with those that run already it leaves some to
 * requests; one that comes while these hang gets one all the same. */
static size_t
refresh_take_workers(const struct refresh *refresh)
{
    unsigned threads = workers_threads(refresh->cache->workers, LANE_UPSTREAM);
    unsigned most = threads > 2 * REFRESH_WORKERS_SPARED ? threads - REFRESH_WORKERS_SPARED : 1;
    unsigned taken = atomic_load(&refresh->cache->refresh_workers);
    size_t count = most > taken ? most - taken : 1;
    return count > refresh->total ? refresh->total : count;
}

/* Starts the workers on a filled list; without any, finishes at once. */
static void
refresh_fan_out(struct refresh *refresh)
{
    struct workers *workers = refresh->cache->workers;
    size_t count = refresh_take_workers(refresh);
    struct refresh_job *jobs[64];
    size_t made = 0;
    while (made < count && made < ARRAY_COUNT(jobs) &&
           (jobs[made] = calloc(1, sizeof *jobs[made])) != NULL) {
        jobs[made]->job.run = refresh_work;
        jobs[made]->refresh = refresh;
        made++;
    }
    if (made == 0) {
        refresh->failed += refresh->total;
        for (struct refresh_entry *entry = refresh_take(refresh); entry != NULL;
             entry = refresh_take(refresh)) {
            refresh_entry_free(entry);
        }
        refresh_finish(refresh);
        return;
    }
    refresh->workers_left = (unsigned)made; /* before the first can end */
    atomic_fetch_add(&refresh->cache->refresh_workers, (unsigned)made);
    for (size_t i = 0; i < made; i++) {
        workers_add(workers, LANE_UPSTREAM, &jobs[i]->job);
    }
}

static int
refresh_list(struct refresh *refresh, struct fault *why)
{
    struct store *store = refresh->cache->options.store;
    if (refresh->ask == NULL || !refresh->ask->request.refresh_certs) {
        return store_each_item(store, refresh_each_item, refresh, why);
    }
    size_t count = 0;
    auto_free struct fmspc *fmspcs = handout_fmspcs(&refresh->ask->request, &count);
    if (fmspcs == NULL) {
        return fault_set(why, FAULT_MEMORY, "refresh", "no memory for the list");
    }
    return store_each_platform(store, fmspcs, count, refresh_each_platform, refresh, why);
}

/* Local lane: makes the list, then fans out. */
static void
refresh_begin(struct job *job)
{
    struct refresh *refresh = ((struct refresh_job *)job)->refresh;
    free(job);
    struct fault why = {0};
    if (refresh_list(refresh, &why) != 0) {
        store_trouble(refresh->request_id, &why);
        refresh->first_failure = why;
        refresh->failed++;
    }
    refresh_fan_out(refresh);
}

static struct refresh *
refresh_new(struct cache *cache, struct ask *ask)
{
    struct refresh *refresh = calloc(1, sizeof *refresh);
    if (refresh != NULL) {
        refresh->cache = cache;
        refresh->ask = ask;
        refresh->request_id = ask != NULL ? ask->request_id : NULL;
        refresh->last = &refresh->first;
        refresh->shortest_lead_s = INT64_MAX;
        pthread_mutex_init(&refresh->mutex, NULL);
        pthread_mutex_init(&refresh->asked.mutex, NULL);
    }
    return refresh;
}

/* Makes a refresh begin on the local lane; false if memory ran out. */
static bool
refresh_launch(struct refresh *refresh, void (*begin)(struct job *job))
{
    struct refresh_job *job = refresh != NULL ? calloc(1, sizeof *job) : NULL;
    if (job == NULL) {
        free(refresh);
        return false;
    }
    job->job.run = begin;
    job->refresh = refresh;
    workers_add(refresh->cache->workers, LANE_LOCAL, &job->job);
    return true;
}

void
refresh_start(struct cache *cache, struct ask *ask)
{
    struct fault why = {0};
    if (mode_action(cache->options.mode, SITUATION_REFRESH) == ACTION_REFUSE_503) {
        fault_set(&why, FAULT_OFFLINE, "mode",
                  "OFFLINE mode never asks the PCS: upload with "
                  "pccsadmin put");
        ask->done(ask, cache_refuse(&why, false, 0));
        return;
    }
    if (!refresh_launch(refresh_new(cache, ask), refresh_begin)) {
        fault_set(&why, FAULT_MEMORY, "refresh", "no memory for a refresh");
        ask->done(ask, cache_refuse(&why, false, 0));
    }
}

void
cache_refresh_all(struct cache *cache)
{
    if (mode_action(cache->options.mode, SITUATION_REFRESH) == ACTION_REFUSE_503 ||
        atomic_exchange(&cache->refreshing, true)) {
        return;
    }
    struct refresh *refresh = refresh_new(cache, NULL);
    if (refresh != NULL) {
        refresh->is_scheduled = true;
    }
    if (!refresh_launch(refresh, refresh_begin)) {
        atomic_store(&cache->refreshing, false);
    }
}

bool
cache_is_refreshing(struct cache *cache)
{
    return atomic_load(&cache->refreshing);
}

/* ---- ahead of expiry ---- */

static uint32_t
prefetch_random(const struct item_key *key, int64_t issued_at)
{
    /* the same for one issue of an item, so that it is not drawn again at every look */
    char text[ITEM_KEY_TEXT_SIZE];
    size_t size = item_key_text(key, text);
    uint32_t hash = 2166136261U ^ (uint32_t)issued_at;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (uint8_t)text[i]) * 16777619U;
    }
    return hash ^ (hash >> 15);
}

static bool
prefetch_each_item(void *self, const struct item_key *key)
{
    struct refresh *refresh = self;
    struct cache *cache = refresh->cache;
    if (!refresh_is_refreshable(cache, key) || key->kind == ITEM_FMSPCS) {
        return true;
    }
    auto_proven struct proven *kept = NULL;
    if (lookup_item(cache, key, &kept, NULL) != 0) {
        return true;
    }
    int64_t due_at =
        prefetch_at(kept->issued_at, kept->fresh_until, cache->options.refresh_before_s,
                    prefetch_random(key, kept->issued_at));
    int64_t lead_s = kept->fresh_until - due_at;
    if (lead_s > 0 && lead_s < refresh->shortest_lead_s) {
        refresh->shortest_lead_s = lead_s;
    }
    return due_at > cache_now(cache) || refresh_add_item(refresh, key);
}

static void
prefetch_begin(struct job *job)
{
    struct refresh *refresh = ((struct refresh_job *)job)->refresh;
    struct cache *cache = refresh->cache;
    free(job);
    struct fault why = {0};
    if (store_each_item(cache->options.store, prefetch_each_item, refresh, &why) != 0) {
        store_trouble(NULL, &why);
    }
    int64_t pass_s = refresh->shortest_lead_s / REFRESH_PASSES_PER_LEAD;
    pass_s = pass_s < REFRESH_PASS_LEAST_S ? REFRESH_PASS_LEAST_S : pass_s;
    pass_s = pass_s > REFRESH_PASS_MOST_S ? REFRESH_PASS_MOST_S : pass_s;
    atomic_store(&cache->prefetch_next_at, cache_now_ms(cache) / 1000 + pass_s);
    refresh_fan_out(refresh);
}

void
refresh_prefetch(struct cache *cache)
{
    if (cache->options.refresh_before_s <= 0 ||
        mode_action(cache->options.mode, SITUATION_REFRESH) == ACTION_REFUSE_503 ||
        cache_now_ms(cache) / 1000 < atomic_load(&cache->prefetch_next_at) ||
        atomic_exchange(&cache->prefetching, true)) {
        return;
    }
    struct refresh *refresh = refresh_new(cache, NULL);
    if (refresh != NULL) {
        refresh->only_due = true;
    }
    if (!refresh_launch(refresh, prefetch_begin)) {
        atomic_store(&cache->prefetching, false);
    }
}
