/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flights and item locks: each distinct question is on its way once, each distinct item is fetched
 * once at a time. The flight table's mutex protects the table and every flight's list of waiters;
 * the lock table's mutex protects the list of held locks.
 * Joined from server loops (misses only), landed on workers.
 * Must never call a waiter while holding the mutex.
 * api.md, When upstream fails: concurrent misses make one upstream request.
 */
#include "cache/flight.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

enum { FLIGHT_BUCKETS = 1024 };

struct flights {
    pthread_mutex_t mutex;
    struct flight *buckets[FLIGHT_BUCKETS];
    size_t count, waiters;
};

struct flights *
flights_new(void)
{
    struct flights *flights = calloc(1, sizeof *flights);
    if (flights != NULL) {
        pthread_mutex_init(&flights->mutex, NULL);
    }
    return flights;
}

void
flights_free(struct flights *flights)
{
    if (flights != NULL) {
        must(flights->count == 0);
        pthread_mutex_destroy(&flights->mutex);
        free(flights);
    }
}

size_t
flights_count(struct flights *flights)
{
    pthread_mutex_lock(&flights->mutex);
    size_t count = flights->count;
    pthread_mutex_unlock(&flights->mutex);
    return count;
}

static struct flight **
flight_find(struct flights *flights, struct span key)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < key.size; i++) {
        hash = (hash ^ key.data[i]) * 16777619U;
    }
    struct flight **at = &flights->buckets[(hash ^ (hash >> 16)) % FLIGHT_BUCKETS];
    while (*at != NULL && !span_equal(span_of((*at)->key, (*at)->key_size), key)) {
        at = &(*at)->bucket_next;
    }
    return at;
}

static int
flight_start(struct flights *flights, struct span key, struct flight **at)
{
    if (flights->count >= LIMIT_FLIGHTS) {
        return FAULT_BUSY;
    }
    struct flight *flight = calloc(1, sizeof *flight + key.size);
    if (flight == NULL) {
        return FAULT_MEMORY;
    }
    flight->last = &flight->first;
    flight->key_size = key.size;
    memcpy(flight->key, key.data, key.size);
    flights->count++;
    *at = flight;
    return 0;
}

int
flight_join(struct flights *flights, struct span key, struct ask *ask, struct flight **ret_started)
{
    int code = 0;
    struct flight *started = NULL;
    pthread_mutex_lock(&flights->mutex);
    struct flight **at = flight_find(flights, key);
    if (flights->waiters >= LIMIT_WAITERS) {
        code = FAULT_BUSY;
    } else if (*at == NULL) {
        code = flight_start(flights, key, at);
        started = *at;
    }
    if (code == 0) {
        struct flight *flight = *at;
        ask->next = NULL;
        *flight->last = ask;
        flight->last = &ask->next;
        flight->waiters++;
        flights->waiters++;
        *ret_started = started;
    }
    pthread_mutex_unlock(&flights->mutex);
    return code;
}

void
flight_land(struct flights *flights, struct flight *flight, struct response *response)
{
    pthread_mutex_lock(&flights->mutex);
    struct flight **at = flight_find(flights, span_of(flight->key, flight->key_size));
    must(*at == flight);
    *at = flight->bucket_next;
    flights->count--;
    flights->waiters -= flight->waiters;
    pthread_mutex_unlock(&flights->mutex);
    struct ask *ask = flight->first;
    while (ask != NULL) {
        struct ask *next = ask->next;
        ask->done(ask, response_ref(response));
        ask = next;
    }
    response_unref(response);
    free(flight);
}

struct held_lock {
    struct held_lock *next;
    char *key;
    unsigned waiting; /* how many want it next */
    bool held;
    bool is_claimed; /* among the instances; only while held */
    bool is_owed;    /* its claim could not be given back */
};

struct item_locks {
    pthread_mutex_t mutex;
    pthread_cond_t released;
    struct held_lock *first; /* as many as there are workers, and those that are owed */
};

struct item_locks *
item_locks_new(void)
{
    struct item_locks *locks = calloc(1, sizeof *locks);
    if (locks != NULL) {
        pthread_mutex_init(&locks->mutex, NULL);
        pthread_cond_init(&locks->released, NULL);
    }
    return locks;
}

