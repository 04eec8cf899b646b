/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the store that the configuration names. The contract is ports/store_port.h. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/clock.h"
#include "ports/store_port.h"

struct store_options {
    const char *path;        /* SQLite file, or ":memory:" */
    const char *server_addr; /* host name of `uri`, for pcs_version */
    int api_version;         /* 3 or 4, for pcs_version */
    bool init_db;            /* false: neither create nor migrate */
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

#endif
