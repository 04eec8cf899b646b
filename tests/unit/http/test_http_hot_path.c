/* SPDX-License-Identifier: BSD-3-Clause */
/* What the hot path must not do: allocate, or lock, once a connection is warm. The C library's
 * functions are wrapped, for the code that is linked into this program; OpenSSL, a shared library,
 * is not counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
enum { WARM = 20, COUNTED = 200 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

static _Atomic uint64_t allocations, locks;

void *
__wrap_malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __real_calloc(count, size);
}

void *
__wrap_realloc(void *block, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __real_realloc(block, size);
}

int
__wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    atomic_fetch_add(&locks, 1);
    return __real_pthread_mutex_lock(mutex);
}

struct peer {
    int fd;
    SSL *ssl;
};

static void
exchange(struct peer *peer, size_t times)
{
    static const char text[] = GET("/now");
    char answer[512];
    for (size_t i = 0; i < times; i++) {
        if (peer->ssl != NULL) {
            assert_true(SSL_write(peer->ssl, text, sizeof text - 1) > 0);
            assert_true(SSL_read(peer->ssl, answer, sizeof answer) > 0);
        } else {
            assert_true(write(peer->fd, text, sizeof text - 1) > 0);
            assert_true(read(peer->fd, answer, sizeof answer) > 0);
        }
    }
}

static void
assert_exchanges_cost_nothing(struct peer *peer)
{
    exchange(peer, WARM);
    uint64_t allocations_before = atomic_load(&allocations);
    uint64_t locks_before = atomic_load(&locks);
    assert_true(allocations_before > 0); /* it does count */
    exchange(peer, COUNTED);
    assert_int_equal(atomic_load(&allocations) - allocations_before, 0);
    assert_int_equal(atomic_load(&locks) - locks_before, 0);
}

static void
test_a_warm_plain_connection_allocates_and_locks_nothing(void **state)
{
    struct http_fixture fixture;
    http_fixture_init(&fixture);
    http_fixture_start(&fixture);
    struct peer peer = {.fd = client_connect(fixture.port)};
    assert_exchanges_cost_nothing(&peer);
    close(peer.fd);
    http_fixture_done(&fixture);
}

static void
test_a_warm_tls_connection_allocates_and_locks_nothing_of_ours(void **state)
{
    char key[] = "/tmp/pccs-http-key-XXXXXX", certificate[] = "/tmp/pccs-http-crt-XXXXXX";
    close(mkstemp(key));
    close(mkstemp(certificate));
    make_key_pair(key, certificate, -100, 100);
    struct http_fixture fixture;
    http_fixture_init(&fixture);
    struct fault why = {0};
    assert_int_equal(http_tls_new(key, certificate, &fixture.options.tls, &why), 0);
    http_fixture_start(&fixture);
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    struct peer peer = {.fd = client_connect(fixture.port), .ssl = SSL_new(tls)};
    SSL_set_fd(peer.ssl, peer.fd);
    assert_int_equal(SSL_connect(peer.ssl), 1);
    assert_exchanges_cost_nothing(&peer);
    SSL_free(peer.ssl);
    SSL_CTX_free(tls);
    close(peer.fd);
    http_fixture_done(&fixture);
    SSL_CTX_free(fixture.options.tls);
    unlink(key);
    unlink(certificate);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_warm_plain_connection_allocates_and_locks_nothing),
        cmocka_unit_test(test_a_warm_tls_connection_allocates_and_locks_nothing_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
