/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See turn.h. A refresh that is due is claimed by its time: who gets the claim runs it, renews it
 * while it runs, and keeps it long after its end; the others go on asking for some hours, so that
 * one of them takes over if the first dies in the middle.
 * Called by the timer; waits for the database at most as long as a statement may take.
 * Must never start a refresh twice that one instance has finished.
 */
#include "pccsd/turn.h"

#include <stdio.h>

#include "metrics/metrics.h"
#include "pccsd/daemon.h"

enum {
    CLAIM_S = 15, /* whoever dies is followed after that */
    ASK_EVERY_MS = 3000,
    ASK_FOR_MS = 12 * 3600 * 1000, /* no refresh takes longer */
    DONE_CLAIM_S = 86400,          /* longer than anybody goes on asking, clocks apart */
    SLOT_NAME_SIZE = 64,
};

void
turn_due(struct turn *turn, int64_t slot)
{
    *turn = (struct turn){
        .prefetches = turn->prefetches, .prefetch_ms = turn->prefetch_ms, .slot = slot};
}

/* False also if the database cannot be asked: then nothing could be stored either. */
static bool
claim(struct turn *turn, struct daemon *daemon, const char *name, int ttl_s)
{
    bool is_held = false;
    struct fault why = {0};
    turn->has_answer = store_claim(daemon->store, name, ttl_s, &is_held, &why) == 0;
    return turn->has_answer && is_held;
}

static void
slot_name(const struct turn *turn, char out[SLOT_NAME_SIZE])
{
    snprintf(out, SLOT_NAME_SIZE, "refresh/%lld", (long long)turn->slot);
}

/* The end of ours is told at once, and again until somebody takes note. */
static void
refresh_tick(struct turn *turn, struct daemon *daemon, int64_t now_ms)
{
    if (turn->slot_ms == 0) {
        turn->slot_ms = now_ms;
    }
    bool ends_now = turn->is_running && !cache_is_refreshing(daemon->cache);
    if (ends_now) {
        turn->is_running = false;
        turn->is_done = true;
    } else if (turn->asked_ms != 0 && now_ms - turn->asked_ms < ASK_EVERY_MS) {
        return;
    }
    if (!turn->is_running && now_ms - turn->slot_ms >= ASK_FOR_MS) {
        turn->slot = 0;
        return;
    }
    char name[SLOT_NAME_SIZE];
    slot_name(turn, name);
    turn->asked_ms = now_ms;
    bool is_held = claim(turn, daemon, name, turn->is_done ? DONE_CLAIM_S : CLAIM_S);
    if (is_held && turn->is_done) {
        turn->slot = 0;
    } else if (is_held && !turn->is_running) {
        turn->is_running = true;
        cache_refresh_all(daemon->cache);
    }
}

void
turn_tick(struct turn *turn, struct daemon *daemon)
{
    int64_t now_ms = clock_monotonic_ms(daemon->clock);
    if (!store_is_shared(daemon->store)) {
        turn->prefetches = true;
    } else if (turn->prefetch_ms == 0 || now_ms - turn->prefetch_ms >= ASK_EVERY_MS) {
        turn->prefetch_ms = now_ms;
        turn->prefetches = claim(turn, daemon, "prefetch", CLAIM_S);
    }
    metric_set(METRIC_LEADER, 0, 0, turn->prefetches);
    if (turn->slot != 0) {
        refresh_tick(turn, daemon, now_ms);
    }
}

static void
release(struct daemon *daemon, const char *name)
{
    struct fault why = {0};
    if (store_release(daemon->store, name, &why) != 0) {
        return; /* it ends by itself */
    }
}

void
turn_end(struct turn *turn, struct daemon *daemon)
{
    char name[SLOT_NAME_SIZE];
    if (!turn->has_answer) {
        return; /* the end of the program must not wait for the database */
    }
    if (turn->prefetches) {
        release(daemon, "prefetch");
    }
    if (turn->is_running) {
        slot_name(turn, name);
        release(daemon, name);
    }
}
