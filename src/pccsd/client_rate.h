/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RequestsPerSecond: how many requests one client address may make in a second (api.md, Ceilings).
 * A table of fixed size, so that no number of addresses can make it grow: when more than its size
 * are busy within one second, those that find no room are let through uncounted. An IPv6 client
 * counts by its /64, which is what one machine owns.
 */
#ifndef PCCSD_CLIENT_RATE_H
#define PCCSD_CLIENT_RATE_H

#include "base/fault.h"
#include "base/span.h"

struct client_rate;
int client_rate_new(unsigned requests_per_second, struct client_rate **ret_rate,
                    struct fault *why) must_check;
void client_rate_free(struct client_rate *rate);
/* Counts one request of peer (an address as text) in the second now_ms / 1000; false if it is one
 * too many. No lock, no allocation; any thread. */
bool client_rate_allows(struct client_rate *rate, const char *peer, int64_t now_ms);

#endif
