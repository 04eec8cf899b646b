/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bounded table of finished responses on liburcu's lock-free hash table.
 * Readers (server loops) look up inside a read-side section, mark the entry as used and take a
 * reference. Writers (workers) hold the table's one mutex, which protects the ring of entries and
 * the byte count; what they remove is freed after a grace period.
 * Eviction is second chance: the hand goes round the ring, passes what was used since its last
 * visit, removes the first that was not.
 * Must never block a reader. Called from any registered thread.
 */
#include "cache/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <urcu.h>
#include <urcu/rculfhash.h>

#include "base/mem.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
/* liburcu orders what writers did before what readers see, and both before what call_rcu frees, by
 * means that ThreadSanitizer is blind to: it is told, so that it judges the rest. */
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define RCU_BEFORE(entry) __tsan_release(entry)
#define RCU_AFTER(entry) __tsan_acquire(entry)
#else
#define RCU_BEFORE(entry) ((void)(entry))
#define RCU_AFTER(entry) ((void)(entry))
#endif

enum { MEMORY_BUCKETS = 16384 };

struct entry {
    struct cds_lfht_node node;
    struct rcu_head rcu;
    struct entry *older, *newer; /* ring, under the mutex */
    struct response *response;
    int64_t lives_until_ms;
    _Atomic bool used;
    size_t key_size;
    uint8_t key[];
};

struct memory {
    struct cds_lfht *table;
    pthread_mutex_t mutex; /* protects hand, bytes, items and the rings of entries */
    struct entry *hand;    /* the ring of all entries; NULL while empty */
    uint64_t bytes, items, bytes_max;
    uint64_t secrets[2]; /* of memory_hash */
};

void
memory_thread_start(void)
{
    rcu_register_thread();
}

void
memory_thread_stop(void)
{
    rcu_unregister_thread();
}

struct memory *
memory_new(int64_t bytes_max)
{
    struct memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL) {
        return NULL;
    }
    memory->table = cds_lfht_new(MEMORY_BUCKETS, MEMORY_BUCKETS, MEMORY_BUCKETS, 0, NULL);
    if (memory->table == NULL) {
        free(memory);
        return NULL;
    }
    if (getrandom(memory->secrets, sizeof memory->secrets, 0) < 0) {
        memory->secrets[0] = (uint64_t)(uintptr_t)memory; /* address space layout is random too */
        memory->secrets[1] = 0x9e3779b97f4a7c15U;
    }
    memory->secrets[1] |= 1; /* 0 would make all keys one */
    memory->bytes_max = bytes_max > 0 ? (uint64_t)bytes_max : 0;
    pthread_mutex_init(&memory->mutex, NULL);
    return memory;
}

/* Both halves of the product, folded: every bit of either factor moves all of the result. */
static uint64_t
fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Eight bytes at a time, from two numbers that are secret per process: whoever chooses keys cannot
 * choose their buckets. */
static unsigned long
memory_hash(const struct memory *memory, struct span key)
{
    uint64_t hash = memory->secrets[0] ^ key.size;
    size_t at = 0;
    for (; at + 8 <= key.size; at += 8) {
        uint64_t word;
        memcpy(&word, key.data + at, sizeof word);
        hash = fold(hash ^ word, memory->secrets[1]);
    }
    uint64_t rest = 0;
    memcpy(&rest, key.data + at, key.size - at);
    return (unsigned long)fold(hash ^ rest, memory->secrets[1]);
}

static int
entry_matches(struct cds_lfht_node *node, const void *key_pointer)
{
    struct entry *entry = caa_container_of(node, struct entry, node);
    const struct span *key = key_pointer;
    RCU_AFTER(entry);
    bool is_it = span_equal(span_of(entry->key, entry->key_size), *key);
    RCU_BEFORE(entry);
    return is_it;
}

struct response *
memory_get(struct memory *memory, struct span key, int64_t now_ms)
{
    struct response *response = NULL;
    struct cds_lfht_iter iter;
    rcu_read_lock();
    cds_lfht_lookup(memory->table, memory_hash(memory, key), entry_matches, &key, &iter);
    struct cds_lfht_node *node = cds_lfht_iter_get_node(&iter);
    if (node != NULL) {
        struct entry *entry = caa_container_of(node, struct entry, node);
        if (entry->lives_until_ms > now_ms) {
            if (!atomic_load_explicit(&entry->used, memory_order_relaxed)) {
                atomic_store_explicit(&entry->used, true, memory_order_relaxed);
            }
            response = response_ref(entry->response);
        }
        RCU_BEFORE(entry);
    }
    rcu_read_unlock();
    return response;
}

