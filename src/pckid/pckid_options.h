/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of PCKIDRetrievalTool: Intel's options and ours, matched whole. */
#ifndef PCKID_PCKID_OPTIONS_H
#define PCKID_PCKID_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/fault.h"

enum pckid_option {
#define PCKID_OPTION(id, word, argument, meaning) PCKID_##id,
#include "pckid/pckid_option.def"
#undef PCKID_OPTION
    PCKID_OPTION_COUNT
};

struct pckid_options {
    bool is_given[PCKID_OPTION_COUNT];
    char *values[PCKID_OPTION_COUNT]; /* borrowed from argv; NULL without a value */
};

/* FAULT_INPUT: wrong usage. */
int pckid_options_parse(int argc, char **argv, struct pckid_options *ret_options,
                        struct fault *why) must_check;
void pckid_options_help(FILE *out);

#endif
