/* SPDX-License-Identifier: BSD-3-Clause */
/* PCK certificate selection, following Intel's C++ library (selection.md 4, 5). Pure. */
#ifndef PCKSEL_PCKSEL_H
#define PCKSEL_PCKSEL_H

#include "collateral/tcbinfo.h"
#include "x509/sgx_ext.h"

struct pcksel_input {
    uint8_t cpusvn[16];
    uint16_t pcesvn;
    uint16_t pceid; /* little-endian reading of the platform's hex */
    const struct tcbinfo *tcbinfo;
    const struct sgx_ext *const *certs; /* in input order */
    size_t cert_count;
};
/* 0 and the index of the chosen certificate; FAULT_NOT_FOUND if none suits (C++ 12) or there are no
 * certificates; FAULT_INPUT for C++ codes 2-11, why->number is that code. */
int pcksel_select(const struct pcksel_input *input, size_t *ret_index,
                  struct fault *why) must_check;

#endif
