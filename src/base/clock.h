/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time. Only clock.c asks the system; everybody else is given a now, or a struct clock that a test
 * can set. Times are seconds since 1970 UTC (int64_t, name ends in _at) or monotonic milliseconds
 * (name ends in _ms).
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct clock {
    int64_t (*now)(void *self);          /* wall clock, UTC seconds */
    int64_t (*monotonic_ms)(void *self); /* never goes back */
    void *self;
};

/* The system's clock. PCCS_TEST_TIME_OFFSET is not read here: main.c builds shifted clocks. */
const struct clock *clock_system(void);
/* The system's wall clock in milliseconds: for time stamps of log lines only. */
int64_t clock_system_utc_ms(void);

static inline int64_t
clock_now(const struct clock *clock)
{
    return clock->now(clock->self);
}

static inline int64_t
clock_monotonic_ms(const struct clock *clock)
{
    return clock->monotonic_ms(clock->self);
}

/* "2025-06-19T10:56:11Z" (exactly this form; optional fraction ".123"). False on anything else or
 * an impossible date. */
bool clock_parse_iso8601(struct span text, int64_t *ret_at);
/* Writes "2025-06-19T10:56:11Z". */
enum { CLOCK_ISO8601_SIZE = 21 };
void clock_format_iso8601(int64_t at, char out[CLOCK_ISO8601_SIZE]);

/* Monotonic microseconds, for measuring how long something took; never for a decision. */
int64_t clock_system_monotonic_us(void);

#endif
