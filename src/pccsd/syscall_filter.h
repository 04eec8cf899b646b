/* SPDX-License-Identifier: BSD-3-Clause */
/* What the running service may ask of the kernel. */
#ifndef PCCSD_SYSCALL_FILTER_H
#define PCCSD_SYSCALL_FILTER_H

#include "base/fault.h"

/* Narrows the system calls of every thread, and of those to come, for good. FAULT_CONFIG: this
 * build has no filter; FAULT_IO: the kernel takes none. Then nothing has changed. */
int syscall_filter_install(struct fault *why) must_check;

#endif
