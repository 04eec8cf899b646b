/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asks Intel's enclaves who this platform is.
 *
 * Takes where the runtime and the enclaves are; gives QE ID, encrypted PPID, CPU SVN, PCE ID and
 * PCE ISV SVN, or the step that failed with the runtime's number. Called once by the program, on
 * its only thread; the runtime is loaded, used and let go in here. Must never believe an answer of
 * which one of the two layers (the call, then the enclave) did not say success, nor change the
 * public key on its way from the ID enclave to the PCE, which checks it against the report.
 */
#include "platform/sgx_collect.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "platform/sgx_status.h"

struct session {
    void *library;
    sgx_create_enclave_fn *create;
    sgx_destroy_enclave_fn *destroy;
    sgx_get_target_info_fn *get_target_info;
    sgx_ecall_fn *ecall;
    uint64_t id_enclave, pce; /* valid if has_... */
    bool has_id_enclave, has_pce;
    struct sgx_trouble *trouble;
};

static const struct sgx_ocall_table no_ocalls = {.count = 0};

/* ---- the runtime ---- */

static void
session_done(struct session *session)
{
    if (session->has_pce) {
        (void)session->destroy(session->pce);
    }
    if (session->has_id_enclave) {
        (void)session->destroy(session->id_enclave);
    }
    if (session->library != NULL) {
        (void)dlclose(session->library);
    }
}

static int
runtime_missing(struct session *session, const char *path, struct fault *why)
{
    const char *reason = dlerror();
    (void)snprintf(session->trouble->path, SGX_PATH_SIZE, "%s", path);
    return fault_set(why, FAULT_NOT_FOUND, "runtime", "%s: %s", path,
                     reason != NULL ? reason : "cannot be loaded");
}

static int
runtime_open(struct session *session, const char *given, struct fault *why)
{
    static const char *const names[] = {"libsgx_urts.so.2", "libsgx_urts.so.1", "libsgx_urts.so"};
    session->trouble->step = SGX_STEP_RUNTIME;
    if (given != NULL) {
        session->library = dlopen(given, RTLD_LAZY | RTLD_LOCAL);
        return session->library != NULL ? 0 : runtime_missing(session, given, why);
    }
    int rc = 0;
    for (size_t i = 0; i < ARRAY_COUNT(names) && session->library == NULL; i++) {
        session->library = dlopen(names[i], RTLD_LAZY | RTLD_LOCAL);
        if (session->library == NULL && rc == 0) {
            rc = runtime_missing(session, names[i], why); /* the first name's reason counts */
        }
    }
    return session->library != NULL ? 0 : rc;
}

