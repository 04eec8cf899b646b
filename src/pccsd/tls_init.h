/* SPDX-License-Identifier: BSD-3-Clause */
/* pccsd --init-tls: a development CA and a server key pair signed by it. */
#ifndef PCCSD_TLS_INIT_H
#define PCCSD_TLS_INIT_H

#include "base/fault.h"

/* Writes key_path (0600), certificate_path and ca.crt beside it; makes their folder (0700) if it is
 * not there. FAULT_CONFIG if one of the files exists. The CA's key is not kept. */
int tls_init(const char *key_path, const char *certificate_path, struct fault *why) must_check;

#endif
