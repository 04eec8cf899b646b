/* SPDX-License-Identifier: BSD-3-Clause */
/* A development certificate for --tls, under a CA of its own that clients are told to trust. */
#ifndef PCSSIM_SIM_TLS_H
#define PCSSIM_SIM_TLS_H

#include <openssl/ssl.h>

#include "base/fault.h"

/* Makes tls_ca.key, tls_ca.pem, tls.key and tls.pem in folder where they are missing. name: one
 * more host name that the certificate is for, or NULL. */
int sim_tls_open(const char *folder, const char *name, SSL_CTX **ret_tls,
                 struct fault *why) must_check;

#endif
