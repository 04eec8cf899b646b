/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What this machine shows of SGX (survey), and what that means when the enclaves could not be asked
 * (judgement, a pure function over the survey).
 */
#ifndef PLATFORM_MACHINE_H
#define PLATFORM_MACHINE_H

#include "base/fault.h"
#include "platform/cpu_sgx.h"
#include "platform/platform_state.h"
#include "platform/sgx_collect.h"

enum { MACHINE_NAME_SIZE = 64, MACHINE_PATH_SIZE = SGX_PATH_SIZE };

struct machine_node {
    char path[MACHINE_PATH_SIZE];  /* "" if no such node exists */
    int error;                     /* 0: opened for reading and writing; else the errno */
    char group[MACHINE_NAME_SIZE]; /* the node's group: a name or a number */
    bool user_has_group;           /* the user's database entry has it */
    bool session_has_group;        /* this process has it */
};

struct machine {
    struct cpu_sgx cpu;
    struct machine_node enclave, provision;
    bool is_container;
    bool kernel_has_sgx; /* flag in /proc/cpuinfo */
    unsigned kernel_major, kernel_minor;
    bool has_epcbios, has_epcsw;    /* EFI variables of software-controlled SGX */
    char noexec[MACHINE_PATH_SIZE]; /* a folder that enclaves come from and is noexec; or "" */
};

struct machine_sources {
    const char *root; /* "" , or a folder that stands in for / */
    const char *efivars;
    const char *enclave_dir; /* where the enclaves were looked for; NULL: nowhere special */
    cpuid_fn *cpuid;         /* NULL: the machine's */
    void *cpuid_self;
};

void machine_survey(const struct machine_sources *sources, struct machine *ret_machine);

/* Appends what stands in the way, the deepest cause alone of what follows from another; ready if
 * nothing does. */
void machine_judge(const struct machine *machine, struct findings *findings);

/* Appends what the runtime's trouble itself says. */
void machine_judge_trouble(const struct sgx_trouble *trouble, const struct fault *why,
                           struct findings *findings);

#endif
