/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole copy of an SQLite file that another program wrote, made without opening the original as a
 * database: not a byte of it changes, whatever journal a crash has left beside it.
 */
#ifndef SETUP_DATABASE_COPY_H
#define SETUP_DATABASE_COPY_H

#include <stdint.h>

#include "base/fault.h"

/* Open for reading, each -1 if it is not there; the caller closes them. */
struct database_files {
    int file, wal, journal; /* NAME, NAME-wal, NAME-journal */
    const char *shown;      /* its path, for faults */
};

/* FAULT_BUSY names the process that has the file open or locked. */
int database_check_idle(const struct database_files *files, struct fault *why) must_check;
/* Makes the file `to`, 0640, which must not be there: one file with all that was committed, checked
 * page by page. FAULT_BUSY, FAULT_CONFIG: damaged, or no SQLite file; FAULT_IO: no room. Nothing is
 * left behind on failure. */
int database_copy(const struct database_files *files, const char *to, struct fault *why) must_check;

#endif
