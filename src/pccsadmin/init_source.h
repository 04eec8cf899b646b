/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder that `init --from` reads: files in it are opened, links that lead out of it are not
 * followed. Whoever owns that folder must not be able to have foreign files copied by root. */
#ifndef PCCSADMIN_INIT_SOURCE_H
#define PCCSADMIN_INIT_SOURCE_H

#include <limits.h>

#include "base/buf.h"

struct init_source {
    char path[PATH_MAX]; /* absolute */
    int fd;              /* -1: not open */
};

/* FAULT_CONFIG: not there, no folder, may not be read. */
int init_source_open(const char *path, struct init_source *ret_source,
                     struct fault *why) must_check;
void init_source_close(struct init_source *source);

/* A regular file of it. name is relative, or an absolute path that the configuration names: its
 * last part must be no link then. FAULT_NOT_FOUND; FAULT_CONFIG says what it is instead, or why it
 * may not be read. The caller closes *ret_fd. */
int init_source_open_file(const struct init_source *source, const char *name, int *ret_fd,
                          struct fault *why) must_check;
/* Its bytes; also FAULT_TOO_LARGE. */
int init_source_read(const struct init_source *source, const char *name, struct buf *ret_text,
                     struct fault *why) must_check;
/* Name of a file for humans and for others: absolute. */
void init_source_path(const struct init_source *source, const char *name, char out[PATH_MAX]);

#endif
