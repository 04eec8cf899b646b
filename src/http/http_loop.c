/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One event loop: waits, and lets connections run, answers from other threads in, deadlines pass.
 *
 * Takes what epoll reports; gives each connection its turn. http_loop_init and http_loop_done are
 * called by the server's owner before and after the thread, all else on the loop's thread; there
 * http_loop_run is the whole life. Must never block but in epoll_wait, and never free a connection
 * within a round: events of the same round may still name it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/http_priv.h"

enum {
    EVENTS_PER_ROUND = 64,
    FREE_BLOCKS_MAX = 32, /* 640 KB per loop stay after a burst */
};

static int
watch(struct http_loop *loop, int fd, uint32_t events, void *what)
{
    struct epoll_event event = {.events = events, .data.ptr = what};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int
http_loop_init(struct http_loop *loop, struct http_server *server, uint32_t index,
               const int duration_ms[HTTP_TIMER_COUNT], struct fault *why)
{
    loop->server = server;
    loop->index = index;
    loop->later.wake_fd = -1;
    loop->idle_since_ms = INT64_MAX;
    http_timers_init(&loop->timers, duration_ms);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int error = loop->epoll_fd < 0 || loop->reserve_fd < 0 ? errno : http_later_init(&loop->later);
    if (error == 0 && watch(loop, loop->later.wake_fd, EPOLLIN, &loop->later) != 0) {
        error = errno;
    }
    if (error != 0) {
        return fault_set_number(why, FAULT_IO, "listen", error, "event loop: %s", strerror(error));
    }
    loop->out = malloc(HTTP_TLS_RECORD_BYTES);
    if (loop->out == NULL) {
        return fault_set(why, FAULT_MEMORY, "listen", "no memory for a loop's buffer");
    }
    return 0;
}

void
http_loop_done(struct http_loop *loop)
{
    for (size_t i = 0; i < loop->conn_count; i++) {
        free(loop->conns[i]);
    }
    free(loop->conns);
    while (loop->free_blocks != NULL) {
        struct http_block *block = loop->free_blocks;
        loop->free_blocks = block->next;
        free(block);
    }
    free(loop->out);
    SSL_CTX_free(loop->tls);
    http_later_done(&loop->later);
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
    if (loop->reserve_fd >= 0) {
        close(loop->reserve_fd);
    }
}

struct http_block *
http_loop_take_block(struct http_loop *loop)
{
    struct http_block *block = loop->free_blocks;
    if (block != NULL) {
        loop->free_blocks = block->next;
        loop->free_block_count--;
    } else {
        block = malloc(sizeof *block);
        if (block == NULL) {
            return NULL;
        }
    }
    block->next = NULL;
    block->size = 0;
    block->start = 0;
    block->used = 0;
    http_head_init(&block->head);
    return block;
}

void
http_loop_give_block(struct http_loop *loop, struct http_block *block)
{
    if (loop->free_block_count >= FREE_BLOCKS_MAX) {
        free(block);
        return;
    }
    block->next = loop->free_blocks;
    loop->free_blocks = block;
    loop->free_block_count++;
}

void
http_loop_set_ready(struct http_loop *loop, struct http_conn *conn)
{
    if (!conn->is_ready) {
        conn->is_ready = true;
        conn->ready_next = loop->ready_conns;
        loop->ready_conns = conn;
    }
}

void
http_loop_note_idle(struct http_loop *loop)
{
    const struct http_timer_link *oldest = http_timers_oldest(&loop->timers, HTTP_TIMER_IDLE);
    int64_t since_ms = oldest != NULL ? oldest->deadline_ms : INT64_MAX;
    atomic_store_explicit(&loop->idle_since_ms, since_ms, memory_order_relaxed);
}

static void
run_ready(struct http_loop *loop)
{
    struct http_conn *conn = loop->ready_conns;
    loop->ready_conns = NULL;
    while (conn != NULL) {
        struct http_conn *next = conn->ready_next;
        conn->is_ready = false;
        if (conn->phase != HTTP_PHASE_CLOSED) {
            http_conn_run(conn);
        }
        conn = next;
    }
}

static void
run_expired(struct http_loop *loop)
{
    for (;;) {
        struct http_timer_link *link = http_timers_take_expired(&loop->timers, loop->now_ms);
        if (link == NULL) {
            return;
        }
        http_conn_expired((struct http_conn *)link); /* its first member */
    }
}

static void
recycle_closed(struct http_loop *loop)
{
    struct http_conn *kept = NULL;
    while (loop->closed_conns != NULL) {
        struct http_conn *conn = loop->closed_conns;
        loop->closed_conns = conn->next;
        struct http_conn **list = conn->is_ready ? &kept : &loop->free_conns;
        conn->next = *list;
        *list = conn;
    }
    loop->closed_conns = kept;
}

static struct http_conn *
find_waiting(struct http_loop *loop, struct http_ticket ticket)
{
    must(ticket.slot < loop->conn_count && ticket.generation != 0);
    struct http_conn *conn = loop->conns[ticket.slot];
    return conn->generation == ticket.generation ? conn : NULL;
}

void
http_answer_now(struct http_server *server, struct http_ticket ticket,
                const struct http_answer *answer)
{
    struct http_conn *conn = find_waiting(&server->loops[ticket.loop], ticket);
    if (conn != NULL) {
        http_conn_answer(conn, answer);
    } else if (answer->release != NULL) {
        answer->release(answer->owner);
    }
}

static void
take_later_answers(struct http_loop *loop)
{
    struct http_later_node *next;
    for (struct http_later_node *node = http_later_take_all(&loop->later); node != NULL;
         node = next) {
        next = node->next;
        http_answer_now(loop->server, node->ticket, &node->answer);
        http_later_give_back(&loop->later, node);
    }
}

static bool
start_listening(struct http_loop *loop)
{
    struct http_server *server = loop->server;
    for (size_t i = 0; i < server->listener_count; i++) {
        /* one queue for all loops; each new connection wakes one of them, an idle one first */
        if (watch(loop, server->listeners[i], EPOLLIN | EPOLLEXCLUSIVE, &server->listeners[i]) !=
                0 &&
            errno != EEXIST) {
            http_server_trouble(server, HTTP_TROUBLE_ACCEPT, errno);
            return false;
        }
    }
    return true;
}

static void
stop_listening(struct http_loop *loop)
{
    for (size_t i = 0; i < loop->server->listener_count; i++) {
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, loop->server->listeners[i], NULL);
    }
}

