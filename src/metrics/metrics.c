/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters, gauges and histograms, and their rendering for Prometheus.
 * Takes small indexes (an enum of the caller's) and amounts, gives the text format 0.0.4.
 * Counted on the hit path by every loop and worker at once: relaxed atomics in arrays that never
 * grow, no lock, no allocation. A rendering may see one counter before and another after a request;
 * each by itself is exact. Words of labels may come while the service runs; who finds one finds it
 * whole.
 * Must never take a label value from a client: an outsider would then decide how much there is to
 * keep and to render.
 */
#include "metrics/metrics.h"

#include <stdatomic.h>

#include "base/mem.h"

enum metric_type { METRIC_TYPE_COUNTER, METRIC_TYPE_GAUGE, METRIC_TYPE_HISTOGRAM };

struct metric_row {
    const char *name;
    const char *labels[2]; /* "" where there is none */
    const char *help;
    enum metric_type type;
};

static const struct metric_row metric_rows[METRIC_COUNT] = {
#define METRIC(id, type, name, label1, label2, help)                                               \
    {name, {label1, label2}, help, METRIC_TYPE_##type},
#include "metrics/metrics.def"
#undef METRIC
};

/* Upper bounds. A hit takes some 100 us, a TLS handshake some ms, the PCS up to seconds; what is
 * above 10 s has met a time-out. */
static const struct bucket {
    uint64_t most_us;
    const char *le; /* the same in seconds, as Prometheus wants it */
} buckets[] = {
    {100, "0.0001"},  {250, "0.00025"},     {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"},
    {5000, "0.005"},  {10000, "0.01"},      {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},
    {250000, "0.25"}, {500000, "0.5"},      {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},
    {10000000, "10"}, {UINT64_MAX, "+Inf"},
};

struct histogram {
    atomic_uint_least64_t
        counts[ARRAY_COUNT(buckets)]; /* each by itself; summed up when rendered */
    atomic_uint_least64_t sum_us;
};

/* A gauge is kept as the two's complement of its value. */
static atomic_uint_least64_t values[METRIC_COUNT][METRIC_LABEL1_MAX][METRIC_LABEL2_MAX];
static struct histogram histograms[METRIC_COUNT][METRIC_LABEL1_MAX];
static const char *_Atomic words1[METRIC_COUNT][METRIC_LABEL1_MAX];
static const char *_Atomic words2[METRIC_COUNT][METRIC_LABEL2_MAX];

void
metrics_name_label1(enum metric metric, unsigned index, const char *word)
{
    must(metric < METRIC_COUNT && index < METRIC_LABEL1_MAX);
    atomic_store_explicit(&words1[metric][index], word, memory_order_release);
}

void
metrics_name_label2(enum metric metric, unsigned index, const char *word)
{
    must(metric < METRIC_COUNT && index < METRIC_LABEL2_MAX);
    atomic_store_explicit(&words2[metric][index], word, memory_order_release);
}

static atomic_uint_least64_t *
value_at(enum metric metric, unsigned label1, unsigned label2)
{
    must(metric < METRIC_COUNT && label1 < METRIC_LABEL1_MAX && label2 < METRIC_LABEL2_MAX);
    return &values[metric][label1][label2];
}

static uint64_t
load(const atomic_uint_least64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

void
metric_add(enum metric metric, unsigned label1, unsigned label2, uint64_t amount)
{
    atomic_fetch_add_explicit(value_at(metric, label1, label2), amount, memory_order_relaxed);
}

void
metric_set(enum metric metric, unsigned label1, unsigned label2, int64_t value)
{
    atomic_store_explicit(value_at(metric, label1, label2), (uint64_t)value, memory_order_relaxed);
}

void
metric_observe_us(enum metric metric, unsigned label1, uint64_t microseconds)
{
    must(metric < METRIC_COUNT && label1 < METRIC_LABEL1_MAX);
    must(metric_rows[metric].type == METRIC_TYPE_HISTOGRAM);
    struct histogram *histogram = &histograms[metric][label1];
    size_t i = 0;
    while (microseconds > buckets[i].most_us) {
        i++;
    }
    atomic_fetch_add_explicit(&histogram->counts[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, microseconds, memory_order_relaxed);
}

static uint64_t
histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(buckets); i++) {
        count += load(&histogram->counts[i]);
    }
    return count;
}

uint64_t
metric_get(enum metric metric, unsigned label1, unsigned label2)
{
    const atomic_uint_least64_t *value = value_at(metric, label1, label2);
    if (metric_rows[metric].type == METRIC_TYPE_HISTOGRAM) {
        return histogram_count(&histograms[metric][label1]);
    }
    return load(value);
}

/* The labels of one sample; NULL where there is none. le is for buckets. */
struct sample_labels {
    const char *names[3];
    const char *words[3];
    unsigned indexes[2]; /* stand in for words that were not given */
};

static void
add_escaped(struct buf *b, const char *text, bool quotes_too)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n') {
            buf_add_text(b, "\\n");
        } else {
            if (*p == '\\' || (quotes_too && *p == '"')) {
                buf_add_byte(b, '\\');
            }
            buf_add_byte(b, (uint8_t)*p);
        }
    }
}

