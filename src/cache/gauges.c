/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeps the gauges that only the store can tell: queue and platforms twice a minute; of every item
 * how long it lives and how old it is, by kind and FMSPC, every five minutes or soon after a
 * change. Takes the cache, gives numbers to the metrics. gauges_tick is called by the timer; the
 * counting runs on the local lane, one look at a time. Must never let its cost or the number of
 * series grow with what outsiders ask for: a look takes a fiftieth of a worker's time at most, and
 * FMSPCs beyond GAUGE_FMSPCS are counted together.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cache/cache_priv.h"
#include "metrics/metrics.h"

enum {
    GAUGES_EVERY_S = 30,
    ITEMS_EVERY_S = 300,
    ITEMS_LEAST_S = 5, /* after a change */
    ITEMS_SHARE = 50,  /* a look that took one second rests for fifty */
    /* labels of an FMSPC: none, those met first, the rest together */
    GAUGE_FMSPC_NONE = 0,
    GAUGE_FMSPC_OTHER = METRIC_LABEL2_MAX - 1,
    GAUGE_FMSPCS = GAUGE_FMSPC_OTHER - 1,
};
_Static_assert(METRIC_LABEL1_MAX == METRIC_LABEL2_MAX, "an FMSPC has the same label everywhere");

/* The first labels; TCB infos and identities take three each: standard, early, numbered. */
static const char *const item_words[] = {
    "sgx_tcb",
    "sgx_tcb_early",
    "sgx_tcb_numbered",
    "tdx_tcb",
    "tdx_tcb_early",
    "tdx_tcb_numbered",
    "qe_identity",
    "qe_identity_early",
    "qe_identity_numbered",
    "qve_identity",
    "qve_identity_early",
    "qve_identity_numbered",
    "tdqe_identity",
    "tdqe_identity_early",
    "tdqe_identity_numbered",
    "qae_identity",
    "qae_identity_early",
    "qae_identity_numbered",
    "pckcrl_processor",
    "pckcrl_platform",
    "rootcacrl",
    "crl",
    "evalnumbers",
    "tdx_evalnumbers",
};
enum {
    ITEM_LABEL_IDENTITY = 6,
    ITEM_LABEL_PCK_CRL = 18,
    ITEM_LABEL_ROOT_CRL = 20,
    ITEM_LABEL_CRL = 21,
    ITEM_LABEL_EVALNUMBERS = 22,
    ITEM_LABELS = ARRAY_COUNT(item_words)
};

/* The labels of FMSPCs, in the order in which they were met. An FMSPC keeps its label for good:
 * the metrics read the words at any time. */
static struct {
    pthread_mutex_t mutex; /* protects both */
    struct fmspc list[GAUGE_FMSPCS];
    unsigned count;
} labels = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static unsigned
label_of(const char *hex)
{
    if (hex[0] == '\0') {
        return GAUGE_FMSPC_NONE;
    }
    pthread_mutex_lock(&labels.mutex);
    unsigned i = 0;
    while (i < labels.count && strcmp(labels.list[i].hex, hex) != 0) {
        i++;
    }
    if (i == labels.count && labels.count < GAUGE_FMSPCS) {
        memcpy(labels.list[i].hex, hex, sizeof labels.list[i].hex);
        labels.count++;
        metrics_name_label1(METRIC_PLATFORMS, i + 1, labels.list[i].hex);
        metrics_name_label2(METRIC_ITEM_EXPIRY, i + 1, labels.list[i].hex);
        metrics_name_label2(METRIC_ITEM_ISSUED, i + 1, labels.list[i].hex);
        metrics_name_label2(METRIC_ITEMS, i + 1, labels.list[i].hex);
    }
    pthread_mutex_unlock(&labels.mutex);
    return i < GAUGE_FMSPCS ? i + 1 : GAUGE_FMSPC_OTHER;
}

