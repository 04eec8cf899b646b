/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the store that the configuration names. The contract is ports/store_port.h. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/clock.h"
#include "ports/store_port.h"

struct store_server_options {
    const char *database, *username, *password, *host;
    int port, pool_max;
    bool ssl_required;  /* refuse a server that does not prove itself */
    const char *ssl_ca; /* PEM file; "": the system's */
};
struct store_options {
    const char *path;                          /* SQLite file, or ":memory:" */
    const struct store_server_options *server; /* PostgreSQL, MariaDB */
    const char *server_addr;                   /* host name of `uri`, for pcs_version */
    int api_version;                           /* 3 or 4, for pcs_version */
    bool init_db;                              /* false: neither create nor migrate */
    const struct clock *clock;
    int busy_timeout_ms;   /* how long to wait for other programs' locks; 0: 5 s */
    size_t list_bytes_max; /* of one queue listing; 0: LIMIT_QUEUE_LIST_BYTES */
    /* told about what a takeover did (a line each); may be NULL */
    void (*on_notice)(void *self, const char *text);
    void *self;
};
/* Opens, creates or takes over (database.md). A second process on the same file: FAULT_CONFIG
 * naming the file. Close with store_close. */
int store_open_sqlite(const struct store_options *options, struct store **ret_store,
                      struct fault *why) must_check;

/* Would store_open_sqlite succeed? Changes nothing, takes no lock (a running pccsd is no
 * hindrance), and tells on_notice in a line what is there and what would be done with it. */
int store_check_sqlite(const struct store_options *options, struct fault *why) must_check;

/* The same on a database server, whose client library is loaded only then. FAULT_STORE: the server
 * cannot be reached now, try again; FAULT_CONFIG: an operator must act. Nothing is copied aside
 * before a takeover: on_notice warns of it. Where the driver was left out of the build:
 * FAULT_CONFIG. */
int store_open_postgres(const struct store_options *options, struct store **ret_store,
                        struct fault *why) must_check;
int store_check_postgres(const struct store_options *options, struct fault *why) must_check;
int store_open_mariadb(const struct store_options *options, struct store **ret_store,
                       struct fault *why) must_check;
int store_check_mariadb(const struct store_options *options, struct fault *why) must_check;

#endif
