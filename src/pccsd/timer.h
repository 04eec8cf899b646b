/* SPDX-License-Identifier: BSD-3-Clause */
/* The one timer thread: once a second, everything that nobody asked for. */
#ifndef PCCSD_TIMER_H
#define PCCSD_TIMER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/fault.h"
#include "http/http.h"
#include "pccsd/turn.h"
#include "schedule/cron.h"

struct daemon;

struct timer {
    struct daemon *daemon;
    pthread_t thread;
    bool is_running;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake;
    bool stop;
    struct cron schedule; /* RefreshSchedule */
    bool schedule_changed;
    struct turn turn;               /* timer thread only */
    struct http_counts http_before; /* timer thread only: what the metrics have already */
};

int timer_start(struct timer *timer, struct daemon *daemon, struct fault *why) must_check;
/* Ends and joins the thread; harmless if it was never started. */
void timer_stop(struct timer *timer);
/* Another RefreshSchedule, from now on. Any thread. */
void timer_set_schedule(struct timer *timer, const struct cron *schedule);

#endif
