/* SPDX-License-Identifier: BSD-3-Clause */
/* The tool's work, in the order that loses nothing. */
#ifndef PCKID_PCKID_RUN_H
#define PCKID_PCKID_RUN_H

#include "pckid/pckid_report.h"
#include "pckid/pckid_settings.h"

/* Collects, saves, registers, marks. Returns the exit status. */
int run_collect(const struct pckid_settings *settings, struct pckid_report *report);
/* Registers the records of a saved CSV. Returns the exit status. */
int run_send(const struct pckid_settings *settings, struct pckid_report *report);

#endif
