/* SPDX-License-Identifier: BSD-3-Clause */
/* The pages about the service itself: health, metrics, dashboard. They never wait for anything. */
#ifndef PCCSD_PAGES_H
#define PCCSD_PAGES_H

#include "cache/response.h"
#include "http/http.h"
#include "request/request.h"

struct daemon;

bool page_is(enum route route);
bool page_is_health(enum route route); /* probes are not held to RequestsPerSecond */
/* A finished response, also for a refusal (404 where switched off, 401 without the metrics token);
 * NULL if memory ran out. */
struct response *page_response(struct daemon *daemon, enum route route,
                               const struct http_request *http);

/* dashboard.c */
struct response *dashboard_page(struct daemon *daemon);

#endif
