/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The timer: each second it lets the cache look for what is due, asks the store how it is, keeps
 * the gauges, and starts the scheduled refresh (config.md, RefreshSchedule) if it is its turn.
 * Takes the daemon's clock and schedule; gives calls into cache, health and metrics.
 * One thread. timer.lock protects the schedule and the stop flag and is not held over any call.
 * Must never be what a request waits for: it may itself wait for the database.
 */
#include "pccsd/timer.h"

#include <malloc.h>
#include <time.h>

#include "metrics/metrics.h"
#include "pccsd/daemon.h"

enum {
    COUNTS_EVERY_S = 10, /* counting rows costs a large database something */
    TRIM_EVERY_S = 60,   /* a burst of large uploads leaves free pages behind */
    CLOCK_STEP_S = 120   /* the wall clock was set: plan the next refresh anew */
};

enum http_error { HTTP_ERROR_REFUSED, HTTP_ERROR_HANDSHAKE, HTTP_ERROR_TIMEOUT, HTTP_ERROR_PARSE };

static void
count_http(struct timer *timer, struct http_server *server)
{
    struct http_counts now;
    http_server_counts(server, &now);
    struct http_counts *before = &timer->http_before;
    metric_set(METRIC_CONNECTIONS, 0, 0, (int64_t)now.connections);
    metric_add(METRIC_HTTP_ERRORS, HTTP_ERROR_REFUSED, 0, now.refused - before->refused);
    metric_add(METRIC_HTTP_ERRORS, HTTP_ERROR_HANDSHAKE, 0,
               now.handshakes_failed - before->handshakes_failed);
    metric_add(METRIC_HTTP_ERRORS, HTTP_ERROR_TIMEOUT, 0, now.timeouts - before->timeouts);
    metric_add(METRIC_HTTP_ERRORS, HTTP_ERROR_PARSE, 0, now.parse_errors - before->parse_errors);
    *before = now;
}

/* Waits out the second; true if the timer is to stop. */
static bool
wait_for_second(struct timer *timer, struct cron *ret_schedule, bool *ret_changed)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&timer->lock);
    while (!timer->stop && pthread_cond_timedwait(&timer->wake, &timer->lock, &until) == 0) {
    }
    bool stop = timer->stop;
    *ret_schedule = timer->schedule;
    *ret_changed = timer->schedule_changed;
    timer->schedule_changed = false;
    pthread_mutex_unlock(&timer->lock);
    return stop;
}

/* When the next refresh is due. In OFFLINE nothing can be refreshed. */
static int64_t
plan_refresh(struct daemon *daemon, const struct cron *schedule, int64_t now)
{
    int64_t at = daemon->config.mode == CACHE_MODE_OFFLINE ? 0 : cron_next(schedule, now);
    health_set_next_refresh(&daemon->health, at);
    return at;
}

static void *
timer_run(void *self)
{
    struct timer *timer = self;
    struct daemon *daemon = timer->daemon;
    struct cron schedule = timer->schedule;
    bool changed = false;
    int64_t before = clock_now(daemon->clock);
    int64_t refresh_at = plan_refresh(daemon, &schedule, before);
    for (unsigned second = 1; !wait_for_second(timer, &schedule, &changed); second++) {
        int64_t now = clock_now(daemon->clock);
        if (refresh_at != 0 && now >= refresh_at && before < refresh_at) {
            turn_due(&timer->turn, refresh_at);
            changed = true;
        }
        if (changed || now < before || now > before + CLOCK_STEP_S) {
            refresh_at = plan_refresh(daemon, &schedule, now);
        }
        before = now;
        turn_tick(&timer->turn, daemon);
        cache_tick(daemon->cache, timer->turn.prefetches);
        health_ask_store(daemon);
        count_http(timer, daemon->server);
        if (second % COUNTS_EVERY_S == 0) {
            health_ask_counts(daemon);
        }
        if (second % TRIM_EVERY_S == 0) {
            malloc_trim(0);
        }
    }
    return NULL;
}

int
timer_start(struct timer *timer, struct daemon *daemon, struct fault *why)
{
    static const char *const words[] = {
        [HTTP_ERROR_REFUSED] = "refused",
        [HTTP_ERROR_HANDSHAKE] = "handshake",
        [HTTP_ERROR_TIMEOUT] = "timeout",
        [HTTP_ERROR_PARSE] = "parse",
    };
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        metrics_name_label1(METRIC_HTTP_ERRORS, i, words[i]);
    }
    int failed = cron_parse(span_of_text(daemon->config.refresh_schedule), &timer->schedule, why);
    if (failed != 0) {
        return fault_recode(why, FAULT_CONFIG);
    }
    timer->daemon = daemon;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&timer->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&timer->lock, NULL);
    int number = pthread_create(&timer->thread, NULL, timer_run, timer);
    if (number != 0) {
        return fault_set_number(why, FAULT_INTERNAL, "start", number,
                                "the timer thread cannot be started");
    }
    timer->is_running = true;
    return 0;
}

void
timer_stop(struct timer *timer)
{
    if (!timer->is_running) {
        return;
    }
    pthread_mutex_lock(&timer->lock);
    timer->stop = true;
    pthread_cond_signal(&timer->wake);
    pthread_mutex_unlock(&timer->lock);
    pthread_join(timer->thread, NULL);
    timer->is_running = false;
    turn_end(&timer->turn, timer->daemon);
    pthread_cond_destroy(&timer->wake);
    pthread_mutex_destroy(&timer->lock);
}

void
timer_set_schedule(struct timer *timer, const struct cron *schedule)
{
    pthread_mutex_lock(&timer->lock);
    timer->schedule = *schedule;
    timer->schedule_changed = true;
    pthread_mutex_unlock(&timer->lock);
}
