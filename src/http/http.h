/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small, strict HTTP/1.1 server over TLS on epoll. It knows nothing of SGX. Loops run one per
 * thread and share the listening sockets; a connection lives on one loop; the handler is called on
 * that loop and must not block. Answers come at once, or later from any thread, once per ticket.
 *
 * Rules and deadlines: api.md, Transport. What is refused: design.md, Decisions.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <openssl/ssl.h>

#include "base/fault.h"
#include "base/header.h"
#include "base/limits.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_PATCH,
    HTTP_OTHER
};

/* Spans live as long as the handler call (on_head, on_request); copy what is needed later. */
struct http_request {
    enum http_method method;
    struct span method_text;
    struct span path;  /* before '?', raw (not percent-decoded) */
    struct span query; /* behind '?', raw; empty if there is none */
    const struct header *headers;
    size_t header_count;
    struct span body;   /* empty in on_head */
    int64_t arrived_us; /* monotonic: when the loop woke up for its last bytes */
    char peer[46];      /* address as text */
    bool peer_is_loopback;
};

/* Names a request that waits for its answer; plain value, may be copied to other threads. */
struct http_ticket {
    uint32_t loop;
    uint32_t slot;
    uint64_t generation;
};

struct http_answer {
    int status;
    /* Complete header lines ("Name: value\r\n"...), without Content-Length, Connection, Date.
     * shared is borrowed until released, extra is copied at once (1 KB at most). */
    struct span head_shared;
    struct span head_extra;
    struct span body; /* borrowed until released; HEAD sends only its length */
    /* Called exactly once when the borrowed bytes are no longer needed, whatever happens, on any
     * thread; may be NULL. */
    void (*release)(void *owner);
    void *owner;
    bool close; /* close the connection after it */
    /* Only for simulators and tests, 0 otherwise: the connection is closed without a byte (1), or
     * after the head and cut_at - 2 bytes of the body. */
    size_t cut_at;
};

enum http_body_policy { HTTP_BODY_IGNORE, HTTP_BODY_READ };

struct http_verdict {
    /* HTTP_BODY_READ: the body is read (up to body_bytes_max, beyond it on_too_large) before
     * on_request. HTTP_BODY_IGNORE: on_request comes at once with an empty body; body bytes that
     * arrive are discarded within bounds, else the connection is closed after the answer. */
    enum http_body_policy body;
    size_t body_bytes_max;
};

struct http_handler {
    void *self;
    /* Headers are complete. Decide about the body. Must not answer. Authentication and routing
     * refusals: say HTTP_BODY_IGNORE and answer in on_request. */
    struct http_verdict (*on_head)(void *self, const struct http_request *request);
    /* The request is complete. Answer now with http_answer_now(loop...) or keep the ticket. */
    void (*on_request)(void *self, struct http_ticket ticket, const struct http_request *request);
    /* The body went beyond body_bytes_max: as on_request, with an empty body; answer 413. The
     * connection is closed after the answer. */
    void (*on_too_large)(void *self, struct http_ticket ticket, const struct http_request *request);
};

struct http_server_options {
    const char *const *hosts; /* addresses to bind */
    size_t host_count;
    uint16_t port; /* 0: any free one, see http_server_port */
    /* Listening sockets that somebody else has bound; then hosts and port are not looked at. The
     * server closes them. */
    const int *listeners;
    size_t listener_count;
    unsigned loops;
    SSL_CTX *tls; /* NULL: plain HTTP (pcs-sim, tests); the server takes a reference */
    int headers_timeout_ms, request_timeout_ms, keep_alive_timeout_ms;
    unsigned connections_max; /* 0: LIMIT_HTTP_CONNECTIONS, lowered to fit RLIMIT_NOFILE */
    struct http_handler handler;
    /* Told about trouble an operator must know (EMFILE, accept failing): once a minute at most per
     * kind. May be NULL. */
    void (*on_trouble)(void *self, const char *what, int number);
    /* Called on each loop thread when it starts and ends (RCU registration); may be NULL. */
    void (*on_loop_start)(void *self, unsigned loop);
    void (*on_loop_stop)(void *self, unsigned loop);
    /* Called around each blocking wait of a loop (RCU quiescence); may be NULL. */
    void (*on_idle)(void *self);
    void (*on_busy)(void *self);
};

struct http_server;
/* Binds and listens; FAULT_IO naming address, port, and "in use by another process". */
int http_server_new(const struct http_server_options *options, struct http_server **ret_server,
                    struct fault *why) must_check;
uint16_t http_server_port(const struct http_server *server);
int http_server_start(struct http_server *server, struct fault *why) must_check; /* threads */
/* Stops accepting, answers what is in flight (Connection: close), waits at most limit_ms, joins. */
void http_server_drain(struct http_server *server, int limit_ms);
void http_server_free(struct http_server *server);
/* New handshakes use the new context; connections go on. */
void http_server_set_tls(struct http_server *server, SSL_CTX *tls);

/* From the handler, on the loop's thread: no allocation, no lock. */
void http_answer_now(struct http_server *server, struct http_ticket ticket,
                     const struct http_answer *answer);
/* From any thread. If the client has gone, answer->release is still called. */
void http_answer_later(struct http_server *server, struct http_ticket ticket,
                       const struct http_answer *answer);

struct http_counts {
    uint64_t accepted, refused, requests, handshakes_failed, timeouts, parse_errors;
    uint64_t connections; /* now */
};
void http_server_counts(const struct http_server *server, struct http_counts *ret_counts);

/* A server context as design.md has it: TLS 1.2/1.3, ALPN http/1.1, no tickets, release buffers,
 * AES-128-GCM first, signature algorithms of api.md. From PEM files; FAULT_CONFIG says which file
 * and what is wrong (missing, not a key, key and certificate do not belong together, expired). */
int http_tls_new(const char *key_path, const char *certificate_path, SSL_CTX **ret_tls,
                 struct fault *why) must_check;

#endif
