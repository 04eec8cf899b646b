/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What crosses the border to Intel's SGX runtime and to its signed ID and PCE enclaves: layouts as
 * they lie in memory on x86-64 Linux, each held to its sizes and offsets at compile time, so that
 * no SDK is needed to build or to link.
 *
 * Every ECALL takes a pointer to one of these ms_ structures in ordinary memory; the enclave's own
 * return value is its first field and means something only if the call itself returned 0.
 */
#ifndef PLATFORM_SGX_ABI_H
#define PLATFORM_SGX_ABI_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SGX_QE_ID_SIZE = 16,
    SGX_CPU_SVN_SIZE = 16,
    SGX_ENC_PPID_SIZE = 384,
    SGX_PUBLIC_KEY_SIZE = 388, /* modulus 384, exponent 4, both big-endian */
    SGX_LAUNCH_TOKEN_SIZE = 1024,
    SGX_ALG_RSA_OAEP_3072 = 1,
    SGX_PPID_RSA3072_ENCRYPTED = 3, /* certification data type */
    SGX_NIST_P256_ECDSA_SHA256 = 0, /* signature scheme */
};

struct sgx_attributes {
    uint64_t flags; /* DEBUG is bit 1, PROVISION_KEY bit 4 */
    uint64_t xfrm;
};

struct sgx_target_info {
    uint8_t mr_enclave[32];
    struct sgx_attributes attributes;
    uint8_t reserved1[2];
    uint16_t config_svn;
    uint32_t misc_select;
    uint8_t reserved2[8];
    uint8_t config_id[64];
    uint8_t reserved3[384];
};
static_assert(sizeof(struct sgx_target_info) == 512, "target info");
static_assert(offsetof(struct sgx_target_info, attributes) == 32, "target info");
static_assert(offsetof(struct sgx_target_info, config_svn) == 50, "target info");
static_assert(offsetof(struct sgx_target_info, misc_select) == 52, "target info");
static_assert(offsetof(struct sgx_target_info, config_id) == 64, "target info");

struct sgx_report {
    uint8_t cpu_svn[SGX_CPU_SVN_SIZE];
    uint32_t misc_select;
    uint8_t reserved1[12];
    uint8_t isv_ext_prod_id[16];
    struct sgx_attributes attributes;
    uint8_t mr_enclave[32];
    uint8_t reserved2[32];
    uint8_t mr_signer[32];
    uint8_t reserved3[32];
    uint8_t config_id[64];
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint16_t config_svn;
    uint8_t reserved4[42];
    uint8_t isv_family_id[16];
    uint8_t report_data[64];
    uint8_t key_id[32];
    uint8_t mac[16];
};
static_assert(sizeof(struct sgx_report) == 432, "report");
static_assert(offsetof(struct sgx_report, misc_select) == 16, "report");
static_assert(offsetof(struct sgx_report, isv_ext_prod_id) == 32, "report");
static_assert(offsetof(struct sgx_report, attributes) == 48, "report");
static_assert(offsetof(struct sgx_report, mr_enclave) == 64, "report");
static_assert(offsetof(struct sgx_report, mr_signer) == 128, "report");
static_assert(offsetof(struct sgx_report, config_id) == 192, "report");
static_assert(offsetof(struct sgx_report, isv_prod_id) == 256, "report");
static_assert(offsetof(struct sgx_report, isv_svn) == 258, "report");
static_assert(offsetof(struct sgx_report, config_svn) == 260, "report");
static_assert(offsetof(struct sgx_report, isv_family_id) == 304, "report");
static_assert(offsetof(struct sgx_report, report_data) == 320, "report");
static_assert(offsetof(struct sgx_report, key_id) == 384, "report");
static_assert(offsetof(struct sgx_report, mac) == 416, "report");

struct sgx_pce_info {
    uint16_t pce_isv_svn;
    uint16_t pce_id;
};
static_assert(sizeof(struct sgx_pce_info) == 4, "PCE info");

/* ---- ECALLs of the ID enclave; they return an sgx_status_t ---- */

enum { SGX_ECALL_IDE_GET_ID = 0, SGX_ECALL_IDE_GET_PCE_ENCRYPT_KEY = 1 };

