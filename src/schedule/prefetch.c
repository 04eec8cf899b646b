/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Says when an item is to be refetched ahead of its expiry.
 *
 * Takes its two dates, the configured lead and a random number; gives a time. Called by the refresh
 * timer for every cached item. Pure: the random number is the caller's. Must never let all items of
 * one issue date come due in the same second, for they go to Intel's servers.
 *
 * config.md, RefreshBefore.
 */
#include "schedule/prefetch.h"

/* share of quarter, random being its numerator over 2^32, without overflow */
static int64_t
share_of(int64_t quarter, uint32_t random)
{
    uint64_t high = (uint64_t)quarter >> 32;
    uint64_t low = (uint64_t)quarter & UINT32_MAX;
    return (int64_t)(high * random + ((low * random) >> 32));
}

int64_t
prefetch_at(int64_t issued_at, int64_t expires_at, int64_t before_s, uint32_t random)
{
    int64_t life = 0;
    if (__builtin_sub_overflow(expires_at, issued_at, &life)) {
        return expires_at;
    }
    if (life <= 0 || before_s <= 0) {
        return expires_at;
    }
    int64_t lead = before_s > life / 2 ? life / 2 : before_s;
    return expires_at - lead - share_of(lead / 4, random);
}
