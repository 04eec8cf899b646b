/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way through the enclaves against the stand-in for the runtime: every refusal at every step,
 * each enclave let go afterwards, then what is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "platform/sgx_collect.h"

static char log_path[] = "/tmp/test_sgx_collect_XXXXXX";
static const char *const variables[] = {
    "SGX_STUB_CREATE_ID", "SGX_STUB_CREATE_PCE", "SGX_STUB_TARGET",    "SGX_STUB_ECALL_QE_ID",
    "SGX_STUB_ECALL_KEY", "SGX_STUB_ECALL_PPID", "SGX_STUB_RET_QE_ID", "SGX_STUB_RET_KEY",
    "SGX_STUB_RET_PPID",  "SGX_STUB_SIZE",       "SGX_STUB_SCHEME",    "SGX_STUB_PCE_ID",
    "SGX_STUB_PCE_SVN",
};

static int
forget(void **state)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        unsetenv(variables[i]);
    }
    return truncate(log_path, 0);
}

static const struct sgx_sources sources = {.runtime = SGX_STUB_PATH, .enclave_dir = "/nonexistent"};

/* The stub's calls, one a line. */
static void
assert_calls(const char *expected)
{
    struct buf log = BUF_INIT(65536);
    assert_int_equal(file_read(log_path, &log, NULL), 0);
    assert_string_equal(buf_text(&log), expected);
    buf_done(&log);
}

#define CREATE_ID "create /nonexistent/libsgx_id_enclave.signed.so.1\n"
#define CREATE_PCE "create /nonexistent/libsgx_pce.signed.so.1\n"

static void
assert_refused(const char *variable, const char *value, enum sgx_step step, const char *calls)
{
    struct sgx_identity identity = {.pce_id = {7, 7}};
    struct sgx_trouble trouble;
    struct fault why = {.number = 0};
    setenv(variable, value, 1);
    assert_int_not_equal(sgx_collect(&sources, &identity, &trouble, &why), 0);
    assert_int_equal(trouble.step, step);
    assert_int_equal(identity.pce_id[0], 7);
    assert_true(why.text[0] != '\0');
    if (strncmp(variable, "SGX_STUB_RET", 12) == 0) {
        assert_int_equal(trouble.inner_status, strtoul(value, NULL, 16));
        assert_int_equal(trouble.status, 0);
    } else if (strcmp(variable, "SGX_STUB_SIZE") != 0 && strcmp(variable, "SGX_STUB_SCHEME") != 0) {
        assert_int_equal(trouble.status, strtoul(value, NULL, 16));
    }
    assert_calls(calls);
    forget(NULL);
}

static void
test_refuses_a_missing_runtime(void **state)
{
    struct sgx_sources missing = {.runtime = "/nonexistent/libsgx_urts.so.2"};
    struct sgx_identity identity;
    struct sgx_trouble trouble;
    struct fault why = {.number = 0};
    assert_int_equal(sgx_collect(&missing, &identity, &trouble, &why), FAULT_NOT_FOUND);
    assert_int_equal(trouble.step, SGX_STEP_RUNTIME);
    assert_non_null(strstr(why.text, "/nonexistent/libsgx_urts.so.2"));
}

static void
test_refuses_a_library_that_is_no_runtime(void **state)
{
    struct sgx_sources other = {.runtime = SGX_EMPTY_PATH};
    struct sgx_identity identity;
    struct sgx_trouble trouble;
    struct fault why = {.number = 0};
    assert_int_equal(sgx_collect(&other, &identity, &trouble, &why), FAULT_NOT_FOUND);
    assert_int_equal(trouble.step, SGX_STEP_RUNTIME);
    assert_non_null(strstr(why.text, "sgx_create_enclave"));
}

static void
test_refuses_what_the_runtime_refuses_and_lets_go(void **state)
{
    assert_refused("SGX_STUB_CREATE_ID", "4004", SGX_STEP_LOAD_ID_ENCLAVE, CREATE_ID);
    assert_refused("SGX_STUB_ECALL_QE_ID", "1006", SGX_STEP_QE_ID,
                   CREATE_ID "ide_get_id\ndestroy id\n");
    assert_refused("SGX_STUB_CREATE_PCE", "2006", SGX_STEP_LOAD_PCE,
                   CREATE_ID "ide_get_id\n" CREATE_PCE "destroy id\n");
    assert_refused("SGX_STUB_TARGET", "0001", SGX_STEP_TARGET_INFO,
                   CREATE_ID "ide_get_id\n" CREATE_PCE "target\ndestroy pce\ndestroy id\n");
    assert_refused("SGX_STUB_ECALL_KEY", "1001", SGX_STEP_ENCRYPT_KEY,
                   CREATE_ID "ide_get_id\n" CREATE_PCE
                             "target\nide_get_pce_encrypt_key\ndestroy pce\ndestroy id\n");
    assert_refused("SGX_STUB_ECALL_PPID", "0003", SGX_STEP_PPID,
                   CREATE_ID
                   "ide_get_id\n" CREATE_PCE
                   "target\nide_get_pce_encrypt_key\nget_pc_info\ndestroy pce\ndestroy id\n");
}

