/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes new connections off the listening sockets, within the ceiling and whatever the kernel says.
 *
 * Takes a listener that has something; gives an open connection to the loop, or closes it. Called
 * on the loop's thread. Must never spin on an error that stays: when descriptors run out, the
 * longest idle connection makes room; if there is none, the waiting client is taken by the
 * descriptor held in reserve and sent away, so that it knows; and if even that fails, listening is
 * suspended for a moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "http/http_priv.h"

enum { PAUSE_MS = 100 };

/* A connection's memory: a used one, or a new one in a new slot. */
static struct http_conn *
take_conn(struct http_loop *loop)
{
    struct http_conn *conn = loop->free_conns;
    if (conn != NULL) {
        loop->free_conns = conn->next;
        return conn;
    }
    if (loop->conn_count == loop->conn_capacity) {
        size_t capacity = loop->conn_capacity > 0 ? loop->conn_capacity * 2 : 16;
        struct http_conn **conns = realloc(loop->conns, capacity * sizeof *conns);
        if (conns == NULL) {
            return NULL;
        }
        loop->conns = conns;
        loop->conn_capacity = capacity;
    }
    conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        return NULL;
    }
    conn->loop = loop;
    conn->fd = -1;
    conn->phase = HTTP_PHASE_CLOSED;
    conn->slot = (uint32_t)loop->conn_count;
    loop->conns[loop->conn_count++] = conn;
    return conn;
}

static void
give_conn(struct http_loop *loop, struct http_conn *conn)
{
    conn->next = loop->free_conns;
    loop->free_conns = conn;
}

/* The context for new handshakes; http_server_set_tls may have changed it. */
static SSL_CTX *
current_tls(struct http_loop *loop)
{
    struct http_server *server = loop->server;
    unsigned version = atomic_load(&server->tls_version);
    if (loop->tls_version != version) {
        pthread_mutex_lock(&server->tls_lock);
        SSL_CTX_free(loop->tls);
        loop->tls = server->tls;
        SSL_CTX_up_ref(loop->tls);
        loop->tls_version = atomic_load(&server->tls_version);
        pthread_mutex_unlock(&server->tls_lock);
    }
    return loop->tls;
}

static SSL *
new_tls(struct http_loop *loop, struct http_conn *conn)
{
    SSL *ssl = SSL_new(current_tls(loop));
    if (ssl == NULL || !http_socket_attach(ssl, loop->server->socket_method, conn)) {
        SSL_free(ssl);
        return NULL;
    }
    /* what http_io.c and http_answer.c rely on, whatever context this is */
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                          SSL_MODE_RELEASE_BUFFERS);
    SSL_set_read_ahead(ssl, 1); /* a record in one read(2) instead of two */
    SSL_set_accept_state(ssl);
    return ssl;
}

static bool
open_conn(struct http_loop *loop, int fd, const struct sockaddr *peer)
{
    struct http_conn *conn = take_conn(loop);
    if (conn == NULL) {
        return false;
    }
    SSL *ssl = NULL;
    if (loop->server->is_tls) {
        ssl = new_tls(loop, conn);
        if (ssl == NULL) {
            give_conn(loop, conn);
            return false;
        }
    }
    struct epoll_event event = http_conn_interest(conn, EPOLLIN);
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        SSL_free(ssl);
        give_conn(loop, conn);
        return false;
    }
    http_conn_open(conn, fd, ssl, peer);
    loop->open_count++;
    atomic_fetch_add_explicit(&loop->server->connections, 1, memory_order_relaxed);
    http_count(&loop->accepted);
    return true;
}

static bool
close_longest_idle(struct http_loop *loop)
{
    struct http_timer_link *oldest = http_timers_oldest(&loop->timers, HTTP_TIMER_IDLE);
    if (oldest == NULL) {
        return false;
    }
    http_conn_close((struct http_conn *)oldest);
    return true;
}

/* Closes the longest idle connection of all loops, or has its loop close it. */
static bool
make_place(struct http_loop *loop)
{
    struct http_server *server = loop->server;
    struct http_loop *best = NULL;
    int64_t best_ms = INT64_MAX;
    for (size_t i = 0; i < server->loop_count; i++) {
        struct http_loop *other = &server->loops[i];
        int64_t since_ms = atomic_load_explicit(&other->idle_since_ms, memory_order_relaxed);
        /* one at a time from each: we are above the ceiling until it is done */
        if (since_ms < best_ms && atomic_load(&other->evict_wanted) == 0) {
            best = other;
            best_ms = since_ms;
        }
    }
    if (best == NULL) {
        return false;
    }
    if (best == loop) {
        return close_longest_idle(loop);
    }
    atomic_fetch_add(&best->evict_wanted, 1);
    http_later_wake(&best->later);
    return true;
}

void
http_accept_evict(struct http_loop *loop)
{
    if (atomic_load_explicit(&loop->evict_wanted, memory_order_relaxed) == 0) {
        return;
    }
    for (unsigned wanted = atomic_exchange(&loop->evict_wanted, 0); wanted > 0; wanted--) {
        close_longest_idle(loop);
    }
}

static void
send_away(struct http_loop *loop, int fd)
{
    http_count(&loop->refused);
    close(fd);
}

/* No descriptor left, in this process or on this machine. */
static void
survive_no_descriptors(struct http_loop *loop, int listener, int error)
{
    http_server_trouble(loop->server, HTTP_TROUBLE_DESCRIPTORS, error);
    if (close_longest_idle(loop)) {
        return; /* the listener is still ready: accepted in the next round */
    }
    if (loop->reserve_fd >= 0) {
        close(loop->reserve_fd);
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            send_away(loop, fd);
        }
    }
    loop->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (loop->reserve_fd < 0) {
        loop->accept_again_ms = loop->now_ms + PAUSE_MS; /* somebody was faster */
    }
}

static void
survive(struct http_loop *loop, int listener, int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
        survive_no_descriptors(loop, listener, error);
        break;
    case EAGAIN: /* another loop was faster */
    case EINTR:
    case ECONNABORTED: /* the client gave up in the queue */
    case EPROTO:
    case ENETDOWN: /* pending errors of the new socket: accept(2), Linux */
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
        break;
    default:
        http_server_trouble(loop->server, HTTP_TROUBLE_ACCEPT, error);
        loop->accept_again_ms = loop->now_ms + PAUSE_MS;
        break;
    }
}

void
http_accept(struct http_loop *loop, int listener)
{
    if (loop->draining || !loop->listening) {
        return;
    }
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    } peer = {0};
    socklen_t size = sizeof peer;
    int fd = accept4(listener, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        survive(loop, listener, errno);
        return;
    }
    struct http_server *server = loop->server;
    unsigned open_now = atomic_load_explicit(&server->connections, memory_order_relaxed);
    if (open_now >= server->connections_max && !make_place(loop)) {
        http_server_trouble(server, HTTP_TROUBLE_FULL, (int)open_now);
        send_away(loop, fd);
        return;
    }
    if (!open_conn(loop, fd, &peer.any)) {
        http_server_trouble(server, HTTP_TROUBLE_MEMORY, ENOMEM);
        send_away(loop, fd);
    }
}