static void
item_lock_remove(struct held_lock **at)
{
    struct held_lock *lock = *at;
    *at = lock->next;
    free(lock->key);
    free(lock);
}

void
item_locks_free(struct item_locks *locks)
{
    if (locks != NULL) {
        while (locks->first != NULL) {
            must(!locks->first->held);
            item_lock_remove(&locks->first);
        }
        pthread_mutex_destroy(&locks->mutex);
        pthread_cond_destroy(&locks->released);
        free(locks);
    }
}

static struct held_lock **
item_lock_find(struct item_locks *locks, const char *key)
{
    struct held_lock **at = &locks->first;
    while (*at != NULL && strcmp((*at)->key, key) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static struct held_lock *
item_lock_add(struct item_locks *locks, const char *key)
{
    struct held_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL || (lock->key = strdup(key)) == NULL) {
        free(lock);
        return NULL;
    }
    lock->next = locks->first;
    locks->first = lock;
    return lock;
}

bool
item_lock(struct item_locks *locks, const char *key)
{
    pthread_mutex_lock(&locks->mutex);
    struct held_lock *lock = *item_lock_find(locks, key);
    if (lock == NULL) {
        lock = item_lock_add(locks, key);
    }
    if (lock != NULL) {
        lock->waiting++;
        while (lock->held) {
            pthread_cond_wait(&locks->released, &locks->mutex);
        }
        lock->waiting--;
        lock->held = true;
    }
    pthread_mutex_unlock(&locks->mutex);
    return lock != NULL;
}

void
item_unlock(struct item_locks *locks, const char *key)
{
    pthread_mutex_lock(&locks->mutex);
    struct held_lock **at = item_lock_find(locks, key);
    struct held_lock *lock = *at;
    must(lock != NULL && lock->held);
    lock->held = false;
    lock->is_claimed = false;
    if (lock->waiting == 0 && !lock->is_owed) {
        item_lock_remove(at);
    } else {
        pthread_cond_broadcast(&locks->released);
    }
    pthread_mutex_unlock(&locks->mutex);
}

void
item_lock_set_claimed(struct item_locks *locks, const char *key)
{
    pthread_mutex_lock(&locks->mutex);
    struct held_lock *lock = *item_lock_find(locks, key);
    must(lock != NULL && lock->held);
    lock->is_claimed = true;
    lock->is_owed = false;
    pthread_mutex_unlock(&locks->mutex);
}

void
item_lock_set_owed(struct item_locks *locks, const char *key)
{
    pthread_mutex_lock(&locks->mutex);
    struct held_lock *lock = *item_lock_find(locks, key);
    must(lock != NULL && lock->held);
    lock->is_owed = true;
    pthread_mutex_unlock(&locks->mutex);
}

char *
item_lock_take_owed(struct item_locks *locks)
{
    char *key = NULL;
    pthread_mutex_lock(&locks->mutex);
    struct held_lock *lock = locks->first;
    while (lock != NULL && (lock->held || !lock->is_owed)) {
        lock = lock->next;
    }
    if (lock != NULL && (key = strdup(lock->key)) != NULL) {
        lock->held = true;
        lock->is_owed = false;
    }
    pthread_mutex_unlock(&locks->mutex);
    return key;
}

bool
item_lock_is_claimed(struct item_locks *locks, const char *key)
{
    pthread_mutex_lock(&locks->mutex);
    const struct held_lock *lock = *item_lock_find(locks, key);
    bool is_claimed = lock != NULL && lock->is_claimed;
    pthread_mutex_unlock(&locks->mutex);
    return is_claimed;
}

void
item_locks_each_claimed(struct item_locks *locks, item_lock_fn *each, void *self)
{
    char *keys[LIMIT_CLAIMS_HELD];
    size_t count = 0;
    pthread_mutex_lock(&locks->mutex);
    for (struct held_lock *lock = locks->first; lock != NULL && count < LIMIT_CLAIMS_HELD;
         lock = lock->next) {
        if (lock->is_claimed && (keys[count] = strdup(lock->key)) != NULL) {
            count++;
        }
    }
    pthread_mutex_unlock(&locks->mutex);
    for (size_t i = 0; i < count; i++) {
        each(self, keys[i]);
        free(keys[i]);
    }
}
