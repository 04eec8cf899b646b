/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens the store that DB_CONFIG names. */
#ifndef SETUP_STORE_OPEN_H
#define SETUP_STORE_OPEN_H

#include "base/clock.h"
#include "config/config.h"
#include "ports/store_port.h"

/* Opens it for the service. FAULT_CONFIG. Close with store_close. */
int store_open(const struct config *config, const struct clock *clock, struct store **ret_store,
               struct fault *why) must_check;
/* The same, telling on_notice what a takeover did instead of the log. */
int store_open_with(const struct config *config, const struct clock *clock,
                    void (*on_notice)(void *self, const char *text), void *self,
                    struct store **ret_store, struct fault *why) must_check;
/* --check: would it open? Changes nothing and is no matter to a service that runs on it; prints
 * what is there and what would be done with it, a line each. */
int store_check(const struct config *config, const struct clock *clock,
                struct fault *why) must_check;
/* The same, telling on_notice instead. */
int store_check_with(const struct config *config, const struct clock *clock,
                     void (*on_notice)(void *self, const char *text), void *self,
                     struct fault *why) must_check;

#endif
