/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What identifies this platform, asked from Intel's ID and PCE enclaves through the SGX runtime,
 * which is loaded at run time.
 */
#ifndef PLATFORM_SGX_COLLECT_H
#define PLATFORM_SGX_COLLECT_H

#include <stdbool.h>

#include "base/fault.h"
#include "platform/sgx_abi.h"

#define SGX_ID_ENCLAVE_FILE "libsgx_id_enclave.signed.so.1"
#define SGX_PCE_FILE "libsgx_pce.signed.so.1"

enum { SGX_PATH_SIZE = 4096 };

struct sgx_sources {
    const char *runtime;     /* a library's path; NULL: libsgx_urts.so.2 by the loader */
    const char *enclave_dir; /* NULL: program_dir, then the system's library folders */
    const char *program_dir; /* of this program, where Intel's package keeps links; or NULL */
};

/* Byte order as in the CSV and in the registration. */
struct sgx_identity {
    uint8_t enc_ppid[SGX_ENC_PPID_SIZE];
    uint8_t pce_id[2];
    uint8_t cpu_svn[SGX_CPU_SVN_SIZE];
    uint8_t pce_svn[2];
    uint8_t qe_id[SGX_QE_ID_SIZE];
};

enum sgx_step {
    SGX_STEP_RUNTIME, /* loading the runtime */
    SGX_STEP_LOAD_ID_ENCLAVE,
    SGX_STEP_QE_ID,
    SGX_STEP_LOAD_PCE,
    SGX_STEP_TARGET_INFO,
    SGX_STEP_ENCRYPT_KEY,
    SGX_STEP_PPID,
};

/* Where it failed. */
struct sgx_trouble {
    enum sgx_step step;
    uint32_t status;          /* of the runtime's call; 0 if it succeeded or was not made */
    uint32_t inner_status;    /* of the enclave; 0 if none */
    bool is_file_missing;     /* the enclave's file was found nowhere */
    char path[SGX_PATH_SIZE]; /* of the runtime or the enclave that was tried */
};

/* FAULT_NOT_FOUND: no runtime; FAULT_IO: it or an enclave refused; FAULT_INTERNAL: it answered
 * something impossible. ret_trouble is set on failure. Blocks for a second or so. */
int sgx_collect(const struct sgx_sources *sources, struct sgx_identity *ret_identity,
                struct sgx_trouble *ret_trouble, struct fault *why) must_check;

/* Where that enclave lies: true and its path, or false and the first path that was tried. */
bool sgx_enclave_find(const struct sgx_sources *sources, const char *name, char out[SGX_PATH_SIZE]);

#endif
