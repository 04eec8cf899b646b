/* SPDX-License-Identifier: BSD-3-Clause */
/* Every ceiling that outside bytes can reach, with its reason. A test reaches each of them. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
    /* HTTP (api.md, Transport) */
    LIMIT_HTTP_HEAD_BYTES = 16 * 1024, /* request line and headers together */
    LIMIT_HTTP_HEADERS = 100,
    LIMIT_HTTP_CONNECTIONS = 10000, /* per process; beyond it the oldest idle one goes */

    /* Values (api.md, Values) */
    LIMIT_QEID_CHARS = 260,
    LIMIT_URL_CHARS = 2048,
    LIMIT_PPID_HEX = 768,
    LIMIT_REQUEST_ID_CHARS = 64,
    LIMIT_MANIFEST_HEX = 2 * 512 * 1024, /* Intel's tool sends up to 256 KiB of binary */

    /* Collateral (clients.md 1.5): body plus decoded chain, Intel's client breaks at 65,534 */
    LIMIT_ITEM_WITH_CHAIN_BYTES = 65533,
    LIMIT_CHAIN_PEM_BYTES = 32 * 1024,
    LIMIT_CHAIN_CERTS = 4,
    LIMIT_CERT_PEM_BYTES = 8 * 1024,
    LIMIT_CRL_BYTES = 1024 * 1024, /* crl?uri= and qve are not bound by 65,534 */
    LIMIT_TCB_LEVELS = 512,
    LIMIT_PCK_CERTS = 512, /* per platform; Intel sends a few dozen at most */
    LIMIT_FMSPCS = 65536,
    LIMIT_JSON_DEPTH = 32,

    /* Upstream */
    LIMIT_UPSTREAM_BODY_BYTES = 8 * 1024 * 1024,
    LIMIT_UPSTREAM_HEAD_BYTES = 64 * 1024,
    LIMIT_UPSTREAM_REDIRECTS = 3,

    /* Cache (api.md, Ceilings) */
    LIMIT_RAW_TCBS_PER_PLATFORM = 64,
    LIMIT_CACHED_CRL_URLS = 64,
    LIMIT_WAITERS_PER_FLIGHT = 100000,
    LIMIT_FLIGHTS = 10000, /* distinct keys being fetched at once */
    LIMIT_NEGATIVE_ENTRIES = 65536,

    /* Configuration and files */
    LIMIT_CONFIG_BYTES = 1024 * 1024,
    LIMIT_PEM_FILE_BYTES = 1024 * 1024,
    LIMIT_COLLATERALS_FILE_BYTES = 1024 * 1024 * 1024,
};

#endif