void
gauges_name(void)
{
    static const char *const states[] = {"new", "not_available", "handed_out"};
    for (unsigned i = 0; i < ARRAY_COUNT(states); i++) {
        metrics_name_label1(METRIC_QUEUE, i, states[i]);
    }
    metrics_name_label1(METRIC_PLATFORMS, GAUGE_FMSPC_NONE, "");
    metrics_name_label1(METRIC_PLATFORMS, GAUGE_FMSPC_OTHER, "other");
    const enum metric of_items[] = {METRIC_ITEM_EXPIRY, METRIC_ITEM_ISSUED, METRIC_ITEMS};
    for (unsigned i = 0; i < ARRAY_COUNT(of_items); i++) {
        metrics_name_label2(of_items[i], GAUGE_FMSPC_NONE, "");
        metrics_name_label2(of_items[i], GAUGE_FMSPC_OTHER, "other");
        for (unsigned item = 0; item < ITEM_LABELS; item++) {
            metrics_name_label1(of_items[i], item, item_words[item]);
        }
    }
}

/* ---- queue and platforms ---- */

struct gauges_job {
    struct job job;
    struct cache *cache;
};

/* Of one look: what each label comes to. */
struct platform_look {
    uint64_t counts[METRIC_LABEL1_MAX];
    uint64_t sum;
};

static void
count_platforms(void *self, const struct fmspc *fmspc, uint64_t count)
{
    struct platform_look *look = self;
    look->counts[label_of(fmspc->hex)] += count;
    look->sum += count;
}

static void
show_platforms(const struct platform_look *look, uint64_t platforms)
{
    for (unsigned i = 0; i < METRIC_LABEL1_MAX; i++) {
        uint64_t count = look->counts[i];
        if (i == GAUGE_FMSPC_OTHER && platforms > look->sum) {
            count += platforms - look->sum; /* of the FMSPCs that were not listed */
        }
        metric_set(METRIC_PLATFORMS, i, 0, (int64_t)count);
    }
}

static void
gauges_run(struct job *job)
{
    struct cache *cache = ((struct gauges_job *)job)->cache;
    free(job);
    struct cache_counts counts = {0};
    struct platform_look look = {0};
    struct fault why = {0};
    int64_t start_ms = cache_now_ms(cache);
    if (cache_counts(cache, &counts, &why) != 0 ||
        store_count_fmspcs(cache->options.store, GAUGE_FMSPCS, count_platforms, &look, &why) != 0) {
        store_trouble(NULL, &why);
        atomic_store(&cache->platforms_counted, true);
        return;
    }
    atomic_store(&cache->platforms_counted, true);
    show_platforms(&look, counts.store.platforms);
    for (unsigned state = 0; state < ARRAY_COUNT(counts.queue); state++) {
        metric_set(METRIC_QUEUE, state, 0, (int64_t)counts.queue[state]);
    }
    int64_t rest_s = ITEMS_SHARE * (cache_now_ms(cache) - start_ms) / 1000;
    if (rest_s > GAUGES_EVERY_S) { /* a very large table */
        atomic_store(&cache->gauges_next_at, cache_now_ms(cache) / 1000 + rest_s);
    }
}

/* ---- every item ---- */

struct item_look {
    struct job job;
    struct cache *cache;
    int64_t expiry[ITEM_LABELS][METRIC_LABEL2_MAX]; /* the first; 0: no such item */
    int64_t issued[ITEM_LABELS][METRIC_LABEL2_MAX]; /* the oldest */
    int64_t counts[ITEM_LABELS][METRIC_LABEL2_MAX];
    struct cache_unserved unserved;
};

static unsigned
update_offset(enum update_type update)
{
    return update == UPDATE_EARLY ? 1 : update == UPDATE_NUMBERED ? 2 : 0;
}

/* False for what has no end, and for version 3 where it is no longer fetched. */
static bool
item_label(const struct cache *cache, const struct item_key *key, unsigned *ret_label)
{
    if (key->api_version != cache->options.upstream_version &&
        (key->kind == ITEM_TCBINFO || key->kind == ITEM_IDENTITY)) {
        return false;
    }
    switch (key->kind) {
    case ITEM_TCBINFO:
        *ret_label = 3U * key->product + update_offset(key->update);
        return true;
    case ITEM_IDENTITY:
        *ret_label =
            ITEM_LABEL_IDENTITY + 3U * (key->enclave - ENCLAVE_QE) + update_offset(key->update);
        return true;
    case ITEM_PCK_CRL:
        *ret_label = ITEM_LABEL_PCK_CRL + key->ca;
        return true;
    case ITEM_ROOT_CRL:
        *ret_label = ITEM_LABEL_ROOT_CRL;
        return true;
    case ITEM_CRL:
        *ret_label = ITEM_LABEL_CRL;
        return true;
    case ITEM_EVALNUMBERS:
        *ret_label = ITEM_LABEL_EVALNUMBERS + key->product;
        return true;
    case ITEM_PCK:
    case ITEM_FMSPCS:
    case ITEM_POLICIES:
        return false;
    }
    return false;
}

