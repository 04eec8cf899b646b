/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step 2 of 8 is request.c: method, path, query, headers and body as spans in; a typed request with
 * the key of what it wants out, or 400/401/404/405. Pure; no allocation on GETs. api.md.
 */
#ifndef REQUEST_REQUEST_H
#define REQUEST_REQUEST_H

#include "base/header.h"
#include "terms/terms.h"

enum route {
#define ROUTE(id, methods, path, auth, body, metric) ROUTE_##id,
#include "request/routes.def"
#undef ROUTE
    ROUTE_COUNT
};

enum route_auth { ROUTE_AUTH_NONE, ROUTE_AUTH_USER, ROUTE_AUTH_ADMIN };

struct route_match {
    enum route route;
    unsigned api_version; /* 3, 4; 0 for health, metrics, dashboard */
    enum route_auth auth;
    bool takes_body;
    const char *allow; /* with FAULT_METHOD: the value for Allow, a literal */
};

/* The route of a method and raw path. Paths in any case, one trailing slash ignored.
 * FAULT_NO_ROUTE, FAULT_METHOD (auth is set then too: platformcollateral and refresh want the token
 * for every method). upstream_version 3: v4 and tdx paths do not exist. HEAD matches as GET. */
int route_find(struct span method, struct span path, unsigned upstream_version,
               struct route_match *ret_match) must_check;
/* The word for metrics and logs: "pckcert". */
const char *route_word(enum route route);

/* Tokens: SHA-512 of the presented token against a stored lower-case hex hash, constant time.
 * hash_hex "" : never true. */
bool token_matches(struct span token, const char *hash_hex);

enum crl_encoding { CRL_ENCODING_HEX, CRL_ENCODING_DER, CRL_ENCODING_PEM };

struct request {
    enum route route;
    unsigned api_version;
    struct item_key key; /* of collateral GETs; of policies GET */
    /* pckcert */
    char encrypted_ppid[LIMIT_PPID_HEX + 1]; /* upper case; "" if absent */
    bool encrypted_ppid_is_zero;
    /* pckcrl */
    enum crl_encoding encoding;
    /* platforms POST */
    enum update_type update; /* STANDARD, EARLY, ALL */
    /* platforms GET */
    enum platforms_source {
        PLATFORMS_SOURCE_REG,
        PLATFORMS_SOURCE_REG_NA,
        PLATFORMS_SOURCE_REG_PENDING,
        PLATFORMS_SOURCE_CACHED
    } source;
    bool peek;
    /* refresh */
    bool refresh_certs; /* type=certs */
    /* source=[...] and refresh fmspc=...: the raw list; empty means all. request_next_fmspc walks
     * it. */
    char fmspc_list[4096 + 1];
};

/* Validates the query of a matched route. FAULT_INPUT with the parameter's name. Also used for
 * POST, PUT (their query part). HEAD of platforms: peek is set. */
int request_parse(const struct route_match *match, bool is_head, struct span query,
                  struct request *ret_request, struct fault *why) must_check;
/* Walks fmspc_list: true and the next FMSPC; *position starts at 0. */
bool request_next_fmspc(const struct request *request, size_t *position, struct fmspc *ret_fmspc);

/* Headers of a request with a body: Content-Type must be application/json (parameters other than a
 * UTF-8 charset: FAULT_MEDIA_TYPE), no Content-Encoding but identity. FAULT_INPUT,
 * FAULT_MEDIA_TYPE. */
int request_check_body_headers(const struct header *headers, size_t count,
                               struct fault *why) must_check;

/* ---- bodies ---- */

/* POST platforms (api.md): values in normal form. */
struct registration {
    struct platform_id platform;
    bool has_raw;
    struct raw_tcb raw;
    char *encrypted_ppid; /* upper-case hex, "" with a manifest */
    char *manifest;       /* upper-case hex, "" if none */
};
int registration_parse(struct span body, struct registration *ret_registration,
                       struct fault *why) must_check;
void registration_done(struct registration *registration);

/* POST platforms/ack: an array of {qe_id, pce_id, cpu_svn, pce_svn}. */
struct ack_row {
    struct platform_id platform;
    char cpusvn[32 + 1], pcesvn[4 + 1]; /* "" for manifest rows */
};
int ack_parse(struct span body, struct ack_row **ret_rows, size_t *ret_count,
              struct fault *why) must_check;

/* PUT appraisalpolicy. */
struct policy_upload {
    bool is_default;
    struct fmspc fmspc;
    char *policy; /* the JWT text */
    char id[96 + 1];
    int type; /* 0 SGX, 1 TDX 1.0, 2 TDX 1.5 */
};
int policy_upload_parse(struct span body, struct policy_upload *ret_upload,
                        struct fault *why) must_check;
void policy_upload_done(struct policy_upload *upload);

#endif
