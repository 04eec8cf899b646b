/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server as its owner sees it: made, started, drained, freed, and asked for its counts.
 *
 * Takes options and a handler; gives threads, one per loop. Called on the owner's thread, but for
 * http_answer_later (any thread), http_server_counts (any) and http_server_trouble (loops).
 * Shared and mutable: the TLS context under tls_lock, and atomics. Must never be drained and freed
 * while another thread may still answer a ticket with it.
 * Follows api.md, Transport.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/http_priv.h"

enum { LOOPS_MAX = 1024, TROUBLE_EVERY_MS = 60 * 1000 };

/* Connections leave descriptors for files, databases and upstream. */
static unsigned
fit_connections(unsigned wanted)
{
    unsigned most = wanted > 0 ? wanted : LIMIT_HTTP_CONNECTIONS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return most;
    }
    rlim_t others = limit.rlim_cur / 4 < 256 ? limit.rlim_cur / 4 : 256;
    rlim_t left = limit.rlim_cur - others;
    return left < most ? (unsigned)left : most;
}

static int
make_loops(struct http_server *server, const struct http_server_options *options, struct fault *why)
{
    const int duration_ms[HTTP_TIMER_COUNT] = {
        [HTTP_TIMER_HEADERS] = options->headers_timeout_ms,
        [HTTP_TIMER_REQUEST] = options->request_timeout_ms,
        [HTTP_TIMER_IDLE] = options->keep_alive_timeout_ms,
        [HTTP_TIMER_LINGER] = HTTP_LINGER_MS,
    };
    size_t wanted = options->loops > 0 ? options->loops : 1;
    must(wanted <= LOOPS_MAX);
    server->loops = calloc(wanted, sizeof *server->loops);
    if (server->loops == NULL) {
        return fault_set(why, FAULT_MEMORY, "listen", "no memory for the loops");
    }
    for (uint32_t i = 0; i < wanted; i++) {
        server->loop_count = i + 1;
        int failed = http_loop_init(&server->loops[i], server, i, duration_ms, why);
        if (failed != 0) {
            return failed;
        }
    }
    return 0;
}

int
http_server_new(const struct http_server_options *options, struct http_server **ret_server,
                struct fault *why)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL || pthread_mutex_init(&server->tls_lock, NULL) != 0) {
        free(server);
        return fault_set(why, FAULT_MEMORY, "listen", "no memory for the server");
    }
    server->handler = options->handler;
    server->on_trouble = options->on_trouble;
    server->on_loop_start = options->on_loop_start;
    server->on_loop_stop = options->on_loop_stop;
    server->on_idle = options->on_idle;
    server->on_busy = options->on_busy;
    server->connections_max = fit_connections(options->connections_max);
    server->is_tls = options->tls != NULL;
    if (server->is_tls) {
        http_server_set_tls(server, options->tls);
    }
    server->socket_method = http_socket_method();
    if (server->socket_method == NULL) {
        http_server_free(server);
        return fault_set(why, FAULT_MEMORY, "listen", "no memory for the server");
    }
    int failed = http_listen(server, options, why);
    if (failed == 0) {
        failed = make_loops(server, options, why);
    }
    if (failed != 0) {
        http_server_free(server);
        return failed;
    }
    *ret_server = server;
    return 0;
}

uint16_t
http_server_port(const struct http_server *server)
{
    return server->port;
}

/* Ends the loops that run. */
static void
stop_loops(struct http_server *server, size_t running, int limit_ms)
{
    atomic_store(&server->drain_until_ms, clock_monotonic_ms(clock_system()) + limit_ms);
    atomic_store(&server->draining, true);
    for (size_t i = 0; i < running; i++) {
        http_later_wake(&server->loops[i].later);
    }
    for (size_t i = 0; i < running; i++) {
        pthread_join(server->loops[i].thread, NULL);
    }
    http_listen_close(server);
}

int
http_server_start(struct http_server *server, struct fault *why)
{
    /* Signals are for the owner's threads; a peer that is gone must not raise SIGPIPE here. */
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    sigdelset(&all, SIGTRAP);
    atomic_store(&server->listening_loops, (unsigned)server->loop_count);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    size_t started = 0;
    int error = 0;
    while (error == 0 && started < server->loop_count) {
        struct http_loop *loop = &server->loops[started];
        error = pthread_create(&loop->thread, NULL, http_loop_run, loop);
        started += error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        stop_loops(server, started, 0);
        return fault_set_number(why, FAULT_INTERNAL, "listen", error, "starting a thread: %s",
                                strerror(error));
    }
    server->is_started = true;
    return 0;
}

void
http_server_drain(struct http_server *server, int limit_ms)
{
    if (server->is_started) {
        server->is_started = false;
        stop_loops(server, server->loop_count, limit_ms);
    }
}

void
http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    http_server_drain(server, 0);
    http_listen_close(server);
    for (size_t i = 0; i < server->loop_count; i++) {
        http_loop_done(&server->loops[i]);
    }
    free(server->loops);
    SSL_CTX_free(server->tls);
    BIO_meth_free(server->socket_method);
    pthread_mutex_destroy(&server->tls_lock);
    free(server);
}

void
http_server_set_tls(struct http_server *server, SSL_CTX *tls)
{
    SSL_CTX_up_ref(tls);
    pthread_mutex_lock(&server->tls_lock);
    SSL_CTX *old = server->tls;
    server->tls = tls;
    atomic_fetch_add(&server->tls_version, 1);
    pthread_mutex_unlock(&server->tls_lock);
    SSL_CTX_free(old);
}

void
http_answer_later(struct http_server *server, struct http_ticket ticket,
                  const struct http_answer *answer)
{
    must(ticket.loop < server->loop_count);
    http_later_put(&server->loops[ticket.loop].later, ticket, answer);
}

void
http_server_counts(const struct http_server *server, struct http_counts *ret_counts)
{
    struct http_counts counts = {.connections = atomic_load(&server->connections)};
    for (size_t i = 0; i < server->loop_count; i++) {
        const struct http_loop *loop = &server->loops[i];
        counts.accepted += atomic_load(&loop->accepted);
        counts.refused += atomic_load(&loop->refused);
        counts.requests += atomic_load(&loop->requests);
        counts.handshakes_failed += atomic_load(&loop->handshakes_failed);
        counts.timeouts += atomic_load(&loop->timeouts);
        counts.parse_errors += atomic_load(&loop->parse_errors);
    }
    *ret_counts = counts;
}

void
http_server_trouble(struct http_server *server, enum http_trouble kind, int number)
{
    static const char *const words[HTTP_TROUBLE_COUNT] = {
        [HTTP_TROUBLE_DESCRIPTORS] = "no file descriptor left for a connection (ulimit -n)",
        [HTTP_TROUBLE_ACCEPT] = "accepting connections failed",
        [HTTP_TROUBLE_MEMORY] = "no memory for a connection",
        [HTTP_TROUBLE_FULL] = "all connections are in use, a client was sent away",
    };
    if (server->on_trouble == NULL) {
        return;
    }
    int64_t now_ms = clock_monotonic_ms(clock_system());
    int64_t last_ms = atomic_load(&server->troubled_ms[kind]);
    bool told = last_ms != 0 && now_ms - last_ms < TROUBLE_EVERY_MS;
    if (!told && atomic_compare_exchange_strong(&server->troubled_ms[kind], &last_ms, now_ms)) {
        server->on_trouble(server->handler.self, words[kind], number);
    }
}
