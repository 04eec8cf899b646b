/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What /healthz, the watchdog and the dashboard tell: whether the loops turn, whether the store
 * answers, what the cache holds. Loops report their heartbeat, the timer the rest; whoever serves
 * a page reads a copy and never asks the store itself.
 */
#ifndef PCCSD_HEALTH_H
#define PCCSD_HEALTH_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache/cache.h"

struct daemon;

enum {
    HEALTH_LOOPS_MAX = 1024,
    HEALTH_LOOP_STUCK_MS = 5000, /* a loop that has not come back to its wait for so long hangs */
    HEALTH_READY_OLD_MS = 15000  /* an answer of the store older than this counts as none */
};

struct health_state {
    bool ready;          /* what the store said last */
    int64_t ready_at_ms; /* monotonic, when it said so; 0: never asked */
    struct fault ready_why;
    struct cache_counts counts;
    bool has_counts;
    int64_t next_refresh_at; /* UTC; 0: none planned */
    int64_t tls_not_after;   /* UTC; end of the TLS certificate's validity */
};

struct health {
    pthread_mutex_t lock; /* of state */
    struct health_state state;
    _Atomic bool started; /* the service has said that it is ready */
    unsigned loop_count;
    _Atomic int64_t busy_since_ms[HEALTH_LOOPS_MAX]; /* 0: waiting for events */
};

void health_init(struct health *health);
void health_done(struct health *health);

/* Called by the server on its loop threads (http_server_options); self is the daemon. */
void health_on_loop_start(void *self, unsigned loop);
void health_on_loop_stop(void *self, unsigned loop);
void health_on_idle(void *self);
void health_on_busy(void *self);

/* How many loops hang at this moment. */
unsigned health_stuck_loops(const struct health *health, int64_t now_ms);

/* Timer: asks the store and remembers what it said. */
void health_ask_store(struct daemon *daemon);
/* Timer: counts what the cache holds. */
void health_ask_counts(struct daemon *daemon);
void health_set_next_refresh(struct health *health, int64_t at);
/* certificate: the name of its file, for the log. */
void health_set_tls_end(struct health *health, const char *certificate, int64_t not_after);
void health_read(struct health *health, struct health_state *ret_state);
/* 0, or the fault that keeps the service from being ready. */
int health_ready(const struct health_state *state, int64_t now_ms, struct fault *why) must_check;

/* GET /healthz/...: a finished response, NULL if memory ran out. */
struct response *health_page(struct daemon *daemon, enum route route);

#endif
