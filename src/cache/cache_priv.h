/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of this room share: the cache itself, and the questions that its files answer for
 * one another. Not for other rooms.
 */
#ifndef CACHE_CACHE_PRIV_H
#define CACHE_CACHE_PRIV_H

#include <pthread.h>

#include "base/log.h"
#include "cache/cache.h"
#include "cache/flight.h"
#include "cache/memory.h"
#include "cache/respond.h"
#include "cache/workers.h"
#include "collateral/verify.h"

enum {
    CACHE_GENERATIONS = 4096,
    CACHE_REMEMBER_DOWN_MS = 5000,     /* api.md: a transient failure, per item */
    CACHE_REMEMBER_UNKNOWN_MS = 10000, /* api.md, Ceilings: what the PCS does not know */
    CACHE_ASK_AGAIN_S = 3600,          /* api.md: Not available certificates */
};

/* label of METRIC_CEILINGS; the words stand in cache.c */
enum ceiling {
    CEILING_CRL_URLS,
    CEILING_RAW_TCBS,
    CEILING_NEW_PLATFORMS,
    CEILING_FLIGHTS,
    CEILING_COUNT
};

struct cache {
    struct cache_options options;
    struct memory *memory;
    struct workers *workers;
    struct flights *flights;
    struct item_locks *locks;

    /* Held over "compare with what is kept, write, publish": what is written last is published
     * last. */
    pthread_mutex_t write_mutex;
    /* Protects generations against publishing what was read before a write (publish.c). */
    pthread_mutex_t publish_mutex;
    _Atomic uint32_t generations[CACHE_GENERATIONS];
    _Atomic uint32_t trust_epoch; /* raised by every new root CRL */

    /* Held for reading while a claim is given back, for writing while one is renewed
     * (exclusive.c). */
    pthread_rwlock_t claims_lock;

    /* The CRLs at hand, for revocation (trust_view.c). */
    pthread_mutex_t crl_mutex;
    struct proven *root_crl, *pck_crls[2];

    /* LazyNewPlatformsPerMinute (platform.c) */
    pthread_mutex_t allowance_mutex;
    int64_t allowance_minute;
    int allowance_used;

    _Atomic uint64_t hits, misses, stale;
    _Atomic bool is_stopping;         /* nobody is to wait any longer for another instance */
    int64_t renewed_ms;               /* follow.c: when the claims were last renewed */
    _Atomic bool refreshing;          /* a scheduled refresh is running */
    _Atomic bool prefetching;         /* so is a look for what is due */
    _Atomic unsigned refresh_workers; /* of the upstream lane, by all refreshes together */
    _Atomic int64_t prefetch_next_at;
    _Atomic int64_t gauges_next_at; /* gauges.c: of the counts, of the look at every item */
    _Atomic int64_t items_next_at;
    _Atomic bool platforms_counted; /* once: their FMSPCs get labels before those of TCB infos */
    _Atomic bool items_changed;     /* something was published since that look began */
    _Atomic bool items_walking;
    pthread_mutex_t unserved_mutex; /* protects unserved */
    struct cache_unserved unserved;
};

static inline int64_t
cache_now(const struct cache *cache)
{
    return clock_now(cache->options.clock);
}

static inline int64_t
cache_now_ms(const struct cache *cache)
{
    return clock_monotonic_ms(cache->options.clock);
}

/* ---- trust_view.c: what verify needs to know, as of now ---- */
struct trust_view {
    struct verify_context context;
    struct proven *root_crl, *pck_crls[2]; /* references that context borrows */
    struct store_chains chains;            /* only with_chains */
};
void trust_view_init(struct trust_view *view, struct cache *cache, enum verify_origin origin);
/* Also the chains at hand, from the store (trust.md rule 8, crl?uri=). */
void trust_view_add_chains(struct trust_view *view, struct cache *cache);
void trust_view_done(struct trust_view *view);
#define auto_trust_view __attribute__((cleanup(trust_view_done)))
/* Reads the kept CRLs at start. */
void trust_view_load_crls(struct cache *cache);
/* A newly published CRL takes effect. False for what is no such CRL, or the same bytes again. */
bool trust_view_learn(struct cache *cache, struct proven *crl);

/* ---- lookup.c: step 3 ---- */
/* What a call of the store gave, if it failed: a log line and a count. Each failure comes here
 * once. */
void store_trouble(const char *request_id, const struct fault *why);
/* The key of a response: the item's text, with the encoding where there are several. Returns its
 * length. */
size_t lookup_key(const struct request *request, char out[ITEM_KEY_TEXT_SIZE + 8]);
/* What the store keeps of an item, proved again; FAULT_NOT_FOUND also for a row that does not
 * verify (logged). */
int lookup_item(struct cache *cache, const struct item_key *key, struct proven **ret_proven,
                struct fault *why) must_check;

