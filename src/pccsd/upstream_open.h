/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes the client for the PCS and counts what it does. */
#ifndef PCCSD_UPSTREAM_OPEN_H
#define PCCSD_UPSTREAM_OPEN_H

#include "config/config.h"
#include "ports/upstream_port.h"

/* Free with pcs_client_free. */
int upstream_open(const struct config *config, struct upstream **ret_upstream,
                  struct fault *why) must_check;

#endif
