/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What came from outside and is not proven: from the PCS, from an upload, from the database. The
 * only thing that can be done with it is verify() (collateral/verify.h).
 */
#ifndef COLLATERAL_RAW_REPLY_H
#define COLLATERAL_RAW_REPLY_H

#include "base/buf.h"
#include "terms/terms.h"

/* One entry of a pckcerts answer or of the database's pck_cert table. */
struct raw_pck {
    char tcbm[36 + 1];      /* as claimed; upper case */
    bool available;         /* false: the words "Not available"; cert is empty then */
    uint8_t components[16]; /* as claimed in "tcb" (Not available entries need it) */
    uint16_t pcesvn;
    char *cert; /* heap; PEM or percent-encoded PEM */
};

struct raw_reply {
    struct buf body;      /* as received. PCK: the JSON array, or empty if pcks is filled */
    char *issuer_chain;   /* heap; PEM or percent-encoded; NULL if it did not come */
    char fmspc[12 + 1];   /* PCK: the SGX-FMSPC header; "" if none */
    char ca[16];          /* PCK: the SGX-PCK-Certificate-CA-Type header; "" if none */
    struct raw_pck *pcks; /* heap array; filled by raw_reply_parse_pcks or by the store */
    size_t pck_count;
    /* for PCCS-Error-Detail and the log; "" where absent */
    int upstream_status;
    char upstream_request_id[LIMIT_REQUEST_ID_CHARS + 1];
};

void raw_reply_init(struct raw_reply *raw); /* body gets LIMIT_UPSTREAM_BODY_BYTES as ceiling */
void raw_reply_done(struct raw_reply *raw);
/* Fills pcks from the body: a JSON array of {tcb, tcbm, cert}. FAULT_INPUT. An empty array is fine.
 */
int raw_reply_parse_pcks(struct raw_reply *raw, struct fault *why) must_check;
/* Appends one entry from its parsed JSON object text (used for uploads too). */
int raw_pck_parse(struct span object, struct raw_pck *ret_pck, struct fault *why) must_check;

#endif
