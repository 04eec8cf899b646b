/* SPDX-License-Identifier: BSD-3-Clause */
/* Cron expressions with seconds (6 fields) or without (5): config.md, RefreshSchedule. Local time.
 * Pure. */
#ifndef SCHEDULE_CRON_H
#define SCHEDULE_CRON_H

#include "base/fault.h"
#include "base/span.h"

struct cron {
    uint64_t seconds, minutes;
    uint32_t hours, days_of_month, months;
    uint8_t days_of_week;
    bool day_of_month_restricted, day_of_week_restricted; /* both: either matches */
};
int cron_parse(struct span text, struct cron *ret_cron, struct fault *why) must_check;
/* The first match strictly after after_at (UTC seconds; fields in local time); 0 if there is none
 * within five years. Daylight-saving gaps are skipped, doubled hours match once. */
int64_t cron_next(const struct cron *cron, int64_t after_at);

#endif
