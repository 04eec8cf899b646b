/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the store that DB_CONFIG names. */
#ifndef PCCSD_STORE_OPEN_H
#define PCCSD_STORE_OPEN_H

#include "base/clock.h"
#include "config/config.h"
#include "ports/store_port.h"

/* init_db false: neither create nor migrate. FAULT_CONFIG. Close with store_close. */
int store_open(const struct config *config, const struct clock *clock, bool init_db,
               struct store **ret_store, struct fault *why) must_check;

#endif
