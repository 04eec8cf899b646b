/* SPDX-License-Identifier: BSD-3-Clause */
/* The thread that follows the other instances on the same database; none where there can be none.
 */
#ifndef PCCSD_FOLLOWER_H
#define PCCSD_FOLLOWER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/fault.h"

struct daemon;

struct follower {
    pthread_t thread;
    bool is_running;
    _Atomic bool stop;
};

int follower_start(struct follower *follower, struct daemon *daemon, struct fault *why) must_check;
/* Ends and joins the thread; harmless if it was never started. */
void follower_stop(struct follower *follower);

#endif
