/* SPDX-License-Identifier: BSD-3-Clause */
/* What http_fixture.h says. Any failure in here fails the test that called it. */
#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

static void
on_release(void *owner)
{
    struct http_fixture *fixture = owner;
    atomic_fetch_add(&fixture->released, 1);
}

static struct http_answer
answer_of(struct http_fixture *fixture, int status, struct span body)
{
    return (struct http_answer){
        .status = status,
        .head_shared = span_of_text("Content-Type: text/plain\r\n"),
        .head_extra = span_of_text("Request-ID: 1\r\n"),
        .body = body,
        .release = on_release,
        .owner = fixture,
    };
}

static struct http_verdict
on_head(void *self, const struct http_request *request)
{
    if (span_is(request->path, "/echo")) {
        return (struct http_verdict){HTTP_BODY_READ, HTTP_FIXTURE_ECHO_MAX};
    }
    return (struct http_verdict){HTTP_BODY_IGNORE, 0};
}

static void
keep_ticket(struct http_fixture *fixture, struct http_ticket ticket)
{
    pthread_mutex_lock(&fixture->lock);
    fixture->tickets[fixture->ticket_count++ % 16] = ticket;
    pthread_mutex_unlock(&fixture->lock);
}

static unsigned
sum_of_span(struct span s)
{
    unsigned sum = 0;
    for (size_t i = 0; i < s.size; i++) {
        sum = sum * 31 + s.data[i];
    }
    return sum;
}

static unsigned
sum_of(const struct http_request *request)
{
    unsigned sum = sum_of_span(request->path) + sum_of_span(request->body);
    for (size_t i = 0; i < request->header_count; i++) {
        sum += sum_of_span(request->headers[i].value);
    }
    return sum;
}

static void
on_request(void *self, struct http_ticket ticket, const struct http_request *request)
{
    struct http_fixture *fixture = self;
    if (span_is(request->path, "/later")) {
        keep_ticket(fixture, ticket);
        return;
    }
    struct http_answer answer = answer_of(fixture, 200, span_of_text("hello"));
    if (span_is(request->path, "/echo")) {
        answer.body = request->body;
    } else if (span_is(request->path, "/big")) {
        answer.body = span_of(fixture->big, HTTP_FIXTURE_BIG_BYTES);
    } else if (span_is(request->path, "/shut")) {
        answer.close = true;
    } else if (span_is(request->path, "/drop")) {
        answer.cut_at = 1;
    } else if (span_is(request->path, "/cut")) {
        answer.cut_at = 2 + 3;
    } else if (span_is(request->path, "/304")) {
        answer.status = 304;
    } else if (span_is(request->path, "/204")) {
        answer.status = 204;
    }
    unsigned before = sum_of(request);
    http_answer_now(fixture->server, ticket, &answer);
    /* as an access log would: the spans live as long as this call */
    if (sum_of(request) != before) {
        abort();
    }
    atomic_fetch_add(&fixture->answered, 1);
}

static void
on_too_large(void *self, struct http_ticket ticket, const struct http_request *request)
{
    struct http_fixture *fixture = self;
    atomic_fetch_add(&fixture->too_large, 1);
    struct http_answer answer = answer_of(fixture, 413, span_of_text("Content too large."));
    http_answer_now(fixture->server, ticket, &answer);
}

static void
on_trouble(void *self, const char *what, int number)
{
    struct http_fixture *fixture = self;
    atomic_fetch_add(&fixture->troubles, 1);
}

void
http_fixture_init(struct http_fixture *fixture)
{
    static const char *const hosts[] = {"127.0.0.1"};
    memset(fixture, 0, sizeof *fixture);
    pthread_mutex_init(&fixture->lock, NULL);
    fixture->big = malloc(HTTP_FIXTURE_BIG_BYTES);
    assert_non_null(fixture->big);
    memset(fixture->big, 'b', HTTP_FIXTURE_BIG_BYTES);
    fixture->options = (struct http_server_options){
        .hosts = hosts,
        .host_count = 1,
        .loops = 1,
        .headers_timeout_ms = 150,
        .request_timeout_ms = 150,
        .keep_alive_timeout_ms = 150,
        .handler = {fixture, on_head, on_request, on_too_large},
        .on_trouble = on_trouble,
    };
}

