/* SPDX-License-Identifier: BSD-3-Clause */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/span.h"

/* The bytes (1 to 4) of the character that s starts with; 0 if s is empty or starts with none. */
size_t utf8_first(struct span s);
bool utf8_is(struct span s); /* empty: true */
/* The number of characters; false (output untouched) if s is not UTF-8. */
bool utf8_count(struct span s, size_t *ret_characters);
/* Writes a character (at most 0x10FFFF, no surrogate); returns its bytes. */
size_t utf8_encode(uint32_t character, uint8_t out[4]);

#endif
