/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A span is bytes that somebody else owns. It never owns, never ends in a NUL that anybody may
 * rely on, and is passed by value. Whoever returns one says who owns the bytes and until when.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;         /* bytes */
};

/* For printf-like calls: printf("%.*s", SPAN_ARGS(s)). */
#define SPAN_ARGS(s) (int)(s).size, (const char *)(s).data

static inline struct span
span_of(const void *data, size_t size)
{
    return (struct span){.data = data, .size = size};
}

/* The span of a NUL-terminated text, without the NUL; text may be NULL (empty span). */
static inline struct span
span_of_text(const char *text)
{
    return span_of(text, text != NULL ? strlen(text) : 0);
}

static inline bool
span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool
span_is(struct span s, const char *text)
{
    return span_equal(s, span_of_text(text));
}

/* As span_equal and span_is, the letters A-Z and a-z being one (ASCII only, no locale). */
bool span_equal_nocase(struct span a, struct span b);

static inline bool
span_is_nocase(struct span s, const char *text)
{
    struct span other = span_of_text(text); /* of a literal: no call of strlen when inlined */
    return s.size == other.size && span_equal_nocase(s, other);
}

bool span_starts_with(struct span s, const char *prefix);

/* Copies s and a NUL into out[out_size]. False, and out untouched, if it does not fit or holds a
 * NUL byte. */
bool span_to_text(struct span s, char *out, size_t out_size);

/* A heap copy with a NUL behind it, to be freed by the caller; NULL if memory ran out. */
char *span_dup_text(struct span s);

#endif