struct sgx_ms_ide_get_id {
    uint32_t ret;
    uint8_t *id; /* out: 16 */
};
static_assert(sizeof(struct sgx_ms_ide_get_id) == 16, "ide_get_id");
static_assert(offsetof(struct sgx_ms_ide_get_id, id) == 8, "ide_get_id");

struct sgx_ms_ide_get_pce_encrypt_key {
    uint32_t ret;
    const struct sgx_target_info *target; /* in */
    struct sgx_report *report;            /* out */
    uint8_t crypto_suite;
    uint16_t cert_key_type;
    uint32_t key_size;
    uint8_t *public_key; /* out: key_size */
};
static_assert(sizeof(struct sgx_ms_ide_get_pce_encrypt_key) == 40, "ide_get_pce_encrypt_key");
static_assert(offsetof(struct sgx_ms_ide_get_pce_encrypt_key, target) == 8, "encrypt key");
static_assert(offsetof(struct sgx_ms_ide_get_pce_encrypt_key, report) == 16, "encrypt key");
static_assert(offsetof(struct sgx_ms_ide_get_pce_encrypt_key, crypto_suite) == 24, "encrypt key");
static_assert(offsetof(struct sgx_ms_ide_get_pce_encrypt_key, cert_key_type) == 26, "encrypt key");
static_assert(offsetof(struct sgx_ms_ide_get_pce_encrypt_key, key_size) == 28, "encrypt key");
static_assert(offsetof(struct sgx_ms_ide_get_pce_encrypt_key, public_key) == 32, "encrypt key");

/* ---- ECALLs of the PCE; they return an ae_error_t ---- */

enum { SGX_ECALL_PCE_GET_PC_INFO = 0 };

struct sgx_ms_get_pc_info {
    uint32_t ret;
    const struct sgx_report *report; /* in */
    const uint8_t *public_key;       /* in: key_size */
    uint32_t key_size;
    uint8_t crypto_suite;
    uint8_t *encrypted_ppid; /* out: ppid_size */
    uint32_t ppid_size;
    uint32_t *ppid_size_out;
    struct sgx_pce_info *pce_info;
    uint8_t *signature_scheme;
};
static_assert(sizeof(struct sgx_ms_get_pc_info) == 72, "get_pc_info");
static_assert(offsetof(struct sgx_ms_get_pc_info, report) == 8, "get_pc_info");
static_assert(offsetof(struct sgx_ms_get_pc_info, public_key) == 16, "get_pc_info");
static_assert(offsetof(struct sgx_ms_get_pc_info, key_size) == 24, "get_pc_info");
static_assert(offsetof(struct sgx_ms_get_pc_info, crypto_suite) == 28, "get_pc_info");
static_assert(offsetof(struct sgx_ms_get_pc_info, encrypted_ppid) == 32, "get_pc_info");
static_assert(offsetof(struct sgx_ms_get_pc_info, ppid_size) == 40, "get_pc_info");
static_assert(offsetof(struct sgx_ms_get_pc_info, ppid_size_out) == 48, "get_pc_info");
static_assert(offsetof(struct sgx_ms_get_pc_info, pce_info) == 56, "get_pc_info");
static_assert(offsetof(struct sgx_ms_get_pc_info, signature_scheme) == 64, "get_pc_info");

/* ---- the runtime's own functions ---- */

/* No OCALLs are offered: neither enclave needs one for these calls. */
struct sgx_ocall_table {
    size_t count;
    void *functions[1];
};

typedef uint32_t sgx_create_enclave_fn(const char *file, int debug,
                                       uint8_t (*token)[SGX_LAUNCH_TOKEN_SIZE], int *token_updated,
                                       uint64_t *enclave, void *misc_attributes);
typedef uint32_t sgx_destroy_enclave_fn(uint64_t enclave);
typedef uint32_t sgx_get_target_info_fn(uint64_t enclave, struct sgx_target_info *target);
typedef uint32_t sgx_ecall_fn(uint64_t enclave, int index, const struct sgx_ocall_table *ocalls,
                              void *ms);

#endif
