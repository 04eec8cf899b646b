/* SPDX-License-Identifier: BSD-3-Clause */
/* Each time-out of api.md, Transport, kept: here with 150 ms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static char reply[1 << 16];

static int
setup(void **state)
{
    struct http_fixture *fixture = malloc(sizeof *fixture);
    http_fixture_init(fixture);
    /* the ones that a test is not about must not be what it sees */
    fixture->options.headers_timeout_ms = 5000;
    fixture->options.request_timeout_ms = 5000;
    fixture->options.keep_alive_timeout_ms = 5000;
    *state = fixture;
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
assert_about_150(int64_t ms)
{
    assert_true(ms >= 145);
    assert_true(ms < 600);
}

static void
test_closes_silently_who_says_nothing(void **state)
{
    struct http_fixture *f = *state;
    f->options.headers_timeout_ms = 150;
    http_fixture_start(f);
    int fd = client_connect(f->port);
    int64_t start_ms = clock_monotonic_ms(clock_system());
    assert_int_equal(client_read_all(fd, reply, sizeof reply), 0);
    assert_about_150(clock_monotonic_ms(clock_system()) - start_ms);
    close(fd);
}

static void
test_a_dripped_head_is_408_in_time(void **state)
{
    struct http_fixture *f = *state;
    f->options.headers_timeout_ms = 150;
    http_fixture_start(f);
    int fd = client_connect(f->port);
    client_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n");
    int64_t start_ms = clock_monotonic_ms(clock_system());
    struct timeval brief = {.tv_usec = 10000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief);
    ssize_t got;
    do {
        client_send(fd, "A: b\r\n");
        got = recv(fd, reply, sizeof reply - 1, 0);
    } while (got < 0);
    assert_about_150(clock_monotonic_ms(clock_system()) - start_ms);
    assert_memory_equal(reply, "HTTP/1.1 408 ", 13);
    assert_int_equal(http_fixture_counts(f).timeouts, 1);
    close(fd);
}

static void
test_a_later_head_counts_from_its_first_byte(void **state)
{
    struct http_fixture *f = *state;
    f->options.headers_timeout_ms = 150;
    http_fixture_start(f);
    int fd = client_connect(f->port);
    client_send(fd, GET("/now"));
    assert_true(client_read_answer(fd, reply, sizeof reply) > 0);
    usleep(200000); /* idle: another deadline */
    client_send(fd, "GET ");
    int64_t start_ms = clock_monotonic_ms(clock_system());
    assert_true(client_read_all(fd, reply, sizeof reply) > 0);
    assert_memory_equal(reply, "HTTP/1.1 408 ", 13);
    assert_about_150(clock_monotonic_ms(clock_system()) - start_ms);
    close(fd);
}

static void
test_an_idle_connection_is_closed_silently(void **state)
{
    struct http_fixture *f = *state;
    f->options.keep_alive_timeout_ms = 150;
    http_fixture_start(f);
    int fd = client_connect(f->port);
    client_send(fd, GET("/now"));
    assert_true(client_read_answer(fd, reply, sizeof reply) > 0);
    assert_about_150(client_ms_until_closed(fd));
    assert_int_equal(http_fixture_counts(f).timeouts, 0);
    close(fd);
}

static void
test_a_body_that_does_not_come_is_408(void **state)
{
    struct http_fixture *f = *state;
    f->options.request_timeout_ms = 150;
    http_fixture_start(f);
    int fd = client_connect(f->port);
    client_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    int64_t start_ms = clock_monotonic_ms(clock_system());
    assert_true(client_read_all(fd, reply, sizeof reply) > 0);
    assert_about_150(clock_monotonic_ms(clock_system()) - start_ms);
    assert_memory_equal(reply, "HTTP/1.1 408 ", 13);
    close(fd);
}

static void
test_who_does_not_read_the_answer_is_cut_off(void **state)
{
    struct http_fixture *f = *state;
    f->options.request_timeout_ms = 150;
    http_fixture_start(f);
    int fd = client_connect(f->port);
    int small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    client_send(fd, GET("/big"));
    int64_t start_ms = clock_monotonic_ms(clock_system());
    http_fixture_await(&f->released, 1);
    assert_about_150(clock_monotonic_ms(clock_system()) - start_ms);
    assert_int_equal(http_fixture_counts(f).connections, 0);
    close(fd);
}

static void
test_a_request_that_waits_for_its_answer_has_no_deadline(void **state)
{
    struct http_fixture *f = *state;
    f->options.headers_timeout_ms = 20;
    f->options.request_timeout_ms = 20;
    f->options.keep_alive_timeout_ms = 20;
    http_fixture_start(f);
    int fd = client_connect(f->port);
    client_send(fd, GET("/later"));
    http_fixture_await_tickets(f, 1);
    usleep(80000);
    http_fixture_answer(f);
    assert_true(client_read_answer(fd, reply, sizeof reply) > 0);
    assert_memory_equal(reply, "HTTP/1.1 200 ", 13);
    close(fd);
}

int
main(void)
{
#define MADE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        MADE(test_closes_silently_who_says_nothing),
        MADE(test_a_dripped_head_is_408_in_time),
        MADE(test_a_later_head_counts_from_its_first_byte),
        MADE(test_an_idle_connection_is_closed_silently),
        MADE(test_a_body_that_does_not_come_is_408),
        MADE(test_who_does_not_read_the_answer_is_cut_off),
        MADE(test_a_request_that_waits_for_its_answer_has_no_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
