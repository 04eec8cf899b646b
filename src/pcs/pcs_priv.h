/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of this room share: the client and its pool (pcs_client.c), a request made from a
 * query (pcs_url.c), one HTTP exchange (pcs_exchange.c), a fetch with its tries (pcs_fetch.c).
 */
#ifndef PCS_PCS_PRIV_H
#define PCS_PCS_PRIV_H

#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>

#include "pcs/pcs.h"
#include "pcs/pcs_curl.h"

enum {
    PCS_IDLE_HANDLES_MAX = 16, /* more than UpstreamConcurrency usually is; the rest is closed */
    PCS_CA_FILE_CERTS_MAX = 1024,
};

/* An easy handle in a multi handle of its own: the connections live in the multi handle and a wait
 * for it can be interrupted. Used by one thread at a time. */
struct pcs_handle {
    CURLM *multi;
    CURL *easy;
};

struct pcs_client {
    struct upstream port; /* first: the port is the client */
    /* immutable */
    char *prefix;     /* of uri, up to and without /sgx/certification/ */
    unsigned version; /* of uri */
    char *api_key, *proxy;
    bool sends_key_everywhere;
    X509 **ca_certs; /* of UpstreamCaFile */
    size_t ca_cert_count;
    struct pcs_options options; /* numbers and on_exchange only; its texts are not kept */
    int stop_fd;                /* eventfd; readable from pcs_client_stop on */
    atomic_bool is_stopping;
    /* lock protects idle and idle_count */
    pthread_mutex_t lock;
    struct pcs_handle idle[PCS_IDLE_HANDLES_MAX];
    size_t idle_count;
};

/* Takes an idle handle or makes one; false if memory ran out. */
bool pcs_handle_take(struct pcs_client *client, struct pcs_handle *ret_handle) must_check;
void pcs_handle_give(struct pcs_client *client, struct pcs_handle handle);
/* Waits; false at once if the client is stopping. */
bool pcs_client_wait(struct pcs_client *client, int64_t milliseconds);

/* ---- pcs_url.c ---- */

struct pcs_request {
    enum item_kind kind;
    const char *endpoint; /* of PCS_ENDPOINT_WORDS */
    struct buf url;
    struct buf shown; /* the URL without secrets, for texts */
    struct buf body;  /* POST if not empty */
    bool sends_key;
    size_t body_max; /* of the answer */
};

int pcs_request_build(const struct pcs_client *client, const struct upstream_query *query,
                      struct pcs_request *ret_request, struct fault *why) must_check;
void pcs_request_done(struct pcs_request *request);
/* Same scheme, host and port. */
bool pcs_same_origin(const char *a, const char *b);

/* ---- pcs_exchange.c ---- */

enum pcs_header {
    PCS_HEADER_PCK_CHAIN,
    PCS_HEADER_TCB_CHAIN,
    PCS_HEADER_TCB_CHAIN_V3,
    PCS_HEADER_IDENTITY_CHAIN,
    PCS_HEADER_CRL_CHAIN,
    PCS_HEADER_EVALNUMBERS_CHAIN,
    PCS_HEADER_FMSPC,
    PCS_HEADER_CA_TYPE,
    PCS_HEADER_REQUEST_ID,
    PCS_HEADER_ERROR_CODE,
    PCS_HEADER_RETRY_AFTER,
    PCS_HEADER_CONTENT_ENCODING,
    PCS_HEADER_COUNT
};
const char *pcs_header_name(enum pcs_header header);

struct pcs_reply {
    CURLcode code;
    char error[CURL_ERROR_SIZE];     /* libcurl's words, may be "" */
    int status;                      /* 0: no answer */
    struct buf body;                 /* of a 200 only */
    char *headers[PCS_HEADER_COUNT]; /* heap; NULL where absent */
    char *redirect;                  /* absolute; NULL if there is none */
    size_t head_size, dropped_size;
    bool has_whole_head;
    bool is_too_large; /* head or body */
    bool is_out_of_memory;
};

/* One request, one answer, no redirect followed, ending by deadline_ms (clock_system's monotonic).
 * Fills reply anew whatever happens: see reply->code. */
void pcs_exchange(struct pcs_client *client, const struct pcs_request *request, const char *url,
                  int64_t deadline_ms, struct pcs_reply *reply);
void pcs_reply_done(struct pcs_reply *reply);

/* ---- pcs_fetch.c ---- */

int pcs_fetch(struct upstream *self, const struct upstream_query *query, struct raw_reply *ret_raw,
              int *ret_retry_after_s, struct fault *why);

#endif
