/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lets a test say what machine this is, so that every state can be told apart without hardware.
 *
 * Takes the environment variable PCKID_TEST_MACHINE; gives a root folder and a CPUID table. Called
 * by the diagnosis, on the program's only thread. Must never change what is collected, saved, sent
 * or marked.
 */
#include "pckid/test_machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct test_machine
test_machine_load(void)
{
    struct test_machine machine = {.root = ""};
    const char *root = getenv("PCKID_TEST_MACHINE");
    char path[4096];
    if (root == NULL || root[0] == '\0') {
        return machine;
    }
    machine.root = root;
    FILE *file =
        snprintf(path, sizeof path, "%s/cpuid", root) < (int)sizeof path ? fopen(path, "r") : NULL;
    if (file == NULL) {
        return machine;
    }
    machine.has_cpuid = true;
    while (machine.count < TEST_MACHINE_ROWS_MAX) {
        struct cpuid_registers *r = &machine.rows[machine.count].registers;
        if (fscanf(file, "%" SCNx32 "%" SCNx32 "%" SCNx32 "%" SCNx32 "%" SCNx32 "%" SCNx32,
                   &machine.rows[machine.count].leaf, &machine.rows[machine.count].subleaf, &r->eax,
                   &r->ebx, &r->ecx, &r->edx) != 6) {
            break;
        }
        machine.count++;
    }
    (void)fclose(file);
    return machine;
}

struct cpuid_registers
test_machine_cpuid(void *self, uint32_t leaf, uint32_t subleaf)
{
    const struct test_machine *machine = self;
    for (unsigned i = 0; i < machine->count; i++) {
        if (machine->rows[i].leaf == leaf && machine->rows[i].subleaf == subleaf) {
            return machine->rows[i].registers;
        }
    }
    return (struct cpuid_registers){0, 0, 0, 0};
}
