/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes a request's body out of the connection's block: kept for the handler, or read over.
 *
 * Takes what stands in the block behind the head; gives whether the body is complete, too large or
 * malformed. Called by http_conn.c on the loop's thread. Must never reserve what a Content-Length
 * merely promises: memory grows with what has arrived.
 * Follows RFC 9112, 6.
 */
#include "http/http_priv.h"

void
http_body_start(struct http_conn *conn, const struct http_head *head, size_t bytes_max)
{
    struct http_incoming *incoming = &conn->incoming;
    *incoming = (struct http_incoming){.left = head->content_length, .bytes_max = bytes_max};
    incoming->bytes = BUF_INIT(bytes_max);
    conn->body_chunked = head->chunked;
    conn->body_unread = head->has_body;
}

static enum http_body
take_bytes(struct http_incoming *incoming, struct span bytes, bool keep)
{
    if (bytes.size > incoming->bytes_max - incoming->seen) {
        return HTTP_BODY_TOO_LARGE;
    }
    incoming->seen += bytes.size;
    if (keep && buf_add(&incoming->bytes, bytes) != 0) {
        return HTTP_BODY_NO_MEMORY;
    }
    return HTTP_BODY_MORE;
}

static enum http_body
take_counted(struct http_incoming *incoming, struct span *input, bool keep)
{
    size_t size = incoming->left < input->size ? (size_t)incoming->left : input->size;
    enum http_body result = take_bytes(incoming, span_of(input->data, size), keep);
    if (result != HTTP_BODY_MORE) {
        return result;
    }
    *input = span_of(input->data + size, input->size - size);
    incoming->left -= size;
    return incoming->left == 0 ? HTTP_BODY_DONE : HTTP_BODY_MORE;
}

static enum http_body
take_chunked(struct http_incoming *incoming, struct span *input, bool keep)
{
    enum http_body result = HTTP_BODY_MORE;
    while (result == HTTP_BODY_MORE) {
        struct span data = span_of_text("");
        switch (http_chunks_take(&incoming->chunks, input, &data)) {
        case HTTP_CHUNK_MORE:
            return HTTP_BODY_MORE;
        case HTTP_CHUNK_DATA:
            result = take_bytes(incoming, data, keep);
            break;
        case HTTP_CHUNK_DONE:
            return HTTP_BODY_DONE;
        case HTTP_CHUNK_REFUSED:
            return HTTP_BODY_REFUSED;
        }
    }
    return result;
}

enum http_body
http_body_take(struct http_conn *conn, bool keep)
{
    struct http_block *block = conn->block;
    struct http_incoming *incoming = &conn->incoming;
    struct span input = span_of(block->data + block->used, block->size - block->used);
    enum http_body result;
    if (conn->body_chunked) {
        result = take_chunked(incoming, &input, keep);
    } else if (incoming->left > incoming->bytes_max - incoming->seen) {
        result = HTTP_BODY_TOO_LARGE;
    } else {
        result = take_counted(incoming, &input, keep);
    }
    block->used = block->size - input.size;
    if (result == HTTP_BODY_DONE) {
        conn->body_unread = false;
    }
    return result;
}

void
http_body_done(struct http_conn *conn)
{
    buf_done(&conn->incoming.bytes);
}
