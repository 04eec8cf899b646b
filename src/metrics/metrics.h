/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters, gauges, histograms: names, help and label values from one table (metrics.def), atomics
 * inside, no allocation and no lock when counting. Rendered as Prometheus text.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stdint.h>

#include "base/buf.h"

enum metric {
#define METRIC(id, type, name, label1, label2, help) METRIC_##id,
#include "metrics/metrics.def"
#undef METRIC
    METRIC_COUNT
};

/* 64: room for the FMSPCs of a large fleet beside "none" and "other" (cache/gauges.c). */
enum { METRIC_LABEL1_MAX = 64, METRIC_LABEL2_MAX = 64 };

/* Label values are small indexes; their words are given once at start (metrics_name_label). */
void metrics_name_label1(enum metric metric, unsigned index,
                         const char *word); /* literal or program lifetime */
void metrics_name_label2(enum metric metric, unsigned index, const char *word);

/* An index beyond the ceilings above is a fault of ours, not a value. Gauges go down by adding
 * (uint64_t)-1. Reading a histogram gives the number of observations. */
void metric_add(enum metric metric, unsigned label1, unsigned label2, uint64_t amount);
void metric_set(enum metric metric, unsigned label1, unsigned label2, int64_t value);
void metric_observe_us(enum metric metric, unsigned label1, uint64_t microseconds); /* histograms */
uint64_t metric_get(enum metric metric, unsigned label1, unsigned label2);

/* Appends everything with a value or a named label; of metrics with two labels, the pairs that
 * have a value. */
int metrics_render(struct buf *b);

#endif
