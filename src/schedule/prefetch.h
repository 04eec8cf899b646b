/* SPDX-License-Identifier: BSD-3-Clause */
/* When to refetch ahead of expiry (config.md, RefreshBefore), spread at random. Pure. */
#ifndef SCHEDULE_PREFETCH_H
#define SCHEDULE_PREFETCH_H

#include <stdint.h>

/* The time at which an item issued at issued_at and expiring at expires_at is to be refetched:
 * before_s earlier than expiry, or at half its life if it lives shorter than twice that; minus a
 * share of up to a quarter of the lead, chosen by random (0 to UINT32_MAX). */
int64_t prefetch_at(int64_t issued_at, int64_t expires_at, int64_t before_s, uint32_t random);

#endif
