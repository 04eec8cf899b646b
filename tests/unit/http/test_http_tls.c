/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS: files that are refused, peers that are refused, and what is agreed upon (api.md, Transport;
 * wire_details.md 17). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
enum { DAY = 24 * 3600 };

static char reply[1 << 16];
static char folder[] = "/tmp/pccs-http-XXXXXX";
static char key_path[100], certificate_path[100], other_key[100], other_certificate[100];
static char old_key[100], old_certificate[100];

static int
make_files(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(key_path, sizeof key_path, "%s/key", folder);
    snprintf(certificate_path, sizeof certificate_path, "%s/certificate", folder);
    snprintf(other_key, sizeof other_key, "%s/other-key", folder);
    snprintf(other_certificate, sizeof other_certificate, "%s/other-certificate", folder);
    snprintf(old_key, sizeof old_key, "%s/old-key", folder);
    snprintf(old_certificate, sizeof old_certificate, "%s/old-certificate", folder);
    make_key_pair(key_path, certificate_path, -DAY, DAY);
    make_key_pair(other_key, other_certificate, -DAY, DAY);
    make_key_pair(old_key, old_certificate, -2 * DAY, -DAY);
    return 0;
}

static int
remove_files(void **state)
{
    const char *const paths[] = {key_path,          certificate_path, other_key,
                                 other_certificate, old_key,          old_certificate};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        unlink(paths[i]);
    }
    return rmdir(folder);
}

static int
setup(void **state)
{
    struct http_fixture *fixture = malloc(sizeof *fixture);
    http_fixture_init(fixture);
    fixture->options.headers_timeout_ms = 2000;
    fixture->options.request_timeout_ms = 2000;
    fixture->options.keep_alive_timeout_ms = 2000;
    struct fault why = {0};
    assert_int_equal(http_tls_new(key_path, certificate_path, &fixture->options.tls, &why), 0);
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
    struct http_fixture *fixture = *state;
    http_fixture_done(fixture);
    SSL_CTX_free(fixture->options.tls);
    free(fixture);
    return 0;
}

struct client {
    int fd;
    SSL_CTX *tls;
    SSL *ssl;
};

static void
client_open(struct client *client, uint16_t port)
{
    client->fd = client_connect(port);
    client->tls = SSL_CTX_new(TLS_client_method());
    client->ssl = SSL_new(client->tls);
    SSL_set_fd(client->ssl, client->fd);
}

static void
client_close(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->tls);
    close(client->fd);
    ERR_clear_error();
}

/* Sends, and reads until something, or the end. */
static int
client_talk(struct client *client, const char *text)
{
    assert_int_equal(SSL_write(client->ssl, text, (int)strlen(text)), (int)strlen(text));
    int size = SSL_read(client->ssl, reply, sizeof reply - 1);
    reply[size > 0 ? size : 0] = '\0';
    return size;
}

static void
assert_tls_refused(const char *key, const char *certificate, const char *path, const char *word)
{
    SSL_CTX *tls = NULL;
    struct fault why = {0};
    assert_int_equal(http_tls_new(key, certificate, &tls, &why), FAULT_CONFIG);
    assert_null(tls);
    assert_non_null(strstr(why.text, path));
    assert_non_null(strstr(why.text, word));
    assert_int_equal(ERR_peek_error(), 0);
}

static void
test_refuses_files_and_says_which_and_why(void **state)
{
    assert_tls_refused("/nowhere/key", certificate_path, "/nowhere/key", "No such file");
    assert_tls_refused(key_path, "/nowhere/crt", "/nowhere/crt", "No such file");
    assert_tls_refused(certificate_path, certificate_path, certificate_path, "private key");
    assert_tls_refused(key_path, key_path, key_path, "certificate");
    assert_tls_refused(other_key, certificate_path, other_key, "does not belong");
    assert_tls_refused(old_key, old_certificate, old_certificate, "expired");
}

static void
test_plain_http_is_just_closed(void **state)
{
    struct http_fixture *f = *state;
    assert_int_equal(client_ask(f->port, GET("/now"), reply, sizeof reply), 0);
    assert_int_equal(http_fixture_counts(f).handshakes_failed, 1);
    assert_int_equal(http_fixture_counts(f).requests, 0);
}

