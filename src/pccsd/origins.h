/* SPDX-License-Identifier: BSD-3-Clause */
/* The hosts besides Intel's that crl?uri= may name (api.md, GET crl). */
#ifndef PCCSD_ORIGINS_H
#define PCCSD_ORIGINS_H

#include "config/config.h"
#include "request/request.h"
#include "x509/x509_chain.h"

/* scheme://host[:port] of the configured uri and of each anchor's CRL distribution point. The spans
 * point into config and anchors, which must outlive the policy. */
struct request_policy origins_of(const struct config *config, const struct trust_anchors *anchors);

#endif
