/* SPDX-License-Identifier: BSD-3-Clause */
/* One platform of a list on its way: its certificates fetched and verified on some thread. */
#ifndef PCCSADMIN_PLATFORM_TASK_H
#define PCCSADMIN_PLATFORM_TASK_H

#include "pccsadmin/platform_list.h"
#include "pccsadmin/tcb_shelf.h"

struct platform_task {
    struct platform_row row;
    int failed;
    struct fault why;
    struct raw_reply raw;        /* the PCS's answer, pcks filled; init in any case after work */
    struct proven *proven;       /* NULL if failed */
    const struct tcb_entry *tcb; /* of its FMSPC; NULL if failed */
    bool is_repeated;            /* the same platform stood before in the list: not asked again */
};

/* Fills a zeroed task's raw, proven and tcb, or failed and why. */
void platform_task_run(struct platform_task *task, struct pcs_side *side, struct tcb_shelf *shelf);
void platform_task_done(struct platform_task *task);
/* What a platform is called in messages: its CSV file, else its QE ID, shortened. */
void platform_task_name(const struct platform_task *task, char out[64]);
/* Appends the available entries of the PCS's answer, Python's style: [{...}, {...}]. */
int platform_task_add_certs(const struct platform_task *task, struct buf *b) must_check;
/* As clients.md 5.3, PCE SVN in hex; the elements with commas between. Gives how many. */
size_t platform_task_add_not_available(const struct platform_task *task, struct buf *b);

#endif
