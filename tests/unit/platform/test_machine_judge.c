/* SPDX-License-Identifier: BSD-3-Clause */
/* Every state of a machine, from facts alone; CPUID by a table; the words of every number. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "platform/machine.h"
#include "platform/sgx_status.h"

/* A machine on which nothing is wrong. */
static struct machine
good(void)
{
    return (struct machine){
        .cpu = {.is_intel = true,
                .has_sgx = true,
                .has_launch_control = true,
                .is_enabled = true,
                .has_provisioning = true,
                .epc_bytes = UINT64_C(1) << 32},
        .enclave = {.path = "/dev/sgx_enclave", .group = "sgx"},
        .provision = {.path = "/dev/sgx_provision", .group = "sgx_prv"},
        .kernel_has_sgx = true,
        .kernel_major = 6,
        .kernel_minor = 1,
    };
}

static struct findings
assert_judged(const struct machine *machine, enum platform_state first)
{
    struct findings findings = {.count = 0};
    machine_judge(machine, &findings);
    assert_true(findings.count > 0);
    assert_string_equal(platform_state_word(findings.list[0].state), platform_state_word(first));
    return findings;
}

static void
assert_judged_alone(const struct machine *machine, enum platform_state state)
{
    assert_int_equal(assert_judged(machine, state).count, 1);
}

static void
test_a_cpu_without_sgx_is_the_only_cause(void **state)
{
    struct machine m = {.kernel_major = 4};
    assert_judged_alone(&m, STATE_SGX_NO_CPU);
    m.cpu.is_guest = true;
    assert_judged_alone(&m, STATE_SGX_HIDDEN);
}

static void
test_the_bios_has_it_off(void **state)
{
    struct machine m = good();
    m.cpu.is_enabled = false;
    assert_judged_alone(&m, STATE_SGX_BIOS_OFF);
    m = good();
    m.cpu.epc_bytes = 0;
    assert_judged_alone(&m, STATE_SGX_BIOS_OFF);
    m.has_epcbios = true;
    assert_judged_alone(&m, STATE_SGX_BIOS_SOFTWARE);
    m.has_epcsw = true;
    assert_judged_alone(&m, STATE_SGX_BIOS_REBOOT);
}

static void
test_no_launch_control(void **state)
{
    struct machine m = good();
    m.cpu.has_launch_control = false;
    assert_judged_alone(&m, STATE_SGX_NO_FLC);
}

static void
test_no_node_has_four_causes(void **state)
{
    struct machine m = good();
    m.enclave.path[0] = '\0';
    assert_judged_alone(&m, STATE_SGX_NO_DRIVER);
    m.kernel_has_sgx = false;
    assert_judged_alone(&m, STATE_SGX_KERNEL_REFUSED);
    m.kernel_major = 5;
    m.kernel_minor = 10;
    assert_judged_alone(&m, STATE_SGX_KERNEL_OLD);
    m.is_container = true;
    assert_judged_alone(&m, STATE_SGX_NOT_IN_CONTAINER);
}

static void
test_a_node_that_cannot_be_opened(void **state)
{
    struct machine m = good();
    m.enclave.error = EACCES;
    struct findings findings = assert_judged(&m, STATE_SGX_NO_ACCESS);
    assert_non_null(strstr(findings.list[0].seen, "Permission denied"));
    assert_non_null(strstr(findings.list[0].seen, "/dev/sgx_enclave"));
    m.enclave.user_has_group = true;
    assert_judged_alone(&m, STATE_SGX_GROUP_NOT_IN_SESSION);
    m.enclave.session_has_group = true;
    assert_judged_alone(&m, STATE_SGX_NO_ACCESS);
}

static void
test_the_provisioning_node(void **state)
{
    struct machine m = good();
    m.provision.error = EACCES;
    struct findings findings = assert_judged(&m, STATE_SGX_NO_PROVISION_ACCESS);
    assert_non_null(strstr(findings.list[0].seen, "sgx_prv"));
    m.provision.path[0] = '\0';
    assert_judged_alone(&m, STATE_SGX_NO_PROVISION);
}

static void
test_noexec_is_told_beside_the_rest(void **state)
{
    struct machine m = good();
    snprintf(m.noexec, sizeof m.noexec, "/dev");
    assert_judged_alone(&m, STATE_SGX_NOEXEC);
    m.provision.error = EACCES;
    assert_int_equal(assert_judged(&m, STATE_SGX_NO_PROVISION_ACCESS).count, 2);
}