static void
add_labels(struct buf *b, const struct sample_labels *labels)
{
    const char *separator = "{";
    for (size_t i = 0; i < 3; i++) {
        if (labels->names[i] == NULL || labels->names[i][0] == '\0') {
            continue;
        }
        buf_add_format(b, "%s%s=\"", separator, labels->names[i]);
        if (labels->words[i] != NULL) {
            add_escaped(b, labels->words[i], true);
        } else {
            buf_add_format(b, "%u", labels->indexes[i]);
        }
        buf_add_byte(b, '"');
        separator = ",";
    }
    buf_add_text(b, separator[0] == ',' ? "} " : " ");
}

static void
add_histogram(struct buf *b, const struct metric_row *row, const struct histogram *histogram,
              struct sample_labels *labels)
{
    uint64_t count = 0;
    labels->names[2] = "le";
    for (size_t i = 0; i < ARRAY_COUNT(buckets); i++) {
        count += load(&histogram->counts[i]);
        labels->words[2] = buckets[i].le;
        buf_add_format(b, "%s_bucket", row->name);
        add_labels(b, labels);
        buf_add_format(b, "%llu\n", (unsigned long long)count);
    }
    labels->names[2] = NULL;
    uint64_t sum_us = load(&histogram->sum_us);
    buf_add_format(b, "%s_sum", row->name);
    add_labels(b, labels);
    buf_add_format(b, "%llu.%06llu\n", (unsigned long long)(sum_us / 1000000),
                   (unsigned long long)(sum_us % 1000000));
    buf_add_format(b, "%s_count", row->name);
    add_labels(b, labels);
    buf_add_format(b, "%llu\n", (unsigned long long)count);
}

static void
add_value(struct buf *b, const struct metric_row *row, uint64_t value,
          const struct sample_labels *labels)
{
    buf_add_text(b, row->name);
    add_labels(b, labels);
    if (row->type == METRIC_TYPE_GAUGE) {
        buf_add_format(b, "%lld\n", (long long)value);
    } else {
        buf_add_format(b, "%llu\n", (unsigned long long)value);
    }
}

/* All samples of one metric at one first label. */
static void
add_samples(struct buf *b, enum metric metric, unsigned label1)
{
    const struct metric_row *row = &metric_rows[metric];
    struct sample_labels labels = {.names = {row->labels[0], row->labels[1]}};
    labels.words[0] = atomic_load_explicit(&words1[metric][label1], memory_order_acquire);
    labels.indexes[0] = label1;
    bool two = row->labels[1][0] != '\0';
    /* without labels there is one sample, always; with one, those named or counted */
    bool shown = row->labels[0][0] == '\0' ? label1 == 0 : labels.words[0] != NULL;
    if (row->type == METRIC_TYPE_HISTOGRAM) {
        if (shown || histogram_count(&histograms[metric][label1]) != 0) {
            add_histogram(b, row, &histograms[metric][label1], &labels);
        }
        return;
    }
    for (unsigned label2 = 0; label2 < (two ? METRIC_LABEL2_MAX : 1); label2++) {
        uint64_t value = load(&values[metric][label1][label2]);
        labels.words[1] = atomic_load_explicit(&words2[metric][label2], memory_order_acquire);
        labels.indexes[1] = label2;
        /* of two labels only the pairs that were counted: most of the others never will be */
        if (value != 0 || (shown && !two)) {
            add_value(b, row, value, &labels);
        }
    }
}

int
metrics_render(struct buf *b)
{
    static const char *const type_words[] = {[METRIC_TYPE_COUNTER] = "counter",
                                             [METRIC_TYPE_GAUGE] = "gauge",
                                             [METRIC_TYPE_HISTOGRAM] = "histogram"};
    for (unsigned metric = 0; metric < METRIC_COUNT; metric++) {
        const struct metric_row *row = &metric_rows[metric];
        buf_add_format(b, "# HELP %s ", row->name);
        add_escaped(b, row->help, false);
        buf_add_format(b, "\n# TYPE %s %s\n", row->name, type_words[row->type]);
        for (unsigned label1 = 0; label1 < METRIC_LABEL1_MAX; label1++) {
            add_samples(b, (enum metric)metric, label1);
        }
    }
    return b->failed;
}
