/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stands between a store and its PostgreSQL server and does what servers and networks do only now
 * and then: knows no TLS, no LISTEN, is silent, loses an answer.
 */
#ifndef POSTGRES_BETWEEN_H
#define POSTGRES_BETWEEN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { BETWEEN_CONNECTIONS_MAX = 64 };

struct between {
    int port; /* where the store is to connect, on 127.0.0.1 */
    int server_port;
    atomic_bool without_listen; /* LISTEN and NOTIFY become words that no server knows */
    atomic_bool loses_commit;   /* the next COMMIT goes through, its answer does not */
    atomic_int commits;         /* that went through */
    int listening, stop[2];
    pthread_t thread;
};

/* TLS is refused: what goes through must be readable. */
void between_start(struct between *between, int server_port);
void between_stop(struct between *between);

/* A port of the address on which nobody answers: connections are taken, and nothing is said. The
 * descriptor is the caller's. */
int between_silent(const char *address, int port, int *ret_port);

#endif
