/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A finished response: status, header lines and body rendered once, immutable, shared by
 * reference count. What differs from request to request (Request-ID, Warning, Cache-Control,
 * PCCS-Error-Detail) is added by response_extra at the time of the answer.
 */
#ifndef CACHE_RESPONSE_H
#define CACHE_RESPONSE_H

#include "base/clock.h"
#include "base/fault.h"
#include "base/span.h"

enum { RESPONSE_ETAG_SIZE = 2 + 32 + 1, RESPONSE_DETAIL_SIZE = FAULT_TEXT_SIZE };

struct response {
    int status;
    struct span head;                  /* complete header lines; owned */
    struct span body;                  /* owned */
    char etag[RESPONSE_ETAG_SIZE];     /* with its quotes; "" for errors and admin answers */
    char detail[RESPONSE_DETAIL_SIZE]; /* for PCCS-Error-Detail; "" if there is nothing to say */
    int retry_after_s;                 /* 0: no Retry-After */
    int64_t fresh_until;   /* UTC; INT64_MAX: never stale; 0: not cacheable by clients */
    bool is_stale;         /* served although expired: Warning 110, no-cache */
    enum fault_code fault; /* why it is an error; FAULT_NONE for 200 */
    size_t memory_bytes;   /* what it weighs in the memory cache */
    _Atomic int references;
};

struct response *response_ref(struct response *response);
void response_unref(void *response); /* NULL is fine; usable as http_answer.release */

/* A finished answer. Takes copies of head and body; NULL if memory ran out. */
struct response *response_new(int status, struct span head, struct span body);
/* The answer of a fault: status and text from the table in respond.c (api.md, Status codes); GETs
 * of collateral get the empty 503. NULL only if memory ran out. */
struct response *response_of_fault(const struct fault *why, bool is_collateral_get,
                                   int retry_after_s);

struct response_extra {
    const char *request_id;
    bool is_v3; /* Warning: 299 */
    int64_t now;
    int client_cache_s; /* ClientCacheSeconds */
};
/* Writes the header lines of this one answer into out; returns their length (at most
 * RESPONSE_EXTRA_SIZE - 1). No allocation. */
enum { RESPONSE_EXTRA_SIZE = 1024 };
size_t response_extra_lines(const struct response *response, const struct response_extra *extra,
                            char out[RESPONSE_EXTRA_SIZE]);
/* Does an If-None-Match value name this response? ("*", lists, weak forms) */
bool response_matches(const struct response *response, struct span if_none_match);

#endif
