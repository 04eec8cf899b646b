/* SPDX-License-Identifier: BSD-3-Clause */
/* A real server, spoken to over plain sockets: refusals, bodies, keep-alive, drain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static char reply[1 << 17];

static int
connect_socket(int fd, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval limit = {.tv_sec = 2};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return connect(fd, (struct sockaddr *)&address, sizeof address);
}

static int
setup(void **state)
{
    struct http_fixture *fixture = malloc(sizeof *fixture);
    http_fixture_init(fixture);
    fixture->options.headers_timeout_ms = 2000;
    fixture->options.request_timeout_ms = 2000;
    fixture->options.keep_alive_timeout_ms = 2000;
    *state = fixture;
    return 0;
}

static int
setup_started(void **state)
{
    setup(state);
    http_fixture_start(*state);
    return 0;
}

static int
teardown(void **state)
{
    http_fixture_done(*state);
    free(*state);
    return 0;
}

static void
test_refusals_of_this_layer_are_bare_and_close(void **state)
{
    struct http_fixture *f = *state;
    static const struct {
        const char *text;
        int status;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n",
         400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(client_ask(f->port, rows[i].text, reply, sizeof reply), rows[i].status);
        assert_non_null(strstr(reply, "\r\nConnection: close\r\n"));
        assert_non_null(strstr(reply, "\r\nContent-Length: 0\r\n"));
        assert_null(strstr(reply, "Request-ID"));
        assert_string_equal(strstr(reply, "\r\n\r\n"), "\r\n\r\n");
    }
    assert_int_equal(http_fixture_counts(f).parse_errors, 5);
}

static void
test_refuses_huge_heads_with_414_and_431(void **state)
{
    struct http_fixture *f = *state;
    char *text = malloc(40000);
    memset(text, 'a', 40000);
    memcpy(text, "GET /", 5);
    text[39999] = '\0';
    assert_int_equal(client_ask(f->port, text, reply, sizeof reply), 414);
    memcpy(text, "GET / HTTP/1.1\r\nHost: x\r\nA: ", 28);
    assert_int_equal(client_ask(f->port, text, reply, sizeof reply), 431);
    free(text);
}

static void
test_refuses_a_port_that_another_server_has(void **state)
{
    struct http_fixture *f = *state;
    struct http_server_options options = f->options;
    options.port = f->port;
    struct http_server *other = NULL;
    struct fault why = {0};
    assert_int_equal(http_server_new(&options, &other, &why), FAULT_IO);
    assert_null(other);
    assert_int_equal(why.number, EADDRINUSE);
    assert_non_null(strstr(why.text, "127.0.0.1"));
    assert_non_null(strstr(why.text, "in use by another process"));
}

static void
test_refuses_an_address_that_is_not_here(void **state)
{
    struct http_fixture *f = *state;
    static const char *const hosts[] = {"192.0.2.1"};
    struct http_server_options options = f->options;
    options.hosts = hosts;
    struct http_server *other = NULL;
    struct fault why = {0};
    assert_int_equal(http_server_new(&options, &other, &why), FAULT_IO);
    assert_non_null(strstr(why.text, "192.0.2.1"));
}

static void
test_keeps_the_connection_for_requests_in_order(void **state)
{
    struct http_fixture *f = *state;
    int fd = client_connect(f->port);
    client_send(fd,
                GET("/now") "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
                            "GET /now HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_true(client_read_all(fd, reply, sizeof reply) > 0);
    char *hello = strstr(reply, "\r\n\r\nhello");
    assert_non_null(hello);
    char *abc = strstr(hello, "\r\n\r\nabc");
    assert_non_null(abc);
    char *def = strstr(abc, "\r\n\r\ndef");
    assert_non_null(def);
    assert_non_null(strstr(def, "\r\n\r\nhello"));
    assert_int_equal(http_fixture_counts(f).requests, 4);
    close(fd);
}

static void
test_a_request_may_come_byte_by_byte(void **state)
{
    struct http_fixture *f = *state;
    static const char text[] =
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\n\r\n" GET("/now");
    int fd = client_connect(f->port);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        usleep(20);
    }
    shutdown(fd, SHUT_WR); /* both answers, in one piece or in two */
    assert_true(client_read_all(fd, reply, sizeof reply) > 0);
    assert_non_null(strstr(reply, "\r\n\r\nabc"));
    assert_non_null(strstr(reply + 1, "HTTP/1.1 200 OK"));
    close(fd);
}

