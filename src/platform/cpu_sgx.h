/* SPDX-License-Identifier: BSD-3-Clause */
/* What CPUID says about SGX. */
#ifndef PLATFORM_CPU_SGX_H
#define PLATFORM_CPU_SGX_H

#include <stdbool.h>
#include <stdint.h>

struct cpuid_registers {
    uint32_t eax, ebx, ecx, edx;
};

/* Leaf and subleaf in, registers out. */
typedef struct cpuid_registers cpuid_fn(void *self, uint32_t leaf, uint32_t subleaf);

struct cpu_sgx {
    bool is_intel;
    bool is_guest;           /* a hypervisor says so */
    bool has_sgx;            /* the CPU has it, enabled or not */
    bool has_launch_control; /* flexible launch control */
    bool is_enabled;         /* SGX1 or SGX2, with room for 64-bit enclaves */
    bool has_provisioning;   /* enclaves may have the provisioning key */
    uint64_t epc_bytes;      /* memory for enclaves */
};

/* This machine's CPUID. */
struct cpuid_registers cpuid_of_machine(void *self, uint32_t leaf, uint32_t subleaf);
struct cpu_sgx cpu_sgx_read(cpuid_fn *cpuid, void *self);

#endif
