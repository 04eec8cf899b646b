/* SPDX-License-Identifier: BSD-3-Clause */
/* Every ceiling that outside bytes can reach, with its reason. A test reaches each of them. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
    /* HTTP (api.md, Transport) */
    LIMIT_HTTP_HEAD_BYTES = 16 * 1024, /* request line and headers together */
    LIMIT_HTTP_HEADERS = 100,
    LIMIT_HTTP_CONNECTIONS = 10000,       /* per process; beyond it the oldest idle one goes */
    LIMIT_HTTP_METHOD_CHARS = 32,         /* no registered method is longer than 17 */
    LIMIT_HTTP_CHUNK_EXTRA_BYTES = 4096,  /* extensions and trailers of a body; they mean nothing */
    LIMIT_HTTP_DISCARD_BYTES = 64 * 1024, /* an unwanted body read over to keep its connection */
    LIMIT_HTTP_LINGER_BYTES = 4 * 1024 * 1024, /* read over so that a 413 is not lost to a reset */
    LIMIT_HTTP_HEAD_EXTRA_BYTES = 1024,        /* http_answer.head_extra, copied per answer */

    /* Values (api.md, Values) */
    LIMIT_QEID_CHARS = 260,
    LIMIT_URL_CHARS = 2048,
    LIMIT_PPID_HEX = 768,
    LIMIT_REQUEST_ID_CHARS = 64,
    LIMIT_MANIFEST_HEX = 2 * 512 * 1024, /* Intel's tool sends up to 256 KiB of binary */
    LIMIT_FMSPC_LIST_CHARS = 4096,       /* source=[...], refresh fmspc=...: 315 FMSPCs */
    LIMIT_ACK_ROWS = 32768, /* POST platforms/ack: twice what fits a body of the default 2 MB */
    LIMIT_EVAL_NUMBER = 1000000000, /* tcbEvaluationDataNumber: about 20 in 2026; fits any column */

    /* Collateral (clients.md 1.5): body plus decoded chain, Intel's client breaks at 65,534 */
    LIMIT_ITEM_WITH_CHAIN_BYTES = 65533,
    LIMIT_CHAIN_PEM_BYTES = 32 * 1024,
    LIMIT_CHAIN_CERTS = 4,
    LIMIT_CERT_PEM_BYTES = 8 * 1024,
    LIMIT_TRUST_ANCHORS = 16,      /* operators mix at most a few environments */
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
    LIMIT_CLAIMS_HELD = 256, /* renewed at once: as many as workers can hold */
    LIMIT_RAW_TCBS_PER_PLATFORM = 64,
    LIMIT_CACHED_CRL_URLS = 64,
    LIMIT_WAITERS = 20000, /* for all flights, 9 KB each: those who hang up wait on, so twice
                              LIMIT_HTTP_CONNECTIONS */
    LIMIT_FLIGHTS = 10000, /* distinct keys being fetched at once */

    /* Store */
    LIMIT_STORE_ROW_BYTES = 8 * 1024 * 1024,    /* of a database row, whoever wrote it */
    LIMIT_POLICY_BYTES = 4 * 1024 * 1024,       /* an appraisal policy; real ones have a few KB */
    LIMIT_QUEUE_LIST_BYTES = 512 * 1024 * 1024, /* handed out at once; the rest stays queued */

    /* Configuration and files */
    LIMIT_CONFIG_BYTES = 1024 * 1024,
    LIMIT_CONFIG_VALUE_BYTES = 4096, /* one value, also from a ..._FILE: keys, names and paths */
    LIMIT_CONFIG_HOSTS = 16,         /* addresses to bind */
    LIMIT_CRON_CHARS = 512,          /* RefreshSchedule: room for two lists of all sixty values */
    LIMIT_PEM_FILE_BYTES = 1024 * 1024,
    LIMIT_COLLATERALS_FILE_BYTES = 1024 * 1024 * 1024,

    /* PCKIDRetrievalTool */
    LIMIT_EFI_VARIABLE_BYTES = 512 * 1024, /* half of LIMIT_MANIFEST_HEX; Intel's buffer is half */
    LIMIT_PLATFORM_ID_BYTES = 260,         /* as Intel's tool */
    LIMIT_NETWORK_SETTING_BYTES = 64 * 1024,
    LIMIT_PCKID_CSV_BYTES = 64 * 1024 * 1024, /* of --send: thousands of records */
    LIMIT_PCKID_RECORDS = 65536,

    /* pcs-sim: what its control endpoint, options and fleet file can make grow */
    LIMIT_SIM_FLEET_BYTES = 256 * 1024 * 1024, /* a file of 10,000 multi-package platforms */
    LIMIT_SIM_PLATFORMS = 1000000,
    LIMIT_SIM_FMSPCS = 10000,
    LIMIT_SIM_LEVELS = 48,       /* per FMSPC, TCB recoveries not counted; Intel has under 30 */
    LIMIT_SIM_RECOVERIES = 12,   /* each raises SVNs, which end at 255 */
    LIMIT_SIM_FAULTS = 256,      /* active at once; each is looked at for every request */
    LIMIT_SIM_REVOCATIONS = 512, /* per CRL */
    LIMIT_SIM_STAT_KEYS = 65536, /* counted apart; more are counted together */
    LIMIT_SIM_LOG_ENTRIES = 256, /* the last requests */
    LIMIT_SIM_CONTROL_BYTES = 64 * 1024,
    LIMIT_SIM_HUGE_BYTES = 256 * 1024 * 1024, /* of the fault `huge` */
    LIMIT_SIM_DELAYED = 20000,                /* answers that wait for their time */
    LIMIT_SIM_DELAY_MS = 600000,
};

#endif
