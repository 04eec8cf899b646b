/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scanner that finds spans in JSON text without rebuilding it: what Intel signed is cut out of
 * the original bytes, never rendered again (trust.md, The shapes). Strict RFC 8259; depth at most
 * LIMIT_JSON_DEPTH; no recursion on input.
 */
#ifndef JSON_JSON_SCAN_H
#define JSON_JSON_SCAN_H

#include "base/buf.h"

/* Whole text is one JSON value (UTF-8, nothing behind it but white space). FAULT_INPUT with the
 * offset in why. */
int json_check(struct span text, struct fault *why) must_check;

/* In a text that json_check passed and that is an object: the span of the value of the member
 * called name. FAULT_NOT_FOUND if absent; FAULT_INPUT if not an object or the member stands twice
 * at this level. The span lies in text. */
int json_find_member(struct span text, const char *name, struct span *ret_value,
                     struct fault *why) must_check;

/* Walks the members of an object or the elements of an array, in order. */
struct json_walk {
    struct span rest;
    bool is_object, started, done;
};
int json_walk_init(struct json_walk *walk, struct span container, struct fault *why) must_check;
/* 0 and the next name (raw bytes between its quotes; empty for arrays) and value; FAULT_NOT_FOUND
 * at the end. */
int json_walk_next(struct json_walk *walk, struct span *ret_name, struct span *ret_value);

/* Appends text with white space outside strings dropped, nothing else changed. text must have
 * passed json_check. */
int json_add_compact(struct buf *b, struct span text) must_check;
bool json_is_compact(struct span text);

/* The decoded content of a string value span ("\"...\""); escapes resolved to UTF-8. FAULT_INPUT if
 * not a string. */
int json_add_string(struct buf *b, struct span value) must_check;
/* Appends content as a JSON string with quotes, escaped; ASCII stays ASCII. */
int json_add_quoted(struct buf *b, struct span content);

#endif
