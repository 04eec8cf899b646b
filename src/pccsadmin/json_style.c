/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes JSON the way Python's json.dump does (clients.md 5.2): a blank after commas and colons,
 * characters beyond ASCII as \u escapes. Takes checked JSON text; gives the same value, members in
 * the same order, numbers and escapes as they were. Called by what writes files; pure.
 * Must never parse and render anew: what Intel signed must come back byte for byte when the blanks
 * are dropped.
 */
#include "pccsadmin/json_style.h"

#include "base/utf8.h"
#include "json/json_scan.h"

static void
add_unicode(struct buf *b, struct span bytes)
{
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t character = bytes.data[0] & first_bits[bytes.size];
    for (size_t i = 1; i < bytes.size; i++) {
        character = character << 6 | (bytes.data[i] & 0x3f);
    }
    if (character > 0xffff) { /* a surrogate pair (RFC 8259, 7) */
        character -= 0x10000;
        buf_add_format(b, "\\u%04x", 0xd800 + (unsigned)(character >> 10));
        character = 0xdc00 + (character & 0x3ff);
    }
    buf_add_format(b, "\\u%04x", (unsigned)character);
}

/* The string that begins at its opening quote; returns its size with both quotes. */
static size_t
add_string(struct buf *b, struct span rest)
{
    size_t at = 1;
    buf_add_byte(b, '"');
    while (at < rest.size && rest.data[at] != '"') {
        struct span tail = span_of(rest.data + at, rest.size - at);
        size_t size = rest.data[at] == '\\' ? 2 : utf8_first(tail);
        size = size == 0 ? 1 : size;
        size = size > tail.size ? tail.size : size;
        if (size > 1 && rest.data[at] != '\\') {
            add_unicode(b, span_of(tail.data, size));
        } else {
            buf_add(b, span_of(tail.data, size));
        }
        at += size;
    }
    buf_add_byte(b, '"');
    return at < rest.size ? at + 1 : at;
}

static bool
is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

int
json_style_add(struct buf *b, struct span value)
{
    for (size_t at = 0; at < value.size;) {
        uint8_t byte = value.data[at];
        if (byte == '"') {
            at += add_string(b, span_of(value.data + at, value.size - at));
            continue;
        }
        at++;
        if (!is_blank(byte)) {
            buf_add_byte(b, byte);
        }
        if (byte == ',' || byte == ':') {
            buf_add_byte(b, ' ');
        }
    }
    return b->failed;
}

int
json_style_add_text(struct buf *b, struct span text)
{
    struct buf quoted = BUF_INIT(6 * text.size + 3);
    int failed = json_add_quoted(&quoted, text);
    if (failed == 0) {
        failed = json_style_add(b, buf_span(&quoted));
    }
    buf_done(&quoted);
    return failed;
}
