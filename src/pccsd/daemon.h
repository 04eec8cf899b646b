/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The running service: what main.c makes once, in this order, and frees in reverse. Everything here
 * lives as long as the program. After the start it is read only, but for tokens, health, timer and
 * client_rate, each of which names its lock.
 */
#ifndef PCCSD_DAEMON_H
#define PCCSD_DAEMON_H

#include "cache/cache.h"
#include "config/config.h"
#include "http/http.h"
#include "pccsd/client_rate.h"
#include "pccsd/follower.h"
#include "pccsd/health.h"
#include "pccsd/timer.h"
#include "pccsd/tokens.h"
#include "setup/options.h"
#include "x509/x509_chain.h"

enum { DAEMON_DRAIN_MS = 10 * 1000 }; /* config.md: what is in flight gets 10 s at most */

struct daemon {
    struct options options; /* which files the configuration came from */
    struct config config;   /* as of the start; paths are absolute */
    const struct clock *clock;
    int64_t started_at;
    bool logs_to_file; /* the log is open, and not standard error */
    struct trust_anchors *anchors;
    struct request_policy policy; /* whom crl?uri= may name */
    struct store *store;
    struct upstream *upstream; /* NULL in OFFLINE */
    struct cache *cache;
    struct tokens tokens;
    struct health health;
    struct client_rate *client_rate; /* NULL: no ceiling */
    int passed[LIMIT_CONFIG_HOSTS];  /* listening sockets that systemd opened */
    size_t passed_count;
    struct http_server *server;
    struct timer timer;
    struct follower follower;
    bool is_ended; /* a signal came before the start was over */
};

#endif
