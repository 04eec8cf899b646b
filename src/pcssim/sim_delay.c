/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Late answers, on purpose.
 *
 * Takes an answer and a time, hands it to the server when the time has come. Fed by the loop,
 * emptied by its own thread. The lock protects the list, which is in order of time; inserting walks
 * from its end, since delays are mostly alike. Must never lose an answer: what waits at the end is
 * sent at once.
 */
#include "pcssim/sim_delay.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/limits.h"

struct late {
    struct late *next, *previous;
    int64_t due_ms;
    struct http_ticket ticket;
    struct http_answer answer;
};

struct sim_delay {
    struct http_server *server;
    const struct clock *clock;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct late *first, *last;
    size_t count;
    bool ending;
};

static void
list_insert(struct sim_delay *delay, struct late *late)
{
    struct late *before = delay->last;
    while (before != NULL && before->due_ms > late->due_ms) {
        before = before->previous;
    }
    late->previous = before;
    late->next = before != NULL ? before->next : delay->first;
    *(late->next != NULL ? &late->next->previous : &delay->last) = late;
    *(before != NULL ? &before->next : &delay->first) = late;
    delay->count++;
}

static struct late *
list_take_first(struct sim_delay *delay)
{
    struct late *late = delay->first;
    delay->first = late->next;
    *(late->next != NULL ? &late->next->previous : &delay->last) = NULL;
    delay->count--;
    return late;
}

/* With the lock held: waits until something changes or due_ms has come. */
static void
wait_until(struct sim_delay *delay, int64_t left_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += left_ms / 1000;
    at.tv_nsec += left_ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&delay->changed, &delay->lock, &at);
}

static void *
delay_run(void *self)
{
    struct sim_delay *delay = self;
    pthread_mutex_lock(&delay->lock);
    while (!delay->ending || delay->first != NULL) {
        if (delay->first == NULL) {
            pthread_cond_wait(&delay->changed, &delay->lock);
            continue;
        }
        int64_t left_ms = delay->first->due_ms - clock_monotonic_ms(delay->clock);
        if (left_ms > 0 && !delay->ending) {
            wait_until(delay, left_ms);
            continue;
        }
        struct late *late = list_take_first(delay);
        pthread_mutex_unlock(&delay->lock);
        http_answer_later(delay->server, late->ticket, &late->answer);
        free(late);
        pthread_mutex_lock(&delay->lock);
    }
    pthread_mutex_unlock(&delay->lock);
    return NULL;
}

int
sim_delay_new(struct http_server *server, const struct clock *clock, struct sim_delay **ret_delay,
              struct fault *why)
{
    struct sim_delay *delay = calloc(1, sizeof(*delay));
    pthread_condattr_t attributes;
    if (delay == NULL) {
        return fault_set(why, FAULT_MEMORY, "delay", "no memory");
    }
    delay->server = server;
    delay->clock = clock;
    pthread_mutex_init(&delay->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&delay->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    int error = pthread_create(&delay->thread, NULL, delay_run, delay);
    if (error != 0) {
        pthread_cond_destroy(&delay->changed);
        pthread_mutex_destroy(&delay->lock);
        free(delay);
        return fault_set_number(why, FAULT_IO, "delay", error, "no thread");
    }
    *ret_delay = delay;
    return 0;
}

void
sim_delay_stop(struct sim_delay *delay)
{
    pthread_mutex_lock(&delay->lock);
    delay->ending = true;
    pthread_cond_signal(&delay->changed);
    pthread_mutex_unlock(&delay->lock);
    pthread_join(delay->thread, NULL);
}

void
sim_delay_free(struct sim_delay *delay)
{
    if (delay != NULL) {
        pthread_cond_destroy(&delay->changed);
        pthread_mutex_destroy(&delay->lock);
        free(delay);
    }
}

void
sim_delay_put(struct sim_delay *delay, int64_t delay_ms, struct http_ticket ticket,
              const struct http_answer *answer)
{
    struct late *late = malloc(sizeof(*late));
    if (late == NULL) {
        http_answer_later(delay->server, ticket, answer);
        return;
    }
    *late = (struct late){/* the clock cuts off what is below a millisecond: never too early */
                          .due_ms = clock_monotonic_ms(delay->clock) + delay_ms + 1,
                          .ticket = ticket,
                          .answer = *answer};
    pthread_mutex_lock(&delay->lock);
    bool full = delay->count >= LIMIT_SIM_DELAYED || delay->ending;
    if (!full) {
        list_insert(delay, late);
        pthread_cond_signal(&delay->changed);
    }
    pthread_mutex_unlock(&delay->lock);
    if (full) {
        http_answer_later(delay->server, ticket, answer);
        free(late);
    }
}
