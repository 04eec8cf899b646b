/* SPDX-License-Identifier: BSD-3-Clause */
/* The wall clock, shifted if a test asks for it by PCCS_TEST_TIME_OFFSET or PCCS_TEST_TIME_AT. */
#ifndef PCCSD_TEST_CLOCK_H
#define PCCSD_TEST_CLOCK_H

#include "base/clock.h"
#include "base/fault.h"

/* The system's clock, or a shifted one that lives as long as the program. FAULT_CONFIG if a
 * variable is malformed. */
int test_clock_pick(const struct clock **ret_clock, struct fault *why) must_check;
/* By how many seconds; 0: it is the system's. */
int64_t test_clock_offset(const struct clock *clock);

#endif
