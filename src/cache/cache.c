/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cache put together: made from its options, asked questions, ticked, taken apart. cache_ask
 * sends each question its way: GETs of collateral into the one flight of their key, everything
 * else as a job of its own.
 * cache_ask is called on server loops and never blocks; the runs are called on workers.
 * Must never answer an ask twice, or not at all.
 * design.md, The way of one request, Threads.
 */
#include "cache/cache.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cache/cache_priv.h"
#include "metrics/metrics.h"

/* ---- refusals ---- */

/* For the moment when even a refusal cannot be allocated; never freed. */
static struct response refusal_of_last_resort = {.status = 500, .fault = FAULT_MEMORY};

struct response *
cache_refuse(const struct fault *why, bool is_collateral_get, int retry_after_s)
{
    struct response *response = response_of_fault(why, is_collateral_get, retry_after_s);
    if (response == NULL) {
        response = &refusal_of_last_resort;
        atomic_store(&response->references, 1 << 30); /* never reaches zero */
    }
    return response;
}

static void
ask_refuse(struct ask *ask, int code, const char *text, bool is_collateral_get)
{
    struct fault why = {0};
    fault_set(&why, (enum fault_code)code, "ask", "%s", text);
    ask->done(ask, cache_refuse(&why, is_collateral_get, 1));
}

/* ---- flights: GETs of collateral ---- */

static struct response *
flight_answer(struct flight *flight, bool *ret_needs_upstream)
{
    const struct ask *ask = flight->first;
    if (ask->request.route == ROUTE_PCKCERT) {
        return pck_answer(flight->cache, ask, flight->lane, ret_needs_upstream);
    }
    if (ask->request.route == ROUTE_POLICY_GET) {
        return policy_answer(flight->cache, ask);
    }
    return item_answer(flight->cache, ask, flight->lane, ret_needs_upstream);
}

static void
flight_run(struct job *job)
{
    struct flight *flight = (struct flight *)job;
    bool needs_upstream = false;
    log_for_request(flight->first->request_id);
    struct response *response = flight_answer(flight, &needs_upstream);
    log_for_request(NULL);
    if (needs_upstream) {
        flight->lane = LANE_UPSTREAM;
        workers_add(flight->cache->workers, LANE_UPSTREAM, &flight->job);
        return;
    }
    flight_land(flight->cache->flights, flight, response);
}

/* Everybody who asks with another encrypted PPID flies alone: a wrong one must not decide for a
 * right one. */
static size_t
flight_key(const struct request *request, char out[FLIGHT_KEY_SIZE])
{
    size_t size = lookup_key(request, out);
    if (request->route == ROUTE_PCKCERT) {
        size_t ppid_size = strlen(request->encrypted_ppid);
        out[size++] = '/';
        memcpy(out + size, request->encrypted_ppid, ppid_size);
        size += ppid_size;
    }
    return size;
}

static void
ask_by_flight(struct cache *cache, struct ask *ask)
{
    char key[FLIGHT_KEY_SIZE];
    size_t size = flight_key(&ask->request, key);
    struct flight *started = NULL;
    int code = flight_join(cache->flights, span_of(key, size), ask, &started);
    if (code != 0) {
        metric_add(METRIC_CEILINGS, CEILING_FLIGHTS, 0, 1);
        ask_refuse(ask, code, "too many items are being asked for at once", true);
    } else if (started != NULL) {
        started->cache = cache;
        started->lane = LANE_LOCAL;
        started->job.run = flight_run;
        workers_add(cache->workers, LANE_LOCAL, &started->job);
    }
}

/* ---- everything else: a job of its own ---- */

struct ask_job {
    struct job job;
    struct cache *cache;
    struct ask *ask;
    struct response *(*run)(struct cache *cache, struct ask *ask);
};

