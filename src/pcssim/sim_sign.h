/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P-256 keys and ECDSA signatures that are the same every time (RFC 6979), so that an item issued
 * for a day has the same bytes after a restart, and ETags computed from it stay what they were.
 */
#ifndef PCSSIM_SIM_SIGN_H
#define PCSSIM_SIM_SIGN_H

#include <openssl/evp.h>

#include "base/fault.h"
#include "base/span.h"

enum { SIM_SIGNATURE_SIZE = 64, SIM_SIGNATURE_DER_SIZE_MAX = 80 };

struct sim_key;

int sim_key_new(struct sim_key **ret_key, struct fault *why) must_check;
/* Reads the key from path; makes it there (mode 0600) if the file does not exist. */
int sim_key_load_or_make(const char *path, struct sim_key **ret_key, struct fault *why) must_check;
void sim_key_free(struct sim_key *key);
EVP_PKEY *sim_key_pkey(const struct sim_key *key); /* borrowed */

/* r and s, 32 bytes each, over the SHA-256 of message. */
int sim_sign_raw(const struct sim_key *key, struct span message, uint8_t out[SIM_SIGNATURE_SIZE],
                 struct fault *why) must_check;
/* The same as the DER that X.509 wants. */
int sim_sign_der(const struct sim_key *key, struct span message,
                 uint8_t out[SIM_SIGNATURE_DER_SIZE_MAX], size_t *ret_size,
                 struct fault *why) must_check;

#endif