static void
test_refuses_what_the_enclave_itself_refuses(void **state)
{
    assert_refused("SGX_STUB_RET_QE_ID", "0002", SGX_STEP_QE_ID,
                   CREATE_ID "ide_get_id\ndestroy id\n");
    assert_refused("SGX_STUB_RET_KEY", "0002", SGX_STEP_ENCRYPT_KEY,
                   CREATE_ID "ide_get_id\n" CREATE_PCE
                             "target\nide_get_pce_encrypt_key\ndestroy pce\ndestroy id\n");
    assert_refused("SGX_STUB_RET_PPID", "cf", SGX_STEP_PPID,
                   CREATE_ID
                   "ide_get_id\n" CREATE_PCE
                   "target\nide_get_pce_encrypt_key\nget_pc_info\ndestroy pce\ndestroy id\n");
}

static void
test_refuses_another_size_or_scheme(void **state)
{
    static const char calls[] =
        CREATE_ID "ide_get_id\n" CREATE_PCE
                  "target\nide_get_pce_encrypt_key\nget_pc_info\ndestroy pce\ndestroy id\n";
    assert_refused("SGX_STUB_SIZE", "17f", SGX_STEP_PPID, calls);
    assert_refused("SGX_STUB_SCHEME", "1", SGX_STEP_PPID, calls);
}

static void
test_reads_the_platform_in_the_order_of_the_calls(void **state)
{
    struct sgx_identity identity;
    struct sgx_trouble trouble;
    assert_int_equal(sgx_collect(&sources, &identity, &trouble, NULL), 0);
    for (size_t i = 0; i < sizeof identity.enc_ppid; i++) {
        assert_int_equal(identity.enc_ppid[i], 0xee);
    }
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(identity.qe_id[i], 0xa0 + i);
        assert_int_equal(identity.cpu_svn[i], 1 + i);
    }
    assert_memory_equal(identity.pce_svn, "\x0d\x00", 2);
    assert_memory_equal(identity.pce_id, "\x00\x00", 2);
    assert_calls(CREATE_ID "ide_get_id\n" CREATE_PCE
                           "target\nide_get_pce_encrypt_key\nget_pc_info\ndestroy pce\ndestroy "
                           "id\n");
}

static void
test_numbers_stay_little_endian(void **state)
{
    struct sgx_identity identity;
    struct sgx_trouble trouble;
    setenv("SGX_STUB_PCE_SVN", "3412", 1);
    setenv("SGX_STUB_PCE_ID", "cdab", 1);
    assert_int_equal(sgx_collect(&sources, &identity, &trouble, NULL), 0);
    assert_memory_equal(identity.pce_svn, "\x34\x12", 2);
    assert_memory_equal(identity.pce_id, "\xcd\xab", 2);
}

static void
test_looks_for_enclaves_where_told_and_only_there(void **state)
{
    char path[SGX_PATH_SIZE];
    struct sgx_sources told = {.enclave_dir = "/nonexistent", .program_dir = "/usr/bin"};
    assert_false(sgx_enclave_find(&told, "env", path));
    assert_string_equal(path, "/nonexistent/env");
    told.enclave_dir = NULL;
    assert_true(sgx_enclave_find(&told, "env", path));
    assert_string_equal(path, "/usr/bin/env");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_a_missing_runtime),
        cmocka_unit_test(test_refuses_a_library_that_is_no_runtime),
        cmocka_unit_test_teardown(test_refuses_what_the_runtime_refuses_and_lets_go, forget),
        cmocka_unit_test_teardown(test_refuses_what_the_enclave_itself_refuses, forget),
        cmocka_unit_test_teardown(test_refuses_another_size_or_scheme, forget),
        cmocka_unit_test_teardown(test_reads_the_platform_in_the_order_of_the_calls, forget),
        cmocka_unit_test_teardown(test_numbers_stay_little_endian, forget),
        cmocka_unit_test(test_looks_for_enclaves_where_told_and_only_there),
    };
    int fd = mkstemp(log_path);
    if (fd < 0 || close(fd) != 0 || setenv("SGX_STUB_LOG", log_path, 1) != 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(log_path);
    return failed;
}