static void
keep_first(int64_t *kept, int64_t time)
{
    if (*kept == 0 || time < *kept) {
        *kept = time;
    }
}

static void
note_unserved(struct cache_unserved *unserved, const struct item_key *key)
{
    if (unserved->count < CACHE_UNSERVED_NAMED) {
        char text[ITEM_KEY_TEXT_SIZE];
        item_key_text(key, text);
        snprintf(unserved->names[unserved->count], CACHE_UNSERVED_NAME_SIZE, "%.*s",
                 CACHE_UNSERVED_NAME_SIZE - 1, text);
    }
    unserved->count++;
}

static bool
look_at_item(void *self, const struct item_key *key)
{
    struct item_look *look = self;
    auto_proven struct proven *kept = NULL;
    unsigned item = 0;
    int code = lookup_item(look->cache, key, &kept, NULL);
    if (code == FAULT_NOT_FOUND) {
        note_unserved(&look->unserved, key);
    }
    if (code == 0 && item_label(look->cache, key, &item)) {
        unsigned fmspc = label_of(key->kind == ITEM_TCBINFO ? key->fmspc.hex : "");
        keep_first(&look->expiry[item][fmspc], kept->fresh_until);
        keep_first(&look->issued[item][fmspc], kept->issued_at);
        look->counts[item][fmspc]++;
    }
    return true;
}

static void
items_run(struct job *job)
{
    struct item_look *look = (struct item_look *)job;
    struct cache *cache = look->cache;
    struct fault why = {0};
    int64_t start_ms = cache_now_ms(cache);
    atomic_store(&cache->items_changed, false);
    if (store_each_item(cache->options.store, look_at_item, look, &why) != 0) {
        store_trouble(NULL, &why);
    } else {
        for (unsigned item = 0; item < ITEM_LABELS; item++) {
            for (unsigned fmspc = 0; fmspc < METRIC_LABEL2_MAX; fmspc++) {
                metric_set(METRIC_ITEM_EXPIRY, item, fmspc, look->expiry[item][fmspc]);
                metric_set(METRIC_ITEM_ISSUED, item, fmspc, look->issued[item][fmspc]);
                metric_set(METRIC_ITEMS, item, fmspc, look->counts[item][fmspc]);
            }
        }
        pthread_mutex_lock(&cache->unserved_mutex);
        cache->unserved = look->unserved;
        pthread_mutex_unlock(&cache->unserved_mutex);
    }
    int64_t end_ms = cache_now_ms(cache);
    int64_t rest_s = ITEMS_SHARE * (end_ms - start_ms) / 1000;
    rest_s = rest_s < ITEMS_LEAST_S ? ITEMS_LEAST_S : rest_s;
    atomic_store(&cache->items_next_at, end_ms / 1000 + rest_s);
    atomic_store(&cache->items_walking, false);
    free(look);
}

/* ---- when ---- */

static void
items_tick(struct cache *cache, int64_t now_s)
{
    int64_t next_at = atomic_load(&cache->items_next_at);
    bool is_due = now_s >= next_at && (atomic_load(&cache->items_changed) || next_at == 0 ||
                                       now_s >= next_at + ITEMS_EVERY_S);
    if (!is_due || !atomic_load(&cache->platforms_counted) ||
        atomic_exchange(&cache->items_walking, true)) {
        return;
    }
    struct item_look *look = calloc(1, sizeof *look);
    if (look == NULL) {
        atomic_store(&cache->items_walking, false);
        return;
    }
    look->job.run = items_run;
    look->cache = cache;
    workers_add(cache->workers, LANE_LOCAL, &look->job);
}

void
gauges_tick(struct cache *cache)
{
    int64_t now_s = cache_now_ms(cache) / 1000;
    struct gauges_job *job = NULL;
    if (now_s >= atomic_load(&cache->gauges_next_at) && (job = calloc(1, sizeof *job)) != NULL) {
        atomic_store(&cache->gauges_next_at, now_s + GAUGES_EVERY_S);
        job->job.run = gauges_run;
        job->cache = cache;
        workers_add(cache->workers, LANE_LOCAL, &job->job);
    }
    items_tick(cache, now_s);
}
