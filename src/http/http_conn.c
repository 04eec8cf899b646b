/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection: turns the bytes that arrive into requests, one at a time, and waits for each to
 * be answered before it looks at the next.
 * Step 1 of 8: request.
 *
 * Takes readiness from the loop, deadlines, and answers; gives struct http_request to the handler.
 * Everything here runs on the thread of the connection's loop. Must never block, never read while
 * a request waits for its answer (the kernel's buffer is the only queue), and never close a socket
 * on a peer that is still sending before it could see the answer (http_conn_answered lingers).
 * Follows api.md, Transport, for deadlines and refusals.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "http/http_priv.h"

/* A peer that keeps sending lets others have their turn after so many reads. */
enum { READS_PER_ROUND = 8 };

static bool
has_unused_bytes(const struct http_conn *conn)
{
    return conn->block != NULL && conn->block->used < conn->block->size;
}

static void
drop_block(struct http_conn *conn)
{
    if (conn->block != NULL) {
        http_loop_give_block(conn->loop, conn->block);
        conn->block = NULL;
    }
}

/* What the request's spans point into; a handler that has answered may still look at it. */
static void
forget_request(struct http_conn *conn)
{
    if (!conn->in_handler) {
        drop_block(conn);
        http_body_done(conn);
    }
}

static void
start_timer(struct http_conn *conn, enum http_timer kind)
{
    bool was_idle = http_timer_is(&conn->timer, HTTP_TIMER_IDLE);
    http_timer_start(&conn->loop->timers, &conn->timer, kind, conn->loop->now_ms);
    if (was_idle || kind == HTTP_TIMER_IDLE) {
        http_loop_note_idle(conn->loop);
    }
}

static void
stop_timer(struct http_conn *conn)
{
    bool was_idle = http_timer_is(&conn->timer, HTTP_TIMER_IDLE);
    http_timer_stop(&conn->timer);
    if (was_idle) {
        http_loop_note_idle(conn->loop);
    }
}

static void
set_peer(struct http_conn *conn, const struct sockaddr *peer)
{
    conn->peer[0] = '\0';
    conn->peer_is_loopback = false;
    struct in_addr v4 = {0};
    if (peer->sa_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)peer)->sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(v6)) {
            inet_ntop(AF_INET6, v6, conn->peer, sizeof conn->peer);
            conn->peer_is_loopback = IN6_IS_ADDR_LOOPBACK(v6);
            return;
        }
        memcpy(&v4, v6->s6_addr + 12, sizeof v4);
    } else if (peer->sa_family == AF_INET) {
        v4 = ((const struct sockaddr_in *)peer)->sin_addr;
    } else {
        return;
    }
    inet_ntop(AF_INET, &v4, conn->peer, sizeof conn->peer);
    conn->peer_is_loopback = (ntohl(v4.s_addr) >> 24) == 127;
}

static void
clear_request(struct http_conn *conn)
{
    conn->is_head = false;
    conn->close_after = false;
    conn->linger_after = false;
    conn->http10 = false;
    conn->body_unread = false;
    conn->body_chunked = false;
}

void
http_conn_open(struct http_conn *conn, int fd, SSL *ssl, const struct sockaddr *peer)
{
    conn->fd = fd;
    conn->ssl = ssl;
    conn->phase = HTTP_PHASE_HEAD;
    conn->armed = EPOLLIN;
    conn->handshaken = false;
    conn->peer_ended = false;
    conn->broken = false;
    conn->wants_write = false;
    conn->readable = false;
    conn->hung_up = false;
    clear_request(conn);
    set_peer(conn, peer);
    start_timer(conn, HTTP_TIMER_HEADERS);
}

