/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signs what is carried over the air gap, and checks it on the other side (tools.md: --sign,
 * --verify-key). Ed25519 over the file's bytes; `openssl pkeyutl -verify -rawin` checks it too.
 * Takes paths; gives FILE.sig, or a fault. Called by fetch, put and verify, on the main thread.
 * Must never take another kind of key: what it would prove is not what the manual says.
 */
#include "pccsadmin/signature_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"

enum { SIGNATURE_BYTES = 64 };

int
mapped_file_open(const char *path, size_t size_max, struct mapped_file *ret_file, struct fault *why)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        int number = fd < 0 ? errno : EINVAL;
        if (fd >= 0) {
            close(fd);
        }
        return fault_set_number(why, FAULT_IO, "file", number, "cannot open %s: %s", path,
                                number == EINVAL ? "no regular file" : strerror(number));
    }
    size_t size = (size_t)status.st_size;
    void *data = NULL;
    if (size > 0 && size <= size_max) {
        data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    int number = errno;
    close(fd);
    if (size > size_max) {
        return fault_set(why, FAULT_TOO_LARGE, "file", "%s has %zu bytes, more than %zu", path,
                         size, size_max);
    }
    if (data == MAP_FAILED) {
        return fault_set_number(why, FAULT_IO, "file", number, "cannot map %s: %s", path,
                                strerror(number));
    }
    *ret_file = (struct mapped_file){.bytes = span_of(data, size)};
    return 0;
}

void
mapped_file_close(struct mapped_file *file)
{
    if (file->bytes.data != NULL) {
        munmap((void *)(uintptr_t)file->bytes.data, file->bytes.size);
    }
    file->bytes = span_of(NULL, 0);
}

static int
key_read(const char *path, bool is_private, EVP_PKEY **ret_key, struct fault *why)
{
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        return fault_set_number(why, FAULT_CONFIG, "signature", errno, "cannot open the key %s: %s",
                                path, strerror(errno));
    }
    EVP_PKEY *key = is_private ? PEM_read_PrivateKey(stream, NULL, NULL, (void *)(uintptr_t) "")
                               : PEM_read_PUBKEY(stream, NULL, NULL, NULL);
    fclose(stream);
    if (key == NULL || !EVP_PKEY_is_a(key, "ED25519")) {
        EVP_PKEY_free(key);
        return fault_set(why, FAULT_CONFIG, "signature",
                         "%s holds no %s Ed25519 key in PEM; openssl genpkey -algorithm ed25519 "
                         "makes one, openssl pkey -pubout its public part",
                         path, is_private ? "private" : "public");
    }
    *ret_key = key;
    return 0;
}

static int
signature_path(const char *path, char out[PATH_MAX], struct fault *why)
{
    if (snprintf(out, PATH_MAX, "%s.sig", path) >= PATH_MAX) {
        return fault_set(why, FAULT_CONFIG, "signature", "the path of the signature is too long");
    }
    return 0;
}

int
signature_file_make(const char *path, const char *key_path, struct fault *why)
{
    char to[PATH_MAX];
    EVP_PKEY *key = NULL;
    struct mapped_file file;
    uint8_t signature[SIGNATURE_BYTES];
    size_t size = sizeof signature;
    int failed = signature_path(path, to, why);
    failed = failed != 0 ? failed : key_read(key_path, true, &key, why);
    if (failed != 0) {
        return failed;
    }
    failed = mapped_file_open(path, LIMIT_COLLATERALS_FILE_BYTES, &file, why);
    if (failed == 0) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool ok = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                  EVP_DigestSign(context, signature, &size, file.bytes.data, file.bytes.size) == 1;
        EVP_MD_CTX_free(context);
        mapped_file_close(&file);
        failed =
            ok ? file_write_atomic(to, span_of(signature, size), 0644, why)
               : fault_set(why, FAULT_INTERNAL, "signature", "OpenSSL could not sign %s", path);
    }
    EVP_PKEY_free(key);
    return failed;
}

int
signature_file_check(const char *path, struct span bytes, const char *key_path, struct fault *why)
{
    char from[PATH_MAX];
    EVP_PKEY *key = NULL;
    struct buf signature = BUF_INIT(SIGNATURE_BYTES);
    int failed = signature_path(path, from, why);
    failed = failed != 0 ? failed : key_read(key_path, false, &key, why);
    failed = failed != 0 ? failed : file_read(from, &signature, why);
    if (failed == 0) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool ok =
            context != NULL && signature.size == SIGNATURE_BYTES &&
            EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
            EVP_DigestVerify(context, signature.data, signature.size, bytes.data, bytes.size) == 1;
        EVP_MD_CTX_free(context);
        failed = ok ? 0
                    : fault_set(why, FAULT_SIGNATURE, "signature",
                                "%s is not the signature of %s by the key %s: do not use the file",
                                from, path, key_path);
    }
    buf_done(&signature);
    EVP_PKEY_free(key);
    return failed;
}
