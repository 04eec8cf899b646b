/* SPDX-License-Identifier: BSD-3-Clause */
/* Where records go on disk: the CSV that is asked for, and the private copy that is always kept. */
#ifndef PCKID_PCKID_OUTPUT_H
#define PCKID_PCKID_OUTPUT_H

#include "pckid/pckid_record.h"
#include "pckid/pckid_report.h"
#include "pckid/pckid_settings.h"

/* Before anything is done: the CSV can be written and may be (asks, where it can), the folder of
 * private copies exists or could be made. Returns PCKID_DONE, or the exit status after having said
 * why. */
int output_check(const struct pckid_settings *settings, struct pckid_report *report) must_check;

/* The private copy, mode 0600, whose path goes to ret_path: one per platform and manifest, so that
 * a later run without the manifest never replaces the one that has it. */
int output_keep_copy(const char *state_dir, const struct pckid_record *record, struct span csv,
                     char ret_path[PCKID_PATH_SIZE], struct fault *why) must_check;
int output_write_csv(const char *path, struct span csv, struct fault *why) must_check;

#endif