void
http_conn_close(struct http_conn *conn)
{
    if (conn->phase == HTTP_PHASE_CLOSED) {
        return;
    }
    conn->phase = HTTP_PHASE_CLOSED;
    conn->generation = 0;
    stop_timer(conn);
    http_out_done(conn);
    forget_request(conn);
    http_warm_forget(conn);
    http_io_end(conn);
    close(conn->fd); /* leaves the epoll set with it */
    conn->fd = -1;
    struct http_loop *loop = conn->loop;
    loop->open_count--;
    atomic_fetch_sub_explicit(&loop->server->connections, 1, memory_order_relaxed);
    conn->next = loop->closed_conns;
    loop->closed_conns = conn;
}

/* A close with unread bytes makes the kernel send a reset, which may overtake the answer. So: say
 * that we are done, and read over what still comes, for a bounded time. */
static void
linger(struct http_conn *conn)
{
    http_warm_forget(conn);
    http_io_end(conn);
    forget_request(conn);
    if (conn->broken || conn->peer_ended || shutdown(conn->fd, SHUT_WR) != 0) {
        http_conn_close(conn);
        return;
    }
    conn->phase = HTTP_PHASE_LINGER;
    conn->lingered = 0;
    start_timer(conn, HTTP_TIMER_LINGER);
}

static void
next_request(struct http_conn *conn)
{
    clear_request(conn);
    if (conn->block != NULL) {
        conn->block->start = conn->block->used;
        http_head_init(&conn->block->head);
    }
    conn->phase = HTTP_PHASE_HEAD;
    http_warm_note(conn);
    if (conn->loop->draining && !has_unused_bytes(conn)) {
        http_conn_close(conn);
        return;
    }
    start_timer(conn, HTTP_TIMER_IDLE);
}

void
http_conn_answered(struct http_conn *conn)
{
    switch (http_conn_flush(conn)) {
    case HTTP_FLUSH_BROKEN:
        http_conn_close(conn);
        return;
    case HTTP_FLUSH_BLOCKED:
        break;
    case HTTP_FLUSH_DONE:
        if (conn->close_after && (conn->linger_after || has_unused_bytes(conn))) {
            linger(conn);
        } else if (conn->close_after) {
            http_conn_close(conn);
        } else if (conn->body_unread) {
            conn->phase = HTTP_PHASE_DISCARD;
            start_timer(conn, HTTP_TIMER_REQUEST);
        } else {
            next_request(conn);
        }
        break;
    }
    if (!conn->running && conn->phase != HTTP_PHASE_CLOSED) {
        http_loop_set_ready(conn->loop, conn); /* what stands in the block, epoll, timers */
    }
}

/* In place: returned by value it would be copied with loads wider than the stores just made, for
 * which a processor waits. */
static void
make_request(const struct http_conn *conn, struct http_request *ret_request)
{
    const struct http_head *head = &conn->block->head;
    ret_request->method = head->method;
    ret_request->method_text = head->method_text;
    ret_request->path = head->path;
    ret_request->query = head->query;
    ret_request->headers = head->headers;
    ret_request->header_count = head->header_count;
    ret_request->body = span_of(NULL, 0);
    ret_request->arrived_us = conn->loop->now_us;
    ret_request->peer_is_loopback = conn->peer_is_loopback;
    memcpy(ret_request->peer, conn->peer, sizeof ret_request->peer);
}

/* The request is complete, or its body went too far: the handler's turn. */
static void
dispatch(struct http_conn *conn, bool too_large)
{
    struct http_loop *loop = conn->loop;
    const struct http_handler *handler = &loop->server->handler;
    stop_timer(conn);
    if (!http_later_reserve(&loop->later)) {
        http_server_trouble(loop->server, HTTP_TROUBLE_MEMORY, 0);
        http_conn_answer_bare(conn, 503);
        return;
    }
    http_count(&loop->requests);
    struct http_request request;
    make_request(conn, &request);
    if (too_large) {
        conn->linger_after = true;
    } else {
        request.body = buf_span(&conn->incoming.bytes);
    }
    conn->phase = HTTP_PHASE_WAIT;
    conn->generation = ++loop->generation;
    struct http_ticket ticket = {loop->index, conn->slot, conn->generation};
    conn->in_handler = true;
    (too_large ? handler->on_too_large : handler->on_request)(handler->self, ticket, &request);
    conn->in_handler = false;
    if (conn->generation == ticket.generation) {
        loop->later.promised++; /* its answer comes by http_answer_later */
    }
    http_body_done(conn);
    if (conn->phase == HTTP_PHASE_LINGER || conn->phase == HTTP_PHASE_CLOSED) {
        drop_block(conn);
    }
}

