/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One exchange as it is counted, timed and logged: filled by serve.c when a request is complete,
 * used up when its answer is handed to the server.
 */
#ifndef PCCSD_ACCESS_LOG_H
#define PCCSD_ACCESS_LOG_H

#include "base/limits.h"
#include "cache/response.h"
#include "request/request.h"

enum { EXCHANGE_PATH_SIZE = 120 + 1 };

struct exchange {
    char request_id[LIMIT_REQUEST_ID_CHARS + 1];
    const char *method;            /* a literal */
    unsigned route;                /* enum route, or ROUTE_COUNT if the path is unknown */
    char path[EXCHANGE_PATH_SIZE]; /* without the query, which may hold a PPID; cut */
    char peer[46];
    int64_t started_us;
};

/* Gives the labels of the request metrics their words; once, at start. */
void access_log_init(void);
/* Counts, times and logs one answered exchange; fault and detail say why it was refused. */
void access_log_write(const struct exchange *exchange, int status, size_t body_bytes,
                      enum fault_code fault, const char *detail);

#endif
