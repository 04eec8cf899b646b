/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes answers: a head put together here, then borrowed bytes.
 *
 * Takes an http_answer, gives bytes to the peer: what fits in one TLS record (16 KB) goes out in
 * one write, and longer bodies go on from where they lie, without a copy. Called on the thread of
 * the connection's loop, by http_answer_now and for answers from other threads. Must never allocate
 * or lock on the way of an answer that the socket takes at once, and must release what was borrowed
 * exactly once, whatever becomes of the peer.
 * Follows RFC 9112, 6.3 (no body for HEAD, 204, 304).
 */
#include <stdio.h>

#include "base/mem.h"
#include "http/http_priv.h"

/* An answer this large may move the deadline: a reader that takes less than this in
 * request_timeout_ms is cut off. */
enum { PROGRESS_BYTES = 64 * 1024 };
enum { WRITES_PER_ROUND = 64 };

static const struct {
    int status;
    const char *line;
} status_lines[] = {
    {200, "HTTP/1.1 200 OK\r\n"},
    {201, "HTTP/1.1 201 Created\r\n"},
    {204, "HTTP/1.1 204 No Content\r\n"},
    {302, "HTTP/1.1 302 Found\r\n"},
    {304, "HTTP/1.1 304 Not Modified\r\n"},
    {400, "HTTP/1.1 400 Bad Request\r\n"},
    {401, "HTTP/1.1 401 Unauthorized\r\n"},
    {403, "HTTP/1.1 403 Forbidden\r\n"},
    {404, "HTTP/1.1 404 Not Found\r\n"},
    {405, "HTTP/1.1 405 Method Not Allowed\r\n"},
    {408, "HTTP/1.1 408 Request Timeout\r\n"},
    {410, "HTTP/1.1 410 Gone\r\n"},
    {413, "HTTP/1.1 413 Content Too Large\r\n"},
    {414, "HTTP/1.1 414 URI Too Long\r\n"},
    {415, "HTTP/1.1 415 Unsupported Media Type\r\n"},
    {429, "HTTP/1.1 429 Too Many Requests\r\n"},
    {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
    {460, "HTTP/1.1 460 Integrity Not Verified\r\n"},
    {461, "HTTP/1.1 461 Platform Unknown\r\n"},
    {462, "HTTP/1.1 462 Certificates Unavailable\r\n"},
    {500, "HTTP/1.1 500 Internal Server Error\r\n"},
    {501, "HTTP/1.1 501 Not Implemented\r\n"},
    {502, "HTTP/1.1 502 Bad Gateway\r\n"},
    {503, "HTTP/1.1 503 Service Unavailable\r\n"},
    {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
};

struct writer {
    uint8_t *data;
    size_t size;
};

static void
write_bytes(struct writer *w, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(w->data + w->size, data, size);
        w->size += size;
    }
}

static void
write_text(struct writer *w, const char *text)
{
    write_bytes(w, text, strlen(text));
}

static void
write_number(struct writer *w, size_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    write_bytes(w, digits + at, sizeof digits - at);
}

static void
write_status_line(struct writer *w, int status)
{
    for (size_t i = 0; i < ARRAY_COUNT(status_lines); i++) {
        if (status_lines[i].status == status) {
            write_text(w, status_lines[i].line);
            return;
        }
    }
    must(status >= 200 && status <= 599);
    write_text(w, "HTTP/1.1 ");
    write_number(w, (size_t)status);
    write_text(w, " Other\r\n");
}

static bool
has_no_body(int status)
{
    return status == 204 || status == 304;
}

static size_t
write_head(struct http_conn *conn, const struct http_answer *answer)
{
    struct writer w = {.data = conn->loop->head};
    write_status_line(&w, answer->status);
    write_bytes(&w, answer->head_extra.data, answer->head_extra.size);
    if (!has_no_body(answer->status)) {
        write_text(&w, "Content-Length: ");
        write_number(&w, answer->body.size);
        write_text(&w, "\r\n");
    }
    if (conn->close_after) {
        write_text(&w, "Connection: close\r\n");
    } else if (conn->http10) {
        write_text(&w, "Connection: keep-alive\r\n");
    }
    must(w.size <= sizeof conn->loop->head);
    return w.size;
}

/* What a simulator asked for: fewer bytes than the head promises. */
static void
cut_short(struct http_out *out, size_t cut_at)
{
    for (size_t i = 0; i < HTTP_PARTS && cut_at == 1; i++) {
        out->parts[i].size = 0;
    }
    struct span *body = &out->parts[HTTP_PART_BODY];
    if (cut_at > 1 && body->size > cut_at - 2) {
        body->size = cut_at - 2;
    }
}

void
http_conn_answer(struct http_conn *conn, const struct http_answer *answer)
{
    must(answer->head_extra.size <= LIMIT_HTTP_HEAD_EXTRA_BYTES);
    conn->generation = 0;
    /* an unwanted body of unknown or great length is not worth its connection */
    bool drops_body = conn->body_unread && conn->incoming.bytes_max == 0;
    conn->linger_after |= drops_body;
    conn->close_after |= answer->close || answer->cut_at > 0 || drops_body || conn->linger_after ||
                         conn->loop->draining || conn->peer_ended;
    bool sends_body = !conn->is_head && !has_no_body(answer->status);
    conn->out = (struct http_out){.release = answer->release, .owner = answer->owner};
    conn->out.parts[HTTP_PART_HEAD] = span_of(conn->loop->head, write_head(conn, answer));
    conn->out.parts[HTTP_PART_SHARED] = answer->head_shared;
    conn->out.parts[HTTP_PART_BLANK_LINE] = span_of_text("\r\n");
    conn->out.parts[HTTP_PART_BODY] = sends_body ? answer->body : span_of_text("");
    cut_short(&conn->out, answer->cut_at);
    conn->phase = HTTP_PHASE_WRITE;
    http_conn_answered(conn);
}

void
http_conn_answer_bare(struct http_conn *conn, int status)
{
    conn->linger_after = true;
    http_conn_answer(conn, &(struct http_answer){.status = status, .close = true});
}

/* What goes out next: a long part from where it lies, else as many parts as fit one record. The
 * same until some of it has been sent, as SSL_write demands of a second try. */
static struct span
next_piece(struct http_conn *conn)
{
    struct http_out *out = &conn->out;
    while (out->part < HTTP_PARTS && out->part_sent == out->parts[out->part].size) {
        out->part++;
        out->part_sent = 0;
    }
    struct writer w = {.data = conn->loop->out};
    size_t skip = out->part_sent;
    for (size_t i = out->part; i < HTTP_PARTS; i++) {
        if (out->parts[i].size == 0) {
            continue; /* its data may be NULL, to which nothing may be added */
        }
        struct span part = out->parts[i];
        if (skip > 0) {
            part = span_of(part.data + skip, part.size - skip);
            skip = 0;
        }
        size_t room = HTTP_TLS_RECORD_BYTES - w.size;
        if (w.size == 0 && (part.size >= room || i == HTTP_PART_BODY)) {
            return span_of(part.data, part.size < room ? part.size : room);
        }
        write_bytes(&w, part.data, part.size < room ? part.size : room);
    }
    return span_of(w.data, w.size);
}

static void
note_sent(struct http_conn *conn, size_t size)
{
    struct http_out *out = &conn->out;
    out->progress += size;
    while (size > 0) {
        size_t rest = out->parts[out->part].size - out->part_sent;
        size_t step = size < rest ? size : rest;
        out->part_sent += step;
        size -= step;
        if (out->part_sent == out->parts[out->part].size) {
            out->part++;
            out->part_sent = 0;
        }
    }
}

/* The socket is full. The loop's memory will be used by others: keep the head. */
static enum http_flush
keep_head(struct http_conn *conn)
{
    struct http_out *out = &conn->out;
    if (out->head_block == NULL && out->part == HTTP_PART_HEAD) {
        out->head_block = http_loop_take_block(conn->loop);
        if (out->head_block == NULL) {
            return HTTP_FLUSH_BROKEN;
        }
        struct span *head = &out->parts[HTTP_PART_HEAD];
        memcpy(out->head_block->data, conn->loop->head, head->size);
        head->data = out->head_block->data;
    }
    if (!http_timer_is(&conn->timer, HTTP_TIMER_REQUEST) || out->progress >= PROGRESS_BYTES) {
        out->progress = 0;
        http_timer_start(&conn->loop->timers, &conn->timer, HTTP_TIMER_REQUEST, conn->loop->now_ms);
    }
    return HTTP_FLUSH_BLOCKED;
}

enum http_flush
http_conn_flush(struct http_conn *conn)
{
    for (int writes = 0; writes < WRITES_PER_ROUND; writes++) {
        struct span piece = next_piece(conn);
        if (piece.size == 0) {
            http_out_done(conn);
            return HTTP_FLUSH_DONE;
        }
        ssize_t sent = http_io_write(conn, piece.data, piece.size);
        if (sent == HTTP_IO_BLOCKED) {
            return keep_head(conn);
        }
        if (sent < 0) {
            return HTTP_FLUSH_BROKEN;
        }
        note_sent(conn, (size_t)sent);
    }
    return keep_head(conn);
}

void
http_out_done(struct http_conn *conn)
{
    struct http_out *out = &conn->out;
    if (out->head_block != NULL) {
        http_loop_give_block(conn->loop, out->head_block);
        out->head_block = NULL;
    }
    void (*release)(void *owner) = out->release;
    out->release = NULL;
    if (release != NULL) {
        release(out->owner);
    }
}
