/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share: parameters of a query, and texts in normal form. */
#ifndef REQUEST_REQUEST_PRIV_H
#define REQUEST_REQUEST_PRIV_H

#include <jansson.h>

#include "base/fault.h"
#include "base/span.h"

/* The first parameter of that name (case-sensitive; the name may be percent-encoded). The value is
 * raw and lies in query; a parameter without '=' has an empty one. */
bool query_find(struct span query, const char *name, struct span *ret_value);

enum query_plus { QUERY_PLUS_IS_BLANK, QUERY_PLUS_IS_PLUS };

/* Decodes a raw value into out, *ret_value pointing there. False, *ret_value untouched, on a broken
 * escape, a NUL, or a value that does not fit. */
bool query_decode(struct span raw, enum query_plus plus, char *out, size_t out_size,
                  struct span *ret_value);

/* A heap copy with the letters a-f and all other ASCII letters in upper case; NULL without
 * memory. */
char *text_dup_upper(struct span text);

/* Copies digits hex digits of text into out[digits + 1], upper case. False, out untouched, if text
 * is anything else. */
bool hex_to_upper(struct span text, size_t digits, char *out);

/* A member that may be absent (*ret_text then empty, *ret_present false); FAULT_INPUT if it is not
 * a string. */
int member_text(const json_t *object, const char *name, struct span *ret_text, bool *ret_present,
                struct fault *why) must_check;

#endif
