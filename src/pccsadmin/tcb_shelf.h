/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TCB infos of each FMSPC, fetched once whoever asks first, from many threads. An entry stays
 * where it is until the shelf is freed.
 */
#ifndef PCCSADMIN_TCB_SHELF_H
#define PCCSADMIN_TCB_SHELF_H

#include <pthread.h>

#include "pccsadmin/pcs_side.h"

struct tcb_wants {
    bool standard, early, tdx;
};

struct tcb_entry {
    char fmspc[12 + 1];
    bool is_done;
    /* the rest is set once, before is_done */
    int failed;       /* no SGX TCB info was got; FAULT_NOT_FOUND: Intel has none */
    struct fault why; /* of failed; or of a part beside it that could not be got */
    struct buf text;  /* for "tcbinfos": Python's style */
    struct buf sgx;   /* the SGX TCB info as it is served: standard, or the early one wanted */
    int tcb_type;     /* of sgx */
    char *chain;      /* percent-encoded issuer chain */
    int64_t fresh_until;
    bool is_written; /* the main thread's mark */
};

struct tcb_shelf {
    struct pcs_side *side;
    struct tcb_wants wants;
    bool keeps_sgx;       /* fill sgx too */
    pthread_mutex_t lock; /* of entries, count, and each is_done */
    pthread_cond_t changed;
    struct tcb_entry **entries;
    size_t count;
};

void tcb_shelf_init(struct tcb_shelf *shelf, struct pcs_side *side, struct tcb_wants wants);
void tcb_shelf_done(struct tcb_shelf *shelf);
/* The entry, done: waits if somebody is asking for it. NULL if memory ran out. fmspc: 12 digits. */
struct tcb_entry *tcb_shelf_get(struct tcb_shelf *shelf, const char *fmspc);

#endif