/* The client waits for a word before it sends its body (RFC 9110, 10.1.1). */
static void
send_continue(struct http_conn *conn)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (http_io_write(conn, text, sizeof text - 1) != (ssize_t)sizeof text - 1) {
        http_conn_close(conn); /* not even this fits: the peer reads nothing */
    }
}

static void
read_body(struct http_conn *conn, const struct http_head *head, size_t bytes_max)
{
    http_body_start(conn, head, bytes_max);
    if (!head->has_body) {
        dispatch(conn, false);
    } else if (!head->chunked && head->content_length > bytes_max) {
        dispatch(conn, true);
    } else {
        conn->phase = HTTP_PHASE_BODY;
        start_timer(conn, HTTP_TIMER_REQUEST);
        if (head->wants_continue && !has_unused_bytes(conn)) {
            send_continue(conn);
        }
    }
}

static void
begin_request(struct http_conn *conn)
{
    struct http_block *block = conn->block;
    const struct http_head *head = &block->head;
    const struct http_handler *handler = &conn->loop->server->handler;
    block->used = block->start + head->size;
    conn->is_head = head->method == HTTP_HEAD;
    conn->http10 = head->version == 10;
    conn->close_after = !head->keeps_alive;
    struct http_request request;
    make_request(conn, &request);
    struct http_verdict verdict = handler->on_head(handler->self, &request);
    switch (verdict.body) {
    case HTTP_BODY_READ:
        read_body(conn, head, verdict.body_bytes_max);
        break;
    case HTTP_BODY_IGNORE:
        /* A small body is read over after the answer; a large one, or one that the client may
         * hold back (100-continue), costs the connection. */
        if (!head->wants_continue &&
            (head->chunked || head->content_length <= LIMIT_HTTP_DISCARD_BYTES)) {
            http_body_start(conn, head, LIMIT_HTTP_DISCARD_BYTES);
        } else {
            http_body_start(conn, head, 0);
        }
        dispatch(conn, false);
        break;
    }
}

/* Each step_ function takes what it can from the block; true if there may be more to take. */
static bool
step_head(struct http_conn *conn)
{
    struct http_block *block = conn->block;
    if (!has_unused_bytes(conn)) {
        return false;
    }
    struct span bytes = span_of(block->data + block->start, block->size - block->start);
    switch (http_parse_head(&block->head, bytes)) {
    case HTTP_PARSE_MORE:
        return false;
    case HTTP_PARSE_REFUSED:
        http_count(&conn->loop->parse_errors);
        http_conn_answer_bare(conn, block->head.refused);
        return true;
    case HTTP_PARSE_DONE:
        begin_request(conn);
        return true;
    }
    return false;
}

static bool
step_body(struct http_conn *conn)
{
    switch (http_body_take(conn, true)) {
    case HTTP_BODY_MORE:
        return false;
    case HTTP_BODY_DONE:
        dispatch(conn, false);
        return true;
    case HTTP_BODY_TOO_LARGE:
        dispatch(conn, true);
        return true;
    case HTTP_BODY_REFUSED:
        http_count(&conn->loop->parse_errors);
        http_conn_answer_bare(conn, 400);
        return true;
    case HTTP_BODY_NO_MEMORY:
        http_server_trouble(conn->loop->server, HTTP_TROUBLE_MEMORY, 0);
        http_conn_answer_bare(conn, 503);
        return true;
    }
    return false;
}

