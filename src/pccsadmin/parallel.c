/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring of tasks between one thread that makes and takes them and a few that do them.
 * Takes three functions; gives their results in the order in which the tasks were made. The ring
 * bounds what is held: a task that waits long (Retry-After) holds up no more than its length.
 * parallel_run is called by fetch and cache on the main thread; lock protects the counters and
 * states, the tasks themselves belong to whoever their state says.
 * Must never run produce or consume beside one another: they read and write files.
 */
#include "pccsadmin/parallel.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

enum { RING_PER_JOB = 16, JOBS_MAX = 64, TICK_MS = 200 };

struct ring {
    const struct parallel *parallel;
    pthread_mutex_t lock;
    pthread_cond_t for_workers, for_main;
    uint8_t *tasks;
    bool *is_done;
    size_t length, produced, taken, consumed; /* the last three only grow */
    bool has_ended;
};

static void *
task_at(const struct ring *ring, size_t number)
{
    return ring->tasks + number % ring->length * ring->parallel->task_size;
}

static void *
worker_run(void *argument)
{
    struct ring *ring = argument;
    pthread_mutex_lock(&ring->lock);
    for (;;) {
        while (ring->taken == ring->produced && !ring->has_ended) {
            pthread_cond_wait(&ring->for_workers, &ring->lock);
        }
        if (ring->taken == ring->produced) {
            break;
        }
        size_t number = ring->taken++;
        pthread_mutex_unlock(&ring->lock);
        ring->parallel->work(ring->parallel->self, task_at(ring, number));
        pthread_mutex_lock(&ring->lock);
        ring->is_done[number % ring->length] = true;
        pthread_cond_signal(&ring->for_main);
    }
    pthread_mutex_unlock(&ring->lock);
    return NULL;
}

/* Makes tasks while there is room. Called without the lock: only this thread changes produced. */
static void
produce_some(struct ring *ring)
{
    const struct parallel *parallel = ring->parallel;
    while (!ring->has_ended && ring->produced - ring->consumed < ring->length) {
        void *task = task_at(ring, ring->produced);
        memset(task, 0, parallel->task_size);
        bool is_task = parallel->produce(parallel->self, task);
        pthread_mutex_lock(&ring->lock);
        ring->is_done[ring->produced % ring->length] = false;
        ring->produced += is_task;
        ring->has_ended = !is_task;
        pthread_cond_broadcast(&ring->for_workers);
        pthread_mutex_unlock(&ring->lock);
    }
}

/* Waits for the oldest task, a moment at most; true: it is done. */
static bool
oldest_is_done(struct ring *ring)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    bool *is_done = &ring->is_done[ring->consumed % ring->length];
    int waited = 0;
    pthread_mutex_lock(&ring->lock);
    while (!*is_done && waited == 0) {
        waited = pthread_cond_timedwait(&ring->for_main, &ring->lock, &until);
    }
    bool result = *is_done;
    pthread_mutex_unlock(&ring->lock);
    return result;
}

static void
main_run(struct ring *ring)
{
    const struct parallel *parallel = ring->parallel;
    for (;;) {
        produce_some(ring);
        if (ring->consumed == ring->produced) {
            return;
        }
        if (oldest_is_done(ring)) {
            parallel->consume(parallel->self, task_at(ring, ring->consumed));
            ring->consumed++;
        }
        if (parallel->tick != NULL) {
            parallel->tick(parallel->self);
        }
    }
}

int
parallel_run(const struct parallel *parallel, struct fault *why)
{
    pthread_t threads[JOBS_MAX];
    unsigned jobs = parallel->jobs < JOBS_MAX ? parallel->jobs : JOBS_MAX;
    unsigned started = 0;
    struct ring ring = {.parallel = parallel, .length = (size_t)jobs * RING_PER_JOB};
    ring.tasks = calloc(ring.length, parallel->task_size);
    ring.is_done = calloc(ring.length, sizeof ring.is_done[0]);
    if (ring.tasks != NULL && ring.is_done != NULL) {
        pthread_mutex_init(&ring.lock, NULL);
        pthread_cond_init(&ring.for_workers, NULL);
        pthread_cond_init(&ring.for_main, NULL);
        while (started < jobs && pthread_create(&threads[started], NULL, worker_run, &ring) == 0) {
            started++;
        }
        if (started > 0) {
            main_run(&ring);
        }
        for (unsigned i = 0; i < started; i++) {
            pthread_join(threads[i], NULL);
        }
        pthread_cond_destroy(&ring.for_main);
        pthread_cond_destroy(&ring.for_workers);
        pthread_mutex_destroy(&ring.lock);
    }
    free(ring.tasks);
    free(ring.is_done);
    return started > 0 ? 0 : fault_set(why, FAULT_MEMORY, "threads", "no thread could be started");
}
