/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes to and from one peer, through TLS or as they are.
 *
 * Takes a connection and memory; gives a count, or that the socket is full or empty, has ended, or
 * is broken. Called on the thread of the connection's loop. Must never leave anything in OpenSSL's
 * error queue, or the next connection's verdict would be read from it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>

#include "http/http_priv.h"

static ssize_t
tls_verdict(struct http_conn *conn, int result)
{
    switch (SSL_get_error(conn->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return HTTP_IO_BLOCKED;
    case SSL_ERROR_WANT_WRITE:
        conn->wants_write = true;
        return HTTP_IO_BLOCKED;
    case SSL_ERROR_ZERO_RETURN:
        return HTTP_IO_ENDED;
    default:
        ERR_clear_error();
        conn->broken = true;
        return HTTP_IO_BROKEN;
    }
}

static ssize_t
socket_verdict(struct http_conn *conn)
{
    if (http_socket_may_retry(errno)) {
        return HTTP_IO_BLOCKED;
    }
    conn->broken = true;
    return HTTP_IO_BROKEN;
}

/* The handshake is over and the request has not come. A client that leaves Nagle's algorithm on
 * sends it only when the end of its handshake has been acknowledged; as no tickets go out, that
 * would be 40 ms later. */
static void
acknowledge(struct http_conn *conn)
{
    int on = 1;
    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

ssize_t
http_io_read(struct http_conn *conn, void *data, size_t size)
{
    if (conn->ssl == NULL) {
        ssize_t got = http_socket_receive(conn, data, size);
        return got > 0 ? got : got == 0 ? HTTP_IO_ENDED : socket_verdict(conn);
    }
    conn->wants_write = false;
    int got = SSL_read(conn->ssl, data, (int)size);
    if (!conn->handshaken && SSL_is_init_finished(conn->ssl)) {
        conn->handshaken = true;
        if (got <= 0) {
            acknowledge(conn);
        }
    }
    return got > 0 ? got : tls_verdict(conn, got);
}

ssize_t
http_io_write(struct http_conn *conn, const void *data, size_t size)
{
    if (conn->ssl == NULL) {
        ssize_t sent = http_socket_send(conn, data, size);
        return sent > 0 ? sent : socket_verdict(conn);
    }
    int sent = SSL_write(conn->ssl, data, (int)size);
    return sent > 0 ? sent : tls_verdict(conn, sent);
}

bool
http_io_has_pending(const struct http_conn *conn)
{
    return conn->ssl != NULL && SSL_has_pending(conn->ssl) != 0;
}

void
http_io_end(struct http_conn *conn)
{
    if (conn->ssl == NULL) {
        return;
    }
    if (!conn->broken && conn->handshaken) {
        SSL_shutdown(conn->ssl);
        ERR_clear_error();
    }
    SSL_free(conn->ssl);
    conn->ssl = NULL;
}