static void
entry_free(struct rcu_head *head)
{
    struct entry *entry = caa_container_of(head, struct entry, rcu);
    RCU_AFTER(entry);
    response_unref(entry->response);
    free(entry);
}

static size_t
entry_bytes(const struct entry *entry)
{
    return sizeof *entry + entry->key_size + entry->response->memory_bytes;
}

static void
ring_add(struct memory *memory, struct entry *entry)
{
    if (memory->hand == NULL) {
        entry->older = entry->newer = entry;
        memory->hand = entry;
    } else { /* behind the hand: visited last */
        entry->newer = memory->hand;
        entry->older = memory->hand->older;
        entry->older->newer = entry;
        memory->hand->older = entry;
    }
    memory->bytes += entry_bytes(entry);
    memory->items++;
}

/* Takes an entry that has left the table out of the ring; freed after a grace period. */
static void
ring_remove(struct memory *memory, struct entry *entry)
{
    if (entry->newer == entry) {
        memory->hand = NULL;
    } else {
        entry->newer->older = entry->older;
        entry->older->newer = entry->newer;
        if (memory->hand == entry) {
            memory->hand = entry->newer;
        }
    }
    memory->bytes -= entry_bytes(entry);
    memory->items--;
    RCU_BEFORE(entry);
    call_rcu(&entry->rcu, entry_free);
}

static void
memory_evict(struct memory *memory)
{
    while (memory->bytes > memory->bytes_max && memory->hand != NULL) {
        struct entry *entry = memory->hand;
        if (atomic_exchange_explicit(&entry->used, false, memory_order_relaxed)) {
            memory->hand = entry->newer;
            continue;
        }
        cds_lfht_del(memory->table, &entry->node);
        ring_remove(memory, entry);
    }
}

void
memory_put(struct memory *memory, struct span key, struct response *response,
           int64_t lives_until_ms)
{
    struct entry *entry = malloc(sizeof *entry + key.size);
    if (entry == NULL || sizeof *entry + key.size + response->memory_bytes > memory->bytes_max) {
        free(entry); /* what does not fit at all must not drive out everything else */
        memory_drop(memory, key);
        return;
    }
    *entry = (struct entry){
        .response = response_ref(response), .lives_until_ms = lives_until_ms, .key_size = key.size};
    atomic_init(&entry->used, false);
    memcpy(entry->key, key.data, key.size);
    cds_lfht_node_init(&entry->node);
    RCU_BEFORE(entry);
    pthread_mutex_lock(&memory->mutex);
    rcu_read_lock();
    struct cds_lfht_node *old = cds_lfht_add_replace(memory->table, memory_hash(memory, key),
                                                     entry_matches, &key, &entry->node);
    if (old != NULL) {
        ring_remove(memory, caa_container_of(old, struct entry, node));
    }
    ring_add(memory, entry);
    memory_evict(memory);
    rcu_read_unlock();
    pthread_mutex_unlock(&memory->mutex);
}

void
memory_drop(struct memory *memory, struct span key)
{
    struct cds_lfht_iter iter;
    pthread_mutex_lock(&memory->mutex);
    rcu_read_lock();
    cds_lfht_lookup(memory->table, memory_hash(memory, key), entry_matches, &key, &iter);
    struct cds_lfht_node *node = cds_lfht_iter_get_node(&iter);
    if (node != NULL && cds_lfht_del(memory->table, node) == 0) {
        ring_remove(memory, caa_container_of(node, struct entry, node));
    }
    rcu_read_unlock();
    pthread_mutex_unlock(&memory->mutex);
}

void
memory_clear(struct memory *memory)
{
    pthread_mutex_lock(&memory->mutex);
    rcu_read_lock();
    while (memory->hand != NULL) {
        struct entry *entry = memory->hand;
        cds_lfht_del(memory->table, &entry->node);
        ring_remove(memory, entry);
    }
    rcu_read_unlock();
    pthread_mutex_unlock(&memory->mutex);
}

void
memory_count(struct memory *memory, uint64_t *ret_items, uint64_t *ret_bytes)
{
    pthread_mutex_lock(&memory->mutex);
    *ret_items = memory->items;
    *ret_bytes = memory->bytes;
    pthread_mutex_unlock(&memory->mutex);
}

void
memory_free(struct memory *memory)
{
    if (memory == NULL) {
        return;
    }
    memory_clear(memory);
    rcu_barrier();
    cds_lfht_destroy(memory->table, NULL);
    pthread_mutex_destroy(&memory->mutex);
    free(memory);
}
