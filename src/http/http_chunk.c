/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decodes a chunked body as it arrives, a byte of framing at a time and its data in one piece.
 *
 * Takes spans of input, gives spans of data that point into them. Called by http_conn.c on a
 * loop's thread, and by the fuzzer. Must never buffer, and never forgive: a size with a sign or a
 * blank, a chunk without its CRLF or a bare LF could be read otherwise by a proxy in front.
 * Follows RFC 9112, 7.1; extensions and trailers mean nothing here and are read over.
 */
#include "http/http_chunk.h"

#include "http/http_parse.h"

enum {
    AT_SIZE, /* all zero is the start */
    AT_EXTENSION,
    AT_SIZE_LF,
    AT_DATA,
    AT_DATA_CR,
    AT_DATA_LF,
    AT_TRAILER, /* at the start of a trailer line, or of the last empty line */
    AT_TRAILER_NAME,
    AT_TRAILER_VALUE,
    AT_TRAILER_LF,
    AT_END_LF,
    AT_DONE,
    AT_REFUSED
};

enum { DIGITS_MAX = 15 };

static int
hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
after_size(struct http_chunks *chunks, uint8_t c)
{
    int value = hex_value(c);
    if (value >= 0 && chunks->digits < DIGITS_MAX) {
        chunks->left = chunks->left * 16 + (uint64_t)value;
        chunks->digits++;
        return AT_SIZE;
    }
    if (chunks->digits == 0 || value >= 0) {
        return AT_REFUSED;
    }
    if (c == ';') {
        return AT_EXTENSION;
    }
    return c == '\r' ? AT_SIZE_LF : AT_REFUSED;
}

static int
after_size_line(struct http_chunks *chunks)
{
    chunks->digits = 0;
    return chunks->left > 0 ? AT_DATA : AT_TRAILER;
}

static int
after_value(uint8_t c, int same, int line_feed)
{
    if (c == '\r') {
        return line_feed;
    }
    return http_is_value_char(c) ? same : AT_REFUSED;
}

static int
after_trailer_name(uint8_t c)
{
    if (c == ':') {
        return AT_TRAILER_VALUE;
    }
    return http_is_token_char(c) ? AT_TRAILER_NAME : AT_REFUSED;
}

/* The state after one byte of framing. */
static int
next_state(struct http_chunks *chunks, uint8_t c)
{
    switch (chunks->state) {
    case AT_SIZE:
        return after_size(chunks, c);
    case AT_EXTENSION:
        chunks->extra++;
        return after_value(c, AT_EXTENSION, AT_SIZE_LF);
    case AT_SIZE_LF:
        return c == '\n' ? after_size_line(chunks) : AT_REFUSED;
    case AT_DATA_CR:
        return c == '\r' ? AT_DATA_LF : AT_REFUSED;
    case AT_DATA_LF:
        return c == '\n' ? AT_SIZE : AT_REFUSED;
    case AT_TRAILER:
        if (c == '\r') {
            return AT_END_LF;
        }
        return http_is_token_char(c) ? AT_TRAILER_NAME : AT_REFUSED;
    case AT_TRAILER_NAME:
        chunks->extra++;
        return after_trailer_name(c);
    case AT_TRAILER_VALUE:
        chunks->extra++;
        return after_value(c, AT_TRAILER_VALUE, AT_TRAILER_LF);
    case AT_TRAILER_LF:
        chunks->extra++;
        return c == '\n' ? AT_TRAILER : AT_REFUSED;
    case AT_END_LF:
        return c == '\n' ? AT_DONE : AT_REFUSED;
    default:
        return AT_REFUSED;
    }
}

static struct span
take_data(struct http_chunks *chunks, struct span *input)
{
    size_t size = chunks->left < input->size ? (size_t)chunks->left : input->size;
    struct span data = span_of(input->data, size);
    *input = span_of(input->data + size, input->size - size);
    chunks->left -= size;
    if (chunks->left == 0) {
        chunks->state = AT_DATA_CR;
    }
    return data;
}

enum http_chunk
http_chunks_take(struct http_chunks *chunks, struct span *input, struct span *ret_data)
{
    while (input->size > 0 && chunks->state != AT_DONE && chunks->state != AT_REFUSED) {
        if (chunks->state == AT_DATA) {
            *ret_data = take_data(chunks, input);
            return HTTP_CHUNK_DATA;
        }
        chunks->state = (uint8_t)next_state(chunks, input->data[0]);
        *input = span_of(input->data + 1, input->size - 1);
        if (chunks->extra > LIMIT_HTTP_CHUNK_EXTRA_BYTES) {
            chunks->state = AT_REFUSED;
        }
    }
    if (chunks->state == AT_DONE) {
        return HTTP_CHUNK_DONE;
    }
    return chunks->state == AT_REFUSED ? HTTP_CHUNK_REFUSED : HTTP_CHUNK_MORE;
}
