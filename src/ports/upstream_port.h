/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one upstream contract: asks Intel's PCS for an item. pcs/ implements it with libcurl,
 * scenario tests with a script. Blocking; any thread.
 */
#ifndef PORTS_UPSTREAM_PORT_H
#define PORTS_UPSTREAM_PORT_H

#include "collateral/raw_reply.h"

struct upstream_query {
    const struct item_key *key; /* ITEM_PCK: key->platform.pceid is used */
    struct span encrypted_ppid; /* ITEM_PCK: hex; empty if a manifest is given */
    struct span manifest;       /* ITEM_PCK: hex; POST if not empty */
    const char *crl_url;        /* ITEM_ROOT_CRL: where it is; ITEM_CRL uses key->url */
};

/* An implementation's object starts with this.
 *
 * fetch: 0 and the raw reply (a 200 with the headers that its endpoint needs), which the caller
 * frees with raw_reply_done. FAULT_NOT_FOUND (404, 410), FAULT_UPSTREAM_DOWN (unreachable, TLS,
 * time-out, 429, 5xx after retries; why->number is the status, or the curl code negated;
 * *ret_retry_after_s is what the PCS asked for or 0), FAULT_UPSTREAM_REFUSED (400, 401, 403),
 * FAULT_UPSTREAM_ODD (other statuses, needed header missing, body above its ceiling or empty,
 * redirect away from the host or more than three). why->text names the URL without secrets, status,
 * Error-Code and Request-ID. */
struct upstream {
    int (*fetch)(struct upstream *self, const struct upstream_query *query,
                 struct raw_reply *ret_raw, int *ret_retry_after_s, struct fault *why);
};

#endif
