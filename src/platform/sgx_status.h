/* SPDX-License-Identifier: BSD-3-Clause */
/* The return values of the SGX runtime and of the PCE, in plain words. */
#ifndef PLATFORM_SGX_STATUS_H
#define PLATFORM_SGX_STATUS_H

#include <stdint.h>

/* "SGX_ERROR_NO_DEVICE" without its prefix: "NO_DEVICE"; "unknown" if this flow never met it. */
const char *sgx_status_name(uint32_t status);
/* What it means and what to do. Never NULL. */
const char *sgx_status_words(uint32_t status);
/* The same for what the PCE's functions return (ae_error_t). */
const char *sgx_pce_words(uint32_t error);

#endif
