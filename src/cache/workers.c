/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker threads of steps 4 to 7, in two lanes, each a first-in-first-out list of jobs.
 * Each lane's mutex protects its list; jobs themselves run without it.
 * Made and freed by cache.c; jobs are added from any thread.
 * Must never run a job that may wait for the network on the local lane.
 */
#include "cache/workers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cache/memory.h"

enum { UPSTREAM_NICE = 10 };

struct lane_state {
    struct workers *workers;
    pthread_mutex_t mutex; /* protects everything below */
    pthread_cond_t wake;
    struct job *first, **last;
    size_t waiting;
    bool stopping;
    unsigned thread_count;
    pthread_t *threads;
};

struct workers {
    struct lane_state lanes[LANE_COUNT];
};

static struct job *
lane_take(struct lane_state *lane)
{
    struct job *job = lane->first;
    if (job != NULL) {
        lane->first = job->next;
        if (lane->first == NULL) {
            lane->last = &lane->first;
        }
        lane->waiting--;
    }
    return job;
}

/* Whoever waits for the network anyway gives way to those who answer from memory: a refresh of
 * thousands of platforms proves certificates for minutes, on the cores of the server loops. Linux
 * keeps a nice value per thread (setpriority(2), NOTES); a refusal changes nothing but latency. */
static void
lane_give_way(const struct lane_state *lane)
{
    if (lane == &lane->workers->lanes[LANE_UPSTREAM]) {
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), UPSTREAM_NICE);
    }
}

static void *
lane_main(void *lane_pointer)
{
    struct lane_state *lane = lane_pointer;
    lane_give_way(lane);
    memory_thread_start();
    pthread_mutex_lock(&lane->mutex);
    for (;;) {
        struct job *job = lane_take(lane);
        if (job != NULL) {
            pthread_mutex_unlock(&lane->mutex);
            job->run(job);
            pthread_mutex_lock(&lane->mutex);
        } else if (lane->stopping) {
            break;
        } else {
            pthread_cond_wait(&lane->wake, &lane->mutex);
        }
    }
    pthread_mutex_unlock(&lane->mutex);
    memory_thread_stop();
    return NULL;
}

static int
lane_start(struct lane_state *lane, unsigned threads)
{
    lane->threads = calloc(threads > 0 ? threads : 1, sizeof *lane->threads);
    if (lane->threads == NULL) {
        return FAULT_MEMORY;
    }
    while (lane->thread_count < threads) {
        if (pthread_create(&lane->threads[lane->thread_count], NULL, lane_main, lane) != 0) {
            return FAULT_INTERNAL;
        }
        lane->thread_count++;
    }
    return 0;
}

int
workers_new(const unsigned threads[LANE_COUNT], struct workers **ret_workers, struct fault *why)
{
    struct workers *workers = calloc(1, sizeof *workers);
    if (workers == NULL) {
        return fault_set(why, FAULT_MEMORY, "start", "no memory for the workers");
    }
    int code = 0;
    for (int i = 0; i < LANE_COUNT; i++) {
        struct lane_state *lane = &workers->lanes[i];
        lane->workers = workers;
        lane->last = &lane->first;
        pthread_mutex_init(&lane->mutex, NULL);
        pthread_cond_init(&lane->wake, NULL);
        code = code != 0 ? code : lane_start(lane, threads[i]);
    }
    if (code != 0) {
        workers_free(workers);
        return fault_set(why, (enum fault_code)code, "start", "the worker threads do not start");
    }
    *ret_workers = workers;
    return 0;
}

void
workers_add(struct workers *workers, enum lane lane_index, struct job *job)
{
    struct lane_state *lane = &workers->lanes[lane_index];
    job->next = NULL;
    pthread_mutex_lock(&lane->mutex);
    *lane->last = job;
    lane->last = &job->next;
    lane->waiting++;
    pthread_cond_signal(&lane->wake);
    pthread_mutex_unlock(&lane->mutex);
}

static bool
lane_run_one(struct lane_state *lane)
{
    pthread_mutex_lock(&lane->mutex);
    struct job *job = lane_take(lane);
    pthread_mutex_unlock(&lane->mutex);
    if (job != NULL) {
        job->run(job);
    }
    return job != NULL;
}

void
workers_run_all(struct workers *workers)
{
    while (lane_run_one(&workers->lanes[LANE_LOCAL]) ||
           lane_run_one(&workers->lanes[LANE_UPSTREAM])) {
    }
}

unsigned
workers_threads(const struct workers *workers, enum lane lane)
{
    return workers->lanes[lane].thread_count;
}

size_t
workers_waiting(struct workers *workers)
{
    size_t waiting = 0;
    for (int i = 0; i < LANE_COUNT; i++) {
        pthread_mutex_lock(&workers->lanes[i].mutex);
        waiting += workers->lanes[i].waiting;
        pthread_mutex_unlock(&workers->lanes[i].mutex);
    }
    return waiting;
}

void
workers_free(struct workers *workers)
{
    if (workers == NULL) {
        return;
    }
    /* a job of one lane may add to the other: the threads are joined lane by lane, then what is
     * left runs here */
    for (int i = 0; i < LANE_COUNT; i++) {
        struct lane_state *lane = &workers->lanes[i];
        pthread_mutex_lock(&lane->mutex);
        lane->stopping = true;
        pthread_cond_broadcast(&lane->wake);
        pthread_mutex_unlock(&lane->mutex);
        for (unsigned t = 0; t < lane->thread_count; t++) {
            pthread_join(lane->threads[t], NULL);
        }
    }
    workers_run_all(workers);
    for (int i = 0; i < LANE_COUNT; i++) {
        pthread_mutex_destroy(&workers->lanes[i].mutex);
        pthread_cond_destroy(&workers->lanes[i].wake);
        free(workers->lanes[i].threads);
    }
    free(workers);
}
