/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connected side: asks the PCS for items and verifies each before anybody sees it. After
 * pcs_side_open has the revocation lists, pcs_side_get may be called from many threads.
 */
#ifndef PCCSADMIN_PCS_SIDE_H
#define PCCSADMIN_PCS_SIDE_H

#include <stdatomic.h>

#include "collateral/verify.h"
#include "pccsadmin/admin.h"
#include "ports/upstream_port.h"

struct pcs_side {
    struct upstream *upstream;
    struct trust_anchors *anchors;
    unsigned version; /* of the API: 3 or 4 */
    unsigned jobs;
    int64_t now;
    struct proven *root_crl, *pck_crls[2];
    char root_crl_url[LIMIT_URL_CHARS + 1];
    struct fault crl_why[3]; /* of the PCK CRLs by CA, of the root CRL; code 0: got */
    atomic_uint downs;       /* how many in a row could not be reached */
    atomic_bool is_given_up; /* so many that asking on is vain */
};

/* Makes the client from the command line. Says what is wrong and gives an exit status; 0: go on. */
int pcs_side_open(const struct arguments *args, struct pcs_side *ret_side);
void pcs_side_done(struct pcs_side *side);
/* The PCK CRLs and, at the place that their root certificate names, the root CRL. What is missing
 * says so in crl_why. True: all three are here. */
bool pcs_side_get_crls(struct pcs_side *side);
/* Fetches and verifies. ret_raw (may be NULL): the reply, its pcks filled, to be freed with
 * raw_reply_done. The faults are those of upstream_port.h and verify.h. */
int pcs_side_get(struct pcs_side *side, const struct upstream_query *query,
                 struct raw_reply *ret_raw, struct proven **ret_proven,
                 struct fault *why) must_check;

/* The anchors of --trust-anchor, PCCS_TRUST_ANCHORS, or Intel's. */
int admin_anchors(const struct arguments *args, struct trust_anchors **ret_anchors,
                  struct fault *why) must_check;

/* What kinds of trouble were met, so that each is explained once. */
enum trouble {
    TROUBLE_NONE,
    TROUBLE_UNREGISTERED, /* 404 by PPID */
    TROUBLE_UNKNOWN,      /* 404 with a manifest */
    TROUBLE_REFUSED,      /* 401, 403 */
    TROUBLE_BAD_REQUEST,  /* 400, or the row itself */
    TROUBLE_TLS,
    TROUBLE_DOWN,
    TROUBLE_FORGED,
    TROUBLE_COUNT
};
enum trouble trouble_of(const struct fault *why, bool has_manifest);
/* A paragraph on standard error. */
void trouble_explain(enum trouble trouble);

#endif
