/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A growing byte buffer that cannot exist without a ceiling. All appends return 0, FAULT_TOO_LARGE
 * (ceiling) or FAULT_MEMORY; after a failure the buffer is marked failed, keeps its content, and
 * every later append fails the same way, so that a chain of appends needs one check at its end.
 * A NUL always stands behind the content (not counted), so buf_text() is a C string if the content
 * holds no NUL itself.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdint.h>

#include "base/fault.h"
#include "base/span.h"

struct buf {
    uint8_t *data; /* heap, or NULL while empty */
    size_t size;   /* bytes in use */
    size_t capacity;
    size_t size_max; /* the ceiling */
    int failed;      /* 0 or the first fault code */
};

#define BUF_INIT(ceiling) ((struct buf){.size_max = (ceiling)})

void
buf_done(struct buf *b); /* frees; NULL and empty are fine; the buf is empty and usable after */
void buf_done_secret(struct buf *b); /* as buf_done, wiping the bytes first; buf_reserve the whole
                                        size before, growing leaves a copy in the heap */
void buf_clear(struct buf *b);       /* size 0, failed 0; keeps the memory */

int buf_add(struct buf *b, struct span bytes);
int buf_add_text(struct buf *b, const char *text);
int buf_add_byte(struct buf *b, uint8_t byte);
int buf_add_format(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Makes room for size more bytes and returns where they start; call buf_grew(size written). NULL
 * on failure. */
uint8_t *buf_reserve(struct buf *b, size_t size);
void buf_grew(struct buf *b, size_t size);
/* Drops the first size bytes. */
void buf_consume(struct buf *b, size_t size);

/* The content; owned by b, until its next change. */
static inline struct span
buf_span(const struct buf *b)
{
    return span_of(b->data, b->size);
}

/* The content as C string ("" while empty); owned by b, until its next change. */
const char *buf_text(const struct buf *b);

/* Hands the heap block to the caller (free() it; never NULL unless memory ran out) and leaves b
 * empty. ret_size may be NULL. */
char *buf_take(struct buf *b, size_t *ret_size);

#endif