static bool
step_discard(struct http_conn *conn)
{
    if (!has_unused_bytes(conn)) {
        return false;
    }
    switch (http_body_take(conn, false)) {
    case HTTP_BODY_MORE:
        return false;
    case HTTP_BODY_DONE:
        next_request(conn);
        return true;
    case HTTP_BODY_TOO_LARGE:
    case HTTP_BODY_REFUSED:
    case HTTP_BODY_NO_MEMORY:
        linger(conn); /* it has its answer; nothing behind can be trusted */
        return false;
    }
    return false;
}

static bool
step(struct http_conn *conn)
{
    switch (conn->phase) {
    case HTTP_PHASE_HEAD:
        return step_head(conn);
    case HTTP_PHASE_BODY:
        return step_body(conn);
    case HTTP_PHASE_DISCARD:
        return step_discard(conn);
    case HTTP_PHASE_WAIT:
    case HTTP_PHASE_WRITE:
    case HTTP_PHASE_LINGER:
    case HTTP_PHASE_CLOSED:
        return false;
    }
    return false;
}

/* Room at the block's end: what has been taken goes, the head of a request whose body is being
 * read stays. */
static void
make_room(struct http_conn *conn)
{
    struct http_block *block = conn->block;
    bool keeps_head = conn->phase == HTTP_PHASE_BODY;
    if (conn->phase != HTTP_PHASE_HEAD) {
        /* a body is taken to the last byte before more is read */
        block->used = keeps_head ? block->start + block->head.size : block->start;
        block->size = block->used;
    }
    if (block->start == 0) {
        return;
    }
    block->size -= block->start;
    block->used -= block->start;
    memmove(block->data, block->data + block->start, block->size);
    block->start = 0;
    http_head_init(&block->head);
    if (keeps_head) {
        /* the same bytes at their new place */
        (void)http_parse_head(&block->head, span_of(block->data, block->size));
    }
}

static bool
read_over(struct http_conn *conn)
{
    ssize_t got = http_io_read(conn, conn->loop->out, HTTP_TLS_RECORD_BYTES);
    if (got > 0) {
        conn->lingered += (size_t)got;
    }
    if (got == HTTP_IO_ENDED || got == HTTP_IO_BROKEN || conn->lingered > LIMIT_HTTP_LINGER_BYTES) {
        http_conn_close(conn);
        return false;
    }
    return got > 0;
}

/* Reads once; true if something came. */
static bool
fill(struct http_conn *conn)
{
    if (conn->phase == HTTP_PHASE_LINGER) {
        return read_over(conn);
    }
    if (conn->block == NULL) {
        conn->block = http_loop_take_block(conn->loop);
        if (conn->block == NULL) {
            http_server_trouble(conn->loop->server, HTTP_TROUBLE_MEMORY, 0);
            http_conn_close(conn);
            return false;
        }
    }
    make_room(conn);
    struct http_block *block = conn->block;
    ssize_t got = http_io_read(conn, block->data + block->size, HTTP_BLOCK_BYTES - block->size);
    if (got > 0) {
        block->size += (size_t)got;
        return true;
    }
    if (got == HTTP_IO_BLOCKED) {
        return false;
    }
    if (got == HTTP_IO_BROKEN && conn->ssl != NULL && !conn->handshaken) {
        http_count(&conn->loop->handshakes_failed);
    }
    conn->peer_ended = true; /* the rest of a request will not come */
    http_conn_close(conn);
    return false;
}

static bool
wants_bytes(const struct http_conn *conn)
{
    return conn->phase == HTTP_PHASE_HEAD || conn->phase == HTTP_PHASE_BODY ||
           conn->phase == HTTP_PHASE_DISCARD || conn->phase == HTTP_PHASE_LINGER;
}

/* Bytes are told of once, when they come: told of until they are read, each connection would be
 * looked at again in the round after, for nothing. */
struct epoll_event
http_conn_interest(struct http_conn *conn, uint32_t events)
{
    return (struct epoll_event){
        .events = events == EPOLLIN ? EPOLLIN | EPOLLRDHUP | EPOLLET : events,
        .data.ptr = conn,
    };
}