static void
ask_job_run(struct job *job)
{
    struct ask_job *ask_job = (struct ask_job *)job;
    struct ask *ask = ask_job->ask;
    log_for_request(ask->request_id);
    struct response *response = ask_job->run(ask_job->cache, ask);
    log_for_request(NULL);
    free(ask_job);
    ask->done(ask, response);
}

static void
ask_by_job(struct cache *cache, struct ask *ask, enum lane lane,
           struct response *(*run)(struct cache *cache, struct ask *ask))
{
    struct ask_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        ask_refuse(ask, FAULT_MEMORY, "no memory for a job", false);
        return;
    }
    *job = (struct ask_job){.job.run = ask_job_run, .cache = cache, .ask = ask, .run = run};
    workers_add(cache->workers, lane, &job->job);
}

void
cache_ask(struct cache *cache, struct ask *ask)
{
    switch ((int)ask->request.route) {
    case ROUTE_PLATFORMS_POST:
        ask_by_job(cache, ask,
                   cache->options.mode == CACHE_MODE_OFFLINE ? LANE_LOCAL : LANE_UPSTREAM,
                   enroll_run);
        break;
    case ROUTE_PLATFORMS_GET:
    case ROUTE_PLATFORMS_ACK:
        ask_by_job(cache, ask, LANE_LOCAL, handout_run);
        break;
    case ROUTE_COLLATERAL_PUT:
        ask_by_job(cache, ask, LANE_LOCAL, upload_run);
        break;
    case ROUTE_POLICY_PUT:
        ask_by_job(cache, ask, LANE_LOCAL, policy_put_run);
        break;
    case ROUTE_REFRESH:
        refresh_start(cache, ask);
        break;
    default: /* GETs of collateral */
        ask_by_flight(cache, ask);
        break;
    }
}

/* ---- life ---- */

static void
cache_name_metrics(void)
{
    static const char *const ceilings[CEILING_COUNT] = {
        [CEILING_CRL_URLS] = "crl_urls",
        [CEILING_RAW_TCBS] = "raw_tcbs",
        [CEILING_NEW_PLATFORMS] = "new_platforms",
        [CEILING_FLIGHTS] = "flights",
    };
    static const char *const kinds[] = {
        [ITEM_TCBINFO] = "tcbinfo",         [ITEM_IDENTITY] = "identity", [ITEM_PCK_CRL] = "pckcrl",
        [ITEM_ROOT_CRL] = "rootcrl",        [ITEM_CRL] = "crl",           [ITEM_PCK] = "pck",
        [ITEM_EVALNUMBERS] = "evalnumbers", [ITEM_FMSPCS] = "fmspcs",
    };
    static const char *const lookups[] = {"hit", "miss", "stale"};
    static const char *const refreshes[] = {"done", "failed"};
    for (unsigned i = 0; i < ARRAY_COUNT(ceilings); i++) {
        metrics_name_label1(METRIC_CEILINGS, i, ceilings[i]);
    }
    for (unsigned i = 0; i < ARRAY_COUNT(kinds); i++) {
        metrics_name_label1(METRIC_UNPROVEN, i, kinds[i]);
    }
    for (unsigned i = 0; i < ARRAY_COUNT(lookups); i++) {
        metrics_name_label1(METRIC_CACHE, i, lookups[i]);
    }
    for (unsigned i = 0; i < ARRAY_COUNT(refreshes); i++) {
        metrics_name_label1(METRIC_REFRESH, i, refreshes[i]);
        metrics_name_label1(METRIC_REFRESH_ENDED, i, refreshes[i]);
    }
    gauges_name();
}

