/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A wall clock at another time than the system's, so that tests can judge real collateral of the
 * past: PCCS_TEST_TIME_OFFSET is seconds to add, PCCS_TEST_TIME_AT the time at start
 * (2025-07-01T00:00:00Z). Time passes as ever; TLS keeps the system's clock.
 * Called once, by main.c, which logs a warning when the clock is shifted.
 */
#include "pccsd/test_clock.h"

#include <errno.h>
#include <stdlib.h>

enum { OFFSET_MAX_S = 50 * 366 * 86400 };

static int64_t shift_s;

static int64_t
shifted_now(void *self)
{
    (void)self;
    return clock_now(clock_system()) + shift_s;
}

static int64_t
shifted_monotonic_ms(void *self)
{
    (void)self;
    return clock_monotonic_ms(clock_system());
}

static const struct clock shifted = {.now = shifted_now, .monotonic_ms = shifted_monotonic_ms};

static int
set_offset(const char *text, struct fault *why)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value > OFFSET_MAX_S ||
        value < -(long long)OFFSET_MAX_S) {
        return fault_set(why, FAULT_CONFIG, "config",
                         "PCCS_TEST_TIME_OFFSET is not a number of seconds within 50 years");
    }
    shift_s = value;
    return 0;
}

static int
set_start(const char *text, struct fault *why)
{
    int64_t at;
    if (!clock_parse_iso8601(span_of_text(text), &at)) {
        return fault_set(why, FAULT_CONFIG, "config",
                         "PCCS_TEST_TIME_AT is not a time like 2025-07-01T00:00:00Z");
    }
    shift_s = at - clock_now(clock_system());
    return 0;
}

int
test_clock_pick(const struct clock **ret_clock, struct fault *why)
{
    const char *offset = getenv("PCCS_TEST_TIME_OFFSET");
    const char *at = getenv("PCCS_TEST_TIME_AT");
    int failed = 0;
    shift_s = 0;
    if (at != NULL && at[0] != '\0') {
        failed = set_start(at, why);
    } else if (offset != NULL && offset[0] != '\0') {
        failed = set_offset(offset, why);
    }
    if (failed == 0) {
        *ret_clock = shift_s != 0 ? &shifted : clock_system();
    }
    return failed;
}

int64_t
test_clock_offset(const struct clock *clock)
{
    return clock == &shifted ? shift_s : 0;
}