/* POSIX lets an object pointer hold a function's address; C wants it copied. */
static bool
symbol_find(struct session *session, const char *name, void *function)
{
    void *address = dlsym(session->library, name);
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

static int
runtime_bind(struct session *session, struct fault *why)
{
    if (symbol_find(session, "sgx_create_enclave", &session->create) &&
        symbol_find(session, "sgx_destroy_enclave", &session->destroy) &&
        symbol_find(session, "sgx_get_target_info", &session->get_target_info) &&
        symbol_find(session, "sgx_ecall", &session->ecall)) {
        return 0;
    }
    return runtime_missing(session, "the SGX runtime", why);
}

/* ---- the enclaves' files ---- */

bool
sgx_enclave_find(const struct sgx_sources *sources, const char *name, char out[SGX_PATH_SIZE])
{
    const char *folders[] = {
        sources->enclave_dir != NULL ? sources->enclave_dir : sources->program_dir,
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
        "/opt/intel/sgx-pck-id-retrieval-tool",
    };
    size_t count = sources->enclave_dir != NULL ? 1 : ARRAY_COUNT(folders);
    char first[SGX_PATH_SIZE] = "";
    for (size_t i = 0; i < count; i++) {
        char path[SGX_PATH_SIZE];
        if (folders[i] == NULL ||
            snprintf(path, sizeof path, "%s/%s", folders[i], name) >= SGX_PATH_SIZE) {
            continue;
        }
        if (first[0] == '\0') {
            memcpy(first, path, sizeof first);
        }
        if (access(path, F_OK) == 0) {
            memcpy(out, path, SGX_PATH_SIZE);
            return true;
        }
    }
    memcpy(out, first, SGX_PATH_SIZE);
    return false;
}

/* ---- calls ---- */

/* Notes the number of a layer that failed. */
static int
refused(struct session *session, uint32_t status, uint32_t inner, const char *call,
        struct fault *why)
{
    session->trouble->status = status;
    session->trouble->inner_status = inner;
    if (status != 0) {
        return fault_set_number(why, FAULT_IO, "sgx", (long)status, "%s: SGX error 0x%04x (%s)",
                                call, status, sgx_status_name(status));
    }
    return fault_set_number(why, FAULT_IO, "enclave", (long)inner,
                            "%s: the enclave answered %u (0x%04x)", call, inner, inner);
}

static int
enclave_load(struct session *session, const struct sgx_sources *sources, const char *name,
             uint64_t *enclave, struct fault *why)
{
    uint8_t token[SGX_LAUNCH_TOKEN_SIZE] = {0};
    int token_updated = 0;
    struct sgx_trouble *trouble = session->trouble;
    trouble->is_file_missing = !sgx_enclave_find(sources, name, trouble->path);
    /* even if it was not found: the runtime has the last word, and its number tells */
    uint32_t status = session->create(trouble->path, 0, &token, &token_updated, enclave, NULL);
    return status == 0 ? 0 : refused(session, status, 0, name, why);
}

static int
ask_qe_id(struct session *session, struct sgx_identity *identity, struct fault *why)
{
    session->trouble->step = SGX_STEP_QE_ID;
    struct sgx_ms_ide_get_id ms = {.ret = UINT32_MAX, .id = identity->qe_id};
    uint32_t status = session->ecall(session->id_enclave, SGX_ECALL_IDE_GET_ID, &no_ocalls, &ms);
    return status == 0 && ms.ret == 0
               ? 0
               : refused(session, status, status == 0 ? ms.ret : 0, "QE ID (ide_get_id)", why);
}

static int
ask_encrypt_key(struct session *session, struct sgx_report *report,
                uint8_t key[SGX_PUBLIC_KEY_SIZE], struct fault *why)
{
    struct sgx_target_info target = {.misc_select = 0};
    session->trouble->step = SGX_STEP_TARGET_INFO;
    uint32_t status = session->get_target_info(session->pce, &target);
    if (status != 0) {
        return refused(session, status, 0, "target info of the PCE", why);
    }
    session->trouble->step = SGX_STEP_ENCRYPT_KEY;
    struct sgx_ms_ide_get_pce_encrypt_key ms = {
        .ret = UINT32_MAX,
        .target = &target,
        .report = report,
        .crypto_suite = SGX_ALG_RSA_OAEP_3072,
        .cert_key_type = SGX_PPID_RSA3072_ENCRYPTED,
        .key_size = SGX_PUBLIC_KEY_SIZE,
        .public_key = key,
    };
    status =
        session->ecall(session->id_enclave, SGX_ECALL_IDE_GET_PCE_ENCRYPT_KEY, &no_ocalls, &ms);
    return status == 0 && ms.ret == 0 ? 0
                                      : refused(session, status, status == 0 ? ms.ret : 0,
                                                "encryption key (ide_get_pce_encrypt_key)", why);
}

static void
put_u16_le(uint8_t out[2], uint16_t value)
{
    out[0] = (uint8_t)(value & 0xff);
    out[1] = (uint8_t)(value >> 8);
}

static int
ask_ppid(struct session *session, const struct sgx_report *report,
         const uint8_t key[SGX_PUBLIC_KEY_SIZE], struct sgx_identity *identity, struct fault *why)
{
    session->trouble->step = SGX_STEP_PPID;
    struct sgx_pce_info info = {.pce_id = 0};
    uint32_t size = 0;
    uint8_t scheme = UINT8_MAX;
    struct sgx_ms_get_pc_info ms = {
        .ret = UINT32_MAX,
        .report = report,
        .public_key = key,
        .key_size = SGX_PUBLIC_KEY_SIZE,
        .crypto_suite = SGX_ALG_RSA_OAEP_3072,
        .encrypted_ppid = identity->enc_ppid,
        .ppid_size = SGX_ENC_PPID_SIZE,
        .ppid_size_out = &size,
        .pce_info = &info,
        .signature_scheme = &scheme,
    };
    uint32_t status = session->ecall(session->pce, SGX_ECALL_PCE_GET_PC_INFO, &no_ocalls, &ms);
    if (status != 0 || ms.ret != 0) {
        return refused(session, status, status == 0 ? ms.ret : 0, "encrypted PPID (get_pc_info)",
                       why);
    }
    if (scheme != SGX_NIST_P256_ECDSA_SHA256 || size != SGX_ENC_PPID_SIZE) {
        return fault_set(why, FAULT_INTERNAL, "enclave",
                         "the PCE answered %u bytes and signature scheme %u, not %d and %d", size,
                         scheme, SGX_ENC_PPID_SIZE, SGX_NIST_P256_ECDSA_SHA256);
    }
    put_u16_le(identity->pce_id, info.pce_id);
    put_u16_le(identity->pce_svn, info.pce_isv_svn);
    memcpy(identity->cpu_svn, report->cpu_svn, sizeof identity->cpu_svn);
    return 0;
}

/* ---- the whole ---- */

static int
session_run(struct session *session, const struct sgx_sources *sources,
            struct sgx_identity *identity, struct fault *why)
{
    struct sgx_report report = {.misc_select = 0};
    uint8_t key[SGX_PUBLIC_KEY_SIZE] = {0};
    int rc = runtime_open(session, sources->runtime, why);
    rc = rc != 0 ? rc : runtime_bind(session, why);
    if (rc != 0) {
        return rc;
    }
    session->trouble->step = SGX_STEP_LOAD_ID_ENCLAVE;
    rc = enclave_load(session, sources, SGX_ID_ENCLAVE_FILE, &session->id_enclave, why);
    session->has_id_enclave = rc == 0;
    rc = rc != 0 ? rc : ask_qe_id(session, identity, why);
    if (rc != 0) {
        return rc;
    }
    session->trouble->step = SGX_STEP_LOAD_PCE;
    rc = enclave_load(session, sources, SGX_PCE_FILE, &session->pce, why);
    session->has_pce = rc == 0;
    rc = rc != 0 ? rc : ask_encrypt_key(session, &report, key, why);
    return rc != 0 ? rc : ask_ppid(session, &report, key, identity, why);
}

int
sgx_collect(const struct sgx_sources *sources, struct sgx_identity *ret_identity,
            struct sgx_trouble *ret_trouble, struct fault *why)
{
    struct sgx_trouble trouble = {.step = SGX_STEP_RUNTIME};
    struct sgx_identity identity = {.pce_id = {0}};
    struct session session = {.trouble = &trouble};
    int rc = session_run(&session, sources, &identity, why);
    session_done(&session);
    if (rc != 0) {
        *ret_trouble = trouble;
        return rc;
    }
    *ret_identity = identity;
    return 0;
}
