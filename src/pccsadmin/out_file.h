/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files written piece by piece, that appear under their name only when they are complete: a
 * temporary file beside, synced, renamed. If the program is interrupted the temporary file goes.
 */
#ifndef PCCSADMIN_OUT_FILE_H
#define PCCSADMIN_OUT_FILE_H

#include <limits.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/span.h"

struct out_file {
    FILE *stream; /* NULL: not open */
    char path[PATH_MAX], temporary[PATH_MAX];
};

int out_file_open(const char *path, struct out_file *ret_file, struct fault *why) must_check;
void out_file_write(struct out_file *file, struct span bytes); /* trouble is told by commit */
void out_file_write_text(struct out_file *file, const char *text);
/* Everything written so far of the other file, to its end. */
int out_file_append(struct out_file *file, struct out_file *other, struct fault *why) must_check;
int out_file_commit(struct out_file *file, struct fault *why) must_check;
void out_file_abort(struct out_file *file); /* not open: nothing; as cleanup too */

/* A JSON array written element by element; the file is opened with the first one. */
struct out_array {
    const char *path; /* borrowed */
    struct out_file file;
    size_t count;
};
int out_array_add(struct out_array *array, struct span element, struct fault *why) must_check;
/* Closes the array; without an element nothing is written. */
int out_array_commit(struct out_array *array, struct fault *why) must_check;

#endif
