/* SPDX-License-Identifier: BSD-3-Clause */
/* Would a server take this TLS key pair? Asked of bytes, before they become files. */
#ifndef SETUP_TLS_PAIR_H
#define SETUP_TLS_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/span.h"

struct tls_pair {
    char kind[32]; /* "RSA 3072", "EC 256" */
    int64_t not_after;
    bool has_names; /* a subjectAltName, without which clients that check names refuse it */
};

/* key and certificate are PEM. FAULT_CONFIG says what is wrong: no key, an encrypted one, one of
 * another certificate, too weak for this machine's OpenSSL, expired, not valid yet. */
int tls_pair_judge(struct span key, struct span certificate, int64_t now, struct tls_pair *ret_pair,
                   struct fault *why) must_check;

#endif