static void
test_answers_a_client_that_has_half_closed(void **state)
{
    struct http_fixture *f = *state;
    int fd = client_connect(f->port);
    client_send(fd, GET("/later"));
    shutdown(fd, SHUT_WR);
    http_fixture_await_tickets(f, 1);
    usleep(5000); /* the loop has seen the end of the client's side */
    assert_int_equal(http_fixture_answer(f), 1);
    assert_true(client_read_all(fd, reply, sizeof reply) > 0);
    assert_non_null(strstr(reply, "Request-ID: 2\r\n"));
    assert_non_null(strstr(reply, "\r\n\r\nlater"));
    close(fd);
}

/* One event tells of both. */
static void
test_an_end_that_comes_with_the_request_is_not_missed(void **state)
{
    struct http_fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        int fd = client_connect(f->port);
        client_send(fd, GET("/now"));
        shutdown(fd, SHUT_WR);
        assert_true(client_read_answer(fd, reply, sizeof reply) > 0);
        assert_in_range(client_ms_until_closed(fd), 0, 1000); /* not first after 2 s without use */
        close(fd);
    }
}

static void
test_an_answer_for_a_client_that_has_gone_is_released(void **state)
{
    struct http_fixture *f = *state;
    int fd = client_connect(f->port);
    client_send(fd, GET("/later"));
    http_fixture_await_tickets(f, 1);
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd); /* RST */
    for (int i = 0; i < 1000 && http_fixture_counts(f).connections > 0; i++) {
        usleep(1000);
    }
    assert_int_equal(http_fixture_counts(f).connections, 0);
    /* the same slot serves somebody else, whose request must not get this answer */
    int other = client_connect(f->port);
    client_send(other, GET("/later"));
    http_fixture_await_tickets(f, 2);
    struct http_ticket second = f->tickets[1];
    f->ticket_count = 1;
    assert_int_equal(http_fixture_answer(f), 1);
    http_fixture_await(&f->released, 1);
    f->tickets[0] = second;
    f->ticket_count = 1;
    http_fixture_answer(f);
    assert_true(client_read_answer(other, reply, sizeof reply) > 0);
    http_fixture_await(&f->released, 2);
    close(other);
}

static void *
ask_many_times(void *self)
{
    struct http_fixture *f = self;
    char answer[1024];
    for (int round = 0; round < 5; round++) {
        int fd = client_connect(f->port);
        for (int i = 0; i < 10; i++) {
            client_send(fd, GET("/later"));
            assert_true(client_read_answer(fd, answer, sizeof answer) > 0);
            assert_non_null(strstr(answer, "\r\n\r\nlater"));
        }
        close(fd);
    }
    return NULL;
}

static void *
answer_until_released(void *self)
{
    struct http_fixture *f = self;
    while (atomic_load(&f->released) < 200) {
        if (http_fixture_answer(f) == 0) {
            usleep(50);
        }
    }
    return NULL;
}

static void
test_any_thread_may_answer_any_loop(void **state)
{
    struct http_fixture *f = *state;
    f->options.loops = 3;
    http_fixture_start(f);
    pthread_t clients[4], workers[2];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&clients[i], NULL, ask_many_times, f), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&workers[i], NULL, answer_until_released, f), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(clients[i], NULL);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(workers[i], NULL);
    }
    assert_int_equal(http_fixture_counts(f).requests, 200);
    assert_int_equal(atomic_load(&f->released), 200);
}

static void
test_pipelined_requests_wait_for_the_late_answer(void **state)
{
    struct http_fixture *f = *state;
    int fd = client_connect(f->port);
    client_send(fd, GET("/later") GET("/now") GET("/shut"));
    http_fixture_await_tickets(f, 1);
    usleep(2000);
    assert_int_equal(http_fixture_counts(f).requests, 1);
    http_fixture_answer(f);
    client_read_all(fd, reply, sizeof reply);
    char *later = strstr(reply, "\r\n\r\nlater");
    assert_non_null(later);
    assert_non_null(strstr(later, "\r\n\r\nhello"));
    assert_int_equal(http_fixture_counts(f).requests, 3);
    close(fd);
}

