/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stand-in for Intel's SGX runtime with the ID enclave and the PCE behind it, for tests and the
 * demonstration: it answers as the real ones do, by the documented offsets and without a header of
 * the product, so that a mistake in one of the two is seen. It holds its callers to the protocol: a
 * wrong size, suite, key, report or target is refused as the enclaves refuse it.
 *
 * What it is, and how it fails, comes from the environment:
 *   SGX_STUB_QE_ID, _PPID, _CPU_SVN, _PCE_SVN, _PCE_ID   hex, in the byte order of the CSV
 *   SGX_STUB_CREATE_ID, _CREATE_PCE, _TARGET             sgx_status_t of these calls, hex
 *   SGX_STUB_ECALL_QE_ID, _ECALL_KEY, _ECALL_PPID        sgx_status_t of the ECALL, hex
 *   SGX_STUB_RET_QE_ID, _RET_KEY, _RET_PPID              what the enclave itself returns, hex
 *   SGX_STUB_SIZE, SGX_STUB_SCHEME                       of the encrypted PPID, hex
 *   SGX_STUB_LOG                                         a file: a line per call
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ID_ENCLAVE = 0x1001,
    PCE = 0x2002,
    TARGET_SIZE = 512,
    REPORT_SIZE = 432,
    KEY_SIZE = 388,
    PPID_SIZE = 384,
    TARGET_MARK = 0x5a,
    PROVISION_KEY = 0x10,
    SGX_ERROR_INVALID_PARAMETER = 2,
    SGX_ERROR_INVALID_ENCLAVE_ID = 0x2002,
    SGX_ERROR_INVALID_FUNCTION = 0x1001,
    AE_INVALID_PARAMETER = 15,
    PCE_CRYPTO_ERROR = 215,
};

uint32_t sgx_create_enclave(const char *file, int debug, uint8_t *token, int *token_updated,
                            uint64_t *enclave, void *misc);
uint32_t sgx_destroy_enclave(uint64_t enclave);
uint32_t sgx_get_target_info(uint64_t enclave, uint8_t *target);
uint32_t sgx_ecall(uint64_t enclave, int index, const void *ocalls, uint8_t *ms);

/* ---- the environment ---- */

static void
note(const char *what)
{
    const char *path = getenv("SGX_STUB_LOG");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file != NULL) {
        fprintf(file, "%s\n", what);
        fclose(file);
    }
}

static uint32_t
number(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? (uint32_t)strtoul(text, NULL, 16) : otherwise;
}

/* The variable's bytes; where it has none, the default: first, first + step, ... */
static void
fill(const char *name, uint8_t *out, size_t size, uint8_t first, uint8_t step)
{
    const char *text = getenv(name);
    for (size_t i = 0; i < size; i++) {
        unsigned byte = (unsigned)(first + step * i) & 0xff;
        if (text != NULL && strlen(text) == 2 * size) {
            (void)sscanf(text + 2 * i, "%2x", &byte);
        }
        out[i] = (uint8_t)byte;
    }
}

/* ---- fields of marshalling structures, by offset ---- */

static uint8_t *
pointer_at(const uint8_t *ms, size_t offset)
{
    uint8_t *pointer;
    memcpy(&pointer, ms + offset, sizeof pointer);
    return pointer;
}

static uint32_t
u32_at(const uint8_t *ms, size_t offset)
{
    uint32_t value;
    memcpy(&value, ms + offset, sizeof value);
    return value;
}

static uint32_t
answer(uint8_t *ms, uint32_t ret)
{
    memcpy(ms, &ret, sizeof ret);
    return 0;
}

/* The key that the ID enclave hands out; the PCE knows it again. */
static void
key_fill(uint8_t key[KEY_SIZE])
{
    static const uint8_t exponent[4] = {0, 1, 0, 1};
    for (size_t i = 0; i < KEY_SIZE - 4; i++) {
        key[i] = (uint8_t)(0xd3 + 7 * i);
    }
    memcpy(key + KEY_SIZE - 4, exponent, sizeof exponent);
}

static void
report_fill(uint8_t report[REPORT_SIZE])
{
    memset(report, 0, REPORT_SIZE);
    fill("SGX_STUB_CPU_SVN", report, 16, 1, 1);
    memset(report + 320, 0xab, 32); /* report data: the hash of suite and key */
    memset(report + 416, 0xcd, 16); /* mac */
}

/* ---- the ID enclave ---- */

static uint32_t
get_id(uint8_t *ms)
{
    note("ide_get_id");
    uint32_t ret = number("SGX_STUB_RET_QE_ID", 0);
    if (ret == 0) {
        fill("SGX_STUB_QE_ID", pointer_at(ms, 8), 16, 0xa0, 1);
    }
    uint32_t status = number("SGX_STUB_ECALL_QE_ID", 0);
    return status != 0 ? status : answer(ms, ret);
}

