/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole files: read with a ceiling, written so that the old one stays until the new one is safe. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/types.h>

#include "base/buf.h"

/* Appends the file's bytes to b (whose ceiling holds). FAULT_IO with errno, FAULT_TOO_LARGE. "-" is
 * not special. */
int file_read(const char *path, struct buf *b, struct fault *why) must_check;
/* Temporary file beside path, written, fsynced, renamed, directory fsynced. mode as in open(2). */
int file_write_atomic(const char *path, struct span bytes, mode_t mode,
                      struct fault *why) must_check;

#endif
