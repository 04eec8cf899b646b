/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of this room share: the server, its loops, their connections.
 *
 * Everything in a loop and its connections belongs to the loop's thread; other threads touch only
 * what is atomic, and http_later. Connections and blocks are pooled per loop and never handed over.
 */
#ifndef HTTP_HTTP_PRIV_H
#define HTTP_HTTP_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/buf.h"
#include "http/http_chunk.h"
#include "http/http_later.h"
#include "http/http_parse.h"
#include "http/http_timer.h"

enum {
    HTTP_TLS_RECORD_BYTES = 16384, /* the most that one SSL_write puts in one record */
    HTTP_BLOCK_BYTES = LIMIT_HTTP_HEAD_BYTES + 4096, /* a head, and room to read a body through */
    HTTP_LISTENERS_MAX = 16,
    HTTP_LINGER_MS = 2000
};

/* What has been read and not used up: of one request, and what follows it. Most connections have
 * one only while a request is being read. */
struct http_block {
    struct http_block *next;
    size_t size;  /* bytes in data */
    size_t start; /* of the current request */
    size_t used;  /* up to here the current request has been taken; within start..size */
    struct http_head head;
    uint8_t data[HTTP_BLOCK_BYTES];
};

/* An answer being written. Parts in order; what lies before sent is gone. */
enum { HTTP_PART_HEAD, HTTP_PART_SHARED, HTTP_PART_BLANK_LINE, HTTP_PART_BODY, HTTP_PARTS };
struct http_out {
    struct span parts[HTTP_PARTS];
    size_t part, part_sent;        /* where we are */
    size_t progress;               /* bytes since the deadline was last put off */
    struct http_block *head_block; /* keeps PART_HEAD once the socket was full */
    void (*release)(void *owner);
    void *owner;
};

/* The body being read or read over. */
struct http_incoming {
    uint64_t left; /* without chunks */
    size_t bytes_max;
    size_t seen;
    struct http_chunks chunks;
    struct buf bytes; /* READ only */
};

enum http_phase {
    HTTP_PHASE_HEAD,    /* TLS handshake, idle, or reading a head */
    HTTP_PHASE_BODY,    /* reading a body that the handler wants */
    HTTP_PHASE_WAIT,    /* the handler has the ticket */
    HTTP_PHASE_WRITE,   /* an answer is on its way */
    HTTP_PHASE_DISCARD, /* answered; its unwanted body is still coming */
    HTTP_PHASE_LINGER,  /* all said, our side is shut; reading over what still comes */
    HTTP_PHASE_CLOSED   /* in the loop's list of closed ones, until the end of the round */
};

/* Connections of a loop that keep OpenSSL's buffers between requests: 32 times 34 KB. */
enum { HTTP_WARM_MAX = 32 };

struct http_conn {
    struct http_timer_link timer; /* first: the timer's link is the connection */
    struct http_loop *loop;
    struct http_conn *next; /* in the loop's free or closed list */
    struct http_conn *ready_next;
    SSL *ssl;
    int fd;
    uint32_t slot;
    uint32_t armed; /* EPOLLIN, EPOLLOUT */
    enum http_phase phase;
    uint64_t generation; /* of the request that waits for its answer; 0: none does */

    /* of the connection */
    bool handshaken, peer_ended, broken, wants_write, running, is_ready, in_handler;
    bool readable; /* an event told of bytes that have not all been read; it will not tell again */
    bool hung_up;  /* an event told of the peer's end, which lies behind those bytes */
    bool was_answered, is_warm; /* http_warm.c */
    int64_t answered_ms;
    /* of the current request; clear_request() */
    bool is_head, close_after, linger_after, http10, body_unread, body_chunked;

    struct http_block *block;
    struct http_incoming incoming;
    struct http_out out;
    size_t lingered;
    char peer[46];
    bool peer_is_loopback;
};

enum http_trouble {
    HTTP_TROUBLE_DESCRIPTORS,
    HTTP_TROUBLE_ACCEPT,
    HTTP_TROUBLE_MEMORY,
    HTTP_TROUBLE_FULL,
    HTTP_TROUBLE_COUNT
};

struct http_loop {
    struct http_server *server;
    uint32_t index;
    pthread_t thread;
    int epoll_fd;
    int reserve_fd;          /* given up for a moment when descriptors run out */
    int64_t now_us, now_ms;  /* since when this round goes; one reading of the clock for all */
    int64_t accept_again_ms; /* listening is suspended until then; 0: it is not */
    bool listening, draining;
    struct http_timers timers;
    struct http_later later;
    uint64_t generation; /* the last one given */
    SSL_CTX *tls;
    unsigned tls_version;

    struct http_conn **conns; /* by slot; never shrinks */
    size_t conn_count, conn_capacity, open_count;
    struct http_conn *free_conns, *closed_conns, *ready_conns;
    struct http_block *free_blocks;
    size_t free_block_count;
    struct http_conn *warm[HTTP_WARM_MAX];
    size_t warm_count, warm_next;
    uint8_t *out; /* HTTP_TLS_RECORD_BYTES: one write is put together here; also scratch */
    uint8_t head[LIMIT_HTTP_HEAD_EXTRA_BYTES + 256]; /* an answer's own lines, until it blocks */

