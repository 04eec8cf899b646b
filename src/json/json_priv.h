/* SPDX-License-Identifier: BSD-3-Clause */
/* Characters of JSON strings, shared by the scanner and the string functions of this room. */
#ifndef JSON_JSON_PRIV_H
#define JSON_JSON_PRIV_H

#include "base/reader.h"

/* The next character of a string's inside as UTF-8, escapes resolved. False at the end, and on
 * anything that may not stand in a string (r is left where it was). out[4], 1 to 4 bytes. */
bool json_next_character(struct reader *r, uint8_t out[4], size_t *ret_size);

/* The run of characters that need no second look: printable ASCII but '"' and '\\'. Nearly all
 * bytes of collateral are such; may be empty. */
static inline struct span
json_take_plain(struct reader *r)
{
    size_t size = 0;
    while (size < r->rest.size && r->rest.data[size] >= 0x20 && r->rest.data[size] < 0x7f &&
           r->rest.data[size] != '"' && r->rest.data[size] != '\\') {
        size++;
    }
    struct span run = span_of(r->rest.data, size);
    if (size != 0) {
        r->rest = span_of(r->rest.data + size, r->rest.size - size);
    }
    return run;
}

static inline bool
json_is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

#endif