int
cache_new(const struct cache_options *options, struct cache **ret_cache, struct fault *why)
{
    struct cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        return fault_set(why, FAULT_MEMORY, "start", "no memory for the cache");
    }
    cache->options = *options;
    pthread_mutex_init(&cache->write_mutex, NULL);
    pthread_mutex_init(&cache->publish_mutex, NULL);
    pthread_mutex_init(&cache->crl_mutex, NULL);
    pthread_mutex_init(&cache->allowance_mutex, NULL);
    pthread_rwlock_init(&cache->claims_lock, NULL);
    pthread_mutex_init(&cache->unserved_mutex, NULL);
    cache->memory = memory_new(options->memory_bytes);
    cache->flights = flights_new();
    cache->locks = item_locks_new();
    if (cache->memory == NULL || cache->flights == NULL || cache->locks == NULL) {
        cache_free(cache);
        return fault_set(why, FAULT_MEMORY, "start", "no memory for the cache");
    }
    cache_name_metrics();
    trust_view_load_crls(cache);
    const unsigned threads[LANE_COUNT] = {
        [LANE_LOCAL] = options->local_workers,
        [LANE_UPSTREAM] = options->upstream_workers,
    };
    int code = workers_new(threads, &cache->workers, why);
    if (code != 0) {
        cache_free(cache);
        return code;
    }
    *ret_cache = cache;
    return 0;
}

void
cache_free(struct cache *cache)
{
    if (cache == NULL) {
        return;
    }
    workers_free(cache->workers);
    flights_free(cache->flights);
    item_locks_free(cache->locks);
    memory_free(cache->memory);
    proven_unref(cache->root_crl);
    proven_unref(cache->pck_crls[0]);
    proven_unref(cache->pck_crls[1]);
    pthread_mutex_destroy(&cache->write_mutex);
    pthread_mutex_destroy(&cache->publish_mutex);
    pthread_mutex_destroy(&cache->crl_mutex);
    pthread_mutex_destroy(&cache->allowance_mutex);
    pthread_rwlock_destroy(&cache->claims_lock);
    pthread_mutex_destroy(&cache->unserved_mutex);
    free(cache);
}

void
cache_thread_start(void)
{
    memory_thread_start();
}

void
cache_thread_stop(void)
{
    memory_thread_stop();
}

void
cache_run_jobs(struct cache *cache)
{
    workers_run_all(cache->workers);
}

/* ---- looking after itself ---- */

int
cache_ready(struct cache *cache, struct fault *why)
{
    return store_ping(cache->options.store, why);
}

int
cache_counts(struct cache *cache, struct cache_counts *ret_counts, struct fault *why)
{
    struct cache_counts counts = {
        .hits = atomic_load(&cache->hits),
        .misses = atomic_load(&cache->misses),
        .stale = atomic_load(&cache->stale),
        .flights = flights_count(cache->flights),
        .jobs_waiting = workers_waiting(cache->workers),
    };
    memory_count(cache->memory, &counts.memory_items, &counts.memory_bytes);
    int code = store_counts(cache->options.store, &counts.store, why);
    if (code == 0) {
        code = store_queue_counts(cache->options.store, counts.queue, why);
    }
    if (code == 0) {
        *ret_counts = counts;
    }
    return code;
}

void
cache_unserved(struct cache *cache, struct cache_unserved *ret_unserved)
{
    pthread_mutex_lock(&cache->unserved_mutex);
    *ret_unserved = cache->unserved;
    pthread_mutex_unlock(&cache->unserved_mutex);
}

void
cache_tick(struct cache *cache, bool prefetches)
{
    uint64_t items = 0;
    uint64_t bytes = 0;
    memory_count(cache->memory, &items, &bytes);
    metric_set(METRIC_CACHE_BYTES, 0, 0, (int64_t)bytes);
    metric_set(METRIC_FLIGHTS, 0, 0, (int64_t)flights_count(cache->flights));
    metric_set(METRIC_CACHE, 0, 0, (int64_t)atomic_load(&cache->hits));
    metric_set(METRIC_CACHE, 1, 0, (int64_t)atomic_load(&cache->misses));
    metric_set(METRIC_CACHE, 2, 0, (int64_t)atomic_load(&cache->stale));
    gauges_tick(cache);
    if (prefetches) {
        refresh_prefetch(cache);
    }
}

void
cache_stop_waiting(struct cache *cache)
{
    atomic_store(&cache->is_stopping, true);
}
