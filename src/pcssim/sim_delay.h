/* SPDX-License-Identifier: BSD-3-Clause */
/* Holds answers back until their time, on a thread of its own, so that no loop ever waits. */
#ifndef PCSSIM_SIM_DELAY_H
#define PCSSIM_SIM_DELAY_H

#include "base/clock.h"
#include "http/http.h"

struct sim_delay;

/* Starts the thread. */
int sim_delay_new(struct http_server *server, const struct clock *clock,
                  struct sim_delay **ret_delay, struct fault *why) must_check;
/* Answers everything that still waits, and from now on everything that comes, at once. */
void sim_delay_stop(struct sim_delay *delay);
/* After stop, once nobody puts anything any more. */
void sim_delay_free(struct sim_delay *delay);
/* Any thread. Beyond LIMIT_SIM_DELAYED the answer goes out at once. */
void sim_delay_put(struct sim_delay *delay, int64_t delay_ms, struct http_ticket ticket,
                   const struct http_answer *answer);

#endif