static void
test_head_204_and_304_have_no_body(void **state)
{
    struct http_fixture *f = *state;
    int fd = client_connect(f->port);
    client_send(fd, "HEAD /now HTTP/1.1\r\nHost: x\r\n\r\n" GET("/304")
                        GET("/204") "HEAD /shut HTTP/1.1\r\nHost: x\r\n\r\n");
    client_read_all(fd, reply, sizeof reply);
    assert_null(strstr(reply, "hello"));
    assert_non_null(strstr(reply, "Content-Length: 5\r\n"));
    char *not_modified = strstr(reply, "HTTP/1.1 304 ");
    assert_non_null(not_modified);
    char *no_content = strstr(not_modified, "HTTP/1.1 204 ");
    assert_non_null(no_content);
    *strstr(no_content, "\r\n\r\n") = '\0';
    assert_null(strstr(not_modified, "Content-Length"));
    close(fd);
}

static void
test_a_simulator_can_cut_an_answer_short(void **state)
{
    struct http_fixture *f = *state;
    assert_int_equal(client_ask(f->port, GET("/cut"), reply, sizeof reply), 200);
    assert_non_null(strstr(reply, "Content-Length: 5\r\n"));
    assert_string_equal(strstr(reply, "\r\n\r\n"), "\r\n\r\nhel");
    assert_int_equal(client_ask(f->port, GET("/drop"), reply, sizeof reply), 0);
    assert_int_equal(atomic_load(&f->released), 2);
}

static void
test_http_1_0_is_closed_unless_it_asks_otherwise(void **state)
{
    struct http_fixture *f = *state;
    assert_int_equal(client_ask(f->port, "GET /now HTTP/1.0\r\n\r\n", reply, sizeof reply), 200);
    assert_non_null(strstr(reply, "Connection: close\r\n"));
    int fd = client_connect(f->port);
    client_send(fd, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_true(client_read_answer(fd, reply, sizeof reply) > 0);
    assert_non_null(strstr(reply, "Connection: keep-alive\r\n"));
    client_send(fd, "GET /now HTTP/1.0\r\n\r\n");
    assert_true(client_read_all(fd, reply, sizeof reply) > 0);
    close(fd);
}

static void
test_says_100_continue_only_if_the_body_is_read(void **state)
{
    struct http_fixture *f = *state;
    int fd = client_connect(f->port);
    client_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                    "Expect: 100-continue\r\n\r\n");
    ssize_t size = recv(fd, reply, sizeof reply, 0);
    assert_int_equal(size, 25);
    assert_memory_equal(reply, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    client_send(fd, "ab");
    assert_true(client_read_answer(fd, reply, sizeof reply) > 0);
    assert_non_null(strstr(reply, "\r\n\r\nab"));
    close(fd);
    /* not read, and too large: answered at once, and closed, as the body may or may not come */
    assert_int_equal(client_ask(f->port,
                                "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                                "Expect: 100-continue\r\n\r\n",
                                reply, sizeof reply),
                     200);
    assert_non_null(strstr(reply, "Connection: close\r\n"));
    assert_int_equal(client_ask(f->port,
                                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n"
                                "Expect: 100-continue\r\n\r\n",
                                reply, sizeof reply),
                     413);
}

/* Sends a body larger than ECHO_MAX before it reads: the answer must survive. */
static void
post_too_large(struct http_fixture *f, const char *head, const char *chunk, size_t count)
{
    int fd = client_connect(f->port);
    client_send(fd, head);
    for (size_t i = 0; i < count; i++) {
        client_send(fd, chunk);
    }
    usleep(20000);
    client_send(fd, chunk);
    assert_true(client_read_all(fd, reply, sizeof reply) > 0);
    assert_memory_equal(reply, "HTTP/1.1 413 ", 13);
    assert_non_null(strstr(reply, "Connection: close\r\n"));
    close(fd);
}

static void
test_a_413_is_not_lost_to_a_reset(void **state)
{
    struct http_fixture *f = *state;
    char chunk[1024 + 8];
    memcpy(chunk, "400\r\n", 5);
    memset(chunk + 5, 'c', 1024);
    memcpy(chunk + 1029, "\r\n", 3);
    post_too_large(f, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", chunk,
                   300);
    post_too_large(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n", chunk,
                   300);
    http_fixture_await(&f->too_large, 2);
}

static void
test_a_body_of_just_the_ceiling_is_taken(void **state)
{
    struct http_fixture *f = *state;
    int fd = client_connect(f->port);
    char head[200];
    snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
             HTTP_FIXTURE_ECHO_MAX);
    client_send(fd, head);
    char *body = calloc(1, HTTP_FIXTURE_ECHO_MAX + 1);
    memset(body, 'e', HTTP_FIXTURE_ECHO_MAX);
    client_send(fd, body);
    ssize_t size = client_read_answer(fd, reply, sizeof reply);
    assert_true(size > HTTP_FIXTURE_ECHO_MAX);
    assert_memory_equal(reply + size - HTTP_FIXTURE_ECHO_MAX, body, HTTP_FIXTURE_ECHO_MAX);
    free(body);
    close(fd);
}