static uint32_t
get_key(uint8_t *ms)
{
    note("ide_get_pce_encrypt_key");
    const uint8_t *target = pointer_at(ms, 8);
    uint16_t kind;
    memcpy(&kind, ms + 26, sizeof kind);
    if (ms[24] != 1 || kind != 3 || u32_at(ms, 28) != KEY_SIZE || target[0] != TARGET_MARK ||
        target[32] != PROVISION_KEY || target[TARGET_SIZE - 1] != TARGET_MARK) {
        return answer(ms, SGX_ERROR_INVALID_PARAMETER);
    }
    report_fill(pointer_at(ms, 16));
    key_fill(pointer_at(ms, 32));
    uint32_t status = number("SGX_STUB_ECALL_KEY", 0);
    return status != 0 ? status : answer(ms, number("SGX_STUB_RET_KEY", 0));
}

/* ---- the PCE ---- */

static uint32_t
get_pc_info(uint8_t *ms)
{
    note("get_pc_info");
    uint8_t key[KEY_SIZE];
    uint8_t report[REPORT_SIZE];
    key_fill(key);
    report_fill(report);
    if (u32_at(ms, 24) != KEY_SIZE || ms[28] != 1 || u32_at(ms, 40) != PPID_SIZE) {
        return answer(ms, AE_INVALID_PARAMETER);
    }
    if (memcmp(pointer_at(ms, 16), key, KEY_SIZE) != 0 ||
        memcmp(pointer_at(ms, 8), report, REPORT_SIZE) != 0) {
        return answer(ms, PCE_CRYPTO_ERROR);
    }
    uint32_t size = number("SGX_STUB_SIZE", PPID_SIZE);
    uint8_t *info = pointer_at(ms, 56);
    fill("SGX_STUB_PPID", pointer_at(ms, 32), PPID_SIZE, 0xee, 0);
    memcpy(pointer_at(ms, 48), &size, sizeof size);
    fill("SGX_STUB_PCE_SVN", info, 2, 0x0d, 0xf3);
    fill("SGX_STUB_PCE_ID", info + 2, 2, 0, 0);
    *pointer_at(ms, 64) = (uint8_t)number("SGX_STUB_SCHEME", 0);
    uint32_t status = number("SGX_STUB_ECALL_PPID", 0);
    return status != 0 ? status : answer(ms, number("SGX_STUB_RET_PPID", 0));
}

/* ---- the runtime ---- */

uint32_t
sgx_create_enclave(const char *file, int debug, uint8_t *token, int *token_updated,
                   uint64_t *enclave, void *misc)
{
    char line[4200];
    (void)snprintf(line, sizeof line, "create %.4096s", file);
    note(line);
    if (debug != 0 || token == NULL || token_updated == NULL || misc != NULL) {
        return SGX_ERROR_INVALID_PARAMETER;
    }
    int is_pce = strstr(file, "libsgx_pce.signed.so.1") != NULL;
    if (!is_pce && strstr(file, "libsgx_id_enclave.signed.so.1") == NULL) {
        return 0x200f;
    }
    *enclave = is_pce ? PCE : ID_ENCLAVE;
    return number(is_pce ? "SGX_STUB_CREATE_PCE" : "SGX_STUB_CREATE_ID", 0);
}

uint32_t
sgx_destroy_enclave(uint64_t enclave)
{
    note(enclave == PCE ? "destroy pce" : enclave == ID_ENCLAVE ? "destroy id" : "destroy ?");
    return 0;
}

uint32_t
sgx_get_target_info(uint64_t enclave, uint8_t *target)
{
    note("target");
    if (enclave != PCE) {
        return SGX_ERROR_INVALID_ENCLAVE_ID;
    }
    memset(target, 0, TARGET_SIZE);
    target[0] = TARGET_MARK;
    target[32] = PROVISION_KEY;
    target[TARGET_SIZE - 1] = TARGET_MARK;
    return number("SGX_STUB_TARGET", 0);
}

uint32_t
sgx_ecall(uint64_t enclave, int index, const void *ocalls, uint8_t *ms)
{
    size_t count;
    memcpy(&count, ocalls, sizeof count);
    if (count != 0) {
        return SGX_ERROR_INVALID_PARAMETER;
    }
    if (enclave == ID_ENCLAVE && index == 0) {
        return get_id(ms);
    }
    if (enclave == ID_ENCLAVE && index == 1) {
        return get_key(ms);
    }
    if (enclave == PCE && index == 0) {
        return get_pc_info(ms);
    }
    return SGX_ERROR_INVALID_FUNCTION;
}
