/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Health: live (the loops turn), ready (the store answers), startup (the service was ready once),
 * each with JSON detail for whoever looks closer (api.md, Beyond the reference).
 * Takes heartbeats from the loops and the store's word from the timer; gives pages and the
 * watchdog's answer.
 * Loops call health_on_* and health_page; the timer calls health_ask_*; the main thread asks for
 * stuck loops. health.lock protects state only and is never held over a call.
 * Must never ask the store from a loop.
 */
#include "pccsd/health.h"

#include "base/log.h"
#include "base/mem.h"
#include "metrics/metrics.h"
#include "pccsd/daemon.h"
#include "json/json_scan.h"

enum { PAGE_BYTES_MAX = 8 * 1024 };

static _Thread_local unsigned own_loop;

void
health_init(struct health *health)
{
    pthread_mutex_init(&health->lock, NULL);
}

void
health_done(struct health *health)
{
    pthread_mutex_destroy(&health->lock);
}

void
health_on_loop_start(void *self, unsigned loop)
{
    (void)self;
    own_loop = loop < HEALTH_LOOPS_MAX ? loop : HEALTH_LOOPS_MAX - 1;
    cache_thread_start();
}

void
health_on_loop_stop(void *self, unsigned loop)
{
    struct daemon *daemon = self;
    (void)loop;
    atomic_store_explicit(&daemon->health.busy_since_ms[own_loop], 0, memory_order_relaxed);
    cache_thread_stop();
}

void
health_on_idle(void *self)
{
    struct daemon *daemon = self;
    atomic_store_explicit(&daemon->health.busy_since_ms[own_loop], 0, memory_order_relaxed);
}

void
health_on_busy(void *self)
{
    struct daemon *daemon = self;
    int64_t now_ms = clock_monotonic_ms(daemon->clock);
    atomic_store_explicit(&daemon->health.busy_since_ms[own_loop], now_ms, memory_order_relaxed);
}

unsigned
health_stuck_loops(const struct health *health, int64_t now_ms)
{
    unsigned stuck = 0;
    for (unsigned i = 0; i < health->loop_count; i++) {
        int64_t since = atomic_load_explicit(&health->busy_since_ms[i], memory_order_relaxed);
        stuck += since != 0 && now_ms - since > HEALTH_LOOP_STUCK_MS;
    }
    return stuck;
}

void
health_ask_store(struct daemon *daemon)
{
    struct fault why = {0};
    bool ready = cache_ready(daemon->cache, &why) == 0;
    struct health *health = &daemon->health;
    pthread_mutex_lock(&health->lock);
    health->state.ready = ready;
    health->state.ready_why = why;
    health->state.ready_at_ms = clock_monotonic_ms(daemon->clock);
    pthread_mutex_unlock(&health->lock);
    metric_set(METRIC_READY, 0, 0, ready);
}

void
health_ask_counts(struct daemon *daemon)
{
    struct cache_counts counts;
    struct fault why;
    if (cache_counts(daemon->cache, &counts, &why) != 0) {
        return; /* the store's trouble is told by ready; the old counts stay */
    }
    struct health *health = &daemon->health;
    pthread_mutex_lock(&health->lock);
    health->state.counts = counts;
    health->state.has_counts = true;
    pthread_mutex_unlock(&health->lock);
}

void
health_set_next_refresh(struct health *health, int64_t at)
{
    pthread_mutex_lock(&health->lock);
    health->state.next_refresh_at = at;
    pthread_mutex_unlock(&health->lock);
}

void
health_set_tls_end(struct health *health, const char *certificate, int64_t not_after)
{
    pthread_mutex_lock(&health->lock);
    health->state.tls_not_after = not_after;
    pthread_mutex_unlock(&health->lock);
    metric_set(METRIC_TLS_EXPIRY, 0, 0, not_after);
    char until[CLOCK_ISO8601_SIZE];
    clock_format_iso8601(not_after, until);
    log_event(LOG_EVENT_TLS, NULL, LOG_TEXT("certificate", certificate), LOG_TEXT("until", until));
}

void
health_read(struct health *health, struct health_state *ret_state)
{
    pthread_mutex_lock(&health->lock);
    *ret_state = health->state;
    pthread_mutex_unlock(&health->lock);
}

