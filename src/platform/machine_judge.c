/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the facts about a machine mean: which of the states of platform_state.def it is in.
 *
 * Takes a survey, or the trouble that the runtime had; gives findings, each a state with what was
 * seen. Pure; the program calls it when the enclaves could not be asked. Must never report what
 * merely follows from a deeper cause: without SGX in the CPU nobody wants to read of device nodes.
 *
 * tools.md, PCKIDRetrievalTool (states); Intel's libsgx_capable (EPCBIOS, EPCSW).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "platform/machine.h"
#include "platform/sgx_status.h"

enum { DRIVER_SINCE_MAJOR = 5, DRIVER_SINCE_MINOR = 11 };

static const char *
yes_no(bool value)
{
    return value ? "yes" : "no";
}

/* ---- CPU and BIOS ---- */

static bool
judge_cpu(const struct machine *machine, struct findings *findings)
{
    const struct cpu_sgx *cpu = &machine->cpu;
    if (!cpu->has_sgx) {
        findings_add(findings, cpu->is_guest ? STATE_SGX_HIDDEN : STATE_SGX_NO_CPU,
                     "CPUID leaf 7 shows no SGX (Intel CPU: %s, virtual machine: %s).",
                     yes_no(cpu->is_intel), yes_no(cpu->is_guest));
        return true;
    }
    if (!cpu->is_enabled || cpu->epc_bytes == 0) {
        enum platform_state state = STATE_SGX_BIOS_OFF;
        if (machine->has_epcbios) {
            state = machine->has_epcsw ? STATE_SGX_BIOS_REBOOT : STATE_SGX_BIOS_SOFTWARE;
        }
        findings_add(findings, state,
                     "CPUID shows SGX in the CPU (enabled: %s, memory for enclaves: %llu MiB; EFI "
                     "variables EPCBIOS: %s, EPCSW: %s).",
                     yes_no(cpu->is_enabled), (unsigned long long)(cpu->epc_bytes >> 20),
                     yes_no(machine->has_epcbios), yes_no(machine->has_epcsw));
        return true;
    }
    if (!cpu->has_launch_control) {
        findings_add(findings, STATE_SGX_NO_FLC,
                     "CPUID leaf 7 shows SGX without SGX_LC (flexible launch control).");
        return true;
    }
    return false;
}

/* ---- driver and permissions ---- */

static void
judge_no_node(const struct machine *machine, struct findings *findings)
{
    unsigned major = machine->kernel_major;
    unsigned minor = machine->kernel_minor;
    if (machine->is_container) {
        findings_add(findings, STATE_SGX_NOT_IN_CONTAINER,
                     "Neither /dev/sgx_enclave nor an older driver's node exists, and this is a "
                     "container.");
    } else if (major < DRIVER_SINCE_MAJOR ||
               (major == DRIVER_SINCE_MAJOR && minor < DRIVER_SINCE_MINOR)) {
        findings_add(findings, STATE_SGX_KERNEL_OLD,
                     "There is no /dev/sgx_enclave; the kernel is %u.%u.", major, minor);
    } else if (!machine->kernel_has_sgx) {
        findings_add(findings, STATE_SGX_KERNEL_REFUSED,
                     "CPUID shows SGX, but /proc/cpuinfo does not, and there is no "
                     "/dev/sgx_enclave (kernel %u.%u).",
                     major, minor);
    } else {
        findings_add(findings, STATE_SGX_NO_DRIVER,
                     "/proc/cpuinfo shows SGX, but there is no /dev/sgx_enclave (kernel %u.%u).",
                     major, minor);
    }
}

static void
judge_closed_node(const struct machine_node *node, enum platform_state state,
                  struct findings *findings)
{
    const char *reason = strerrordesc_np(node->error);
    if (node->user_has_group && !node->session_has_group) {
        state = STATE_SGX_GROUP_NOT_IN_SESSION;
    }
    findings_add(findings, state,
                 "%s cannot be opened: %s. Its group is %s (user in it: %s, this session: %s).",
                 node->path, reason != NULL ? reason : "?", node->group,
                 yes_no(node->user_has_group), yes_no(node->session_has_group));
}

