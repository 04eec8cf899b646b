/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration as the operator wrote it: which files, in which order, over which of them the
 * environment wins, and where relative paths start (config.md).
 */
#ifndef SETUP_OPTIONS_H
#define SETUP_OPTIONS_H

#include "base/buf.h"
#include "config/config.h"

enum { OPTIONS_WARNINGS_BYTES_MAX = 64 * 1024 };

/* Where the configuration is; found once at start, so that a reload reads the same files. */
struct options {
    char *config_path;  /* absolute */
    char *folder;       /* of config_path */
    char *start_folder; /* where the program was started: relative ..._FILE paths start there */
    /* For a rehearsal (may be NULL, borrowed): this file is read as if instead_text stood in it,
     * whether it is there or not. */
    const char *instead_path;
    struct span instead_text;
    /* Only the file and local.json: for a program that reads several configurations, all of which
     * the environment would change alike. */
    bool without_environment;
};

/* given: the argument of -c, or NULL for the default places. FAULT_CONFIG says where was looked. */
int options_find(const char *given, struct options *ret_options, struct fault *why) must_check;
/* The same for a file that may not be there yet, nor its folder. */
int options_find_new(const char *place, struct options *ret_options, struct fault *why) must_check;
void options_done(struct options *options);

/* Reads all layers, checks them together, makes every path absolute. warnings gets a line for each
 * unknown key. ret_config is to be freed with config_done on success only. */
int options_read(const struct options *options, struct config *ret_config, struct buf *warnings,
                 struct fault *why) must_check;
/* A log line for each. */
void options_log_warnings(const struct buf *warnings);

#endif