int
health_ready(const struct health_state *state, int64_t now_ms, struct fault *why)
{
    if (state->ready_at_ms == 0) {
        return fault_set(why, FAULT_BUSY, "ready", "the store has not been asked yet");
    }
    if (now_ms - state->ready_at_ms > HEALTH_READY_OLD_MS) {
        return fault_set(why, FAULT_STORE, "ready", "the store has not answered for %lld s",
                         (long long)((now_ms - state->ready_at_ms) / 1000));
    }
    if (!state->ready) {
        *why = state->ready_why;
        return why->code != FAULT_NONE ? why->code : FAULT_STORE;
    }
    return 0;
}

static void
add_time(struct buf *b, const char *name, int64_t at)
{
    char text[CLOCK_ISO8601_SIZE];
    if (at > 0) {
        clock_format_iso8601(at, text);
        buf_add_format(b, ",\"%s\":\"%s\"", name, text);
    }
}

/* What an administrator has to mend: rows that are there and not served. */
static void
add_unserved(struct buf *b, struct cache *cache)
{
    struct cache_unserved unserved;
    cache_unserved(cache, &unserved);
    if (unserved.count == 0) {
        return;
    }
    buf_add_format(b, ",\"unserved_rows\":%llu,\"unserved\":[", (unsigned long long)unserved.count);
    for (size_t i = 0; i < unserved.count && i < CACHE_UNSERVED_NAMED; i++) {
        buf_add_text(b, i == 0 ? "" : ",");
        json_add_quoted(b, span_of_text(unserved.names[i]));
    }
    buf_add_text(b, "]");
}

/* What stands in every ready answer, besides status and reason. */
static void
add_detail(struct buf *b, struct daemon *daemon, const struct health_state *state)
{
    buf_add_format(b, ",\"version\":\"%s\",\"mode\":\"%s\",\"store\":\"%s\"", PCCS_VERSION,
                   cache_mode_word(daemon->config.mode), daemon->store->driver->name);
    bool builtin = trust_anchors_are_builtin(daemon->anchors);
    char fingerprint[65];
    trust_anchors_fingerprint(daemon->anchors, 0, fingerprint);
    buf_add_format(b, ",\"trust_anchor\":\"%s\",\"trust_anchor_sha256\":\"%s\"",
                   builtin ? "intel" : "replaced", fingerprint);
    if (!builtin) {
        buf_add_text(b, ",\"warning\":\"TrustAnchors replaces Intel's root key\"");
    }
    add_time(b, "started_at", daemon->started_at);
    add_time(b, "next_refresh_at", state->next_refresh_at);
    add_time(b, "tls_certificate_until", state->tls_not_after);
    add_unserved(b, daemon->cache);
}

static int
add_live(struct buf *b, struct daemon *daemon, int64_t now_ms)
{
    unsigned stuck = health_stuck_loops(&daemon->health, now_ms);
    buf_add_format(b, "{\"status\":\"%s\",\"loops\":%u,\"stuck\":%u}\n",
                   stuck == 0 ? "live" : "stuck", daemon->health.loop_count, stuck);
    return stuck == 0 ? 200 : 503;
}

static int
add_ready(struct buf *b, struct daemon *daemon, int64_t now_ms)
{
    struct health_state state;
    struct fault why = {0};
    health_read(&daemon->health, &state);
    bool ready = health_ready(&state, now_ms, &why) == 0;
    buf_add_format(b, "{\"status\":\"%s\"", ready ? "ready" : "not ready");
    if (!ready) {
        buf_add_text(b, ",\"reason\":");
        json_add_quoted(b, span_of_text(why.text));
    }
    add_detail(b, daemon, &state);
    buf_add_text(b, "}\n");
    return ready ? 200 : 503;
}

static int
add_startup(struct buf *b, struct daemon *daemon)
{
    bool started = atomic_load(&daemon->health.started);
    buf_add_format(b, "{\"status\":\"%s\"}\n", started ? "started" : "starting");
    return started ? 200 : 503;
}

struct response *
health_page(struct daemon *daemon, enum route route)
{
    auto_cleanup(buf_done) struct buf body = BUF_INIT(PAGE_BYTES_MAX);
    int64_t now_ms = clock_monotonic_ms(daemon->clock);
    int status;
    if (route == ROUTE_HEALTH_LIVE) {
        status = add_live(&body, daemon, now_ms);
    } else if (route == ROUTE_HEALTH_STARTUP) {
        status = add_startup(&body, daemon);
    } else {
        status = add_ready(&body, daemon, now_ms);
    }
    if (body.failed != 0) {
        return NULL;
    }
    return response_new(
        status, span_of_text("Content-Type: application/json\r\nCache-Control: no-store\r\n"),
        buf_span(&body));
}