static void
test_a_request_can_be_read_after_its_answer_closed_the_connection(void **state)
{
    struct http_fixture *f = *state;
    /* the handler looks at its request again after it has answered */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(client_ask(f->port,
                                    "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                    "Content-Length: 3\r\n\r\nabc",
                                    reply, sizeof reply),
                         200);
        assert_int_equal(client_ask(f->port, GET("/shut") GET("/now"), reply, sizeof reply), 200);
    }
}

static void
test_a_small_unwanted_body_is_read_over(void **state)
{
    struct http_fixture *f = *state;
    int fd = client_connect(f->port);
    client_send(fd, "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\nGET /x HTTP");
    assert_true(client_read_answer(fd, reply, sizeof reply) > 0);
    client_send(fd, "/1.1\r\n\r\n\r\n" GET("/now"));
    assert_true(client_read_answer(fd, reply, sizeof reply) > 0);
    assert_int_equal(http_fixture_counts(f).requests, 2);
    client_send(fd, "POST /now HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "1\r\na\r\n0\r\n\r\n" GET("/shut"));
    assert_true(client_read_all(fd, reply, sizeof reply) > 0);
    assert_non_null(strstr(reply + 20, "HTTP/1.1 200 OK"));
    close(fd);
    /* a large one costs the connection */
    assert_int_equal(client_ask(f->port,
                                "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
                                reply, sizeof reply),
                     200);
    assert_non_null(strstr(reply, "Connection: close\r\n"));
}

static void
test_survives_a_reset_in_the_middle_of_an_answer(void **state)
{
    struct http_fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        int fd = client_connect(f->port);
        int small = 4096;
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        client_send(fd, GET("/big"));
        assert_true(recv(fd, reply, 1000, 0) > 0);
        struct linger reset = {.l_onoff = 1};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    http_fixture_await(&f->released, 5);
    assert_int_equal(client_ask(f->port, GET("/shut"), reply, sizeof reply), 200);
}

static void
test_a_slow_reader_gets_all_of_a_large_answer(void **state)
{
    struct http_fixture *f = *state;
    int fd = client_connect(f->port);
    int small = 128 * 1024;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    client_send(fd, GET("/big") GET("/shut"));
    usleep(20000);
    /* others are served meanwhile, through the same loop's memory */
    assert_int_equal(client_ask(f->port, GET("/shut"), reply, sizeof reply), 200);
    size_t size = 0, bodies = 0;
    for (ssize_t got; (got = recv(fd, reply, sizeof reply, 0)) > 0; size += (size_t)got) {
        for (ssize_t i = 0; i < got; i++) {
            bodies += reply[i] == 'b';
        }
    }
    assert_int_equal(bodies, HTTP_FIXTURE_BIG_BYTES);
    assert_true(size > HTTP_FIXTURE_BIG_BYTES);
    http_fixture_await(&f->released, 3);
    close(fd);
}

static void
test_beyond_the_ceiling_the_longest_idle_connection_goes(void **state)
{
    struct http_fixture *f = *state;
    f->options.connections_max = 3;
    f->options.loops = 2; /* whose idle ones count together */
    http_fixture_start(f);
    int fds[4];
    for (int i = 0; i < 3; i++) {
        fds[i] = client_connect(f->port);
        client_send(fds[i], GET("/now"));
        assert_true(client_read_answer(fds[i], reply, sizeof reply) > 0);
        usleep(3000);
    }
    client_send(fds[0], GET("/now")); /* now the second is idle longest */
    assert_true(client_read_answer(fds[0], reply, sizeof reply) > 0);
    fds[3] = client_connect(f->port);
    client_send(fds[3], GET("/now"));
    assert_true(client_read_answer(fds[3], reply, sizeof reply) > 0);
    assert_int_equal(recv(fds[1], reply, 1, 0), 0);
    client_send(fds[0], GET("/now"));
    assert_true(client_read_answer(fds[0], reply, sizeof reply) > 0);
    for (int i = 0; i < 4; i++) {
        close(fds[i]);
    }
}

static void
test_beyond_the_ceiling_without_idle_ones_it_refuses(void **state)
{
    struct http_fixture *f = *state;
    f->options.connections_max = 2;
    http_fixture_start(f);
    int fds[2];
    for (size_t i = 0; i < 2; i++) {
        fds[i] = client_connect(f->port);
        client_send(fds[i], GET("/later"));
        http_fixture_await_tickets(f, i + 1);
    }
    assert_int_equal(client_ask(f->port, GET("/now"), reply, sizeof reply), 0);
    assert_int_equal(http_fixture_counts(f).refused, 1);
    http_fixture_await(&f->troubles, 1);
    http_fixture_answer(f);
    for (int i = 0; i < 2; i++) {
        assert_true(client_read_answer(fds[i], reply, sizeof reply) > 0);
        close(fds[i]);
    }
    /* and goes on */
    assert_int_equal(client_ask(f->port, GET("/shut"), reply, sizeof reply), 200);
}

static void
test_survives_the_end_of_descriptors(void **state)
{
    struct http_fixture *f = *state;
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = client_connect(f->port);
        client_send(fds[i], GET("/later"));
    }
    http_fixture_await_tickets(f, 2);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3; /* every number above is in use or forbidden */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect_socket(client, f->port), 0);
    http_fixture_await(&f->troubles, 1);
    struct rusage use, later;
    getrusage(RUSAGE_SELF, &use);
    usleep(50000); /* must not spin: the client stays in the queue */
    getrusage(RUSAGE_SELF, &later);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    int64_t spent_us = (later.ru_utime.tv_sec - use.ru_utime.tv_sec) * 1000000 +
                       later.ru_utime.tv_usec - use.ru_utime.tv_usec +
                       (later.ru_stime.tv_sec - use.ru_stime.tv_sec) * 1000000 +
                       later.ru_stime.tv_usec - use.ru_stime.tv_usec;
    assert_true(spent_us < 25000);
    /* once there are descriptors again, who waited is served */
    client_send(client, GET("/now"));
    assert_true(client_read_answer(client, reply, sizeof reply) > 0);
    close(client);
    http_fixture_answer(f);
    for (int i = 0; i < 2; i++) {
        assert_true(client_read_answer(fds[i], reply, sizeof reply) > 0);
        close(fds[i]);
    }
}

