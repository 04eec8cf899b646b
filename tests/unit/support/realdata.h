/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Real Intel-signed material of June 2025, where it is at hand: ../shared/data beside the source
 * tree. Judged at TESTPKI_NOW (2025-07-01). Tests skip, and say so, where it is absent.
 */
#ifndef SUPPORT_REALDATA_H
#define SUPPORT_REALDATA_H

#include <stddef.h>
#include <stdint.h>

struct realdata {
    char *tcbinfo;        /* compact, as signed: SGX, FMSPC 00A067110000, API v4 */
    char *tcbinfo_blanks; /* the same with a blank after each comma and colon */
    char *qe_identity;    /* SGX QE, API v4 */
    char *tcb_chain;      /* percent-encoded PEM */
    char *pck_chain;      /* percent-encoded PEM: Processor CA, root */
    char *pck_cert;       /* percent-encoded PEM */
    char *tcbm;           /* of pck_cert */
    char *processor_crl;  /* hex */
    char *root_crl;       /* hex */
};

/* NULL, with a line on standard output, if the material is absent. */
struct realdata *realdata_load(void);
void realdata_free(struct realdata *data);
/* Hex to bytes; the caller frees. */
uint8_t *realdata_bytes(const char *hex, size_t *ret_size);

#endif
