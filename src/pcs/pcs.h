/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asks Intel's PCS (or whatever speaks its API) by libcurl: URLs, headers, retries, redirects,
 * ceilings; judges nothing of the content. The contract of a fetch is ports/upstream_port.h; a
 * client may be used from many threads at once. pcs.md; api.md, When upstream fails.
 */
#ifndef PCS_PCS_H
#define PCS_PCS_H

#include "base/clock.h"
#include "ports/upstream_port.h"

/* What on_exchange calls an endpoint, by enum item_kind as far as it is fetched. */
#define PCS_ENDPOINT_WORDS                                                                         \
    "tcb", "identity", "pckcrl", "rootcacrl", "crl", "pckcerts", "tcbevaluationdatanumbers",       \
        "fmspcs"

struct pcs_options {
    const char *uri;     /* ends in /sgx/certification/vN/ ; https, or http on loopback only */
    const char *api_key; /* "" or NULL: no header; goes with pckcerts only (with everything on
                            Intel's validation host) */
    const char *proxy;   /* "": the environment's; https upstreams only, never loopback */
    const char *ca_file; /* added to the system's; "": none */
    int timeout_s;       /* of one try, and of all tries together */
    unsigned retries;    /* exponential with jitter from 1 s, Retry-After honoured */
    int first_wait_ms;   /* before the first retry; 0: 1000 */
    /* After each HTTP exchange, for metrics; endpoint is one of PCS_ENDPOINT_WORDS; status 0: no
     * answer. May be NULL. */
    void (*on_exchange)(void *self, const char *endpoint, int status, long milliseconds);
    void *self;
};

/* *ret_upstream is the client's port; free with pcs_client_free. */
int pcs_client_new(const struct pcs_options *options, struct upstream **ret_upstream,
                   struct fault *why) must_check;
/* Could a fetch begin? Loads libcurl, which otherwise waits for the first fetch. */
int pcs_client_check(struct fault *why) must_check;
void pcs_client_free(struct upstream *upstream);
/* Makes blocked and later fetches end soon with FAULT_UPSTREAM_DOWN (shutdown). Any thread. */
void pcs_client_stop(struct upstream *upstream);

#endif
