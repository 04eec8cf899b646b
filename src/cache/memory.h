/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of finished responses: a bounded table read without locks (liburcu). Refusals that
 * are remembered for some seconds live in it too, with a life of their own.
 */
#ifndef CACHE_MEMORY_H
#define CACHE_MEMORY_H

#include "cache/response.h"

struct memory;
struct memory *memory_new(int64_t bytes_max); /* NULL if memory ran out */
void memory_free(struct memory *memory);      /* no reader may be left */

/* A referenced response, or NULL. No lock, no allocation. now_ms: monotonic; entries past their
 * life are not found. The calling thread is registered (memory_thread_start). */
struct response *memory_get(struct memory *memory, struct span key, int64_t now_ms);
/* Keeps response (taking a reference of its own) under key, in place of what was there, until
 * lives_until_ms (monotonic; INT64_MAX: until dropped or evicted). Evicts what has not been used
 * when over the bound. Running out of memory drops the key instead. */
void memory_put(struct memory *memory, struct span key, struct response *response,
                int64_t lives_until_ms);
void memory_drop(struct memory *memory, struct span key);
void memory_clear(struct memory *memory);
void memory_count(struct memory *memory, uint64_t *ret_items, uint64_t *ret_bytes);

void memory_thread_start(void);
void memory_thread_stop(void);

#endif
