/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads what CPUID says about SGX: in the CPU, enabled by the BIOS, with memory, launchable.
 *
 * Takes a function that answers CPUID (the machine's, or a table of a test); gives plain facts.
 * Pure but for that function; machine.c calls it. Must never trust a leaf above the highest one,
 * nor walk EPC sections without end.
 *
 * Intel SDM, volume 3D: CPUID leaves 0, 1, 7 and 12H.
 */
#include "platform/cpu_sgx.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#include <stddef.h>

enum { LEAF_FEATURES = 7, LEAF_SGX = 0x12, EPC_SECTIONS_MAX = 64 };

struct cpuid_registers
cpuid_of_machine(void *self, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_registers r = {0, 0, 0, 0};
#if defined(__x86_64__) || defined(__i386__)
    __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
#endif
    return r;
}

static bool
bit(uint32_t value, unsigned number)
{
    return (value >> number & 1) != 0;
}

static uint64_t
epc_size(cpuid_fn *cpuid, void *self)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < EPC_SECTIONS_MAX; i++) {
        struct cpuid_registers r = cpuid(self, LEAF_SGX, 2 + i);
        if ((r.eax & 0xf) != 1) {
            break;
        }
        bytes += (r.ecx & 0xfffff000U) | (uint64_t)(r.edx & 0xfffffU) << 32;
    }
    return bytes;
}

struct cpu_sgx
cpu_sgx_read(cpuid_fn *cpuid, void *self)
{
    struct cpu_sgx cpu = {.is_intel = false};
    struct cpuid_registers r = cpuid(self, 0, 0);
    uint32_t leaf_max = r.eax;
    /* "Genu" "ineI" "ntel" */
    cpu.is_intel = r.ebx == 0x756e6547 && r.edx == 0x49656e69 && r.ecx == 0x6c65746e;
    if (leaf_max >= 1) {
        cpu.is_guest = bit(cpuid(self, 1, 0).ecx, 31);
    }
    if (!cpu.is_intel || leaf_max < LEAF_FEATURES) {
        return cpu;
    }
    r = cpuid(self, LEAF_FEATURES, 0);
    cpu.has_sgx = bit(r.ebx, 2);
    cpu.has_launch_control = bit(r.ecx, 30);
    if (!cpu.has_sgx || leaf_max < LEAF_SGX) {
        return cpu;
    }
    r = cpuid(self, LEAF_SGX, 0);
    cpu.is_enabled = (r.eax & 3) != 0 && (r.edx >> 8 & 0xff) != 0;
    cpu.has_provisioning = bit(cpuid(self, LEAF_SGX, 1).eax, 4);
    cpu.epc_bytes = epc_size(cpuid, self);
    return cpu;
}
