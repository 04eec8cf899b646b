/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON text as text: strings decoded and encoded, white space dropped.
 * Takes spans, appends to a buf. Compaction is what makes Intel's signature fit again after a tool
 * has written the collateral with blanks: it drops white space outside strings and changes nothing
 * else (trust.md, The shapes).
 * Called by collateral and by whoever renders JSON, on any thread.
 * Must never reorder, re-escape or reformat what somebody signed.
 * RFC 8259, sections 2 and 7.
 */
#include "base/hex.h"
#include "base/utf8.h"
#include "json/json_priv.h"
#include "json/json_scan.h"

/* The four hex digits after \u. */
static bool
read_unit(struct reader *r, uint32_t *ret_unit)
{
    struct span digits;
    uint8_t bytes[2];
    if (!reader_bytes(r, 4, &digits) || !hex_decode(digits, bytes, sizeof bytes)) {
        return false;
    }
    *ret_unit = (uint32_t)bytes[0] << 8 | bytes[1];
    return true;
}

/* After "\u": one unit, or the two of a surrogate pair. A lone surrogate is grammar, but no
 * character, and no two parsers agree on it (RFC 8259, 8.2): refused. */
static bool
read_unicode_escape(struct reader *r, uint32_t *ret_character)
{
    uint32_t high;
    uint32_t low;
    if (!read_unit(r, &high)) {
        return false;
    }
    if (high < 0xd800 || high > 0xdfff) {
        *ret_character = high;
        return true;
    }
    if (high > 0xdbff || !reader_skip_text(r, "\\u") || !read_unit(r, &low) || low < 0xdc00 ||
        low > 0xdfff) {
        return false;
    }
    *ret_character = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* After the backslash. */
static bool
read_escape(struct reader *r, uint32_t *ret_character)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    uint8_t letter;
    if (!reader_byte(r, &letter)) {
        return false;
    }
    if (letter == 'u') {
        return read_unicode_escape(r, ret_character);
    }
    const char *found = letter != '\0' ? strchr(letters, letter) : NULL;
    if (found == NULL) {
        return false;
    }
    *ret_character = (uint8_t)meanings[found - letters];
    return true;
}

bool
json_next_character(struct reader *r, uint8_t out[4], size_t *ret_size)
{
    uint8_t byte;
    if (!reader_peek(r, &byte) || byte < 0x20 || byte == '"') {
        return false;
    }
    if (byte != '\\') {
        struct span bytes;
        size_t size = utf8_first(r->rest);
        if (size == 0 || !reader_bytes(r, size, &bytes)) {
            return false;
        }
        memcpy(out, bytes.data, size);
        *ret_size = size;
        return true;
    }
    struct reader ahead = *r;
    uint32_t character;
    if (!reader_byte(&ahead, &byte) || !read_escape(&ahead, &character)) {
        return false;
    }
    *r = ahead;
    *ret_size = utf8_encode(character, out);
    return true;
}

/* The inside of a string value, if it is one and nothing else. */
static bool
string_inside(struct span value, struct span *ret_inside)
{
    if (value.size < 2 || value.data[0] != '"' || value.data[value.size - 1] != '"') {
        return false;
    }
    struct span inside = span_of(value.data + 1, value.size - 2);
    struct reader r = reader_of(inside);
    uint8_t character[4];
    size_t size;
    do {
        json_take_plain(&r);
    } while (json_next_character(&r, character, &size));
    if (!reader_at_end(&r)) {
        return false;
    }
    *ret_inside = inside;
    return true;
}

int
json_add_string(struct buf *b, struct span value)
{
    struct span inside;
    if (!string_inside(value, &inside)) {
        return FAULT_INPUT;
    }
    struct reader r = reader_of(inside);
    uint8_t character[4];
    size_t size = 0;
    do {
        buf_add(b, span_of(character, size));
        buf_add(b, json_take_plain(&r));
    } while (json_next_character(&r, character, &size));
    return b->failed;
}

/* One character of content, escaped where it must be; returns the bytes of content it stood for. */
static size_t
add_quoted_character(struct buf *b, struct span rest)
{
    static const char letters[] = "\"\\bfnrt";
    static const char meanings[] = "\"\\\b\f\n\r\t";
    uint8_t byte = rest.data[0];
    const char *found = byte != '\0' ? strchr(meanings, byte) : NULL;
    size_t size = utf8_first(rest);
    if (found != NULL) {
        buf_add_byte(b, '\\');
        buf_add_byte(b, (uint8_t)letters[found - meanings]);
    } else if (byte < 0x20) {
        buf_add_format(b, "\\u%04x", byte);
    } else if (size == 0) {
        buf_add_text(b, "\\ufffd"); /* no UTF-8: the result must be */
        return 1;
    } else {
        buf_add(b, span_of(rest.data, size));
    }
    return size;
}

int
json_add_quoted(struct buf *b, struct span content)
{
    buf_add_byte(b, '"');
    while (content.size != 0) {
        size_t size = add_quoted_character(b, content);
        content = span_of(content.data + size, content.size - size);
    }
    return buf_add_byte(b, '"');
}

/* Whether the byte at is inside a string, given whether the one before was. Walks checked text. */
struct blank_walk {
    bool in_string;
    bool escaped;
};

/* Takes the next byte; true if it is white space outside strings. */
static bool
blank_walk_next(struct blank_walk *walk, uint8_t byte)
{
    if (!walk->in_string) {
        walk->in_string = byte == '"';
        return json_is_blank(byte);
    }
    if (walk->escaped) {
        walk->escaped = false;
    } else if (byte == '\\') {
        walk->escaped = true;
    } else if (byte == '"') {
        walk->in_string = false;
    }
    return false;
}

int
json_add_compact(struct buf *b, struct span text)
{
    struct blank_walk walk = {0};
    size_t run = 0; /* where the bytes begin that are to be kept and are not yet added */
    for (size_t at = 0; at < text.size; at++) {
        if (blank_walk_next(&walk, text.data[at])) {
            buf_add(b, span_of(text.data + run, at - run));
            run = at + 1;
        }
    }
    if (run < text.size) {
        buf_add(b, span_of(text.data + run, text.size - run));
    }
    return b->failed;
}

bool
json_is_compact(struct span text)
{
    struct blank_walk walk = {0};
    for (size_t at = 0; at < text.size; at++) {
        if (blank_walk_next(&walk, text.data[at])) {
            return false;
        }
    }
    return true;
}
