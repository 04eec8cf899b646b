/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bounded reader: the only way in which hostile bytes are walked one by one.
 * Takes a span, gives values and sub-spans of the same bytes; each call succeeds or changes
 * nothing, so that a chain of reads joined by && needs no pointer arithmetic and no check between.
 * Any room, any thread; a reader belongs to one function.
 * Must never return a byte from outside the span.
 */
#include "base/reader.h"

static struct span
reader_take(struct reader *r, size_t size)
{
    struct span taken = span_of(r->rest.data, size);
    if (size != 0) {
        r->rest = span_of(r->rest.data + size, r->rest.size - size);
    }
    return taken;
}

bool
reader_peek(const struct reader *r, uint8_t *ret_byte)
{
    if (reader_at_end(r)) {
        return false;
    }
    *ret_byte = r->rest.data[0];
    return true;
}

bool
reader_byte(struct reader *r, uint8_t *ret_byte)
{
    if (!reader_peek(r, ret_byte)) {
        return false;
    }
    reader_take(r, 1);
    return true;
}

bool
reader_bytes(struct reader *r, size_t size, struct span *ret_bytes)
{
    if (r->rest.size < size) {
        return false;
    }
    *ret_bytes = reader_take(r, size);
    return true;
}

bool
reader_u16_le(struct reader *r, uint16_t *ret_value)
{
    struct span s;
    if (!reader_bytes(r, 2, &s)) {
        return false;
    }
    *ret_value = (uint16_t)(s.data[0] | s.data[1] << 8);
    return true;
}

bool
reader_u32_le(struct reader *r, uint32_t *ret_value)
{
    struct span s;
    if (!reader_bytes(r, 4, &s)) {
        return false;
    }
    *ret_value = (uint32_t)s.data[0] | (uint32_t)s.data[1] << 8 | (uint32_t)s.data[2] << 16 |
                 (uint32_t)s.data[3] << 24;
    return true;
}

bool
reader_skip_text(struct reader *r, const char *text)
{
    if (!span_starts_with(r->rest, text)) {
        return false;
    }
    reader_take(r, strlen(text));
    return true;
}

bool
reader_until(struct reader *r, uint8_t delimiter, struct span *ret_bytes)
{
    const uint8_t *end = NULL;
    if (r->rest.size != 0) {
        end = memchr(r->rest.data, delimiter, r->rest.size);
    }
    if (end == NULL) {
        return false;
    }
    *ret_bytes = reader_take(r, (size_t)(end - r->rest.data));
    reader_take(r, 1);
    return true;
}
