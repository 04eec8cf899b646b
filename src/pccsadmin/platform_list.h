/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of platforms (clients.md 5.1), read one platform at a time: a list of ten thousand with
 * manifests has a gigabyte.
 */
#ifndef PCCSADMIN_PLATFORM_LIST_H
#define PCCSADMIN_PLATFORM_LIST_H

#include <jansson.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/limits.h"

/* Of one platform: its manifest and the rest. */
enum { PLATFORM_ROW_BYTES_MAX = LIMIT_MANIFEST_HEX + 16 * 1024 };

struct platform_list {
    FILE *stream;
    const char *path; /* borrowed */
    size_t count;     /* rows given so far */
    int64_t size, at; /* bytes of the file; read so far: for progress */
    bool is_started, is_done;
};

int platform_list_open(const char *path, struct platform_list *ret_list,
                       struct fault *why) must_check;
void platform_list_close(struct platform_list *list);
/* The next row's JSON text into text (cleared before). FAULT_NOT_FOUND at the end; FAULT_INPUT
 * names the file and the row: then nothing more can be read. */
int platform_list_next(struct platform_list *list, struct buf *text, struct fault *why) must_check;

/* Reads the whole list once: how many rows it has, and that all of it is of the form. */
int platform_list_count(const char *path, size_t *ret_count, struct fault *why) must_check;

struct platform_row {
    json_t *object;
    struct buf text; /* as the file has it */
};
/* The row of a text, which is taken over in any case. FAULT_INPUT. */
int platform_row_parse(struct buf *take_text, struct platform_row *ret_row,
                       struct fault *why) must_check;
void platform_row_done(struct platform_row *row);
/* A text member; "" if it is absent, null or no text. Owned by the row. */
const char *platform_row_get(const struct platform_row *row, const char *name);
/* Can the PCS be asked for it: PCE ID, and a manifest or an encrypted PPID, of their forms.
 * FAULT_INPUT names the member. */
int platform_row_check(const struct platform_row *row, struct fault *why) must_check;

#endif
