/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Single flight, twice:
 *
 * A flight is one question on its way, with everybody who asked it meanwhile. The first ask of a
 * key starts it, later ones wait in its list, and the one answer goes to all. It starts on the
 * local lane (memory, store) and moves to the upstream lane only if the network must be asked.
 *
 * An item lock makes the fetches of one item one after the other, whoever needs it (a GET, a
 * registration that needs the TCB info of its FMSPC, a refresh): who comes second finds the item
 * fresh. Order of locks: platform, then root CRL, then TCB infos, identities and PCK CRLs.
 */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include "cache/cache.h"
#include "cache/workers.h"

enum { FLIGHT_KEY_SIZE = ITEM_KEY_TEXT_SIZE + LIMIT_PPID_HEX + 16 };

struct flight {
    struct job job; /* first: the lane's list */
    struct cache *cache;
    enum lane lane; /* where it runs */
    struct flight *bucket_next;
    struct ask *first, **last; /* who waits; first->request is what is asked */
    size_t waiters;
    size_t key_size;
    char key[];
};

struct flights;
struct flights *flights_new(void); /* NULL if memory ran out */
void flights_free(struct flights *flights);
size_t flights_count(struct flights *flights);

/* Appends ask to the flight of key, or makes one: *ret_started is it, to be run by the caller, else
 * NULL. FAULT_BUSY at a ceiling (LIMIT_FLIGHTS, LIMIT_WAITERS), FAULT_MEMORY. */
int flight_join(struct flights *flights, struct span key, struct ask *ask,
                struct flight **ret_started) must_check;
/* Ends a flight: all its waiters get response (its reference is taken); the flight is gone. */
void flight_land(struct flights *flights, struct flight *flight, struct response *response);

struct item_locks;
struct item_locks *item_locks_new(void); /* NULL if memory ran out */
void item_locks_free(struct item_locks *locks);
/* Blocks until nobody else holds key. False if memory ran out (then it is not held). */
bool item_lock(struct item_locks *locks, const char *key) must_check;
void item_unlock(struct item_locks *locks, const char *key);
/* A held lock may be claimed among the instances, too; it is not once it is unlocked. */
void item_lock_set_claimed(struct item_locks *locks, const char *key);
bool item_lock_is_claimed(struct item_locks *locks, const char *key);
/* The claim of a held lock could not be given back: it is owed until it is claimed again or taken
 * here. Taken it is held, by its key, to be freed; NULL: none that nobody holds is owed. */
void item_lock_set_owed(struct item_locks *locks, const char *key);
char *item_lock_take_owed(struct item_locks *locks);
/* Every claimed key, at most LIMIT_CLAIMS_HELD; no mutex is held over the call. */
typedef void item_lock_fn(void *self, const char *key);
void item_locks_each_claimed(struct item_locks *locks, item_lock_fn *each, void *self);

#endif
