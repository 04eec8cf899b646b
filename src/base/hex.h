/* SPDX-License-Identifier: BSD-3-Clause */
/* Hexadecimal, both ways. Decoding takes either case and nothing else. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/buf.h"

bool hex_is(struct span text); /* only hex digits; empty: true */
bool hex_is_sized(struct span text, size_t digits);
/* Decodes exactly out_size bytes; false (out untouched) unless text is 2*out_size hex digits. */
bool hex_decode(struct span text, uint8_t *out, size_t out_size);
/* out needs 2*bytes.size + 1 bytes; a NUL is written. */
void hex_encode_lower(struct span bytes, char *out);
void hex_encode_upper(struct span bytes, char *out);
int hex_add_lower(struct buf *b, struct span bytes);
int hex_add_upper(struct buf *b, struct span bytes);
/* Appends the decoded bytes; FAULT_INPUT on an odd length or another character. */
int hex_add_decoded(struct buf *b, struct span text);

#endif