static void
test_refuses_versions_before_1_2(void **state)
{
    struct http_fixture *f = *state;
    struct client client;
    client_open(&client, f->port);
    SSL_set_security_level(client.ssl, 0);
    SSL_set_min_proto_version(client.ssl, TLS1_VERSION);
    SSL_set_max_proto_version(client.ssl, TLS1_1_VERSION);
    assert_int_not_equal(SSL_connect(client.ssl), 1);
    client_close(&client);
}

static void
test_refuses_clients_that_speak_only_http_2(void **state)
{
    struct http_fixture *f = *state;
    struct client client;
    client_open(&client, f->port);
    SSL_set_alpn_protos(client.ssl, (const unsigned char *)"\x02h2", 3);
    assert_int_not_equal(SSL_connect(client.ssl), 1);
    client_close(&client);
}

static void
test_a_handshake_that_stops_is_closed_in_time(void **state)
{
    struct http_fixture *f = *state;
    f->options.headers_timeout_ms = 150;
    http_fixture_start(f);
    int fd = client_connect(f->port);
    assert_int_equal(send(fd, "\x16\x03\x01\x01\x00\x01", 6, MSG_NOSIGNAL), 6);
    int64_t ms = client_ms_until_closed(fd);
    assert_true(ms >= 145 && ms < 600);
    close(fd);
    /* so is one that ends and is followed by nothing */
    struct client client;
    client_open(&client, f->port);
    assert_int_equal(SSL_connect(client.ssl), 1);
    assert_true(SSL_read(client.ssl, reply, 1) <= 0);
    assert_int_equal(SSL_get_error(client.ssl, 0), SSL_ERROR_ZERO_RETURN);
    client_close(&client);
}

