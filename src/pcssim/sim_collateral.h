/* SPDX-License-Identifier: BSD-3-Clause */
/* Signed JSON: TCB info, enclave identities, TCB evaluation data numbers. */
#ifndef PCSSIM_SIM_COLLATERAL_H
#define PCSSIM_SIM_COLLATERAL_H

#include "pcssim/sim_fleet.h"
#include "pcssim/sim_pki.h"

enum { SIM_VALID_S = 30 * 86400 }; /* Intel issues for about 30 days */

/* When and as what an item is issued. */
struct sim_issue {
    int64_t at;      /* UTC seconds; twist.issue_shift_s comes on top */
    uint32_t number; /* tcbEvaluationDataNumber */
    struct sim_twist twist;
};

/* All append the whole answer: {"...":{...},"signature":"..."}. */
int sim_tcbinfo_add(struct buf *b, const struct sim_pki *pki, const struct sim_family *family,
                    const struct sim_issue *issue, enum product product,
                    unsigned api_version) must_check;
int sim_identity_add(struct buf *b, const struct sim_pki *pki, enum enclave enclave,
                     const struct sim_issue *issue) must_check;
/* The numbers from issue->number up to early. */
int sim_evalnumbers_add(struct buf *b, const struct sim_pki *pki, enum product product,
                        const struct sim_issue *issue, uint32_t early) must_check;

#endif
