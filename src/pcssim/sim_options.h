/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of pcs-sim. */
#ifndef PCSSIM_SIM_OPTIONS_H
#define PCSSIM_SIM_OPTIONS_H

#include <stdio.h>

#include "pcssim/sim_fault.h"

struct sim_options {
    const char *state, *host, *name, *fleet,
        *seed; /* borrowed from argv; name, fleet, seed: NULL */
    uint16_t port;
    bool tls, print_fleet, key_required, help, version;
    size_t generate, generate_fmspcs;
    int64_t time_shift_s, delay_ms;
    struct sim_faults faults;
};

/* FAULT_INPUT: wrong usage. */
int sim_options_parse(int argc, char **argv, struct sim_options *ret_options,
                      struct fault *why) must_check;
void sim_options_help(FILE *out);

#endif
