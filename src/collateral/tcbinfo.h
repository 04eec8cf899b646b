/* SPDX-License-Identifier: BSD-3-Clause */
/* TCB info, API v3 and v4 (tcbInfo.version 2 and 3): parsed, not judged (selection.md 3). */
#ifndef COLLATERAL_TCBINFO_H
#define COLLATERAL_TCBINFO_H

#include "base/buf.h"
#include "terms/terms.h"

struct tcb_level {
    uint8_t components[16];
    uint16_t pcesvn;
    char status[48]; /* tcbStatus */
};

struct tcbinfo {
    int version;          /* 2 or 3 */
    enum product product; /* of "id"; SGX for version 2 */
    int64_t issued_at, next_update_at;
    struct fmspc fmspc;
    uint8_t pceid[2]; /* as in the text, big-endian hex decoded in order */
    int tcb_type;
    uint32_t tcb_evaluation_data_number;
    struct tcb_level *levels; /* JSON order */
    size_t level_count;
};
/* inner is the compact "tcbInfo" object. Strict as selection.md 3 (C++ column), except that a
 * tcb_type other than 0 is parsed (pcksel refuses it). FAULT_INPUT. */
int tcbinfo_parse(struct span inner, struct tcbinfo **ret_tcbinfo, struct fault *why) must_check;
void tcbinfo_free(struct tcbinfo *tcbinfo);

#endif
