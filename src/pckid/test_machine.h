/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests only: PCKID_TEST_MACHINE names a folder that stands in for / when the machine is
 * surveyed; a file cpuid in it (lines "LEAF SUBLEAF EAX EBX ECX EDX", hex) answers CPUID. It
 * changes nothing but the diagnosis.
 */
#ifndef PCKID_TEST_MACHINE_H
#define PCKID_TEST_MACHINE_H

#include "platform/cpu_sgx.h"

enum { TEST_MACHINE_ROWS_MAX = 64 };

struct test_machine {
    const char *root; /* "" without the variable */
    bool has_cpuid;
    unsigned count;
    struct {
        uint32_t leaf, subleaf;
        struct cpuid_registers registers;
    } rows[TEST_MACHINE_ROWS_MAX];
};

struct test_machine test_machine_load(void);
cpuid_fn test_machine_cpuid;

#endif