static void
arm(struct http_conn *conn, uint32_t events)
{
    if (conn->armed == events) {
        return;
    }
    struct epoll_event event = http_conn_interest(conn, events); /* tells again of what is there */
    if (epoll_ctl(conn->loop->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event) != 0) {
        http_conn_close(conn);
        return;
    }
    conn->armed = events;
}

/* Between two rounds: holds no more memory than needed, has a deadline, listens to the right
 * event. */
static void
settle(struct http_conn *conn)
{
    if (conn->phase == HTTP_PHASE_CLOSED) {
        return;
    }
    if (!has_unused_bytes(conn) && conn->phase != HTTP_PHASE_BODY) {
        drop_block(conn);
    }
    if (conn->phase == HTTP_PHASE_HEAD && conn->block != NULL &&
        !http_timer_is(&conn->timer, HTTP_TIMER_HEADERS)) {
        start_timer(conn, HTTP_TIMER_HEADERS); /* the first bytes of a later request */
    }
    if (wants_bytes(conn)) {
        arm(conn, conn->wants_write ? EPOLLOUT : EPOLLIN);
    } else if (conn->phase == HTTP_PHASE_WRITE) {
        arm(conn, EPOLLOUT);
    }
    /* while it waits: as it is, for most answers come before another event */
}

void
http_conn_run(struct http_conn *conn)
{
    conn->running = true;
    for (int reads = 0;; reads++) {
        while (step(conn)) {
        }
        if (!wants_bytes(conn) || (!conn->readable && !http_io_has_pending(conn))) {
            break;
        }
        if (reads == READS_PER_ROUND) {
            http_loop_set_ready(conn->loop, conn); /* epoll will not tell of what is left */
            break;
        }
        if (!fill(conn)) {
            break;
        }
    }
    conn->running = false;
    settle(conn);
}

void
http_conn_event(struct http_conn *conn, uint32_t events)
{
    conn->readable = true; /* whatever it is, reading shows it */
    conn->hung_up |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    switch (conn->phase) {
    case HTTP_PHASE_HEAD:
    case HTTP_PHASE_BODY:
    case HTTP_PHASE_DISCARD:
    case HTTP_PHASE_LINGER:
        http_conn_run(conn);
        break;
    case HTTP_PHASE_WAIT:
        if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
            http_conn_close(conn); /* its answer will find nobody */
        } else {
            arm(conn, EPOLLIN); /* more bytes, or a half-close: after the answer */
        }
        break;
    case HTTP_PHASE_WRITE:
        http_conn_answered(conn);
        break;
    case HTTP_PHASE_CLOSED:
        break;
    }
}

void
http_conn_expired(struct http_conn *conn)
{
    enum http_timer kind = conn->timer.kind;
    if (kind == HTTP_TIMER_IDLE) {
        http_loop_note_idle(conn->loop);
    } else if (kind != HTTP_TIMER_LINGER) {
        http_count(&conn->loop->timeouts);
    }
    bool is_asking = (conn->phase == HTTP_PHASE_HEAD && has_unused_bytes(conn)) ||
                     conn->phase == HTTP_PHASE_BODY;
    if (is_asking) {
        http_body_done(conn);
        http_conn_answer_bare(conn, 408);
    } else {
        http_conn_close(conn);
    }
}

bool
http_conn_is_idle(const struct http_conn *conn)
{
    return conn->phase == HTTP_PHASE_HEAD && !has_unused_bytes(conn);
}

void
http_conn_drain(struct http_conn *conn)
{
    if (!http_conn_is_idle(conn)) {
        return;
    }
    if (http_timer_is(&conn->timer, HTTP_TIMER_IDLE)) {
        http_conn_close(conn);
    } else {
        start_timer(conn, HTTP_TIMER_LINGER); /* just come: its request may be under way */
    }
}
