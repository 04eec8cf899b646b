/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is said about every answered request: a counter and a time in the metrics, a line at level
 * http, and at level info a line with the reason if it was refused.
 * Takes an exchange and its outcome; gives nothing back.
 * Called by serve.c on any thread, just before the answer is handed to the server.
 * Must never log a query, a token or a body: a query may hold a full PPID.
 */
#include "pccsd/access_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "metrics/metrics.h"

/* Every status that api.md knows; the last row stands for any other. */
static const struct {
    int status;
    const char *word;
} codes[] = {
    {200, "200"}, {304, "304"}, {400, "400"}, {401, "401"}, {404, "404"}, {405, "405"},
    {410, "410"}, {413, "413"}, {415, "415"}, {460, "460"}, {461, "461"}, {462, "462"},
    {500, "500"}, {502, "502"}, {503, "503"}, {0, "other"},
};

_Static_assert(ARRAY_COUNT(codes) <= METRIC_LABEL2_MAX, "every status has a label");
_Static_assert(ROUTE_COUNT + 1 <= METRIC_LABEL1_MAX, "every route has a label");

static unsigned
code_label(int status)
{
    unsigned i = 0;
    while (codes[i].status != 0 && codes[i].status != status) {
        i++;
    }
    return i;
}

static const char *
route_label(unsigned route)
{
    return route < ROUTE_COUNT ? route_word((enum route)route) : "unknown";
}

void
access_log_init(void)
{
    for (unsigned route = 0; route <= ROUTE_COUNT; route++) {
        metrics_name_label1(METRIC_REQUESTS, route, route_label(route));
        metrics_name_label1(METRIC_LATENCY, route, route_label(route));
    }
    for (unsigned i = 0; i < ARRAY_COUNT(codes); i++) {
        metrics_name_label2(METRIC_REQUESTS, i, codes[i].word);
    }
}

void
access_log_write(const struct exchange *exchange, int status, size_t body_bytes,
                 enum fault_code fault, const char *detail)
{
    int64_t us = clock_system_monotonic_us() - exchange->started_us;
    metric_add(METRIC_REQUESTS, exchange->route, code_label(status), 1);
    metric_observe_us(METRIC_LATENCY, exchange->route, us > 0 ? (uint64_t)us : 0);
    if (fault != FAULT_NONE) {
        log_event(LOG_EVENT_REQUEST_REFUSED, exchange->request_id,
                  LOG_TEXT("route", route_label(exchange->route)),
                  LOG_TEXT("method", exchange->method), LOG_TEXT("path", exchange->path),
                  LOG_TEXT("peer", exchange->peer), LOG_NUMBER("status", status),
                  LOG_TEXT("fault", fault_word(fault)), LOG_TEXT("reason", detail));
    }
    if (status == 500) { /* an operator must hear of it, whatever the level */
        log_event(LOG_EVENT_INTERNAL, exchange->request_id,
                  LOG_TEXT("route", route_label(exchange->route)),
                  LOG_TEXT("fault", fault_word(fault)), LOG_TEXT("reason", detail));
    }
    if (log_is_on(LOG_HTTP)) {
        log_event(LOG_EVENT_REQUEST, exchange->request_id,
                  LOG_TEXT("route", route_label(exchange->route)),
                  LOG_TEXT("method", exchange->method), LOG_TEXT("path", exchange->path),
                  LOG_TEXT("peer", exchange->peer), LOG_NUMBER("status", status),
                  LOG_NUMBER("bytes", (int64_t)body_bytes), LOG_NUMBER("us", us));
    }
}