static void
judge_nodes(const struct machine *machine, struct findings *findings)
{
    if (machine->enclave.path[0] == '\0') {
        judge_no_node(machine, findings);
        return;
    }
    if (machine->enclave.error != 0) {
        judge_closed_node(&machine->enclave, STATE_SGX_NO_ACCESS, findings);
    }
    if (machine->provision.path[0] == '\0') {
        findings_add(findings, STATE_SGX_NO_PROVISION,
                     "%s exists, /dev/sgx_provision does not (container: %s).",
                     machine->enclave.path, yes_no(machine->is_container));
    } else if (machine->provision.error != 0) {
        judge_closed_node(&machine->provision, STATE_SGX_NO_PROVISION_ACCESS, findings);
    }
}

void
machine_judge(const struct machine *machine, struct findings *findings)
{
    if (judge_cpu(machine, findings)) {
        return;
    }
    unsigned count_before = findings->count;
    judge_nodes(machine, findings);
    if (machine->noexec[0] != '\0') {
        findings_add(findings, STATE_SGX_NOEXEC, "The file system of %s is mounted noexec.",
                     machine->noexec);
    }
    if (findings->count == count_before) {
        findings_add(findings, STATE_SGX_READY,
                     "CPUID shows SGX enabled with %llu MiB; %s and %s "
                     "can be opened; nothing is mounted noexec.",
                     (unsigned long long)(machine->cpu.epc_bytes >> 20), machine->enclave.path,
                     machine->provision.path);
    }
}

/* ---- the runtime ---- */

static const char *
step_words(enum sgx_step step)
{
    static const char *const words[] = {
        [SGX_STEP_RUNTIME] = "loading the SGX runtime",
        [SGX_STEP_LOAD_ID_ENCLAVE] = "loading the ID enclave",
        [SGX_STEP_QE_ID] = "asking the ID enclave for the QE ID",
        [SGX_STEP_LOAD_PCE] = "loading the PCE",
        [SGX_STEP_TARGET_INFO] = "asking for the PCE's target info",
        [SGX_STEP_ENCRYPT_KEY] = "asking the ID enclave for the encryption key",
        [SGX_STEP_PPID] = "asking the PCE for the encrypted PPID",
    };
    return words[step];
}

void
machine_judge_trouble(const struct sgx_trouble *trouble, const struct fault *why,
                      struct findings *findings)
{
    enum { SGX_ENCLAVE_FILE_ACCESS = 0x200f };
    if (trouble->step == SGX_STEP_RUNTIME) {
        findings_add(findings, STATE_SGX_NO_RUNTIME, "%s", why->text);
        return;
    }
    const char *doing = step_words(trouble->step);
    if (trouble->status == SGX_ENCLAVE_FILE_ACCESS && trouble->is_file_missing) {
        findings_add(findings, STATE_SGX_NO_ENCLAVE,
                     "The runtime answered 0x200f (ENCLAVE_FILE_ACCESS) while %s; there is no %s.",
                     doing, trouble->path);
    } else if (trouble->status != 0) {
        findings_add(findings, STATE_SGX_REFUSED, "While %s the runtime answered 0x%04x (%s): %s",
                     doing, trouble->status, sgx_status_name(trouble->status),
                     sgx_status_words(trouble->status));
    } else if (trouble->inner_status != 0 && trouble->step == SGX_STEP_PPID) {
        findings_add(findings, STATE_SGX_REFUSED, "While %s the PCE answered %u: %s", doing,
                     trouble->inner_status, sgx_pce_words(trouble->inner_status));
    } else if (trouble->inner_status != 0) {
        findings_add(findings, STATE_SGX_REFUSED,
                     "While %s the ID enclave answered 0x%04x (%s): %s", doing,
                     trouble->inner_status, sgx_status_name(trouble->inner_status),
                     sgx_status_words(trouble->inner_status));
    } else {
        findings_add(findings, STATE_SGX_REFUSED, "While %s: %s", doing, why->text);
    }
}
