/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What spans need beyond their header's inline functions: comparing with text and becoming one.
 * Takes spans and C strings, gives booleans and copies; a copy that could not be one C string (an
 * inner NUL) is refused rather than cut short.
 * Any room, any thread. Must never read beyond the span's size. See base/span.h.
 */
#include "base/span.h"

#include <stdlib.h>

static uint8_t
lower_ascii(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

bool
span_equal_nocase(struct span a, struct span b)
{
    if (a.size != b.size) {
        return false;
    }
    for (size_t i = 0; i < a.size; i++) {
        if (a.data[i] != b.data[i] && lower_ascii(a.data[i]) != lower_ascii(b.data[i])) {
            return false;
        }
    }
    return true;
}

bool
span_starts_with(struct span s, const char *prefix)
{
    struct span start = span_of_text(prefix);
    return s.size >= start.size && span_equal(span_of(s.data, start.size), start);
}

static bool
has_nul(struct span s)
{
    return s.size != 0 && memchr(s.data, '\0', s.size) != NULL;
}

bool
span_to_text(struct span s, char *out, size_t out_size)
{
    if (s.size >= out_size || has_nul(s)) {
        return false;
    }
    if (s.size != 0) {
        memcpy(out, s.data, s.size);
    }
    out[s.size] = '\0';
    return true;
}

char *
span_dup_text(struct span s)
{
    char *text = malloc(s.size + 1);
    if (text == NULL) {
        return NULL;
    }
    if (s.size != 0) {
        memcpy(text, s.data, s.size);
    }
    text[s.size] = '\0';
    return text;
}
