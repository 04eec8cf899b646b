/* SPDX-License-Identifier: BSD-3-Clause */
/* The SGX extension 1.2.840.113741.1.13.1 of a PCK certificate (selection.md 2). */
#ifndef X509_SGX_EXT_H
#define X509_SGX_EXT_H

#include "x509/x509_chain.h"

struct sgx_ext {
    uint8_t ppid[16];
    uint8_t components[16]; /* component SVNs, modulo 256 as Intel's library has it */
    uint16_t pcesvn;
    uint8_t cpusvn[16];
    uint8_t pceid[2];
    uint8_t fmspc[6];
    int sgx_type;
    bool has_platform_part; /* 7 elements: platform CA */
    uint8_t platform_instance_id[16];
    bool dynamic_platform, cached_keys, smt_enabled;
};
/* From a certificate; FAULT_INPUT with what is wrong. */
int sgx_ext_parse(X509 *certificate, struct sgx_ext *ret_ext, struct fault *why) must_check;
/* From the extension's value (DER of the SEQUENCE): the fuzzed parser. */
int sgx_ext_parse_der(struct span der, struct sgx_ext *ret_ext, struct fault *why) must_check;

#endif
