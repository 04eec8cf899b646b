/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the cache share: a PKI, a clock, a store in memory, a PCS that a test can steer
 * while it is being asked. */
#ifndef CACHE_FIXTURE_H
#define CACHE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/cache_priv.h"
#include "store/store.h"
#include "support/testpki.h"

#define FIXTURE_FMSPC "00906EA10000"
#define FIXTURE_CRL_URL "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"

struct fixture {
    _Atomic int64_t now, monotonic_ms;
    struct clock clock;
    struct testpki *pki;
    struct trust_anchors *anchors;
    struct store *store;
    struct cache *cache;
    struct cache_options options;
    struct request_policy policy;
    struct upstream upstream;

    /* what the PCS says */
    int64_t issued_at, next_at;
    int number;
    uint64_t revoked_by_root;  /* serial; 0: none */
    int pck_first, pck_pcesvn; /* the one certificate of every platform */
    bool pck_misses_one;       /* and another is Not available */
    enum fault_code fault;     /* instead of an answer; 0: none */
    enum item_kind faulty;     /* of this kind only, if has_faulty */
    bool has_faulty;
    _Atomic unsigned fetches;
    /* called while the PCS is being asked, once */
    void (*meanwhile)(struct fixture *f);
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* With these threads (0, 0: none); the setup has made one without. */
void fixture_restart(struct fixture *f, enum cache_mode mode, unsigned upstream_workers,
                     unsigned local_workers);

/* A question and its answer. */
struct client {
    struct ask ask;
    _Atomic int answers;
    struct response *response;
};
/* target as on the wire. As the daemon does: look up, else ask. */
struct client *client_new(struct fixture *f, const char *method, const char *target,
                          const char *body);
void client_send(struct fixture *f, struct client *client);
void client_free(struct client *client);
/* Asks, runs the jobs, gives the answer; free with response_unref. */
struct response *fixture_ask(struct fixture *f, const char *method, const char *target);
/* Only what memory has; NULL: nothing. */
struct response *fixture_look(struct fixture *f, const char *target);

extern const char TCB_TARGET[];
/* pckcert of platform qeid with a raw TCB of that first component and PCESVN 10. */
void pckcert_target(const char *qeid, int first, char out[2048]);

struct item_key tcb_key(void);
/* The item as the PCS has it, proven; free with proven_unref. */
struct proven *fixture_proven(struct fixture *f, const struct item_key *key);
/* Written and published as an upload does. */
void fixture_put(struct fixture *f, const struct item_key *key);

#endif
