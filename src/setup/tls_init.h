/* SPDX-License-Identifier: BSD-3-Clause */
/* pccsd --init-tls, pccsadmin init: a development CA and a server key pair signed by it. */
#ifndef SETUP_TLS_INIT_H
#define SETUP_TLS_INIT_H

#include "base/fault.h"

/* Writes key_path (0600), certificate_path and ca.crt beside it; makes their folder (0700) if it is
 * not there. FAULT_CONFIG if one of the files exists. The CA's key is not kept. */
int tls_init(const char *key_path, const char *certificate_path, struct fault *why) must_check;
/* As tls_init; the certificate holds these host names and addresses too. FAULT_CONFIG if one is
 * neither. */
int tls_init_named(const char *key_path, const char *certificate_path, const char *names,
                   struct fault *why) must_check;
/* Appends ",DNS:name" or ",IP:address" to the names of tls_init_named, which holds size bytes. */
int tls_init_add_name(const char *name, char *names, size_t size, struct fault *why) must_check;
enum { TLS_INIT_NAMES_SIZE = 4096 };

#endif
