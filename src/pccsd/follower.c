/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls cache_follow over and over, so that what another instance wrote is served here within a
 * second.
 * Takes the daemon's cache and store; gives nothing but the calls.
 * One thread of its own, since it waits for the database; started and stopped by main.
 * Must never spin while the database is away: the store waits, and so does this.
 * docs/decisions/0007.
 */
#include "pccsd/follower.h"

#include <time.h>

#include "pccsd/daemon.h"

enum {
    WAIT_MS = 500,        /* one look; how long the end of the program waits for it, too */
    AFTER_FAULT_MS = 250, /* the health check tells of the fault */
};

static void *
follower_run(void *self)
{
    struct daemon *daemon = self;
    cache_thread_start();
    while (!atomic_load(&daemon->follower.stop)) {
        struct fault why = {0};
        if (cache_follow(daemon->cache, WAIT_MS, &why) != 0) {
            struct timespec wait = {.tv_nsec = AFTER_FAULT_MS * 1000000L};
            (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
        }
    }
    cache_thread_stop();
    return NULL;
}

int
follower_start(struct follower *follower, struct daemon *daemon, struct fault *why)
{
    if (!store_is_shared(daemon->store)) {
        return 0;
    }
    int number = pthread_create(&follower->thread, NULL, follower_run, daemon);
    if (number != 0) {
        return fault_set_number(why, FAULT_INTERNAL, "start", number,
                                "the thread that follows other instances cannot be started");
    }
    follower->is_running = true;
    return 0;
}

void
follower_stop(struct follower *follower)
{
    if (follower->is_running) {
        atomic_store(&follower->stop, true);
        pthread_join(follower->thread, NULL);
        follower->is_running = false;
    }
}
