/* SPDX-License-Identifier: BSD-3-Clause */
/* Detached signatures: FILE.sig holds the 64 bytes of an Ed25519 signature of FILE's bytes. */
#ifndef PCCSADMIN_SIGNATURE_FILE_H
#define PCCSADMIN_SIGNATURE_FILE_H

#include "base/fault.h"
#include "base/span.h"

/* A file's bytes as the kernel maps them: read as they are used, not held. */
struct mapped_file {
    struct span bytes;
};
int mapped_file_open(const char *path, size_t size_max, struct mapped_file *ret_file,
                     struct fault *why) must_check;
void mapped_file_close(struct mapped_file *file);

/* Writes path.sig with the private key of a PEM file. */
int signature_file_make(const char *path, const char *key_path, struct fault *why) must_check;
/* FAULT_SIGNATURE if path.sig is not that key's signature of the bytes. */
int signature_file_check(const char *path, struct span bytes, const char *key_path,
                         struct fault *why) must_check;

#endif
