/* SPDX-License-Identifier: BSD-3-Clause */
/* What the process gives up or bounds before it does anything else. */
#ifndef PCCSD_HARDEN_H
#define PCCSD_HARDEN_H

#include <stdbool.h>

#include "base/fault.h"

/* No core dumps, no ptrace by others, few malloc arenas. */
void harden_process(void);
/* OPENSSL_FIPS_MODE: only the FIPS provider's algorithms, or FAULT_CONFIG. */
int harden_fips(bool wanted, struct fault *why) must_check;

#endif