/* ---- fill.c: steps 4 to 7 ---- */
struct fill {
    struct upstream_query query;
    const char *request_id;
    bool is_authenticated; /* asks the PCS whatever is remembered */
    int retry_after_s;     /* set on FAULT_UPSTREAM_DOWN */
};
/* Fetches, verifies, stores and publishes one item; *ret_proven is what is kept now (the kept one
 * if the fetched one is older). */
int fill_run(struct cache *cache, struct fill *fill, struct proven **ret_proven,
             struct fault *why) must_check;
/* Steps 4 and 5 alone: a platform's certificates are stored together with more. */
int fill_fetch(struct cache *cache, struct fill *fill, struct raw_reply *ret_raw,
               struct fault *why) must_check;
int fill_verify(struct cache *cache, const struct item_key *key, const struct raw_reply *raw,
                const char *request_id, struct proven **ret_proven, struct fault *why) must_check;
enum obtain {
    OBTAIN_MISSING, /* fetch if missing or expired */
    OBTAIN_AGAIN    /* fetch whatever is cached (refresh) */
};
/* The item, kept or fetched, one fetch at a time. A failed fetch leaves what is kept:
 * *ret_proven is then set too, if there is any, and the code is that of the fetch. */
int fill_obtain(struct cache *cache, const struct item_key *key, enum obtain how, struct fill *fill,
                struct proven **ret_proven, struct fault *why) must_check;
/* May root_crl be kept under its URL too? *ret_url is url, or NULL if a newer one is kept there. */
int fill_check_crl_url(struct cache *cache, const char *url, const struct proven *root_crl,
                       const char **ret_url, struct fault *why) must_check;
/* Unproven: the security event, its metric. */
void fill_report_unproven(struct cache *cache, const struct item_key *key, const char *from,
                          const char *request_id, const struct fault *why);

/* ---- publish.c: step 7 ---- */
/* Makes proven what every later request gets; drops what it replaces. epoch: publish_epoch from
 * before it was proven; if a root CRL came since, it is read back and judged anew when asked for.
 * The write mutex is held. */
void publish_item(struct cache *cache, struct proven *proven, uint32_t epoch);
uint32_t publish_epoch(struct cache *cache);
/* All responses of a platform's raw TCBs go; mappings: those known to be in memory. The write mutex
 * is held. */
void publish_platform(struct cache *cache, const struct platform_id *id,
                      const struct store_mapping *mappings, size_t count);
void publish_drop(struct cache *cache, struct span key);
/* For what was read from the store: the generation before reading, and a publication that only
 * takes place if nothing was written since. */
uint32_t publish_generation(struct cache *cache, struct span key);
void publish_loaded(struct cache *cache, struct span key, uint32_t generation,
                    struct response *response, int64_t lives_until_ms);
/* Lets look-ups find a refusal for a while (404: 10 s, 503 from upstream: 5 s; others not at all),
 * under the same condition. */
void publish_refusal(struct cache *cache, struct span key, uint32_t generation,
                     struct response *response);
/* Drops what is answered of an item, in all encodings. */
void publish_drop_item(struct cache *cache, const struct item_key *key);
/* A signer of anything may be revoked now, or anything may have changed: whatever is answered from
 * here on is judged anew. */
void publish_forget_all(struct cache *cache);
/* Remembers for as long why the PCS was asked in vain, under a key that no look-up has. */
void publish_remember(struct cache *cache, struct span key, const struct fault *why,
                      int retry_after_s);
/* The key under which it is remembered of an item. Returns its length. */
enum { PUBLISH_KEY_SIZE = ITEM_KEY_TEXT_SIZE + 8 };
size_t publish_asked_key(const struct item_key *key, char out[PUBLISH_KEY_SIZE]);
/* The fault remembered for such a key: true and *why, of stage "remembered". */
bool publish_remembered(struct cache *cache, struct span key, struct fault *why,
                        int *ret_retry_after_s);

/* ---- exclusive.c: one fetch at a time ---- */
enum exclusive {
    EXCLUSIVE_WORKERS,  /* among the workers of this instance */
    EXCLUSIVE_INSTANCES /* and among the instances on one database: for what a client waits for */
};
/* FAULT_MEMORY, FAULT_STORE, FAULT_BUSY: then it is not held. */
int exclusive_begin(struct cache *cache, const char *key, enum exclusive among,
                    struct fault *why) must_check;
void exclusive_end(struct cache *cache, const char *key);
/* Keeps the claims of fetches that take long. */
void exclusive_renew(struct cache *cache);
/* Gives back what could not be given back while the database was away. */
void exclusive_settle(struct cache *cache);

/* ---- gauges.c: what the metrics tell of the store ---- */
void gauges_name(void);
void gauges_tick(struct cache *cache);

