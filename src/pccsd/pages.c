/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which routes are pages about the service itself, who may read them, and the metrics page.
 * Takes a route and its request; gives a finished response.
 * Called by serve.c on the server's loops.
 * Must never ask the store or wait: what is shown was gathered by the timer.
 * config.md: MetricsEnabled, MetricsToken, DashboardEnabled.
 */
#include "pccsd/pages.h"

#include "base/mem.h"
#include "metrics/metrics.h"
#include "pccsd/daemon.h"

enum { METRICS_PAGE_BYTES_MAX = 1024 * 1024 };

bool
page_is_health(enum route route)
{
    return route == ROUTE_HEALTH_LIVE || route == ROUTE_HEALTH_READY ||
           route == ROUTE_HEALTH_STARTUP;
}

bool
page_is(enum route route)
{
    return page_is_health(route) || route == ROUTE_METRICS || route == ROUTE_DASHBOARD;
}

/* The token in the header metrics-token, or as bearer token, which is what scrapers can send. */
static struct span
metrics_token(const struct http_request *http)
{
    static const char scheme[] = "Bearer ";
    enum { SCHEME_SIZE = sizeof scheme - 1 };
    struct span value = {0};
    if (header_find(http->headers, http->header_count, "metrics-token", &value)) {
        return value;
    }
    if (header_find(http->headers, http->header_count, "Authorization", &value) &&
        value.size > SCHEME_SIZE && span_is_nocase(span_of(value.data, SCHEME_SIZE), scheme)) {
        return span_of(value.data + SCHEME_SIZE, value.size - SCHEME_SIZE);
    }
    return span_of(NULL, 0);
}

static int
metrics_admit(struct daemon *daemon, const struct http_request *http, struct fault *why)
{
    if (!tokens_have(&daemon->tokens, TOKEN_METRICS)) {
        if (http->peer_is_loopback) {
            return 0;
        }
        return fault_set(why, FAULT_AUTH, "auth",
                         "without MetricsToken the metrics are for loopback clients only");
    }
    if (!tokens_accept(&daemon->tokens, TOKEN_METRICS, metrics_token(http))) {
        return fault_set(why, FAULT_AUTH, "auth", "the metrics token is missing or wrong");
    }
    return 0;
}

static struct response *
metrics_page(struct daemon *daemon, const struct http_request *http)
{
    struct fault why = {0};
    if (metrics_admit(daemon, http, &why) != 0) {
        return response_of_fault(&why, false, 0);
    }
    auto_cleanup(buf_done) struct buf body = BUF_INIT(METRICS_PAGE_BYTES_MAX);
    if (metrics_render(&body) != 0) {
        return NULL;
    }
    return response_new(200,
                        span_of_text("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                                     "Cache-Control: no-store\r\n"),
                        buf_span(&body));
}

static struct response *
page_off(const char *key)
{
    struct fault why;
    fault_set(&why, FAULT_NO_ROUTE, "route", "%s is false in the configuration", key);
    return response_of_fault(&why, false, 0);
}

struct response *
page_response(struct daemon *daemon, enum route route, const struct http_request *http)
{
    if (page_is_health(route)) {
        return health_page(daemon, route);
    }
    if (route == ROUTE_METRICS) {
        return daemon->config.metrics_enabled ? metrics_page(daemon, http)
                                              : page_off("MetricsEnabled");
    }
    return daemon->config.dashboard_enabled ? dashboard_page(daemon) : page_off("DashboardEnabled");
}