/* Uses up all descriptors of the process; how many of fds were taken. */
static size_t
take_descriptors(int *fds, size_t count, struct rlimit *ret_before)
{
    getrlimit(RLIMIT_NOFILE, ret_before);
    struct rlimit few = *ret_before;
    few.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    size_t taken = 0;
    while (taken < count && (fds[taken] = dup(0)) >= 0) {
        taken++;
    }
    assert_true(taken < count);
    return taken;
}

static void
test_without_descriptors_a_client_is_sent_away_or_an_idle_one_goes(void **state)
{
    struct http_fixture *f = *state;
    int fds[64];
    struct rlimit before;
    int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int second = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int idle = client_connect(f->port);
    client_send(idle, GET("/now"));
    assert_true(client_read_answer(idle, reply, sizeof reply) > 0);
    size_t taken = take_descriptors(fds, 64, &before);
    assert_int_equal(connect_socket(first, f->port), 0);
    client_send(first, GET("/later")); /* served in the place of the idle one */
    http_fixture_await_tickets(f, 1);
    assert_int_equal(recv(idle, reply, 1, 0), 0);
    assert_int_equal(connect_socket(second, f->port), 0);
    assert_true(recv(second, reply, 1, 0) == 0); /* nobody idle: sent away at once */
    for (size_t i = 0; i < taken; i++) {
        close(fds[i]);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(http_fixture_counts(f).refused, 1);
    assert_int_equal(atomic_load(&f->troubles), 1); /* once a minute */
    http_fixture_answer(f);
    assert_true(client_read_answer(first, reply, sizeof reply) > 0);
    close(first);
    close(second);
    close(idle);
}

static void *
drain(void *self)
{
    struct http_fixture *f = self;
    http_server_drain(f->server, 1000);
    return NULL;
}

static void
test_drain_answers_what_is_in_flight_and_takes_nobody_new(void **state)
{
    struct http_fixture *f = *state;
    int idle = client_connect(f->port);
    client_send(idle, GET("/now"));
    assert_true(client_read_answer(idle, reply, sizeof reply) > 0);
    int busy = client_connect(f->port);
    client_send(busy, GET("/later"));
    http_fixture_await_tickets(f, 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drain, f), 0);
    assert_int_equal(recv(idle, reply, 1, 0), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect_socket(fd, f->port), -1);
    http_fixture_answer(f);
    assert_true(client_read_all(busy, reply, sizeof reply) > 0);
    assert_non_null(strstr(reply, "Connection: close\r\n"));
    int64_t start_ms = clock_monotonic_ms(clock_system());
    pthread_join(thread, NULL);
    assert_true(clock_monotonic_ms(clock_system()) - start_ms < 500);
    close(fd);
    close(idle);
    close(busy);
}

