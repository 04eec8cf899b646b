/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A real server on a free port of 127.0.0.1 with a small handler, and a plain client, for the tests
 * of this room. Paths: /now and /head answer at once; /later when http_fixture_answer is called;
 * /big with BIG_BYTES; /echo takes a body up to ECHO_MAX and sends it back; /shut closes;
 * /304 and /204 have these statuses; /cut stops after 3 bytes of the body, /drop before all.
 */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"

enum { HTTP_FIXTURE_BIG_BYTES = 8 * 1024 * 1024, HTTP_FIXTURE_ECHO_MAX = 64 * 1024 };

struct http_fixture {
    struct http_server *server;
    struct http_server_options options;
    uint16_t port;
    char *big;
    _Atomic int released, answered, too_large, troubles;
    pthread_mutex_t lock; /* protects the tickets */
    struct http_ticket tickets[16];
    size_t ticket_count;
};

/* Time-outs of 150 ms, one loop, plain. Change fixture->options before the start. */
void http_fixture_init(struct http_fixture *fixture);
void http_fixture_start(struct http_fixture *fixture);
void http_fixture_done(struct http_fixture *fixture);
/* Answers all tickets that wait, from the calling thread; how many there were. */
size_t http_fixture_answer(struct http_fixture *fixture);
/* Waits (2 s at most) until so many tickets wait. */
void http_fixture_await_tickets(struct http_fixture *fixture, size_t count);
void http_fixture_await(_Atomic int *counter, int value);
struct http_counts http_fixture_counts(const struct http_fixture *fixture);

int client_connect(uint16_t port);
void client_send(int fd, const char *text);
/* Everything up to the end or 2 s of silence; a NUL behind it. -1 if the peer reset. */
ssize_t client_read_all(int fd, char *out, size_t out_size);
/* One answer, by its Content-Length; closes nothing. */
ssize_t client_read_answer(int fd, char *out, size_t out_size);
/* Sends text on a connection of its own and returns the status, 0 if it was closed silently. */
int client_ask(uint16_t port, const char *text, char *out, size_t out_size);
/* Milliseconds until the peer closes. */
int64_t client_ms_until_closed(int fd);

/* A P-256 key and a certificate for it, valid from..to seconds from now, as PEM files. */
void make_key_pair(const char *key_path, const char *certificate_path, long from, long to);

#endif
