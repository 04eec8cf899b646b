/* SPDX-License-Identifier: BSD-3-Clause */
/* An answer being made: status, header lines, body, and what the connection shall suffer. */
#ifndef PCSSIM_SIM_ANSWER_H
#define PCSSIM_SIM_ANSWER_H

#include "base/buf.h"

enum { SIM_HEAD_BYTES_MAX = 256 * 1024 };

struct sim_answer {
    int status;
    struct buf head; /* complete lines */
    struct buf body;
    int64_t delay_ms;
    bool drop; /* not a byte */
    bool cut;  /* close after cut_body_bytes of the body */
    size_t cut_body_bytes;
};

struct sim_answer *sim_answer_new(void); /* NULL if memory ran out; has a Request-ID */
void sim_answer_free(void *answer);
int sim_answer_header(struct sim_answer *answer, const char *name, struct span value);
/* Status and no body; code and message as Error-Code and Error-Message unless NULL. */
void sim_answer_refuse(struct sim_answer *answer, int status, const char *code,
                       const char *message);
/* Drops body and headers but Request-ID; the status stays. */
void sim_answer_clear(struct sim_answer *answer);
/* Drops every header line of that name; NULL: every one whose name ends in "Issuer-Chain". */
void sim_answer_drop_header(struct sim_answer *answer, const char *name);

#endif
