/* SPDX-License-Identifier: BSD-3-Clause */
/* A bounded reader for hostile bytes: a read either succeeds or leaves the reader as it was. */
#ifndef BASE_READER_H
#define BASE_READER_H

#include "base/span.h"

struct reader {
    struct span rest; /* what has not been read; the bytes belong to whoever made the reader */
};

static inline struct reader
reader_of(struct span bytes)
{
    return (struct reader){.rest = bytes};
}

static inline bool
reader_at_end(const struct reader *r)
{
    return r->rest.size == 0;
}

bool reader_byte(struct reader *r, uint8_t *ret_byte);
bool reader_peek(const struct reader *r, uint8_t *ret_byte);
bool reader_bytes(struct reader *r, size_t size, struct span *ret_bytes);
bool reader_u16_le(struct reader *r, uint16_t *ret_value);
bool reader_u32_le(struct reader *r, uint32_t *ret_value);
/* Consumes text if the rest starts with it. */
bool reader_skip_text(struct reader *r, const char *text);
/* Everything before the first delimiter, which is consumed but not returned; false if there is no
 * delimiter. */
bool reader_until(struct reader *r, uint8_t delimiter, struct span *ret_bytes);

#endif
