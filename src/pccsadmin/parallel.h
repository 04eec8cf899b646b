/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many tasks at once, their results in order, with bounded memory: the main thread makes tasks and
 * takes results, one after the other; between the two a few threads do the waiting.
 */
#ifndef PCCSADMIN_PARALLEL_H
#define PCCSADMIN_PARALLEL_H

#include <stdbool.h>

#include "base/fault.h"

struct parallel {
    void *self;
    unsigned jobs;
    size_t task_size;                        /* a task is so many bytes, zeroed before produce */
    bool (*produce)(void *self, void *task); /* main thread; false: there are no more */
    void (*work)(void *self, void *task);    /* some thread */
    void (*consume)(void *self, void *task); /* main thread, in the order of produce */
    void (*tick)(void *self);                /* main thread, a few times a second; may be NULL */
};

/* Returns when every produced task has been consumed. FAULT_MEMORY if no thread could be made. */
int parallel_run(const struct parallel *parallel, struct fault *why) must_check;

#endif