/* ---- item.c: GETs of items ---- */
/* The answer, or NULL and *ret_needs_upstream: run again on the upstream lane. */
struct response *item_answer(struct cache *cache, const struct ask *ask, enum lane lane,
                             bool *ret_needs_upstream);

/* ---- platform.c, pck.c: PCK certificates ---- */
/* The FMSPCs whose TCB infos a refresh has already asked for: each item once per refresh. */
struct fmspc_set {
    pthread_mutex_t mutex; /* protects all */
    struct fmspc *list;
    size_t count;
};
struct platform_wish {
    struct platform_id id;
    const struct raw_tcb *raw;  /* to be selected and mapped; NULL: none */
    struct span encrypted_ppid; /* hex; empty: none */
    struct span manifest;       /* hex; empty: none */
    bool keep_identity;         /* do not write manifest and enc_ppid of a known platform */
    bool is_authenticated;      /* asks the PCS whatever is remembered */
    struct fmspc_set *asked;    /* of the refresh that it is part of; NULL: none */
    const char *request_id;
    int retry_after_s;       /* set on FAULT_UPSTREAM_DOWN */
    bool raw_is_unavailable; /* set in REQ mode: raw is queued as Not available */
};
/* Fetches a platform's certificates and TCB infos, verifies, selects, stores, publishes (api.md,
 * Fetching a platform from the PCS). *ret_unavailable, if not NULL: some were Not available. */
int platform_fetch(struct cache *cache, struct platform_wish *wish, bool *ret_unavailable,
                   struct fault *why) must_check;
/* False when the ceiling on new platforms of unauthenticated callers is reached. */
bool platform_allowance(struct cache *cache);
/* Is it remembered that the PCS does not know the platform, or cannot be reached? */
bool platform_is_remembered(struct cache *cache, const struct platform_wish *wish);
/* prefix and the digest of a and b: for what is remembered of a PPID or a manifest. */
enum { PLATFORM_KEY_SIZE = 96 };
void platform_digest_key(const char *prefix, struct span a, struct span b,
                         char out[PLATFORM_KEY_SIZE]);
struct response *pck_answer(struct cache *cache, const struct ask *ask, enum lane lane,
                            bool *ret_needs_upstream);

/* ---- select.c: PCK certificate selection on what is cached ---- */
/* The keys of what selection may use, in the order of preference: early, then standard. */
enum { SELECT_CANDIDATES = 4 };
void select_candidates(const struct fmspc *fmspc, struct item_key out[SELECT_CANDIDATES]);
/* The SGX TCB info that selection uses: the first of them that is cached. FAULT_NOT_FOUND. */
int select_tcbinfo(struct cache *cache, const struct fmspc *fmspc, struct proven **ret_proven,
                   struct fault *why) must_check;
/* Changes with every TCB info that select_tcbinfo may give for the FMSPC. */
uint32_t select_generation(struct cache *cache, const struct fmspc *fmspc);
/* The certificate for a raw TCB; its index in certs->pcks. */
int select_pck(const struct proven *certs, const struct proven *tcbinfo,
               const struct platform_id *id, const struct raw_tcb *raw, size_t *ret_index,
               struct fault *why) must_check;
/* Selects every mapping again in place ("" where nothing suits). True if any changed. */
bool select_mappings(const struct proven *certs, const struct proven *tcbinfo,
                     const struct platform_id *id, struct store_mapping *mappings, size_t count);
/* A platform's cached certificates, proved again. */
int select_load_certs(struct cache *cache, const struct platform_id *id,
                      struct store_platform *ret_platform, struct proven **ret_certs,
                      struct fault *why) must_check;
/* After a change of SGX TCB info: every known raw TCB of its platforms, as a job of its own. */
void select_again_later(struct cache *cache, const struct fmspc *fmspc);

/* ---- the other questions: each runs whole on a worker and gives the response ---- */
struct response *enroll_run(struct cache *cache, struct ask *ask);  /* POST platforms */
struct response *handout_run(struct cache *cache, struct ask *ask); /* GET platforms, ack */
/* The FMSPCs of a request's list, to be freed; *ret_count 0: all. NULL if memory ran out. */
struct fmspc *handout_fmspcs(const struct request *request, size_t *ret_count);
struct response *upload_run(struct cache *cache, struct ask *ask); /* PUT platformcollateral */
struct response *policy_put_run(struct cache *cache, struct ask *ask);
struct response *policy_answer(struct cache *cache, const struct ask *ask);
/* Refresh fans out over the upstream lane; ask (may be NULL: scheduled) is answered at its end. */
void refresh_start(struct cache *cache, struct ask *ask);
void refresh_prefetch(struct cache *cache);

/* A response for a fault; never NULL (a static one if memory ran out). */
struct response *cache_refuse(const struct fault *why, bool is_collateral_get, int retry_after_s);

#endif
