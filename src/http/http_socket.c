/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two system calls that move an answer's bytes, for plain connections and, as a BIO, for
 * OpenSSL.
 *
 * Takes a non-blocking socket; gives what recv(2) and send(2) give. Called on the thread of the
 * connection's loop. Must never raise SIGPIPE.
 * OpenSSL's own socket BIO would do, but costs a hit some 3 % of its processor time: it answers a
 * dozen questions about kernel TLS per request, and reads and writes by cancellation points, which
 * in a program with threads pay two atomic exchanges each although nobody cancels a loop. Hence
 * syscall(2), which is none.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "http/http_priv.h"

ssize_t
http_socket_receive(struct http_conn *conn, void *data, size_t size)
{
    ssize_t got = syscall(SYS_recvfrom, conn->fd, data, size, 0, NULL, NULL);
    /* What comes from here on is an event of its own, so that nobody need read until EAGAIN. The
     * peer's end is none, if it came with the bytes and was told of with them. */
    if (got <= 0 || ((size_t)got < size && !conn->hung_up)) {
        conn->readable = false;
    }
    return got;
}

ssize_t
http_socket_send(const struct http_conn *conn, const void *data, size_t size)
{
    return syscall(SYS_sendto, conn->fd, data, size, MSG_NOSIGNAL, NULL, 0);
}

bool
http_socket_may_retry(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* ---- the BIO: its data is the connection, whose socket it does not close ---- */

static int
bio_read(BIO *bio, char *data, size_t size, size_t *ret_size)
{
    ssize_t got = http_socket_receive(BIO_get_data(bio), data, size);
    BIO_clear_retry_flags(bio);
    if (got > 0) {
        *ret_size = (size_t)got;
        return 1;
    }
    if (got == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    } else if (http_socket_may_retry(errno)) {
        BIO_set_retry_read(bio);
    }
    return 0;
}

static int
bio_write(BIO *bio, const char *data, size_t size, size_t *ret_size)
{
    const struct http_conn *conn = BIO_get_data(bio);
    ssize_t sent = http_socket_send(conn, data, size);
    BIO_clear_retry_flags(bio);
    if (sent > 0) {
        *ret_size = (size_t)sent;
        return 1;
    }
    if (sent < 0 && http_socket_may_retry(errno)) {
        BIO_set_retry_write(bio);
    }
    return 0;
}

/* No kernel TLS, nothing buffered: 0 is the answer to all other questions. */
static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_FLUSH) {
        return 1;
    }
    return command == BIO_CTRL_EOF && BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
}

BIO_METHOD *
http_socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket of a loop");
    if (method == NULL || BIO_meth_set_read_ex(method, bio_read) != 1 ||
        BIO_meth_set_write_ex(method, bio_write) != 1 ||
        BIO_meth_set_ctrl(method, bio_control) != 1) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

bool
http_socket_attach(SSL *ssl, const BIO_METHOD *method, struct http_conn *conn)
{
    BIO *bio = BIO_new(method);
    if (bio == NULL) {
        return false;
    }
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return true;
}
