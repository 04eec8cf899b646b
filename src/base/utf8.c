/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UTF-8, one character at a time: is it one, how long is it, write one.
 * Takes spans of foreign bytes, gives lengths. The JSON scanner, the QE ID (260 characters, not
 * bytes) and the JSON log stand on it. Any thread.
 * Must never accept an overlong form: it would be a second spelling of a quote or a NUL.
 * RFC 3629, section 4 (the table of well-formed sequences).
 */
#include "base/utf8.h"

#include "base/mem.h"

/* By first byte: the length of the sequence, and the bounds of its second byte, in which the
 * overlong forms, the surrogates and what lies above U+10FFFF are all excluded. */
struct utf8_row {
    uint8_t first_least, first_most;
    uint8_t size;
    uint8_t second_least, second_most;
};

static const struct utf8_row utf8_rows[] = {
    {0x00, 0x7f, 1, 0x00, 0x00}, {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static bool
row_takes(const struct utf8_row *row, struct span s)
{
    if (s.size < row->size) {
        return false;
    }
    if (row->size > 1 && (s.data[1] < row->second_least || s.data[1] > row->second_most)) {
        return false;
    }
    for (size_t i = 2; i < row->size; i++) {
        if ((s.data[i] & 0xc0) != 0x80) {
            return false;
        }
    }
    return true;
}

size_t
utf8_first(struct span s)
{
    if (s.size == 0) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_COUNT(utf8_rows); i++) {
        const struct utf8_row *row = &utf8_rows[i];
        if (s.data[0] >= row->first_least && s.data[0] <= row->first_most) {
            return row_takes(row, s) ? row->size : 0;
        }
    }
    return 0;
}

bool
utf8_is(struct span s)
{
    size_t characters;
    return utf8_count(s, &characters);
}

bool
utf8_count(struct span s, size_t *ret_characters)
{
    size_t characters = 0;
    for (size_t at = 0; at < s.size; characters++) {
        size_t size = utf8_first(span_of(s.data + at, s.size - at));
        if (size == 0) {
            return false;
        }
        at += size;
    }
    *ret_characters = characters;
    return true;
}

size_t
utf8_encode(uint32_t character, uint8_t out[4])
{
    must(character <= 0x10ffff && (character < 0xd800 || character > 0xdfff));
    if (character < 0x80) {
        out[0] = (uint8_t)character;
        return 1;
    }
    if (character < 0x800) {
        out[0] = (uint8_t)(0xc0 | (character >> 6));
        out[1] = (uint8_t)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        out[0] = (uint8_t)(0xe0 | (character >> 12));
        out[1] = (uint8_t)(0x80 | ((character >> 6) & 0x3f));
        out[2] = (uint8_t)(0x80 | (character & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | (character >> 18));
    out[1] = (uint8_t)(0x80 | ((character >> 12) & 0x3f));
    out[2] = (uint8_t)(0x80 | ((character >> 6) & 0x3f));
    out[3] = (uint8_t)(0x80 | (character & 0x3f));
    return 4;
}
