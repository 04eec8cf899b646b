/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulator behind an HTTP server: one loop, answers at once or late. */
#ifndef PCSSIM_SIM_SERVE_H
#define PCSSIM_SIM_SERVE_H

#include "pcssim/sim.h"

struct sim_serve;

struct sim_serve_options {
    const char *host;
    uint16_t port; /* 0: any free one */
    SSL_CTX *tls;  /* NULL: plain */
};

/* Binds; nothing is answered before sim_serve_start. */
int sim_serve_new(const struct sim_serve_options *options, struct sim_serve **ret_serve,
                  struct fault *why) must_check;
uint16_t sim_serve_port(const struct sim_serve *serve);
/* From here on sim belongs to the loop's thread. */
int sim_serve_start(struct sim_serve *serve, struct sim *sim, struct fault *why) must_check;
void sim_serve_free(struct sim_serve *serve); /* drains and stops */

#endif