    _Atomic int64_t idle_since_ms; /* deadline of the longest idle connection; INT64_MAX: none */
    _Atomic unsigned evict_wanted; /* another loop needs one of our idle connections' place */
    _Atomic uint64_t accepted, refused, requests, handshakes_failed, timeouts, parse_errors;
};

struct http_server {
    struct http_handler handler;
    void (*on_trouble)(void *self, const char *what, int number);
    void (*on_loop_start)(void *self, unsigned loop);
    void (*on_loop_stop)(void *self, unsigned loop);
    void (*on_idle)(void *self);
    void (*on_busy)(void *self);
    unsigned connections_max;
    uint16_t port;
    int listeners[HTTP_LISTENERS_MAX];
    size_t listener_count;
    bool is_tls, is_started;

    BIO_METHOD *socket_method; /* http_socket.c */
    pthread_mutex_t tls_lock;  /* protects tls */
    SSL_CTX *tls;
    _Atomic unsigned tls_version;

    _Atomic bool draining;
    _Atomic int64_t drain_until_ms;
    _Atomic unsigned listening_loops; /* the last one to stop listening closes the listeners */
    _Atomic unsigned connections;     /* open ones, of all loops */
    _Atomic int64_t troubled_ms[HTTP_TROUBLE_COUNT];

    struct http_loop *loops;
    size_t loop_count;
};

/* Only the loop's own thread writes its counters. */
static inline void
http_count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* http_listen.c */
int http_listen(struct http_server *server, const struct http_server_options *options,
                struct fault *why) must_check;
void http_listen_close(struct http_server *server);

/* http_loop.c */
int http_loop_init(struct http_loop *loop, struct http_server *server, uint32_t index,
                   const int duration_ms[HTTP_TIMER_COUNT], struct fault *why) must_check;
void http_loop_done(struct http_loop *loop);
void *http_loop_run(void *loop);                                          /* the thread */
void http_loop_set_ready(struct http_loop *loop, struct http_conn *conn); /* run it this round */
struct http_block *http_loop_take_block(struct http_loop *loop);          /* NULL: no memory */
void http_loop_give_block(struct http_loop *loop, struct http_block *block);
/* The idle list has changed: tell the other loops. */
void http_loop_note_idle(struct http_loop *loop);
void http_server_trouble(struct http_server *server, enum http_trouble kind, int number);

/* http_accept.c */
void http_accept(struct http_loop *loop, int listener);
void http_accept_evict(struct http_loop *loop); /* what other loops asked for */

/* http_conn.c; all on the loop's thread */
void http_conn_open(struct http_conn *conn, int fd, SSL *ssl, const struct sockaddr *peer);
void http_conn_close(struct http_conn *conn);
struct epoll_event http_conn_interest(struct http_conn *conn, uint32_t events);
void http_conn_event(struct http_conn *conn, uint32_t events);
void http_conn_run(struct http_conn *conn);
void http_conn_expired(struct http_conn *conn);
void http_conn_drain(struct http_conn *conn);
/* The answer is out, or the socket is full, or gone. */
void http_conn_answered(struct http_conn *conn);
bool http_conn_is_idle(const struct http_conn *conn);

/* http_body.c */
enum http_body {
    HTTP_BODY_MORE,
    HTTP_BODY_DONE,
    HTTP_BODY_TOO_LARGE,
    HTTP_BODY_REFUSED,
    HTTP_BODY_NO_MEMORY
};
void http_body_start(struct http_conn *conn, const struct http_head *head, size_t bytes_max);
enum http_body http_body_take(struct http_conn *conn, bool keep);
void http_body_done(struct http_conn *conn);

/* http_answer.c */
enum http_flush { HTTP_FLUSH_DONE, HTTP_FLUSH_BLOCKED, HTTP_FLUSH_BROKEN };
void http_conn_answer(struct http_conn *conn, const struct http_answer *answer);
/* A status of this layer: empty body, Connection: close. */
void http_conn_answer_bare(struct http_conn *conn, int status);
enum http_flush http_conn_flush(struct http_conn *conn);
void http_out_done(struct http_conn *conn);

/* http_io.c: bytes to and from the peer, through TLS or not */
enum { HTTP_IO_BLOCKED = 0, HTTP_IO_ENDED = -1, HTTP_IO_BROKEN = -2 };
ssize_t http_io_read(struct http_conn *conn, void *data, size_t size);
ssize_t http_io_write(struct http_conn *conn, const void *data, size_t size);
bool http_io_has_pending(const struct http_conn *conn);
void http_io_end(struct http_conn *conn); /* says close_notify and frees the TLS state */

/* http_socket.c */
ssize_t http_socket_receive(struct http_conn *conn, void *data, size_t size);
ssize_t http_socket_send(const struct http_conn *conn, const void *data, size_t size);
bool http_socket_may_retry(int error);
BIO_METHOD *http_socket_method(void); /* NULL: no memory; BIO_meth_free it after all its users */
bool http_socket_attach(SSL *ssl, const BIO_METHOD *method,
                        struct http_conn *conn); /* false: no memory */

/* ---- http_warm.c ---- */
/* A request was answered whole and the connection stays. */
void http_warm_note(struct http_conn *conn);
/* The connection ends. */
void http_warm_forget(struct http_conn *conn);

#endif