static void
test_agrees_on_tls_1_3_with_aes_128_and_no_tickets(void **state)
{
    struct http_fixture *f = *state;
    struct client client;
    client_open(&client, f->port);
    SSL_set_alpn_protos(client.ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    assert_int_equal(SSL_connect(client.ssl), 1);
    assert_string_equal(SSL_get_version(client.ssl), "TLSv1.3");
    assert_string_equal(SSL_get_cipher_name(client.ssl), "TLS_AES_128_GCM_SHA256");
    const unsigned char *alpn;
    unsigned size;
    SSL_get0_alpn_selected(client.ssl, &alpn, &size);
    assert_int_equal(size, 8);
    assert_memory_equal(alpn, "http/1.1", 8);
    for (int i = 0; i < 3; i++) {
        assert_true(client_talk(&client, GET("/now")) > 0);
        assert_non_null(strstr(reply, "\r\n\r\nhello"));
    }
    assert_false(SSL_SESSION_is_resumable(SSL_get_session(client.ssl)));
    client_close(&client);
}

static void
test_a_client_with_nagle_is_not_kept_waiting(void **state)
{
    struct http_fixture *f = *state;
    int64_t start_ms = clock_monotonic_ms(clock_system());
    for (int i = 0; i < 8; i++) {
        struct client client;
        client_open(&client, f->port); /* TCP_NODELAY is off */
        assert_int_equal(SSL_connect(client.ssl), 1);
        assert_true(client_talk(&client, GET("/now")) > 0);
        client_close(&client);
    }
    /* delayed acknowledgements would make it 8 times 40 ms */
    assert_true(clock_monotonic_ms(clock_system()) - start_ms < 200);
}

static void
test_takes_tls_1_2(void **state)
{
    struct http_fixture *f = *state;
    struct client client;
    client_open(&client, f->port);
    SSL_set_max_proto_version(client.ssl, TLS1_2_VERSION);
    assert_int_equal(SSL_connect(client.ssl), 1);
    assert_string_equal(SSL_get_cipher_name(client.ssl), "ECDHE-ECDSA-AES128-GCM-SHA256");
    assert_true(client_talk(&client, GET("/now")) > 0);
    assert_non_null(strstr(reply, "\r\n\r\nhello"));
    client_close(&client);
}

static void
test_requests_in_one_record_or_in_many_are_the_same(void **state)
{
    struct http_fixture *f = *state;
    struct client client;
    client_open(&client, f->port);
    assert_int_equal(SSL_connect(client.ssl), 1);
    /* forty small records, which the server's OpenSSL reads at once */
    int on = 1;
    setsockopt(client.fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    for (int i = 0; i < 20; i++) {
        assert_true(SSL_write(client.ssl, "GET /now HTTP/1.1\r\n", 19) == 19);
        assert_true(SSL_write(client.ssl, "Host: x\r\n\r\n", 11) == 11);
    }
    on = 0;
    setsockopt(client.fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
    int answers = 0;
    while (answers < 20) {
        int size = SSL_read(client.ssl, reply, sizeof reply - 1);
        assert_true(size > 0);
        reply[size] = '\0';
        for (char *at = reply; (at = strstr(at, "hello")) != NULL; at++) {
            answers++;
        }
    }
    assert_int_equal(http_fixture_counts(f).requests, 20);
    client_close(&client);
}

static void
test_a_large_answer_arrives_whole_through_full_sockets(void **state)
{
    struct http_fixture *f = *state;
    struct client client;
    client_open(&client, f->port);
    int small = 128 * 1024;
    setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(SSL_connect(client.ssl), 1);
    static const char text[] =
        GET("/big") "GET /now HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_int_equal(SSL_write(client.ssl, text, sizeof text - 1), (int)sizeof text - 1);
    usleep(20000);
    size_t bodies = 0;
    int got;
    while ((got = SSL_read(client.ssl, reply, sizeof reply - 1)) > 0) {
        for (int i = 0; i < got; i++) {
            bodies += reply[i] == 'b';
        }
        reply[got] = '\0';
    }
    assert_int_equal(bodies, HTTP_FIXTURE_BIG_BYTES);
    assert_int_equal(SSL_get_error(client.ssl, got), SSL_ERROR_ZERO_RETURN); /* close_notify */
    http_fixture_await(&f->released, 2);
    client_close(&client);
}

static void
test_a_late_answer_and_a_413_come_through_tls(void **state)
{
    struct http_fixture *f = *state;
    struct client client;
    client_open(&client, f->port);
    assert_int_equal(SSL_connect(client.ssl), 1);
    static const char later[] = GET("/later");
    assert_int_equal(SSL_write(client.ssl, later, sizeof later - 1), (int)sizeof later - 1);
    http_fixture_await_tickets(f, 1);
    http_fixture_answer(f);
    assert_true(client_talk(&client, "POST /echo HTTP/1.1\r\nHost: x\r\n"
                                     "Content-Length: 100000\r\n\r\nstart") > 0);
    assert_non_null(strstr(reply, "\r\n\r\nlater"));
    char block[1000] = {0};
    for (int i = 0; i < 90; i++) {
        (void)!SSL_write(client.ssl, block, sizeof block);
    }
    int size = SSL_read(client.ssl, reply, sizeof reply - 1);
    assert_true(size > 0);
    assert_memory_equal(reply, "HTTP/1.1 413 ", 13);
    client_close(&client);
}

static void
test_new_handshakes_use_the_new_context(void **state)
{
    struct http_fixture *f = *state;
    struct client before, after;
    client_open(&before, f->port);
    assert_int_equal(SSL_connect(before.ssl), 1);
    SSL_CTX *tls = NULL;
    struct fault why = {0};
    assert_int_equal(http_tls_new(other_key, other_certificate, &tls, &why), 0);
    http_server_set_tls(f->server, tls);
    SSL_CTX_free(tls);
    client_open(&after, f->port);
    assert_int_equal(SSL_connect(after.ssl), 1);
    X509 *first = SSL_get1_peer_certificate(before.ssl);
    X509 *second = SSL_get1_peer_certificate(after.ssl);
    assert_int_not_equal(X509_cmp(first, second), 0);
    assert_true(client_talk(&before, GET("/now")) > 0);
    assert_true(client_talk(&after, GET("/now")) > 0);
    X509_free(first);
    X509_free(second);
    client_close(&before);
    client_close(&after);
}

int
main(void)
{
#define STARTED(name) cmocka_unit_test_setup_teardown(name, setup_started, teardown)
#define MADE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_files_and_says_which_and_why),
        STARTED(test_plain_http_is_just_closed),
        STARTED(test_refuses_versions_before_1_2),
        STARTED(test_refuses_clients_that_speak_only_http_2),
        MADE(test_a_handshake_that_stops_is_closed_in_time),
        STARTED(test_agrees_on_tls_1_3_with_aes_128_and_no_tickets),
        STARTED(test_a_client_with_nagle_is_not_kept_waiting),
        STARTED(test_takes_tls_1_2),
        STARTED(test_requests_in_one_record_or_in_many_are_the_same),
        STARTED(test_a_large_answer_arrives_whole_through_full_sockets),
        STARTED(test_a_late_answer_and_a_413_come_through_tls),
        STARTED(test_new_handshakes_use_the_new_context),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