/* accept failed for want of something: look again a little later instead of spinning. */
static void
check_listening(struct http_loop *loop)
{
    if (loop->draining) {
        return;
    }
    if (loop->accept_again_ms != 0 && loop->listening) {
        stop_listening(loop);
        loop->listening = false;
    } else if (!loop->listening && loop->now_ms >= loop->accept_again_ms) {
        loop->listening = start_listening(loop);
        loop->accept_again_ms = loop->listening ? 0 : loop->now_ms + 100;
    }
}

static void
check_draining(struct http_loop *loop)
{
    struct http_server *server = loop->server;
    if (loop->draining || !atomic_load(&server->draining)) {
        return;
    }
    loop->draining = true;
    stop_listening(loop);
    if (atomic_fetch_sub(&server->listening_loops, 1) == 1) {
        http_listen_close(server);
    }
    for (size_t i = 0; i < loop->conn_count; i++) {
        if (loop->conns[i]->phase != HTTP_PHASE_CLOSED) {
            http_conn_drain(loop->conns[i]);
        }
    }
}

static int
wait_ms(const struct http_loop *loop)
{
    if (loop->ready_conns != NULL) {
        return 0;
    }
    int64_t until_ms = http_timers_next(&loop->timers);
    if (loop->accept_again_ms != 0 && loop->accept_again_ms < until_ms) {
        until_ms = loop->accept_again_ms;
    }
    if (loop->draining) {
        int64_t drain_ms = atomic_load(&loop->server->drain_until_ms);
        until_ms = drain_ms < until_ms ? drain_ms : until_ms;
    }
    if (until_ms == INT64_MAX) {
        return -1;
    }
    int64_t left_ms = until_ms - loop->now_ms;
    return left_ms <= 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

static void
take_event(struct http_loop *loop, const struct epoll_event *event)
{
    struct http_server *server = loop->server;
    const int *listener = event->data.ptr;
    if (event->data.ptr == &loop->later) {
        take_later_answers(loop);
    } else if (listener >= server->listeners && listener < server->listeners + HTTP_LISTENERS_MAX) {
        http_accept(loop, *listener);
    } else {
        http_conn_event(event->data.ptr, event->events);
    }
}

static void
look_at_clock(struct http_loop *loop)
{
    loop->now_us = clock_system_monotonic_us();
    loop->now_ms = loop->now_us / 1000;
}

static void
run_round(struct http_loop *loop)
{
    struct http_server *server = loop->server;
    struct epoll_event events[EVENTS_PER_ROUND];
    int timeout_ms = wait_ms(loop);
    bool blocks = timeout_ms != 0;
    if (blocks && server->on_idle != NULL) {
        server->on_idle(server->handler.self);
    }
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_ROUND, timeout_ms);
    if (blocks && server->on_busy != NULL) {
        server->on_busy(server->handler.self);
    }
    look_at_clock(loop);
    for (int i = 0; i < count; i++) {
        take_event(loop, &events[i]);
    }
    http_accept_evict(loop);
    run_ready(loop);
    run_expired(loop);
    check_draining(loop);
    check_listening(loop);
    recycle_closed(loop);
}

static bool
is_over(const struct http_loop *loop)
{
    return loop->draining &&
           (loop->open_count == 0 || loop->now_ms >= atomic_load(&loop->server->drain_until_ms));
}

void *
http_loop_run(void *self)
{
    struct http_loop *loop = self;
    struct http_server *server = loop->server;
    if (server->on_loop_start != NULL) {
        server->on_loop_start(server->handler.self, loop->index);
    }
    look_at_clock(loop);
    check_listening(loop);
    while (!is_over(loop)) {
        run_round(loop);
    }
    for (size_t i = 0; i < loop->conn_count; i++) {
        http_conn_close(loop->conns[i]);
    }
    http_later_close(&loop->later);
    OPENSSL_thread_stop();
    if (server->on_loop_stop != NULL) {
        server->on_loop_stop(server->handler.self, loop->index);
    }
    return NULL;
}