static void
test_a_good_machine_is_ready(void **state)
{
    struct machine m = good();
    assert_judged_alone(&m, STATE_SGX_READY);
}

/* ---- the runtime's trouble ---- */

static void
assert_trouble(struct sgx_trouble trouble, enum platform_state state, const char *words)
{
    struct findings findings = {.count = 0};
    struct fault why = {.text = "the loader's words"};
    machine_judge_trouble(&trouble, &why, &findings);
    assert_int_equal(findings.count, 1);
    assert_int_equal(findings.list[0].state, state);
    assert_non_null(strstr(findings.list[0].seen, words));
}

static void
test_each_trouble_has_its_words(void **state)
{
    assert_trouble((struct sgx_trouble){.step = SGX_STEP_RUNTIME}, STATE_SGX_NO_RUNTIME,
                   "the loader's words");
    assert_trouble((struct sgx_trouble){.step = SGX_STEP_LOAD_PCE,
                                        .status = 0x200f,
                                        .is_file_missing = true,
                                        .path = "/x/libsgx_pce.signed.so.1"},
                   STATE_SGX_NO_ENCLAVE, "/x/libsgx_pce.signed.so.1");
    assert_trouble((struct sgx_trouble){.step = SGX_STEP_LOAD_PCE, .status = 0x200f},
                   STATE_SGX_REFUSED, "ENCLAVE_FILE_ACCESS");
    assert_trouble((struct sgx_trouble){.step = SGX_STEP_LOAD_PCE, .status = 0x4004},
                   STATE_SGX_REFUSED, "sgx_prv");
    assert_trouble((struct sgx_trouble){.step = SGX_STEP_PPID, .inner_status = 207},
                   STATE_SGX_REFUSED, "provisioning right");
    assert_trouble((struct sgx_trouble){.step = SGX_STEP_QE_ID, .inner_status = 2},
                   STATE_SGX_REFUSED, "INVALID_PARAMETER");
    assert_trouble((struct sgx_trouble){.step = SGX_STEP_PPID}, STATE_SGX_REFUSED,
                   "the loader's words");
}

static void
test_an_unknown_number_is_said_to_be_unknown(void **state)
{
    assert_string_equal(sgx_status_name(0xbeef), "unknown");
    assert_non_null(strstr(sgx_status_words(0xbeef), "not known"));
    assert_non_null(strstr(sgx_pce_words(4711), "not known"));
    assert_string_equal(sgx_status_name(0x2006), "NO_DEVICE");
}

static void
test_every_state_has_words(void **state)
{
    for (int i = 0; i < STATE_COUNT; i++) {
        enum platform_state s = (enum platform_state)i;
        assert_true(strlen(platform_state_word(s)) > 5);
        assert_true(strlen(platform_state_means(s)) > 20);
        assert_true(strlen(platform_state_cure(s)) > 5);
    }
}

static void
test_a_list_of_findings_has_a_ceiling(void **state)
{
    struct findings findings = {.count = 0};
    for (int i = 0; i < 2 * FINDINGS_MAX; i++) {
        findings_add(&findings, STATE_SGX_READY, "%d\x1b[31m", i);
    }
    assert_int_equal(findings.count, FINDINGS_MAX);
    assert_string_equal(findings.list[FINDINGS_MAX - 1].seen, "7?[31m");
}

/* ---- CPUID ---- */

struct table {
    uint32_t leaf, subleaf;
    struct cpuid_registers registers;
};

static struct cpuid_registers
table_cpuid(void *self, uint32_t leaf, uint32_t subleaf)
{
    for (const struct table *row = self; row->leaf != UINT32_MAX; row++) {
        if (row->leaf == leaf && row->subleaf == subleaf) {
            return row->registers;
        }
    }
    return (struct cpuid_registers){0, 0, 0, 0};
}

#define INTEL(leaf_max)                                                                            \
    {                                                                                              \
        0, 0,                                                                                      \
        {                                                                                          \
            leaf_max, 0x756e6547, 0x6c65746e, 0x49656e69                                           \
        }                                                                                          \
    }
