/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See script_server.h. Speaks just enough HTTP to find the end of a request; links nothing of src/,
 * so that it cannot share a mistake with what it tests.
 */
#include "script_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_BYTES = 64 * 1024 };

struct script_server {
    const struct script_answer *answers;
    size_t answer_count;
    int listener, port;
    int stop_pipe[2];
    pthread_t thread;
    SSL_CTX *tls;
    char *cert_pem;
    /* of the connection */
    int fd;
    SSL *ssl;
    char buffer[REQUEST_BYTES + 1];
    size_t buffer_size;
    /* read after script_server_stop */
    char *requests[SCRIPT_REQUESTS_MAX];
    size_t request_count, connection_count;
};

static void
check(bool condition, const char *what)
{
    if (!condition) {
        perror(what);
        abort();
    }
}

/* ---- TLS ---- */

static void
cert_make(struct script_server *server)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    check(key != NULL && cert != NULL, "key and certificate");
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"script", -1, -1,
                               0);
    X509_set_issuer_name(cert, name);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    check(san != NULL && X509_add_ext(cert, san, -1) == 1, "subject alternative name");
    X509_EXTENSION_free(san);
    check(X509_sign(cert, key, EVP_sha256()) > 0, "sign");
    server->tls = SSL_CTX_new(TLS_server_method());
    check(server->tls != NULL && SSL_CTX_use_certificate(server->tls, cert) == 1 &&
              SSL_CTX_use_PrivateKey(server->tls, key) == 1,
          "TLS context");
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    check(bio != NULL && PEM_write_bio_X509(bio, cert) == 1, "PEM");
    long size = BIO_get_mem_data(bio, &pem);
    server->cert_pem = strndup(pem, (size_t)size);
    BIO_free(bio);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* ---- the connection ---- */

static void
connection_close(struct script_server *server)
{
    if (server->ssl != NULL) {
        SSL_shutdown(server->ssl);
        SSL_free(server->ssl);
        server->ssl = NULL;
    }
    if (server->fd >= 0) {
        close(server->fd);
        server->fd = -1;
    }
    server->buffer_size = 0;
}

static void
connection_accept(struct script_server *server)
{
    connection_close(server);
    server->fd = accept(server->listener, NULL, NULL);
    server->connection_count++;
    if (server->fd < 0 || server->tls == NULL) {
        return;
    }
    server->ssl = SSL_new(server->tls);
    SSL_set_fd(server->ssl, server->fd);
    if (SSL_accept(server->ssl) != 1) {
        connection_close(server);
    }
}

static ssize_t
connection_read(struct script_server *server, char *out, size_t size)
{
    return server->ssl != NULL ? SSL_read(server->ssl, out, (int)size)
                               : recv(server->fd, out, size, 0);
}

static void
connection_write(struct script_server *server, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = server->ssl != NULL ? SSL_write(server->ssl, bytes, (int)size)
                                           : send(server->fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* Size of the first whole request in the buffer; 0 if there is none yet. */
static size_t
request_size(const struct script_server *server)
{
    const char *end = strstr(server->buffer, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t)(end - server->buffer) + 4;
    const char *length = strcasestr(server->buffer, "\r\ncontent-length:");
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return server->buffer_size >= head + body ? head + body : 0;
}

static void
request_answer(struct script_server *server, size_t size)
{
    size_t index = server->request_count;
    if (index < SCRIPT_REQUESTS_MAX) {
        server->requests[index] = strndup(server->buffer, size);
    }
    server->request_count++;
    memmove(server->buffer, server->buffer + size, server->buffer_size - size + 1);
    server->buffer_size -= size;
    size_t last = server->answer_count - 1;
    const struct script_answer *answer = &server->answers[index < last ? index : last];
    struct pollfd stop = {.fd = server->stop_pipe[0], .events = POLLIN};
    if (answer->delay_ms > 0 && poll(&stop, 1, answer->delay_ms) > 0) {
        return;
    }
    if (answer->bytes != NULL) {
        connection_write(server, answer->bytes,
                         answer->size > 0 ? answer->size : strlen(answer->bytes));
    }
    if (answer->closes) {
        connection_close(server);
    }
}

static void
connection_readable(struct script_server *server)
{
    ssize_t got = connection_read(server, server->buffer + server->buffer_size,
                                  REQUEST_BYTES - server->buffer_size);
    if (got <= 0) {
        connection_close(server);
        return;
    }
    server->buffer_size += (size_t)got;
    server->buffer[server->buffer_size] = '\0';
    size_t size = request_size(server);
    if (size > 0) {
        request_answer(server, size);
    }
}

static void *
server_run(void *self)
{
    struct script_server *server = self;
    for (;;) {
        struct pollfd fds[3] = {{.fd = server->stop_pipe[0], .events = POLLIN},
                                {.fd = server->listener, .events = POLLIN},
                                {.fd = server->fd, .events = POLLIN}};
        if (poll(fds, 3, -1) < 0) {
            continue;
        }
        if (fds[0].revents != 0) {
            break;
        }
        if (fds[2].revents != 0) {
            connection_readable(server);
        } else if (fds[1].revents != 0) {
            connection_accept(server);
        }
    }
    connection_close(server);
    return NULL;
}

struct script_server *
script_server_start(const struct script_answer *answers, size_t count, bool with_tls)
{
    struct script_server *server = calloc(1, sizeof *server);
    check(server != NULL, "calloc");
    server->answers = answers;
    server->answer_count = count;
    server->fd = -1;
    if (with_tls) {
        cert_make(server);
    }
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    check(bind(server->listener, (struct sockaddr *)&address, size) == 0, "bind");
    check(listen(server->listener, 16) == 0, "listen");
    check(getsockname(server->listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
    server->port = ntohs(address.sin_port);
    check(pipe(server->stop_pipe) == 0, "pipe");
    check(pthread_create(&server->thread, NULL, server_run, server) == 0, "pthread_create");
    return server;
}

int
script_server_port(const struct script_server *server)
{
    return server->port;
}

const char *
script_server_cert(const struct script_server *server)
{
    return server->cert_pem;
}

void
script_server_stop(struct script_server *server)
{
    if (server->stop_pipe[1] < 0) {
        return;
    }
    close(server->stop_pipe[1]);
    server->stop_pipe[1] = -1;
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->stop_pipe[0]);
}

size_t
script_server_request_count(const struct script_server *server)
{
    return server->request_count;
}

size_t
script_server_connection_count(const struct script_server *server)
{
    return server->connection_count;
}

const char *
script_server_request(const struct script_server *server, size_t index)
{
    return index < server->request_count && index < SCRIPT_REQUESTS_MAX ? server->requests[index]
                                                                        : "";
}

void
script_server_free(struct script_server *server)
{
    if (server == NULL) {
        return;
    }
    script_server_stop(server);
    for (size_t i = 0; i < SCRIPT_REQUESTS_MAX; i++) {
        free(server->requests[i]);
    }
    SSL_CTX_free(server->tls);
    free(server->cert_pem);
    free(server);
}
