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
    bool is_head;      /* HEAD, which matches as GET */
    const char *allow; /* with FAULT_METHOD: the value for Allow, a literal */
};

/* The route of a method and raw path. Paths in any case, one trailing slash ignored; a percent
 * escape in a path matches nothing. FAULT_NO_ROUTE leaves *ret_match as it was; FAULT_METHOD fills
 * it (route is one of those at the path, for Allow, metrics and logs; auth is ADMIN where every
 * method wants the token: platformcollateral and refresh). upstream_version 3: v4 and tdx paths do
 * not exist. HEAD matches as GET, but for refresh, which it would start: FAULT_METHOD. */
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
    /* source=[...] and refresh fmspc=...: upper case, commas between, no brackets; empty means all.
     * request_next_fmspc walks it. */
    char fmspc_list[LIMIT_FMSPC_LIST_CHARS + 1];
};

/* What the configuration adds to the fixed rules. */
enum { REQUEST_EXTRA_ORIGINS_MAX = 16 };
struct request_policy {
    /* scheme://host[:port] of the configured uri and of the trust anchors' CRL distribution points:
     * crl?uri= may name them too, with the same paths as Intel's hosts. Borrowed. */
    struct span extra_origins[REQUEST_EXTRA_ORIGINS_MAX];
    size_t extra_origin_count;
};

/* The allow-list of crl?uri= (api.md, GET crl): this service never fetches from a host of the
 * caller's choosing. url is absolute and decoded. policy may be NULL. Also for rootcacrl_cdp of
 * uploads. */
bool crl_url_is_allowed(struct span url, const struct request_policy *policy);

/* Validates the query of a matched route. FAULT_INPUT with the parameter's name. Also used for
 * POST, PUT (their query part). HEAD of platforms: peek is set. The first of equal parameters
 * counts, unknown ones are ignored, values are percent-decoded ('+' is a blank, but in crl?uri= it
 * stays). policy may be NULL. On failure *ret_request holds nothing of use: it is too large to be
 * copied on every request. */
int request_parse(const struct route_match *match, struct span query,
                  const struct request_policy *policy, struct request *ret_request,
                  struct fault *why) must_check;
/* Walks fmspc_list: true and the next FMSPC; *position starts at 0. */
bool request_next_fmspc(const struct request *request, size_t *position, struct fmspc *ret_fmspc);

/* Headers of a request with a body: Content-Type must be application/json (else FAULT_INPUT; a
 * charset other than UTF-8: FAULT_MEDIA_TYPE; other parameters are ignored), no Content-Encoding
 * but identity (else FAULT_MEDIA_TYPE). */
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

/* POST platforms/ack: an array of {qe_id, pce_id, cpu_svn, pce_svn}; svns absent or empty for
 * manifest rows; at most LIMIT_ACK_ROWS. *ret_rows is freed with free(); NULL if there is none. */
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
