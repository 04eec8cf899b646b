/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cache: a memory of finished responses in front of the store, the store in front of the PCS.
 *
 *     request -> validate -> look up -> (miss) fetch -> verify -> store -> publish -> answer
 *
 * A server loop calls cache_lookup (step 3: no lock, no allocation, never blocks); on a miss it
 * hands a struct ask to cache_ask, which joins or starts the one flight of that key on a worker;
 * done is called with the finished response. What is not collateral (registrations, uploads,
 * refresh, queue, policies) takes the same way without the look-up.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "cache/response.h"
#include "ports/store_port.h"
#include "ports/upstream_port.h"
#include "request/request.h"

struct cache_options {
    enum cache_mode mode;
    unsigned upstream_version; /* 3 or 4 */
    bool stale_reject;
    int64_t refresh_before_s;  /* 0: off */
    int64_t memory_bytes;      /* MemoryCacheSize */
    unsigned upstream_workers; /* UpstreamConcurrency; 0: no threads at all, cache_run_jobs runs
                                  them (scenario tests) */
    unsigned local_workers;    /* jobs that never wait for the network */
    int lazy_new_platforms_per_minute;
    const struct trust_anchors *anchors; /* borrowed for the cache's life */
    const struct request_policy *policy; /* borrowed; for rootcacrl_cdp of uploads */
    const struct clock *clock;
    struct store *store;       /* borrowed */
    struct upstream *upstream; /* borrowed; may be NULL in OFFLINE */
};

struct cache;
int cache_new(const struct cache_options *options, struct cache **ret_cache,
              struct fault *why) must_check;
/* Runs what is queued to its end and answers it: stop the upstream first, so that this is 503 at
 * once for what needs it. NULL is fine. */
void cache_free(struct cache *cache);

/* Every thread that calls cache_lookup, cache_run_jobs or cache_free: once at its start and end. */
void cache_thread_start(void);
void cache_thread_stop(void);

/* Step 3 of 8. A referenced finished response (release with response_unref) or NULL: ask. */
struct response *cache_lookup(struct cache *cache, const struct request *request);

/* One question that waits for its answer. The caller embeds it in a larger heap object. */
struct ask {
    struct request request;
    char request_id[LIMIT_REQUEST_ID_CHARS + 1];
    struct buf body; /* POST, PUT; owned by the ask */
    /* Called once, on any thread, with a referenced response that done releases; the ask is the
     * callee's again. */
    void (*done)(struct ask *ask, struct response *response);
    struct ask *next; /* the flight's list of waiters */
};
void cache_ask(struct cache *cache, struct ask *ask);

/* Starts a refresh of everything (RefreshSchedule) unless one is running. */
void cache_refresh_all(struct cache *cache);
bool cache_is_refreshing(struct cache *cache); /* such a one */
/* To be called about once a second: gauges, and prefetch ahead of expiry if that is ours to do. */
void cache_tick(struct cache *cache, bool prefetches);
/* Waits at most timeout_ms for what other instances on the same database write, and publishes it.
 * Called over and over by one thread, if the store is shared (store_is_shared). FAULT_STORE. */
int cache_follow(struct cache *cache, int timeout_ms, struct fault *why) must_check;
/* Whoever waits for another instance waits no longer. Any thread. */
void cache_stop_waiting(struct cache *cache);
/* Runs queued jobs on the caller's thread until none is left (upstream_workers 0). */
void cache_run_jobs(struct cache *cache);

/* For /healthz/ready and the dashboard: 0 if the store can be read and written. */
int cache_ready(struct cache *cache, struct fault *why) must_check;
struct cache_counts {
    uint64_t hits, misses, stale;
    uint64_t memory_items, memory_bytes, flights, jobs_waiting;
    struct store_counts store;
    uint64_t queue[3];
};
int cache_counts(struct cache *cache, struct cache_counts *ret_counts,
                 struct fault *why) must_check;
/* Items whose rows do not verify, or have no chain: left in place, not served. As of the last look
 * at all of them, which is taken at the start and now and then. */
enum { CACHE_UNSERVED_NAMED = 16, CACHE_UNSERVED_NAME_SIZE = 160 };
struct cache_unserved {
    uint64_t count;
    char names[CACHE_UNSERVED_NAMED][CACHE_UNSERVED_NAME_SIZE]; /* of the first; keys as logged */
};
void cache_unserved(struct cache *cache, struct cache_unserved *ret_unserved);

#endif
