/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two lanes of worker threads: jobs on the local lane touch memory and the database only, jobs on
 * the upstream lane may wait for the network. So a PCS that hangs never delays what the store can
 * answer.
 */
#ifndef CACHE_WORKERS_H
#define CACHE_WORKERS_H

#include "base/fault.h"

enum lane { LANE_LOCAL, LANE_UPSTREAM, LANE_COUNT };

struct job {
    void (*run)(struct job *job); /* owns the job from now on */
    struct job *next;
};

struct workers;
/* threads[lane] 0 for every lane: no threads; workers_run_all runs the jobs. */
int workers_new(const unsigned threads[LANE_COUNT], struct workers **ret_workers,
                struct fault *why) must_check;
void workers_add(struct workers *workers, enum lane lane, struct job *job);
/* Runs what is queued, and what that queues, on the caller's thread until nothing is left. */
void workers_run_all(struct workers *workers);
unsigned workers_threads(const struct workers *workers, enum lane lane);
size_t workers_waiting(struct workers *workers);
/* Runs everything queued to its end, then joins. Jobs added meanwhile run too. */
void workers_free(struct workers *workers);

#endif