static void
test_drain_ends_at_its_limit_and_releases_late_answers(void **state)
{
    struct http_fixture *f = *state;
    int fd = client_connect(f->port);
    client_send(fd, GET("/later"));
    http_fixture_await_tickets(f, 1);
    int64_t start_ms = clock_monotonic_ms(clock_system());
    http_server_drain(f->server, 50);
    int64_t took_ms = clock_monotonic_ms(clock_system()) - start_ms;
    assert_true(took_ms >= 49 && took_ms < 500);
    assert_true(client_read_all(fd, reply, sizeof reply) <= 0);
    assert_int_equal(http_fixture_answer(f), 1);
    assert_int_equal(atomic_load(&f->released), 1);
    close(fd);
}

int
main(void)
{
#define STARTED(name) cmocka_unit_test_setup_teardown(name, setup_started, teardown)
#define MADE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        STARTED(test_refusals_of_this_layer_are_bare_and_close),
        STARTED(test_refuses_huge_heads_with_414_and_431),
        STARTED(test_refuses_a_port_that_another_server_has),
        MADE(test_refuses_an_address_that_is_not_here),
        STARTED(test_keeps_the_connection_for_requests_in_order),
        STARTED(test_a_request_may_come_byte_by_byte),
        STARTED(test_answers_a_client_that_has_half_closed),
        STARTED(test_an_end_that_comes_with_the_request_is_not_missed),
        STARTED(test_an_answer_for_a_client_that_has_gone_is_released),
        MADE(test_any_thread_may_answer_any_loop),
        STARTED(test_pipelined_requests_wait_for_the_late_answer),
        STARTED(test_head_204_and_304_have_no_body),
        STARTED(test_a_simulator_can_cut_an_answer_short),
        STARTED(test_http_1_0_is_closed_unless_it_asks_otherwise),
        STARTED(test_says_100_continue_only_if_the_body_is_read),
        STARTED(test_a_413_is_not_lost_to_a_reset),
        STARTED(test_a_body_of_just_the_ceiling_is_taken),
        STARTED(test_a_request_can_be_read_after_its_answer_closed_the_connection),
        STARTED(test_a_small_unwanted_body_is_read_over),
        STARTED(test_survives_a_reset_in_the_middle_of_an_answer),
        STARTED(test_a_slow_reader_gets_all_of_a_large_answer),
        MADE(test_beyond_the_ceiling_the_longest_idle_connection_goes),
        MADE(test_beyond_the_ceiling_without_idle_ones_it_refuses),
        STARTED(test_survives_the_end_of_descriptors),
        STARTED(test_without_descriptors_a_client_is_sent_away_or_an_idle_one_goes),
        STARTED(test_drain_answers_what_is_in_flight_and_takes_nobody_new),
        STARTED(test_drain_ends_at_its_limit_and_releases_late_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
