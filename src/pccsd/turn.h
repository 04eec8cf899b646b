/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whose turn it is: of the instances on one database one prefetches, and one does each scheduled
 * refresh; both are claims in the database that end when their holder dies (docs/decisions/0007).
 * Alone on its database an instance has every turn. Used by the timer's thread only.
 */
#ifndef PCCSD_TURN_H
#define PCCSD_TURN_H

#include <stdbool.h>
#include <stdint.h>

struct daemon;

struct turn {
    bool prefetches;     /* it is ours to prefetch */
    int64_t prefetch_ms; /* monotonic: when that was last asked */
    int64_t slot; /* UTC seconds: the scheduled refresh that is due, here or elsewhere; 0: none */
    bool is_running;  /* it runs here */
    bool is_done;     /* it ran here, and that is yet to be told */
    int64_t slot_ms;  /* monotonic: since when it is due */
    bool has_answer;  /* the database answered the last question */
    int64_t asked_ms; /* monotonic: when its claim was last asked for */
};

/* A scheduled refresh is due, the same time on every instance. */
void turn_due(struct turn *turn, int64_t slot);
/* Once a second. */
void turn_tick(struct turn *turn, struct daemon *daemon);
/* No more ticks: another instance need not wait for what is ours to end by itself. */
void turn_end(struct turn *turn, struct daemon *daemon);

#endif
