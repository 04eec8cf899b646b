/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One fetch at a time of one item: among the workers of this instance by an item lock, among the
 * instances on one database by a claim in it.
 * Takes an item's key, gives the right to ask the PCS for it; whoever comes second finds in the
 * store what the first one fetched.
 * Called on the workers of the upstream lane; waits for other workers and other instances.
 * exclusive_renew and exclusive_settle are called by the thread that follows the other instances.
 * Must never wait for ever: a claim ends when its holder dies, and the wait at its own time.
 * docs/decisions/0007; api.md, When upstream fails.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "cache/cache_priv.h"

enum {
    CLAIM_S = 10, /* renewed while it is held; after that a dead instance's is free */
    WAIT_FIRST_MS = 20,
    WAIT_MOST_MS = 200,
    WAIT_ALL_MS = 150000, /* longer than a client waits */
};

static void
pause_ms(int milliseconds)
{
    struct timespec wait = {.tv_nsec = milliseconds * 1000000L};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
}

static int
claim_wait(struct cache *cache, const char *key, struct fault *why)
{
    int wait_ms = WAIT_FIRST_MS;
    int64_t until_ms = cache_now_ms(cache) + WAIT_ALL_MS;
    do {
        bool is_held = false;
        int code = store_claim(cache->options.store, key, CLAIM_S, &is_held, why);
        if (code != 0) {
            store_trouble(NULL, why);
            return code;
        }
        if (is_held) {
            return 0;
        }
        if (atomic_load(&cache->is_stopping)) {
            break;
        }
        pause_ms(wait_ms);
        wait_ms = 2 * wait_ms < WAIT_MOST_MS ? 2 * wait_ms : WAIT_MOST_MS;
    } while (cache_now_ms(cache) < until_ms);
    return fault_set(why, FAULT_BUSY, "claim",
                     "another instance has been fetching it for too long");
}

int
exclusive_begin(struct cache *cache, const char *key, enum exclusive among, struct fault *why)
{
    struct fault detail = {0};
    if (!item_lock(cache->locks, key)) {
        return fault_set(why, FAULT_MEMORY, "lock", "no memory for an item lock");
    }
    if (among == EXCLUSIVE_WORKERS || !store_is_shared(cache->options.store)) {
        return 0;
    }
    int code = claim_wait(cache, key, &detail);
    if (code != 0) {
        item_unlock(cache->locks, key);
        if (why != NULL) {
            *why = detail;
        }
        return code;
    }
    item_lock_set_claimed(cache->locks, key);
    return 0;
}

void
exclusive_end(struct cache *cache, const char *key)
{
    pthread_rwlock_rdlock(&cache->claims_lock);
    if (item_lock_is_claimed(cache->locks, key)) {
        struct fault why = {0};
        if (store_release(cache->options.store, key, &why) != 0) {
            store_trouble(NULL, &why);
            item_lock_set_owed(cache->locks, key); /* else others wait until it ends by itself */
        }
    }
    item_unlock(cache->locks, key);
    pthread_rwlock_unlock(&cache->claims_lock);
}

/* What was given back since the keys were listed must not be taken again: nobody would give that
 * back. */
static void
renew_one(void *self, const char *key)
{
    struct cache *cache = self;
    bool is_held = false;
    struct fault why = {0};
    pthread_rwlock_wrlock(&cache->claims_lock);
    if (item_lock_is_claimed(cache->locks, key) &&
        store_claim(cache->options.store, key, CLAIM_S, &is_held, &why) != 0) {
        store_trouble(NULL, &why);
    }
    pthread_rwlock_unlock(&cache->claims_lock);
}

void
exclusive_renew(struct cache *cache)
{
    item_locks_each_claimed(cache->locks, renew_one, cache);
}

void
exclusive_settle(struct cache *cache)
{
    int code = 0;
    char *key = NULL;
    while (code == 0 && (key = item_lock_take_owed(cache->locks)) != NULL) {
        code = store_release(cache->options.store, key, NULL);
        if (code != 0) {
            item_lock_set_owed(cache->locks, key);
        }
        item_unlock(cache->locks, key);
        free(key);
    }
}
