/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes the client for the PCS from the configuration and keeps the metrics of its exchanges.
 * Takes the configuration; gives the port that the cache fetches by.
 * upstream_open runs at start on the main thread, count_exchange on the cache's workers; lock
 * protects the list of endpoint words, which become labels in the order in which they are met.
 * Must never put a URL or a status text of the PCS into a label: only words of the client's own.
 */
#include "pccsd/upstream_open.h"

#include <pthread.h>

#include "base/mem.h"
#include "metrics/metrics.h"
#include "pcs/pcs.h"

static const struct {
    int status;
    const char *word;
} codes[] = {
    {0, "none"},  {200, "200"}, {304, "304"}, {400, "400"},  {401, "401"},
    {403, "403"}, {404, "404"}, {410, "410"}, {429, "429"},  {500, "500"},
    {502, "502"}, {503, "503"}, {504, "504"}, {-1, "other"},
};

_Static_assert(ARRAY_COUNT(codes) <= METRIC_LABEL2_MAX, "every status has a label");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the two below */
static const char *endpoints[METRIC_LABEL1_MAX];
static unsigned endpoint_count;

static unsigned
code_label(int status)
{
    unsigned i = 0;
    while (codes[i].status != -1 && codes[i].status != status) {
        i++;
    }
    return i;
}

static unsigned
endpoint_label(const char *endpoint)
{
    pthread_mutex_lock(&lock);
    unsigned i = 0;
    while (i < endpoint_count && strcmp(endpoints[i], endpoint) != 0) {
        i++;
    }
    if (i == endpoint_count && endpoint_count < METRIC_LABEL1_MAX) {
        endpoints[endpoint_count++] = endpoint;
        metrics_name_label1(METRIC_UPSTREAM, i, endpoint);
        metrics_name_label1(METRIC_UPSTREAM_LATENCY, i, endpoint);
    }
    pthread_mutex_unlock(&lock);
    return i < METRIC_LABEL1_MAX ? i : METRIC_LABEL1_MAX - 1;
}

static void
count_exchange(void *self, const char *endpoint, int status, long milliseconds)
{
    (void)self;
    unsigned label = endpoint_label(endpoint);
    metric_add(METRIC_UPSTREAM, label, code_label(status), 1);
    metric_observe_us(METRIC_UPSTREAM_LATENCY, label,
                      milliseconds > 0 ? (uint64_t)milliseconds * 1000 : 0);
}

int
upstream_open(const struct config *config, struct upstream **ret_upstream, struct fault *why)
{
    for (unsigned i = 0; i < ARRAY_COUNT(codes); i++) {
        metrics_name_label2(METRIC_UPSTREAM, i, codes[i].word);
    }
    struct pcs_options options = {
        .uri = config->uri,
        .api_key = config->api_key,
        .proxy = config->proxy,
        .ca_file = config->upstream_ca_file,
        .timeout_s = config->upstream_timeout_s,
        .retries = (unsigned)config->upstream_retries,
        .on_exchange = count_exchange,
    };
    return pcs_client_new(&options, ret_upstream, why);
}
