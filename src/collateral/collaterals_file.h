/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The platform collaterals file (clients.md 5.2; wire_details.md 1): the body of PUT
 * platformcollateral and what pccsadmin carries. Parsed into raw items, proven by nobody yet.
 */
#ifndef COLLATERAL_COLLATERALS_FILE_H
#define COLLATERAL_COLLATERALS_FILE_H

#include "collateral/raw_reply.h"

struct collaterals_platform { /* an entry of "platforms" */
    struct platform_id id;
    bool has_raw;
    struct raw_tcb raw;
    char *enc_ppid; /* upper-case hex, "" */
    char *manifest; /* upper-case hex, "" */
};

struct collaterals_pck { /* an entry of "pck_certs": key ITEM_PCK */
    struct platform_id id;
    char *enc_ppid, *manifest;
    struct raw_reply
        raw; /* pcks filled; issuer_chain NULL: the CA of the first certificate decides */
};

struct collaterals_item { /* TCB info, identity, PCK CRL, root CRL */
    struct item_key key;
    struct raw_reply
        raw; /* body compact JSON or DER; issuer_chain a heap copy, NULL if not in the file */
};

struct collaterals_file {
    unsigned version;
    struct collaterals_platform *platforms;
    size_t platform_count;
    struct collaterals_pck *pcks;
    size_t pck_count;
    struct collaterals_item *items;
    size_t item_count;
    char *pck_chains[2]; /* SGX-PCK-Certificate-Issuer-Chain, by enum pck_ca; NULL if absent */
    char *root_crl_url;  /* rootcacrl_cdp; NULL if absent */
};

/* version: of the request's path (3 or 4), must equal collaterals.version. Empty members of a
 * CRL-only file are skipped. FAULT_INPUT naming the member. One FMSPC twice, in different case: all
 * its parts, for their dates decide; one platform twice: the last one. */
int collaterals_file_parse(struct span body, unsigned version, struct collaterals_file *ret_file,
                           struct fault *why) must_check;
void collaterals_file_done(struct collaterals_file *file);

#endif
