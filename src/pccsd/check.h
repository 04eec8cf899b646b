/* SPDX-License-Identifier: BSD-3-Clause */
/* pccsd --check. */
#ifndef PCCSD_CHECK_H
#define PCCSD_CHECK_H

#include "base/clock.h"
#include "config/config.h"

/* Prints the effective values and what was found; 0 if the service could start with them. */
int check_configuration(const struct config *config, const struct buf *warnings,
                        const struct clock *clock, struct fault *why) must_check;

#endif
