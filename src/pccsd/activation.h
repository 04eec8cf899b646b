/* SPDX-License-Identifier: BSD-3-Clause */
/* Listening sockets that systemd opened for the service (sd_listen_fds(3)). */
#ifndef PCCSD_ACTIVATION_H
#define PCCSD_ACTIVATION_H

#include "base/fault.h"
#include "base/limits.h"

/* How many there are, and their descriptors; 0 if nobody passed any to this process. The variables
 * that tell of them are removed. FAULT_CONFIG: there are too many, or the variables are no numbers.
 */
int activation_take(int ret_fds[LIMIT_CONFIG_HOSTS], size_t *ret_count,
                    struct fault *why) must_check;

#endif
