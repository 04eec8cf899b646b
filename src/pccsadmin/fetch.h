/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of pccsadmin fetch share: cmd_fetch.c tells the story, fetch_platforms.c asks for
 * the platforms, fetch_items.c for all else, fetch_file.c puts the file together.
 */
#ifndef PCCSADMIN_FETCH_H
#define PCCSADMIN_FETCH_H

#include "pccsadmin/out_file.h"
#include "pccsadmin/platform_task.h"
#include "pccsadmin/progress.h"
#include "pccsadmin/seen.h"

enum { FETCH_IDENTITIES_MAX = 6, FETCH_NAMED_FAILURES_MAX = 20 };

struct fetch_identity {
    const char *name; /* the member: "qeidentity_early" */
    struct item_key key;
    bool is_optional; /* 404 is no failure */
    int failed;
    struct fault why;
    struct proven *proven;
};

struct fetch {
    const struct arguments *args;
    struct pcs_side side;
    struct tcb_shelf shelf;
    struct tcb_wants wants;
    struct progress progress;

    struct platform_list list;
    struct seen seen;                         /* platforms by QE ID and PCE ID */
    struct out_file file, pck_part, tcb_part; /* parts: appended to file at the end */
    struct out_array failed, not_available;
    size_t row_count, got, failed_count;        /* platforms: in the list, got, not got */
    size_t pck_count, tcb_count, missing_count; /* entries written; certificates not available */
    size_t item_failures;                       /* items beside platforms */
    size_t named_failures;
    bool troubles[TROUBLE_COUNT];

    struct fetch_identity identities[FETCH_IDENTITIES_MAX];
    size_t identity_count, identity_next;
    struct proven *fmspcs; /* Intel's list */
    json_t *fmspc_list;    /* the same, parsed */
    char *tcb_chain;
    int64_t tcb_fresh_until;
    size_t fmspc_at; /* how much of the list has become tasks */

    int broken; /* a file could not be written, memory ran out: everything ends */
    struct fault broken_why;
};

/* Counts and names a failed item; the run goes on. */
void fetch_item_failed(struct fetch *fetch, const char *what, const struct fault *why);
/* Keeps the first fault that ends everything. */
void fetch_broken(struct fetch *fetch, int failed, const struct fault *why);
/* Writes an entry's TCB infos to their part, once. */
void fetch_write_tcb(struct fetch *fetch, struct tcb_entry *entry);

void fetch_platforms(struct fetch *fetch);
void fetch_identities(struct fetch *fetch);
/* Intel's list of FMSPCs, and TCB infos of those no platform had. */
void fetch_fmspcs(struct fetch *fetch);
/* Puts the file together and in its place. */
int fetch_file_finish(struct fetch *fetch, struct fault *why) must_check;

#endif
