/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A server for tests of the PCS client: a thread on a loopback port that gives scripted bytes, one
 * answer per request, in order, and remembers what it was asked. One connection at a time; a new
 * one ends the old.
 */
#ifndef TESTS_PCS_SCRIPT_SERVER_H
#define TESTS_PCS_SCRIPT_SERVER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct script_answer {
    const char *bytes; /* NULL: nothing is sent */
    size_t size;       /* 0: bytes is a text */
    int delay_ms;      /* before the answer */
    bool closes;       /* the connection, after the answer */
};

enum { SCRIPT_REQUESTS_MAX = 16 };

struct script_server;

/* answers live until script_server_stop. When they are used up the last one is repeated.
 * with_tls: with a self-signed certificate for 127.0.0.1. */
struct script_server *script_server_start(const struct script_answer *answers, size_t count,
                                          bool with_tls);
int script_server_port(const struct script_server *server);
/* PEM of the TLS certificate. */
const char *script_server_cert(const struct script_server *server);
/* Ends the thread; from then on requests and counts may be read. */
void script_server_stop(struct script_server *server);
size_t script_server_request_count(const struct script_server *server);
size_t script_server_connection_count(const struct script_server *server);
/* Head and body as one text. */
const char *script_server_request(const struct script_server *server, size_t index);
void script_server_free(struct script_server *server);

#endif
