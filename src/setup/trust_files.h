/* SPDX-License-Identifier: BSD-3-Clause */
/* The trust anchors that the configuration names: PEM files, or Intel's built-in root. */
#ifndef SETUP_TRUST_FILES_H
#define SETUP_TRUST_FILES_H

#include "config/config.h"
#include "x509/x509_chain.h"

/* FAULT_CONFIG names the file. Free with trust_anchors_free. */
int trust_files_read(const struct config *config, struct trust_anchors **ret_anchors,
                     struct fault *why) must_check;
/* One line per anchor at start; a replaced one is a warning. */
void trust_files_log(const struct trust_anchors *anchors);

#endif