void
http_fixture_start(struct http_fixture *fixture)
{
    struct fault why = {0};
    int failed = http_server_new(&fixture->options, &fixture->server, &why);
    if (failed != 0) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(http_server_start(fixture->server, &why), 0);
    fixture->port = http_server_port(fixture->server);
    assert_int_not_equal(fixture->port, 0);
}

void
http_fixture_done(struct http_fixture *fixture)
{
    http_server_free(fixture->server);
    free(fixture->big);
    pthread_mutex_destroy(&fixture->lock);
}

size_t
http_fixture_answer(struct http_fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    size_t count = fixture->ticket_count;
    fixture->ticket_count = 0;
    for (size_t i = 0; i < count; i++) {
        char extra[] = "Request-ID: 2\r\n"; /* gone when http_answer_later returns */
        struct http_answer answer = answer_of(fixture, 200, span_of_text("later"));
        answer.head_extra = span_of_text(extra);
        http_answer_later(fixture->server, fixture->tickets[i], &answer);
        memset(extra, 0, sizeof extra);
    }
    pthread_mutex_unlock(&fixture->lock);
    return count;
}

void
http_fixture_await_tickets(struct http_fixture *fixture, size_t count)
{
    for (int tries = 0; tries < 2000; tries++) {
        pthread_mutex_lock(&fixture->lock);
        bool here = fixture->ticket_count >= count;
        pthread_mutex_unlock(&fixture->lock);
        if (here) {
            return;
        }
        usleep(1000);
    }
    fail_msg("no ticket came");
}

void
http_fixture_await(_Atomic int *counter, int value)
{
    for (int tries = 0; tries < 2000 && atomic_load(counter) < value; tries++) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(counter), value);
}

struct http_counts
http_fixture_counts(const struct http_fixture *fixture)
{
    struct http_counts counts;
    http_server_counts(fixture->server, &counts);
    return counts;
}

int
client_connect(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    struct timeval limit = {.tv_sec = 2};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

void
client_send(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

ssize_t
client_read_all(int fd, char *out, size_t out_size)
{
    size_t size = 0;
    ssize_t got = 1;
    while (got > 0 && size < out_size - 1) {
        got = recv(fd, out + size, out_size - 1 - size, 0);
        size += got > 0 ? (size_t)got : 0;
    }
    out[size] = '\0';
    return got < 0 && errno == ECONNRESET ? -1 : (ssize_t)size;
}

ssize_t
client_read_answer(int fd, char *out, size_t out_size)
{
    size_t size = 0;
    for (;;) {
        ssize_t got = recv(fd, out + size, out_size - 1 - size, 0);
        if (got <= 0) {
            out[size] = '\0';
            return got < 0 ? -1 : (ssize_t)size;
        }
        size += (size_t)got;
        out[size] = '\0';
        const char *end = strstr(out, "\r\n\r\n");
        const char *length = strstr(out, "Content-Length: ");
        if (end != NULL) {
            size_t body = length != NULL && length < end ? strtoul(length + 16, NULL, 10) : 0;
            size_t whole = (size_t)(end - out) + 4 + body;
            if (size >= whole) {
                assert_int_equal(size, whole);
                return (ssize_t)size;
            }
        }
    }
}

int
client_ask(uint16_t port, const char *text, char *out, size_t out_size)
{
    int fd = client_connect(port);
    client_send(fd, text);
    ssize_t size = client_read_all(fd, out, out_size);
    close(fd);
    if (size <= 0) {
        return 0;
    }
    assert_true(size > 12 && memcmp(out, "HTTP/1.1 ", 9) == 0);
    return (int)strtol(out + 9, NULL, 10);
}

int64_t
client_ms_until_closed(int fd)
{
    int64_t start_ms = clock_monotonic_ms(clock_system());
    char byte;
    while (recv(fd, &byte, 1, 0) > 0) {
    }
    return clock_monotonic_ms(clock_system()) - start_ms;
}

void
make_key_pair(const char *key_path, const char *certificate_path, long from, long to)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert_non_null(key);
    assert_non_null(certificate);
    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), to);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = fopen(key_path, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    file = fopen(certificate_path, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