#define END                                                                                        \
    {                                                                                              \
        UINT32_MAX, 0,                                                                             \
        {                                                                                          \
            0, 0, 0, 0                                                                             \
        }                                                                                          \
    }

static void
test_cpuid_of_a_server(void **state)
{
    struct table table[] = {
        INTEL(0x20),
        {7, 0, {0, 1 << 2, 1 << 30, 0}},
        {0x12, 0, {3, 0, 0, 0x381f}},
        {0x12, 1, {0xf7, 0, 0, 0}},
        {0x12, 2, {0x70200001, 0, 0x5d80001, 0}},
        {0x12, 3, {1, 0, 0, 1}}, /* 4 GiB */
        END,
    };
    struct cpu_sgx cpu = cpu_sgx_read(table_cpuid, table);
    assert_true(cpu.is_intel && cpu.has_sgx && cpu.has_launch_control && cpu.is_enabled);
    assert_true(cpu.has_provisioning);
    assert_false(cpu.is_guest);
    assert_int_equal(cpu.epc_bytes, 0x5d80000 + (UINT64_C(1) << 32));
}

static void
test_cpuid_with_sgx_off_in_the_bios(void **state)
{
    struct table table[] = {INTEL(0x20), {7, 0, {0, 1 << 2, 1 << 30, 0}}, END};
    struct cpu_sgx cpu = cpu_sgx_read(table_cpuid, table);
    assert_true(cpu.has_sgx);
    assert_false(cpu.is_enabled);
    assert_int_equal(cpu.epc_bytes, 0);
}

static void
test_cpuid_above_the_highest_leaf_is_not_trusted(void **state)
{
    struct table table[] = {
        INTEL(0x6), {7, 0, {0, 1 << 2, 1 << 30, 0}}, {1, 0, {0, 0, 1U << 31, 0}}, END};
    struct cpu_sgx cpu = cpu_sgx_read(table_cpuid, table);
    assert_false(cpu.has_sgx);
    assert_true(cpu.is_guest);
    table[0].registers.eax = 0x11;
    cpu = cpu_sgx_read(table_cpuid, table);
    assert_true(cpu.has_sgx);
    assert_false(cpu.is_enabled);
}

static struct cpuid_registers
endless_cpuid(void *self, uint32_t leaf, uint32_t subleaf)
{
    if (leaf == 0) {
        return (struct cpuid_registers){0x20, 0x756e6547, 0x6c65746e, 0x49656e69};
    }
    return (struct cpuid_registers){1, UINT32_MAX, 0xfffff001, 0};
}

static void
test_cpuid_without_an_end_of_sections_ends(void **state)
{
    assert_true(cpu_sgx_read(endless_cpuid, NULL).epc_bytes > 0);
}

static void
test_the_cpuid_of_another_maker_has_no_sgx(void **state)
{
    struct table table[] = {
        {0, 0, {0x20, 0x68747541, 0x444d4163, 0x69746e65}}, {7, 0, {0, 1 << 2, 1 << 30, 0}}, END};
    assert_false(cpu_sgx_read(table_cpuid, table).has_sgx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cpu_without_sgx_is_the_only_cause),
        cmocka_unit_test(test_the_bios_has_it_off),
        cmocka_unit_test(test_no_launch_control),
        cmocka_unit_test(test_no_node_has_four_causes),
        cmocka_unit_test(test_a_node_that_cannot_be_opened),
        cmocka_unit_test(test_the_provisioning_node),
        cmocka_unit_test(test_noexec_is_told_beside_the_rest),
        cmocka_unit_test(test_a_good_machine_is_ready),
        cmocka_unit_test(test_each_trouble_has_its_words),
        cmocka_unit_test(test_an_unknown_number_is_said_to_be_unknown),
        cmocka_unit_test(test_every_state_has_words),
        cmocka_unit_test(test_a_list_of_findings_has_a_ceiling),
        cmocka_unit_test(test_cpuid_of_a_server),
        cmocka_unit_test(test_cpuid_with_sgx_off_in_the_bios),
        cmocka_unit_test(test_cpuid_above_the_highest_leaf_is_not_trusted),
        cmocka_unit_test(test_cpuid_without_an_end_of_sections_ends),
        cmocka_unit_test(test_the_cpuid_of_another_maker_has_no_sgx),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
