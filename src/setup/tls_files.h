/* SPDX-License-Identifier: BSD-3-Clause */
/* The server's TLS key pair from the files that the configuration names. */
#ifndef SETUP_TLS_FILES_H
#define SETUP_TLS_FILES_H

#include <openssl/ssl.h>

#include "config/config.h"

/* The caller frees *ret_tls (SSL_CTX_free). Missing files: FAULT_CONFIG names what makes them. */
int tls_files_load(const struct config *config, SSL_CTX **ret_tls, int64_t *ret_not_after,
                   struct fault *why) must_check;

#endif
