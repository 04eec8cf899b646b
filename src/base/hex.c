/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hexadecimal text, both ways.
 * Takes spans, gives bytes or digits; decoding is all or nothing.
 * Any room, any thread. Must never accept blanks, a 0x prefix or an odd number of digits: the
 * forms of api.md, Values, are exact.
 */
#include "base/hex.h"

/* The value of a digit, or -1. */
static int
digit_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

bool
hex_is(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (digit_value(text.data[i]) < 0) {
            return false;
        }
    }
    return true;
}

bool
hex_is_sized(struct span text, size_t digits)
{
    return text.size == digits && hex_is(text);
}

static void
decode_digits(const uint8_t *digits, uint8_t *out, size_t out_size)
{
    for (size_t i = 0; i < out_size; i++) {
        out[i] = (uint8_t)(digit_value(digits[2 * i]) << 4 | digit_value(digits[2 * i + 1]));
    }
}

bool
hex_decode(struct span text, uint8_t *out, size_t out_size)
{
    if (out_size > SIZE_MAX / 2 || !hex_is_sized(text, 2 * out_size)) {
        return false;
    }
    decode_digits(text.data, out, out_size);
    return true;
}

static void
encode(struct span bytes, const char digits[16], char *out)
{
    for (size_t i = 0; i < bytes.size; i++) {
        out[2 * i] = digits[bytes.data[i] >> 4];
        out[2 * i + 1] = digits[bytes.data[i] & 0x0f];
    }
    out[2 * bytes.size] = '\0';
}

void
hex_encode_lower(struct span bytes, char *out)
{
    encode(bytes, "0123456789abcdef", out);
}

void
hex_encode_upper(struct span bytes, char *out)
{
    encode(bytes, "0123456789ABCDEF", out);
}

static int
add_encoded(struct buf *b, struct span bytes, void (*encoder)(struct span, char *))
{
    if (bytes.size > SIZE_MAX / 2) {
        return FAULT_TOO_LARGE;
    }
    char *out = (char *)buf_reserve(b, 2 * bytes.size);
    if (out == NULL) {
        return b->failed;
    }
    encoder(bytes, out);
    buf_grew(b, 2 * bytes.size);
    return 0;
}

int
hex_add_lower(struct buf *b, struct span bytes)
{
    return add_encoded(b, bytes, hex_encode_lower);
}

int
hex_add_upper(struct buf *b, struct span bytes)
{
    return add_encoded(b, bytes, hex_encode_upper);
}

int
hex_add_decoded(struct buf *b, struct span text)
{
    if (text.size % 2 != 0 || !hex_is(text)) {
        return FAULT_INPUT;
    }
    uint8_t *out = buf_reserve(b, text.size / 2);
    if (out == NULL) {
        return b->failed;
    }
    decode_digits(text.data, out, text.size / 2);
    buf_grew(b, text.size / 2);
    return 0;
}
